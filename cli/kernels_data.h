/* What `kernels` measured: one device, its peaks, and a row for each kernel, case and cut. As C,
 * and as JSON that is kept, compared and reported on. */
#ifndef TVK_CLI_KERNELS_DATA_H
#define TVK_CLI_KERNELS_DATA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The device and how it was measured. Numbers are whole unless they are rates. */
typedef struct kernels_setup {
    char version[32], commit[48], time[32], note[256];
    char device[256], driver[256], type[16], api[16];
    double vendor_id, device_id, device_bytes, max_storage_bytes;
    double subgroup_min, subgroup_max, subgroup_fixed, max_invocations, shared_bytes;
    bool uma, fp16, int8, storage8, storage16, dot_signed, dot_mixed, matrix_cores, clamped;
    char quirks[256];
    double repetitions, inner, rotate_mib;
    /* peaks, 0: not there; int_row: the manifest row that integers were measured with */
    double read_gb_per_s, copy_gb_per_s, int_gop_per_s, float_gop_per_s, matrix_gop_per_s,
        half_gop_per_s;
    char int_row[32];
} kernels_setup;

typedef struct kernels_row {
    char op[32], name[96], row[128]; /* name: of the case; row: of the manifest, with its cut */
    char types[24];                  /* of a KV cache */
    double n, k, t, depth;           /* as tvk_case has them; 0: none */
    char status[16];                 /* "ok", "wrong", "skipped" */
    char why[512];                   /* unless ok */
    double compared_words, wrong_words;
    double checked; /* the part of the results that was compared, 0 to 1 */
    double samples;
    double ns_median, ns_min, ns_max;               /* between time stamps; 0: no such clock */
    double submit_ns, submit_ns_min, submit_ns_max; /* from submission to fence */
    double empty_ns; /* likewise, of dispatches that compute nothing */
    double bytes, int_ops, float_ops, matrix_ops, half_ops; /* of one run, at least */
    /* made of the numbers above by kernels_derive */
    double net_ns;         /* submit_ns less empty_ns */
    double ns;             /* what rates are made of: ns_median, else net_ns; 0: not timed */
    double gb_per_s, tops; /* 0: moves or computes nothing that is counted */
    double peak_percent;   /* of the time that the measured peaks would need */
    char bound[8];         /* the peak that needs most: memory, int, float, matrix; "" */
} kernels_row;

typedef struct kernels_result {
    char path[256]; /* where it was read from; "" */
    kernels_setup setup;
    kernels_row *rows; /* malloc'd */
    size_t count, capacity;
} kernels_result;

/* What a person or a rate needs; also of rows that were read. */
void kernels_derive(const kernels_setup *setup, kernels_row *row);
/* A zeroed row behind the others; NULL, with a line on stderr: no memory. */
kernels_row *kernels_add(kernels_result *result);
void kernels_free(kernels_result *result);

/* {"version": .., ..} and {"op": .., ..}; a new object, NULL: no memory. */
json_t *kernels_setup_json(const kernels_setup *setup);
json_t *kernels_row_json(const kernels_setup *setup, const kernels_row *row);
/* Reads a file that `-o json` wrote, which may be anybody's: one line on stderr and false where it
 * is not one. */
bool kernels_read(const char *path, kernels_result *out);

#endif
