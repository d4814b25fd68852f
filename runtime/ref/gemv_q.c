/* Q6, Q4 and T2 weights times f32: mat-vec, rows of a table, file blocks -> device packing. Value i
 * of a Q6 or Q4 row: docs/formats.md, "device packing". */
#include "ref/ref.h"

#include <stddef.h>

#include "base/half.h"

/* Reads of a row: code and scale of value i of K. */
typedef struct layout {
    int32_t (*code)(const uint32_t *row, uint32_t k, uint32_t i);
    float (*scale)(const void *row, uint32_t i);
    uint32_t (*row_words)(uint32_t k);
    uint32_t (*row_scales)(uint32_t k);
    uint32_t unit; /* values that enter one partial sum before the next one's */
} layout;

static uint32_t blocks_of(uint32_t k)
{
    return (k + 255) / 256;
}

/* The unit of 16 codes that holds value i = 256 b + 64 g + 4 p + j: unit 16 b + p, its values
 * 4 g + j. */
static uint32_t unit_of(uint32_t i)
{
    return i / 256 * 16 + i % 64 / 4;
}

/* Four bits of it, in two words: value 8 w + 4 h + j at bit 8 j + 4 h of word w. */
static uint32_t nibble(const uint32_t *row, uint32_t i)
{
    uint32_t g = i % 256 / 64, j = i % 4;
    return row[2 * unit_of(i) + g / 2] >> (8 * j + 4 * (g % 2)) & 15u;
}

static int32_t code_q4(const uint32_t *row, uint32_t k, uint32_t i)
{
    (void)k;
    return (int32_t)nibble(row, i) - 8;
}

/* Eight scales each 256 values: first those of p < 8, g ascending. */
static uint32_t place_q4(uint32_t i)
{
    return i / 256 * 8 + 4 * (i % 64 / 32) + i % 256 / 64;
}

static float scale_q4(const void *scales, uint32_t i)
{
    return ((const float *)scales)[place_q4(i)];
}

static uint32_t words_q4(uint32_t k)
{
    return blocks_of(k) * 32;
}

static uint32_t scales_q4(uint32_t k)
{
    return blocks_of(k) * 8;
}

/* Upper two bits behind all words of lower ones, a word a unit: value 4 g + j at bit 8 j + 2 g. */
static int32_t code_q6(const uint32_t *row, uint32_t k, uint32_t i)
{
    uint32_t g = i % 256 / 64, j = i % 4;
    uint32_t high = row[blocks_of(k) * 32 + unit_of(i)] >> (8 * j + 2 * g) & 3u;
    return (int32_t)(nibble(row, i) | high << 4) - 32;
}

/* Five words each 256 values: byte g of word s is the int8 of values 64 g + 16 s on; then d. */
static float scale_q6(const void *scales, uint32_t i)
{
    const uint32_t *block = (const uint32_t *)scales + i / 256 * 5;
    int32_t byte = (int32_t)(block[i % 64 / 16] >> 8 * (i % 256 / 64) & 255u);
    return (float)(byte - (byte > 127 ? 256 : 0)) * tvk_f32_from_bits(block[4]);
}

static uint32_t words_q6(uint32_t k)
{
    return blocks_of(k) * 48;
}

static uint32_t scales_q6(uint32_t k)
{
    return blocks_of(k) * 5;
}

static int32_t code_t2(const uint32_t *row, uint32_t k, uint32_t i)
{
    (void)k;
    return (int32_t)(row[i / 16] >> (8 * (i % 4) + i % 16 / 4 * 2) & 3u) - 1;
}

static float scale_t2(const void *scales, uint32_t i)
{
    return ((const float *)scales)[i / 256];
}

static uint32_t words_t2(uint32_t k)
{
    return (k + TVK_T2_ROW_ALIGN - 1) / TVK_T2_ROW_ALIGN * TVK_T2_ROW_ALIGN / 16;
}

static const layout q6 = {code_q6, scale_q6, words_q6, scales_q6, 4};
static const layout q4 = {code_q4, scale_q4, words_q4, scales_q4, 4};
static const layout t2 = {code_t2, scale_t2, words_t2, blocks_of, 16};

