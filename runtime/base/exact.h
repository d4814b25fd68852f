/* Functions whose bits are defined (docs/numerics.md): only +, -, x and integer steps. Files that
 * use them are built with -ffp-contract=off. */
#ifndef TVK_BASE_EXACT_H
#define TVK_BASE_EXACT_H

#include "base/half.h"

#include <math.h>

static inline float tvk_exact_exp(float x)
{
    float n, r, p;
    if (x < -60.0f) return 0.0f;
    if (x > 60.0f) x = 60.0f;
    n = rintf(x * 1.44269504f); /* to nearest even: the default rounding mode */
    r = (x - n * 0.693145751953125f) - n * 1.42860677e-6f;
    p = 0.008333334f + r * 0.0013888889f;
    p = 0.041666668f + r * p;
    p = 0.16666667f + r * p;
    p = 0.5f + r * p;
    p = 1.0f + r * p;
    p = 1.0f + r * p;
    return p * tvk_f32_from_bits((uint32_t)((int32_t)n + 127) << 23);
}

#endif
