/* convert from llama2.c: a hand-made checkpoint, every truncation, stories260K and its tokenizer.
 */
#define TEST_NAME "test_convert_llama2c"
#include "loader_files.h"

#include "ternvk/loader.h"

/* dim 8, hidden_dim 12, 2 layers, 2 heads, 1 KV head, 300 tokens, context 6 */
static void make_checkpoint(buf *b, int own_head)
{
    static const int dims[7] = {8, 12, 2, 2, 1, 300, 6};
    size_t floats = 300 * 8 + 2 * (8 + 64 + 32 + 32 + 64 + 8 + 96 + 96 + 96) + 8 + 2 * 6 * 2 +
                    (own_head ? 300 * 8 : 0);
    b->size = 0;
    for (int i = 0; i < 7; i++) put_le(b, (uint32_t)(i == 5 && own_head ? -dims[i] : dims[i]), 4);
    for (size_t i = 0; i < floats; i++) put_f32(b, (float)i * 0.25f - 3.0f);
}

static void make_tokenizer(buf *b, uint32_t vocab)
{
    b->size = 0;
    put_le(b, 7, 4);
    for (uint32_t id = 0; id < vocab; id++) {
        char s[16];
        put_f32(b, id < 259 ? 0.0f : -(float)id);
        if (id < 3)
            snprintf(s, sizeof s, "%s", id == 0 ? "<unk>" : id == 1 ? "\n<s>\n" : "\n</s>\n");
        else if (id < 259)
            snprintf(s, sizeof s, "<0x%02X>", id - 3);
        else
            snprintf(s, sizeof s, id % 2 ? "%c" : " %c", 'A' + (int)(id - 259) / 2);
        put_le(b, strlen(s), 4);
        put(b, s, strlen(s));
    }
}

/* model NULL: the one before */
static tvk_status convert(const buf *model, const buf *tokenizer, tvk_error *err)
{
    tvk_convert_params params = {.overwrite = true};
    if (model) write_file(temp_path("in.bin"), model->data, model->size);
    if (tokenizer) {
        write_file(temp_path("tok.bin"), tokenizer->data, tokenizer->size);
        params.tokenizer = temp_path("tok.bin");
    }
    return tvk_convert(temp_path("in.bin"), temp_path("out.gguf"), &params, err);
}

static const float *floats(const tvk_weight_source *s, const char *name, uint64_t k, uint64_t n)
{
    const tvk_tensor *t = s->tensor(s->user, name);
    if (!t) fail_msg("%s is missing", name);
    assert_int_equal(t->type, TVK_F32);
    assert_int_equal(t->dims[0], k);
    assert_int_equal(t->dims[1], n);
    return t->data;
}

static void by_hand(void **state)
{
    buf b = {0}, tok = {0};
    (void)state;
    make_tokenizer(&tok, 300);
    for (int own = 0; own < 2; own++) {
        tvk_file *file = NULL;
        tvk_tokenizer *t = NULL;
        tvk_error err = {0};
        const tvk_weight_source *s;
        uint64_t u = 0;
        double d = 0;
        const float *in;
        make_checkpoint(&b, own);
        in = (const float *)(const void *)(b.data + 28);
        if (convert(&b, &tok, &err) != TVK_OK) fail_msg("%s", err.text);
        assert_int_equal(tvk_file_open(temp_path("out.gguf"), &file, &err), TVK_OK);
        s = tvk_file_source(file);
        assert_true(s->get_u64(s->user, "llama.context_length", &u, NULL) && u == 6);
        assert_true(s->get_u64(s->user, "llama.attention.head_count_kv", &u, NULL) && u == 1);
        assert_true(s->get_u64(s->user, "llama.vocab_size", &u, NULL) && u == 300);
        assert_true(s->get_u64(s->user, "llama.rope.dimension_count", &u, NULL) && u == 4);
        assert_true(s->get_f64(s->user, "llama.attention.layer_norm_rms_epsilon", &d, NULL) &&
                    (float)d == 1e-5f);
        assert_memory_equal(floats(s, "token_embd.weight", 8, 300), in, 9600);
        assert_memory_equal(floats(s, "blk.1.attn_norm.weight", 8, 1), in + 2400 + 8, 32);
        assert_memory_equal(floats(s, "blk.1.attn_q.weight", 8, 8), in + 2416 + 64, 256);
        assert_memory_equal(floats(s, "blk.0.attn_k.weight", 8, 4), in + 2544, 128);
        assert_memory_equal(floats(s, "blk.0.ffn_gate.weight", 8, 12),
                            in + 2544 + 64 + 64 + 128 + 16, 384);
        assert_memory_equal(floats(s, "blk.1.ffn_down.weight", 12, 8), in + 2816 + 192 + 96, 384);
        assert_memory_equal(floats(s, "blk.1.ffn_up.weight", 8, 12), in + 2816 + 384 + 96, 384);
        assert_memory_equal(floats(s, "output_norm.weight", 8, 1), in + 2816 + 576, 32);
        if (own)
            assert_memory_equal(floats(s, "output.weight", 8, 300), in + 3392 + 8 + 24, 9600);
        else
            assert_null(s->tensor(s->user, "output.weight"));
        assert_int_equal(tvk_tokenizer_create(file, &t, &err), TVK_OK);
        assert_int_equal(tvk_tokenizer_bos(t), 1);
        tvk_tokenizer_destroy(&t);
        tvk_file_close(&file);
        remove(temp_path("out.gguf"));
    }
    free_buf(&b);
    free_buf(&tok);
}

