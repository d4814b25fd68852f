/* Rows of the KV cache: words by hand, rounding ties, the choice of the scale. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "ref/ref.h"

#define MAX_D 256

static void test_sizes(void **state)
{
    static const uint32_t ds[] = {8, 32, 48, 64, 96, 100, 128, 256};
    static const uint32_t q8[] = {2, 8, 12, 16, 24, 25, 32, 64};
    static const uint32_t q4[] = {1, 4, 6, 8, 12, 13, 16, 32};
    static const uint32_t q3[] = {2, 3, 5, 6, 9, 11, 12, 24};
    (void)state;
    for (size_t i = 0; i < sizeof ds / sizeof *ds; i++) {
        assert_int_equal(TVK_CACHE_ROW_WORDS(TVK_CACHE_F32, ds[i]), ds[i]);
        assert_int_equal(TVK_CACHE_ROW_WORDS(TVK_CACHE_F16, ds[i]), ds[i] / 2);
        assert_int_equal(TVK_CACHE_ROW_WORDS(TVK_CACHE_Q8, ds[i]), q8[i]);
        assert_int_equal(TVK_CACHE_ROW_WORDS(TVK_CACHE_Q4, ds[i]), q4[i]);
        assert_int_equal(TVK_CACHE_ROW_WORDS(TVK_CACHE_Q3, ds[i]), q3[i]);
    }
    /* a page: K, V, a word of scales a row; under q3 rows of four bits for position 0 */
    assert_int_equal(TVK_CACHE_PAGE_WORDS(TVK_CACHE_F16, TVK_CACHE_F16, 5u, 128u), 5 * 128 * 128);
    assert_int_equal(TVK_CACHE_PAGE_WORDS(TVK_CACHE_Q4, TVK_CACHE_Q4, 5u, 128u), 5 * 128 * 33);
    assert_int_equal(TVK_CACHE_PAGE_WORDS(TVK_CACHE_Q3, TVK_CACHE_Q3, 5u, 128u),
                     5 * 128 * 25 + 2 * 5 * 16);
    assert_int_equal(TVK_CACHE_PAGE_WORDS(TVK_CACHE_F16, TVK_CACHE_Q3, 5u, 128u),
                     5 * 128 * (64 + 12 + 1) + 5 * 16);
}

static void test_float_types(void **state)
{
    const float x[4] = {1.0f, -2.0f, 0.5f, 65504.0f};
    uint32_t words[4];
    uint16_t scale;
    float back[4];
    (void)state;
    tvk_ref_kv_pack(TVK_CACHE_F32, x, 4, words, &scale);
    assert_memory_equal(words, x, sizeof x);
    assert_int_equal(scale, 0);
    tvk_ref_kv_pack(TVK_CACHE_F16, x, 4, words, &scale);
    assert_int_equal(words[0], 0xc0003c00);
    assert_int_equal(words[1], 0x7bff3800);
    assert_true(tvk_ref_kv_unpack(TVK_CACHE_F16, words, scale, 4, back) == 1.0f);
    assert_memory_equal(back, x, sizeof x);
}

static void test_q8_hand(void **state)
{
    /* the scale is 1, its reciprocal by rcp an ulp less: a tie goes towards 0 */
    const float x[8] = {127.0f, -127.0f, 63.5f, 0.5f, -0.5f, 1.5f, 2.5f, -126.5f};
    uint32_t words[2];
    uint16_t scale;
    float back[8];
    (void)state;
    tvk_ref_kv_pack(TVK_CACHE_Q8, x, 8, words, &scale);
    assert_int_equal(scale, 0x3c00);
    assert_int_equal(words[0], 0x003f817f); /* 127, -127, 63, 0 */
    assert_int_equal(words[1], 0x82020100); /* 0, 1, 2, -126 */
    assert_true(tvk_ref_kv_unpack(TVK_CACHE_Q8, words, scale, 8, back) == 1.0f);
    assert_true(back[0] == 127.0f && back[1] == -127.0f && back[2] == 63.0f && back[7] == -126.0f);
}

