/* The CPU reference against hand-computed cases and formulas in double precision, so that it and
 * the shaders cannot agree on the same mistake. Bounds: u = 2^-24, the error of one rounding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "ref/ref.h"

static const double U = 0x1p-24;

/* Small generator (xorshift); the tests need spread, not quality. */
static uint32_t rng_state = 1;

static uint32_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 17;
    rng_state ^= rng_state << 5;
    return rng_state;
}

/* Uniform in [-1, 1). */
static float rnd(void)
{
    return (float)((int32_t)rng() / 2147483648.0);
}

/* Positive, any mantissa, exponent in [low, high]. */
static float rnd_positive(int low, int high)
{
    uint32_t exp = (uint32_t)(low + 127) + rng() % (uint32_t)(high - low + 1);
    return tvk_f32_from_bits(exp << 23 | (rng() & 0x7fffffu));
}

static void assert_near(double got, double want, double bound)
{
    if (!(fabs(got - want) <= bound))
        fail_msg("%.9g expected, %.9g found, bound %.3g", want, got, bound);
}

/* ---- scalars ---- */

static void test_sums(void **state)
{
    /* 1e8 swallows a 1, so the order shows in the result */
    float tree[4] = {1e8f, 1.0f, -1e8f, 1.0f};
    float a[4] = {1e8f, 1.0f, -1e8f, 1.0f}, one[4] = {1.0f, 1.0f, 1.0f, 1.0f};
    float b[4] = {2.0f, 3.0f, 5.0f, 7.0f}, c[4] = {1.0f, -1.0f, 4.0f, 10.0f};
    float single = 3.0f;
    (void)state;
    assert_true(tvk_ref_sum_tree(tree, 4) == 2.0f);
    assert_true(tvk_ref_sum_tree(&single, 1) == 3.0f);
    assert_true(tvk_ref_dot4(a, one) == 0.0f);
    assert_true(tvk_ref_dot4(b, c) == 89.0f);
}

static void test_rcp_rsqrt(void **state)
{
    (void)state;
    /* last step: at most 4 roundings of relative size u */
    for (int i = 0; i < 300000; i++) {
        float x = rnd_positive(-60, 60);
        assert_near(tvk_ref_rcp(x) * (double)x, 1.0, 4 * U);
        assert_near(tvk_ref_rsqrt(x) * sqrt((double)x), 1.0, 4 * U);
    }
}

static void test_div(void **state)
{
    uint32_t cases = 0, off = 0;
    (void)state;
    for (int i = 0; i < 400000; i++) {
        float b = rnd_positive(-40, 40);
        float a = i % 2 ? 127.0f : rnd_positive(-40, 40) * (i % 4 ? 1.0f : -1.0f);
        float q = tvk_ref_div(a, b), want = a / b;
        int32_t ulp = (int32_t)tvk_f32_bits(q) - (int32_t)tvk_f32_bits(want);
        assert_true(ulp >= -1 && ulp <= 1);
        cases++;
        off += ulp != 0;
    }
    assert_true(off * 10000ull <= cases); /* IEEE's quotient in 99.99 % */
    assert_true(tvk_ref_div(127.0f, 127.0f) == 1.0f);
    assert_true(tvk_ref_div(0.0f, 3.0f) == 0.0f);
    assert_true(tvk_ref_div(7.0f, 2.0f) == 3.5f);
}

static void test_exp(void **state)
{
    (void)state;
    assert_true(tvk_ref_exp(0.0f) == 1.0f);
    assert_true(tvk_ref_exp(-0.0f) == 1.0f);
    assert_true(tvk_ref_exp(-60.5f) == 0.0f);
    assert_true(tvk_ref_exp(-INFINITY) == 0.0f);
    assert_true(tvk_ref_exp(90.0f) == tvk_ref_exp(60.0f));
    /* |r| <= 0.347: the series ends with an error of r^7/5040 = 1.2e-7, Horner adds 3 u, and both
     * count against a value >= 0.7 */
    for (int i = 0; i < 300000; i++) {
        float x = rnd() * 60.0f;
        double want = exp((double)x);
        assert_near(tvk_ref_exp(x) / want, 1.0, (1.2e-7 + 3 * U) / 0.7);
    }
}

