/* convert from Hugging Face's folders: every tensor of the output against a decode of its own. */
#define TEST_NAME "test_convert"
#include "gguf_codes.h"

#include <math.h>

#include <jansson.h>

/* ---- the source, read apart from the loader ---- */

typedef struct hf {
    unsigned char *file;
    json_t *header, *config;
    const unsigned char *data;
} hf;

static hf open_hf(const char *folder)
{
    hf h = {0};
    char path[256];
    size_t bytes;
    uint64_t n = 0;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    h.file = read_whole(shared(path), &bytes);
    memcpy(&n, h.file, 8);
    h.header = json_loadb((const char *)h.file + 8, n, 0, NULL);
    h.data = h.file + 8 + n;
    snprintf(path, sizeof path, "%s/config.json", folder);
    h.config = json_load_file(shared(path), 0, NULL);
    assert_non_null(h.header);
    assert_non_null(h.config);
    return h;
}

static void close_hf(hf *h)
{
    json_decref(h->header);
    json_decref(h->config);
    free(h->file);
}

static uint64_t config_int(const hf *h, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(h->config, key));
}

static const unsigned char *find(const hf *h, const char *name, char *type, uint64_t *n,
                                 uint64_t *k)
{
    json_t *t = json_object_get(h->header, name), *shape = json_object_get(t, "shape");
    if (!t) fail_msg("the source has no %s", name);
    snprintf(type, 8, "%s", json_string_value(json_object_get(t, "dtype")));
    *k = (uint64_t)json_integer_value(json_array_get(shape, json_array_size(shape) - 1));
    *n = json_array_size(shape) == 2 ? (uint64_t)json_integer_value(json_array_get(shape, 0)) : 0;
    return h->data + json_integer_value(json_array_get(json_object_get(t, "data_offsets"), 0));
}

static float value(const unsigned char *p, const char *type, uint64_t i)
{
    uint16_t half = 0;
    float f = 0;
    if (strcmp(type, "F32") == 0) {
        memcpy(&f, p + 4 * i, 4);
        return f;
    }
    memcpy(&half, p + 2 * i, 2);
    return strcmp(type, "F16") == 0 ? tvk_f16_to_f32(half) : tvk_bf16_to_f32(half);
}

/* Codes and multiplier of a linear, in the source's row order. */
static int8_t *source_codes(const hf *h, const char *name, uint64_t *n, uint64_t *k, float *scale)
{
    char type[8], scale_name[128], scale_type[8];
    const unsigned char *p = find(h, name, type, n, k), *s;
    uint64_t a, b;
    int8_t *codes;
    const char *linear = json_string_value(
        json_object_get(json_object_get(h->config, "quantization_config"), "linear_class"));
    if (strcmp(type, "U8") == 0) {
        *n *= 4;
        codes = malloc(*n * *k);
        for (uint64_t r = 0; r < *n; r++)
            for (uint64_t c = 0; c < *k; c++)
                codes[r * *k + c] =
                    (int8_t)((p[r % (*n / 4) * *k + c] >> (2 * (r / (*n / 4))) & 3) - 1);
        snprintf(scale_name, sizeof scale_name, "%s_scale", name);
        s = find(h, scale_name, scale_type, &a, &b);
        *scale = value(s, scale_type, 0);
        if (!linear || strcmp(linear, "autobitlinear") != 0) *scale = 1.0f / *scale;
    } else {
        double sum = 0;
        float inverse;
        codes = malloc(*n * *k);
        for (uint64_t i = 0; i < *n * *k; i++) sum += fabs((double)value(p, type, i));
        inverse = 1.0f / fmaxf((float)(sum / (double)(*n * *k)), 1e-5f);
        for (uint64_t i = 0; i < *n * *k; i++)
            codes[i] = (int8_t)fmaxf(-1, fminf(1, rintf(value(p, type, i) * inverse)));
        *scale = 1.0f / inverse;
    }
    return codes;
}

