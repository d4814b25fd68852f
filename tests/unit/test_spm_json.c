/* convert: a tokenizer.json that was made of a SentencePiece model. The real vocabulary is
 * llama.cpp's, whose vectors test_tokenizer has: the converted ones must give the same ids. */
#define TEST_NAME "test_spm_json"
#define _POSIX_C_SOURCE 200809L
#define FOLDER "test_spm_json.folder"
#define OUT "test_spm_json.gguf"
#include "tokenizer_files.h"

/* ---- tokenizer.json of a SentencePiece model ---- */

#define PREPEND                                                                                    \
    "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"" SPACE "\"},"    \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" SPACE "\"}]}"
#define METASPACE(scheme, split)                                                                   \
    "{\"type\":\"Metaspace\",\"replacement\":\"" SPACE "\",\"prepend_scheme\":\"" scheme           \
    "\",\"split\":" split "}"

static void make_json(const char *normalizer, const char *pre, const char *merges)
{
    buf b = {0};
    char line[1024];
    snprintf(line, sizeof line,
             "{\"added_tokens\":[{\"id\":1,\"content\":\"<s>\",\"special\":true}],"
             "\"normalizer\":%s,\"pre_tokenizer\":%s,\"post_processor\":{\"type\":"
             "\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},"
             "{\"Sequence\":{\"id\":\"A\"}}]},\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\","
             "\"byte_fallback\":true,\"merges\":%s,\"vocab\":{",
             normalizer, pre, merges);
    put(&b, line, strlen(line));
    for (size_t i = 0; i < PIECES; i++) {
        snprintf(line, sizeof line, "%s\"%s\":%zu", i ? "," : "", pieces[i].text, i);
        put(&b, line, strlen(line));
    }
    put(&b, "}}}", 3);
    hf_bytes(FOLDER, "tokenizer.json", b.data, b.size);
    free_buf(&b);
}

/* All pairs that make a token, in the order of the pieces' scores. */
#define MERGES "[\"a b\",[\"" SPACE "\",\"a\"],\"" SPACE "a b\",\"" SPACE " ab\"]"

static void json_of_spm(void **state)
{
    tvk_tokenizer *t;
    (void)state;
    make_model(10, "");
    make_json(PREPEND, "null", MERGES);
    convert(TVK_OK, NULL);
    t = open_tokenizer(OUT);
    assert_true(tvk_tokenizer_adds_bos(t));
    expect_ids(t, "ab", sizeof "ab" - 1, true, true, (const int32_t[]){1, 9}, 2);
    expect_ids(t, "ab\na", sizeof "ab\na" - 1, true, true, (const int32_t[]){1, 9, 3, 7}, 4);
    tvk_tokenizer_destroy(&t);
    make_json("null", METASPACE("first", "false"), MERGES);
    convert(TVK_OK, NULL);
    make_json("null", METASPACE("never", "false"), MERGES);
    convert(TVK_OK, NULL);
    t = open_tokenizer(OUT);
    expect_ids(t, "ab", sizeof "ab" - 1, true, true, (const int32_t[]){1, 5}, 2);
    tvk_tokenizer_destroy(&t);
    make_json("null", METASPACE("first", "true"), MERGES);
    convert(TVK_ERR_UNSUPPORTED, "a Metaspace that does not split");
    make_json("{\"type\":\"NFC\"}", "null", MERGES);
    convert(TVK_ERR_UNSUPPORTED, "NFC and none found");
    make_json(PREPEND, "null", "[\"a b\",\"" SPACE " a\",\"" SPACE "a b\"]");
    convert(TVK_ERR_UNSUPPORTED, "1 of 3 tokens have others");
    make_json(PREPEND, "null", "[\"b b\"]");
    convert(TVK_ERR_FORMAT, "merge 0 makes 'bb', which is no token");
    {
        char text[1024];
        int n =
            snprintf(text, sizeof text,
                     "{\"normalizer\":" PREPEND ",\"model\":{\"type\":\"BPE\",\"byte_fallback\":"
                     "true,\"merges\":[],\"vocab\":{\"%0600d\":0}}}",
                     0);
        assert_true(n > 600 && (size_t)n < sizeof text);
        hf_text(FOLDER, "tokenizer.json", text);
        convert(TVK_ERR_UNSUPPORTED, "token 0: at most 512 bytes expected, 600 found");
    }
    make_json(PREPEND, "null", "[7]");
    convert(TVK_ERR_FORMAT, "merge 0: two strings expected");
    /* the model itself goes before what was made of it */
    make_spm(&none, &none);
    convert(TVK_OK, NULL);
}

/* ---- a real vocabulary ---- */

typedef struct real {
    const char *text;
    size_t bytes;
    float score;
    unsigned type;
} real;

/* Ids of all texts of llama.cpp's vectors, by the vocabulary's own file and by the converted one.
 */
static void same_ids(const char *name)
{
    static const char end[] = "\n__ggml_vocab_test__\n";
    tvk_tokenizer *a = open_tokenizer(shared("testdata/ggml-vocab-llama-spm.gguf"));
    tvk_tokenizer *b = open_tokenizer(OUT);
    size_t bytes = 0, cases = 0;
    char *in = (char *)read_whole(shared("testdata/ggml-vocab-llama-spm.gguf.inp"), &bytes), *stop;
    for (char *text = in; (stop = strstr(text, end)) != NULL; text = stop + strlen(end), cases++) {
        int32_t *x = NULL, *y = NULL;
        uint32_t n = 0, m = 0;
        tvk_error err = {0};
        size_t size = (size_t)(stop - text);
        assert_int_equal(tvk_tokenize(a, text, size, true, false, &x, &n, &err), TVK_OK);
        assert_int_equal(tvk_tokenize(b, text, size, true, false, &y, &m, &err), TVK_OK);
        if (n != m || memcmp(x, y, n * sizeof *x) != 0)
            fail_msg("%s: other ids in case %zu ('%.40s')", name, cases, text);
        free(x);
        free(y);
    }
    assert_true(cases > 40);
    free(in);
    tvk_tokenizer_destroy(&a);
    tvk_tokenizer_destroy(&b);
}

