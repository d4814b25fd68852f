/* IEEE binary16 and bfloat16 by integer arithmetic: round to nearest even, the same everywhere. */
#ifndef TVK_BASE_HALF_H
#define TVK_BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t tvk_f32_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float tvk_f32_from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

float tvk_f16_to_f32(uint16_t h);
uint16_t tvk_f32_to_f16(float f);

static inline float tvk_bf16_to_f32(uint16_t h)
{
    return tvk_f32_from_bits((uint32_t)h << 16);
}

#endif
