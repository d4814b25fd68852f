/* File blocks -> device packing: ternary blocks to T2 words (16 codes w + 1 a word, rows padded
 * with code 1), Q8_0 blocks to code words and f32 scales. */
#include "ref/ref.h"

#include <stddef.h>

#include "base/half.h"

static uint32_t t2_row_words(uint32_t k)
{
    return (k + TVK_T2_ROW_ALIGN - 1) / TVK_T2_ROW_ALIGN * TVK_T2_ROW_ALIGN / 16;
}

/* Code of value `element` of a file tensor. Code 3 stands in no valid file and counts as the value
 * 0, so that what is packed is always ternary. */
typedef uint32_t (*code_reader)(const uint8_t *blocks, size_t element);

static uint32_t valid(uint32_t code)
{
    return code == 3 ? 1 : code;
}

static uint32_t code_i2s(const uint8_t *blocks, size_t element)
{
    const uint8_t *block = blocks + element / 128 * 32;
    uint32_t j = (uint32_t)(element % 128);
    return valid((uint32_t)block[j % 32] >> (6 - 2 * (j / 32)) & 3u);
}

static uint32_t code_tq2(const uint8_t *blocks, size_t element)
{
    const uint8_t *block = blocks + element / 256 * 66;
    uint32_t j = (uint32_t)(element % 256);
    uint32_t group = j / 128, n = j % 128 / 32, m = j % 32;
    return valid((uint32_t)block[32 * group + m] >> 2 * n & 3u);
}

static uint32_t code_tq1(const uint8_t *blocks, size_t element)
{
    static const uint32_t power[5] = {1, 3, 9, 27, 81};
    const uint8_t *block = blocks + element / 256 * 54;
    uint32_t j = (uint32_t)(element % 256), byte, n;
    if (j < 160) {
        byte = block[j % 32];
        n = j / 32;
    } else if (j < 240) {
        byte = block[32 + (j - 160) % 16];
        n = (j - 160) / 16;
    } else {
        byte = block[48 + (j - 240) % 4];
        n = (j - 240) / 4;
    }
    return ((byte * power[n] & 255u) * 3) >> 8;
}

static void repack_t2(const uint8_t *blocks, code_reader code, uint32_t skip, uint32_t n,
                      uint32_t k, uint32_t *words)
{
    uint32_t row_words = t2_row_words(k);
    for (uint32_t r = 0; r < n; r++) {
        for (uint32_t w = 0; w < row_words; w++) {
            uint32_t word = 0;
            for (uint32_t v = 0; v < 16; v++) {
                uint32_t col = 16 * w + v, i = v / 4, j = v % 4;
                uint32_t c = col < k ? code(blocks, skip + (size_t)r * k + col) : 1;
                word |= c << (8 * j + 2 * i);
            }
            words[(size_t)r * row_words + w] = word;
        }
    }
}

void tvk_ref_repack_i2s(const uint8_t *blocks, uint32_t skip, uint32_t n, uint32_t k,
                        uint32_t *words)
{
    repack_t2(blocks, code_i2s, skip, n, k, words);
}

void tvk_ref_repack_tq1(const uint8_t *blocks, uint32_t n, uint32_t k, uint32_t *words)
{
    repack_t2(blocks, code_tq1, 0, n, k, words);
}

void tvk_ref_repack_tq2(const uint8_t *blocks, uint32_t n, uint32_t k, uint32_t *words)
{
    repack_t2(blocks, code_tq2, 0, n, k, words);
}

void tvk_ref_repack_q8(const uint8_t *blocks, uint32_t n, uint32_t k, uint32_t *words,
                       float *scales)
{
    size_t count = (size_t)n * (k / 32);
    for (size_t b = 0; b < count; b++) {
        const uint8_t *block = blocks + b * 34;
        scales[b] = tvk_f16_to_f32((uint16_t)(block[0] | block[1] << 8));
        for (uint32_t w = 0; w < 8; w++) {
            const uint8_t *q = block + 2 + 4 * w;
            words[b * 8 + w] =
                q[0] | (uint32_t)q[1] << 8 | (uint32_t)q[2] << 16 | (uint32_t)q[3] << 24;
        }
    }
}
