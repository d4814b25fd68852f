/* The folders of shared/data/hf in every type that holds the same values, in shards, and with the
 * shared matrix as a head of its own: not one bit of the logits may differ from the conversion
 * without flags, which test_golden compares with the word of others. What differs is made by the
 * loader, so that one driver is enough. */
#define _POSIX_C_SOURCE 200809L /* mkdir */
#include "support/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shards.h"
#include "support/device.h"

#define HF TVK_SHARED_DIR "/data/hf/"

typedef struct folder_case {
    const char *folder, *expected;
    const char *types[5]; /* NULL: no more */
} folder_case;

static const folder_case cases[] = {
    {HF "bitnet-tiny-packed", HF "bitnet-tiny-expected.npz", {"i2_s", "tq2_0", "tq1_0", "f32"}},
    {HF "bitnet-tiny-bf16", HF "bitnet-tiny-expected.npz", {"i2_s", "tq2_0", "tq1_0", "f32"}},
    {HF "llama-bitlinear", HF "llama-bitlinear-expected.npz", {"i2_s", "tq2_0", "tq1_0", "f32"}},
    {HF "llama-tiny", HF "llama-tiny-expected.npz", {"f16"}}, /* what the folder holds */
};

typedef struct tokens {
    int32_t *ids;
    uint32_t count, vocab;
} tokens;

static tokens tokens_of(const folder_case *c)
{
    tokens t;
    npy_array ids;
    need(c->folder);
    need(c->expected);
    ids = member(c->expected, "ids");
    t = (tokens){token_ids(&ids), (uint32_t)ids.count, 0};
    npy_free(&ids);
    return t;
}

/* Logits of a folder or file as `type`; the caller frees them. */
static float *run(const fixture *f, const char *in, const char *type, tokens *t)
{
    opened m = convert(f, in, type, NULL);
    float *logits = logits_of(&m, t->ids, t->count, &t->vocab);
    close_model(&m);
    return logits;
}

static void same_bits(const fixture *f, const char *in, const char *type, tokens *t,
                      const float *base)
{
    float *got = run(f, in, type, t);
    if (memcmp(got, base, (size_t)t->count * t->vocab * sizeof *got) != 0)
        fail_msg("%s as %s: other bits than the default conversion", in, type ? type : "default");
    free(got);
}

static void lossless_types(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const folder_case *c = &cases[i];
        tokens t = tokens_of(c);
        float *base = run(*state, c->folder, NULL, &t);
        for (int type = 0; type < 5 && c->types[type]; type++)
            same_bits(*state, c->folder, c->types[type], &t, base);
        free(base);
        free(t.ids);
    }
}

/* ---- a folder in two shards, the second with the embedding again as the head ---- */

#define SHARD(n) "model-0000" #n "-of-00002.safetensors"

static void *read_file(const char *folder, const char *name, size_t *bytes)
{
    char path[600];
    struct stat info;
    FILE *file;
    void *data;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(stat(path, &info), 0);
    *bytes = (size_t)info.st_size;
    data = room(*bytes + 1, 1);
    file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(data, 1, *bytes, file), *bytes);
    fclose(file);
    return data;
}

/* Up to three pieces of bytes, one after the other. */
static void write_file(const char *folder, const char *name, const void *const data[3],
                       const size_t bytes[3])
{
    char path[600];
    FILE *file;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 3; i++) assert_int_equal(fwrite(data[i], 1, bytes[i], file), bytes[i]);
    assert_int_equal(fclose(file), 0);
}

static void write_text(const char *folder, const char *name, const char *text)
{
    const void *const data[3] = {text, "", ""};
    const size_t bytes[3] = {strlen(text), 0, 0};
    write_file(folder, name, data, bytes);
}

static void copy_config(const char *from, const char *to)
{
    static const char tied[] = "\"tie_word_embeddings\": true";
    size_t bytes;
    char *text = read_file(from, "config.json", &bytes), *at = strstr(text, tied);
    assert_non_null(at);
    memcpy(at, "\"tie_word_embeddings\":false", sizeof tied - 1);
    write_text(to, "config.json", text);
    free(text);
}

static void write_shards(const char *from, const char *to)
{
    const uint32_t *at;
    tvk_shards *s = NULL;
    tvk_error err = {0};
    const tvk_st_tensor *e;
    char header[256];
    unsigned char length[8] = {0};
    char *index = room(65536, 1);
    size_t bytes, n;
    void *all = read_file(from, "model.safetensors", &bytes);
    {
        const void *const data[3] = {all, "", ""};
        const size_t sizes[3] = {bytes, 0, 0};
        write_file(to, SHARD(1), data, sizes);
    }
    ok(tvk_shards_open(from, &s, &err), &err);
    at = tvk_shards_find(s, "model.embed_tokens.weight");
    assert_non_null(at);
    e = s->tensors[*at];
    snprintf(header, sizeof header,
             "{\"lm_head.weight\":{\"dtype\":\"%s\",\"shape\":[%u,%u],\"data_offsets\":[0,%u]}}",
             tvk_st_type_name(e->type), (unsigned)e->dims[0], (unsigned)e->dims[1],
             (unsigned)(e->end - e->begin));
    length[0] = (unsigned char)strlen(header);
    {
        const void *const data[3] = {length, header, e->data};
        const size_t sizes[3] = {8, strlen(header), (size_t)(e->end - e->begin)};
        write_file(to, SHARD(2), data, sizes);
    }
    n = (size_t)snprintf(index, 65536, "{\"weight_map\":{\"lm_head.weight\":\"" SHARD(2) "\"");
    for (uint32_t i = 0; i < s->tensor_count; i++)
        n +=
            (size_t)snprintf(index + n, 65536 - n, ",\"%s\":\"" SHARD(1) "\"", s->tensors[i]->name);
    snprintf(index + n, 65536 - n, "}}");
    write_text(to, "model.safetensors.index.json", index);
    tvk_shards_close(&s);
    free(index);
    free(all);
}

/* The tied model's logits, from a matrix that is there twice. */
static void untied_shards(void **state)
{
    static const char *const files[] = {"config.json", "model.safetensors.index.json", SHARD(1),
                                        SHARD(2)};
    char folder[512], path[600];
    test_temp_path(folder, sizeof folder, "golden_types.folder");
    for (size_t i = 0; i < 2; i++) {
        tokens t = tokens_of(&cases[i]);
        float *base = run(*state, cases[i].folder, NULL, &t);
        mkdir(folder, 0777);
        copy_config(cases[i].folder, folder);
        write_shards(cases[i].folder, folder);
        same_bits(*state, folder, NULL, &t, base);
        same_bits(*state, folder, "tq2_0", &t, base);
        for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
            snprintf(path, sizeof path, "%s/%s", folder, files[f]);
            remove(path);
        }
        rmdir(folder);
        free(base);
        free(t.ids);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lossless_types),
        cmocka_unit_test(untied_shards),
        cmocka_unit_test(validation_is_silent),
    };
    int missing = no_device();
    if (missing) return missing;
    return cmocka_run_group_tests_name("golden types", tests, set_up, tear_down) > 0;
}