static void output_codes(const tvk_tensor *t, const tvk_weight_source *s, int8_t *codes,
                         float *scale)
{
    uint64_t count = t->dims[0] * t->dims[1];
    for (uint64_t i = 0; i < count; i++) codes[i] = (int8_t)gguf_code(s, t, i, scale);
}

static const struct {
    const char *hf, *gguf;
    bool permuted;
} linears[] = {
    {"self_attn.q_proj", "attn_q", true},  {"self_attn.k_proj", "attn_k", true},
    {"self_attn.v_proj", "attn_v", false}, {"self_attn.o_proj", "attn_output", false},
    {"mlp.gate_proj", "ffn_gate", false},  {"mlp.up_proj", "ffn_up", false},
    {"mlp.down_proj", "ffn_down", false},
};
static const struct {
    const char *hf, *gguf;
} norms[] = {
    {"input_layernorm", "attn_norm"},
    {"post_attention_layernorm", "ffn_norm"},
    {"self_attn.attn_sub_norm", "attn_sub_norm"},
    {"mlp.ffn_sub_norm", "ffn_sub_norm"},
};

/* Row of the source behind row r of the output. */
static uint64_t from_row(uint64_t r, uint64_t head, bool permuted)
{
    uint64_t h = r / head, pair = r % head / 2, half = r % 2;
    return permuted ? h * head + half * (head / 2) + pair : r;
}

static const tvk_tensor *need(const tvk_weight_source *s, const char *name)
{
    const tvk_tensor *t = s->tensor(s->user, name);
    if (!t) fail_msg("the output has no %s", name);
    return t;
}

static void check_floats(const hf *h, const tvk_weight_source *s, const char *from, const char *to,
                         uint64_t head)
{
    char type[8];
    uint64_t n, k;
    const unsigned char *p = find(h, from, type, &n, &k);
    const tvk_tensor *t = need(s, to);
    assert_int_equal(t->dims[0], k);
    assert_int_equal(t->dim_count, n ? 2 : 1);
    for (uint64_t r = 0; r < (n ? n : 1); r++) {
        uint64_t from_r = from_row(r, head ? head : 2, head != 0);
        for (uint64_t i = 0; i < k; i++) {
            float got = value(t->data, tvk_dtype_name(t->type), r * k + i);
            if (got != value(p, type, from_r * k + i))
                fail_msg("%s [%d, %d]: %g expected, %g found", to, (int)r, (int)i,
                         (double)value(p, type, from_r * k + i), (double)got);
        }
    }
}

