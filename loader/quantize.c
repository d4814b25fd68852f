/* Floats to codes of one or two bits: b1.58 absmean and b1 signs. */
#include <math.h>
#include <string.h>

#include "pack.h"

float tvk_absmean(double sum_of_sizes, uint64_t count)
{
    float mean = (float)(sum_of_sizes / (double)count);
    return 1.0f / (mean <= 1e-5f ? 1e-5f : mean); /* a mean that is NaN stays one */
}

void tvk_absmean_codes(const float *w, uint64_t count, float s, int8_t *codes)
{
    for (uint64_t i = 0; i < count; i++) {
        float v = w[i] * s;
        /* round half to even, then clamp: beyond one half in size it is 1 */
        codes[i] = (int8_t)((v > 0.5f) - (v < -0.5f));
    }
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
