/* GGUF: parsing, what `inspect` reads, the model's description, the tokenizer of the file. */
#include "target.h"

#include <stdlib.h>

#include "ternvk/loader.h"

static void read_metadata(const tvk_file *file)
{
    for (uint32_t i = 0; i < tvk_file_meta_count(file); i++) {
        const char *key;
        char type[32], value[64];
        tvk_file_meta(file, i, &key, type, sizeof type, value, sizeof value);
    }
}

/* Every byte of every tensor must be there. */
static void read_tensors(const tvk_weight_source *s)
{
    for (uint32_t i = 0; i < s->tensor_count(s->user); i++) {
        const tvk_tensor *t = s->tensor_at(s->user, i);
        const volatile unsigned char *data = t->data;
        fuzz_require(s->tensor(s->user, t->name) == t, "a tensor is found by its name");
        if (t->bytes) (void)(data[0] + data[t->bytes - 1]);
    }
}

static void describe(const tvk_weight_source *s)
{
    static const tvk_model_params params[] = {
        {0}, {.act = TVK_ACT_NONE}, {.act = TVK_ACT_A48, .kv_k = TVK_KV_Q3, .kv_v = TVK_KV_Q3}};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
        tvk_model_info info;
        tvk_error err = {0};
        tvk_status st = tvk_model_describe(s, &params[i], &info, &err);
        fuzz_require(st == TVK_OK || fuzz_is_reason(err.text),
                     "a failure has a reason of one line");
    }
}

static void tokenize(const tvk_file *file)
{
    static const char text[] = "Once 123 <s>\xc3\xa9\xff it's\r\n  a <|eot_id|> \xf0\x9f\x98\x80";
    tvk_tokenizer *t = NULL;
    tvk_error err = {0};
    int32_t *ids = NULL;
    uint32_t count = 0;
    if (tvk_tokenizer_create(file, &t, &err) != TVK_OK) {
        fuzz_require(fuzz_is_reason(err.text), "a failure has a reason of one line");
        return;
    }
    if (tvk_tokenize(t, text, sizeof text - 1, true, true, &ids, &count, &err) == TVK_OK) {
        for (uint32_t i = 0; i < count; i++) {
            const char *bytes;
            size_t n;
            fuzz_require(ids[i] >= 0 && (uint32_t)ids[i] < tvk_tokenizer_vocab(t),
                         "ids are of the vocabulary");
            tvk_token_bytes(t, ids[i], i == 0, true, &bytes, &n);
            if (n) (void)*(const volatile char *)(bytes + n - 1);
        }
    }
    free(ids);
    tvk_tokenizer_destroy(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tvk_file *file = NULL;
    tvk_error err = {0};
    if (tvk_file_open_memory(data, size, "fuzz.gguf", &file, &err) != TVK_OK) {
        fuzz_require(!file && fuzz_is_reason(err.text), "a failure has a reason and no file");
        return 0;
    }
    read_metadata(file);
    read_tensors(tvk_file_source(file));
    describe(tvk_file_source(file));
    tokenize(file);
    tvk_file_close(&file);
    return 0;
}
