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
/* When a step is measured. */
typedef enum tvk_timing_when {
    TVK_TIMING_NOW,
    TVK_TIMING_LATER, /* another start has the time */
    TVK_TIMING_NEVER
} tvk_timing_when;
/* So many runs, each as long as that of the default, with left_ns of all_ns to go. A step that asks
 * for more than half of all would not leave a start the time to compile, and is not measured. */
tvk_timing_when tvk_timing_plan(uint32_t runs, double run_ns, double left_ns, double all_ns);

/* The way of the least median. Way 0 is the default: another must be faster by 4 %, by 10 % when it
 * was timed less than three times. Ways without times are not taken. */
uint32_t tvk_timing_decide(const tvk_timing *ways, uint32_t count);

#endif