static void check_model(const char *folder, const char *type, bool ternary, bool sub_norms)
{
    static const char *const outputs[] = {"out.gguf", "again.gguf"};
    hf h = open_hf(folder);
    char in[512], from[128], to[96];
    const char *arch = sub_norms ? "bitnet" : "llama";
    tvk_convert_params params = {.type = type, .overwrite = true};
    tvk_error err = {0};
    uint64_t layers = config_int(&h, "num_hidden_layers"), u = 0;
    uint64_t heads = config_int(&h, "num_attention_heads");
    uint64_t head = config_int(&h, "head_dim") ? config_int(&h, "head_dim")
                                               : config_int(&h, "hidden_size") / heads;
    snprintf(in, sizeof in, "%s/config.json", folder);
    snprintf(in, sizeof in, "%s", shared(in));
    *strrchr(in, '/') = 0;
    /* from the folder, then from GGUF to GGUF, which must change nothing */
    for (int pass = 0; pass < 2; pass++) {
        tvk_file *file = NULL;
        const tvk_weight_source *s;
        const char *text = NULL;
        double d = 0;
        if (tvk_convert(pass ? temp_path(outputs[0]) : in, temp_path(outputs[pass]), &params,
                        &err) != TVK_OK)
            fail_msg("%s: %s", folder, err.text);
        if (tvk_file_open(temp_path(outputs[pass]), &file, &err) != TVK_OK)
            fail_msg("%s: %s", folder, err.text);
        s = tvk_file_source(file);
        assert_true(s->get_str(s->user, "general.architecture", &text, NULL));
        assert_string_equal(text, arch);
        snprintf(to, sizeof to, "%s.block_count", arch);
        assert_true(s->get_u64(s->user, to, &u, NULL) && u == layers);
        snprintf(to, sizeof to, "%s.rope.freq_base", arch);
        assert_true(s->get_f64(s->user, to, &d, NULL) && d >= 10000);
        snprintf(to, sizeof to, "%s.hidden_activation", arch);
        assert_true(s->get_str(s->user, to, &text, NULL));
        assert_string_equal(text, sub_norms ? "relu2" : "silu");
        snprintf(to, sizeof to, "%s.activation_quant", arch);
        assert_int_equal(s->get_str(s->user, to, &text, NULL), ternary);
        if (ternary) assert_string_equal(text, strstr(folder, "a48") ? "a4.8" : "int8");
        snprintf(to, sizeof to, "%s.attention.key_length", arch);
        assert_true(s->get_u64(s->user, to, &u, NULL) && u == head);
        check_floats(&h, s, "model.embed_tokens.weight", "token_embd.weight", 0);
        check_floats(&h, s, "model.norm.weight", "output_norm.weight", 0);
        if (json_is_true(json_object_get(h.config, "tie_word_embeddings")))
            assert_null(s->tensor(s->user, "output.weight"));
        else
            check_floats(&h, s, "lm_head.weight", "output.weight", 0);
        for (uint64_t l = 0; l < layers; l++) {
            for (size_t i = 0; i < (sub_norms ? 4 : 2); i++) {
                snprintf(from, sizeof from, "model.layers.%d.%s.weight", (int)l, norms[i].hf);
                snprintf(to, sizeof to, "blk.%d.%s.weight", (int)l, norms[i].gguf);
                check_floats(&h, s, from, to, 0);
                assert_int_equal(need(s, to)->type, TVK_F32);
            }
            for (size_t i = 0; i < 7; i++) {
                bool permuted = linears[i].permuted && !sub_norms;
                uint64_t n, k;
                float scale = 0, got_scale = 0;
                int8_t *codes, *got;
                const tvk_tensor *t;
                snprintf(from, sizeof from, "model.layers.%d.%s.weight", (int)l, linears[i].hf);
                snprintf(to, sizeof to, "blk.%d.%s.weight", (int)l, linears[i].gguf);
                t = need(s, to);
                if (!ternary) {
                    check_floats(&h, s, from, to, permuted ? head : 0);
                    continue;
                }
                codes = source_codes(&h, from, &n, &k, &scale);
                assert_int_equal(t->dims[0], k);
                assert_int_equal(t->dims[1], n);
                got = malloc(n * k);
                if (t->type == TVK_F32) {
                    for (uint64_t r = 0; r < n; r++)
                        for (uint64_t c = 0; c < k; c++)
                            assert_true(value(t->data, "F32", r * k + c) ==
                                        (float)codes[from_row(r, head, permuted) * k + c] * scale);
                } else {
                    output_codes(t, s, got, &got_scale);
                    if (got_scale != scale)
                        fail_msg("%s: scale %.9g expected, %.9g found", to, (double)scale,
                                 (double)got_scale);
                    for (uint64_t r = 0; r < n; r++)
                        assert_memory_equal(got + r * k, codes + from_row(r, head, permuted) * k,
                                            k);
                }
                free(codes);
                free(got);
            }
        }
        tvk_file_close(&file);
    }
    if (!type || strcmp(type, "f32") != 0) { /* the second file is the first, byte by byte */
        size_t a_bytes = 0, b_bytes = 0;
        unsigned char *a = read_whole(temp_path(outputs[0]), &a_bytes);
        unsigned char *b = read_whole(temp_path(outputs[1]), &b_bytes);
        assert_int_equal(a_bytes, b_bytes);
        assert_memory_equal(a, b, a_bytes);
        free(a);
        free(b);
    }
    remove(temp_path(outputs[0]));
    remove(temp_path(outputs[1]));
    close_hf(&h);
}

