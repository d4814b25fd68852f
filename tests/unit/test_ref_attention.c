/* Reference attention against the direct softmax in double precision, and its chunks against each
 * other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "ref/ref.h"

#define MAX_POSITIONS 300
#define MAX_D 256

static const double U = 0x1p-24;

static float keys[MAX_POSITIONS][MAX_D], values[MAX_POSITIONS][MAX_D], query[MAX_D];
static const float *key_rows[MAX_POSITIONS], *value_rows[MAX_POSITIONS];
static const tvk_ref_kv kv = {key_rows, value_rows, NULL, NULL};

/* Formulas of the index; `sharp` stretches the scores so that few positions carry the weight. */
static void fill(uint32_t d, float sharp)
{
    for (uint32_t j = 0; j < MAX_POSITIONS; j++) {
        for (uint32_t i = 0; i < d; i++) {
            keys[j][i] = (float)((j * 37 + i * 101 + j * i) % 251) / 125.0f - 1.0f;
            values[j][i] = (float)((j * 53 + i * 29 + 7) % 241) / 120.0f - 1.0f;
        }
        key_rows[j] = keys[j];
        value_rows[j] = values[j];
    }
    for (uint32_t i = 0; i < d; i++) query[i] = sharp * ((float)(i * 67 % 127) / 63.0f - 1.0f);
}

/* Returns the largest error that the operations of the contract can make on outputs up to 1. */
static double direct(uint32_t positions, uint32_t d, double scale, double *out)
{
    double p[MAX_POSITIONS], best = -1e300, sum = 0, delta = 0;
    for (uint32_t j = 0; j < positions; j++) {
        double s = 0, size = 0;
        for (uint32_t i = 0; i < d; i++) {
            s += (double)query[i] * keys[j][i];
            size += fabs((double)query[i] * keys[j][i]);
        }
        p[j] = s * scale;
        best = p[j] > best ? p[j] : best;
        /* product, d/4 sums, two more, the scale */
        size *= scale * (d / 4 + 4) * U;
        delta = size > delta ? size : delta;
    }
    for (uint32_t j = 0; j < positions; j++) sum += p[j] = exp(p[j] - best);
    for (uint32_t i = 0; i < d; i++) {
        out[i] = 0;
        for (uint32_t j = 0; j < positions; j++) out[i] += p[j] / sum * values[j][i];
    }
    /* A score error e turns a weight by at most e; the largest one is in every weight, so 2 delta
     * for the weight and as much for the sum; exp 8 u with its argument's rounding up to 60 u; sums
     * of 32 and 7 terms; per chunk two exps and three roundings; rcp 4 u; final product. */
    return 4 * delta +
           2 * (8 + 60 + 40 + 200 * ((positions + TVK_CHUNK - 1) / TVK_CHUNK - 1.0) + 5) * U;
}

static void check(uint32_t positions, uint32_t d, float sharp)
{
    float scale = (float)(1.0 / sqrt(d));
    float out[MAX_D];
    double want[MAX_D], bound;
    fill(d, sharp);
    bound = direct(positions, d, scale, want);
    assert_true(bound < 1e-3);
    tvk_ref_attention(query, 1.0f, &kv, positions, d, scale, out);
    for (uint32_t i = 0; i < d; i++) {
        if (!(fabs(out[i] - want[i]) <= bound))
            fail_msg("%u positions, D %u, value %u: %.9g expected, %.9g found, bound %.3g",
                     positions, d, i, want[i], out[i], bound);
    }
}

static void test_double(void **state)
{
    static const uint32_t positions[] = {1, 2, 127, 128, 129, 255, 256, 257, 300};
    static const uint32_t ds[] = {8, 32, 48, 64, 96, 100, 128, 256};
    (void)state;
    for (size_t p = 0; p < sizeof positions / sizeof *positions; p++) {
        for (size_t d = 0; d < sizeof ds / sizeof *ds; d++) {
            check(positions[p], ds[d], 0.0f); /* all scores 0: the mean of the values */
            check(positions[p], ds[d], 1.0f);
            check(positions[p], ds[d], 8.0f);
        }
    }
}

static void test_chunks_then_merge(void **state)
{
    static const uint32_t positions[] = {1, 127, 128, 129, 300};
    (void)state;
    fill(64, 3.0f);
    for (size_t t = 0; t < sizeof positions / sizeof *positions; t++) {
        float m[3], l[3], o[3][64], merged[64], whole[64];
        uint32_t chunks = 0;
        for (uint32_t first = 0; first < positions[t]; first += TVK_CHUNK, chunks++) {
            uint32_t n = positions[t] - first < TVK_CHUNK ? positions[t] - first : TVK_CHUNK;
            tvk_ref_attention_chunk(query, 1.0f, &kv, first, n, 64, 0.125f, &m[chunks], &l[chunks],
                                    o[chunks]);
        }
        tvk_ref_attention_merge(m, l, o[0], chunks, 64, merged);
        tvk_ref_attention(query, 1.0f, &kv, positions[t], 64, 0.125f, whole);
        assert_memory_equal(merged, whole, sizeof whole);
    }
}

