#include "ref/ref.h"

void tvk_ref_peak_read(const uint32_t *x, uint32_t items, uint32_t groups, uint32_t group,
                       uint32_t *y)
{
    const uint64_t part = (items + (uint64_t)groups - 1) / groups;
    for (uint32_t g = 0; g < groups * group; g++) y[g] = 0;
    for (uint64_t i = 0; i < items; i++)
        for (uint32_t w = 0; w < 4; w++) y[i / part * group + i % part % group] += x[4 * i + w];
}

static uint32_t dot_bytes(uint32_t x, uint32_t a)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < 4; i++) sum += (int32_t)(int8_t)(x >> 8 * i) * (int8_t)(a >> 8 * i);
    return (uint32_t)sum;
}

uint32_t tvk_ref_peak_int(uint32_t n, uint32_t a, uint32_t b, bool dot)
{
    uint32_t sum = 0;
    for (uint32_t k = 0; k < TVK_PEAK_CHAINS; k++) {
        uint32_t x = k;
        for (uint32_t i = 0; i < n; i++) x = (dot ? dot_bytes(x, a) : x * a) + b;
        sum += x;
    }
    return sum;
}

uint32_t tvk_ref_peak_matrix(uint32_t n, uint32_t a, uint32_t b, uint32_t k)
{
    const int32_t each = (int8_t)a * (int8_t)b * (int32_t)k; /* of one matrix product */
    uint32_t sum = 0;
    for (uint32_t c = 0; c < TVK_PEAK_CHAINS; c++) sum += c + n * (uint32_t)each;
    return sum;
}

float tvk_ref_peak_half(uint32_t n, float a, float b, uint32_t k)
{
    float sum = 0;
    for (uint32_t c = 0; c < TVK_PEAK_CHAINS; c++) sum += (float)c + (float)n * (float)k * (a * b);
    return sum;
}

float tvk_ref_peak_f32(uint32_t n, float a, float b)
{
    float sum = 0;
    for (uint32_t k = 0; k < TVK_PEAK_CHAINS; k++) {
        float x = (float)k;
        for (uint32_t i = 0; i < n; i++) x = x * a + b;
        sum = sum + x;
    }
    return sum;
}
