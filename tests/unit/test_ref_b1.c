/* BitNet b1's and v2's parts of the CPU reference against hand-computed cases and formulas in
 * double precision. U = 2^-24, the error of one rounding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>

#include "base/half.h"
#include "ref/ref.h"

static const double U = 0x1p-24;

static uint32_t rng_state = 1;

static uint32_t rng(void)
{
    rng_state = rng_state * 1664525u + 1013904223u;
    return rng_state >> 8;
}

/* Uniform in [-1, 1). */
static float rnd(void)
{
    return (float)rng() / 8388608.0f - 1.0f;
}

static void assert_near(double got, double want, double bound)
{
    if (!(fabs(got - want) <= bound))
        fail_msg("%.9g expected, %.9g found, bound %.3g", want, got, bound);
}

static void layernorm_hand(void **state)
{
    /* mean 3, differences -2 -1 0 3, variance 14/4; with epsilon 1/2 the deviation is 2 */
    const float x[4] = {1.0f, 2.0f, 3.0f, 6.0f}, gain[4] = {2.0f, 1.0f, 5.0f, -1.0f};
    float y[4];
    (void)state;
    tvk_ref_layernorm(x, NULL, 0.5f, 4, y);
    assert_near(y[0], -1.0, 4 * U);
    assert_near(y[1], -0.5, 4 * U);
    assert_true(y[2] == 0.0f);
    assert_near(y[3], 1.5, 8 * U);
    tvk_ref_layernorm(x, gain, 0.5f, 4, y);
    assert_near(y[0], -2.0, 8 * U);
    assert_near(y[1], -0.5, 4 * U);
    assert_true(y[2] == 0.0f);
    assert_near(y[3], -1.5, 8 * U);
}

static void layernorm_double(void **state)
{
    static const uint32_t widths[] = {4, 132, 768, 5460};
    static float x[5460], y[5460];
    (void)state;
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        uint32_t k = widths[w];
        double mean = 0, var = 0, top = 0;
        for (uint32_t i = 0; i < k; i++) {
            x[i] = 2.0f + 3.0f * rnd();
            mean += (double)x[i] / k;
        }
        for (uint32_t i = 0; i < k; i++) var += ((double)x[i] - mean) * ((double)x[i] - mean) / k;
        tvk_ref_layernorm(x, NULL, 1e-5f, k, y);
        /* |x| <= 5: the mean is off by at most 5 (K/512 + 12) U, the deviation by a relative
         * (K/512 + 16) U */
        for (uint32_t i = 0; i < k; i++) {
            double want = ((double)x[i] - mean) / sqrt(var + 1e-5);
            assert_near(y[i], want, (k / 512.0 + 16) * (5 / sqrt(var) + fabs(want)) * U);
            top = fmax(top, fabs((double)y[i]));
        }
        assert_true(top > 0.1);
    }
}

static void gelu(void **state)
{
    float x[5] = {0.0f, 1.0f, -1.0f, 100.0f, -100.0f}, y[5];
    (void)state;
    tvk_ref_gelu(x, 5, y);
    assert_true(y[0] == 0.0f && y[3] == 100.0f && y[4] == 0.0f);
    assert_near(y[1], 0.8413447460685429, 3e-7); /* Phi(1) of a table */
    assert_near(y[2], -0.15865525393145707, 3e-7);
    /* 7.1.26 is within 1.5e-7 of erf, half of it here; a dozen roundings */
    for (float v = -9.0f; v < 9.0f; v += 0.00371f) {
        double want = 0.5 * (double)v * erfc(-(double)v / sqrt(2.0));
        tvk_ref_gelu(&v, 1, y);
        assert_near(y[0], want, fabs((double)v) * (0.75e-7 + 12 * U));
    }
}

/* +1 or -1 as value k of a T1 row. */
static void put_t1(uint32_t *row, uint32_t k, int w)
{
    uint32_t bit = 1u << (8 * (k % 4) + k % 32 / 4);
    row[k / 32] = w > 0 ? row[k / 32] | bit : row[k / 32] & ~bit;
}

static void gemv_t1_hand(void **state)
{
    /* codes 5 7 -2 3 4; rows (- + + - +) and (+ - - - -): 1 and -7. The fifth value stands at
     * bit 1. Padding bits are 1 in the second row: their codes are 0. */
    uint32_t words[8] = {0x00010102u, 0, 0, 0, 0xfcfcfcfdu, ~0u, ~0u, ~0u};
    uint32_t record[36] = {0, 17, 0, 0, 0x03fe0705u, 0x00000004u};
    float scales[2] = {2.0f, 10.0f}, y[2] = {100.0f, 1.0f};
    (void)state;
    record[0] = tvk_f32_bits(0.5f);
    tvk_ref_gemv_t1_i8(words, scales, record, 2, 5, true, y);
    assert_true(y[0] == 101.0f && y[1] == -34.0f);
    tvk_ref_gemv_t1_i8(words, scales, record, 2, 5, false, y);
    assert_true(y[0] == 1.0f && y[1] == -35.0f);
}

