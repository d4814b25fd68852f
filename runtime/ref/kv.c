/* Rows of the KV cache: D values of one head at one position -> words and a scale, and back. Query
 * records of the same levels. */
#include "ref/ref.h"

#include <string.h>

#define MAX_D 256
#define LARGEST_F16 65504.0f
#define SMALLEST_F16 6.1035156e-5f /* 2^-14: smaller scales are 0 */

/* A scale as the cache has it. */
static float as_f16(float s)
{
    s = s < LARGEST_F16 ? s : LARGEST_F16;
    return s < SMALLEST_F16 ? 0.0f : tvk_ref_f16_to_f32(tvk_ref_f32_to_f16(s));
}

static float floor_of(float x)
{
    float n = (float)(int32_t)x;
    return n > x ? n - 1.0f : n;
}

static float round_even(float x)
{
    float n = floor_of(x), rest = x - n;
    if (rest > 0.5f || (rest == 0.5f && ((int32_t)n & 1))) n = n + 1.0f;
    return n;
}

static float clamp(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* The level 0 would have as a code: q4 -8 .. 7, q3 -3.5 .. 3.5. */
static float middle(uint32_t type)
{
    return type == TVK_CACHE_Q4 ? 8.0f : 3.5f;
}

/* Code of a q4 or q3 value, counted from the lowest level. */
static uint32_t code_of(uint32_t type, float x, float inverse)
{
    if (type == TVK_CACHE_Q4)
        return (uint32_t)(int32_t)(round_even(clamp(x * inverse, -8.0f, 7.0f)) + 8.0f);
    return (uint32_t)(int32_t)(floor_of(clamp(x * inverse, -4.0f, 3.0f)) + 4.0f);
}

static float clip_scale(uint32_t type, float largest, uint32_t clip)
{
    float base = type == TVK_CACHE_Q4 ? 0.14285715f : 0.2857143f; /* 1 / 7, 1 / 3.5 */
    return as_f16((largest * base) * (1.0f - 0.03125f * (float)clip));
}

static float clip_error(uint32_t type, const float *x, uint32_t d, float s)
{
    float inverse = s > 0.0f ? tvk_ref_rcp(s) : 0.0f, sum[4] = {0};
    for (uint32_t i = 0; i < d; i++) {
        float level = (float)code_of(type, x[i], inverse) - middle(type);
        float e = x[i] - level * s;
        sum[i % 4] = sum[i % 4] + e * e;
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static float row_scale(uint32_t type, const float *x, uint32_t d)
{
    float largest = 0.0f, best = 0.0f, least = 0.0f;
    for (uint32_t i = 0; i < d; i++) {
        float size = x[i] < 0.0f ? -x[i] : x[i];
        largest = size > largest ? size : largest;
    }
    if (type == TVK_CACHE_Q8) return as_f16(largest * 0.007874016f);
    for (uint32_t clip = 0; clip < TVK_CACHE_CLIPS; clip++) {
        float s = clip_scale(type, largest, clip), error = clip_error(type, x, d, s);
        if (clip > 0 && !(error < least)) continue;
        best = s;
        least = error;
    }
    return best;
}

/* Value i of the four that share a word's bytes with others: byte i % 4 of group i / 4. */
static void put(uint32_t *words, uint32_t i, uint32_t groups, uint32_t bits, uint32_t code)
{
    uint32_t group = i / 4;
    words[group / groups] |= code << (8 * (i % 4) + bits * (group % groups));
}

static uint32_t take(const uint32_t *words, uint32_t i, uint32_t groups, uint32_t bits)
{
    uint32_t group = i / 4;
    return words[group / groups] >> (8 * (i % 4) + bits * (group % groups)) & ((1u << bits) - 1);
}

void tvk_ref_kv_pack(uint32_t type, const float *x, uint32_t d, uint32_t *words, uint16_t *scale)
{
    uint32_t high = (d + 15) / 16; /* q3: first word of the third bits */
    float s, inverse;
    memset(words, 0, TVK_CACHE_ROW_WORDS(type, d) * sizeof *words);
    *scale = 0;
    if (type == TVK_CACHE_F32) {
        memcpy(words, x, d * sizeof *words);
        return;
    }
    if (type == TVK_CACHE_F16) {
        for (uint32_t i = 0; i < d; i++)
            words[i / 2] |= (uint32_t)tvk_ref_f32_to_f16(x[i]) << 16 * (i % 2);
        return;
    }
    s = row_scale(type, x, d);
    inverse = s > 0.0f ? tvk_ref_rcp(s) : 0.0f;
    *scale = tvk_ref_f32_to_f16(s);
    for (uint32_t i = 0; i < d; i++) {
        if (type == TVK_CACHE_Q8) {
            float q = round_even(clamp(x[i] * inverse, -127.0f, 127.0f));
            put(words, i, 1, 8, (uint32_t)(int32_t)q & 0xff);
        } else if (type == TVK_CACHE_Q4) {
            put(words, i, 2, 4, code_of(type, x[i], inverse));
        } else {
            uint32_t code = code_of(type, x[i], inverse);
            put(words, i, 4, 2, code & 3);
            put(words + high, i, 8, 1, code >> 2);
        }
    }
}

float tvk_ref_kv_unpack(uint32_t type, const uint32_t *words, uint16_t scale, uint32_t d,
                        float *levels)
{
    uint32_t high = (d + 15) / 16;
    for (uint32_t i = 0; i < d; i++) {
        if (type == TVK_CACHE_F32)
            memcpy(&levels[i], &words[i], sizeof levels[i]);
        else if (type == TVK_CACHE_F16)
            levels[i] = tvk_ref_f16_to_f32((uint16_t)(words[i / 2] >> 16 * (i % 2)));
        else if (type == TVK_CACHE_Q8)
            levels[i] = (float)(int8_t)take(words, i, 1, 8);
        else if (type == TVK_CACHE_Q4)
            levels[i] = (float)take(words, i, 2, 4) - middle(type);
        else
            levels[i] =
                (float)(take(words, i, 4, 2) | take(words + high, i, 8, 1) << 2) - middle(type);
    }
    return TVK_CACHE_PACKED(type) ? tvk_ref_f16_to_f32(scale) : 1.0f;
}

void tvk_ref_query_pack(uint32_t type, const float *x, uint32_t d, uint32_t *record)
{
    uint32_t words[MAX_D];
    uint16_t half;
    float levels[MAX_D], scale;
    int32_t sum = 0;
    memset(record, 0, TVK_QUERY_WORDS(d) * sizeof *record);
    tvk_ref_kv_pack(type, x, d, words, &half);
    scale = tvk_ref_kv_unpack(type, words, half, d, levels);
    for (uint32_t i = 0; i < d; i++) {
        int32_t level = (int32_t)levels[i];
        record[TVK_QUERY_HEADER + i / 4] |= ((uint32_t)level & 0xff) << 8 * (i % 4);
        sum += level;
    }
    memcpy(&record[0], &scale, sizeof scale);
    memcpy(&record[1], &sum, sizeof sum);
}

float tvk_ref_query_unpack(const uint32_t *record, uint32_t d, float *levels)
{
    float scale;
    memcpy(&scale, &record[0], sizeof scale);
    for (uint32_t i = 0; i < d; i++)
        levels[i] = (float)(int8_t)(record[TVK_QUERY_HEADER + i / 4] >> 8 * (i % 4) & 0xff);
    return scale;
}
