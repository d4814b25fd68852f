/* INT8 absmax codes of a row and its record; BitNet b1.58, arXiv 2402.17764:
 * q = clamp(round(x * 127 / max|x|), -128, 127) */
#include "ref/ref.h"

#include <math.h>

#include "base/half.h"

uint32_t tvk_ref_act_words(uint32_t k)
{
    uint32_t padded = (k + TVK_T2_ROW_ALIGN - 1) / TVK_T2_ROW_ALIGN * TVK_T2_ROW_ALIGN;
    return TVK_ACT_HEADER_WORDS + padded / 4;
}

void tvk_ref_act_i8(const float *x, uint32_t k, uint32_t *record)
{
    uint32_t *codes = record + TVK_ACT_HEADER_WORDS;
    float gamma = 0.0f, m, s;
    int32_t sum = 0;
    for (uint32_t i = 0; i < k; i++) {
        float a = x[i] < 0.0f ? -x[i] : x[i];
        if (a > gamma) gamma = a;
    }
    m = gamma > 1e-5f ? gamma : 1e-5f;
    s = tvk_ref_div(127.0f, m);
    for (uint32_t w = 0; w < tvk_ref_act_words(k); w++) record[w] = 0;
    for (uint32_t i = 0; i < k; i++) {
        float v = rintf(x[i] * s);
        int32_t q = (int32_t)(v < -128.0f ? -128.0f : v > 127.0f ? 127.0f : v);
        sum += q;
        codes[i / 4] |= ((uint32_t)q & 255u) << 8 * (i % 4);
    }
    record[0] = tvk_f32_bits(m * 0.007874016f);
    record[1] = (uint32_t)sum;
}