static int by_text(const void *a, const void *b)
{
    const real *x = *(const real *const *)a, *y = *(const real *const *)b;
    size_t n = x->bytes < y->bytes ? x->bytes : y->bytes;
    int c = memcmp(x->text, y->text, n);
    return c ? c : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_score(const void *a, const void *b)
{
    const real *x = *(const real *const *)a, *y = *(const real *const *)b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x > y) - (x < y);
}

static bool is_piece(const real *const *sorted, size_t count, const char *text, size_t bytes)
{
    const real key = {.text = text, .bytes = bytes}, *p = &key;
    const real *const *found = bsearch(&p, sorted, count, sizeof *sorted, by_text);
    return found && (*found)->type == NORMAL;
}

static void put_json_text(buf *b, const char *s, size_t bytes)
{
    put(b, "\"", 1);
    for (size_t i = 0; i < bytes; i++) {
        char code[8];
        snprintf(code, sizeof code, "\\u%04x", (unsigned char)s[i]);
        if ((unsigned char)s[i] < 32 || s[i] == '"' || s[i] == '\\')
            put(b, code, 6);
        else
            put(b, s + i, 1);
    }
    put(b, "\"", 1);
}

/* The file that Hugging Face's converter makes: merges by falling score, all splits of a piece. */
static void put_real_json(const real *v, size_t count)
{
    const real **sorted = malloc(count * sizeof *sorted), **best = malloc(count * sizeof *best);
    buf b = {0};
    char line[64];
    bool first = true;
    static const char head[] =
        "{\"normalizer\":" PREPEND ",\"pre_tokenizer\":null,\"post_processor\":{\"type\":"
        "\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":{}}]}"
        ","
        "\"added_tokens\":[{\"id\":1,\"content\":\"<s>\",\"special\":true},"
        "{\"id\":2,\"content\":\"</s>\",\"special\":true}],"
        "\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"byte_fallback\":true,\"vocab\":{";
    for (size_t i = 0; i < count; i++) sorted[i] = best[i] = &v[i];
    qsort(sorted, count, sizeof *sorted, by_text);
    qsort(best, count, sizeof *best, by_score);
    put(&b, head, strlen(head));
    for (size_t i = 0; i < count; i++) {
        if (i) put(&b, ",", 1);
        put_json_text(&b, v[i].text, v[i].bytes);
        snprintf(line, sizeof line, ":%zu", i);
        put(&b, line, strlen(line));
    }
    put(&b, "},\"merges\":[", 12);
    for (size_t i = 0; i < count; i++) {
        const real *p = best[i];
        if (p->type != NORMAL) continue;
        for (size_t at = 1; at < p->bytes; at++) {
            if ((p->text[at] & 0xc0) == 0x80 || !is_piece(sorted, count, p->text, at) ||
                !is_piece(sorted, count, p->text + at, p->bytes - at))
                continue;
            if (!first) put(&b, ",", 1);
            first = false;
            put(&b, "[", 1);
            put_json_text(&b, p->text, at);
            put(&b, ",", 1);
            put_json_text(&b, p->text + at, p->bytes - at);
            put(&b, "]", 1);
        }
    }
    put(&b, "]}}", 3);
    hf_bytes(FOLDER, "tokenizer.json", b.data, b.size);
    free_buf(&b);
    free(sorted);
    free(best);
}

/* Bytes of array `key` of a GGUF file, found by its key: string length, key, 9, type, count. */
static const unsigned char *array_of(const unsigned char *file, size_t bytes, const char *key,
                                     uint64_t *count)
{
    size_t n = strlen(key);
    for (size_t i = 0; i + n + 16 < bytes; i++) {
        if (memcmp(file + i, key, n) != 0) continue;
        memcpy(count, file + i + n + 8, 8);
        return file + i + n + 16;
    }
    fail_msg("no %s", key);
    return NULL;
}

static void real_vocabulary(void **state)
{
    size_t bytes = 0;
    uint64_t count = 0, n = 0;
    unsigned char *file = read_whole(shared("testdata/ggml-vocab-llama-spm.gguf"), &bytes);
    const unsigned char *texts = array_of(file, bytes, "tokenizer.ggml.tokens", &count);
    const unsigned char *scores = array_of(file, bytes, "tokenizer.ggml.scores", &n);
    const unsigned char *types = array_of(file, bytes, "tokenizer.ggml.token_type", &n);
    real *v = calloc(count, sizeof *v);
    buf b = {0};
    (void)state;
    assert_int_equal(count, n);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t length = 0;
        memcpy(&length, texts, 8);
        v[i].text = (const char *)texts + 8;
        v[i].bytes = length;
        memcpy(&v[i].score, scores + 4 * i, 4);
        memcpy(&v[i].type, types + 4 * i, 4);
        put_piece(&b, v[i].text, length, v[i].score, v[i].type);
        texts += 8 + length;
    }
    put_specs(&b, &none, &none);
    make_model(count + 2, "");
    hf_bytes(FOLDER, "tokenizer.model", b.data, b.size);
    convert(TVK_OK, NULL);
    same_ids("tokenizer.model");
    remove(FOLDER "/tokenizer.model");
    put_real_json(v, count);
    convert(TVK_OK, NULL);
    same_ids("tokenizer.json");
    free_buf(&b);
    free(v);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(json_of_spm, clean),
        cmocka_unit_test_teardown(real_vocabulary, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
