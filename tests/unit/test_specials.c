/* The longest token at a place: against looking at all of them, and on a vocabulary made to be
 * slow. */
#define TEST_NAME "test_specials"
#include "loader_files.h"

#include "tokenizer.h"

#define MANY 100000

typedef struct vocabulary {
    tvk_tokenizer t;
    tvk_specials specials;
    char (*texts)[24];
} vocabulary;

static bool listed(const tvk_token *token)
{
    return token->type == TVK_TOKEN_USER_DEFINED;
}

static void make(vocabulary *v, uint32_t count)
{
    memset(v, 0, sizeof *v);
    v->t.vocab = count;
    v->t.tokens = calloc(count, sizeof *v->t.tokens);
    v->texts = calloc(count, sizeof *v->texts);
    assert_true(v->t.tokens && v->texts);
}

static void set(vocabulary *v, uint32_t id, const char *text, int32_t type)
{
    snprintf(v->texts[id], sizeof *v->texts, "%s", text);
    v->t.tokens[id] = (tvk_token){
        .text = v->texts[id], .text_bytes = (uint32_t)strlen(v->texts[id]), .type = type};
}

static void drop(vocabulary *v)
{
    tvk_arena_free(&v->t.arena);
    free(v->t.tokens);
    free(v->texts);
}

static int32_t look_at_all(const vocabulary *v, const char *text, size_t bytes)
{
    int32_t best = -1;
    for (uint32_t id = 0; id < v->t.vocab; id++) {
        const tvk_token *token = &v->t.tokens[id];
        if (!listed(token) || token->text_bytes > bytes) continue;
        if (memcmp(token->text, text, token->text_bytes) != 0) continue;
        if (best < 0 || token->text_bytes > v->t.tokens[best].text_bytes) best = (int32_t)id;
    }
    return best;
}

static void agrees_with_looking_at_all(void **state)
{
    uint64_t random = 11;
    (void)state;
    for (int round = 0; round < 200; round++) {
        vocabulary v;
        char text[24];
        make(&v, 30);
        for (uint32_t id = 0; id < v.t.vocab; id++) { /* 1 to 6 letters of two: many begin alike */
            uint32_t length = 1 + random_u32(&random) % 6;
            for (uint32_t i = 0; i < length; i++) text[i] = (char)('a' + random_u32(&random) % 2);
            text[length] = 0;
            set(&v, id, text, random_u32(&random) % 4 ? TVK_TOKEN_USER_DEFINED : TVK_TOKEN_NORMAL);
        }
        assert_int_equal(tvk_specials_init(&v.t, listed, &v.specials, NULL), TVK_OK);
        for (int n = 0; n < 100; n++) {
            size_t bytes = 1 + random_u32(&random) % 8;
            for (size_t i = 0; i < bytes; i++) text[i] = (char)('a' + random_u32(&random) % 3);
            assert_int_equal(tvk_specials_find(&v.t, &v.specials, text, bytes),
                             look_at_all(&v, text, bytes));
        }
        drop(&v);
    }
}

/* Texts with one long common beginning: a place must not cost a look at all of them. The test's
 * time limit is the assertion: 20,000 places times 100,000 tokens would take minutes. */
static void many_that_begin_alike(void **state)
{
    vocabulary v;
    char text[24];
    (void)state;
    make(&v, MANY);
    for (uint32_t id = 0; id < MANY; id++) {
        snprintf(text, sizeof text, "aaaaaaaaaaaaaaa%06u", id);
        set(&v, id, text, TVK_TOKEN_USER_DEFINED);
    }
    assert_int_equal(tvk_specials_init(&v.t, listed, &v.specials, NULL), TVK_OK);
    for (uint32_t n = 0; n < 20000; n++) {
        snprintf(text, sizeof text, "aaaaaaaaaaaaaaa%06u", n * 7 % MANY);
        assert_int_equal(tvk_specials_find(&v.t, &v.specials, text, strlen(text)), n * 7 % MANY);
        assert_int_equal(tvk_specials_find(&v.t, &v.specials, text, strlen(text) - 1), -1);
    }
    drop(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_looking_at_all),
                                       cmocka_unit_test(many_that_begin_alike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
