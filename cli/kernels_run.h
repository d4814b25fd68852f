/* Measures kernels on a device: each checked against the CPU reference, then timed. */
#ifndef TVK_CLI_KERNELS_RUN_H
#define TVK_CLI_KERNELS_RUN_H

#include "kernels_data.h"
#include "kernels_module.h"
#include "ternvk/device.h"

/* What is asked for; NULL and 0: no restriction. */
typedef struct kernels_request {
    const char *op, *name; /* parts of a kernel's and of a case's name */
    const char *variant;   /* the rows of this variant, in every cut */
    bool all;              /* every row and cut, not the default alone */
    uint32_t n, k, t;      /* this shape in place of the table's */
    uint32_t repetitions, inner;
    uint32_t patience; /* seconds: what one run would take longer for is left out */
    const char *note;
    const kernels_module *module; /* stands in for a row of the manifest; NULL: none */
} kernels_request;

/* Would these be measured for the request? shape: N, K, T. */
bool kernels_wanted(const kernels_request *request, const char *op, const char *name,
                    const uint32_t shape[3]);

/* The device's facts and its measured peaks. Returns an exit status. */
int kernels_setup_of(tvk_device *device, const kernels_request *request, kernels_setup *out);
/* Adds row after row to `out`, whose setup is there; after each one on_row (false: stop) is called.
 * Returns an exit status: 1 when a result was wrong, something failed or Ctrl-C ended it. */
typedef bool kernels_on_row(void *user, const kernels_result *so_far);
int kernels_measure(tvk_device *device, const kernels_request *request, kernels_result *out,
                    kernels_on_row *on_row, void *user);

#endif
