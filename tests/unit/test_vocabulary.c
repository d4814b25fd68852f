/* Tokenizers of vocabularies made by hand: merges, splits, special tokens, what is refused. */
#define TEST_NAME "test_vocabulary"
#include "tokens.h"

/* ids: 0-7 bytes a b c d, space, 1 2 and newline; the rest merges and specials */
static const char *const bpe_tokens[] = {"a",
                                         "b",
                                         "c",
                                         "d",
                                         "\xc4\xa0",
                                         "1",
                                         "2",
                                         "\xc4\x8a",
                                         "ab",
                                         "abc",
                                         "\xc4\xa0"
                                         "a",
                                         "<s>",
                                         "<s>x",
                                         "<user>",
                                         "abcd"};
static const int32_t bpe_types[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 4, 1};
static const char *const bpe_merges[] = {"a b", "ab c", "\xc4\xa0 a"};

static tvk_tokenizer *make_bpe(const char *pre, tvk_error *err)
{
    buf b = {0};
    tvk_file *file = NULL;
    tvk_tokenizer *t = NULL;
    put_header(&b, 3, 0, pre ? 7 : 6);
    put_kv_str(&b, "general.architecture", "llama");
    put_kv_str(&b, "tokenizer.ggml.model", "gpt2");
    if (pre) put_kv_str(&b, "tokenizer.ggml.pre", pre);
    put_kv_strings(&b, "tokenizer.ggml.tokens", bpe_tokens, COUNT(bpe_tokens));
    put_kv_i32s(&b, "tokenizer.ggml.token_type", bpe_types, COUNT(bpe_types));
    put_kv_strings(&b, "tokenizer.ggml.merges", bpe_merges, COUNT(bpe_merges));
    put_kv_u32(&b, "tokenizer.ggml.bos_token_id", 11);
    write_file(temp_path("bpe.gguf"), b.data, b.size);
    free_buf(&b);
    assert_int_equal(tvk_file_open(temp_path("bpe.gguf"), &file, NULL), TVK_OK);
    tvk_tokenizer_create(file, &t, err);
    tvk_file_close(&file);
    remove(temp_path("bpe.gguf"));
    return t;
}

static void bpe_by_hand(void **state)
{
    tvk_error err = {0};
    tvk_tokenizer *t = make_bpe("gpt-2", &err);
    (void)state;
    assert_non_null(t);
    assert_int_equal(tvk_tokenizer_vocab(t), COUNT(bpe_tokens));
    assert_false(tvk_tokenizer_adds_bos(t));
    EXPECT(t, "abc", false, false, 9);
    EXPECT(t, "abcd", false, false, 9, 3);           /* "abcd" is a token that no merge makes */
    EXPECT(t, "ab ab a", false, false, 8, 4, 8, 10); /* by rank, not from the left */
    EXPECT(t, "aabb", false, false, 0, 8, 1);
    /* a user-defined token always, a control token when asked; the longest first */
    EXPECT(t, "a<user>b", false, false, 0, 13, 1);
    EXPECT(t, "a<s>xb", false, true, 0, 12, 1);
    EXPECT(t, "a<s>b", false, true, 0, 11, 1);
    EXPECT(t, "<s>", false, true, 11);
    expect_ids(t, "", 0, true, true, NULL, 0);
    /* bytes that are no UTF-8 and that this vocabulary lacks are dropped, nothing crashes */
    EXPECT(t,
           "a\xff"
           "b\xe2\x96",
           false, false, 0, 1);
    tvk_tokenizer_destroy(&t);

    t = make_bpe("llama-bpe", &err);
    assert_non_null(t);
    assert_true(tvk_tokenizer_adds_bos(t));
    EXPECT(t, "abcd", true, false, 11, 14); /* whole words first */
    EXPECT(t, "a\n\nb", false, false, 0, 7, 7, 1);
    expect_ids(t, "", 0, true, true, (const int32_t[]){11}, 1);
    tvk_tokenizer_destroy(&t);

    t = make_bpe(NULL, &err); /* "default" */
    assert_non_null(t);
    tvk_tokenizer_destroy(&t);
    t = make_bpe("qwen9", &err);
    assert_null(t);
    assert_int_equal(err.status, TVK_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "qwen9"));
}

