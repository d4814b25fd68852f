/* x = one row of the embedding table. */
#include "ref/ref.h"

#include "base/half.h"

void tvk_ref_embed_f16(const uint32_t *row_words, uint32_t k, float *x)
{
    for (uint32_t i = 0; i < k; i++)
        x[i] = tvk_f16_to_f32((uint16_t)(row_words[i / 2] >> 16 * (i % 2)));
}

void tvk_ref_embed_q8(const uint32_t *row_words, const float *row_scales, uint32_t k, float *x)
{
    for (uint32_t i = 0; i < k; i++) {
        uint32_t byte = row_words[i / 4] >> 8 * (i % 4) & 255u;
        x[i] = (float)((int32_t)byte - (byte > 127 ? 256 : 0)) * row_scales[i / 32];
    }
}
