#include "gguf_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/disk.h"
#include "base/dtype.h"
#include "bytes.h"

#define GGUF_VERSION 3

typedef struct out_tensor {
    tvk_tensor tensor;
    tvk_gguf_source source;
    void *user;
} out_tensor;

struct tvk_gguf_writer {
    tvk_arena arena;
    unsigned char *meta;
    size_t meta_bytes, meta_room;
    uint64_t kv_count;
    char **keys; /* [kv_count] */
    size_t key_room;
    out_tensor *tensors;
    size_t tensor_count, tensor_room;
    bool failed; /* an allocation */
};

struct tvk_gguf_sink {
    FILE *file;
    const char *path;
    uint64_t written, total; /* of all tensor data, for the progress */
    uint64_t left;           /* of this tensor */
    const char *tensor;
    const tvk_progress *progress;
};

static const uint32_t type_numbers[TVK_DTYPE_COUNT] = {
    [TVK_F32] = 0,    [TVK_F16] = 1,   [TVK_BF16] = 30, [TVK_Q8_0] = 8, [TVK_TQ1_0] = 34,
    [TVK_TQ2_0] = 35, [TVK_I2_S] = 36, [TVK_I8] = 24,   [TVK_Q4_0] = 2, [TVK_Q6_K] = 14,
};

tvk_gguf_writer *tvk_gguf_writer_create(void)
{
    return calloc(1, sizeof(tvk_gguf_writer));
}

void tvk_gguf_writer_destroy(tvk_gguf_writer **writer)
{
    if (!*writer) return;
    free((*writer)->meta);
    free((*writer)->keys);
    free((*writer)->tensors);
    tvk_arena_free(&(*writer)->arena);
    free(*writer);
    *writer = NULL;
}

/* ---- metadata ---- */

static void append(tvk_gguf_writer *w, const void *data, size_t bytes)
{
    if (w->failed) return;
    if (bytes > w->meta_room - w->meta_bytes) {
        size_t room = (w->meta_bytes + bytes) * 2 + 1024;
        unsigned char *more = realloc(w->meta, room);
        if (!more) {
            w->failed = true;
            return;
        }
        w->meta = more;
        w->meta_room = room;
    }
    if (bytes) memcpy(w->meta + w->meta_bytes, data, bytes);
    w->meta_bytes += bytes;
}

static void append_u32(tvk_gguf_writer *w, uint32_t v)
{
    unsigned char b[4];
    tvk_store_u32(b, v);
    append(w, b, sizeof b);
}

static void append_u64(tvk_gguf_writer *w, uint64_t v)
{
    unsigned char b[8];
    tvk_store_u64(b, v);
    append(w, b, sizeof b);
}

static void append_str(tvk_gguf_writer *w, const char *s, size_t bytes)
{
    append_u64(w, bytes);
    append(w, s, bytes);
}

static void append_key(tvk_gguf_writer *w, const char *key, tvk_gguf_type type)
{
    if (w->failed) return;
    if (w->kv_count == w->key_room) {
        size_t room = w->key_room * 2 + 32;
        char **more = realloc(w->keys, room * sizeof *more);
        if (more) {
            w->keys = more;
            w->key_room = room;
        }
    }
    if (w->kv_count == w->key_room ||
        !(w->keys[w->kv_count] = tvk_arena_strdup(&w->arena, key, strlen(key)))) {
        w->failed = true;
        return;
    }
    w->kv_count++;
    append_str(w, key, strlen(key));
    append_u32(w, (uint32_t)type);
}

void tvk_gguf_put_str(tvk_gguf_writer *w, const char *key, const char *value)
{
    append_key(w, key, TVK_GGUF_STRING);
    append_str(w, value, strlen(value));
}

void tvk_gguf_put_u32(tvk_gguf_writer *w, const char *key, uint32_t value)
{
    append_key(w, key, TVK_GGUF_U32);
    append_u32(w, value);
}

void tvk_gguf_put_f32(tvk_gguf_writer *w, const char *key, float value)
{
    unsigned char b[4];
    append_key(w, key, TVK_GGUF_F32);
    tvk_store_f32(b, value);
    append(w, b, sizeof b);
}

void tvk_gguf_put_bool(tvk_gguf_writer *w, const char *key, bool value)
{
    unsigned char b = value;
    append_key(w, key, TVK_GGUF_BOOL);
    append(w, &b, 1);
}

static void begin_array(tvk_gguf_writer *w, const char *key, tvk_gguf_type elem, uint64_t count)
{
    append_key(w, key, TVK_GGUF_ARRAY);
    append_u32(w, (uint32_t)elem);
    append_u64(w, count);
}

