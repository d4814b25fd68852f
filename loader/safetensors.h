/* safetensors: tensors behind a JSON header. docs/formats.md, "safetensors". */
#ifndef TVK_LOADER_SAFETENSORS_H
#define TVK_LOADER_SAFETENSORS_H

#include "base/arena.h"
#include "base/error.h"
#include "map.h"

#define TVK_ST_MAX_DIMS 4

typedef enum tvk_st_type {
    TVK_ST_F32 = 0,
    TVK_ST_F16 = 1,
    TVK_ST_BF16 = 2,
    TVK_ST_U8 = 3,
    TVK_ST_TYPE_COUNT
} tvk_st_type;
const char *tvk_st_type_name(tvk_st_type type);
uint32_t tvk_st_type_bytes(tvk_st_type type);

typedef struct tvk_st_tensor {
    const char *name;
    tvk_st_type type;
    uint32_t dim_count;
    uint64_t dims[TVK_ST_MAX_DIMS]; /* as in the file: the last one is contiguous */
    uint64_t elems, begin, end;
    const unsigned char *data; /* of any alignment */
} tvk_st_tensor;

typedef struct tvk_safetensors {
    tvk_arena arena;
    tvk_st_tensor *tensors;
    uint32_t tensor_count;
    tvk_map names;
} tvk_safetensors;

/* Parses a whole file; `bytes` is borrowed until the destroy. Safe on any bytes.
 * Errors: TVK_ERR_FORMAT, TVK_ERR_UNSUPPORTED (an element type, by name). */
tvk_status tvk_safetensors_parse(const void *bytes, size_t size, tvk_safetensors **out,
                                 tvk_error *err);
void tvk_safetensors_destroy(tvk_safetensors **st);

#endif
