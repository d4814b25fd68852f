/* y[n] = sum_k W[n,k] x[k] (+ y[n]): ternary or signs times codes, and F32, F16, Q8 weights times
 * f32.
 */
#include "ref/ref.h"

#include <stddef.h>

#include "base/half.h"

static float store(float value, bool add, float old)
{
    return add ? old + value : value;
}

/* Value k of a T2 row stands at bits 8j + 2i of word k / 16, k = 16 * word + 4i + j. */
static int32_t t2_weight(const uint32_t *row, uint32_t k)
{
    uint32_t i = k % 16 / 4, j = k % 4;
    return (int32_t)(row[k / 16] >> (8 * j + 2 * i) & 3u) - 1;
}

/* Value k of a T1 row stands at bit 8j + i of word k / 32, k = 32 * word + 4i + j; 1: +1, 0: -1. */
static int32_t t1_weight(const uint32_t *row, uint32_t k)
{
    return row[k / 32] >> (8 * (k % 4) + k % 32 / 4) & 1u ? 1 : -1;
}

/* Signed byte k of words, lowest byte first. */
static int32_t code_i8(const uint32_t *words, uint32_t k)
{
    uint32_t byte = words[k / 4] >> 8 * (k % 4) & 255u;
    return (int32_t)byte - (byte > 127 ? 256 : 0);
}

/* Code k of INT4 words: bits 8j + 4h of word k / 8, k = 8 * word + 4h + j. */
static int32_t code_i4(const uint32_t *words, uint32_t k)
{
    uint32_t nibble = words[k / 8] >> (8 * (k % 4) + 4 * (k / 4 % 2)) & 15u;
    return (int32_t)nibble - (nibble > 7 ? 16 : 0);
}

static int32_t code_fp4(const uint32_t *words, uint32_t k)
{
    uint32_t nibble = words[k / 8] >> (8 * (k % 4) + 4 * (k / 4 % 2)) & 15u;
    return nibble & 8u ? -tvk_ref_fp4[nibble & 7u] : tvk_ref_fp4[nibble];
}

/* Integer mat-vec: `a_word` weights a word, rows padded to TVK_T2_ROW_ALIGN weights. */
static void gemv_codes(const uint32_t *words, uint32_t a_word,
                       int32_t (*weight)(const uint32_t *row, uint32_t k), const float *scales,
                       const uint32_t *record, int32_t (*code)(const uint32_t *words, uint32_t k),
                       uint32_t n, uint32_t k, bool add, float *y)
{
    uint32_t row_words = (k + TVK_T2_ROW_ALIGN - 1) / TVK_T2_ROW_ALIGN * TVK_T2_ROW_ALIGN / a_word;
    const uint32_t *codes = record + TVK_ACT_HEADER_WORDS;
    float d = tvk_f32_from_bits(record[0]);
    for (uint32_t r = 0; r < n; r++) {
        const uint32_t *row = words + (size_t)r * row_words;
        int32_t acc = 0;
        for (uint32_t i = 0; i < k; i++) acc += weight(row, i) * code(codes, i);
        y[r] = store(((float)acc * d) * scales[r], add, y[r]);
    }
}

void tvk_ref_gemv_t2_i8(const uint32_t *words, const float *scales, const uint32_t *record,
                        uint32_t n, uint32_t k, bool add, float *y)
{
    gemv_codes(words, 16, t2_weight, scales, record, code_i8, n, k, add, y);
}

void tvk_ref_gemv_t2_i4(const uint32_t *words, const float *scales, const uint32_t *record,
                        uint32_t n, uint32_t k, bool add, float *y)
{
    gemv_codes(words, 16, t2_weight, scales, record, code_i4, n, k, add, y);
}

void tvk_ref_gemv_t2_fp4(const uint32_t *words, const float *scales, const uint32_t *record,
                         uint32_t n, uint32_t k, bool add, float *y)
{
    gemv_codes(words, 16, t2_weight, scales, record, code_fp4, n, k, add, y);
}

void tvk_ref_gemv_t1_i8(const uint32_t *words, const float *scales, const uint32_t *record,
                        uint32_t n, uint32_t k, bool add, float *y)
{
    gemv_codes(words, 32, t1_weight, scales, record, code_i8, n, k, add, y);
}

#define TILE 256 /* values widened at a time: a whole number of rounds of 16 units, any type */

/* Adds a tile to the 16 partial sums: unit u of the tile (and of the row) belongs to sum u mod 16;
 * inside a unit groups of four in order. scale: one a block of 32; NULL: none. */
static void dot_tile(const float *w, const float *scale, const float *x, uint32_t count,
                     uint32_t unit, float *partial)
{
    for (uint32_t i = 0; i < count; i += 4) {
        float *acc = partial + i / unit % TVK_DOT_PARTIALS;
        float dot = tvk_ref_dot4(w + i, x + i);
        *acc = *acc + (scale ? scale[i / 32] * dot : dot);
    }
}

void tvk_ref_gemv_f32(const float *w, const float *x, uint32_t n, uint32_t k, bool add, float *y)
{
    for (uint32_t r = 0; r < n; r++) {
        float partial[TVK_DOT_PARTIALS] = {0};
        dot_tile(w + (size_t)r * k, NULL, x, k, 4, partial);
        y[r] = store(tvk_ref_sum_tree(partial, TVK_DOT_PARTIALS), add, y[r]);
    }
}

void tvk_ref_gemv_f16(const uint32_t *words, const float *x, uint32_t n, uint32_t k, bool add,
                      float *y)
{
    float tile[TILE];
    for (uint32_t r = 0; r < n; r++) {
        const uint32_t *row = words + (size_t)r * (k / 2);
        float partial[TVK_DOT_PARTIALS] = {0};
        for (uint32_t first = 0; first < k; first += TILE) {
            uint32_t count = k - first < TILE ? k - first : TILE;
            tvk_ref_embed_f16(row + first / 2, count, tile);
            dot_tile(tile, NULL, x + first, count, 8, partial);
        }
        y[r] = store(tvk_ref_sum_tree(partial, TVK_DOT_PARTIALS), add, y[r]);
    }
}

void tvk_ref_gemv_q8(const uint32_t *words, const float *scales, const float *x, uint32_t n,
                     uint32_t k, bool add, float *y)
{
    float tile[TILE];
    for (uint32_t r = 0; r < n; r++) {
        const uint32_t *row = words + (size_t)r * (k / 4);
        const float *row_scales = scales + (size_t)r * (k / 32);
        float partial[TVK_DOT_PARTIALS] = {0};
        for (uint32_t first = 0; first < k; first += TILE) {
            uint32_t count = k - first < TILE ? k - first : TILE;
            for (uint32_t i = 0; i < count; i++) tile[i] = (float)code_i8(row, first + i);
            dot_tile(tile, row_scales + first / 32, x + first, count, 16, partial);
        }
        y[r] = store(tvk_ref_sum_tree(partial, TVK_DOT_PARTIALS), add, y[r]);
    }
}
