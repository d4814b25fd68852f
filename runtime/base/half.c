#include "base/half.h"

float tvk_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t exp = (h >> 10) & 31u, man = h & 1023u;
    if (exp == 31) return tvk_f32_from_bits(sign | 0x7f800000u | man << 13);
    if (exp == 0) {
        /* subnormal: man * 2^-24, exact in f32 */
        float f = (float)man * 0x1p-24f;
        return tvk_f32_from_bits(tvk_f32_bits(f) | sign);
    }
    return tvk_f32_from_bits(sign | (exp + 112) << 23 | man << 13);
}

uint16_t tvk_f32_to_f16(float f)
{
    uint32_t u = tvk_f32_bits(f);
    uint32_t sign = (u >> 16) & 0x8000u, abs = u & 0x7fffffffu;
    uint32_t exp, man, shift, half, rest;
    if (abs > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);  /* NaN */
    if (abs >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* rounds to infinity */
    if (abs < 0x33000000u) return (uint16_t)sign;              /* below half of 2^-24 */
    exp = abs >> 23;
    man = (abs & 0x7fffffu) | 0x800000u;
    if (exp >= 113) { /* normal in f16 */
        half = (exp - 112) << 10 | (man & 0x7fffffu) >> 13;
        shift = 13;
    } else { /* subnormal in f16 */
        shift = 126 - exp;
        half = man >> shift;
    }
    rest = man & ((1u << shift) - 1);
    if (rest > 1u << (shift - 1) || (rest == 1u << (shift - 1) && (half & 1))) half++;
    return (uint16_t)(sign | half);
}
