/* Monotonic time in nanoseconds. */
#ifndef TVK_BASE_CLOCK_H
#define TVK_BASE_CLOCK_H

#include <stdint.h>

uint64_t tvk_clock_ns(void);

#endif
