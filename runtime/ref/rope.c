/* Rotary embedding: pair i turns by position * theta^(-2i / rotary). */
#include "ref/ref.h"

#include <math.h>
#include <stddef.h>

void tvk_ref_rope_table(float theta, uint32_t rotary, uint32_t positions, float *table)
{
    uint32_t pairs = rotary / 2;
    for (uint32_t p = 0; p < positions; p++) {
        for (uint32_t i = 0; i < pairs; i++) {
            float inv = (float)pow((double)theta, -2.0 * (double)i / (double)rotary);
            float angle = (float)p * inv;
            float *cs = table + 2 * ((size_t)p * pairs + i);
            cs[0] = (float)cos((double)angle);
            cs[1] = (float)sin((double)angle);
        }
    }
}

void tvk_ref_rope(float *head, const float *cos_sin, uint32_t d, uint32_t rotary, bool interleaved)
{
    (void)d; /* dimensions rotary .. d-1 stay as they are */
    for (uint32_t i = 0; i < rotary / 2; i++) {
        float *x0 = head + (interleaved ? 2 * i : i);
        float *x1 = head + (interleaved ? 2 * i + 1 : i + rotary / 2);
        float c = cos_sin[2 * i], s = cos_sin[2 * i + 1];
        float y0 = *x0 * c - *x1 * s;
        float y1 = *x1 * c + *x0 * s;
        *x0 = y0;
        *x1 = y1;
    }
}
