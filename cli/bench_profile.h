/* `bench --profile`: where the time of a test's step goes, by kernel, against what the device was
 * measured to reach. */
#ifndef TVK_CLI_BENCH_PROFILE_H
#define TVK_CLI_BENCH_PROFILE_H

#include <jansson.h>

#include "bench_tests.h"
#include "ternvk/model.h"

#define BENCH_KERNELS 64u

/* All dispatches of one program in a step. */
typedef struct bench_kernel {
    const char *program; /* lives as long as the model */
    uint32_t dispatches;
    double ns, bytes, int_ops, float_ops, matrix_ops, half_ops;
} bench_kernel;

typedef struct bench_profile {
    tvk_profile_params step;             /* what was run */
    bench_kernel kernels[BENCH_KERNELS]; /* in the order they run first */
    uint32_t count;
    bench_kernel sum;
    double step_ns; /* without time stamps between the dispatches */
} bench_profile;

/* The step of a test: of all its sessions in the middle of a text, or the first of a prompt.
 * batch: rows of the largest step; no session may be open. runs 0: what would run, without times.
 * Returns an exit status. */
int bench_profile_take(tvk_model *model, const bench_test *test, uint32_t batch, uint32_t runs,
                       bench_profile *out);

/* Programs, separated by spaces. */
void bench_profile_programs(const bench_profile *p, char *text, size_t bytes);
/* A table in markdown, the longest first. */
void bench_profile_table(const bench_profile *p, const bench_test *test, const tvk_peaks *peaks);
/* The same as an object. NULL: no memory. */
json_t *bench_profile_json(const bench_profile *p, const tvk_peaks *peaks);

/* The device's peaks in one line. */
void bench_peaks_line(const tvk_peaks *peaks);

#endif