void tvk_gguf_put_raw(tvk_gguf_writer *w, const char *key, tvk_gguf_type type, tvk_gguf_type elem,
                      uint64_t count, const void *data, size_t bytes)
{
    if (type == TVK_GGUF_ARRAY)
        begin_array(w, key, elem, count);
    else
        append_key(w, key, type);
    if (type == TVK_GGUF_STRING)
        append_str(w, data, bytes);
    else
        append(w, data, bytes);
}

void tvk_gguf_begin_strings(tvk_gguf_writer *w, const char *key, uint64_t count)
{
    begin_array(w, key, TVK_GGUF_STRING, count);
}

void tvk_gguf_put_element(tvk_gguf_writer *w, const char *s, size_t bytes)
{
    append_str(w, s, bytes);
}

void tvk_gguf_put_i32s(tvk_gguf_writer *w, const char *key, const int32_t *v, uint64_t count)
{
    begin_array(w, key, TVK_GGUF_I32, count);
    for (uint64_t i = 0; i < count; i++) append_u32(w, (uint32_t)v[i]);
}

void tvk_gguf_put_f32s(tvk_gguf_writer *w, const char *key, const float *v, uint64_t count)
{
    begin_array(w, key, TVK_GGUF_F32, count);
    for (uint64_t i = 0; i < count; i++) {
        unsigned char b[4];
        tvk_store_f32(b, v[i]);
        append(w, b, sizeof b);
    }
}

/* ---- tensors ---- */

tvk_status tvk_gguf_add_tensor(tvk_gguf_writer *w, const char *name, tvk_dtype type,
                               uint32_t dim_count, const uint64_t *dims, tvk_gguf_source source,
                               void *user, tvk_error *err)
{
    tvk_status st = TVK_OK;
    out_tensor *t;
    uint64_t rows = 1;
    if (w->tensor_count == w->tensor_room) {
        size_t room = w->tensor_room * 2 + 64;
        out_tensor *more = realloc(w->tensors, room * sizeof *more);
        TVK_TRY_ALLOC(more);
        w->tensors = more;
        w->tensor_room = room;
    }
    t = &w->tensors[w->tensor_count];
    memset(t, 0, sizeof *t);
    t->tensor.name = tvk_arena_strdup(&w->arena, name, strlen(name));
    TVK_TRY_ALLOC(t->tensor.name);
    t->tensor.type = type;
    t->tensor.dim_count = dim_count;
    for (uint32_t i = 0; i < dim_count; i++) {
        t->tensor.dims[i] = dims[i];
        if (i > 0 && !tvk_mul_u64(rows, dims[i], &rows)) rows = UINT64_MAX;
    }
    if (!tvk_dtype_bytes(type, rows, dims[0], &t->tensor.bytes))
        TVK_FAIL(TVK_ERR_ARG, "tensor '%.80s': [%" PRIu64 ", %" PRIu64 "] is not a shape of %s",
                 name, rows, dims[0], tvk_dtype_name(type));
    t->source = source;
    t->user = user;
    w->tensor_count++;
fail:
    return st;
}

static tvk_status put_bytes(tvk_gguf_sink *sink, const void *bytes, size_t count, tvk_error *err)
{
    if (count == 0 || fwrite(bytes, 1, count, sink->file) == count) return TVK_OK;
    return tvk_error_set(err, TVK_ERR_IO, __FILE__, __LINE__, "%.300s: cannot be written: %s",
                         sink->path, strerror(errno));
}

tvk_status tvk_gguf_emit(tvk_gguf_sink *sink, const void *bytes, size_t count, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_progress *p = sink->progress;
    if (count > sink->left)
        TVK_FAIL(TVK_ERR_INTERNAL, "tensor '%.80s': more bytes than its shape has", sink->tensor);
    TVK_TRY(put_bytes(sink, bytes, count, err));
    sink->left -= count;
    sink->written += count;
    if (p && p->fn && !p->fn(p->user, "converting", sink->written, sink->total))
        TVK_FAIL(TVK_ERR_CANCELLED, "cancelled");
fail:
    return st;
}

static tvk_status put_padding(tvk_gguf_sink *sink, uint64_t bytes, tvk_error *err)
{
    static const unsigned char zeros[TVK_GGUF_ALIGNMENT];
    uint64_t rest = bytes % TVK_GGUF_ALIGNMENT;
    return rest ? put_bytes(sink, zeros, (size_t)(TVK_GGUF_ALIGNMENT - rest), err) : TVK_OK;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Nobody needs the keys in the order in which they came. */
static tvk_status check_keys(tvk_gguf_writer *w, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (w->kv_count) qsort(w->keys, (size_t)w->kv_count, sizeof *w->keys, compare_keys);
    for (uint64_t i = 1; i < w->kv_count; i++)
        if (strcmp(w->keys[i - 1], w->keys[i]) == 0)
            TVK_FAIL(TVK_ERR_INTERNAL, "metadata key '%.80s' twice", w->keys[i]);
fail:
    return st;
}

static void append_table(tvk_gguf_writer *w)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < w->tensor_count; i++) {
        const tvk_tensor *t = &w->tensors[i].tensor;
        append_str(w, t->name, strlen(t->name));
        append_u32(w, t->dim_count);
        for (uint32_t d = 0; d < t->dim_count; d++) append_u64(w, t->dims[d]);
        append_u32(w, type_numbers[t->type]);
        append_u64(w, offset);
        offset += tvk_round_up(t->bytes, TVK_GGUF_ALIGNMENT);
    }
}