/* ---- rows ---- */

static void test_rmsnorm_hand(void **state)
{
    /* mean of squares 4, so r is 1/2 up to its Newton steps; gains double and negate */
    float x[4] = {2.0f, -2.0f, 2.0f, -2.0f}, g[4] = {1.0f, 2.0f, -1.0f, 0.0f}, y[4];
    (void)state;
    tvk_ref_rmsnorm(x, g, 0.0f, 4, y);
    assert_near(y[0], 1.0, 4 * U);
    assert_near(y[1], -2.0, 8 * U);
    assert_near(y[2], -1.0, 4 * U);
    assert_true(y[3] == 0.0f);
    memset(x, 0, sizeof x);
    tvk_ref_rmsnorm(x, g, 1e-5f, 4, y);
    assert_true(y[0] == 0.0f && y[1] == 0.0f);
}

static void test_rmsnorm_double(void **state)
{
    static const uint32_t ks[] = {4, 8, 192, 512, 516, 2560, 5460, 6912, 8640};
    static float x[8640], g[8640], y[8640];
    (void)state;
    for (size_t t = 0; t < sizeof ks / sizeof *ks; t++) {
        uint32_t k = ks[t];
        double ss = 0, r;
        for (uint32_t i = 0; i < k; i++) {
            x[i] = 3.0f * rnd();
            g[i] = 1.0f + 0.5f * rnd();
            ss += (double)x[i] * x[i];
        }
        r = 1.0 / sqrt(ss / k + 1e-5f);
        tvk_ref_rmsnorm(x, g, 1e-5f, k, y);
        for (uint32_t i = 0; i < k; i++) {
            /* half of the sum's error, rsqrt, 1/K, mean, eps and two products */
            double bound = (k / 512 + 12.0) / 2 * U + 4 * U + 4 * U;
            double want = (double)x[i] * g[i] * r;
            assert_near(y[i], want, fabs(want) * bound);
        }
    }
}

static int signed_byte(const uint32_t *words, uint32_t k)
{
    int byte = (int)(words[k / 4] >> 8 * (k % 4) & 255u);
    return byte > 127 ? byte - 256 : byte;
}

static int code(const uint32_t *record, uint32_t k)
{
    return signed_byte(record + TVK_ACT_HEADER_WORDS, k);
}

static void test_act_i8(void **state)
{
    /* golden row: codes of x * 127 / 3 */
    static const float row[8] = {0.1f, -0.2f, 0.35f, -0.5f, 0.7f, 1.0f, -1.4f, 3.0f};
    static const int want[8] = {4, -8, 15, -21, 30, 42, -59, 127};
    static const float ties[8] = {127.0f, -127.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f};
    static const int want_ties[8] = {127, -127, 0, 2, 2, 0, -2, -2};
    uint32_t record[36];
    float zero[132] = {0};
    uint32_t wide[4 + 64];
    (void)state;
    assert_int_equal(tvk_ref_act_words(4), 36);
    assert_int_equal(tvk_ref_act_words(128), 36);
    assert_int_equal(tvk_ref_act_words(132), 68);
    memset(record, 0xee, sizeof record);
    tvk_ref_act_i8(row, 8, record);
    for (uint32_t i = 0; i < 8; i++) assert_int_equal(code(record, i), want[i]);
    for (uint32_t i = 8; i < 128; i++) assert_int_equal(code(record, i), 0);
    assert_int_equal((int32_t)record[1], 4 - 8 + 15 - 21 + 30 + 42 - 59 + 127);
    assert_near(tvk_f32_from_bits(record[0]), 3.0 / 127.0, 2 * U * 3.0 / 127.0);
    assert_int_equal(record[2] | record[3], 0);
    tvk_ref_act_i8(ties, 8, record); /* scale 1: half-way values go to even codes */
    for (uint32_t i = 0; i < 8; i++) assert_int_equal(code(record, i), want_ties[i]);
    memset(wide, 0xee, sizeof wide);
    tvk_ref_act_i8(zero, 132, wide); /* the floor of 1e-5 */
    assert_near(tvk_f32_from_bits(wide[0]), 1e-5 / 127.0, 3 * U * 1e-5 / 127.0);
    for (uint32_t i = 1; i < 68; i++) assert_int_equal(wide[i], 0);
}

