#include "gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/dtype.h"
#include "base/text.h"
#include "bytes.h"
#include "gguf_types.h"

#define MAX_ARRAY_DEPTH 4
#define MAX_NAME_BYTES 65535
#define MIN_KV_BYTES 14     /* key length, key, type, value */
#define MIN_TENSOR_BYTES 33 /* name length, name, dimension count, dimension, type, offset */

typedef struct reader {
    const unsigned char *data;
    size_t size, at;
} reader;

static const struct {
    const char *name;
    uint32_t bytes;
} value_types[TVK_GGUF_TYPE_COUNT] = {
    {"u8", 1},   {"i8", 1},     {"u16", 2},   {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
    {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8},
};

const char *tvk_gguf_type_name(tvk_gguf_type type)
{
    return (unsigned)type < TVK_GGUF_TYPE_COUNT ? value_types[type].name : "unknown";
}

uint32_t tvk_gguf_type_bytes(tvk_gguf_type type)
{
    return (unsigned)type < TVK_GGUF_TYPE_COUNT ? value_types[type].bytes : 0;
}

static tvk_status need(const reader *r, uint64_t bytes, const char *what, tvk_error *err)
{
    if (bytes <= r->size - r->at) return TVK_OK;
    return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                         "the file is cut short: %" PRIu64
                         " bytes expected for %s at byte %zu, %zu found",
                         bytes, what, r->at, r->size - r->at);
}

static tvk_status read_u32(reader *r, const char *what, uint32_t *out, tvk_error *err)
{
    tvk_status st = need(r, 4, what, err);
    if (st != TVK_OK) return st;
    *out = tvk_load_u32(r->data + r->at);
    r->at += 4;
    return TVK_OK;
}

static tvk_status read_u64(reader *r, const char *what, uint64_t *out, tvk_error *err)
{
    tvk_status st = need(r, 8, what, err);
    if (st != TVK_OK) return st;
    *out = tvk_load_u64(r->data + r->at);
    r->at += 8;
    return TVK_OK;
}

static tvk_status read_str(reader *r, const char *what, const char **out, size_t *bytes,
                           tvk_error *err)
{
    tvk_status st;
    uint64_t len = 0;
    TVK_TRY(read_u64(r, what, &len, err));
    TVK_TRY(need(r, len, what, err));
    *out = (const char *)r->data + r->at;
    *bytes = (size_t)len;
    r->at += *bytes;
fail:
    return st;
}

/* Names of keys and tensors become C strings. */
static tvk_status read_name(reader *r, tvk_gguf *g, const char *what, const char **out,
                            size_t *bytes, tvk_error *err)
{
    tvk_status st;
    size_t at = r->at;
    const char *s = NULL;
    TVK_TRY(read_str(r, what, &s, bytes, err));
    if (*bytes == 0 || *bytes > MAX_NAME_BYTES)
        TVK_FAIL(TVK_ERR_FORMAT, "%s at byte %zu: 1 to %d bytes expected, %zu found", what, at,
                 MAX_NAME_BYTES, *bytes);
    if (tvk_text_has_control(s, *bytes)) /* a zero byte too */
        TVK_FAIL(TVK_ERR_FORMAT, "%s at byte %zu: contains a control character", what, at);
    *out = tvk_arena_strdup(&g->arena, s, *bytes);
    TVK_TRY_ALLOC(*out);
fail:
    return st;
}

static tvk_status read_type(reader *r, const char *key, tvk_gguf_type *out, tvk_error *err)
{
    tvk_status st;
    uint32_t type = 0;
    TVK_TRY(read_u32(r, "a value type", &type, err));
    if (type >= TVK_GGUF_TYPE_COUNT)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "key '%.80s': value type 0 to %d expected at byte %zu, %" PRIu32 " found", key,
                 TVK_GGUF_TYPE_COUNT - 1, r->at - 4, type);
    *out = (tvk_gguf_type)type;
fail:
    return st;
}

static tvk_status skip_bools(reader *r, const char *key, uint64_t count, tvk_error *err)
{
    for (uint64_t i = 0; i < count; i++, r->at++) {
        if (r->data[r->at] <= 1) continue;
        return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                             "key '%.80s': bool 0 or 1 expected at byte %zu, %d found", key, r->at,
                             r->data[r->at]);
    }
    return TVK_OK;
}

