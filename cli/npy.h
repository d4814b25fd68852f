/* NumPy's array file, version 1.0 (numpy.org, "NEP 1"), one type: little-endian float32, two axes.
 */
#ifndef TVK_CLI_NPY_H
#define TVK_CLI_NPY_H

#include <stdbool.h>
#include <stddef.h>

/* Writes beside PATH and renames, so that PATH is whole or not there. Prints what failed. */
bool npy_write_f32(const char *path, const float *data, size_t rows, size_t columns);

#endif
