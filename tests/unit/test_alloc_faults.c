/* Every allocation of opening, describing, tokenizing, chatting and converting fails in turn: the
 * caller gets the reason, nothing leaks, no half-written file stays. */
#define TEST_NAME "test_alloc_faults"
#define _POSIX_C_SOURCE 200809L
#include "loader_files.h"

#include <sys/stat.h>

#include "support/alloc_faults.h"
#include "support/hf_folder.h"
#include "ternvk/chat.h"
#include "ternvk/loader.h"

#define CORPUS TVK_SOURCE_DIR "/tests/fuzz/corpus/"

typedef struct scenario {
    const char *in, *type;
    tvk_status (*run)(const struct scenario *s, tvk_error *err);
    uint32_t least; /* allocations that the scenario makes at least */
    bool json;      /* Jansson misreads a text when some allocations fail: other reasons too */
} scenario;

static tvk_status use_file(const scenario *s, tvk_error *err)
{
    static const char text[] = "ab it's 123 \xc3\xa9";
    tvk_file *file = NULL;
    tvk_tokenizer *tokenizer = NULL;
    tvk_model_info info;
    const tvk_chat_template *chat = NULL;
    int32_t *ids = NULL, *message = NULL, *answer = NULL;
    uint32_t count;
    tvk_status st = tvk_file_open(s->in, &file, err);
    if (st == TVK_OK) st = tvk_model_describe(tvk_file_source(file), NULL, &info, err);
    if (st == TVK_OK) st = tvk_tokenizer_create(file, &tokenizer, err);
    if (st == TVK_OK)
        st = tvk_tokenize(tokenizer, text, sizeof text - 1, true, true, &ids, &count, err);
    if (st == TVK_OK) st = tvk_chat_choose(file, tokenizer, "llama3", &chat, NULL, err);
    if (st == TVK_OK)
        st = tvk_chat_message(chat, tokenizer, TVK_CHAT_USER, text, sizeof text - 1, &message,
                              &count, err);
    if (st == TVK_OK) st = tvk_chat_answer(chat, tokenizer, &answer, &count, err);
    free(ids);
    free(message);
    free(answer);
    tvk_tokenizer_destroy(&tokenizer);
    tvk_file_close(&file);
    return st;
}

static tvk_status convert(const scenario *s, tvk_error *err)
{
    const char *out = temp_path("out.gguf");
    const tvk_convert_params params = {.type = s->type, .overwrite = true};
    tvk_status st = tvk_convert(s->in, out, &params, err);
    FILE *part = fopen(temp_path("out.gguf.part"), "rb");
    if (part) fclose(part);
    assert_null(part);
    if (st == TVK_OK) remove(out);
    return st;
}

static tvk_status convert_tokenizer(const scenario *s, tvk_error *err)
{
    const char *out = temp_path("out.gguf");
    const tvk_convert_params params = {.tokenizer = s->in, .overwrite = true};
    tvk_status st = tvk_convert(CORPUS "gguf/bitnet-f16-relu2", out, &params, err);
    if (st == TVK_OK) remove(out);
    return st;
}

static void fail_each(const scenario *s, bool all)
{
    for (uint32_t n = 1;; n++) {
        tvk_error err = {0};
        int64_t before = alloc_live();
        tvk_status st;
        bool failed;
        alloc_fail_at(n, all);
        st = s->run(s, &err);
        failed = alloc_failed();
        alloc_fail_at(0, false);
        if (alloc_live() != before)
            fail_msg("%s: allocation %u: %d blocks leak", s->in, n, (int)(alloc_live() - before));
        if (!failed) {
            if (st != TVK_OK) fail_msg("%s: %s", s->in, err.text);
            if (n <= s->least) fail_msg("%s: %u allocations", s->in, n - 1);
            return;
        }
        /* regexes run without machine code when there is no memory for it */
        if (st != TVK_OK && !err.text[0]) fail_msg("%s: allocation %u: no reason", s->in, n);
        if (st != TVK_OK && st != TVK_ERR_HOST_MEMORY && !s->json)
            fail_msg("%s: allocation %u fails: status %d, '%s'", s->in, n, (int)st, err.text);
    }
}

static void every_allocation_fails(void **state)
{
    char folder[] = TEST_NAME ".folder";
    const scenario scenarios[] = {
        {CORPUS "gguf/bitnet-bpe", NULL, use_file, 10, false},
        {CORPUS "gguf/llama-spm-v2", NULL, use_file, 10, false},
        {TVK_SOURCE_DIR "/models/stories-fp16-00001-of-00003.gguf", NULL, use_file, 10, false},
        {CORPUS "gguf/bitnet-bpe", NULL, convert, 10, false},
        {CORPUS "gguf/bitnet-bpe", "f32", convert, 10, false},
        {CORPUS "tokenizer/llama3", NULL, convert_tokenizer, 10, true},
        {CORPUS "tokenizer/llama2c", NULL, convert_tokenizer, 10, false},
        {CORPUS "tokenizer/sentencepiece", NULL, convert_tokenizer, 10, false},
        {CORPUS "tokenizer/spm-like", NULL, convert_tokenizer, 10, true},
        {folder, NULL, convert, 10, true},
        {folder, "f32", convert, 10, true},
    };
    size_t bytes;
    unsigned char *safetensors = hf_folder_safetensors(&bytes);
    (void)state;
    assert_non_null(safetensors);
    mkdir(folder, 0777);
    write_file(TEST_NAME ".folder/config.json", hf_folder_config(), strlen(hf_folder_config()));
    write_file(TEST_NAME ".folder/model.safetensors", safetensors, bytes);
    free(safetensors);
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        fail_each(&scenarios[i], false);
        fail_each(&scenarios[i], true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