/* Checks the elements of an array and moves behind them. */
static tvk_status skip_array(reader *r, const char *key, tvk_gguf_type elem, uint64_t count,
                             int depth, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t bytes = 0;
    if (elem == TVK_GGUF_STRING) {
        const char *s;
        size_t len;
        /* a length is 8 bytes: refuses absurd counts at once */
        if (count > (r->size - r->at) / 8)
            TVK_FAIL(TVK_ERR_FORMAT,
                     "key '%.80s': %" PRIu64
                     " strings at byte %zu do not fit into the %zu bytes that are left",
                     key, count, r->at, r->size - r->at);
        for (uint64_t i = 0; i < count; i++) TVK_TRY(read_str(r, "a string", &s, &len, err));
    } else if (elem == TVK_GGUF_ARRAY) {
        if (depth == MAX_ARRAY_DEPTH)
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "key '%.80s': arrays nested deeper than %d at byte %zu",
                     key, MAX_ARRAY_DEPTH, r->at);
        for (uint64_t i = 0; i < count; i++) {
            tvk_gguf_type inner = TVK_GGUF_U8;
            uint64_t inner_count = 0;
            TVK_TRY(read_type(r, key, &inner, err));
            TVK_TRY(read_u64(r, "an array length", &inner_count, err));
            TVK_TRY(skip_array(r, key, inner, inner_count, depth + 1, err));
        }
    } else {
        if (!tvk_mul_u64(count, value_types[elem].bytes, &bytes)) bytes = UINT64_MAX;
        TVK_TRY(need(r, bytes, "array elements", err));
        if (elem == TVK_GGUF_BOOL)
            TVK_TRY(skip_bools(r, key, count, err));
        else
            r->at += (size_t)bytes;
    }
fail:
    return st;
}

static tvk_status read_kv(reader *r, tvk_gguf *g, uint32_t index, tvk_error *err)
{
    tvk_status st;
    tvk_gguf_kv *kv = &g->kvs[index];
    size_t key_bytes = 0, at = r->at, len = 0;
    const char *s = NULL;
    TVK_TRY(read_name(r, g, "a key", &kv->key, &key_bytes, err));
    if (!tvk_map_add(&g->keys, kv->key, key_bytes, index))
        TVK_FAIL(TVK_ERR_FORMAT, "key '%.80s' is there twice, again at byte %zu", kv->key, at);
    TVK_TRY(read_type(r, kv->key, &kv->type, err));
    switch (kv->type) {
    case TVK_GGUF_STRING:
        TVK_TRY(read_str(r, "a string", &s, &len, err));
        kv->data = (const unsigned char *)s;
        kv->bytes = len;
        kv->str = tvk_arena_strdup(&g->arena, s, len);
        TVK_TRY_ALLOC(kv->str);
        break;
    case TVK_GGUF_ARRAY:
        TVK_TRY(read_type(r, kv->key, &kv->elem, err));
        TVK_TRY(read_u64(r, "an array length", &kv->count, err));
        at = r->at;
        kv->data = r->data + at;
        TVK_TRY(skip_array(r, kv->key, kv->elem, kv->count, 1, err));
        kv->bytes = r->at - at;
        break;
    default:
        kv->bytes = value_types[kv->type].bytes;
        TVK_TRY(need(r, kv->bytes, "a value", err));
        kv->data = r->data + r->at;
        if (kv->type == TVK_GGUF_BOOL)
            TVK_TRY(skip_bools(r, kv->key, 1, err));
        else
            r->at += kv->bytes;
    }
fail:
    return st;
}

/* Types that are not read, by numbers that the whole table is needed to tell the name of. */
typedef struct clash {
    uint32_t index, number; /* of the first such tensor; number 0: none */
} clash;

/* One row of the tensor table; t->data holds nothing yet, *offset is the one of the file. */
static tvk_status read_tensor(reader *r, tvk_gguf *g, uint32_t index, uint64_t *offset,
                              clash *refused, tvk_error *err)
{
    tvk_status st;
    tvk_tensor *t = &g->tensors[index];
    size_t name_bytes = 0, at = r->at;
    uint32_t number = 0;
    uint64_t rows = 1;
    bool found = false;
    TVK_TRY(read_name(r, g, "a tensor name", &t->name, &name_bytes, err));
    if (!tvk_map_add(&g->names, t->name, name_bytes, index))
        TVK_FAIL(TVK_ERR_FORMAT, "tensor '%.80s' is there twice, again at byte %zu", t->name, at);
    at = r->at;
    TVK_TRY(read_u32(r, "a dimension count", &t->dim_count, err));
    if (t->dim_count < 1 || t->dim_count > 4)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "tensor '%.80s': 1 to 4 dimensions expected at byte %zu, %" PRIu32 " found",
                 t->name, at, t->dim_count);
    for (uint32_t i = 0; i < 4; i++) t->dims[i] = 1;
    for (uint32_t i = 0; i < t->dim_count; i++) {
        TVK_TRY(read_u64(r, "a dimension", &t->dims[i], err));
        if (t->dims[i] == 0 || (i > 0 && !tvk_mul_u64(rows, t->dims[i], &rows)))
            TVK_FAIL(TVK_ERR_FORMAT,
                     "tensor '%.80s': dimension %" PRIu32 " is %" PRIu64 " at byte %zu", t->name, i,
                     t->dims[i], r->at - 8);
    }
    TVK_TRY(read_u32(r, "a tensor type", &number, err));
    TVK_TRY(tvk_gguf_find_type(t->name, number, r->at - 4, &t->type, &found, err));
    if (!found && refused->number == 0) *refused = (clash){index, number};
    if (found && !tvk_dtype_bytes(t->type, rows, t->dims[0], &t->bytes))
        TVK_FAIL(TVK_ERR_FORMAT,
                 "tensor '%.80s': [%" PRIu64 ", %" PRIu64
                 "] is not a shape of %s (blocks of %" PRIu32 " values), at byte %zu",
                 t->name, rows, t->dims[0], tvk_dtype_name(t->type),
                 tvk_dtype_get(t->type)->block_elems, at);
    TVK_TRY(read_u64(r, "a tensor offset", offset, err));
