/* Tokenizers of real vocabularies: llama.cpp's vectors to the id, any bytes, long words; UTF-8. */
#define TEST_NAME "test_tokenizer"
#include "tokens.h"

#include <time.h>

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
        cmocka_unit_test(vectors_gpt2), cmocka_unit_test(vectors_spm), cmocka_unit_test(any_bytes),
        cmocka_unit_test(long_words),   cmocka_unit_test(utf8_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