/* Eight codes a word: value 8w + 4h + j at bits 8j + 4h. */
static int code_i4(const uint32_t *record, uint32_t k)
{
    uint32_t nibble = record[TVK_ACT_HEADER_WORDS + k / 8] >> (8 * (k % 4) + 4 * (k / 4 % 2)) & 15u;
    return nibble > 7 ? (int)nibble - 16 : (int)nibble;
}

/* Likewise; bit 3 the sign, then an index. */
static int code_fp4(const uint32_t *record, uint32_t k)
{
    static const int grid[8] = {0, 1, 2, 3, 4, 6, 8, 12};
    uint32_t nibble = record[TVK_ACT_HEADER_WORDS + k / 8] >> (8 * (k % 4) + 4 * (k / 4 % 2)) & 15u;
    assert_true(nibble != 8); /* there is no -0 */
    return nibble > 7 ? -grid[nibble - 8] : grid[nibble];
}

static void codes_are(int (*get)(const uint32_t *, uint32_t), const uint32_t *record,
                      const int *want, uint32_t count)
{
    int sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(get(record, i), want[i]);
        sum += want[i];
    }
    for (uint32_t i = count; i < 128; i++) assert_int_equal(get(record, i), 0);
    assert_int_equal((int32_t)record[1], sum);
    assert_int_equal(record[2] | record[3], 0);
}

static void codes_equal(const uint32_t *record, const int *want, uint32_t count)
{
    codes_are(code, record, want, count);
}

static void test_act_topk(void **state)
{
    static const float row[8] = {0.1f, -0.2f, 0.35f, -0.5f, 0.7f, 1.0f, -1.4f, 3.0f};
    static const int want[8] = {0, 0, 0, 0, 30, 42, -59, 127};
    /* all equal, and equal ones on both sides of the border: the lower indices stay */
    static const float flat[8] = {1, -1, 1, 1, -1, 1, 1, 1};
    static const int want_flat[8] = {127, -127, 127, 127, 0, 0, 0, 0};
    static const float steps[8] = {2, 0, -1, 1, 1, 1, 2, 1};
    static const int want_steps[8] = {127, 0, -64, 64, 0, 0, 127, 0}; /* 63.5 is a tie */
    static const float none[8] = {0};
    static const int want_none[8] = {0};
    uint32_t record[36];
    (void)state;
    memset(record, 0xee, sizeof record);
    tvk_ref_act_topk(row, 8, record);
    codes_equal(record, want, 8);
    assert_near(tvk_f32_from_bits(record[0]), 3.0 / 127.0, 2 * U * 3.0 / 127.0);
    tvk_ref_act_topk(flat, 8, record);
    codes_equal(record, want_flat, 8);
    tvk_ref_act_topk(steps, 8, record);
    codes_equal(record, want_steps, 8);
    tvk_ref_act_topk(none, 8, record);
    codes_equal(record, want_none, 8);
}

static void test_act_i4(void **state)
{
    /* beta = 7.25 / 8 = 0.90625; 3.0 would be 8.76 */
    static const float row[8] = {0.1f, -0.2f, 0.35f, -0.5f, 0.7f, 1.0f, -1.4f, 3.0f};
    static const int want[8] = {0, -1, 1, -1, 2, 3, -4, 7};
    /* beta = 1: -4 would be -10.6 */
    static const float low[8] = {-4, 1, 1, 1, 1, 0, 0, 0};
    static const int want_low[8] = {-8, 3, 3, 3, 3, 0, 0, 0};
    static const float none[8] = {0};
    static const int want_none[8] = {0};
    uint32_t record[36];
    (void)state;
    memset(record, 0xee, sizeof record);
    tvk_ref_act_i4(row, NULL, 0, 8, record);
    codes_are(code_i4, record, want, 8);
    assert_near(tvk_f32_from_bits(record[0]), 0.3425303, 1e-7);
    assert_int_equal(record[4], 0x7fc13f20); /* bytes 2:0 3:-1 -4:1 7:-1, lowest first */
    tvk_ref_act_i4(low, NULL, 0, 8, record);
    codes_are(code_i4, record, want_low, 8);
    tvk_ref_act_i4(none, NULL, 0, 8, record); /* the floor of 1e-5 */
    codes_are(code_i4, record, want_none, 8);
    assert_near(tvk_f32_from_bits(record[0]), 1e-5 / sqrt(7.0), 3 * U * 1e-5);
}

