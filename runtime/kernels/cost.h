/* What a dispatch must move and compute at least: for the tables that say where time goes. */
#ifndef TVK_KERNELS_COST_H
#define TVK_KERNELS_COST_H

#include "kernels/kernel.h"

/* A step's work, as the host knows it. */
typedef struct tvk_work {
    uint32_t rows, outs; /* that take part */
    double cached;       /* positions of KV that its rows read, each once */
    double scores;       /* pairs of a row and a position that it reads */
    double chunks;       /* pairs of a row and a chunk of positions */
} tvk_work;

typedef struct tvk_cost {
    double bytes;   /* of memory, each byte once: what several workgroups read is counted once */
    double int_ops; /* multiplications and additions of integers (of codes) */
    double float_ops;
    /* those that cooperative matrices compute, of bytes and of f16 */
    double matrix_ops, half_ops;
} tvk_cost;

/* Of one dispatch of a recorded step. Kernels that skip zeros count as if there were none. */
tvk_cost tvk_dispatch_cost(const tvk_dispatch *dispatch, const tvk_work *work);

#endif
