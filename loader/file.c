/* An opened model file: one GGUF or all parts of a split one, as the runtime's weight source. */
#include "file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/disk.h"
#include "base/text.h"

#define MAX_PARTS 1000

typedef struct part {
    tvk_mapping mapping; /* its data is borrowed in a file that was opened in memory */
    tvk_gguf *gguf;
} part;

struct tvk_file {
    tvk_weight_source source;
    char *path;
    part *parts;
    uint32_t part_count;
    bool borrowed;
    const tvk_tensor **tensors; /* of all parts, in file order */
    uint32_t tensor_count;
    tvk_map names;
};

static const tvk_gguf *first(const tvk_file *file)
{
    return file->parts[0].gguf;
}

const tvk_gguf_kv *tvk_file_find(const tvk_file *file, const char *key)
{
    return tvk_gguf_find(first(file), key);
}

uint32_t tvk_file_kv_count(const tvk_file *file)
{
    return first(file)->kv_count;
}

const tvk_gguf_kv *tvk_file_kv(const tvk_file *file, uint32_t i)
{
    return &first(file)->kvs[i];
}

/* ---- weight source ---- */

static const tvk_tensor *src_tensor(void *user, const char *name)
{
    const tvk_file *file = user;
    const uint32_t *i = tvk_map_find(&file->names, name, strlen(name));
    return i ? file->tensors[*i] : NULL;
}

static uint32_t src_tensor_count(void *user)
{
    return ((const tvk_file *)user)->tensor_count;
}

static const tvk_tensor *src_tensor_at(void *user, uint32_t index)
{
    const tvk_file *file = user;
    return index < file->tensor_count ? file->tensors[index] : NULL;
}

static const tvk_gguf_kv *src_find(void *user, const char *key, tvk_error *err)
{
    if (err) {
        err->status = TVK_OK; /* tells "absent" from "of another type" */
        err->text[0] = 0;
    }
    return tvk_file_find(user, key);
}

static bool wrong_type(const tvk_gguf_kv *kv, const char *expected, tvk_error *err)
{
    tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__, "key '%.80s': %s expected, %s found",
                  kv->key, expected, tvk_gguf_type_name(kv->type));
    return false;
}

static bool src_get_u64(void *user, const char *key, uint64_t *out, tvk_error *err)
{
    const tvk_gguf_kv *kv = src_find(user, key, err);
    double v = 0;
    if (!kv) return false;
    if (tvk_gguf_u64(kv->type, kv->data, out)) return true;
    if (kv->type != TVK_GGUF_F32 && kv->type != TVK_GGUF_F64 &&
        tvk_gguf_number(kv->type, kv->data, &v)) {
        tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                      "key '%.80s': an integer that is not negative expected, %.0f found", key, v);
        return false;
    }
    return wrong_type(kv, "an integer", err);
}

static bool src_get_f64(void *user, const char *key, double *out, tvk_error *err)
{
    const tvk_gguf_kv *kv = src_find(user, key, err);
    if (!kv) return false;
    return tvk_gguf_number(kv->type, kv->data, out) || wrong_type(kv, "a number", err);
}

static bool src_get_bool(void *user, const char *key, bool *out, tvk_error *err)
{
    const tvk_gguf_kv *kv = src_find(user, key, err);
    if (!kv) return false;
    if (kv->type != TVK_GGUF_BOOL) return wrong_type(kv, "a bool", err);
    *out = kv->data[0] != 0;
    return true;
}

static bool src_get_str(void *user, const char *key, const char **out, tvk_error *err)
{
    const tvk_gguf_kv *kv = src_find(user, key, err);
    if (!kv) return false;
    if (kv->type != TVK_GGUF_STRING) return wrong_type(kv, "a string", err);
    *out = kv->str;
    return true;
}

static uint64_t src_array_count(void *user, const char *key)
{
    const tvk_gguf_kv *kv = tvk_file_find(user, key);
    return kv && kv->type == TVK_GGUF_ARRAY ? kv->count : 0;
}

/* ---- opening ---- */

static tvk_status parse_part(const char *path, part *out, tvk_error *err)
{
    tvk_error why = {0};
    tvk_status st = tvk_gguf_parse(out->mapping.data, out->mapping.size, &out->gguf, &why);
    if (st != TVK_OK) {
        tvk_error_set(err, st, __FILE__, __LINE__, "%.180s: %.320s", path, why.text);
        if (err) {
            err->file = why.file;
            err->line = why.line;
        }
    }
    return st;
}

static tvk_status open_part(const char *path, part *out, tvk_error *err)
{
    tvk_status st;
    TVK_TRY(tvk_mapping_open(path, &out->mapping, err));
    TVK_TRY(parse_part(path, out, err));
fail:
    return st;
}

static bool split_key(const tvk_gguf *g, const char *key, uint64_t *out)
{
    const tvk_gguf_kv *kv = tvk_gguf_find(g, key);
    return kv && tvk_gguf_u64(kv->type, kv->data, out);
}

