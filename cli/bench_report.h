/* Results of `bench` as a table, CSV, JSON or JSON lines, with llama-bench's field names. */
#ifndef TVK_CLI_BENCH_REPORT_H
#define TVK_CLI_BENCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

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
    const char *kv_k, *kv_v; /* "f16" */
    const char *q;           /* "f32" */
    uint64_t bytes;          /* of all tensors in the file */
    tvk_memory_use memory;   /* of the device, with the model */
    uint32_t batch;          /* rows of the largest step */
    bool exact;
} bench_setup;

typedef struct bench_row {
    uint32_t n_prompt, n_gen, n_depth; /* one of the first two is 0 */
    const double *ns;                  /* [count], one run each */
    uint32_t count;
    const char *programs;   /* shader rows that ran, separated by spaces */
    const tvk_stats *stats; /* NULL: not counted */
} bench_row;

/* "pp512", "tg128 @ d1024" */
const char *bench_test_name(const bench_row *row, char *text, size_t bytes);

void bench_report_begin(bench_form form);
/* index: of the row, from 0. False (and a line) when a figure is not finite. */
bool bench_report_row(bench_form form, const bench_setup *setup, const bench_row *row,
                      uint32_t index);
void bench_report_end(bench_form form, uint32_t rows);
/* The statistics of tests that have some, as a table of their own in markdown. */
void bench_report_stats(const bench_row *rows, uint32_t count);

#endif