static tvk_status write_all(tvk_gguf_writer *w, tvk_gguf_sink *sink, tvk_error *err)
{
    tvk_status st;
    unsigned char header[24];
    size_t meta_bytes = w->meta_bytes; /* a second write begins where the first did */
    memcpy(header, "GGUF", 4);
    tvk_store_u32(header + 4, GGUF_VERSION);
    tvk_store_u64(header + 8, w->tensor_count);
    tvk_store_u64(header + 16, w->kv_count);
    append_table(w);
    if (w->failed) TVK_FAIL(TVK_ERR_HOST_MEMORY, "out of host memory");
    TVK_TRY(put_bytes(sink, header, sizeof header, err));
    TVK_TRY(put_bytes(sink, w->meta, w->meta_bytes, err));
    TVK_TRY(put_padding(sink, sizeof header + w->meta_bytes, err));
    for (size_t i = 0; i < w->tensor_count; i++) sink->total += w->tensors[i].tensor.bytes;
    for (size_t i = 0; i < w->tensor_count; i++) {
        const out_tensor *t = &w->tensors[i];
        sink->left = t->tensor.bytes;
        sink->tensor = t->tensor.name;
        TVK_TRY(t->source(t->user, sink, err));
        if (sink->left != 0)
            TVK_FAIL(TVK_ERR_INTERNAL, "tensor '%.80s': %" PRIu64 " bytes are missing",
                     sink->tensor, sink->left);
        TVK_TRY(put_padding(sink, t->tensor.bytes, err));
    }
fail:
    w->meta_bytes = meta_bytes;
    return st;
}

/* PATH.part, malloc'd; NULL when malloc fails. */
static char *part_of(const char *path)
{
    char *part = malloc(strlen(path) + sizeof ".part");
    if (!part) return NULL;
    memcpy(part, path, strlen(path));
    memcpy(part + strlen(path), ".part", sizeof ".part");
    return part;
}

tvk_status tvk_gguf_check_output(const char *path, bool overwrite, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_path_kind found = tvk_path_look(path);
    char *part = part_of(path);
    TVK_TRY_ALLOC(part);
    if (found == TVK_PATH_FILE && !overwrite)
        TVK_FAIL(TVK_ERR_ARG, "%.300s: is there already", path);
    if (found == TVK_PATH_OTHER)
        TVK_FAIL(TVK_ERR_ARG, "%.300s: a new file or a regular one expected, something else found",
                 path);
    if (tvk_path_look(part) != TVK_PATH_NONE) /* it could be the input */
        TVK_FAIL(TVK_ERR_ARG,
                 "%.300s: is there already: another conversion writes it, or one was cut off and "
                 "it can be removed",
                 part);
fail:
    free(part);
    return st;
}

tvk_status tvk_gguf_write(tvk_gguf_writer *w, const char *path, bool overwrite,
                          const tvk_progress *progress, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_gguf_sink sink = {.path = path, .progress = progress};
    char *part = NULL;
    bool made = false;
    if (w->failed) TVK_FAIL(TVK_ERR_HOST_MEMORY, "out of host memory");
    TVK_TRY(check_keys(w, err));
    TVK_TRY(tvk_gguf_check_output(path, overwrite, err));
    part = part_of(path);
    TVK_TRY_ALLOC(part);
    sink.file = tvk_disk_open(part, TVK_DISK_NEW);
    if (!sink.file) TVK_FAIL(TVK_ERR_IO, "%.300s: cannot be written: %s", part, strerror(errno));
    made = true;
    TVK_TRY(write_all(w, &sink, err));
    if (!tvk_disk_sync(sink.file))
        TVK_FAIL(TVK_ERR_IO, "%.300s: cannot be written: %s", part, strerror(errno));
    if (fclose(sink.file) != 0) {
        sink.file = NULL;
        TVK_FAIL(TVK_ERR_IO, "%.300s: cannot be written: %s", part, strerror(errno));
    }
    sink.file = NULL;
    TVK_TRY(tvk_disk_replace(part, path, err));
    made = false;
fail:
    if (sink.file) fclose(sink.file);
    if (made) tvk_disk_remove(part);
    free(part);
    return st;
}