/* A token that no text may become by itself: not as a whole word, by a merge, or as a byte. */
static void control_words(void **state)
{
    static const char *const tokens[] = {"a", "b", "stop", "s", "t", "o", "p", "op", "ab", "c"};
    static const int32_t types[] = {1, 1, 3, 1, 1, 1, 1, 3, 1, 3};
    static const char *const merges[] = {"o p", "a b"};
    buf b = {0};
    tvk_tokenizer *t;
    int32_t stops[TVK_TOKENIZER_STOPS];
    (void)state;
    put_header(&b, 3, 0, 9);
    put_kv_str(&b, "general.architecture", "llama");
    put_kv_str(&b, "tokenizer.ggml.model", "gpt2");
    put_kv_str(&b, "tokenizer.ggml.pre", "falcon-h1");
    put_kv_strings(&b, "tokenizer.ggml.tokens", tokens, COUNT(tokens));
    put_kv_i32s(&b, "tokenizer.ggml.token_type", types, COUNT(types));
    put_kv_strings(&b, "tokenizer.ggml.merges", merges, COUNT(merges));
    put_kv_u32(&b, "tokenizer.ggml.eos_token_id", 2);
    put_kv_u32(&b, "tokenizer.ggml.eot_token_id", 1);
    put_kv_u32(&b, "tokenizer.ggml.eom_token_id", 2);
    write_file(temp_path("words.gguf"), b.data, b.size);
    free_buf(&b);
    t = open_tokenizer(temp_path("words.gguf"));
    EXPECT(t, "stop", false, false, 3, 4, 5, 6);
    EXPECT(t, "stop", false, true, 2);
    EXPECT(t, "abcab", false, false, 8, 8);
    EXPECT(t, "abcab", false, true, 8, 9, 8);
    assert_int_equal(tvk_tokenizer_stops(t, stops), 2); /* equal ones once */
    assert_int_equal(stops[0], 2);
    assert_int_equal(stops[1], 1);
    tvk_tokenizer_destroy(&t);
    remove(temp_path("words.gguf"));
}

/* Where each split cuts: pairs merge only inside of a word. */
static tvk_tokenizer *make_split(const char *pre, uint32_t vocab)
{
    static const char *const tokens[] = {"1",  "2",   "a",  "S",  ".", "'",
                                         "12", "121", ".a", "'S", "a'"};
    static const char *const merges[] = {"1 2", "12 1", ". a", "' S", "a '"};
    const char **all = calloc(vocab, sizeof *all);
    buf b = {0};
    tvk_tokenizer *t;
    assert_non_null(all);
    for (uint32_t i = 0; i < vocab; i++) all[i] = i < COUNT(tokens) ? tokens[i] : "[PAD]";
    put_header(&b, 3, 0, pre ? 5 : 4);
    put_kv_str(&b, "general.architecture", "llama");
    put_kv_str(&b, "tokenizer.ggml.model", "gpt2");
    if (pre) put_kv_str(&b, "tokenizer.ggml.pre", pre);
    put_kv_strings(&b, "tokenizer.ggml.tokens", all, vocab);
    put_kv_strings(&b, "tokenizer.ggml.merges", merges, COUNT(merges));
    write_file(temp_path("split.gguf"), b.data, b.size);
    free_buf(&b);
    free(all);
    t = open_tokenizer(temp_path("split.gguf"));
    remove(temp_path("split.gguf"));
    return t;
}

