/* Floats to codes of one or two bits: b1.58 absmean and b1 signs. */
#include <math.h>
#include <string.h>

#include "pack.h"

float tvk_quantize_absmean(const float *w, uint64_t count, int8_t *codes)
{
    double sum = 0;
    float mean, s;
    for (uint64_t i = 0; i < count; i++) sum += fabs((double)w[i]);
    mean = (float)(sum / (double)count);
    if (!isfinite(mean)) return mean;
    s = 1.0f / (mean > 1e-5f ? mean : 1e-5f);
    for (uint64_t i = 0; i < count; i++) {
        float v = w[i] * s;
        /* round half to even, then clamp: beyond one half in size it is 1 */
        codes[i] = (int8_t)((v > 0.5f) - (v < -0.5f));
    }
    return 1.0f / s;
}

void tvk_quantize_signs(const float *w, uint64_t n, uint64_t k, uint32_t groups, bool columns,
                        uint8_t *bits, float *scales)
{
    uint64_t row_bytes = (k + 7) / 8;
    uint64_t rows = columns ? n : n / groups, cols = columns ? k / groups : k;
    memset(bits, 0, (size_t)(n * row_bytes));
    for (uint32_t g = 0; g < groups; g++) {
        uint64_t r0 = columns ? 0 : g * rows, c0 = columns ? g * cols : 0;
        double sum = 0, size = 0;
        float mean;
        for (uint64_t r = r0; r < r0 + rows; r++) {
            for (uint64_t c = c0; c < c0 + cols; c++) {
                sum += (double)w[r * k + c];
                size += fabs((double)w[r * k + c]);
            }
        }
        mean = (float)(sum / (double)(rows * cols));
        scales[g] = (float)(size / (double)(rows * cols));
        for (uint64_t r = r0; r < r0 + rows; r++)
            for (uint64_t c = c0; c < c0 + cols; c++)
                if (w[r * k + c] > mean) bits[r * row_bytes + c / 8] |= (uint8_t)(1u << c % 8);
    }
}
