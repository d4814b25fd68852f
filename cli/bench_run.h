/* One test of `bench` on an open model: its sessions, its runs, its clock. */
#ifndef TVK_CLI_BENCH_RUN_H
#define TVK_CLI_BENCH_RUN_H

#include "bench_steady.h"
#include "bench_tests.h"
#include "ternvk/session.h"

typedef struct bench_runner {
    tvk_model *model;
    int32_t *tokens; /* as many as the context and the sessions together */
    uint32_t batch;  /* rows of the largest step */
} bench_runner;

/* Random tokens of the model's vocabulary; the model stays the caller's. */
int bench_runner_open(bench_runner *r, tvk_model *model, const bench_plan *plan, uint32_t batch);
void bench_runner_close(bench_runner *r);

typedef struct bench_samples {
    uint32_t runs;        /* to make, where steady is NULL */
    bench_steady *steady; /* begun: as many as this asks for, of which the last windows are kept */
    double *ns;           /* [count] of each run; malloc'd, the caller frees it in any case */
    uint32_t count, capacity;
    double cpu; /* CPU time of all runs over their wall time; < 0 where it is not known */
} bench_samples;

/* Runs a test once untimed, then as *samples says. Returns an exit status, 1 also when interrupted.
 */
int bench_run(const bench_runner *r, const bench_test *test, bench_samples *samples);

/* One run, untimed, by a model that counts, without the tokens of the depth. */
int bench_count(const bench_runner *r, const bench_test *test, tvk_stats *out);

#endif
