/* Packings with two bits a code: Hugging Face's, I2_S, TQ2_0. */
#include <string.h>

#include "bytes.h"
#include "pack.h"

#define I2_S_CODES 128
#define I2_S_BYTES 32
#define TQ2_CODES 256
#define TQ2_BYTES 66

static int8_t decode(unsigned pair)
{
    static const int8_t values[4] = {-1, 0, 1, 0};
    return values[pair & 3];
}

static unsigned encode(int8_t code)
{
    return (unsigned)(code + 1);
}

void tvk_unpack_hf_row(const uint8_t *packed, uint64_t n, uint64_t k, uint64_t row, int8_t *codes)
{
    const uint8_t *p = packed + row % (n / 4) * k;
    unsigned shift = (unsigned)(2 * (row / (n / 4)));
    for (uint64_t c = 0; c < k; c++) codes[c] = decode((unsigned)p[c] >> shift);
}

void tvk_pack_hf(const int8_t *codes, uint64_t n, uint64_t k, uint8_t *packed)
{
    uint64_t rows = n / 4;
    memset(packed, 0, rows * k);
    for (uint64_t i = 0; i < 4; i++)
        for (uint64_t r = 0; r < rows; r++)
            for (uint64_t c = 0; c < k; c++)
                packed[r * k + c] |= (uint8_t)(encode(codes[(r + i * rows) * k + c]) << (2 * i));
}

void tvk_unpack_i2_s(const uint8_t *packed, uint64_t first, uint64_t count, int8_t *codes)
{
    for (uint64_t i = first; i < first + count; i++) {
        const uint8_t *block = packed + i / I2_S_CODES * I2_S_BYTES;
        unsigned j = (unsigned)(i % I2_S_CODES);
        *codes++ = decode((unsigned)block[j % 32] >> (6 - 2 * (j / 32)));
    }
}

void tvk_pack_i2_s(const int8_t *codes, uint64_t count, uint8_t *packed)
{
    memset(packed, 0, count / 4);
    for (uint64_t b = 0; b < count / I2_S_CODES; b++, packed += I2_S_BYTES)
        for (unsigned j = 0; j < I2_S_CODES; j++)
            packed[j % 32] |= (uint8_t)(encode(*codes++) << (6 - 2 * (j / 32)));
}

float tvk_i2_s_scale(const uint8_t *packed, uint64_t count)
{
    return tvk_load_f32(packed + count / 4);
}

void tvk_i2_s_trailer(float scale, uint8_t out[TVK_I2_S_TRAILER_BYTES])
{
    memset(out, 0, TVK_I2_S_TRAILER_BYTES);
    tvk_store_f32(out, scale);
}

/* Code j of a TQ2_0 block: byte 32 * (j / 128) + j % 32, bit pair (j % 128) / 32. */
void tvk_unpack_tq2_0(const uint8_t *packed, uint64_t count, int8_t *codes, uint16_t *scales)
{
    for (uint64_t b = 0; b < count / TQ2_CODES; b++, packed += TQ2_BYTES) {
        for (unsigned j = 0; j < TQ2_CODES; j++)
            *codes++ = decode((unsigned)packed[32 * (j / 128) + j % 32] >> (2 * (j % 128 / 32)));
        if (scales) scales[b] = tvk_load_u16(packed + 64);
    }
}

void tvk_pack_tq2_0(const int8_t *codes, uint64_t count, uint16_t scale, uint8_t *packed)
{
    for (uint64_t b = 0; b < count / TQ2_CODES; b++, packed += TQ2_BYTES) {
        memset(packed, 0, TQ2_BYTES);
        for (unsigned j = 0; j < TQ2_CODES; j++)
            packed[32 * (j / 128) + j % 32] |= (uint8_t)(encode(*codes++) << (2 * (j % 128 / 32)));
        tvk_store_u16(packed + 64, scale);
    }
}