static void gemv_t1_double(void **state)
{
    static const uint32_t ks[] = {4, 36, 100, 192, 3072, 5460};
    static uint32_t words[176], record[4 + 1408];
    static float x[5460];
    static int w[5460];
    (void)state;
    for (size_t t = 0; t < sizeof ks / sizeof *ks; t++) {
        uint32_t k = ks[t];
        float scale = 0.37f, y;
        double sum = 0, d;
        for (uint32_t i = 0; i < k; i++) {
            x[i] = rnd();
            w[i] = rng() % 2 ? 1 : -1;
            put_t1(words, i, w[i]);
        }
        tvk_ref_act_i8(x, k, record);
        for (uint32_t i = 0; i < k; i++) {
            int8_t code = (int8_t)(record[4 + i / 4] >> 8 * (i % 4) & 255u);
            assert_true(code >= -127);
            sum += w[i] * code;
        }
        d = (double)tvk_f32_from_bits(record[0]);
        tvk_ref_gemv_t1_i8(words, &scale, record, 1, k, false, &y);
        assert_near(y, sum * d * (double)scale, fabs(sum * d * (double)scale) * 2.1 * U);
    }
}

static void hadamard_hand(void **state)
{
    /* H_2 / 2 of (1 2 3 4): sums by hand; H_1 has the constant 1/sqrt(2) */
    float x[4] = {1.0f, 2.0f, 3.0f, 4.0f}, two[2] = {3.0f, 1.0f}, one = 5.0f;
    (void)state;
    tvk_ref_hadamard(x, 4);
    assert_true(x[0] == 5.0f && x[1] == -1.0f && x[2] == -2.0f && x[3] == 0.0f);
    tvk_ref_hadamard(two, 2);
    assert_near(two[0], 4 / sqrt(2), 8 * U);
    assert_near(two[1], 2 / sqrt(2), 4 * U);
    tvk_ref_hadamard(&one, 1);
    assert_true(one == 5.0f);
    assert_true(tvk_ref_hadamard_scale(4096) == 0x1p-6f);
    assert_true(tvk_ref_hadamard_scale(8192) == 0.70710677f * 0x1p-6f);
}

/* Entry (i, j) of Sylvester's matrix has the sign of the parity of the bits that i and j share. */
static void hadamard_columns(void **state)
{
    static float x[2048];
    static const uint32_t at[] = {0, 1, 2, 5, 511, 777, 1024, 2047};
    (void)state;
    for (uint32_t k = 4; k <= 2048; k *= 2) {
        for (size_t n = 0; n < sizeof at / sizeof *at; n++) {
            uint32_t j = at[n] % k;
            for (uint32_t i = 0; i < k; i++) x[i] = i == j ? 1.0f : 0.0f;
            tvk_ref_hadamard(x, k);
            for (uint32_t i = 0; i < k; i++) {
                uint32_t bits = i & j, odd = 0;
                for (; bits; bits &= bits - 1) odd ^= 1;
                assert_near(x[i], (odd ? -1 : 1) / sqrt(k), 2 * U);
            }
        }
    }
}

/* Its own inverse, and lengths stay (Parseval). */
static void hadamard_inverse(void **state)
{
    static float x[32768], y[32768];
    (void)state;
    for (uint32_t k = 4; k <= 32768; k *= 2) {
        double before = 0, after = 0;
        for (uint32_t i = 0; i < k; i++) {
            x[i] = y[i] = rnd();
            before += (double)x[i] * (double)x[i];
        }
        tvk_ref_hadamard(y, k);
        for (uint32_t i = 0; i < k; i++) after += (double)y[i] * (double)y[i];
        assert_near(after / before, 1.0, 64 * U);
        tvk_ref_hadamard(y, k);
        /* 30 roundings of values whose size is that of a row */
        for (uint32_t i = 0; i < k; i++) assert_near(y[i], (double)x[i], 40 * U);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layernorm_hand),
        cmocka_unit_test(layernorm_double),
        cmocka_unit_test(gelu),
        cmocka_unit_test(gemv_t1_hand),
        cmocka_unit_test(gemv_t1_double),
        cmocka_unit_test(hadamard_hand),
        cmocka_unit_test(hadamard_columns),
        cmocka_unit_test(hadamard_inverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