/* By hand: which codes of a word are zero, and that padding and header do not count. */
static void test_count(void **state)
{
    (void)state;
    const uint32_t bytes[4 + 64] = {0, 0, 0, 0, 0x00ff0100u, 0x80000010u};
    const uint32_t halves[4 + 16] = {1, 1, 0, 0, 0x80f00102u};
    const float x[] = {0.0f, -0.0f, 1e-42f, -1e-42f, -2.0f, 2.0f, NAN, -INFINITY};
    assert_int_equal(tvk_ref_count_codes(bytes, 8, 8), 4);
    assert_int_equal(tvk_ref_count_codes(bytes, 5, 8), 2);
    assert_int_equal(tvk_ref_count_codes(bytes, 132, 8), 128);
    /* values 0 to 3 in the low halves of the bytes: 2 1 0 0; 4 to 7 in the high ones: 0 0 f 8 */
    assert_int_equal(tvk_ref_count_codes(halves, 8, 4), 4);
    assert_int_equal(tvk_ref_count_codes(halves, 4, 4), 2);
    assert_int_equal(tvk_ref_count_floats(x, 8, false), 2);
    assert_int_equal(tvk_ref_count_floats(x, 8, true), 5);
}

static void test_act_fp4(void **state)
{
    /* the grid, and its ties: 0.25, 0.75 .. 5 lie half-way, the even code stays */
    static const float grid[8] = {0, -0.5f, 1, -1.5f, 2, -3, 4, -6};
    static const int want_grid[8] = {0, -1, 2, -3, 4, -6, 8, -12};
    static const float ties[8] = {6, -6, 0.25f, 0.75f, -1.25f, 1.75f, 2.5f, -5};
    static const int want_ties[8] = {12, -12, 0, 2, -2, 4, 4, -8};
    static const float row[8] = {6, 3.5f, 3.49f, -0.26f, 5.01f, 2.51f, 0.5f, -4};
    static const int want[8] = {12, 8, 6, -1, 12, 6, 1, -8};
    static const float none[8] = {0};
    static const int want_none[8] = {0};
    uint32_t record[20];
    (void)state;
    memset(record, 0xee, sizeof record);
    tvk_ref_act_fp4(grid, 8, record);
    /* codes 0 9 2 b | 4 d 6 f: the first four in the lower halves of the bytes */
    assert_int_equal(record[4], 0xfb62d940u);
    codes_are(code_fp4, record, want_grid, 8);
    assert_near(tvk_f32_from_bits(record[0]), 0.5, 2 * U);
    tvk_ref_act_fp4(ties, 8, record);
    codes_are(code_fp4, record, want_ties, 8);
    tvk_ref_act_fp4(row, 8, record);
    codes_are(code_fp4, record, want, 8);
    tvk_ref_act_fp4(none, 8, record);
    codes_are(code_fp4, record, want_none, 8);
}

/* Against double: codes to within the rounding, the step, the share of INT4 zeros and clips that a
 * normal distribution has (12.06 % and 1.70 %). */
