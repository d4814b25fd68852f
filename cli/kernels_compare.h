/* Results held against older ones. */
#ifndef TVK_CLI_KERNELS_COMPARE_H
#define TVK_CLI_KERNELS_COMPARE_H

#include <stdio.h>

#include "kernels_data.h"
#include "kernels_request.h"

/* Rows are matched by device, kernel, case and row of the manifest; old ones that `request` leaves
 * out do not count. Writes what is slower or faster by more than threshold (%), what is on one side
 * only or wrong now, and a summary. Returns an exit status: 1 when a row is slower or wrong, or
 * none could be compared. */
int kernels_compare(const kernels_result *old, const kernels_result *now,
                    const kernels_request *request, double threshold, FILE *to);

#endif
