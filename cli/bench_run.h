/* One test of `bench` on an open model: its sessions, its runs, its clock. */
#ifndef TVK_CLI_BENCH_RUN_H
#define TVK_CLI_BENCH_RUN_H

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

/* Runs a test once untimed, then `runs` times: ns [runs]; *cpu: CPU time of these runs over their
 * wall time, < 0 where it is not known. Returns an exit status, 1 also when interrupted. */
int bench_run(const bench_runner *r, const bench_test *test, uint32_t runs, double *ns,
              double *cpu);

/* One run, untimed, by a model that counts, without the tokens of the depth. */
int bench_count(const bench_runner *r, const bench_test *test, tvk_stats *out);

#endif
