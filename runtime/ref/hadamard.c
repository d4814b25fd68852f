/* y = H_m x, K = 2^m: H_0 = (1), H_m = [[H, H], [H, -H]] / sqrt(2) with H = H_(m-1). BitNet v2,
 * arXiv 2504.18415. */
#include "ref/ref.h"

float tvk_ref_hadamard_scale(uint32_t k)
{
    float scale = 1.0f;
    for (; k >= 4; k /= 4) scale = scale * 0.5f;
    return k == 2 ? scale * 0.70710677f : scale;
}

void tvk_ref_hadamard(float *x, uint32_t k)
{
    float scale = tvk_ref_hadamard_scale(k);
    for (uint32_t h = 1; h < k; h *= 2) {
        for (uint32_t first = 0; first < k; first += 2 * h) {
            for (uint32_t i = first; i < first + h; i++) {
                float a = x[i], b = x[i + h];
                x[i] = a + b;
                x[i + h] = a - b;
            }
        }
    }
    for (uint32_t i = 0; i < k; i++) x[i] = x[i] * scale;
}