static void test_q4_hand(void **state)
{
    /* every value a level of the scale 1 */
    const float x[8] = {-7.0f, -6.0f, -5.0f, -4.0f, 0.0f, 1.0f, 2.0f, 7.0f};
    /* -8 too: the scale 1 is the largest value over 7, times 7/8 */
    const float low[8] = {-8.0f, 7.0f, 6.0f, -6.0f, 5.0f, -5.0f, 3.0f, 7.0f};
    uint32_t word;
    uint16_t scale;
    float back[8];
    (void)state;
    tvk_ref_kv_pack(TVK_CACHE_Q4, x, 8, &word, &scale);
    assert_int_equal(scale, 0x3c00);
    assert_int_equal(word, 0xf4a39281); /* 1 2 3 4 | 8 9 10 15 */
    assert_true(tvk_ref_kv_unpack(TVK_CACHE_Q4, &word, scale, 8, back) == 1.0f);
    assert_memory_equal(back, x, sizeof x);
    tvk_ref_kv_pack(TVK_CACHE_Q4, low, 8, &word, &scale);
    assert_int_equal(scale, 0x3c00);
    assert_int_equal(word, 0xf2be3fd0); /* 0 15 14 2 | 13 3 11 15 */
    tvk_ref_kv_unpack(TVK_CACHE_Q4, &word, scale, 8, back);
    assert_memory_equal(back, low, sizeof low);
}

static void test_q3_hand(void **state)
{
    const float x[8] = {-3.5f, -2.5f, -1.5f, -0.5f, 0.5f, 1.5f, 2.5f, 3.5f};
    uint32_t words[2];
    uint16_t scale;
    float back[8];
    (void)state;
    tvk_ref_kv_pack(TVK_CACHE_Q3, x, 8, words, &scale);
    assert_int_equal(scale, 0x3c00);
    assert_int_equal(words[0], 0x0f0a0500); /* low two bits: 0 1 2 3 | 0 1 2 3 */
    assert_int_equal(words[1], 0x02020202); /* third bits: 0 0 0 0 | 1 1 1 1 */
    assert_true(tvk_ref_kv_unpack(TVK_CACHE_Q3, words, scale, 8, back) == 1.0f);
    assert_memory_equal(back, x, sizeof x);
}

/* Query records: header, levels as bytes, padding to whole groups of 16. */
static void test_query_hand(void **state)
{
    const float x[8] = {-7.0f, -6.0f, -5.0f, -4.0f, 0.0f, 1.0f, 2.0f, 7.0f};
    const float wide[4] = {127.0f, -127.0f, 64.0f, -1.0f};
    uint32_t record[8];
    float back[8];
    (void)state;
    assert_int_equal(TVK_QUERY_WORDS(4u), 8);
    assert_int_equal(TVK_QUERY_WORDS(100u), 4 + 28);
    assert_int_equal(TVK_QUERY_WORDS(128u), 4 + 32);
    tvk_ref_query_pack(TVK_QUERY_Q4, x, 8, record);
    assert_int_equal(record[0], 0x3f800000); /* 1 */
    assert_int_equal((int32_t)record[1], -12);
    assert_true(record[2] == 0 && record[3] == 0);
    assert_int_equal(record[4], 0xfcfbfaf9); /* -7 -6 -5 -4 */
    assert_int_equal(record[5], 0x07020100);
    assert_true(record[6] == 0 && record[7] == 0);
    assert_true(tvk_ref_query_unpack(record, 8, back) == 1.0f);
    assert_memory_equal(back, x, sizeof x);
    tvk_ref_query_pack(TVK_QUERY_Q8, wide, 4, record);
    assert_int_equal(record[0], 0x3f800000);
    assert_int_equal((int32_t)record[1], 63);
    assert_int_equal(record[4], 0xff40817f);
    assert_true(tvk_ref_query_unpack(record, 4, back) == 1.0f);
    assert_memory_equal(back, wide, sizeof wide);
}

