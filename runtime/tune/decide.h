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
    TVK_TIMING_LONGER, /* now, and the start takes longer than it was to */
    TVK_TIMING_LATER,  /* another start has the time */
    TVK_TIMING_NEVER
} tvk_timing_when;
/* ns. A start may have less than a step can ask for. */
typedef struct tvk_timing_budget {
    double left;  /* of this start */
    double start; /* that it was given; 0: something was measured in it already */
    double all;   /* twice what a step may take, so that compiling has its time too */
} tvk_timing_budget;
/* So many runs, each as long as that of the default. A step whose runs take more than three
 * quarters of a start (results to compare with come before them) would be put off for ever: a start
 * that has measured nothing yet takes the time. */
tvk_timing_when tvk_timing_plan(uint32_t runs, double run_ns, const tvk_timing_budget *budget);

/* The way of the least median. Way 0 is the default: another must be faster by 4 %, by 10 % when it
 * was timed less than three times. Ways without times are not taken. */
uint32_t tvk_timing_decide(const tvk_timing *ways, uint32_t count);

#endif
