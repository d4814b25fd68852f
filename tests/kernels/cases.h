/* The table of kernel cases: shapes, inputs as formulas of the index, expected results by ref/. One
 * table serves the test program, `selftest` on a user's device and the timings of `kernels`. */
#ifndef TVK_TESTS_KERNELS_CASES_H
#define TVK_TESTS_KERNELS_CASES_H

#include "kernels/ops.h"

typedef enum tvk_case_size {
    TVK_CASE_TINY = 0,  /* milliseconds on any device, SwiftShader included */
    TVK_CASE_SMALL = 1, /* up to real widths, few rows */
    TVK_CASE_REAL = 2   /* shapes of real models, for timing; large results are checked in part */
} tvk_case_size;

typedef struct tvk_case {
    char name[96]; /* shape: "N 300 K 5460 T 1 add" */
    tvk_op op;     /* its rows and configurations are what the case is for */
    tvk_case_size size;
    uint32_t shape[4]; /* N K T and depth (attention) or heads; 0 where the op has no such number */
} tvk_case;

uint32_t tvk_cases_count(void);
/* index < tvk_cases_count(); cases of one op stand together. */
void tvk_case_get(uint32_t index, tvk_case *out);

typedef struct tvk_case_options {
    uint32_t repetitions; /* timed after the check; 0: no timing */
    uint32_t inner;       /* times that the op runs between two time stamps, a barrier after each
                           * dispatch; 0: 1 */
} tvk_case_options;

typedef struct tvk_case_result {
    uint64_t compared, mismatches; /* words */
    char text[256];                /* the first mismatch */
    char program[96];              /* manifest row and configuration that ran */
    uint32_t samples;              /* 0: not timed (not asked for, mismatch, no time stamps) */
    double ns_median, ns_min, ns_max;
    double bytes, operations; /* memory moved at least, and arithmetic, of one dispatch; 0: n/a */
} tvk_case_result;

/* A case with its buffers and expected results; runs any number of rows and configurations. */
typedef struct tvk_case_data tvk_case_data;

/* kernels: borrowed until close.
 * Errors: TVK_ERR_DEVICE_MEMORY and TVK_ERR_UNSUPPORTED when the device is too small for the case.
 */
tvk_status tvk_case_open(uint32_t index, tvk_kernels *kernels, tvk_case_data **out, tvk_error *err);
void tvk_case_close(tvk_case_data **data);

/* Runs the case with this row and configuration of its op, compares every output and the words
 * around it, then times it if asked. A mismatch is no error: see result. The op's default row is in
 * force again afterwards. */
tvk_status tvk_case_run(tvk_case_data *data, uint32_t shader_index, uint32_t config,
                        const tvk_case_options *options, tvk_case_result *result, tvk_error *err);

#endif