static void test_act_a48_double(void **state)
{
    static const int grid[8] = {0, 1, 2, 3, 4, 6, 8, 12};
    static float x[2560], gain[2560], y[2560];
    static uint32_t i4[4 + 320], topk[4 + 640], i8[4 + 640], fp4[4 + 320];
    double zeros = 0, clipped = 0;
    (void)state;
    for (int round = 0; round < 40; round++) {
        float size = rnd_positive(-12, 12);
        double beta = 0, gamma = 0, squares = 0, kept_least = INFINITY, gone_most = 0;
        uint32_t kept = 0;
        for (uint32_t i = 0; i < 2560; i++) {
            double v = 0;
            for (int n = 0; n < 12; n++) v += (double)rnd(); /* variance 12 / 3 */
            x[i] = (float)(v / 2) * size;
            gain[i] = 1.0f;
            squares += (double)x[i] * (double)x[i];
        }
        tvk_ref_rmsnorm(x, gain, 1e-30f, 2560, y);
        for (uint32_t i = 0; i < 2560; i++) {
            beta += fabs((double)x[i]) / sqrt(squares / 2560) / 2560;
            gamma = fmax(gamma, fabs((double)y[i]));
        }
        tvk_ref_act_i4(x, gain, 1e-30f, 2560, i4);
        tvk_ref_act_topk(y, 2560, topk);
        tvk_ref_act_i8(y, 2560, i8);
        tvk_ref_act_fp4(y, 2560, fp4);
        assert_near(tvk_f32_from_bits(i4[0]), beta / sqrt(7.0), 100 * U * beta);
        assert_int_equal(topk[0], i8[0]);
        for (uint32_t i = 0; i < 2560; i++) {
            double v = (double)y[i] * sqrt(7.0) / beta, f = fabs((double)y[i]) * 12 / gamma;
            double nearest = INFINITY;
            int q = code_i4(i4, i), e = code_fp4(fp4, i);
            assert_near(q, fmax(-8, fmin(7, v)), 0.5 + 1e-4);
            zeros += q == 0;
            clipped += v < -8.5 || v > 7.5;
            for (int g = 0; g < 8; g++) nearest = fmin(nearest, fabs(f - grid[g]));
            assert_near(abs(e), f, nearest + 1e-4);
            assert_true(e == 0 || (e < 0) == (y[i] < 0));
            if (code(topk, i) == code(i8, i) && code(i8, i) != 0) {
                kept++;
                kept_least = fmin(kept_least, fabs((double)y[i]));
            } else if (code(i8, i) != 0) {
                assert_int_equal(code(topk, i), 0);
                gone_most = fmax(gone_most, fabs((double)y[i]));
            }
        }
        assert_int_equal(kept, 1280);
        assert_true(kept_least >= gone_most);
    }
    assert_near(zeros / 40 / 2560, 0.1206, 0.005);
    assert_near(clipped / 40 / 2560, 0.0170, 0.003);
}

static void test_act_i8_double(void **state)
{
    static float x[2560];
    static uint32_t record[4 + 640];
    (void)state;
    for (int round = 0; round < 40; round++) {
        float size = rnd_positive(-12, 12);
        double gamma = 0;
        int sum = 0, top = 0;
        for (uint32_t i = 0; i < 2560; i++) {
            x[i] = rnd() * size;
            if (fabs((double)x[i]) > gamma) gamma = fabs((double)x[i]);
        }
        tvk_ref_act_i8(x, 2560, record);
        for (uint32_t i = 0; i < 2560; i++) {
            int q = code(record, i);
            assert_near(q, x[i] * 127.0 / gamma, 0.5 + 127 * 3 * U);
            sum += q;
            if (abs(q) > top) top = abs(q);
        }
        assert_int_equal((int32_t)record[1], sum);
        assert_int_equal(top, 127);
    }
}

static void test_glu(void **state)
{
    static const float in[8] = {3.0f, -3.0f, 0.0f, 0.5f, 2.0f, 7.0f, 5.0f, -4.0f};
    float out[4];
    (void)state;
    tvk_ref_glu(in, 4, true, out);
    assert_true(out[0] == 18.0f && out[1] == 0.0f && out[2] == 0.0f && out[3] == -1.0f);
    /* the logistic function at its ends: 1, and a reciprocal that is still a normal number */
    for (int i = 0; i < 2; i++) {
        float gu[2] = {i ? 500.0f : -500.0f, 1.0f}, y;
        tvk_ref_glu(gu, 1, false, &y);
        assert_near(y, i ? 500.0 : 0.0, i ? 500 * 6 * U : 1e-23);
    }
    for (int i = 0; i < 20000; i++) {
        float gu[2] = {30.0f * rnd(), 5.0f * rnd()}, y;
        double want = (double)gu[0] / (1.0 + exp(-(double)gu[0])) * gu[1];
        tvk_ref_glu(gu, 1, false, &y);
        /* exp 7 u (weighed by at most 1), sum u, rcp 4 u, two products */
        assert_near(y, want, fabs(want) * 14 * U);
    }
}