fail:
    return st;
}

static tvk_status place_tensors(const reader *r, tvk_gguf *g, const uint64_t *offsets,
                                const clash *refused, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_gguf_kv *kv = tvk_gguf_find(g, "general.alignment");
    uint64_t alignment = TVK_GGUF_ALIGNMENT, start, end;
    tvk_gguf_places places = {.offsets = offsets};
    bool ternary = false;
    if (kv && !(kv->type == TVK_GGUF_U32 && tvk_gguf_u64(kv->type, kv->data, &alignment)))
        TVK_FAIL(TVK_ERR_FORMAT, "general.alignment: u32 expected, %s found",
                 tvk_gguf_type_name(kv->type));
    if (alignment == 0 || (alignment & (alignment - 1)) != 0)
        TVK_FAIL(TVK_ERR_FORMAT, "general.alignment: a power of two expected, %" PRIu64 " found",
                 alignment);
    start = tvk_round_up(r->at, alignment);
    places.alignment = alignment;
    places.data_bytes = r->size > start ? r->size - start : 0;
    if (refused->number) {
        st = tvk_gguf_refuse_clash(g, &places, refused->index, refused->number, err);
        goto fail;
    }
    for (uint32_t i = 0; i < g->tensor_count; i++) {
        tvk_tensor *t = &g->tensors[i];
        if (offsets[i] % alignment != 0)
            TVK_FAIL(TVK_ERR_FORMAT,
                     "tensor '%.80s': an offset that is a multiple of %" PRIu64
                     " expected, %" PRIu64 " found",
                     t->name, alignment, offsets[i]);
        if (!tvk_add_u64(start, offsets[i], &end) || !tvk_add_u64(end, t->bytes, &end) ||
            end > r->size)
            TVK_FAIL(TVK_ERR_FORMAT,
                     "the file is cut short: tensor '%.80s' expects %" PRIu64
                     " bytes at byte %" PRIu64 " + %" PRIu64 ", the file has %zu",
                     t->name, t->bytes, start, offsets[i], r->size);
        t->data = r->data + (start + offsets[i]);
        ternary = ternary || t->type == TVK_I2_S;
    }
    if (ternary) TVK_TRY(tvk_gguf_check_i2_s(g, &places, err));
fail:
    return st;
}

static tvk_status read_header(reader *r, tvk_gguf *g, tvk_error *err)
{
    tvk_status st;
    uint64_t tensors = 0, kvs = 0;
    TVK_TRY(need(r, 4, "the magic", err));
    if (memcmp(r->data, "GGUF", 4) != 0)
        TVK_FAIL(
            TVK_ERR_FORMAT,
            "not a GGUF file: 'GGUF' (47 47 55 46) expected at byte 0, %02x %02x %02x %02x found",
            r->data[0], r->data[1], r->data[2], r->data[3]);
    r->at = 4;
    TVK_TRY(read_u32(r, "the version", &g->version, err));
    if (g->version != 0 && (g->version & 0xffff) == 0)
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "GGUF version 2 or 3 expected at byte 4, a big-endian file found");
    if (g->version != 2 && g->version != 3)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "GGUF version 2 or 3 expected at byte 4, %" PRIu32 " found",
                 g->version);
    TVK_TRY(read_u64(r, "the tensor count", &tensors, err));
    TVK_TRY(read_u64(r, "the metadata count", &kvs, err));
    /* before anything is allocated: counts that the rest of the file cannot hold */
    if (kvs > (r->size - r->at) / MIN_KV_BYTES || kvs > UINT32_MAX)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "%" PRIu64
                 " metadata entries (count at byte 16) do not fit into a file of %zu bytes",
                 kvs, r->size);
    if (tensors > (r->size - r->at) / MIN_TENSOR_BYTES || tensors > UINT32_MAX)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "%" PRIu64 " tensors (count at byte 8) do not fit into a file of %zu bytes",
                 tensors, r->size);
    g->kvs = tvk_arena_alloc(&g->arena, (size_t)kvs, sizeof *g->kvs);
    g->tensors = tvk_arena_alloc(&g->arena, (size_t)tensors, sizeof *g->tensors);
    TVK_TRY_ALLOC(g->kvs);
    TVK_TRY_ALLOC(g->tensors);
    TVK_TRY_ALLOC(tvk_map_init(&g->keys, (size_t)kvs));
    TVK_TRY_ALLOC(tvk_map_init(&g->names, (size_t)tensors));
    g->kv_count = (uint32_t)kvs;
    g->tensor_count = (uint32_t)tensors;