/* "model-00001-of-00003.gguf" with another part number; false when the path has no such ending. */
static bool part_path(const char *path, uint32_t number, uint32_t count, char *out, size_t bytes)
{
    char ending[32];
    size_t len = strlen(path), end;
    int n = snprintf(ending, sizeof ending, "-00001-of-%05" PRIu32 ".gguf", count);
    end = (size_t)n;
    if (len < end || strcmp(path + len - end, ending) != 0 || len >= bytes) return false;
    snprintf(out, bytes, "%.*s-%05" PRIu32 "-of-%05" PRIu32 ".gguf", (int)(len - end), path, number,
             count);
    return true;
}

static tvk_status open_other_parts(tvk_file *file, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t count = 1, number = 0, of = 0, tensors = 0, total = 0;
    char *path = NULL;
    size_t path_bytes = strlen(file->path) + 32;
    part *parts;
    if (!split_key(first(file), "split.count", &count) || count <= 1) return TVK_OK;
    if (count > MAX_PARTS)
        TVK_FAIL(TVK_ERR_FORMAT, "%.180s: split.count: 1 to %d expected, %" PRIu64 " found",
                 file->path, MAX_PARTS, count);
    if (split_key(first(file), "split.no", &number) && number != 0)
        TVK_FAIL(TVK_ERR_ARG,
                 "%.180s: this is part %" PRIu64 " of %" PRIu64
                 ": open the first part (-00001-of-%05" PRIu64 ".gguf)",
                 file->path, number + 1, count, count);
    path = malloc(path_bytes);
    TVK_TRY_ALLOC(path);
    parts = realloc(file->parts, (size_t)count * sizeof *parts);
    TVK_TRY_ALLOC(parts);
    file->parts = parts;
    memset(parts + 1, 0, ((size_t)count - 1) * sizeof *parts);
    for (uint32_t i = 1; i < count; i++) {
        if (!part_path(file->path, i + 1, (uint32_t)count, path, path_bytes))
            TVK_FAIL(TVK_ERR_FORMAT,
                     "%.180s: the first of %" PRIu64 " parts: a name ending in -00001-of-%05" PRIu64
                     ".gguf expected",
                     file->path, count, count);
        file->part_count = i + 1;
        TVK_TRY(open_part(path, &parts[i], err));
        if (!split_key(parts[i].gguf, "split.no", &number) || number != i)
            TVK_FAIL(TVK_ERR_FORMAT, "%.180s: split.no %" PRIu32 " expected, %" PRIu64 " found",
                     path, i, number);
        if (split_key(parts[i].gguf, "split.count", &of) && of != count)
            TVK_FAIL(TVK_ERR_FORMAT,
                     "%.180s: split.count %" PRIu64 " expected, as the first part has, %" PRIu64
                     " found",
                     path, count, of);
    }
    for (uint32_t i = 0; i < file->part_count; i++) total += parts[i].gguf->tensor_count;
    if (split_key(first(file), "split.tensors.count", &tensors) && tensors != total)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "%.180s: split.tensors.count is %" PRIu64 ", the parts have %" PRIu64 " tensors",
                 file->path, tensors, total);
fail:
    free(path);
    return st;
}

static tvk_status index_tensors(tvk_file *file, tvk_error *err)
{
    tvk_status st = TVK_OK;
    size_t total = 0;
    for (uint32_t i = 0; i < file->part_count; i++) total += file->parts[i].gguf->tensor_count;
    if (total > UINT32_MAX) TVK_FAIL(TVK_ERR_FORMAT, "%.180s: %zu tensors", file->path, total);
    file->tensors = calloc(total + 1, sizeof(tvk_tensor *));
    TVK_TRY_ALLOC(file->tensors);
    TVK_TRY_ALLOC(tvk_map_init(&file->names, total));
    for (uint32_t i = 0; i < file->part_count; i++) {
        const tvk_gguf *g = file->parts[i].gguf;
        for (uint32_t j = 0; j < g->tensor_count; j++) {
            const tvk_tensor *t = &g->tensors[j];
            if (!tvk_map_add(&file->names, t->name, strlen(t->name), file->tensor_count))
                TVK_FAIL(TVK_ERR_FORMAT, "%.180s: tensor '%.80s' is in two parts", file->path,
                         t->name);
            file->tensors[file->tensor_count++] = t;
        }
    }
fail:
    return st;
}

static tvk_status new_file(const char *name, tvk_file **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_file *file = calloc(1, sizeof *file);
    TVK_TRY_ALLOC(file);
    *out = file;
    file->path = malloc(strlen(name) + 1);
    TVK_TRY_ALLOC(file->path);
    memcpy(file->path, name, strlen(name) + 1);
    file->parts = calloc(1, sizeof *file->parts);
    TVK_TRY_ALLOC(file->parts);
    file->part_count = 1;
    file->source = (tvk_weight_source){
        .user = file,
        .name = file->path,
        .tensor = src_tensor,
        .tensor_count = src_tensor_count,
        .tensor_at = src_tensor_at,
        .get_u64 = src_get_u64,
        .get_f64 = src_get_f64,
        .get_bool = src_get_bool,
        .get_str = src_get_str,
        .array_count = src_array_count,
    };
fail:
    return st;
}