static void truncated(void **state)
{
    buf b = {0}, tok = {0}, small = {0};
    tvk_error err = {0};
    (void)state;
    make_checkpoint(&b, 0);
    make_tokenizer(&tok, 300);
    for (size_t n = 0; n < b.size; n += n < 256 ? 1 : 97) {
        small = b;
        small.size = n;
        assert_int_equal(convert(&small, NULL, &err), TVK_ERR_FORMAT);
    }
    small.size = b.size - 1;
    assert_int_equal(convert(&small, NULL, &err), TVK_ERR_FORMAT);
    assert_non_null(strstr(err.text, "bytes expected for its header"));
    put_le(&b, 0, 1);
    assert_int_equal(convert(&b, NULL, &err), TVK_ERR_FORMAT);
    make_checkpoint(&b, 0);
    write_file(temp_path("in.bin"), b.data, b.size);
    for (size_t n = 0; n < tok.size; n += n < 300 ? 1 : 13) {
        small = tok;
        small.size = n;
        assert_int_equal(convert(NULL, &small, &err), TVK_ERR_FORMAT);
    }
    put_le(&tok, 0, 1);
    assert_int_equal(convert(&b, &tok, &err), TVK_ERR_FORMAT);
    assert_non_null(strstr(err.text, "1 bytes more found"));
    for (size_t i = 0; i < 28; i++) { /* the header, one bit at a time */
        for (int bit = 0; bit < 8; bit++) {
            b.data[i] ^= (unsigned char)(1 << bit);
            convert(&b, NULL, &err);
            b.data[i] ^= (unsigned char)(1 << bit);
        }
    }
    b.data[0] = b.data[3] = 0xff;
    assert_int_equal(convert(&b, NULL, &err), TVK_ERR_FORMAT);
    assert_non_null(strstr(err.text, "dim 1 to 16777216 expected at byte 0"));
    remove(temp_path("in.bin"));
    remove(temp_path("tok.bin"));
    remove(temp_path("out.gguf"));
    free_buf(&b);
    free_buf(&tok);
}

/* ---- stories260K ---- */

typedef struct vocab {
    char *text[512];
    float score[512];
} vocab;

static int lookup(const vocab *v, const char *s)
{
    for (int i = 0; i < 512; i++)
        if (strcmp(v->text[i], s) == 0) return i;
    return -1;
}

/* llama2.c's own way: characters or bytes, then again and again the best pair, the first of equals.
 */
static int naive_encode(const vocab *v, const char *text, int *out)
{
    int n = 0;
    out[n++] = lookup(v, " ");
    for (const char *p = text; *p;) {
        char c[5] = {0};
        int len = 1;
        while ((p[len] & 0xc0) == 0x80) len++;
        memcpy(c, p, (size_t)len);
        if (lookup(v, c) >= 0)
            out[n++] = lookup(v, c);
        else
            for (int i = 0; i < len; i++) out[n++] = (unsigned char)c[i] + 3;
        p += len;
    }
    for (;;) {
        float best = -1e10f;
        int at = -1, id = -1;
        for (int i = 0; i + 1 < n; i++) {
            char pair[64];
            int found;
            snprintf(pair, sizeof pair, "%.30s%.30s", v->text[out[i]], v->text[out[i + 1]]);
            found = lookup(v, pair);
            if (found >= 0 && v->score[found] > best) best = v->score[found], at = i, id = found;
        }
        if (at < 0) return n;
        out[at] = id;
        for (int i = at + 1; i + 1 < n; i++) out[i] = out[i + 1];
        n--;
    }
}

