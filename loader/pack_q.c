/* Dense packings with block scales: Q8_0, Q4_0, Q6_K. */
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "bytes.h"
#include "pack.h"

#define Q8_CODES 32
#define Q8_BYTES 34
#define Q4_CODES 32
#define Q4_BYTES 18
#define Q6_CODES 256
#define Q6_BYTES 210
#define Q6_HIGH 128   /* where the upper bits begin */
#define Q6_SCALES 192 /* where the scales begin */
#define Q6_D 208
#define Q6_GROUP 16 /* codes that share a scale */
#define Q6_GROUPS 16

void tvk_pack_q8_0(const float *x, uint64_t count, uint8_t *packed)
{
    for (uint64_t b = 0; b < count / Q8_CODES; b++, packed += Q8_BYTES, x += Q8_CODES) {
        float max = 0, d, inverse;
        for (unsigned i = 0; i < Q8_CODES; i++) max = fmaxf(max, fabsf(x[i]));
        d = max / 127.0f;
        inverse = d != 0 ? 1.0f / d : 0.0f;
        tvk_store_u16(packed, tvk_f32_to_f16(d));
        for (unsigned i = 0; i < Q8_CODES; i++)
            packed[2 + i] = (uint8_t)(int8_t)fmaxf(-128, fminf(127, roundf(x[i] * inverse)));
    }
}

void tvk_unpack_q8_0(const uint8_t *packed, uint64_t count, float *x)
{
    for (uint64_t b = 0; b < count / Q8_CODES; b++, packed += Q8_BYTES) {
        float d = tvk_f16_to_f32(tvk_load_u16(packed));
        for (unsigned i = 0; i < Q8_CODES; i++) *x++ = (float)(int8_t)packed[2 + i] * d;
    }
}

void tvk_unpack_q4_0(const uint8_t *packed, uint64_t count, float *x)
{
    for (uint64_t b = 0; b < count / Q4_CODES; b++, packed += Q4_BYTES) {
        float d = tvk_f16_to_f32(tvk_load_u16(packed));
        for (unsigned i = 0; i < Q4_CODES; i++)
            *x++ = (float)((packed[2 + i % 16] >> 4 * (i / 16) & 15) - 8) * d;
    }
}

/* Where code i of a Q6_K block lies: byte and shift of its lower four and of its upper two bits. */
typedef struct q6_place {
    unsigned low, low_shift, high, high_shift;
} q6_place;

static q6_place place(unsigned i)
{
    unsigned half = i / 128, quarter = i % 128 / 32, lane = i % 32;
    return (q6_place){64 * half + 32 * (quarter % 2) + lane, 4 * (quarter / 2),
                      Q6_HIGH + 32 * half + lane, 2 * quarter};
}

void tvk_unpack_q6_k(const uint8_t *packed, uint64_t count, float *x)
{
    for (uint64_t b = 0; b < count / Q6_CODES; b++, packed += Q6_BYTES) {
        float d = tvk_f16_to_f32(tvk_load_u16(packed + Q6_D));
        for (unsigned i = 0; i < Q6_CODES; i++) {
            q6_place at = place(i);
            int code =
                (packed[at.low] >> at.low_shift & 15) | (packed[at.high] >> at.high_shift & 3) << 4;
            *x++ = (float)(code - 32) * ((float)(int8_t)packed[Q6_SCALES + i / Q6_GROUP] * d);
        }
    }
}

static float clamp(float v, float low, float high)
{
    return fmaxf(low, fminf(high, v));
}

/* The scale of a group with the least squared error of those tried: the largest value takes the
 * code -32 - 0.125 * c, c from -8 to 8, the others round; for these codes the best scale is
 * sum(x * q) / sum(q * q), which takes sum(x * q)^2 / sum(q * q) off the error. */
static float group_scale(const float *x)
{
    float largest = 0, best = 0, scale = 0;
    for (unsigned i = 0; i < Q6_GROUP; i++)
        if (fabsf(x[i]) > fabsf(largest)) largest = x[i];
    if (largest == 0) return 0;
    for (int c = -8; c <= 8; c++) {
        float inverse = (-32.0f - 0.125f * (float)c) / largest, xq = 0, qq = 0;
        for (unsigned i = 0; i < Q6_GROUP; i++) {
            float q = clamp(rintf(x[i] * inverse), -32, 31);
            xq += x[i] * q;
            qq += q * q;
        }
        if (xq * xq <= best * qq) continue;
        best = xq * xq / qq;
        scale = xq / qq;
    }
    return scale;
}

void tvk_pack_q6_k(const float *x, uint64_t count, uint8_t *packed)
{
    memset(packed, 0, (size_t)(count / Q6_CODES * Q6_BYTES));
    for (uint64_t b = 0; b < count / Q6_CODES; b++, packed += Q6_BYTES, x += Q6_CODES) {
        float scales[Q6_GROUPS], largest = 0, d;
        for (unsigned g = 0; g < Q6_GROUPS; g++) {
            scales[g] = group_scale(x + g * Q6_GROUP);
            if (fabsf(scales[g]) > fabsf(largest)) largest = scales[g];
        }
        tvk_store_u16(packed + Q6_D, tvk_f32_to_f16(0.0f - largest / 128.0f)); /* zeros: +0 */
        d = tvk_f16_to_f32(tvk_load_u16(packed + Q6_D)); /* as the reader has it */
        for (unsigned i = 0; i < Q6_CODES; i++) {
            q6_place at = place(i);
            unsigned g = i / Q6_GROUP, code;
            float level = d != 0 ? clamp(rintf(scales[g] / d), -128, 127) : 0, step = level * d;
            code = (unsigned)(int)(step != 0 ? clamp(rintf(x[i] / step), -32, 31) + 32 : 32);
            packed[Q6_SCALES + g] = (uint8_t)(int8_t)level;
            packed[at.low] |= (uint8_t)((code & 15) << at.low_shift);
            packed[at.high] |= (uint8_t)(code >> 4 << at.high_shift);
        }
    }
}