static void ternary_folders(void **state)
{
    static const char *const types[] = {NULL, "i2_s", "tq1_0", "tq2_0", "f32"};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        check_model("hf/bitnet-tiny-bf16", types[i], true, true);
        check_model("hf/bitnet-tiny-packed", types[i], true, true);
        check_model("hf/llama-bitlinear", types[i], true, false);
    }
}

static void a48_folder(void **state)
{
    (void)state;
    check_model("a48/a48_d384", NULL, true, true);
    check_model("a48/a48_d384", "f32", true, true);
}

static void float_folder(void **state)
{
    (void)state;
    check_model("hf/llama-tiny", NULL, false, false);
    check_model("hf/llama-tiny", "f32", false, false);
}

/* The packed fixture is the latent one quantised: codes are equal, its scales are rounded to bf16.
 */
static void latent_is_packed(void **state)
{
    hf a = open_hf("hf/bitnet-tiny-bf16"), b = open_hf("hf/bitnet-tiny-packed");
    (void)state;
    for (int l = 0; l < 3; l++) {
        for (size_t i = 0; i < 7; i++) {
            char name[128];
            uint64_t n, k, n2, k2;
            float s = 0, s2 = 0;
            int8_t *x, *y;
            uint32_t bits;
            snprintf(name, sizeof name, "model.layers.%d.%s.weight", l, linears[i].hf);
            x = source_codes(&a, name, &n, &k, &s);
            y = source_codes(&b, name, &n2, &k2, &s2);
            assert_int_equal(n * k, n2 * k2);
            assert_memory_equal(x, y, n * k);
            bits = tvk_f32_bits(s);
            bits = bits + 0x7fff + (bits >> 16 & 1); /* to bf16, ties to even */
            assert_true(tvk_f32_from_bits(bits & 0xffff0000u) == s2);
            free(x);
            free(y);
        }
    }
    close_hf(&a);
    close_hf(&b);
}

static void embedding_types(void **state)
{
    static const struct {
        const char *option;
        tvk_dtype type;
    } cases[] = {{"as-is", TVK_F16}, {"f16", TVK_F16}, {"f32", TVK_F32}, {"q8_0", TVK_Q8_0}};
    char in[512];
    (void)state;
    snprintf(in, sizeof in, "%s", shared("a48/a48_d384/config.json"));
    *strrchr(in, '/') = 0;
    for (size_t i = 0; i < 4; i++) {
        tvk_convert_params params = {.embedding_type = cases[i].option};
        tvk_file *file = NULL;
        tvk_error err = {0};
        const tvk_weight_source *s;
        if (tvk_convert(in, temp_path("emb.gguf"), &params, &err) != TVK_OK)
            fail_msg("%s", err.text);
        assert_int_equal(tvk_file_open(temp_path("emb.gguf"), &file, &err), TVK_OK);
        s = tvk_file_source(file);
        assert_int_equal(need(s, "token_embd.weight")->type, cases[i].type);
        assert_int_equal(need(s, "blk.0.attn_q.weight")->type, TVK_I2_S);
        tvk_file_close(&file);
        /* there already: untouched unless told */
        assert_int_equal(tvk_convert(in, temp_path("emb.gguf"), &params, &err), TVK_ERR_ARG);
        assert_non_null(strstr(err.text, "is there already"));
        remove(temp_path("emb.gguf"));
    }
}

