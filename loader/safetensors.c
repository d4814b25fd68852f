#include "safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "bytes.h"
#include "json.h"

#define MAX_HEADER_BYTES 100000000u /* the format's own limit */

static const struct {
    const char *name;
    uint32_t bytes;
} types[TVK_ST_TYPE_COUNT] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"U8", 1}};

const char *tvk_st_type_name(tvk_st_type type)
{
    return types[type].name;
}

uint32_t tvk_st_type_bytes(tvk_st_type type)
{
    return types[type].bytes;
}

/* A JSON integer that is not negative. */
static bool get_u64(const json_t *v, uint64_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0) return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

static tvk_status read_type(tvk_st_tensor *t, const json_t *entry, tvk_error *err)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name)
        return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                             "tensor '%.80s': a dtype expected, none found", t->name);
    for (int i = 0; i < TVK_ST_TYPE_COUNT; i++) {
        if (strcmp(types[i].name, name) != 0) continue;
        t->type = (tvk_st_type)i;
        return TVK_OK;
    }
    return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                         "tensor '%.80s': dtype F32, F16, BF16 or U8 expected, %.20s found",
                         t->name, name);
}

static tvk_status read_tensor(tvk_st_tensor *t, const json_t *entry, const unsigned char *data,
                              uint64_t data_bytes, tvk_error *err)
{
    tvk_status st;
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    uint64_t bytes = 0;
    if (!json_is_object(entry))
        TVK_FAIL(TVK_ERR_FORMAT, "tensor '%.80s': a JSON object expected", t->name);
    TVK_TRY(read_type(t, entry, err));
    if (!json_is_array(shape) || json_array_size(shape) > TVK_ST_MAX_DIMS)
        TVK_FAIL(TVK_ERR_FORMAT, "tensor '%.80s': a shape of at most %d numbers expected", t->name,
                 TVK_ST_MAX_DIMS);
    t->dim_count = (uint32_t)json_array_size(shape);
    t->elems = 1;
    for (uint32_t i = 0; i < t->dim_count; i++)
        if (!get_u64(json_array_get(shape, i), &t->dims[i]) ||
            !tvk_mul_u64(t->elems, t->dims[i], &t->elems))
            TVK_FAIL(TVK_ERR_FORMAT, "tensor '%.80s': shape: entry %" PRIu32 " is no valid size",
                     t->name, i);
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !get_u64(json_array_get(offsets, 0), &t->begin) ||
        !get_u64(json_array_get(offsets, 1), &t->end))
        TVK_FAIL(TVK_ERR_FORMAT, "tensor '%.80s': data_offsets: two numbers expected", t->name);
    if (t->begin > t->end || t->end > data_bytes)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "the file is cut short or broken: tensor '%.80s' expects bytes %" PRIu64
                 " to %" PRIu64 " of the data, there are %" PRIu64,
                 t->name, t->begin, t->end, data_bytes);
    if (!tvk_mul_u64(t->elems, types[t->type].bytes, &bytes) || bytes != t->end - t->begin)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "tensor '%.80s': %" PRIu64 " bytes expected for its shape and type, %" PRIu64
                 " found in data_offsets",
                 t->name, bytes, t->end - t->begin);
    t->data = data + t->begin;
fail:
    return st;
}

static int compare_begin(const void *a, const void *b)
{
    const tvk_st_tensor *x = *(const tvk_st_tensor *const *)a;
    const tvk_st_tensor *y = *(const tvk_st_tensor *const *)b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static tvk_status check_overlap(const tvk_safetensors *s, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_st_tensor **sorted = malloc((s->tensor_count + (size_t)1) * sizeof *sorted);
    TVK_TRY_ALLOC(sorted);
    for (uint32_t i = 0; i < s->tensor_count; i++) sorted[i] = &s->tensors[i];
    qsort(sorted, s->tensor_count, sizeof *sorted, compare_begin);
    for (uint32_t i = 1; i < s->tensor_count; i++)
        if (sorted[i]->begin < sorted[i - 1]->end)
            TVK_FAIL(TVK_ERR_FORMAT, "tensors '%.80s' and '%.80s' overlap", sorted[i - 1]->name,
                     sorted[i]->name);
fail:
    free(sorted);
    return st;
}

tvk_status tvk_safetensors_parse(const void *bytes, size_t size, tvk_safetensors **out,
                                 tvk_error *err)
{
    tvk_status st = TVK_OK;
    const unsigned char *p = bytes;
    uint64_t header = 0;
    json_t *root = NULL, *entry;
    const char *name;
    tvk_safetensors *s;
    *out = NULL;
    s = calloc(1, sizeof *s);
    TVK_TRY_ALLOC(s);
    if (size < 8)
        TVK_FAIL(TVK_ERR_FORMAT, "the file is cut short: 8 bytes expected, %zu found", size);
    header = tvk_load_u64(p);
    if (header > size - 8 || header > MAX_HEADER_BYTES)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "no safetensors file, or cut short: a header of %" PRIu64
                 " bytes expected at byte 8, %zu found",
                 header, size - 8);
    TVK_TRY(tvk_json_parse(p + 8, (size_t)header, "the JSON header", &root, err));
    if (!json_is_object(root)) TVK_FAIL(TVK_ERR_FORMAT, "the header: a JSON object expected");
    s->tensors = tvk_arena_alloc(&s->arena, json_object_size(root), sizeof *s->tensors);
    TVK_TRY_ALLOC(s->tensors);
    TVK_TRY_ALLOC(tvk_map_init(&s->names, json_object_size(root)));
    json_object_foreach(root, name, entry)
    {
        tvk_st_tensor *t = &s->tensors[s->tensor_count];
        if (strcmp(name, "__metadata__") == 0) continue;
        t->name = tvk_arena_strdup(&s->arena, name, strlen(name));
        TVK_TRY_ALLOC(t->name);
        TVK_TRY(read_tensor(t, entry, p + 8 + header, size - 8 - header, err));
        tvk_map_add(&s->names, t->name, strlen(t->name), s->tensor_count++);
    }
    TVK_TRY(check_overlap(s, err));
    *out = s;
    s = NULL;
fail:
    json_decref(root);
    tvk_safetensors_destroy(&s);
    return st;
}

void tvk_safetensors_destroy(tvk_safetensors **st)
{
    if (!*st) return;
    tvk_map_free(&(*st)->names);
    tvk_arena_free(&(*st)->arena);
    free(*st);
    *st = NULL;
}
