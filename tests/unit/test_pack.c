/* Packings: golden bytes in both directions, round trips on random matrices, code 3, Q8_0, Q4_0,
 * Q6_K, absmean, signs. */
#define TEST_NAME "test_pack"
#include "loader_files.h"

#include <math.h>

#include "base/half.h"
#include "pack.h"

static void unhex(const char *hex, uint8_t *out)
{
    for (size_t i = 0; hex[2 * i]; i++) {
        unsigned v = 0;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
        out[i] = (uint8_t)v;
    }
}

static const char golden_i2_s[] =
    "1144118421886298661946114411842188629866194611441184218862986619";
static const char golden_tq2_0[] =
    "44114412482289269964914411441248228926996491441144124822892699642699649144114412482289269964"
    "914411441248228926996491441144124822003c";
static const char golden_tq1_0[] =
    "226020b63dbf95dd9f3567226020b63dbf95dd9f3567226020b63dbf95dd9f356cd36d455d437a46cf17ca6cd36d45"
    "5d0da20d8f003c";

/* Written by a script from the order of ggml-common.h's block_q6_K, and read back by the loop of
 * ggml's dequantize_row_q6_K. Code i is 0 where i % 16 is its group, else 1 + (7 i + 3) mod 63; the
 * scale of group g is 9 g - 60, of group 5 -128; d is 2^-4. */
static const char golden_q6_k[] =
    "b02b920900e75ec54cb42b920970e75ec540b42b920970e75ec54cb42b920970e75ec04cb42b020970e75ec54cb42b"
    "920970e750c54cb40b920970e75ec54cb4920970e75ec54cb420920970075ec54cb42b920970e75ec54cb02b920900"
    "e75ec54cb42b920970e75ec540b42b920970e75ec54cb42b920970e75ec04cb42b0288d8d12d026236b78b88d8dd2d"
    "226276b78888d0dd0d222276b78b88d8dd2d22dd2d226276b78b88d8dd21224276378b88d8dd2d226276b78b88d8d1"
    "2d026236c4cdd6dfe880fa030c151e273039424b002c";
/* Likewise block_q4_0: code i is (7 i + 3) mod 16, d is -0.375. */
static const char golden_q4_0[] = "00b633aa1188ff66dd44bb22990077ee55cc";

static void golden(void **state)
{
    int8_t codes[256], back[256];
    uint8_t packed[96], expected[96];
    uint16_t d = 0;
    (void)state;
    for (int i = 0; i < 256; i++) codes[i] = pattern((uint64_t)i);

    unhex("2491249244924912", expected);
    tvk_pack_hf(codes, 8, 4, packed);
    assert_memory_equal(packed, expected, 8);
    for (uint64_t r = 0; r < 8; r++) tvk_unpack_hf_row(expected, 8, 4, r, back + 4 * r);
    assert_memory_equal(back, codes, 32);

    memset(expected, 0, sizeof expected);
    unhex(golden_i2_s, expected);
    memcpy(expected + 32, "\0\0\x40\x3f", 4); /* 0.75f */
    tvk_pack_i2_s(codes, 128, packed);
    tvk_i2_s_trailer(0.75f, packed + 32);
    assert_memory_equal(packed, expected, 64);
    tvk_unpack_i2_s(expected, 0, 128, back);
    assert_memory_equal(back, codes, 128);
    tvk_unpack_i2_s(expected, 37, 80, back); /* from the middle of a block */
    assert_memory_equal(back, codes + 37, 80);
    assert_true(tvk_i2_s_scale(expected, 128) == 0.75f);

    unhex(golden_tq2_0, expected);
    tvk_pack_tq2_0(codes, 256, 0x3c00, packed);
    assert_memory_equal(packed, expected, 66);
    tvk_unpack_tq2_0(expected, 256, back, &d);
    assert_memory_equal(back, codes, 256);
    assert_int_equal(d, 0x3c00);

    d = 0;
    unhex(golden_tq1_0, expected);
    tvk_pack_tq1_0(codes, 256, 0x3c00, packed);
    assert_memory_equal(packed, expected, 54);
    tvk_unpack_tq1_0(expected, 256, back, &d);
    assert_memory_equal(back, codes, 256);
    assert_int_equal(d, 0x3c00);
}

