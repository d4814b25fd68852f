/* NumPy arrays: one member of an .npz archive, or one .npy in memory. Little-endian f4, f8, i1, i4
 * and i8 in C order; everything else is refused with a reason.
 * Format: NumPy's "NEP 1, a simple file format for NumPy arrays", versions 1 to 3. */
#ifndef TVK_TESTS_NPZ_H
#define TVK_TESTS_NPZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NPY_MAX_DIMS 4

typedef enum npy_type { NPY_F4, NPY_F8, NPY_I1, NPY_I4, NPY_I8 } npy_type;

typedef struct npy_array {
    npy_type type;
    uint32_t dim_count; /* 0: a single value */
    uint64_t dims[NPY_MAX_DIMS];
    uint64_t count; /* elements */
    void *data;     /* malloc'd, as in the file */
} npy_array;

/* Reads member NAME ("logits", with or without ".npy") of the archive at PATH. why: at least 1
 * byte; says what was wrong when the result is false, and nothing needs freeing then. */
bool npz_read(const char *path, const char *name, npy_array *out, char *why, size_t why_bytes);

bool npy_parse(const void *bytes, size_t count, npy_array *out, char *why, size_t why_bytes);

/* Element i, converted. NaN and infinity become 0 as an integer. */
double npy_float(const npy_array *array, uint64_t i);
int64_t npy_int(const npy_array *array, uint64_t i);

void npy_free(npy_array *array);

#endif
