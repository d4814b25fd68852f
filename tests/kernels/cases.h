/* The table of kernel cases: shapes, inputs as formulas of the index, expected results by ref/. One
 * table serves the test program, `selftest` on a user's device and the timings of `kernels`. */
#ifndef TVK_TESTS_KERNELS_CASES_H
#define TVK_TESTS_KERNELS_CASES_H

#include "kernels/cost.h"
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
    uint32_t shape[4]; /* N, K, T and depth; of attention heads, head size, T and depth; 0 where the
                        * op has no such number */
    char types[24]; /* of K, V and queries that are no floats: "q4", "f16 q3", "q4 q4"; else "" */
} tvk_case;

uint32_t tvk_cases_count(void);
/* index < tvk_cases_count() */
void tvk_case_get(uint32_t index, tvk_case *out);
/* A mat-vec or mat-mat with N outputs, K inputs and T rows, of any size: false when the op is
 * another one or its weights have no such K. */
bool tvk_case_of_shape(tvk_op op, uint32_t n, uint32_t k, uint32_t t, tvk_case *out);

/* Is it a case in which every configuration runs with fixed parameters, on devices whose plan fixes
 * any? Every eighth of an op's tiny ones, at least one. */
bool tvk_case_fixed(uint32_t index);

typedef struct tvk_case_options {
    uint32_t repetitions;  /* timed after the check; 0: no timing */
    uint32_t inner;        /* times that the op runs between two time stamps, a barrier after each
                            * dispatch; 0: 1 */
    uint64_t rotate_bytes; /* between time stamps, copies of the large inputs of so many bytes in
                            * all are taken in turn; 0: the same ones each time */
    double most_ns;        /* about as long as the repetitions of a clock may take; 0: any time */
    bool fixed;            /* parameters are fixed as on a GPU, on host cores too */
    double *chain_ns; /* in and out, 0 at first: what a chain takes that the device's clock alone
                       * decides, at the fastest; a device that is slower now is kept busy until
                       * it is as fast again. NULL: timed as it is */
} tvk_case_options;

/* Of one run, ns. */
typedef struct tvk_case_times {
    uint32_t samples; /* 0: not timed (not asked for, mismatch, no such clock) */
    double median, min, max;
} tvk_case_times;

typedef struct tvk_case_result {
    uint64_t compared, mismatches; /* words */
    double checked;        /* part of the results that was compared, of large ones not all */
    char text[256];        /* the first mismatch */
    char program[96];      /* manifest row and configuration that ran */
    tvk_case_times stamps; /* between time stamps of the device, a barrier after each run */
    tvk_case_times waits;  /* from submission to fence, by the host's clock */
    tvk_case_times empty;  /* likewise, of as many dispatches that compute nothing */
    tvk_cost cost;         /* of one run, at least */
} tvk_case_result;

/* A case with its buffers and expected results; runs any number of rows and configurations. */
typedef struct tvk_case_data tvk_case_data;

/* kernels: borrowed until close.
 * Errors: TVK_ERR_DEVICE_MEMORY and TVK_ERR_UNSUPPORTED when the device is too small for the case.
 */
tvk_status tvk_case_open(uint32_t index, tvk_kernels *kernels, tvk_case_data **out, tvk_error *err);
/* The case of tvk_case_of_shape(op, n, k, t), which must have been true. */
tvk_status tvk_case_open_shape(tvk_op op, uint32_t n, uint32_t k, uint32_t t, tvk_kernels *kernels,
                               tvk_case_data **out, tvk_error *err);
void tvk_case_close(tvk_case_data **data);

/* Runs the case with this row and configuration of its op, compares every output and the words
 * around it, then times it if asked. What is timed is the program that a model would get; so is of
 * what is not the default configuration, the others in the cases of tvk_case_fixed() alone, as they
 * would be a compilation a case. A mismatch is no error: see result. The op's default row is in
 * force again afterwards. */
tvk_status tvk_case_run(tvk_case_data *data, uint32_t shader_index, uint32_t config,
                        const tvk_case_options *options, tvk_case_result *result, tvk_error *err);

#endif