static void splits(void **state)
{
    static const struct {
        const char *pre; /* NULL: no key */
        uint32_t vocab;
        int family; /* 0 GPT-2, 1 Llama 3, 2 Falcon and default */
    } rows[] = {{"gpt-2", 11, 0},   {"olmo", 11, 0},      {"llama-bpe", 11, 1}, {"llama3", 11, 1},
                {"falcon3", 11, 1}, {"falcon-h1", 11, 1}, {"falcon_e", 11, 1},  {NULL, 128256, 1},
                {"falcon", 11, 2},  {"default", 11, 2},   {NULL, 11, 2}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        tvk_tokenizer *t = make_split(rows[i].pre, rows[i].vocab);
        if (rows[i].family == 0) /* digits are one word; punctuation and letters two */
            EXPECT(t, "1212", false, false, 6, 6);
        else /* three digits at most */
            EXPECT(t, "1212", false, false, 7, 1);
        if (rows[i].family == 1) { /* one mark goes with the letters behind it */
            EXPECT(t, ".a", false, false, 8);
            EXPECT(t, "a'S", false, false, 2, 9); /* contractions in any case */
        } else {
            EXPECT(t, ".a", false, false, 4, 2);
            EXPECT(t, "a'S", false, false, 2, 5, 3);
        }
        assert_int_equal(tvk_tokenizer_adds_bos(t), false); /* no BOS in this vocabulary */
        tvk_tokenizer_destroy(&t);
    }
}

/* ids: 0 unknown, 1 and 2 control, 3 "<0x41>", then U+2581, letters and merges. Scores: the lower
 * id first, "bc" before "_b". crossing: a token with a space behind a letter. */
static tvk_tokenizer *make_spm(bool crossing)
{
    const char *const tokens[] = {"<unk>",
                                  "<s>",
                                  "</s>",
                                  "<0x41>",
                                  "\xe2\x96\x81",
                                  "b",
                                  "c",
                                  "\xe2\x96\x81"
                                  "b",
                                  "bc",
                                  "<user>",
                                  crossing ? "b\xe2\x96\x81" : "cc"};
    static const int32_t types[] = {2, 3, 3, 6, 1, 1, 1, 1, 1, 4, 1};
    static const float scores[] = {0, 0, 0, 0, -1, -2, -3, -5, -4, 0, -4.5f};
    buf b = {0};
    tvk_tokenizer *t;
    put_header(&b, 3, 0, 5);
    put_kv_str(&b, "general.architecture", "llama");
    put_kv_str(&b, "tokenizer.ggml.model", "llama");
    put_kv_strings(&b, "tokenizer.ggml.tokens", tokens, COUNT(tokens));
    put_kv_i32s(&b, "tokenizer.ggml.token_type", types, COUNT(types));
    put_str(&b, "tokenizer.ggml.scores");
    put_le(&b, 9, 4);
    put_le(&b, 6, 4);
    put_le(&b, COUNT(scores), 8);
    for (uint32_t i = 0; i < COUNT(scores); i++) put_f32(&b, scores[i]);
    write_file(temp_path("spm.gguf"), b.data, b.size);
    free_buf(&b);
    t = open_tokenizer(temp_path("spm.gguf"));
    remove(temp_path("spm.gguf"));
    return t;
}

static void spm_by_hand(void **state)
{
    tvk_tokenizer *t = make_spm(false);
    (void)state;
    assert_true(tvk_tokenizer_adds_bos(t));
    EXPECT(t, "b", false, false, 7);
    EXPECT(t, "bc", true, false, 1, 4, 8); /* "bc" (-4) before "_b" (-5) */
    EXPECT(t, "b b", false, false, 7, 7);
    EXPECT(t, "b c", false, false, 7, 4, 6);
    EXPECT(t, "  b", false, false, 4, 4, 7);
    EXPECT(t, "A", false, false, 4, 3);                   /* a byte token */
    EXPECT(t, "xyzA\xc3\xa9x", false, false, 4, 0, 3, 0); /* unknown neighbours are one token */
    EXPECT(t, "b</s>b", false, true, 7, 2, 7);
    EXPECT(t, "b<user>b", false, false, 7, 9, 7); /* user-defined tokens need no asking */
    expect_ids(t, "", 0, false, false, NULL, 0);
    tvk_tokenizer_destroy(&t);
    t = make_spm(true); /* words cannot be cut at spaces here */
    EXPECT(t, "b c", false, false, 4, 10, 6);
    EXPECT(t, "b b", false, false, 4, 10, 5);
    tvk_tokenizer_destroy(&t);
}