/* Rows of zeros, rows too small and too large for a scale. */
static void test_edges(void **state)
{
    float x[8] = {0}, back[8];
    uint32_t words[2];
    uint16_t scale;
    (void)state;
    tvk_ref_kv_pack(TVK_CACHE_Q4, x, 8, words, &scale);
    assert_int_equal(scale, 0);
    assert_int_equal(words[0], 0x88888888);
    assert_true(tvk_ref_kv_unpack(TVK_CACHE_Q4, words, scale, 8, back) == 0.0f);
    tvk_ref_kv_pack(TVK_CACHE_Q8, x, 8, words, &scale);
    assert_true(scale == 0 && words[0] == 0 && words[1] == 0);
    x[3] = -1e-5f;
    tvk_ref_kv_pack(TVK_CACHE_Q3, x, 8, words, &scale);
    assert_int_equal(scale, 0);
    x[3] = -1e7f;
    tvk_ref_kv_pack(TVK_CACHE_Q3, x, 8, words, &scale);
    assert_int_equal(scale, 0x7bff);
    tvk_ref_kv_unpack(TVK_CACHE_Q3, words, scale, 8, back);
    assert_true(back[3] == -3.5f && back[0] == 0.5f);
}

static float sample(uint32_t row, uint32_t i)
{
    uint32_t h = (row * 2654435761u) ^ (i * 2246822519u);
    float sum = 0.0f;
    for (int n = 0; n < 4; n++) { /* about normal */
        h = (h ^ h >> 15) * 2246822519u + 3266489917u;
        sum += (float)(h >> 8) * 0x1p-24f - 0.5f;
    }
    return row % 3 == 0 && i == row % 7 ? 6.0f * sum : sum; /* some rows with an outlier */
}

/* The scale of a row has the least squared error of the 16, in double precision; every value has
 * the nearest of its levels. */
static void test_search(void **state)
{
    static const uint32_t ds[] = {8, 32, 48, 64, 96, 100, 128, 256};
    uint32_t clipped = 0;
    (void)state;
    for (uint32_t row = 0; row < 400; row++) {
        uint32_t d = ds[row % 8], type = row & 8 ? TVK_CACHE_Q4 : TVK_CACHE_Q3;
        bool q4 = type == TVK_CACHE_Q4;
        double top = q4 ? 7 : 3.5, bottom = q4 ? -8 : -3.5, least = 1e300, found = 0, largest = 0;
        float x[MAX_D], levels[MAX_D], s;
        uint32_t words[MAX_D];
        uint16_t scale;
        for (uint32_t i = 0; i < d; i++) {
            x[i] = sample(row, i);
            if (fabs(x[i]) > largest) largest = fabs(x[i]);
        }
        tvk_ref_kv_pack(type, x, d, words, &scale);
        s = tvk_ref_kv_unpack(type, words, scale, d, levels);
        for (uint32_t i = 0; i < d; i++) {
            double e = fabs(x[i] - (double)levels[i] * s);
            found += e * e;
            if (e > s * 0.500001) assert_true(levels[i] == top || levels[i] == bottom);
        }
        for (int clip = 0; clip < 16; clip++) {
            float try =
                tvk_ref_f16_to_f32(tvk_ref_f32_to_f16((float)(largest / top * (1 - clip / 32.0))));
            double error = 0;
            for (uint32_t i = 0; i < d; i++) {
                double t = x[i] / (double)try, level = q4 ? rint(t) : floor(t) + 0.5;
                level = level < bottom ? bottom : level > top ? top : level;
                error += (x[i] - level * try) * (x[i] - level * try);
            }
            if (error < least) least = error;
        }
        /* a scale may round to the other neighbour in f16; the sums are rounded */
        assert_true(found <= least * 1.01 + 1e-12);
        clipped += s < largest / top * 0.99;
    }
    assert_true(clipped > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),      cmocka_unit_test(test_float_types),
        cmocka_unit_test(test_q8_hand),    cmocka_unit_test(test_q4_hand),
        cmocka_unit_test(test_q3_hand),    cmocka_unit_test(test_edges),
        cmocka_unit_test(test_query_hand), cmocka_unit_test(test_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
