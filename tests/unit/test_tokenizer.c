/* Tokenizers: llama.cpp's vectors to the id, hand-made vocabularies, invalid UTF-8, long words. */
#define TEST_NAME "test_tokenizer"
#include "loader_files.h"

#include <time.h>

#include "ternvk/loader.h"

static tvk_tokenizer *open_tokenizer(const char *path)
{
    tvk_file *file = NULL;
    tvk_tokenizer *t = NULL;
    tvk_error err = {0};
    if (tvk_file_open(path, &file, &err) != TVK_OK) fail_msg("%s", err.text);
    if (tvk_tokenizer_create(file, &t, &err) != TVK_OK) fail_msg("%s", err.text);
    tvk_file_close(&file); /* the tokenizer stands by itself */
    return t;
}

/* Tokens back to text. */
static char *detokenize(const tvk_tokenizer *t, const int32_t *ids, uint32_t count, size_t *bytes)
{
    buf b = {0};
    for (uint32_t i = 0; i < count; i++) {
        const char *s;
        size_t n;
        tvk_token_bytes(t, ids[i], i == 0, true, &s, &n);
        put(&b, s, n);
    }
    *bytes = b.size;
    put(&b, "", 1);
    return (char *)b.data;
}

static void check_vectors(const char *name)
{
    char path[128];
    size_t in_bytes = 0, out_bytes = 0, n;
    const char *end = "\n__ggml_vocab_test__\n";
    char *in, *out, *text, *line;
    tvk_tokenizer *t;
    tvk_error err = {0};
    int cases = 0;
    snprintf(path, sizeof path, "testdata/%s", name);
    t = open_tokenizer(shared(path));
    snprintf(path, sizeof path, "testdata/%s.inp", name);
    in = (char *)read_whole(shared(path), &in_bytes);
    snprintf(path, sizeof path, "testdata/%s.out", name);
    out = (char *)read_whole(shared(path), &out_bytes);
    text = in;
    line = out;
    for (;;) {
        char *stop = strstr(text, end);
        int32_t *ids = NULL;
        uint32_t count = 0;
        char *back, *at = line;
        if (!stop) break;
        assert_int_equal(
            tvk_tokenize(t, text, (size_t)(stop - text), false, false, &ids, &count, &err), TVK_OK);
        for (uint32_t i = 0; i < count; i++) {
            char *after = at;
            long expected = strtol(at, &after, 10);
            if (after == at || ids[i] != expected)
                fail_msg("%s, case %d, id %u: %ld expected, %d found", name, cases, i, expected,
                         ids[i]);
            at = after;
        }
        while (*at == ' ') at++;
        if (*at != '\n') fail_msg("%s, case %d: more ids than %u expected", name, cases, count);
        line = at + 1;
        back = detokenize(t, ids, count, &n);
        assert_int_equal(n, stop - text);
        assert_memory_equal(back, text, n);
        free(back);
        free(ids);
        text = stop + strlen(end);
        cases++;
    }
    assert_int_equal(cases, 46); /* all of the file's, and nothing behind them */
    assert_int_equal(text - in, in_bytes);
    assert_int_equal(line - out, out_bytes);
    free(in);
    free(out);
    tvk_tokenizer_destroy(&t);
}

static void vectors_gpt2(void **state)
{
    (void)state;
    check_vectors("ggml-vocab-gpt-2.gguf");
}

static void vectors_spm(void **state)
{
    (void)state;
    check_vectors("ggml-vocab-llama-spm.gguf");
}

/* ---- hand-made vocabularies ---- */

#define COUNT(a) ((uint32_t)(sizeof(a) / sizeof *(a)))

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

