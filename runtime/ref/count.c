/* How many inputs of a linear are zero. */
#include "ref/ref.h"

uint32_t tvk_ref_count_codes(const uint32_t *record, uint32_t k, uint32_t code_bits)
{
    uint32_t zeros = 0, mask = code_bits == 8 ? 255u : 15u;
    for (uint32_t i = 0; i < k; i++) {
        uint32_t word = code_bits == 8 ? i / 4 : i / 8;
        uint32_t shift = code_bits == 8 ? 8 * (i % 4) : 8 * (i % 4) + 4 * (i / 4 % 2);
        zeros += (record[TVK_ACT_HEADER_WORDS + word] >> shift & mask) == 0;
    }
    return zeros;
}

uint32_t tvk_ref_count_floats(const float *x, uint32_t k, bool not_positive)
{
    uint32_t zeros = 0;
    for (uint32_t i = 0; i < k; i++) zeros += not_positive ? x[i] <= 0.0f : x[i] == 0.0f;
    return zeros;
}
