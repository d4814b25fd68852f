/* Size arithmetic that cannot wrap: used for every size that a file or a caller gives. */
#ifndef TVK_BASE_CHECK_H
#define TVK_BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool tvk_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (b != 0 && a > UINT64_MAX / b) return false;
    *out = a * b;
    return true;
}

static inline bool tvk_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (a > UINT64_MAX - b) return false;
    *out = a + b;
    return true;
}

static inline bool tvk_u64_to_u32(uint64_t a, uint32_t *out)
{
    if (a > UINT32_MAX) return false;
    *out = (uint32_t)a;
    return true;
}

static inline bool tvk_u64_to_size(uint64_t a, size_t *out)
{
    if (a > SIZE_MAX) return false;
    *out = (size_t)a;
    return true;
}

/* a rounded up to a multiple of b (b > 0); the caller has bounded a. */
static inline uint64_t tvk_round_up(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b * b;
}

static inline uint32_t tvk_div_up(uint32_t a, uint32_t b)
{
    return a / b + (a % b != 0);
}

#endif
