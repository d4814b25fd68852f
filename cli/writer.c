#include "writer.h"

#include <stdio.h>

#include "out.h"
#include "platform.h"

#define PIECE 64 /* a token is a few bytes; longer ones go in pieces */

/* Whole characters of a file's tokens: one that would drive the terminal becomes '.' there. */
static void clean(char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned char next = i + 1 < bytes ? (unsigned char)text[i + 1] : 0;
        if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
            text[i] = text[i + 1] = '.';
        else if ((c < 32 && c != '\n' && c != '\t') || c == 127)
            text[i] = '.';
    }
}

void writer_put(writer *w, const char *bytes, size_t count, bool flush)
{
    char text[3 * (PIECE + 4)];
    bool seen = platform_is_terminal(stdout);
    do {
        size_t piece = count < PIECE ? count : PIECE;
        size_t n = tvk_utf8_push(&w->utf8, bytes, piece, flush && piece == count, text);
        if (seen) clean(text, n);
        fwrite(text, 1, n, stdout);
        bytes += piece;
        count -= piece;
    } while (count > 0);
    fflush(stdout);
}

void writer_token(writer *w, int32_t token)
{
    const char *bytes;
    size_t count;
    w->last_ms = out_now_ms();
    if (w->tokens++ == 0) w->first_ms = w->last_ms;
    tvk_token_bytes(w->tokenizer, token, w->at_start, false, &bytes, &count);
    if (count == 0) return; /* control tokens have no text */
    writer_put(w, bytes, count, false);
    w->at_start = false;
}

double writer_speed(const writer *w)
{
    if (w->tokens < 2 || w->last_ms <= w->first_ms) return 0;
    return (w->tokens - 1) / (w->last_ms - w->first_ms) * 1e3;
}
