/* The charts of the report. A device has the same colour (class d0, d1, ..) and mark in all. */
#ifndef TVK_CLI_KERNELS_CHARTS_H
#define TVK_CLI_KERNELS_CHARTS_H

#include <stdio.h>

#include "kernels_cases.h"

typedef struct kernels_view {
    const kernels_result *results;
    size_t count; /* devices */
    const kernels_case *cases;
    size_t case_count;
} kernels_view;

/* Arithmetic against operations a byte, a figure a device, all with the same axes. */
void kernels_chart_rooflines(FILE *to, const kernels_view *v);
/* Arithmetic of mat-mats by rows of activations, a figure a matrix. */
void kernels_chart_rows(FILE *to, const kernels_view *v);
/* Times of mat-vecs, a figure a kernel. */
void kernels_chart_vectors(FILE *to, const kernels_view *v);
/* Times of one token's attention by depth, a figure a cache. */
void kernels_chart_depths(FILE *to, const kernels_view *v);

#endif
