/* Results of several devices side by side: a case with what each of them did. */
#ifndef TVK_CLI_KERNELS_CASES_H
#define TVK_CLI_KERNELS_CASES_H

#include "kernels_data.h"

#define KERNELS_DEVICES 8

typedef struct kernels_side {
    const kernels_row *fastest; /* of the rows that were timed; NULL: none was */
    const kernels_row *other;   /* else one that is wrong or was left out; NULL: not in the file */
} kernels_side;

typedef struct kernels_case {
    const kernels_row *first; /* has the case's numbers */
    size_t order;             /* in which it stood in the files */
    kernels_side side[KERNELS_DEVICES];
} kernels_case;

/* All cases of at most KERNELS_DEVICES results in the order of the files; malloc'd. NULL, with a
 * line on stderr: no memory. */
kernels_case *kernels_cases(const kernels_result *results, size_t count, size_t *cases);

/* What a kernel is, by its name. */
typedef enum kernels_family {
    KERNELS_VEC, /* one row of activations times a matrix */
    KERNELS_MAT, /* several */
    KERNELS_ATTENTION,
    KERNELS_NORM,
    KERNELS_PACKING,
    KERNELS_REST,
    KERNELS_FAMILIES
} kernels_family;
kernels_family kernels_family_of(const char *op);
const char *kernels_family_name(kernels_family family);

#endif