/* Value i of a Q6_K block. */
static float q6_value(const unsigned char *b, int i)
{
    unsigned low = b[i / 128 * 64 + i % 64] >> (i % 128 < 64 ? 0 : 4) & 15;
    unsigned high = b[128 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
    uint16_t d;
    memcpy(&d, b + 208, 2);
    return tvk_f16_to_f32(d) * (float)(int8_t)b[192 + i / 16] *
           (float)((int)(low | high << 4) - 32);
}

/* From Q6_K and Q4_0 to F32; as they are; and from F32 to Q6_K. */
static void quantised_gguf(void **state)
{
    static const char *const wishes[] = {"f32", NULL, "f32"};
    static const char *const embeddings[] = {"f32", NULL, "q6_k"};
    unsigned char q6[210], q4[36];
    buf b = {0};
    (void)state;
    for (unsigned i = 0; i < 210; i++) q6[i] = (unsigned char)(i * 37 + 11);
    memcpy(q6 + 208, "\0\x30", 2); /* 0.125 */
    for (unsigned i = 0; i < 36; i++) q4[i] = (unsigned char)(i * 29 + 5);
    memcpy(q4, "\0\x38", 2); /* 0.5, then -2 */
    memcpy(q4 + 18, "\0\xc0", 2);
    put_header(&b, 3, 2, 1);
    put_kv_str(&b, "general.architecture", "llama");
    put_tensor(&b, "token_embd.weight", 14, 256, 1, 0);
    put_tensor(&b, "blk.0.attn_v.weight", 2, 32, 2, 224);
    put_pad(&b, 32);
    put(&b, q6, sizeof q6);
    put_pad(&b, 32);
    put(&b, q4, sizeof q4);
    write_file(temp_path("q.gguf"), b.data, b.size);
    for (int pass = 0; pass < 3; pass++) { /* the third takes the output of the first */
        tvk_convert_params params = {
            .type = wishes[pass], .embedding_type = embeddings[pass], .overwrite = true};
        const char *in = temp_path(pass == 2 ? "q0.gguf" : "q.gguf");
        const char *out = temp_path(pass == 0 ? "q0.gguf" : "q1.gguf");
        tvk_file *file = NULL;
        tvk_error err = {0};
        const tvk_tensor *e, *v;
        if (tvk_convert(in, out, &params, &err) != TVK_OK) fail_msg("%s", err.text);
        if (tvk_file_open(out, &file, &err) != TVK_OK) fail_msg("%s", err.text);
        e = need(tvk_file_source(file), "token_embd.weight");
        v = need(tvk_file_source(file), "blk.0.attn_v.weight");
        assert_int_equal(e->type, pass == 0 ? TVK_F32 : TVK_Q6_K);
        assert_int_equal(v->type, pass == 1 ? TVK_Q4_0 : TVK_F32);
        if (pass == 1) {
            assert_memory_equal(e->data, q6, sizeof q6);
            assert_memory_equal(v->data, q4, sizeof q4);
        }
        for (int i = 0; pass == 0 && i < 256; i++)
            assert_true(value(e->data, "F32", (uint64_t)i) == q6_value(q6, i));
        for (int i = 0; pass == 2 && i < 256; i++) /* largest: 128 * 32 / 8; half a step of that */
            assert_true(fabsf(q6_value(e->data, i) - q6_value(q6, i)) < 512.0f / 60);
        for (int i = 0; pass != 1 && i < 64; i++) {
            int code = q4[i / 32 * 18 + 2 + i % 16] >> (i % 32 < 16 ? 0 : 4) & 15;
            assert_true(value(v->data, "F32", (uint64_t)i) ==
                        (i < 32 ? 0.5f : -2.0f) * (float)(code - 8));
        }
        tvk_file_close(&file);
    }
    remove(temp_path("q.gguf"));
    remove(temp_path("q0.gguf"));
    remove(temp_path("q1.gguf"));
    free_buf(&b);
}

static void tokenizer_json(void **state)
{
    static const char text[] =
        "Once upon a time, there was a little girl named Lily. She didn't "
        "like  the\n\nrain; \xc3\xa9t\xc3\xa9 \xf0\x9f\xa6\x99!<|endoftext|>";
    char in[512], back[512];
    tvk_file *file = NULL;
    tvk_tokenizer *t = NULL;
    tvk_error err = {0};
    int32_t *ids = NULL;
    uint32_t count = 0;
    size_t n = 0;
    (void)state;
    snprintf(in, sizeof in, "%s", shared("a48/a48_d384/config.json"));
    *strrchr(in, '/') = 0;
    if (tvk_convert(in, temp_path("tok.gguf"), NULL, &err) != TVK_OK) fail_msg("%s", err.text);
    assert_int_equal(tvk_file_open(temp_path("tok.gguf"), &file, &err), TVK_OK);
    if (tvk_tokenizer_create(file, &t, &err) != TVK_OK) fail_msg("%s", err.text);
    tvk_file_close(&file);
    assert_int_equal(tvk_tokenizer_vocab(t), 4096);
    assert_int_equal(tvk_tokenizer_bos(t), 0);
    assert_int_equal(tvk_tokenizer_eos(t), 0);
    assert_int_equal(tvk_tokenize(t, text, sizeof text - 1, false, true, &ids, &count, &err),
                     TVK_OK);
    assert_true(count > 10 && count < 60);
    assert_int_equal(ids[count - 1], 0);
    for (uint32_t i = 0; i < count; i++) {
        const char *s;
        size_t bytes;
        tvk_token_bytes(t, ids[i], i == 0, true, &s, &bytes);
        memcpy(back + n, s, bytes);
        n += bytes;
    }
    assert_int_equal(n, sizeof text - 1);
    assert_memory_equal(back, text, n);
    free(ids);
    tvk_tokenizer_destroy(&t);
    remove(temp_path("tok.gguf"));
}

/* Tensors of a GGUF file that have the name of a matrix and are none. */
static void broken_gguf(void **state)
{
    static const struct {
        uint64_t k, n;
        float scale; /* 0 is a scale that a copy would lose */
        const char *part;
    } cases[] = {
        {256, 0, 1, "'blk.0.attn_q.weight': 2 dimensions expected, 1 found"},
        {256, 1, 0, "'blk.0.attn_q.scale': a scale above 0 expected, 0 found"},
        {256, 1, -1, "'blk.0.attn_q.scale': a scale above 0 expected, -1 found"},
        {256, 1, 2, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tvk_convert_params params = {.type = "i2_s", .overwrite = true};
        tvk_error err = {0};
        buf b = {0};
        put_header(&b, 3, 2, 1);
        put_kv_str(&b, "general.architecture", "llama");
        put_tensor(&b, "blk.0.attn_q.weight", 35, cases[i].k, cases[i].n, 0);
        put_tensor(&b, "blk.0.attn_q.scale", 0, 1, 0, 96);
        put_pad(&b, 32);
        for (int j = 0; j < 64; j++) put_le(&b, 0x92, 1);
        put_le(&b, 0x3c00, 2);
        put_pad(&b, 32);
        put_f32(&b, cases[i].scale);
        put_pad(&b, 32);
        write_file(temp_path("in.gguf"), b.data, b.size);
        free_buf(&b);
        assert_int_equal(tvk_convert(temp_path("in.gguf"), temp_path("out.gguf"), &params, &err),
                         *cases[i].part ? TVK_ERR_FORMAT : TVK_OK);
        if (!strstr(err.text, cases[i].part))
            fail_msg("'%s' expected, '%s' found", cases[i].part, err.text);
    }
    remove(temp_path("in.gguf"));
    remove(temp_path("out.gguf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ternary_folders), cmocka_unit_test(a48_folder),
        cmocka_unit_test(float_folder),    cmocka_unit_test(latent_is_packed),
        cmocka_unit_test(embedding_types), cmocka_unit_test(quantised_gguf),
        cmocka_unit_test(tokenizer_json),  cmocka_unit_test(broken_gguf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
