#include "utf8.h"

#include <string.h>

#include "ternvk/loader.h"

int tvk_utf8_length(const char *s, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)s;
    unsigned lo = 0x80, hi = 0xbf; /* range of the second byte */
    int length;
    if (bytes == 0) return -1;
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0) lo = 0xa0; /* overlong */
    if (p[0] == 0xed) hi = 0x9f; /* surrogates */
    if (p[0] == 0xf0) lo = 0x90; /* overlong */
    if (p[0] == 0xf4) hi = 0x8f; /* above U+10FFFF */
    for (int i = 1; i < length; i++) {
        if ((size_t)i == bytes) return -1;
        if (p[i] < lo || p[i] > hi) return 0;
        lo = 0x80;
        hi = 0xbf;
    }
    return length;
}

uint32_t tvk_utf8_decode(const char *s, int length)
{
    static const unsigned char first_mask[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const unsigned char *p = (const unsigned char *)s;
    uint32_t code = p[0] & first_mask[length];
    for (int i = 1; i < length; i++) code = code << 6 | (p[i] & 0x3fu);
    return code;
}

int tvk_utf8_encode(uint32_t code, char *out)
{
    unsigned char *p = (unsigned char *)out;
    if (code < 0x80) {
        p[0] = (unsigned char)code;
        return 1;
    }
    if (code < 0x800) {
        p[0] = (unsigned char)(0xc0 | code >> 6);
        p[1] = (unsigned char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        p[0] = (unsigned char)(0xe0 | code >> 12);
        p[1] = (unsigned char)(0x80 | (code >> 6 & 0x3f));
        p[2] = (unsigned char)(0x80 | (code & 0x3f));
        return 3;
    }
    p[0] = (unsigned char)(0xf0 | code >> 18);
    p[1] = (unsigned char)(0x80 | (code >> 12 & 0x3f));
    p[2] = (unsigned char)(0x80 | (code >> 6 & 0x3f));
    p[3] = (unsigned char)(0x80 | (code & 0x3f));
    return 4;
}

static size_t put_replacement(char *out)
{
    memcpy(out, "\xef\xbf\xbd", 3);
    return 3;
}

size_t tvk_utf8_push(tvk_utf8_stream *s, const char *in, size_t bytes, bool flush, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++) {
        int length;
        s->held[s->held_count++] = (unsigned char)in[i];
        length = tvk_utf8_length((const char *)s->held, s->held_count);
        if (length == 0 && s->held_count > 1) {
            /* the new byte ended an unfinished character and begins another one */
            n += put_replacement(out + n);
            s->held[0] = (unsigned char)in[i];
            s->held_count = 1;
            length = tvk_utf8_length((const char *)s->held, 1);
        }
        if (length == 0) {
            n += put_replacement(out + n);
            s->held_count = 0;
        } else if (length > 0) {
            memcpy(out + n, s->held, (size_t)length);
            n += (size_t)length;
            s->held_count = 0;
        }
    }
    if (flush && s->held_count > 0) {
        n += put_replacement(out + n);
        s->held_count = 0;
    }
    return n;
}