static void expect_ids(const tvk_tokenizer *t, const char *text, size_t bytes, bool add,
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

/* A token that no text may become by itself: not through ignore_merges either. */
static void control_words(void **state)
{
    static const char *const tokens[] = {"a", "b", "stop", "s", "t", "o", "p"};
    static const int32_t types[] = {1, 1, 3, 1, 1, 1, 1};
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
    put_kv_strings(&b, "tokenizer.ggml.merges", NULL, 0);
    put_kv_u32(&b, "tokenizer.ggml.eos_token_id", 2);
    put_kv_u32(&b, "tokenizer.ggml.eot_token_id", 1);
    put_kv_u32(&b, "tokenizer.ggml.eom_token_id", 2);
    write_file(temp_path("words.gguf"), b.data, b.size);
    free_buf(&b);
    t = open_tokenizer(temp_path("words.gguf"));
    EXPECT(t, "stop", false, false, 3, 4, 5, 6);
    EXPECT(t, "stop", false, true, 2);
    assert_int_equal(tvk_tokenizer_stops(t, stops), 2); /* equal ones once */
    assert_int_equal(stops[0], 2);
    assert_int_equal(stops[1], 1);
    tvk_tokenizer_destroy(&t);
    remove(temp_path("words.gguf"));
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

/* Random bytes come back as they were: SPM and byte-level BPE have a token for every byte. */
static void any_bytes(void **state)
{
    static const char *const names[] = {"testdata/ggml-vocab-gpt-2.gguf",
                                        "testdata/ggml-vocab-llama-spm.gguf"};
    uint64_t seed = 7;
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        tvk_tokenizer *t = open_tokenizer(shared(names[k]));
        for (int run = 0; run < 300; run++) {
            char text[64];
            size_t n = random_u32(&seed) % sizeof text, back_bytes;
            int32_t *ids = NULL;
            uint32_t count = 0;
            char *copy, *back;
            for (size_t i = 0; i < n; i++) {
                uint32_t r = random_u32(&seed);
                text[i] =
                    r & 256 ? (char)(unsigned char)(r & 255) : "ab \xe2\x96\x81\xf0\x9f"[r % 8];
            }
            copy = (char *)exact_copy(text, n);
            assert_int_equal(tvk_tokenize(t, copy, n, false, false, &ids, &count, NULL), TVK_OK);
            back = detokenize(t, ids, count, &back_bytes);
            if (k == 0) { /* SPM spells U+2581 and a space alike */
                assert_int_equal(back_bytes, n);
                assert_memory_equal(back, text, n);
            }
            free(copy);
            free(back);
            free(ids);
        }
        tvk_tokenizer_destroy(&t);
    }
}

/* One word of a megabyte: the time grows with n log n, not with its square. */
static void long_words(void **state)
{
    static const char *const names[] = {"testdata/ggml-vocab-gpt-2.gguf",
                                        "testdata/ggml-vocab-llama-spm.gguf"};
    static const char fill[] = {'a', ' ', '\n', '\x80'};
    static char text[1 << 20]; /* a skipped test frees nothing */
    const size_t n = sizeof text;
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        tvk_tokenizer *t = open_tokenizer(shared(names[k]));
        for (size_t f = 0; f < sizeof fill; f++) {
            int32_t *ids = NULL;
            uint32_t count = 0;
            clock_t begin = clock();
            memset(text, fill[f], n);
            assert_int_equal(tvk_tokenize(t, text, n, false, false, &ids, &count, NULL), TVK_OK);
            assert_true(count > 0);
            assert_true((clock() - begin) / CLOCKS_PER_SEC < 20);
            free(ids);
        }
        tvk_tokenizer_destroy(&t);
    }
}

static void utf8_stream(void **state)
{
    /* an emoji in two halves, a lone continuation, a broken start, an overlong form, a surrogate */
    static const char in[] = "a\xf0\x9f\xa6\x99 \x80 \xe2\x96z \xc0\xaf \xed\xa0\x80";
    static const char expected[] = "a\xf0\x9f\xa6\x99 \xef\xbf\xbd \xef\xbf\xbdz "
                                   "\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd";
    char out[256];
    (void)state;
    for (size_t cut = 0; cut < sizeof in; cut++) {
        tvk_utf8_stream s = {0};
        size_t n = tvk_utf8_push(&s, in, cut, false, out);
        n += tvk_utf8_push(&s, in + cut, sizeof in - 1 - cut, true, out + n);
        assert_int_equal(n, sizeof expected - 1);
        assert_memory_equal(out, expected, n);
    }
    {
        tvk_utf8_stream s = {0};
        assert_int_equal(tvk_utf8_push(&s, "\xf0\x9f", 2, false, out), 0);
        assert_int_equal(tvk_utf8_push(&s, "\xa6", 1, false, out), 0);
        assert_int_equal(tvk_utf8_push(&s, "\x99", 1, false, out), 4);
        assert_int_equal(tvk_utf8_push(&s, "\xe2", 1, true, out), 3);
        assert_int_equal(tvk_utf8_push(&s, "", 0, true, out), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_gpt2),  cmocka_unit_test(vectors_spm),
        cmocka_unit_test(bpe_by_hand),   cmocka_unit_test(token_bytes),
        cmocka_unit_test(no_tokenizer),  cmocka_unit_test(any_bytes),
        cmocka_unit_test(long_words),    cmocka_unit_test(utf8_stream),
        cmocka_unit_test(control_words), cmocka_unit_test(spm_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