static void round_trips(void **state)
{
    static const struct {
        size_t n, k;
    } shapes[] = {{4, 256}, {12, 768}, {64, 256}, {20, 1280}, {4, 2560}};
    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t n = shapes[s].n, k = shapes[s].k, count = n * k;
        int8_t *codes = malloc(count), *back = malloc(count);
        uint8_t *hf = malloc(count / 4), *i2 = malloc(count / 4);
        uint8_t *tq2 = malloc(count / 256 * 66), *tq1 = malloc(count / 256 * 54);
        fill_random(s + 1, codes, count);
        /* one after the other: what one packing decodes to is the next one's input */
        tvk_pack_hf(codes, n, k, hf);
        for (uint64_t r = 0; r < n; r++) tvk_unpack_hf_row(hf, n, k, r, back + k * r);
        assert_memory_equal(back, codes, count);
        tvk_pack_i2_s(back, count, i2);
        memset(back, 9, count);
        for (uint64_t r = 0; r < n; r++) tvk_unpack_i2_s(i2, r * k, k, back + k * r);
        assert_memory_equal(back, codes, count);
        tvk_pack_tq2_0(back, count, 0x3c00, tq2);
        tvk_unpack_tq2_0(tq2, count, back, NULL);
        assert_memory_equal(back, codes, count);
        tvk_pack_tq1_0(back, count, 0x3c00, tq1);
        tvk_unpack_tq1_0(tq1, count, back, NULL);
        assert_memory_equal(back, codes, count);
        free(codes), free(back), free(hf), free(i2), free(tq2), free(tq1);
    }
}

/* The pair 11 is no value: 0. Every byte of TQ1_0 decodes to something in range. */
static void unused_codes(void **state)
{
    uint8_t ones[96];
    int8_t codes[512];
    (void)state;
    memset(ones, 0xff, sizeof ones);
    for (uint64_t r = 0; r < 4; r++) tvk_unpack_hf_row(ones, 4, 8, r, codes + 8 * r);
    for (int i = 0; i < 32; i++) assert_int_equal(codes[i], 0);
    tvk_unpack_i2_s(ones, 0, 128, codes);
    for (int i = 0; i < 128; i++) assert_int_equal(codes[i], 0);
    tvk_unpack_tq2_0(ones, 256, codes, NULL);
    for (int i = 0; i < 256; i++) assert_int_equal(codes[i], 0);
    for (int v = 0; v < 256; v++) {
        memset(ones, v, sizeof ones);
        tvk_unpack_tq1_0(ones, 256, codes, NULL);
        for (int i = 0; i < 256; i++) assert_true(codes[i] >= -1 && codes[i] <= 1);
    }
}

static void q8_0(void **state)
{
    float x[64], back[64];
    uint8_t packed[68];
    (void)state;
    for (int i = 0; i < 64; i++) x[i] = i < 32 ? (float)i - 16.0f : 0.0f;
    x[3] = -127.0f;
    x[4] = 0.5f; /* half away from zero */
    x[5] = -2.5f;
    tvk_pack_q8_0(x, 64, packed);
    assert_int_equal(packed[0] | packed[1] << 8, 0x3c00);
    assert_int_equal((int8_t)packed[2 + 3], -127);
    assert_int_equal((int8_t)packed[2 + 4], 1);
    assert_int_equal((int8_t)packed[2 + 5], -3);
    for (int i = 34; i < 68; i++) assert_int_equal(packed[i], 0);
    tvk_unpack_q8_0(packed, 64, back);
    assert_true(back[3] == -127.0f && back[31] == 15.0f && back[40] == 0.0f);
}

static void q4_0(void **state)
{
    uint8_t packed[18];
    float x[32];
    (void)state;
    unhex(golden_q4_0, packed);
    tvk_unpack_q4_0(packed, 32, x);
    for (int i = 0; i < 32; i++) assert_true(x[i] == -0.375f * (float)((7 * i + 3) % 16 - 8));
}

static void q6_k(void **state)
{
    uint8_t golden[210], packed[420];
    float x[512] = {0}, back[512];
    (void)state;
    for (int i = 0; i < 256; i++) {
        int g = i / 16, code = i % 16 == g ? 0 : 1 + (7 * i + 3) % 63;
        x[i] = 0.0625f * (float)(g == 5 ? -128 : 9 * g - 60) * (float)(code - 32);
    }
    unhex(golden_q6_k, golden);
    tvk_unpack_q6_k(golden, 256, back);
    for (int i = 0; i < 256; i++) assert_true(back[i] == x[i]);
    tvk_pack_q6_k(x, 512, packed);
    assert_memory_equal(packed, golden, 210);
    tvk_unpack_q6_k(packed, 512, back);
    assert_memory_equal(back, x, sizeof x); /* the second block is zeros */
}

/* Values of a normal distribution: the error is below that of the plain choice, where each group of
 * 16 has an exact scale max|x| / 31, and below the 2 % of the spread that 64 codes over some
 * +-1.8 deviations must give. Scales below those of f16 give zeros or rough values, never more than
 * the largest value. */
