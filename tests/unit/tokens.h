/* A vocabulary from a file, and what a text becomes with it. */
#ifndef TEST_TOKENS_H
#define TEST_TOKENS_H

#include "loader_files.h"

#include "ternvk/loader.h"

#define COUNT(a) ((uint32_t)(sizeof(a) / sizeof *(a)))

static inline tvk_tokenizer *open_tokenizer(const char *path)
{
    tvk_file *file = NULL;
    tvk_tokenizer *t = NULL;
    tvk_error err = {0};
    if (tvk_file_open(path, &file, &err) != TVK_OK) fail_msg("%s", err.text);
    if (tvk_tokenizer_create(file, &t, &err) != TVK_OK) fail_msg("%s", err.text);
    tvk_file_close(&file); /* the tokenizer stands by itself */
    return t;
}

static inline void expect_ids(const tvk_tokenizer *t, const char *text, size_t bytes, bool add,
                              bool special, const int32_t *expected, uint32_t expected_count)
{
    int32_t *ids = NULL;
    uint32_t count = 0;
    tvk_error err = {0};
    char *copy = (char *)exact_copy(text, bytes);
    if (tvk_tokenize(t, copy, bytes, add, special, &ids, &count, &err) != TVK_OK)
        fail_msg("%s", err.text);
    assert_int_equal(count, expected_count);
    for (uint32_t i = 0; i < count; i++) assert_int_equal(ids[i], expected[i]);
    free(copy);
    free(ids);
}
#define EXPECT(t, text, add, special, ...)                                                         \
    expect_ids(t, text, sizeof(text) - 1, add, special, (const int32_t[]){__VA_ARGS__},            \
               COUNT(((const int32_t[]){__VA_ARGS__})))

#endif