static void test_rope(void **state)
{
    float table[4 * 4], head[6] = {1.0f, 2.0f, 3.0f, 4.0f, 9.0f, 10.0f};
    float want_half[6] = {-3.0f, 2.0f, 1.0f, 4.0f, 9.0f, 10.0f}, turned[6];
    float want_inter[6] = {-2.0f, 1.0f, 3.0f, 4.0f, 9.0f, 10.0f};
    /* pair 0 by a quarter turn, pair 1 not at all, dimensions 4 and 5 do not take part */
    static const float quarter[4] = {0.0f, 1.0f, 1.0f, 0.0f};
    (void)state;
    memcpy(turned, head, sizeof head);
    tvk_ref_rope(turned, quarter, 6, 4, false);
    assert_memory_equal(turned, want_half, sizeof head);
    memcpy(turned, head, sizeof head);
    tvk_ref_rope(turned, quarter, 6, 4, true);
    assert_memory_equal(turned, want_inter, sizeof head);
    /* theta 10000, rotary 4: frequencies 1 and 0.01 */
    tvk_ref_rope_table(10000.0f, 4, 4, table);
    assert_true(table[0] == 1.0f && table[1] == 0.0f && table[2] == 1.0f && table[3] == 0.0f);
    for (uint32_t p = 0; p < 4; p++) {
        double slow = (double)((float)p * 0.01f);
        assert_near(table[4 * p], cos(p), U);
        assert_near(table[4 * p + 1], sin(p), U);
        assert_near(table[4 * p + 2], cos(slow), U);
        assert_near(table[4 * p + 3], sin(slow), U);
    }
}

static void test_rope_complex(void **state)
{
    static float table[300 * 64];
    float head[128], turned[128];
    (void)state;
    tvk_ref_rope_table(500000.0f, 64, 300, table);
    for (uint32_t p = 0; p < 300; p++) {
        bool inter = p % 2;
        for (uint32_t i = 0; i < 128; i++) head[i] = turned[i] = rnd();
        tvk_ref_rope(turned, table + 64 * p, 128, 64, inter);
        for (uint32_t i = 0; i < 32; i++) {
            uint32_t re = inter ? 2 * i : i, im = inter ? 2 * i + 1 : i + 32;
            double angle = p * pow(500000.0, -2.0 * i / 64.0);
            double size = hypot(head[re], head[im]);
            double phase = atan2(head[im], head[re]) + angle;
            /* the angle was rounded twice, table entry, product and sum once each */
            double bound = (fabs(head[re]) + fabs(head[im])) * (2 * angle + 3) * U;
            assert_near(turned[re], size * cos(phase), bound);
            assert_near(turned[im], size * sin(phase), bound);
        }
        for (uint32_t i = 64; i < 128; i++) assert_true(turned[i] == head[i]);
    }
}

/* ---- mat-vec ---- */

static void put_t2(uint32_t *row, uint32_t k, int w)
{
    uint32_t shift = 8 * (k % 4) + 2 * (k % 16 / 4);
    row[k / 16] = (row[k / 16] & ~(3u << shift)) | (uint32_t)(w + 1) << shift;
}

static void test_gemv_t2_hand(void **state)
{
    /* rows (-1 0 1 1) and (1 1 1 -1) times codes (5 7 -2 3): -4 and 7; d 0.5, scales 2 and 10 */
    uint32_t words[16] = {0x02020100u, 0, 0, 0, 0, 0, 0, 0, 0x00020202u};
    uint32_t record[36] = {0, 13, 0, 0, 0x03fe0705u};
    float scales[2] = {2.0f, 10.0f}, y[2] = {100.0f, 1.0f};
    (void)state;
    record[0] = tvk_f32_bits(0.5f);
    tvk_ref_gemv_t2_i8(words, scales, record, 2, 4, true, y);
    assert_true(y[0] == 96.0f && y[1] == 36.0f);
    tvk_ref_gemv_t2_i8(words, scales, record, 2, 4, false, y);
    assert_true(y[0] == -4.0f && y[1] == 35.0f);
}