static void token_bytes(void **state)
{
    tvk_error err = {0};
    tvk_tokenizer *t = make_bpe("gpt-2", &err);
    const char *s;
    size_t n;
    (void)state;
    tvk_token_bytes(t, 10, true, false, &s, &n);
    assert_int_equal(n, 2);
    assert_memory_equal(s, " a", 2);
    tvk_token_bytes(t, 11, false, false, &s, &n);
    assert_int_equal(n, 0);
    tvk_token_bytes(t, 11, false, true, &s, &n);
    assert_int_equal(n, 3);
    tvk_token_bytes(t, 13, false, false, &s, &n);
    assert_int_equal(n, 6);
    tvk_token_bytes(t, -1, false, true, &s, &n);
    assert_int_equal(n, 0);
    tvk_token_bytes(t, 99999, false, true, &s, &n);
    assert_int_equal(n, 0);
    tvk_tokenizer_destroy(&t);
}

static void no_tokenizer(void **state)
{
    buf b = {0};
    tvk_file *file = NULL;
    tvk_tokenizer *t = NULL;
    tvk_error err = {0};
    (void)state;
    put_header(&b, 3, 0, 1);
    put_kv_str(&b, "general.architecture", "llama");
    write_file(temp_path("none.gguf"), b.data, b.size);
    assert_int_equal(tvk_file_open(temp_path("none.gguf"), &file, &err), TVK_OK);
    assert_int_equal(tvk_tokenizer_create(file, &t, &err), TVK_ERR_UNSUPPORTED);
    assert_null(t);
    assert_non_null(strstr(err.text, "the file has no tokenizer"));
    tvk_file_close(&file);
    remove(temp_path("none.gguf"));
    free_buf(&b);
}

/* Keys of another type or value than they must have, and what the message says. */
static void bad_keys(void **state)
{
    static const struct {
        uint32_t type, value;
        const char *message, *key; /* key NULL: bos_token_id of SPM */
    } cases[] = {
        {4, 1, "ignore_merges: a bool expected, u32 found", "tokenizer.ggml.ignore_merges"},
        {4, 2, "bos_token_id: a token of the vocabulary of 2 expected, 2 found", NULL},
        {5, UINT32_MAX, "bos_token_id: a whole number from 0 on expected, i32 found", NULL},
        {6, 0, "bos_token_id: a whole number from 0 on expected, f32 found", NULL},
    };
    static const char *const tokens[] = {"a", "b"};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf b = {0};
        tvk_file *file = NULL;
        tvk_tokenizer *t = NULL;
        tvk_error err = {0};
        put_header(&b, 3, 0, 4);
        put_kv_str(&b, "general.architecture", "llama");
        put_kv_str(&b, "tokenizer.ggml.model", cases[i].key ? "gpt2" : "llama");
        put_kv_strings(&b, "tokenizer.ggml.tokens", tokens, COUNT(tokens));
        put_str(&b, cases[i].key ? cases[i].key : "tokenizer.ggml.bos_token_id");
        put_le(&b, cases[i].type, 4);
        put_le(&b, cases[i].value, 4);
        assert_int_equal(tvk_file_open_memory(b.data, b.size, "ids", &file, &err), TVK_OK);
        assert_int_equal(tvk_tokenizer_create(file, &t, &err), TVK_ERR_FORMAT);
        assert_null(t);
        assert_non_null(strstr(err.text, cases[i].message));
        tvk_file_close(&file);
        free_buf(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bpe_by_hand), cmocka_unit_test(control_words),
        cmocka_unit_test(splits),      cmocka_unit_test(spm_by_hand),
        cmocka_unit_test(token_bytes), cmocka_unit_test(no_tokenizer),
        cmocka_unit_test(bad_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
