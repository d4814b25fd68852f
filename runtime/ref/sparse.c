/* Zeros that are skipped: what is left out of a sum is zero, so that the integers are the same.
 *   acc[n] = sum over k with q[k] != 0 of w[n,k] q[k]
 *   f[r] = relu(gate[r])^2 up[r], computed where gate[r] > 0 (BitNet a4.8, arXiv 2411.04965) */
#include "ref/ref.h"

#include <stddef.h>

#include "base/half.h"

uint32_t tvk_ref_list(uint32_t *record, uint32_t k)
{
    uint32_t *list = record + tvk_ref_act_words(k), count = 0;
    for (uint32_t i = 0; i < k; i++) {
        uint32_t code = record[TVK_ACT_HEADER_WORDS + i / 4] >> 8 * (i % 4) & 255u;
        if (code) list[count++] = i << 8 | code;
    }
    record[2] = count;
    for (uint32_t i = count; i % TVK_LIST_ALIGN; i++) list[i] = 0;
    return count;
}

uint32_t tvk_ref_kmajor_words(uint32_t n)
{
    return (n + TVK_KMAJOR_ALIGN - 1) / TVK_KMAJOR_ALIGN * TVK_KMAJOR_ALIGN / 16;
}

/* Where value i of a word of 16 stands. */
static uint32_t bit_of(uint32_t i)
{
    return 8 * (i % 4) + 2 * (i % 16 / 4);
}

void tvk_ref_repack_kmajor(const uint32_t *words, uint32_t n, uint32_t k, uint32_t *kmajor)
{
    uint32_t row_words = (k + TVK_T2_ROW_ALIGN - 1) / TVK_T2_ROW_ALIGN * TVK_T2_ROW_ALIGN / 16;
    uint32_t out_words = tvk_ref_kmajor_words(n);
    for (uint32_t i = 0; i < k; i++) {
        for (uint32_t r = 0; r < 16 * out_words; r++) {
            uint32_t *out = kmajor + (size_t)i * out_words + r / 16, code = 1;
            if (r < n) code = words[(size_t)r * row_words + i / 16] >> bit_of(i) & 3u;
            if (r % 16 == 0) *out = 0;
            *out |= code << bit_of(r);
        }
    }
}

void tvk_ref_gemv_t2_sparse(const uint32_t *kmajor, const float *scales, const uint32_t *record,
                            uint32_t n, uint32_t k, bool add, float *y)
{
    const uint32_t *list = record + tvk_ref_act_words(k);
    uint32_t row_words = tvk_ref_kmajor_words(n);
    float d = tvk_f32_from_bits(record[0]);
    for (uint32_t r = 0; r < n; r++) {
        int32_t acc = 0;
        float v;
        for (uint32_t e = 0; e < record[2]; e++) {
            uint32_t at = list[e] >> 8, byte = list[e] & 255u;
            int32_t q = (int32_t)byte - (byte > 127 ? 256 : 0);
            uint32_t code = kmajor[(size_t)at * row_words + r / 16] >> bit_of(r) & 3u;
            acc += ((int32_t)code - 1) * q;
        }
        v = ((float)acc * d) * scales[r];
        y[r] = add ? y[r] + v : v;
    }
}

void tvk_ref_relu_list(uint32_t *f, uint32_t width)
{
    uint32_t *header = f + width, *rows = header + TVK_ROWS_HEADER_WORDS;
    for (uint32_t i = 0; i < TVK_ROWS_HEADER_WORDS; i++) header[i] = 0;
    for (uint32_t r = 0; r < width; r++) {
        if (tvk_f32_from_bits(f[r]) > 0.0f)
            rows[header[0]++] = r;
        else
            f[r] = 0;
    }
}

void tvk_ref_up(const uint32_t *words, const float *scales, const uint32_t *record,
                tvk_ref_gemv_t2 *gemv, uint32_t k, uint32_t width, uint32_t *f)
{
    uint32_t row_words = (k + TVK_T2_ROW_ALIGN - 1) / TVK_T2_ROW_ALIGN * TVK_T2_ROW_ALIGN / 16;
    const uint32_t *rows = f + width + TVK_ROWS_HEADER_WORDS;
    for (uint32_t i = 0; i < f[width]; i++) {
        uint32_t r = rows[i];
        const uint32_t *row = words + (size_t)r * row_words;
        float gate = tvk_f32_from_bits(f[r]), up = 0.0f;
        gemv(row, scales + r, record, 1, k, false, &up);
        f[r] = tvk_f32_bits((gate * gate) * up);
    }
}
