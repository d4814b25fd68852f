/* Which of several measured ways to take. Pure arithmetic. */
#ifndef TVK_TUNE_DECIDE_H
#define TVK_TUNE_DECIDE_H

#include <stdint.h>

#define TVK_TIMING_ROUNDS 9u

/* Times of one way, ns. */
typedef struct tvk_timing {
    double ns[TVK_TIMING_ROUNDS];
    uint32_t count;
} tvk_timing;

/* Of the times so far; 0 when there are none. */
double tvk_timing_median(const tvk_timing *timing);
/* The way of the least median. Way 0 is the default: another must be faster by 4 %, by 10 % when it
 * was timed less than three times. Ways without times are not taken. */
uint32_t tvk_timing_decide(const tvk_timing *ways, uint32_t count);

#endif