static void gemv(const layout *l, const uint32_t *words, const void *scales, const float *x,
                 uint32_t n, uint32_t k, bool add, float *y)
{
    for (uint32_t r = 0; r < n; r++) {
        const uint32_t *row = words + (size_t)r * l->row_words(k);
        const void *row_scales = (const uint8_t *)scales + (size_t)r * l->row_scales(k) * 4;
        float partial[TVK_DOT_PARTIALS] = {0}, sum;
        for (uint32_t i = 0; i < k; i += 4) {
            float w[4], *acc = partial + i / l->unit % TVK_DOT_PARTIALS;
            for (uint32_t j = 0; j < 4; j++) w[j] = (float)l->code(row, k, i + j);
            *acc = *acc + l->scale(row_scales, i) * tvk_ref_dot4(w, x + i);
        }
        sum = tvk_ref_sum_tree(partial, TVK_DOT_PARTIALS);
        y[r] = add ? y[r] + sum : sum;
    }
}

void tvk_ref_gemv_q6(const uint32_t *words, const uint32_t *scales, const float *x, uint32_t n,
                     uint32_t k, bool add, float *y)
{
    gemv(&q6, words, scales, x, n, k, add, y);
}

void tvk_ref_gemv_q4(const uint32_t *words, const float *scales, const float *x, uint32_t n,
                     uint32_t k, bool add, float *y)
{
    gemv(&q4, words, scales, x, n, k, add, y);
}

void tvk_ref_gemv_t2_f32(const uint32_t *words, const float *scales, const float *x, uint32_t n,
                         uint32_t k, bool add, float *y)
{
    gemv(&t2, words, scales, x, n, k, add, y);
}

static void embed(const layout *l, const uint32_t *row, const void *scales, uint32_t k, float *x)
{
    for (uint32_t i = 0; i < k; i++) x[i] = (float)l->code(row, k, i) * l->scale(scales, i);
}

void tvk_ref_embed_q6(const uint32_t *row, const uint32_t *scales, uint32_t k, float *x)
{
    embed(&q6, row, scales, k, x);
}

void tvk_ref_embed_q4(const uint32_t *row, const float *scales, uint32_t k, float *x)
{
    embed(&q4, row, scales, k, x);
}

static float f16_at(const uint8_t *at)
{
    return tvk_f16_to_f32((uint16_t)(at[0] | at[1] << 8));
}

/* Code i of a block: lower bits, upper bits. */
static uint32_t file_q6(const uint8_t *block, uint32_t i)
{
    uint32_t low = (uint32_t)block[i / 128 * 64 + i % 64] >> (i % 128 < 64 ? 0 : 4) & 15u;
    uint32_t high = (uint32_t)block[128 + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3u;
    return low | high << 4;
}

void tvk_ref_repack_q6(const uint8_t *blocks, uint32_t n, uint32_t k, uint32_t *words,
                       uint32_t *scales)
{
    for (uint32_t r = 0; r < n; r++) {
        uint32_t *row = words + (size_t)r * words_q6(k);
        uint32_t *row_scales = scales + (size_t)r * scales_q6(k);
        for (uint32_t i = 0; i < words_q6(k); i++) row[i] = 0;
        for (uint32_t i = 0; i < scales_q6(k); i++) row_scales[i] = 0;
        for (uint32_t i = 0; i < k; i++) {
            const uint8_t *block = blocks + ((size_t)r * (k / 256) + i / 256) * 210;
            uint32_t code = file_q6(block, i % 256), g = i % 256 / 64, j = i % 4;
            uint32_t *s = row_scales + i / 256 * 5;
            row[2 * unit_of(i) + g / 2] |= (code & 15u) << (8 * j + 4 * (g % 2));
            row[blocks_of(k) * 32 + unit_of(i)] |= code >> 4 << (8 * j + 2 * g);
            if (i % 16 == 0) s[i % 64 / 16] |= (uint32_t)block[192 + i % 256 / 16] << 8 * g;
            s[4] = tvk_f32_bits(f16_at(block + 208));
        }
    }
}

void tvk_ref_repack_q4(const uint8_t *blocks, uint32_t n, uint32_t k, uint32_t *words,
                       float *scales)
{
    for (uint32_t r = 0; r < n; r++) {
        uint32_t *row = words + (size_t)r * words_q4(k);
        float *row_scales = scales + (size_t)r * scales_q4(k);
        for (uint32_t i = 0; i < words_q4(k); i++) row[i] = 0;
        for (uint32_t i = 0; i < blocks_of(k) * 256; i++) {
            const uint8_t *block = blocks + ((size_t)r * (k / 32) + i / 32) * 18;
            uint32_t g = i % 256 / 64, at = i % 32, code = 8;
            float scale = 0;
            if (i < k) {
                code = (uint32_t)block[2 + at % 16] >> at / 16 * 4 & 15u;
                scale = f16_at(block);
            }
            row[2 * unit_of(i) + g / 2] |= code << (8 * (i % 4) + 4 * (g % 2));
            row_scales[place_q4(i)] = scale;
        }
    }
}
