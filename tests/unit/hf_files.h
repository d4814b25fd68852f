/* Folders in Hugging Face's form and tensors of GGUF files, written and decoded apart from loader/.
 */
#ifndef TEST_HF_FILES_H
#define TEST_HF_FILES_H

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf_codes.h"

/* ---- folders ---- */

typedef struct hf_weights {
    buf header, data; /* of a safetensors file */
} hf_weights;

static inline void hf_remove(const char *folder)
{
    DIR *d = opendir(folder);
    const struct dirent *e;
    char path[512];
    while (d && (e = readdir(d)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.') remove(path);
    }
    if (d) closedir(d);
    rmdir(folder);
}

static inline void hf_bytes(const char *folder, const char *name, const void *data, size_t bytes)
{
    char path[512];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    write_file(path, data, bytes);
}

static inline void hf_text(const char *folder, const char *name, const char *text)
{
    hf_bytes(folder, name, text, strlen(text));
}

/* n 0: a vector. The data follows, with put() on w->data, before the next call. */
static inline void hf_tensor(hf_weights *w, const char *name, const char *dtype, size_t n, size_t k)
{
    static const struct {
        const char *name;
        size_t bytes;
    } types[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"U8", 1}};
    char line[512], rows[32] = "";
    size_t bytes = (n ? n : 1) * k;
    for (int i = 0; i < 4; i++)
        if (strcmp(types[i].name, dtype) == 0) bytes *= types[i].bytes;
    if (n) snprintf(rows, sizeof rows, "%zu,", n);
    snprintf(line, sizeof line,
             "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[%s%zu],\"data_offsets\":[%zu,%zu]}",
             w->header.size ? ',' : '{', name, dtype, rows, k, w->data.size, w->data.size + bytes);
    put(&w->header, line, strlen(line));
}

static inline void put_value(buf *b, const char *dtype, float v)
{
    if (strcmp(dtype, "F32") == 0)
        put_f32(b, v);
    else if (strcmp(dtype, "F16") == 0)
        put_le(b, tvk_f32_to_f16(v), 2);
    else
        put_le(b, tvk_f32_bits(v) >> 16, 2); /* values that bfloat16 holds */
}

/* Writes the file and empties w. */
static inline void hf_save(hf_weights *w, const char *folder, const char *name)
{
    buf file = {0};
    if (!w->header.size) put(&w->header, "{", 1);
    put(&w->header, "}", 1);
    put_le(&file, w->header.size, 8);
    put(&file, w->header.data, w->header.size);
    put(&file, w->data.data, w->data.size);
    hf_bytes(folder, name, file.data, file.size);
    free_buf(&file);
    free_buf(&w->header);
    free_buf(&w->data);
}

/* ---- output ---- */

static inline const tvk_tensor *need_tensor(const tvk_weight_source *s, const char *name)
{
    const tvk_tensor *t = s->tensor(s->user, name);
    if (!t) fail_msg("the output has no %s", name);
    return t;
}

/* Value i of a float tensor. */
static inline float gguf_value(const tvk_tensor *t, uint64_t i)
{
    const unsigned char *p = t->data;
    uint16_t half = 0;
    float f = 0;
    if (t->type == TVK_F32) {
        memcpy(&f, p + 4 * i, 4);
        return f;
    }
    memcpy(&half, p + 2 * i, 2);
    assert_true(t->type == TVK_F16 || t->type == TVK_BF16);
    return t->type == TVK_F16 ? tvk_f16_to_f32(half) : tvk_bf16_to_f32(half);
}

/* Row of the source behind row r of a Q or K matrix of a llama file: [h][2][D/2] of the source is
 * [h][D/2][2] in the file. */
static inline uint64_t unpermuted(uint64_t r, uint64_t head)
{
    return r / head * head + r % 2 * (head / 2) + r % head / 2;
}

#endif
