/* TQ1_0: five base-3 digits a byte, 256 codes in 54 bytes. */
#include "bytes.h"
#include "pack.h"

#define CODES 256
#define BYTES 54

/* Byte m of a part holds, as digit n (the most significant is 0), code from + m + bytes * n. */
static const struct {
    unsigned at, bytes, from, digits;
} parts[3] = {{0, 32, 0, 5}, {32, 16, 160, 5}, {48, 4, 240, 4}};

static int8_t decode(uint8_t byte, unsigned digit)
{
    static const unsigned power[5] = {1, 3, 9, 27, 81};
    unsigned fraction = byte * power[digit] & 255; /* digits after the wanted one's left end */
    return (int8_t)((int)(fraction * 3 >> 8) - 1);
}

void tvk_unpack_tq1_0(const uint8_t *packed, uint64_t count, int8_t *codes, uint16_t *scales)
{
    for (uint64_t b = 0; b < count / CODES; b++, packed += BYTES, codes += CODES) {
        for (unsigned p = 0; p < 3; p++)
            for (unsigned n = 0; n < parts[p].digits; n++)
                for (unsigned m = 0; m < parts[p].bytes; m++)
                    codes[parts[p].from + m + parts[p].bytes * n] =
                        decode(packed[parts[p].at + m], n);
        if (scales) scales[b] = tvk_load_u16(packed + 52);
    }
}

void tvk_pack_tq1_0(const int8_t *codes, uint64_t count, uint16_t scale, uint8_t *packed)
{
    for (uint64_t b = 0; b < count / CODES; b++, packed += BYTES, codes += CODES) {
        for (unsigned p = 0; p < 3; p++) {
            for (unsigned m = 0; m < parts[p].bytes; m++) {
                unsigned q = 0;
                for (unsigned n = 0; n < 5; n++)
                    q = q * 3 + (n < parts[p].digits
                                     ? (unsigned)(codes[parts[p].from + m + parts[p].bytes * n] + 1)
                                     : 0);
                /* q / 243 as a fraction of 256, rounded up so that the digits come back exactly */
                packed[parts[p].at + m] = (uint8_t)((q * 256 + 242) / 243);
            }
        }
        tvk_store_u16(packed + 52, scale);
    }
}
