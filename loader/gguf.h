/* GGUF: container of metadata and tensors. docs/formats.md, "GGUF". */
#ifndef TVK_LOADER_GGUF_H
#define TVK_LOADER_GGUF_H

#include "base/arena.h"
#include "base/error.h"
#include "map.h"
#include "ternvk/model.h"

#define TVK_GGUF_ALIGNMENT 32 /* when the file names no other */

/* Numbers as in the file. */
typedef enum tvk_gguf_type {
    TVK_GGUF_U8 = 0,
    TVK_GGUF_I8 = 1,
    TVK_GGUF_U16 = 2,
    TVK_GGUF_I16 = 3,
    TVK_GGUF_U32 = 4,
    TVK_GGUF_I32 = 5,
    TVK_GGUF_F32 = 6,
    TVK_GGUF_BOOL = 7,
    TVK_GGUF_STRING = 8,
    TVK_GGUF_ARRAY = 9,
    TVK_GGUF_U64 = 10,
    TVK_GGUF_I64 = 11,
    TVK_GGUF_F64 = 12,
    TVK_GGUF_TYPE_COUNT
} tvk_gguf_type;

const char *tvk_gguf_type_name(tvk_gguf_type type);
/* Bytes of one value; 0 for strings and arrays. */
uint32_t tvk_gguf_type_bytes(tvk_gguf_type type);

typedef struct tvk_gguf_kv {
    const char *key;
    tvk_gguf_type type, elem;  /* elem: of an array */
    uint64_t count;            /* elements of an array */
    const unsigned char *data; /* the value as it stands in the file; of an array: its elements */
    size_t bytes;
    const char *str; /* of a string: terminated copy */
} tvk_gguf_kv;

typedef struct tvk_gguf {
    tvk_arena arena;
    uint32_t version;
    uint32_t kv_count, tensor_count;
    tvk_gguf_kv *kvs;
    tvk_tensor *tensors;
    tvk_map keys, names;
} tvk_gguf;

/* Parses a whole file; `bytes` is borrowed until tvk_gguf_destroy. Safe on any bytes.
 * Errors: TVK_ERR_FORMAT (expected, found, byte offset), TVK_ERR_UNSUPPORTED (version or type). */
tvk_status tvk_gguf_parse(const void *bytes, size_t size, tvk_gguf **out, tvk_error *err);
void tvk_gguf_destroy(tvk_gguf **gguf);

/* "u32", "string[7]"; "nothing" for NULL. */
void tvk_gguf_type_text(const tvk_gguf_kv *kv, char *out, size_t bytes);

const tvk_gguf_kv *tvk_gguf_find(const tvk_gguf *gguf, const char *key);

/* Next element of a string array: *at starts as kv->data; call kv->count times. */
const char *tvk_gguf_next_str(const unsigned char **at, size_t *bytes);
/* One number as a double, or as an integer when it is one that is not negative. */
bool tvk_gguf_number(tvk_gguf_type type, const unsigned char *at, double *out);
bool tvk_gguf_u64(tvk_gguf_type type, const unsigned char *at, uint64_t *out);

#endif
