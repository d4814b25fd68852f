/* llama2.c's own small model against an independent reading of its file (support/llama2c.h) and the
 * story that llama2.c's documentation prints. support/device.h says what the environment chooses.
 */
#include "support/golden.h"

#include <stdlib.h>
#include <string.h>

#include "support/llama2c.h"

#define TESTDATA TVK_SHARED_DIR "/data/testdata/"
#define STORY_TOKENS 200u

/* What doc/stories260K.md of llama2.c prints for the model at temperature 0. */
static const char story[] =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big, red ball. She wanted to play with it, but it was too high.\n"
    "Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She "
    "said, \"I want to play with your ball, but I can't find it.\"\n"
    "Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to "
    "do.\"\n"
    "Lily didn't want to help her mom, so she said, \"I'm sorry, mom. I didn't know what to do.\" "
    "Her mom said, \"Don't worry, Lily. We can help you.";

static llama2c *open_story(void)
{
    char why[256];
    need(TESTDATA "stories260K.bin");
    need(TESTDATA "tok512.bin");
    llama2c *m = llama2c_open(TESTDATA "stories260K.bin", TESTDATA "tok512.bin", why, sizeof why);
    if (!m) fail_msg("%s", why);
    return m;
}

/* The text of tokens that follow BOS, malloc'd and terminated. */
static char *story_text(const llama2c *m, const int32_t *ids, uint32_t count)
{
    char *text = room(count + 1, llama2c_max_bytes(m));
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++)
        at += llama2c_bytes(m, i ? ids[i - 1] : 1, ids[i], text + at);
    return text;
}

/* The independent reading is what llama2.c documents, to the end of what is documented. */
static void documented_story(void **state)
{
    (void)state;
    llama2c *m = open_story();
    int32_t ids[256];
    double margin;
    uint32_t count = llama2c_greedy(m, ids, 256, &margin);
    char *text = story_text(m, ids, count);
    print_message("  independent reading: %u tokens, smallest margin %.3g\n", count, margin);
    assert_int_equal(count, 256); /* run.c's default */
    assert_string_equal(text, story);
    /* A closer race could fall out differently in f32, and the comparison would mean nothing. */
    assert_true(margin > 1e-3);
    free(text);
    llama2c_close(m);
}

static void story_tokens(const opened *m, const int32_t *ids)
{
    const int32_t bos = 1;
    int32_t got[STORY_TOKENS];
    generate(m, &bos, 1, got, STORY_TOKENS);
    for (uint32_t i = 0; i < STORY_TOKENS; i++)
        if (got[i] != ids[i]) fail_msg("token %u is %d, not %d", i, (int)got[i], (int)ids[i]);
}

/* Through the tokenizer that was converted from tok512.bin, in both directions. */
static void story_through_tokenizer(const opened *m, llama2c *reading, const int32_t *ids)
{
    tvk_tokenizer *t = NULL;
    tvk_error err = {0};
    char *want = story_text(reading, ids, STORY_TOKENS), *got = room(strlen(want) + 1, 1);
    size_t at = 0, left = strlen(want);
    ok(tvk_tokenizer_create(m->file, &t, &err), &err);
    assert_int_equal(tvk_tokenizer_vocab(t), llama2c_get_config(reading)->vocab);
    assert_int_equal(tvk_tokenizer_bos(t), 1);
    for (uint32_t i = 0; i < STORY_TOKENS; i++) {
        const char *bytes;
        size_t count;
        tvk_token_bytes(t, ids[i], i == 0, false, &bytes, &count);
        assert_true(count <= left - at);
        memcpy(got + at, bytes, count);
        at += count;
    }
    assert_string_equal(got, want);
    assert_int_equal(strncmp(got, story, at), 0);

    /* The model writes its text in the tokens that the encoder would have chosen. */
    int32_t *encoded = NULL;
    uint32_t count = 0;
    ok(tvk_tokenize(t, got, at, true, false, &encoded, &count, &err), &err);
    assert_int_equal(count, STORY_TOKENS + 1);
    assert_int_equal(encoded[0], 1);
    assert_memory_equal(encoded + 1, ids, STORY_TOKENS * sizeof *ids);
    free(encoded);
    free(got);
    free(want);
    tvk_tokenizer_destroy(&t);
}

/* f32 against double: sums of at most 172 products in five layers. */
static void story_logits(const opened *m, llama2c *reading, const int32_t *ids)
{
    int32_t fed[STORY_TOKENS] = {1};
    uint32_t vocab;
    memcpy(fed + 1, ids, (STORY_TOKENS - 1) * sizeof *ids);
    float *got = logits_of(m, fed, STORY_TOKENS, &vocab);
    assert_int_equal(vocab, llama2c_get_config(reading)->vocab);
    double *want = room((size_t)STORY_TOKENS * vocab, sizeof *want);
    for (uint32_t i = 0; i < STORY_TOKENS; i++)
        llama2c_forward(reading, fed[i], i, want + (size_t)i * vocab);
    figures f = compare("stories260K", got, want, STORY_TOKENS, vocab);
    assert_true(f.worst <= 1e-5);
    assert_int_equal(f.same_best, STORY_TOKENS);
    free(want);
    free(got);
}

static void stories260k(void **state)
{
    llama2c *reading = open_story();
    int32_t ids[STORY_TOKENS];
    assert_int_equal(llama2c_greedy(reading, ids, STORY_TOKENS, NULL), STORY_TOKENS);
    opened m = convert(*state, TESTDATA "stories260K.bin", NULL, TESTDATA "tok512.bin");
    story_logits(&m, reading, ids);
    story_tokens(&m, ids);
    story_through_tokenizer(&m, reading, ids);
    close_model(&m);
    llama2c_close(reading);
}

int main(void)
{
    const struct CMUnitTest host[] = {cmocka_unit_test(documented_story)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories260k),
        cmocka_unit_test(validation_is_silent),
    };
    int failed = cmocka_run_group_tests_name("host", host, NULL, NULL), missing = no_device();
    if (missing) return failed ? 1 : missing;
    failed += cmocka_run_group_tests_name("stories260K", tests, set_up, tear_down);
    return failed > 0;
}