fail:
    return st;
}

tvk_status tvk_gguf_parse(const void *bytes, size_t size, tvk_gguf **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    reader r = {bytes, size, 0};
    uint64_t *offsets = NULL;
    clash refused = {0};
    tvk_gguf *g;
    *out = NULL;
    g = calloc(1, sizeof *g);
    TVK_TRY_ALLOC(g);
    TVK_TRY(read_header(&r, g, err));
    for (uint32_t i = 0; i < g->kv_count; i++) TVK_TRY(read_kv(&r, g, i, err));
    offsets = calloc(g->tensor_count + (size_t)1, sizeof *offsets);
    TVK_TRY_ALLOC(offsets);
    for (uint32_t i = 0; i < g->tensor_count; i++)
        TVK_TRY(read_tensor(&r, g, i, &offsets[i], &refused, err));
    TVK_TRY(place_tensors(&r, g, offsets, &refused, err));
    *out = g;
    g = NULL;
fail:
    free(offsets);
    tvk_gguf_destroy(&g);
    return st;
}

void tvk_gguf_destroy(tvk_gguf **gguf)
{
    if (!*gguf) return;
    tvk_map_free(&(*gguf)->keys);
    tvk_map_free(&(*gguf)->names);
    tvk_arena_free(&(*gguf)->arena);
    free(*gguf);
    *gguf = NULL;
}

void tvk_gguf_type_text(const tvk_gguf_kv *kv, char *out, size_t bytes)
{
    if (kv && kv->type == TVK_GGUF_ARRAY)
        snprintf(out, bytes, "%s[%" PRIu64 "]", tvk_gguf_type_name(kv->elem), kv->count);
    else
        snprintf(out, bytes, "%s", kv ? tvk_gguf_type_name(kv->type) : "nothing");
}

const tvk_gguf_kv *tvk_gguf_find(const tvk_gguf *gguf, const char *key)
{
    const uint32_t *i = tvk_map_find(&gguf->keys, key, strlen(key));
    return i ? &gguf->kvs[*i] : NULL;
}

const char *tvk_gguf_next_str(const unsigned char **at, size_t *bytes)
{
    const char *s = (const char *)*at + 8;
    *bytes = (size_t)tvk_load_u64(*at);
    *at += 8 + *bytes;
    return s;
}

static bool signed_value(tvk_gguf_type type, const unsigned char *at, int64_t *out)
{
    switch (type) {
    case TVK_GGUF_I8:
        *out = (int8_t)at[0];
        return true;
    case TVK_GGUF_I16:
        *out = (int16_t)tvk_load_u16(at);
        return true;
    case TVK_GGUF_I32:
        *out = (int32_t)tvk_load_u32(at);
        return true;
    case TVK_GGUF_I64:
        *out = (int64_t)tvk_load_u64(at);
        return true;
    default:
        return false;
    }
}

bool tvk_gguf_u64(tvk_gguf_type type, const unsigned char *at, uint64_t *out)
{
    int64_t v = 0;
    switch (type) {
    case TVK_GGUF_U8:
        *out = at[0];
        return true;
    case TVK_GGUF_U16:
        *out = tvk_load_u16(at);
        return true;
    case TVK_GGUF_U32:
        *out = tvk_load_u32(at);
        return true;
    case TVK_GGUF_U64:
        *out = tvk_load_u64(at);
        return true;
    default:
        if (!signed_value(type, at, &v) || v < 0) return false;
        *out = (uint64_t)v;
        return true;
    }
}

bool tvk_gguf_number(tvk_gguf_type type, const unsigned char *at, double *out)
{
    uint64_t u = 0;
    int64_t i = 0;
    if (type == TVK_GGUF_F32) {
        *out = (double)tvk_load_f32(at);
    } else if (type == TVK_GGUF_F64) {
        u = tvk_load_u64(at);
        memcpy(out, &u, sizeof *out);
    } else if (tvk_gguf_u64(type, at, &u)) {
        *out = (double)u;
    } else if (signed_value(type, at, &i)) {
        *out = (double)i;
    } else {
        return false;
    }
    return true;
}