static void q6_k_error(void **state)
{
    enum { COUNT = 256 * 64 };
    static float x[COUNT], back[COUNT];
    static uint8_t packed[COUNT / 256 * 210];
    uint64_t seed = 7;
    double ours = 0, plain = 0, power = 0;
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        float sum = -6; /* twelve uniform numbers less their mean have variance 1 */
        for (int n = 0; n < 12; n++) sum += (float)(random_u32(&seed) & 0xffff) / 65536.0f;
        x[i] = sum * 0.02f;
    }
    tvk_pack_q6_k(x, COUNT, packed);
    tvk_unpack_q6_k(packed, COUNT, back);
    for (size_t g = 0; g < COUNT; g += 16) {
        float max = 0;
        for (size_t i = g; i < g + 16; i++) max = fmaxf(max, fabsf(x[i]));
        for (size_t i = g; i < g + 16; i++) {
            float naive = rintf(x[i] / (max / 31)) * (max / 31);
            ours += pow((double)back[i] - (double)x[i], 2);
            plain += pow((double)naive - (double)x[i], 2);
            power += pow((double)x[i], 2);
        }
    }
    print_message("q6_k: relative error %.5f, plain %.5f\n", sqrt(ours / power),
                  sqrt(plain / power));
    assert_true(ours < plain);
    assert_true(sqrt(ours / power) < 0.02);
    for (size_t i = 0; i < COUNT; i++) x[i] *= 1e-5f;
    tvk_pack_q6_k(x, COUNT, packed);
    tvk_unpack_q6_k(packed, COUNT, back);
    for (size_t i = 0; i < COUNT; i++) assert_true(fabsf(back[i]) < 2e-6f);
    x[3] = NAN; /* any values, no fault */
    x[300] = INFINITY;
    tvk_pack_q6_k(x, COUNT, packed);
}

static void absmean(void **state)
{
    /* mean|w| = 1: 0.5 is a tie and rounds to 0, the next float above to 1 */
    float w[8] = {0.5f, -0.5f, 0.50000006f, -0.50000006f, 2.5f, -2.0f, 0.99999994f, -0.49999994f};
    int8_t codes[8];
    static const int8_t expected[8] = {0, 0, 1, -1, 1, -1, 1, 0};
    double sum = 0;
    float zeros[4] = {0}, scale;
    (void)state;
    for (int i = 0; i < 8; i++) sum += fabs((double)w[i]);
    scale = tvk_absmean(sum, 8);
    assert_true(fabsf(scale - 1.0f) < 1e-6f);
    tvk_absmean_codes(w, 8, scale, codes);
    assert_memory_equal(codes, expected, 8);
    scale = tvk_absmean(0, 4); /* the floor */
    assert_true(1 / scale > 0.9e-5f && 1 / scale < 1.1e-5f);
    tvk_absmean_codes(zeros, 4, scale, codes);
    for (int i = 0; i < 4; i++) assert_int_equal(codes[i], 0);
    assert_true(isnan(tvk_absmean((double)NAN, 2)));
    assert_true(tvk_absmean((double)INFINITY, 2) == 0);
}

static void signs(void **state)
{
    /* 2 x 12, mean 1/4: one slab; two slabs of rows (means 1/2 and 0); two of columns (3/4, -1/4).
     * A weight equal to the mean is -1. */
    static const float w[24] = {0.5f, 1,  2, 3, -1, 0.25f, 0.25f, 0, 0, 0, 0,  0,
                                -1,   -1, 0, 0, 0,  0.5f,  1,     1, 1, 1, -1, -1.5f};
    uint8_t bits[4];
    float scales[2];
    (void)state;
    tvk_quantize_signs(w, 2, 12, 1, false, bits, scales);
    /* sums 6 and 0 over 12 each: mean 6/24; sizes 8 and 9 */
    assert_true(scales[0] == (float)(17.0 / 24));
    assert_int_equal(bits[0], 0x0f);
    assert_int_equal(bits[1], 0x00);
    assert_int_equal(bits[2], 0xe0);
    assert_int_equal(bits[3], 0x03);
    tvk_quantize_signs(w, 2, 12, 2, false, bits, scales);
    assert_true(scales[0] == (float)(8.0 / 12) && scales[1] == (float)(9.0 / 12));
    assert_int_equal(bits[0], 0x0e); /* 0.5 is the mean */
    assert_int_equal(bits[1], 0x00);
    assert_int_equal(bits[2], 0xe0);
    assert_int_equal(bits[3], 0x03);
    tvk_quantize_signs(w, 2, 12, 2, true, bits, scales);
    /* left: 5.75 - 1.5 over 12, 7.75 + 2.5; right: 0.25 + 1.5 over 12, 0.25 + 6.5 */
    assert_true(scales[0] == (float)(10.25 / 12) && scales[1] == (float)(6.75 / 12));
    assert_int_equal(bits[0], 0x4f); /* means 0.354 and 0.146 */
    assert_int_equal(bits[1], 0x00);
    assert_int_equal(bits[2], 0xe0);
    assert_int_equal(bits[3], 0x03);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),     cmocka_unit_test(round_trips), cmocka_unit_test(unused_codes),
        cmocka_unit_test(q8_0),       cmocka_unit_test(q4_0),        cmocka_unit_test(q6_k),
        cmocka_unit_test(q6_k_error), cmocka_unit_test(absmean),     cmocka_unit_test(signs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