static void test_chunk_hand(void **state)
{
    /* equal scores: weights 1, so sum and output are plain sums */
    const float q[4] = {1.0f, 2.0f, 3.0f, 4.0f}, k[4] = {1.0f, 1.0f, 1.0f, 1.0f};
    const float v[3][4] = {{1, 2, 3, 4}, {10, 20, 30, 40}, {100, 200, 300, 400}};
    const float *krow[3] = {k, k, k}, *vrow[3] = {v[0], v[1], v[2]};
    const float halves[3] = {0.5f, 0.5f, 0.5f}, doubles[3] = {2.0f, 2.0f, 2.0f};
    tvk_ref_kv rows = {krow, vrow, NULL, NULL};
    float m, l, o[4];
    (void)state;
    tvk_ref_attention_chunk(q, 1.0f, &rows, 0, 3, 4, 0.5f, &m, &l, o);
    assert_true(m == 5.0f && l == 3.0f);
    assert_true(o[0] == 111.0f && o[1] == 222.0f && o[2] == 333.0f && o[3] == 444.0f);
    /* scales of rows: of keys in the scores, of values in the weights but not in their sum */
    rows.k_scale = halves;
    rows.v_scale = doubles;
    tvk_ref_attention_chunk(q, 1.0f, &rows, 0, 3, 4, 0.5f, &m, &l, o);
    assert_true(m == 2.5f && l == 3.0f);
    assert_true(o[0] == 222.0f && o[1] == 444.0f && o[2] == 666.0f && o[3] == 888.0f);
    /* the query's: 10 * 3 * 0.5 * 0.5 */
    tvk_ref_attention_chunk(q, 3.0f, &rows, 0, 3, 4, 0.5f, &m, &l, o);
    assert_true(m == 7.5f && l == 3.0f && o[0] == 222.0f);
}

/* A score of levels: 3 * 7 + 3 * 7 + -8 * 7 + 1 * 7 = -7, then three products of which only the
 * last is rounded. */
static void test_query_levels_hand(void **state)
{
    const float q[4] = {3.0f, 3.0f, -8.0f, 1.0f}, k[4] = {7.0f, 7.0f, 7.0f, 7.0f};
    const float v[4] = {1.0f, 1.0f, 1.0f, 1.0f}, k_scale[1] = {0x1.004p-3f};
    const float *krow[1] = {k}, *vrow[1] = {v};
    const tvk_ref_kv rows = {krow, vrow, k_scale, NULL};
    float m, l, o[4];
    (void)state;
    /* (1 + 2^-10) (1 + 2^-10) = 1 + 2^-9 + 2^-20 in 21 bits, times 7 in 24 bits: exact; times
     * 1 + 2^-23: more by 7.01 * 2^-23 = 1.75 * 2^-21; 2^-21 is the last place, so by two of it */
    tvk_ref_attention_chunk(q, 0x1.004p-3f, &rows, 0, 1, 4, 1.0f + 0x1p-23f, &m, &l, o);
    assert_true(m == -(float)(7.0 * (1.0 + 0x1p-9 + 0x1p-20) + 0x1p-20) * 0x1p-6f);
}

static void test_merge_hand(void **state)
{
    /* chunk 1 lies ln 2 above chunk 0: weights 1/2 and 1, L = 1/2 * 2 + 1 * 3 = 4 */
    const float m[2] = {0.0f, 0.69314718f}, l[2] = {2.0f, 3.0f};
    const float o[2][4] = {{2, 4, 6, 8}, {1, 1, 1, 1}};
    const float far[2] = {100.0f, 0.0f};
    float out[4];
    (void)state;
    tvk_ref_attention_merge(m, l, o[0], 2, 4, out);
    for (int i = 0; i < 4; i++) {
        double want = (1.0 + i + 1.0) / 4.0;
        assert_true(fabs(out[i] - want) <= want * 30 * U);
    }
    tvk_ref_attention_merge(far, l, o[0], 2, 4, out); /* the second chunk vanishes */
    for (int i = 0; i < 4; i++) assert_true(fabs(out[i] - (1.0 + i)) <= 4 * (1.0 + i) * U);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunk_hand), cmocka_unit_test(test_query_levels_hand),
        cmocka_unit_test(test_merge_hand), cmocka_unit_test(test_chunks_then_merge),
        cmocka_unit_test(test_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
