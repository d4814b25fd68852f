#include "model/rope_table.h"

#include <math.h>

void tvk_rope_table_fill(float theta, uint32_t rotary, uint32_t positions, float *table)
{
    for (uint32_t p = 0; p < positions; p++) {
        for (uint32_t i = 0; i < rotary / 2; i++) {
            /* f32 frequency and angle, as the models were trained */
            float inv = (float)pow((double)theta, -2.0 * i / rotary);
            float angle = (float)p * inv;
            *table++ = (float)cos((double)angle);
            *table++ = (float)sin((double)angle);
        }
    }
}
