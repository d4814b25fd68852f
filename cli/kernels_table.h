/* Results of `kernels` as a table, CSV, JSON or JSON lines, row by row as they come. */
#ifndef TVK_CLI_KERNELS_TABLE_H
#define TVK_CLI_KERNELS_TABLE_H

#include "bench_report.h"
#include "kernels_data.h"

void kernels_print_begin(bench_form form, const kernels_setup *setup);
/* index: of the row, from 0. False, with a line on stderr: it could not be made. */
bool kernels_print_row(bench_form form, const kernels_setup *setup, const kernels_row *row,
                       size_t index);
void kernels_print_end(bench_form form, size_t rows);

#endif
