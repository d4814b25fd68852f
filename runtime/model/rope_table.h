#ifndef TVK_MODEL_ROPE_TABLE_H
#define TVK_MODEL_ROPE_TABLE_H

#include <stdint.h>

/* table [positions][rotary/2] {cos, sin}: docs/numerics.md, RoPE. */
void tvk_rope_table_fill(float theta, uint32_t rotary, uint32_t positions, float *table);

#endif
