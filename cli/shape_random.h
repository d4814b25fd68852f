/* Random bytes of tensors: values of sizes that a trained model could have. */
#ifndef TVK_CLI_SHAPE_RANDOM_H
#define TVK_CLI_SHAPE_RANDOM_H

#include "ternvk/base.h"

/* Types that a shape has: F32, F16, I2_S, I8 (signs), Q8_0, Q6_K. Values a row is a multiple of. */
uint32_t shape_block(tvk_dtype type);
/* Bytes of a tensor of `elems` values. */
uint64_t shape_bytes(tvk_dtype type, uint64_t elems);
/* Fills it; inputs: K, for the scale of ternary values. random: state, not 0. */
void shape_fill(tvk_dtype type, void *out, uint64_t bytes, uint32_t inputs, uint64_t *random);

#endif
