/* Tensor types of GGUF files by their numbers, of which 36 to 39 have two meanings. */
#ifndef TVK_LOADER_GGUF_TYPES_H
#define TVK_LOADER_GGUF_TYPES_H

#include "gguf.h"

/* *found is false for numbers with two meanings that are not read in either: their error needs the
 * offsets, tvk_gguf_refuse_clash(). Errors: TVK_ERR_UNSUPPORTED, naming the type; at: of the number
 * in the file. */
tvk_status tvk_gguf_find_type(const char *tensor, uint32_t number, size_t at, tvk_dtype *out,
                              bool *found, tvk_error *err);

/* What the tensor table says of places in the data. */
typedef struct tvk_gguf_places {
    const uint64_t *offsets; /* [tensor_count] */
    uint64_t data_bytes, alignment;
} tvk_gguf_places;

/* The error of tensor `index`, whose number tvk_gguf_find_type() did not decide. */
tvk_status tvk_gguf_refuse_clash(const tvk_gguf *g, const tvk_gguf_places *places, uint32_t index,
                                 uint32_t number, tvk_error *err);
/* Whether all tensors of number 36 are I2_S. */
tvk_status tvk_gguf_check_i2_s(const tvk_gguf *g, const tvk_gguf_places *places, tvk_error *err);

#endif
