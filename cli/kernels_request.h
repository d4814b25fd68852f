/* What `kernels` is asked to measure. */
#ifndef TVK_CLI_KERNELS_REQUEST_H
#define TVK_CLI_KERNELS_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

/* NULL and 0: no restriction. */
typedef struct kernels_request {
    const char *op, *name; /* parts of a kernel's and of a case's name */
    const char *variant;   /* the rows of this variant, in every cut */
    bool all;              /* every row and cut, not the default alone */
    uint32_t n, k, t;      /* this shape in place of the table's */
    uint32_t repetitions, inner, rotate_mib;
    uint32_t patience; /* seconds: what one run would take longer for is left out */
    const char *note;
    const struct kernels_module *module; /* stands in for a row of the manifest; NULL: none */
} kernels_request;

/* Would these be measured for the request? shape: N, K, T. */
bool kernels_wanted(const kernels_request *request, const char *op, const char *name,
                    const uint32_t shape[3]);

#endif
