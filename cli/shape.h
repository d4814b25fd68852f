/* Models of published shapes with random weights, so that speed can be measured without a file. */
#ifndef TVK_CLI_SHAPE_H
#define TVK_CLI_SHAPE_H

#include "ternvk/model.h"

typedef struct shape shape;

typedef struct shape_params {
    const char *name;      /* bitnet-SIZE or its FP16 twin llama-SIZE, SIZE one of shape_sizes();
                            * "25m" alone means bitnet-25m */
    uint32_t layers;       /* 0, or how many to cut it to */
    bool a48;              /* with ReLU² GLU, which a4.8 models have (arXiv 2411.04965, eq. 5),
                            * whatever activation the size had */
    const char *embedding; /* of the table, which is the head too: "f16" (NULL), "q8_0" or "q6_k" */
    bool zeros;            /* in place of random values, for whoever does not run it: they take
                            * neither time nor, where the system gives pages late, memory */
} shape_params;

/* NULL after a line that says what is wrong; *status: 2 when the name is not known, else 1. */
shape *shape_open(const shape_params *params, int *status);
void shape_close(shape **s);

/* Lives as long as the shape. Tensors of one size share their bytes. */
const tvk_weight_source *shape_source(const shape *s);

/* "2b4t, 700m, ..." */
const char *shape_sizes(char *text, size_t bytes);

#endif
