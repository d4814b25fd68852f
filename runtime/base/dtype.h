/* Facts about element types: one row each in dtype.def. */
#ifndef TVK_BASE_DTYPE_H
#define TVK_BASE_DTYPE_H

#include "ternvk/base.h"

typedef struct tvk_dtype_info {
    const char *name;
    uint32_t block_elems; /* values per block            */
    uint32_t block_bytes; /* bytes per block             */
    int32_t file_type;    /* general.file_type of a GGUF of it; -1: none */
    bool ternary;         /* values are -1, 0, +1 times a scale */
} tvk_dtype_info;

const tvk_dtype_info *tvk_dtype_get(tvk_dtype type);

/* Bytes that a row-major [rows, cols] tensor of this type takes in a file, I2_S trailer included.
 * False: overflow, or cols is no multiple of the block (I2_S: rows*cols must be one). */
bool tvk_dtype_bytes(tvk_dtype type, uint64_t rows, uint64_t cols, uint64_t *out);

#endif