static void stories(void **state)
{
    static const char *const texts[] = {
        "Once upon a time, there was a little girl named Lily.",
        "Tom and Sam played   in the park\nand saw a big red ball!",
        "\xc3\xa9t\xc3\xa9 \xf0\x9f\xa6\x99 \"Quoted\", she said: 'no'.",
    };
    tvk_convert_params params = {.overwrite = true};
    tvk_error err = {0};
    tvk_file *file = NULL;
    tvk_tokenizer *t = NULL;
    vocab v;
    size_t bytes = 0, at = 4;
    unsigned char *tok, *in;
    const tvk_weight_source *s;
    (void)state;
    params.tokenizer = shared("testdata/tok512.bin");
    in = read_whole(shared("testdata/stories260K.bin"), &bytes);
    if (tvk_convert(shared("testdata/stories260K.bin"), temp_path("s.gguf"), &params, &err))
        fail_msg("%s", err.text);
    if (tvk_file_open(temp_path("s.gguf"), &file, &err)) fail_msg("%s", err.text);
    s = tvk_file_source(file);
    assert_memory_equal(floats(s, "token_embd.weight", 64, 512), in + 28, 512 * 64 * 4);
    assert_memory_equal(floats(s, "blk.4.attn_q.weight", 64, 64),
                        in + 28 + (512 * 64 + 5 * 64 + 4 * 64 * 64) * 4, 64 * 64 * 4);
    if (tvk_tokenizer_create(file, &t, &err)) fail_msg("%s", err.text);
    tok = read_whole(params.tokenizer, &bytes);
    for (int i = 0; i < 512; i++) {
        uint32_t len;
        memcpy(&v.score[i], tok + at, 4);
        memcpy(&len, tok + at + 4, 4);
        v.text[i] = calloc(len + 1, 1);
        memcpy(v.text[i], tok + at + 8, len);
        at += 8 + len;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int expected[256], n = naive_encode(&v, texts[i], expected);
        int32_t *ids = NULL;
        uint32_t count = 0;
        assert_int_equal(
            tvk_tokenize(t, texts[i], strlen(texts[i]), true, false, &ids, &count, &err), TVK_OK);
        assert_int_equal(count, n + 1);
        assert_int_equal(ids[0], 1);
        for (int j = 0; j < n; j++) assert_int_equal(ids[j + 1], expected[j]);
        free(ids);
    }
    for (int i = 0; i < 512; i++) free(v.text[i]);
    free(tok);
    free(in);
    tvk_tokenizer_destroy(&t);
    tvk_file_close(&file);
    remove(temp_path("s.gguf"));
}

static void types(void **state)
{
    buf b = {0};
    tvk_error err = {0};
    tvk_convert_params params = {.overwrite = true, .type = "f16"};
    tvk_file *file = NULL;
    const tvk_weight_source *s;
    (void)state;
    make_checkpoint(&b, 0);
    write_file(temp_path("t.bin"), b.data, b.size);
    assert_int_equal(tvk_convert(temp_path("t.bin"), temp_path("t.gguf"), &params, &err), TVK_OK);
    assert_int_equal(tvk_file_open(temp_path("t.gguf"), &file, &err), TVK_OK);
    s = tvk_file_source(file);
    assert_int_equal(s->tensor(s->user, "blk.0.attn_q.weight")->type, TVK_F16);
    assert_int_equal(s->tensor(s->user, "blk.0.attn_norm.weight")->type, TVK_F32);
    tvk_file_close(&file);
    /* impossible wishes: one error, and what is there stays */
    params.type = "i2_s";
    assert_int_equal(tvk_convert(temp_path("t.bin"), temp_path("t.gguf"), &params, &err),
                     TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "are not ternary"));
    params.type = "q5_k";
    assert_int_equal(tvk_convert(temp_path("t.bin"), temp_path("t.gguf"), &params, &err),
                     TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "'q5_k' found"));
    params.type = NULL;
    params.embedding_type = "q8_0";
    assert_int_equal(tvk_convert(temp_path("t.bin"), temp_path("t.gguf"), &params, &err),
                     TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "multiple of 32"));
    params.embedding_type = "q6_k";
    assert_int_equal(tvk_convert(temp_path("t.bin"), temp_path("t.gguf"), &params, &err),
                     TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "Q6_K needs columns to be a multiple of 256: use "
                                     "--embedding-type f16"));
    params.embedding_type = "q4_0"; /* read, not written */
    assert_int_equal(tvk_convert(temp_path("t.bin"), temp_path("t.gguf"), &params, &err),
                     TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "q8_0 or q6_k expected, 'q4_0' found"));
    assert_int_equal(tvk_file_open(temp_path("t.gguf"), &file, &err), TVK_OK);
    tvk_file_close(&file);
    params.embedding_type = NULL;
    assert_int_equal(tvk_convert("no/such", temp_path("t.gguf"), &params, &err), TVK_ERR_IO);
    assert_int_equal(tvk_convert(".", temp_path("t.gguf"), &params, &err), TVK_ERR_IO);
    remove(temp_path("t.bin"));
    remove(temp_path("t.gguf"));
    free_buf(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(truncated),
        cmocka_unit_test(stories),
        cmocka_unit_test(types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