static void test_gemv_t2_extremes(void **state)
{
    /* the largest accumulator of the 2B4T shapes: 6912 times -128 */
    static uint32_t words[432], record[4 + 1728];
    float scale = 1.0f, y;
    (void)state;
    record[0] = tvk_f32_bits(1.0f);
    for (uint32_t i = 0; i < 1728; i++) record[4 + i] = 0x80808080u;
    for (int w = -1; w <= 1; w++) {
        for (uint32_t i = 0; i < 6912; i++) put_t2(words, i, w);
        tvk_ref_gemv_t2_i8(words, &scale, record, 1, 6912, false, &y);
        assert_true(y == (float)(-884736 * w));
    }
}

static void test_gemv_t2_double(void **state)
{
    static const uint32_t ks[] = {4, 100, 192, 2560, 5460};
    static uint32_t words[352];
    static uint32_t record[4 + 1408];
    static float x[5460];
    (void)state;
    for (size_t t = 0; t < sizeof ks / sizeof *ks; t++) {
        uint32_t k = ks[t];
        float scale = 0.37f, y;
        double sum = 0, d;
        for (uint32_t i = 0; i < k; i++) x[i] = rnd();
        tvk_ref_act_i8(x, k, record);
        for (uint32_t i = 0; i < 352 * 16; i++) put_t2(words, i, 0);
        for (uint32_t i = 0; i < k; i++) {
            int w = (int)(rng() % 3) - 1;
            put_t2(words, i, w);
            sum += w * code(record, i);
        }
        d = tvk_f32_from_bits(record[0]);
        tvk_ref_gemv_t2_i8(words, &scale, record, 1, k, false, &y);
        assert_near(y, sum * d * (double)scale, fabs(sum * d * (double)scale) * 2.1 * U);
        for (int fp4 = 0; fp4 < 2; fp4++) {
            if (fp4)
                tvk_ref_act_fp4(x, k, record);
            else
                tvk_ref_act_i4(x, NULL, 0, k, record);
            sum = 0;
            for (uint32_t i = 0; i < k; i++) {
                uint32_t bits = words[i / 16] >> (8 * (i % 4) + 2 * (i % 16 / 4)) & 3u;
                sum += ((int)bits - 1) * (fp4 ? code_fp4(record, i) : code_i4(record, i));
            }
            d = tvk_f32_from_bits(record[0]);
            if (fp4)
                tvk_ref_gemv_t2_fp4(words, &scale, record, 1, k, false, &y);
            else
                tvk_ref_gemv_t2_i4(words, &scale, record, 1, k, false, &y);
            assert_near(y, sum * d * (double)scale, fabs(sum * d * (double)scale) * 2.1 * U);
        }
    }
}

/* sum |w x| * (roundings of the longest chain + tree + group) */
static double dot_bound(double magnitude, uint32_t k)
{
    return magnitude * (k / 64 + 2 + 4 + 4) * U;
}

static void test_gemv_float_double(void **state)
{
    static const uint32_t ks[] = {4, 12, 64, 100, 192, 256, 260, 512, 2560, 5460};
    static float w[5460], wide[5472], x[5460];
    static uint32_t halves[2730], codes[1368];
    static float scales[171];
    (void)state;
    for (size_t t = 0; t < sizeof ks / sizeof *ks; t++) {
        uint32_t k = ks[t], k32 = k / 32 * 32;
        double sum = 0, size = 0, sum16 = 0, size16 = 0, sum8 = 0, size8 = 0;
        float y = 0.0f;
        memset(halves, 0, sizeof halves);
        memset(codes, 0, sizeof codes);
        for (uint32_t i = 0; i < k; i++) {
            uint16_t h;
            int q = (int)(rng() % 255) - 127;
            x[i] = rnd();
            w[i] = rnd();
            h = tvk_ref_f32_to_f16(w[i]);
            halves[i / 2] |= (uint32_t)h << 16 * (i % 2);
            sum += (double)w[i] * x[i];
            size += fabs((double)w[i] * x[i]);
            sum16 += (double)tvk_ref_f16_to_f32(h) * x[i];
            size16 += fabs((double)w[i] * x[i]);
            if (i >= k32) continue;
            if (i % 32 == 0) scales[i / 32] = 0.01f + 0.01f * rnd();
            codes[i / 4] |= ((uint32_t)q & 255u) << 8 * (i % 4);
            sum8 += (double)q * scales[i / 32] * x[i];
            size8 += fabs((double)q * scales[i / 32] * x[i]);
        }
        tvk_ref_gemv_f32(w, x, 1, k, false, &y);
        assert_near(y, sum, dot_bound(size, k));
        tvk_ref_gemv_f16(halves, x, 1, k, false, &y);
        assert_near(y, sum16, dot_bound(size16, k));
        if (k32 == 0) continue;
        tvk_ref_gemv_q8(codes, scales, x, 1, k32, false, &y);
        assert_near(y, sum8, dot_bound(size8, k32) + size8 * U);
        tvk_ref_embed_q8(codes, scales, k32, wide);
        for (uint32_t i = 0; i < k32; i++)
            assert_true(wide[i] == (float)signed_byte(codes, i) * scales[i / 32]);
    }
}

