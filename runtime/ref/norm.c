/* RMSNorm: y[k] = (x[k] * g[k]) / sqrt(sum x^2 / K + eps)
 * LayerNorm: the same of x[k] - mean(x) */
#include "ref/ref.h"

float tvk_ref_rms(const float *x, float eps, uint32_t k)
{
    float partial[TVK_NORM_PARTIALS];
    float inv_k = 1.0f / (float)k; /* the host's part of the contract */
    float ss;
    for (uint32_t p = 0; p < TVK_NORM_PARTIALS; p++) {
        float acc = 0.0f;
        for (uint32_t c = p; c < k / 4; c += TVK_NORM_PARTIALS)
            acc = acc + tvk_ref_dot4(x + 4 * c, x + 4 * c);
        partial[p] = acc;
    }
    ss = tvk_ref_sum_tree(partial, TVK_NORM_PARTIALS);
    return tvk_ref_rsqrt(ss * inv_k + eps);
}

void tvk_ref_rmsnorm(const float *x, const float *gain, float eps, uint32_t k, float *y)
{
    float r = tvk_ref_rms(x, eps, k);
    for (uint32_t i = 0; i < k; i++) y[i] = (x[i] * gain[i]) * r;
}

void tvk_ref_layernorm(const float *x, const float *gain, float eps, uint32_t k, float *y)
{
    float partial[TVK_NORM_PARTIALS];
    float inv_k = 1.0f / (float)k, mean, r;
    for (uint32_t p = 0; p < TVK_NORM_PARTIALS; p++) {
        float acc = 0.0f;
        for (uint32_t c = p; c < k / 4; c += TVK_NORM_PARTIALS)
            acc = acc + ((x[4 * c] + x[4 * c + 1]) + (x[4 * c + 2] + x[4 * c + 3]));
        partial[p] = acc;
    }
    mean = tvk_ref_sum_tree(partial, TVK_NORM_PARTIALS) * inv_k;
    for (uint32_t i = 0; i < k; i++) y[i] = x[i] - mean;
    r = tvk_ref_rms(y, eps, k);
    for (uint32_t i = 0; i < k; i++) y[i] = gain ? (y[i] * gain[i]) * r : y[i] * r;
}
