/* Scalar functions defined by their operations (docs/numerics.md): integer bits, + - x, nothing
 * that a driver or libm may round its own way. Literals, because a constant expression may be
 * folded in another precision. */
#include "ref/ref.h"

#include <math.h>

#include "base/half.h"

float tvk_ref_rcp(float x)
{
    float y = tvk_f32_from_bits(0x7EF311C7u - tvk_f32_bits(x));
    for (int step = 0; step < 4; step++) y = y * (2.0f - x * y);
    return y;
}

float tvk_ref_rsqrt(float x)
{
    float y = tvk_f32_from_bits(0x5F3759DFu - (tvk_f32_bits(x) >> 1));
    float h = 0.5f * x;
    for (int step = 0; step < 4; step++) y = y * (1.5f - (h * y) * y);
    return y;
}

/* x = *hi + *lo, both with at most 12 significant bits, so that products of halves are exact. */
static void split(float x, float *hi, float *lo)
{
    float c = 4097.0f * x;
    *hi = c - (c - x);
    *lo = x - *hi;
}

float tvk_ref_div(float a, float b)
{
    float i = tvk_ref_rcp(b);
    float q = a * i;
    float p = q * b;
    float qh, ql, bh, bl, err, e;
    split(q, &qh, &ql);
    split(b, &bh, &bl);
    err = qh * bh - p;
    err = err + qh * bl;
    err = err + ql * bh;
    err = err + ql * bl;
    e = (a - p) - err;
    return q + e * i;
}

float tvk_ref_exp(float x)
{
    float n, r, y;
    if (x < -60.0f) return 0.0f;
    if (x > 60.0f) x = 60.0f;
    n = rintf(x * 1.44269504f);
    r = (x - n * 0.693145751953125f) - n * 1.42860677e-6f;
    y = 0.0013888889f;
    y = 0.008333334f + r * y;
    y = 0.041666668f + r * y;
    y = 0.16666667f + r * y;
    y = 0.5f + r * y;
    y = 1.0f + r * y;
    y = 1.0f + r * y;
    return y * tvk_f32_from_bits((uint32_t)((int32_t)n + 127) << 23);
}

float tvk_ref_sum_tree(float *v, uint32_t n)
{
    for (uint32_t s = n / 2; s > 0; s /= 2) {
        for (uint32_t i = 0; i < s; i++) v[i] = v[i] + v[i + s];
    }
    return v[0];
}

float tvk_ref_dot4(const float *a, const float *b)
{
    return (a[0] * b[0] + a[1] * b[1]) + (a[2] * b[2] + a[3] * b[3]);
}

uint16_t tvk_ref_f32_to_f16(float x)
{
    return tvk_f32_to_f16(x);
}

float tvk_ref_f16_to_f32(uint16_t h)
{
    return tvk_f16_to_f32(h);
}
