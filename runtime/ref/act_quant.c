/* Codes of a row and its record. BitNet b1.58, arXiv 2402.17764:
 *   INT8 absmax   q = clamp(round(x * 127 / max|x|), -128, 127)
 * BitNet a4.8, arXiv 2411.04965:
 *   Top-K         the half of the row with the largest |x|, then INT8 absmax of the row
 *   INT4 absmean  q = clamp(round(x * sqrt(7) / mean|x|), -8, 7)
 *   FP4 E2M1      the nearest of max|x| / 6 * {0, 0.5, 1, 1.5, 2, 3, 4, 6}; their integers
 *                 are twice that, their codes sign and index of four bits */
#include "ref/ref.h"

#include <math.h>

#include "base/half.h"

uint32_t tvk_ref_act_words(uint32_t k)
{
    uint32_t padded = (k + TVK_T2_ROW_ALIGN - 1) / TVK_T2_ROW_ALIGN * TVK_T2_ROW_ALIGN;
    return TVK_ACT_HEADER_WORDS + padded / 4;
}

uint32_t tvk_ref_act4_words(uint32_t k)
{
    uint32_t padded = (k + TVK_T2_ROW_ALIGN - 1) / TVK_T2_ROW_ALIGN * TVK_T2_ROW_ALIGN;
    return TVK_ACT_HEADER_WORDS + padded / 8;
}

static float magnitude(float x)
{
    return x < 0.0f ? -x : x;
}

/* The largest magnitude, at least 1e-5. */
static float absmax(const float *x, uint32_t k)
{
    float m = 1e-5f;
    for (uint32_t i = 0; i < k; i++)
        if (magnitude(x[i]) > m) m = magnitude(x[i]);
    return m;
}

static int32_t round_to(float v, float low, float high)
{
    v = rintf(v);
    return (int32_t)(v < low ? low : v > high ? high : v);
}

static void begin(uint32_t *record, uint32_t words, float d)
{
    for (uint32_t w = 0; w < words; w++) record[w] = 0;
    record[0] = tvk_f32_bits(d);
}

static void put(uint32_t *record, uint32_t i, int32_t q)
{
    record[1] += (uint32_t)q;
    record[TVK_ACT_HEADER_WORDS + i / 4] |= ((uint32_t)q & 255u) << 8 * (i % 4);
}

/* Codes i and i + 4 share a byte, so that masks give two words of four bytes. */
static void put4(uint32_t *record, uint32_t i, uint32_t nibble, int32_t q)
{
    record[1] += (uint32_t)q;
    record[TVK_ACT_HEADER_WORDS + i / 8] |= nibble << (8 * (i % 4) + 4 * (i / 4 % 2));
}

const int32_t tvk_ref_fp4[8] = {0, 1, 2, 3, 4, 6, 8, 12};

/* Sign and index of q; zero has no sign. */
static uint32_t fp4_code(int32_t q)
{
    uint32_t index = 0;
    while (tvk_ref_fp4[index] != (q < 0 ? -q : q)) index++;
    return index | (q < 0 ? 8u : 0u);
}

void tvk_ref_act_i8(const float *x, uint32_t k, uint32_t *record)
{
    float m = absmax(x, k), s = tvk_ref_div(127.0f, m);
    begin(record, tvk_ref_act_words(k), m * 0.007874016f);
    for (uint32_t i = 0; i < k; i++) put(record, i, round_to(x[i] * s, -128.0f, 127.0f));
}

/* Bits of |x|: as unsigned numbers in the order of the magnitudes. */
static uint32_t key(float x)
{
    return tvk_f32_bits(x) & 0x7fffffffu;
}

/* How many keys of the row are at least `least`. */
static uint32_t count_from(const float *x, uint32_t k, uint32_t least)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < k; i++) count += key(x[i]) >= least;
    return count;
}

void tvk_ref_act_topk(const float *x, uint32_t k, uint32_t *record)
{
    float m = absmax(x, k), s = tvk_ref_div(127.0f, m);
    uint32_t keep = (k + 1) / 2, border = 0, equal;
    /* the largest key that `keep` values reach, from its upper bit down */
    for (uint32_t bit = 1u << 30; bit; bit >>= 1)
        if (count_from(x, k, border | bit) >= keep) border |= bit;
    equal = keep - count_from(x, k, border + 1);
    begin(record, tvk_ref_act_words(k), m * 0.007874016f);
    for (uint32_t i = 0; i < k; i++) {
        bool kept = key(x[i]) > border;
        if (key(x[i]) == border && equal > 0) {
            kept = true;
            equal--;
        }
        if (kept) put(record, i, round_to(x[i] * s, -128.0f, 127.0f));
    }
}

void tvk_ref_act_i4(const float *x, const float *gain, float eps, uint32_t k, uint32_t *record)
{
    float partial[TVK_NORM_PARTIALS];
    float r = gain ? tvk_ref_rms(x, eps, k) : 1.0f;
    float inv_k = 1.0f / (float)k; /* the host's part of the contract */
    float beta, m, s;
    for (uint32_t p = 0; p < TVK_NORM_PARTIALS; p++) {
        float acc = 0.0f;
        for (uint32_t c = p; c < k / 4; c += TVK_NORM_PARTIALS) {
            float a[4];
            for (uint32_t j = 0; j < 4; j++)
                a[j] = magnitude(gain ? x[4 * c + j] * gain[4 * c + j] : x[4 * c + j]);
            acc = acc + ((a[0] + a[1]) + (a[2] + a[3]));
        }
        partial[p] = acc;
    }
    beta = (tvk_ref_sum_tree(partial, TVK_NORM_PARTIALS) * r) * inv_k;
    m = beta > 1e-5f ? beta : 1e-5f;
    s = tvk_ref_div(2.6457513f, m);
    begin(record, tvk_ref_act4_words(k), m * 0.37796447f);
    for (uint32_t i = 0; i < k; i++) {
        float y = gain ? (x[i] * gain[i]) * r : x[i];
        int32_t q = round_to(y * s, -8.0f, 7.0f);
        put4(record, i, (uint32_t)q & 15u, q);
    }
}

void tvk_ref_act_fp4(const float *x, uint32_t k, uint32_t *record)
{
    float m = absmax(x, k), s = tvk_ref_div(12.0f, m);
    begin(record, tvk_ref_act4_words(k), m * 0.083333336f);
    for (uint32_t i = 0; i < k; i++) {
        float v = x[i] * s, a = magnitude(v) < 12.0f ? magnitude(v) : 12.0f;
        int32_t q = a < 4.0f   ? (int32_t)rintf(a)
                    : a < 8.0f ? 2 * (int32_t)rintf(0.5f * a)
                               : 4 * (int32_t)rintf(0.25f * a);
        if (v < 0.0f) q = -q;
        put4(record, i, fp4_code(q), q);
    }
}