static void test_gemv_float_hand(void **state)
{
    /* two rows, small integers: every order gives the same */
    static const float w[16] = {1, 2, 3, 4, 5, 6, 7, 8, -1, 1, -1, 1, -1, 1, -1, 1};
    static const float x[8] = {1, 1, 2, 2, 3, 3, 4, 4};
    uint32_t half[8];
    float y[2] = {1000.0f, 2000.0f};
    uint32_t q8[16];
    float scales[2] = {0.5f, 2.0f}, wide[8], x32[32];
    (void)state;
    tvk_ref_gemv_f32(w, x, 2, 8, true, y);
    assert_true(y[0] == 1110.0f && y[1] == 2000.0f); /* 1+2+6+8+15+18+28+32 = 110; pairs cancel */
    for (uint32_t i = 0; i < 8; i++)
        half[i] = tvk_ref_f32_to_f16(w[2 * i]) | (uint32_t)tvk_ref_f32_to_f16(w[2 * i + 1]) << 16;
    tvk_ref_embed_f16(half + 4, 8, wide);
    assert_memory_equal(wide, w + 8, sizeof wide);
    tvk_ref_gemv_f16(half, x, 2, 8, false, y);
    assert_true(y[0] == 110.0f && y[1] == 0.0f);
    for (uint32_t i = 0; i < 8; i++) q8[i] = 0x01010101u;
    for (uint32_t i = 8; i < 16; i++) q8[i] = 0xfffefdfcu; /* -4 -3 -2 -1 */
    for (uint32_t i = 0; i < 32; i++) x32[i] = 1.0f;
    tvk_ref_gemv_q8(q8, scales, x32, 2, 32, false, y);
    assert_true(y[0] == 16.0f && y[1] == -160.0f);
}

/* Partial sum p takes units p, p+16, ...: the big pair of a row cancels only when it meets in one
 * partial sum, before the 1 that it would swallow. */
static void test_gemv_float_order(void **state)
{
    float w[128] = {0}, x[128], y;
    (void)state;
    for (uint32_t i = 0; i < 128; i++) x[i] = 1.0f;
    w[0] = 1e8f;
    w[64] = -1e8f; /* unit 16: partial 0 again */
    w[4] = 1.0f;   /* unit 1: partial 1 */
    tvk_ref_gemv_f32(w, x, 1, 128, false, &y);
    assert_true(y == 1.0f);
    w[4] = 0.0f;
    w[1] = 1.0f; /* the same group as 1e8: lost */
    tvk_ref_gemv_f32(w, x, 1, 128, false, &y);
    assert_true(y == 0.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_rcp_rsqrt),
        cmocka_unit_test(test_div),
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_rmsnorm_hand),
        cmocka_unit_test(test_rmsnorm_double),
        cmocka_unit_test(test_act_i8),
        cmocka_unit_test(test_act_topk),
        cmocka_unit_test(test_act_i4),
        cmocka_unit_test(test_act_fp4),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_act_a48_double),
        cmocka_unit_test(test_act_i8_double),
        cmocka_unit_test(test_glu),
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_rope_complex),
        cmocka_unit_test(test_gemv_t2_hand),
        cmocka_unit_test(test_gemv_t2_extremes),
        cmocka_unit_test(test_gemv_t2_double),
        cmocka_unit_test(test_gemv_float_hand),
        cmocka_unit_test(test_gemv_float_order),
        cmocka_unit_test(test_gemv_float_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