tvk_status tvk_file_open(const char *path, tvk_file **out, tvk_error *err)
{
    tvk_status st;
    tvk_file *file = NULL;
    *out = NULL;
    TVK_TRY(new_file(path, &file, err));
    TVK_TRY(open_part(path, &file->parts[0], err));
    TVK_TRY(open_other_parts(file, err));
    TVK_TRY(index_tensors(file, err));
    *out = file;
    file = NULL;
fail:
    tvk_file_close(&file);
    return st;
}

tvk_status tvk_file_open_memory(const void *bytes, size_t size, const char *name, tvk_file **out,
                                tvk_error *err)
{
    tvk_status st;
    tvk_file *file = NULL;
    uint64_t count = 1;
    *out = NULL;
    TVK_TRY(new_file(name, &file, err));
    file->borrowed = true;
    file->parts[0].mapping = (tvk_mapping){bytes, size};
    TVK_TRY(parse_part(name, &file->parts[0], err));
    if (split_key(first(file), "split.count", &count) && count > 1)
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "%.180s: a part of a file of %" PRIu64 " parts: only whole files are read from "
                 "memory",
                 name, count);
    TVK_TRY(index_tensors(file, err));
    *out = file;
    file = NULL;
fail:
    tvk_file_close(&file);
    return st;
}

void tvk_file_close(tvk_file **file)
{
    tvk_file *f = *file;
    if (!f) return;
    for (uint32_t i = 0; i < f->part_count; i++) {
        tvk_gguf_destroy(&f->parts[i].gguf);
        if (!f->borrowed) tvk_mapping_close(&f->parts[i].mapping);
    }
    tvk_map_free(&f->names);
    free(f->tensors);
    free(f->parts);
    free(f->path);
    free(f);
    *file = NULL;
}

const tvk_weight_source *tvk_file_source(const tvk_file *file)
{
    return &file->source;
}

uint64_t tvk_file_bytes(const tvk_file *file)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < file->part_count; i++) bytes += file->parts[i].mapping.size;
    return bytes;
}

uint32_t tvk_file_version(const tvk_file *file)
{
    return first(file)->version;
}

/* ---- display ---- */

uint32_t tvk_file_meta_count(const tvk_file *file)
{
    return tvk_file_kv_count(file);
}

static void print_text(char *out, size_t bytes, const char *s, size_t len)
{
    size_t n = len < bytes ? len : bytes - 1;
    for (size_t i = 0; i < n; i++) out[i] = s[i] ? s[i] : '.'; /* zeros are text in GGUF */
    out[n] = 0;
    tvk_text_clean(out);
}

static void print_number(char *out, size_t bytes, tvk_gguf_type type, const unsigned char *at)
{
    double v = 0;
    uint64_t u = 0;
    if (type == TVK_GGUF_BOOL)
        snprintf(out, bytes, "%s", at[0] ? "true" : "false");
    else if (tvk_gguf_u64(type, at, &u))
        snprintf(out, bytes, "%" PRIu64, u);
    else if (tvk_gguf_number(type, at, &v))
        snprintf(out, bytes, "%.9g", v);
}

static void print_array(char *out, size_t bytes, const tvk_gguf_kv *kv)
{
    const unsigned char *at = kv->data;
    size_t n = 0;
    for (uint64_t i = 0; i < kv->count && n + 1 < bytes; i++) {
        char one[64] = "";
        if (i == 8) {
            snprintf(out + n, bytes - n, ", ...");
            return;
        }
        if (kv->elem == TVK_GGUF_STRING) {
            size_t len;
            const char *s = tvk_gguf_next_str(&at, &len);
            print_text(one, sizeof one, s, len);
        } else if (kv->elem == TVK_GGUF_ARRAY) {
            snprintf(out + n, bytes - n, "...");
            return;
        } else {
            print_number(one, sizeof one, kv->elem, at);
            at += tvk_gguf_type_bytes(kv->elem);
        }
        n += (size_t)snprintf(out + n, bytes - n, "%s%s", i ? ", " : "", one);
    }
}

void tvk_file_meta(const tvk_file *file, uint32_t i, const char **key, char *type,
                   size_t type_bytes, char *value, size_t value_bytes)
{
    const tvk_gguf_kv *kv = tvk_file_kv(file, i);
    *key = kv->key;
    tvk_gguf_type_text(kv, type, type_bytes);
    if (value_bytes == 0) return;
    value[0] = 0;
    if (kv->type == TVK_GGUF_STRING)
        print_text(value, value_bytes, kv->str, kv->bytes);
    else if (kv->type == TVK_GGUF_ARRAY)
        print_array(value, value_bytes, kv);
    else
        print_number(value, value_bytes, kv->type, kv->data);
}
