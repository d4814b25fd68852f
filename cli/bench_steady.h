/* `bench --steady`: a test is repeated until its rate no longer changes, since a phone falls to
 * half its clock within minutes. Runs fill windows of some seconds; the last of these are compared.
 */
#ifndef TVK_CLI_BENCH_STEADY_H
#define TVK_CLI_BENCH_STEADY_H

#include <stdbool.h>
#include <stdint.h>

#include "sensors.h"

#define STEADY_WINDOWS 4u /* that must agree */

typedef struct bench_steady_params {
    uint32_t window_s;  /* at least that long, and one run */
    uint32_t tolerance; /* the slowest of the windows may be slower than the fastest by so many % */
    uint32_t limit_s;   /* after which a test ends in any case */
} bench_steady_params;

typedef struct bench_steady {
    bench_steady_params params;
    double tokens; /* of a run */
    /* what was found */
    uint32_t windows;          /* that were filled */
    double seconds;            /* of all runs */
    double first, last;        /* tokens a second of the first window, of the last STEADY_WINDOWS */
    bool reached;              /* these agree; else the time was up */
    sensors at_first, at_last; /* at the end of the first window and of the last one */
    double hottest;            /* at the end of any; NAN: not readable */
    /* the windows so far, the last STEADY_WINDOWS of them by index % STEADY_WINDOWS */
    double window_ns[STEADY_WINDOWS];
    uint32_t window_runs[STEADY_WINDOWS];
    double open_ns; /* of the window that is being filled */
    uint32_t open_runs;
} bench_steady;

void bench_steady_begin(bench_steady *s, const bench_steady_params *params, double tokens);
/* Takes the time of a run. now: what the sensors say, looked at when a window is full. True: go on.
 */
bool bench_steady_add(bench_steady *s, double ns, sensors (*now)(void *user), void *user);
/* Of the runs that were added, the last so many are the windows that `last` is of. */
uint32_t bench_steady_runs(const bench_steady *s);

/* "first 61.2, steady 40.3 t/s after 180 s in 18 windows; 31 -> 58 °C, gpu 700 -> 420 MHz" */
const char *bench_steady_text(const bench_steady *s, char *text, uint32_t bytes);

#endif
