/* Results of `bench` as a table, CSV, JSON or JSON lines, with llama-bench's field names. */
#ifndef TVK_CLI_BENCH_REPORT_H
#define TVK_CLI_BENCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "bench_profile.h"
#include "bench_steady.h"
#include "ternvk/device.h"
#include "ternvk/model.h"

typedef enum bench_form { BENCH_MD, BENCH_CSV, BENCH_JSON, BENCH_JSONL } bench_form;

/* False after a line that says what was expected. */
bool bench_form_parse(const char *text, bench_form *out);

/* What all rows of one call have in common. */
typedef struct bench_setup {
    const tvk_device_info *device;
    const tvk_model_info *model;
    const char *file;        /* path, or the name of a shape */
    const char *type;        /* of the linears, "I2_S" */
    const char *embedding;   /* type of the embedding, "Q8_0" */
    const char *kv_k, *kv_v; /* "f16" */
    const char *q;           /* "f32" */
    const char *sparse;      /* as asked for: "auto" */
    uint64_t bytes;          /* of all tensors in the file */
    tvk_memory_use memory;   /* of the device, with the model */
    uint32_t batch;          /* rows of the largest step */
    bool exact;
    tvk_peaks peaks; /* where profiles were asked for */
} bench_setup;

typedef struct bench_row {
    bench_test test;
    const double *ns; /* [count], one run each */
    uint32_t count;
    double cpu;           /* the process' CPU time of all runs over their wall time; < 0: unknown */
    const char *programs; /* shader rows that ran, separated by spaces */
    const tvk_stats *stats;       /* NULL: not counted */
    const bench_profile *profile; /* NULL: not asked for */
    const bench_steady *steady;   /* NULL: not asked for */
} bench_row;

/* Of samples. deviation: of a sample (n - 1), 0 for one value, as llama-bench has it. */
typedef struct bench_spread {
    double mean, deviation, median, least, most;
} bench_spread;

void bench_report_begin(bench_form form, const bench_setup *setup);
/* index: of the row, from 0. False (and a line) when a figure is not finite. */
bool bench_report_row(bench_form form, const bench_setup *setup, const bench_row *row,
                      uint32_t index);
void bench_report_end(bench_form form, uint32_t rows);
/* The statistics of tests that have some, as a table of their own in markdown. */
void bench_report_stats(const bench_row *rows, uint32_t count);

/* How tests became steady, a line each. */
void bench_report_steady(const bench_row *rows, uint32_t count);

/* Profiles of tests that have one, each as a table of its own in markdown. */
void bench_report_profiles(const bench_setup *setup, const bench_row *rows, uint32_t count);

/* bench_table.c: the markdown form. rate: tokens a second. */
void bench_table_head(const bench_setup *setup);
void bench_table_row(const bench_setup *setup, const bench_row *row, const bench_spread *rate);
/* Where zeros are skipped: "up, down", "-" */
const char *bench_skips(const tvk_model_info *model, char *text, size_t bytes);
/* Of all buffers; the blocks they lie in are larger. */
uint64_t bench_memory(const bench_setup *setup);
/* "0.1.0 (8bd306b)" */
const char *bench_build(char *text, size_t bytes);

#endif
