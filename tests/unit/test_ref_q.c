/* ref/gemv_q.c: what file blocks hold comes back from the device packing as the values of their
 * formulas, alone and in products. */
#include "base/half.h"
#include "ref/ref.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 2

static float x_at(uint32_t i)
{
    return (float)((int32_t)(i * 37 % 101) - 50) / 64.0f;
}

typedef void gemv_fn(const uint32_t *words, const void *scales, const float *x, uint32_t k,
                     float *y);

/* Each value through an x of one 1, then a row of products against doubles. */
static void check_products(gemv_fn *gemv, const uint32_t *words, const void *scales,
                           const float *values, uint32_t k)
{
    float x[1024] = {0}, y[ROWS];
    for (uint32_t i = 0; i < k; i++) {
        x[i] = 1;
        gemv(words, scales, x, k, y);
        for (uint32_t r = 0; r < ROWS; r++) assert_true(y[r] == values[r * k + i]);
        x[i] = 0;
    }
    for (uint32_t i = 0; i < k; i++) x[i] = x_at(i);
    gemv(words, scales, x, k, y);
    for (uint32_t r = 0; r < ROWS; r++) {
        double sum = 0, size = 0;
        for (uint32_t i = 0; i < k; i++) {
            double p = (double)values[r * k + i] * (double)x_at(i);
            sum += p;
            size += fabs(p);
        }
        assert_true(fabs((double)y[r] - sum) < 1e-6 * size);
    }
}

static void gemv_q6(const uint32_t *words, const void *scales, const float *x, uint32_t k, float *y)
{
    tvk_ref_gemv_q6(words, scales, x, ROWS, k, false, y);
}

static void gemv_q4(const uint32_t *words, const void *scales, const float *x, uint32_t k, float *y)
{
    tvk_ref_gemv_q4(words, scales, x, ROWS, k, false, y);
}

static void gemv_t2(const uint32_t *words, const void *scales, const float *x, uint32_t k, float *y)
{
    tvk_ref_gemv_t2_f32(words, scales, x, ROWS, k, false, y);
}

/* Blocks of Q6_K, filled in the order of ggml's dequantize_row_q6_K: four values a step. */
static void q6(void **state)
{
    enum { K = 512 };
    uint8_t blocks[ROWS * K / 256 * 210] = {0};
    uint32_t words[ROWS * K / 256 * 48], scales[ROWS * K / 256 * 5];
    float values[ROWS * K], back[K];
    (void)state;
    for (uint32_t b = 0; b < ROWS * K / 256; b++) {
        uint8_t *ql = blocks + b * 210, *qh = ql + 128, *sc = qh + 64;
        uint32_t q[256];
        for (uint32_t i = 0; i < 256; i++) q[i] = (i * 29 + b * 7) % 64;
        for (uint32_t half = 0; half < 2; half++) {
            for (uint32_t l = 0; l < 32; l++) {
                const uint32_t *v = q + 128 * half + l;
                ql[64 * half + l] = (uint8_t)((v[0] & 15) | (v[64] & 15) << 4);
                ql[64 * half + l + 32] = (uint8_t)((v[32] & 15) | (v[96] & 15) << 4);
                qh[32 * half + l] =
                    (uint8_t)(v[0] >> 4 | v[32] >> 4 << 2 | v[64] >> 4 << 4 | v[96] >> 4 << 6);
            }
        }
        for (uint32_t g = 0; g < 16; g++) sc[g] = (uint8_t)(g * 23 + b - 60);
        sc[16] = 0;
        sc[17] = (uint8_t)(0x20 + b); /* 2^-7 times 1, 1.25 .. as f16: 0x2000 + b * 0x100 */
        for (uint32_t i = 0; i < 256; i++)
            values[256 * b + i] = tvk_f16_to_f32((uint16_t)(0x2000 + 0x100 * b)) *
                                  (float)(int8_t)(uint8_t)(i / 16 * 23 + b - 60) *
                                  (float)((int32_t)q[i] - 32);
    }
    tvk_ref_repack_q6(blocks, ROWS, K, words, scales);
    for (uint32_t r = 0; r < ROWS; r++) {
        tvk_ref_embed_q6(words + r * (K / 256 * 48), scales + r * (K / 256 * 5), K, back);
        assert_memory_equal(back, values + r * K, sizeof back);
    }
    check_products(gemv_q6, words, scales, values, K);
}

/* Rows of nine blocks of Q4_0: the second round of the packing has one. */
static void q4(void **state)
{
    enum { K = 288, BLOCKS = ROWS * K / 32 };
    uint8_t blocks[BLOCKS * 18];
    uint32_t words[ROWS * 64];
    float scales[ROWS * 16], values[ROWS * K], back[K];
    (void)state;
    for (uint32_t b = 0; b < BLOCKS; b++) {
        uint8_t *at = blocks + b * 18;
        uint16_t d = (uint16_t)(0x2c00 + 0x55 * b + (b % 2 ? 0x8000 : 0));
        at[0] = (uint8_t)(d & 255);
        at[1] = (uint8_t)(d >> 8);
        for (uint32_t j = 0; j < 16; j++) {
            uint32_t low = (j * 5 + b) % 16, high = (j * 11 + 3 * b) % 16;
            at[2 + j] = (uint8_t)(low | high << 4);
            values[32 * b + j] = tvk_f16_to_f32(d) * (float)((int32_t)low - 8);
            values[32 * b + 16 + j] = tvk_f16_to_f32(d) * (float)((int32_t)high - 8);
        }
    }
    tvk_ref_repack_q4(blocks, ROWS, K, words, scales);
    for (uint32_t r = 0; r < ROWS; r++) {
        tvk_ref_embed_q4(words + r * 64, scales + r * 16, K, back);
        assert_memory_equal(back, values + r * K, sizeof back);
    }
    for (uint32_t i = 9; i < 16; i++) assert_true(scales[i] == 0); /* past K */
    check_products(gemv_q4, words, scales, values, K);
}

/* Rows of 300: words of 16 codes padded to 384, two scales a row. */
static void t2(void **state)
{
    enum { K = 300 };
    static const float scales[ROWS * 2] = {0.5f, -0.75f, 3.0f, 0.0f};
    uint32_t words[ROWS * 24];
    float values[ROWS * K];
    (void)state;
    for (uint32_t i = 0; i < ROWS * 24; i++) words[i] = 0x55555555u;
    for (uint32_t r = 0; r < ROWS; r++) {
        for (uint32_t i = 0; i < K; i++) {
            uint32_t code = (i * 7 + r) % 11 % 3, bit = 8 * (i % 4) + 2 * (i % 16 / 4);
            uint32_t *word = &words[r * 24 + i / 16];
            *word = (*word & ~(3u << bit)) | code << bit;
            values[r * K + i] = ((float)code - 1) * scales[2 * r + i / 256];
        }
    }
    check_products(gemv_t2, words, scales, values, K);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(q6), cmocka_unit_test(q4),
                                       cmocka_unit_test(t2)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
