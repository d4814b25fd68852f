/* convert: one small folder of each public family, values and choices checked one by one. */
#define TEST_NAME "test_convert_families"
#define _POSIX_C_SOURCE 200809L
#include "hf_files.h"

#include <math.h>

#define FOLDER "test_convert_families.folder"
#define OUT "test_convert_families.gguf"

typedef struct sizes {
    size_t hidden, ffn, heads, kv_heads, head, vocab;
} sizes;

/* No width is a multiple of 128, rows times columns are: I2_S blocks run over row ends. */
static const sizes odd = {96, 172, 4, 2, 24, 10};
static const sizes head100 = {96, 172, 2, 1, 100, 10};
static const sizes wide = {512, 512, 4, 1, 128, 10}; /* two blocks of 256 */
static const sizes tiny = {20, 12, 2, 1, 12, 10};    /* rows times columns are no multiple of 128 */

/* How the linears are stored. */
typedef enum stored {
    LATENT,     /* to be quantised */
    MULTIPLIED, /* uint8, weight_scale is a factor */
    DIVIDED,    /* uint8, weight_scale is a divisor */
    ONE_SCALE,  /* floats that are -s, 0, s */
    ROW_SLABS,  /* the same, in each half of the rows another s */
    COL_SLABS,  /* in each 256 columns another s */
    DENSE
} stored;

typedef struct family {
    const char *name, *config;
    const sizes *shape;
    stored storage;
    const char *dtype;
    int sub_norms; /* 0: none, 1: 2B4T's names, 2: 1bitLLM's */
    bool tied;
    const char *arch, *activation, *quant; /* expected; quant NULL: no key */
    tvk_dtype type;                        /* of the linears, without --type */
} family;

#define CLASS(name) "\"architectures\":[\"" name "\"]"
#define QUANT(more) ",\"quantization_config\":{\"quant_method\":\"bitnet\"" more "}"
#define ONLINE QUANT(",\"linear_class\":\"autobitlinear\",\"quantization_mode\":\"online\"")
#define OFFLINE QUANT(",\"linear_class\":\"autobitlinear\",\"quantization_mode\":\"offline\"")
#define ONEBIT ",\"model_type\":\"llama\",\"weight_bits\":1,\"input_bits\":8,\"rope_scaling\":null"

static const family families[] = {
    {"2B4T, bf16", CLASS("BitNetForCausalLM") ",\"hidden_act\":\"relu2\"" ONLINE, &odd, LATENT,
     "BF16", 1, true, "bitnet", "relu2", "int8", TVK_I2_S},
    {"2B4T, packed", CLASS("BitNetForCausalLM") ",\"hidden_act\":\"relu2\"" OFFLINE, &odd,
     MULTIPLIED, "BF16", 1, true, "bitnet", "relu2", "int8", TVK_I2_S},
    {"BitNet, older packing", CLASS("BitNetForCausalLM") QUANT(""), &odd, DIVIDED, "BF16", 1, false,
     "bitnet", "relu2", "int8", TVK_I2_S},
    {"1bitLLM large", CLASS("BitnetForCausalLM") ONEBIT, &odd, LATENT, "F32", 2, false, "bitnet",
     "silu", "int8", TVK_I2_S},
    {"1bitLLM 3B", CLASS("BitnetForCausalLM") ONEBIT, &head100, LATENT, "F16", 2, false, "bitnet",
     "silu", "int8", TVK_I2_S},
    {"Falcon-E", CLASS("LlamaForCausalLM") OFFLINE, &odd, MULTIPLIED, "BF16", 0, true, "llama",
     "silu", "int8", TVK_I2_S},
    {"Falcon3-1.58", CLASS("LlamaForCausalLM") ",\"rope_theta\":1000042" QUANT(""), &odd, DIVIDED,
     "BF16", 0, false, "llama", "silu", "int8", TVK_I2_S},
    {"Llama3-8B-1.58",
     CLASS("LlamaForCausalLM") ",\"rope_theta\":500000.0" QUANT(
         ",\"modules_to_not_convert\":[\"lm_head\"]"),
     &odd, DIVIDED, "F32", 0, false, "llama", "silu", "int8", TVK_I2_S},
    {"TriLM, one scale", CLASS("LlamaForCausalLM"), &wide, ONE_SCALE, "F16", 0, false, "llama",
     "silu", "none", TVK_I2_S},
    {"TriLM, odd width", CLASS("LlamaForCausalLM"), &odd, ONE_SCALE, "F16", 0, false, "llama",
     "silu", "none", TVK_F16},
    {"TriLM, row shards", CLASS("LlamaForCausalLM"), &wide, ROW_SLABS, "F16", 0, false, "llama",
     "silu", "none", TVK_TQ2_0},
    {"TriLM, column shards", CLASS("LlamaForCausalLM"), &wide, COL_SLABS, "F16", 0, false, "llama",
     "silu", "none", TVK_TQ2_0},
    {"LLaMA, f16", CLASS("LlamaForCausalLM"), &odd, DENSE, "F16", 0, false, "llama", "silu", NULL,
     TVK_F16},
    {"LLaMA, bf16 in f16's range", CLASS("LlamaForCausalLM"), &odd, DENSE, "BF16", 0, true, "llama",
     "silu", NULL, TVK_F16},
    {"LLaMA, f32", CLASS("LlamaForCausalLM"), &odd, DENSE, "F32", 0, false, "llama", "silu", NULL,
     TVK_F32},
    {"too small for I2_S, scale of f16", CLASS("LlamaForCausalLM") OFFLINE, &tiny, MULTIPLIED,
     "BF16", 0, true, "llama", "silu", "int8", TVK_F16},
    {"too small for I2_S", CLASS("LlamaForCausalLM") QUANT(""), &tiny, DIVIDED, "BF16", 0, true,
     "llama", "silu", "int8", TVK_F32},
};

/* ---- values by formula ---- */

static int code_of(size_t tensor, size_t i)
{
    return pattern(i + 5 * tensor);
}

/* 0.375 is exact in every type; 0.33203125 is a bfloat16 whose reciprocal is no f16. */
static float weight_scale(stored how)
{
    return how == DIVIDED ? 0.33203125f : 0.375f;
}

static float slab_scale(stored how, const size_t nk[2], size_t row, size_t col)
{
    if (how == ROW_SLABS) return row < nk[0] / 2 ? 0.5f : 0.3125f;
    if (how == COL_SLABS) return col < 256 ? 0.5f : 0.3125f;
    return 0.375f;
}

/* Latent: 1 and 1/8 in size; their mean is about 0.7, so that 1/8 rounds to 0. */
static float float_of(const family *f, size_t tensor, const size_t nk[2], size_t i)
{
    int code = code_of(tensor, i);
    if (f->storage == LATENT) return code ? (float)code : i % 2 ? 0.125f : -0.125f;
    if (f->storage == DENSE) return (float)((i * 7 + tensor) % 61) / 32.0f - 1.0f;
    return (float)code * slab_scale(f->storage, nk, i / nk[1], i % nk[1]);
}

static float expected_scale(const family *f, size_t tensor, const size_t nk[2], size_t i)
{
    size_t count = nk[0] * nk[1];
    double sum = 0;
    float mean;
    if (f->storage == MULTIPLIED) return weight_scale(f->storage);
    if (f->storage == DIVIDED) return 1.0f / weight_scale(f->storage);
    if (f->storage != LATENT) return slab_scale(f->storage, nk, i / nk[1], i % nk[1]);
    for (size_t j = 0; j < count; j++) sum += fabs((double)float_of(f, tensor, nk, j));
    mean = (float)(sum / (double)count);
    return 1.0f / (1.0f / mean);
}

/* ---- the folder ---- */

static const struct {
    const char *hf, *gguf;
} linears[] = {
    {"self_attn.q_proj", "attn_q"}, {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"}, {"self_attn.o_proj", "attn_output"},
    {"mlp.gate_proj", "ffn_gate"},  {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
};

static void linear_shape(const sizes *s, size_t i, size_t out[2])
{
    size_t q = s->heads * s->head, kv = s->kv_heads * s->head;
    const size_t shapes[7][2] = {{q, s->hidden},     {kv, s->hidden},     {kv, s->hidden},
                                 {s->hidden, q},     {s->ffn, s->hidden}, {s->ffn, s->hidden},
                                 {s->hidden, s->ffn}};
    memcpy(out, shapes[i], sizeof shapes[i]);
}

static void put_vector(hf_weights *w, const family *f, const char *name, size_t n, size_t k,
                       float offset)
{
    hf_tensor(w, name, f->dtype, n, k);
    for (size_t i = 0; i < (n ? n : 1) * k; i++)
        put_value(&w->data, f->dtype, offset + (float)(i % 16) / 16.0f);
}

static void put_linear(hf_weights *w, const family *f, size_t tensor, const char *name)
{
    size_t nk[2], n, k;
    char scale[160];
    linear_shape(f->shape, tensor, nk);
    n = nk[0];
    k = nk[1];
    if (f->storage != MULTIPLIED && f->storage != DIVIDED) {
        hf_tensor(w, name, f->dtype, n, k);
        for (size_t i = 0; i < n * k; i++)
            put_value(&w->data, f->dtype, float_of(f, tensor, nk, i));
        return;
    }
    hf_tensor(w, name, "U8", n / 4, k);
    for (size_t i = 0; i < n / 4 * k; i++) {
        unsigned byte = 0;
        for (size_t j = 0; j < 4; j++)
            byte |= (unsigned)(code_of(tensor, i + j * (n / 4) * k) + 1) << (2 * j);
        put_le(&w->data, byte, 1);
    }
    snprintf(scale, sizeof scale, "%s_scale", name);
    hf_tensor(w, scale, f->dtype, 0, 1);
    put_value(&w->data, f->dtype, weight_scale(f->storage));
}

static void make_folder(const family *f)
{
    static const char *const sub_norms[3][2] = {{NULL, NULL},
                                                {"self_attn.attn_sub_norm", "mlp.ffn_sub_norm"},
                                                {"self_attn.inner_attn_ln", "mlp.ffn_layernorm"}};
    const sizes *s = f->shape;
    hf_weights w = {0};
    char text[1024], name[128];
    snprintf(text, sizeof text,
             "{%s,\"hidden_size\":%zu,\"num_hidden_layers\":1,\"intermediate_size\":%zu,"
             "\"num_attention_heads\":%zu,\"num_key_value_heads\":%zu,\"head_dim\":%zu,"
             "\"vocab_size\":%zu,\"rms_norm_eps\":1e-5,\"tie_word_embeddings\":%s,"
             "\"torch_dtype\":\"bfloat16\"}",
             f->config, s->hidden, s->ffn, s->heads, s->kv_heads, s->head, s->vocab,
             f->tied ? "true" : "false");
    hf_text(FOLDER, "config.json", text);
    put_vector(&w, f, "model.embed_tokens.weight", s->vocab, s->hidden, 0.25f);
    put_vector(&w, f, "model.norm.weight", 0, s->hidden, 1.0f);
    if (!f->tied) put_vector(&w, f, "lm_head.weight", s->vocab, s->hidden, -0.5f);
    put_vector(&w, f, "model.layers.0.input_layernorm.weight", 0, s->hidden, 1.5f);
    put_vector(&w, f, "model.layers.0.post_attention_layernorm.weight", 0, s->hidden, 0.5f);
    for (int i = 0; i < 2 && f->sub_norms; i++) {
        snprintf(name, sizeof name, "model.layers.0.%s.weight", sub_norms[f->sub_norms][i]);
        put_vector(&w, f, name, 0, i ? s->ffn : s->heads * s->head, 2.0f);
    }
    for (size_t i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "model.layers.0.%s.weight", linears[i].hf);
        put_linear(&w, f, i, name);
    }
    hf_save(&w, FOLDER, "model.safetensors");
}

/* ---- checks ---- */

static void expect_text(const tvk_weight_source *s, const char *arch, const char *key,
                        const char *value)
{
    char name[96];
    const char *text = NULL;
    snprintf(name, sizeof name, "%s%s%s", arch, *arch ? "." : "", key);
    s->get_str(s->user, name, &text, NULL);
    if (!value && text) fail_msg("%s: no key expected, '%s' found", name, text);
    if (value && (!text || strcmp(text, value) != 0))
        fail_msg("%s: '%s' expected, '%s' found", name, value, text ? text : "none");
}

static void check_vector(const tvk_weight_source *s, const char *name, size_t count, float offset)
{
    const tvk_tensor *t = need_tensor(s, name);
    assert_int_equal(t->dims[0] * t->dims[1], count);
    for (size_t i = 0; i < count; i++)
        assert_true(gguf_value(t, i) == offset + (float)(i % 16) / 16.0f);
}

static void check_linear(const family *f, const tvk_weight_source *s, size_t tensor, tvk_dtype type)
{
    size_t nk[2];
    char name[96];
    const tvk_tensor *t;
    float scale = 0, wanted = 0;
    bool moved = strcmp(f->arch, "llama") == 0 && tensor < 2;
    linear_shape(f->shape, tensor, nk);
    snprintf(name, sizeof name, "blk.0.%s.weight", linears[tensor].gguf);
    t = need_tensor(s, name);
    assert_int_equal(t->type, type);
    assert_int_equal(t->dims[0], nk[1]);
    assert_int_equal(t->dims[1], nk[0]);
    for (size_t i = 0; i < nk[0] * nk[1]; i++) {
        size_t row = i / nk[1];
        size_t from = moved ? unpermuted(row, f->shape->head) * nk[1] + i % nk[1] : i;
        int code = code_of(tensor, from);
        if (f->storage != LATENT || i == 0) wanted = expected_scale(f, tensor, nk, from);
        if (f->storage == DENSE) {
            assert_true(gguf_value(t, i) == float_of(f, tensor, nk, from));
        } else if (type == TVK_F16 || type == TVK_F32) {
            assert_true(gguf_value(t, i) == (float)code * wanted);
        } else {
            assert_int_equal(gguf_code(s, t, i, &scale), code);
            if (scale != wanted)
                fail_msg("%s [%zu]: scale %.9g expected, %.9g found", name, i, (double)wanted,
                         (double)scale);
        }
    }
}

static void check_file(const family *f, tvk_dtype type)
{
    const sizes *s = f->shape;
    tvk_file *file = NULL;
    tvk_error err = {0};
    const tvk_weight_source *src;
    if (tvk_file_open(OUT, &file, &err) != TVK_OK) fail_msg("%s: %s", f->name, err.text);
    src = tvk_file_source(file);
    expect_text(src, "", "general.architecture", f->arch);
    expect_text(src, f->arch, "hidden_activation", f->activation);
    expect_text(src, f->arch, "activation_quant", f->quant);
    check_vector(src, "token_embd.weight", s->vocab * s->hidden, 0.25f);
    check_vector(src, "output_norm.weight", s->hidden, 1.0f);
    check_vector(src, "blk.0.attn_norm.weight", s->hidden, 1.5f);
    check_vector(src, "blk.0.ffn_norm.weight", s->hidden, 0.5f);
    if (f->tied)
        assert_null(src->tensor(src->user, "output.weight"));
    else
        check_vector(src, "output.weight", s->vocab * s->hidden, -0.5f);
    if (f->sub_norms) {
        check_vector(src, "blk.0.attn_sub_norm.weight", s->heads * s->head, 2.0f);
        check_vector(src, "blk.0.ffn_sub_norm.weight", s->ffn, 2.0f);
    }
    for (size_t i = 0; i < 7; i++) check_linear(f, src, i, type);
    tvk_file_close(&file);
}

static void convert(const family *f, const char *type, tvk_status wanted, const char *part)
{
    tvk_convert_params params = {.type = type, .overwrite = true};
    tvk_error err = {0};
    tvk_status st = tvk_convert(FOLDER, OUT, &params, &err);
    if (st != wanted || (part && !strstr(err.text, part)))
        fail_msg("%s as %s: %s '%s' expected, %s '%s' found", f->name, type ? type : "default",
                 tvk_status_name(wanted), part ? part : "", tvk_status_name(st), err.text);
}

static void defaults(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        make_folder(&families[i]);
        convert(&families[i], NULL, TVK_OK, NULL);
        check_file(&families[i], families[i].type);
    }
}

/* The types that hold the same, and what is said of those that cannot. */
static void wanted_types(void **state)
{
    static const struct {
        const char *option;
        tvk_dtype type;
    } types[] = {{"i2_s", TVK_I2_S}, {"tq1_0", TVK_TQ1_0}, {"tq2_0", TVK_TQ2_0}, {"f32", TVK_F32}};
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const family *f = &families[i];
        make_folder(f);
        for (size_t t = 0; t < 4; t++) {
            bool tq = types[t].type == TVK_TQ1_0 || types[t].type == TVK_TQ2_0;
            bool slabs = f->storage == ROW_SLABS || f->storage == COL_SLABS;
            const char *why = NULL;
            tvk_status st = TVK_ERR_ARG;
            if (types[t].type == TVK_F32)
                ;
            else if (f->storage == DENSE)
                why = "are not ternary";
            else if (tq && f->shape != &wide)
                why = "needs columns to be a multiple of 256: use --type i2_s";
            else if (!tq && slabs)
                why = "different scales, I2_S has one a tensor", st = TVK_ERR_UNSUPPORTED;
            else if (!tq && f->shape == &tiny)
                why = "multiple of 128: use --type f16 or f32, or leave --type away";
            convert(f, types[t].option, why ? st : TVK_OK, why);
            if (!why) check_file(f, types[t].type);
        }
    }
}

/* A value that is not ternary makes a matrix dense, or an error where it must not be. */
static void not_quite_ternary(void **state)
{
    family f = families[8];
    unsigned char *file;
    size_t bytes = 0;
    const unsigned char value[] = {0x00, 0x3c}; /* 1.0 */
    (void)state;
    assert_int_equal(f.storage, ONE_SCALE);
    make_folder(&f);
    file = read_whole(FOLDER "/model.safetensors", &bytes);
    memcpy(file + bytes - 2, value, 2); /* the last weight of down */
    hf_bytes(FOLDER, "model.safetensors", file, bytes);
    convert(&f, NULL, TVK_OK, NULL);
    {
        tvk_file *out = NULL;
        tvk_error err = {0};
        const tvk_weight_source *s;
        assert_int_equal(tvk_file_open(OUT, &out, &err), TVK_OK);
        s = tvk_file_source(out);
        assert_int_equal(need_tensor(s, "blk.0.ffn_down.weight")->type, TVK_F16);
        assert_int_equal(need_tensor(s, "blk.0.ffn_up.weight")->type, TVK_I2_S);
        expect_text(s, "llama", "activation_quant", "none");
        tvk_file_close(&out);
    }
    f.config = CLASS("LlamaForCausalLM") QUANT("");
    make_folder(&f);
    convert(&f, NULL, TVK_OK, NULL); /* exact floats in a quantised model */
    hf_bytes(FOLDER, "model.safetensors", file, bytes);
    convert(&f, NULL, TVK_ERR_UNSUPPORTED, "latent weights need quantization_mode online");
    free(file);
}

/* Q, K, V are one matrix of the device, gate and up another: ternary all or none. */
static void fused_parts(void **state)
{
    static const struct {
        const char *name;
        tvk_dtype type;
    } parts[] = {{"blk.0.attn_q.weight", TVK_I2_S},     {"blk.0.attn_k.weight", TVK_I2_S},
                 {"blk.0.attn_v.weight", TVK_I2_S},     {"blk.0.ffn_gate.weight", TVK_F16},
                 {"blk.0.ffn_up.weight", TVK_F16},      {"blk.0.ffn_down.weight", TVK_I2_S},
                 {"blk.0.attn_output.weight", TVK_I2_S}};
    const family *f = &families[8];
    unsigned char *file;
    size_t bytes = 0, at = 0;
    uint64_t header = 0;
    const char *entry;
    tvk_file *out = NULL;
    tvk_error err = {0};
    const tvk_weight_source *s;
    (void)state;
    make_folder(f);
    file = read_whole(FOLDER "/model.safetensors", &bytes);
    memcpy(&header, file, 8);
    entry = strstr((const char *)file + 8, "model.layers.0.mlp.up_proj.weight");
    assert_non_null(entry);
    entry = strstr(entry, "data_offsets");
    assert_int_equal(sscanf(entry, "data_offsets\":[%zu,", &at), 1);
    memcpy(file + 8 + header + at, (const unsigned char[]){0x00, 0x40}, 2); /* 2.0 */
    hf_bytes(FOLDER, "model.safetensors", file, bytes);
    convert(f, NULL, TVK_OK, NULL);
    assert_int_equal(tvk_file_open(OUT, &out, &err), TVK_OK);
    s = tvk_file_source(out);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (need_tensor(s, parts[i].name)->type != parts[i].type)
            fail_msg("%s has another type", parts[i].name);
    assert_true(gguf_value(need_tensor(s, "blk.0.ffn_up.weight"), 0) == 2.0f);
    check_linear(f, s, 4, TVK_F16);
    tvk_file_close(&out);
    free(file);
}

static int clean(void **state)
{
    (void)state;
    hf_remove(FOLDER);
    remove(OUT);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(defaults, clean),
        cmocka_unit_test_teardown(wanted_types, clean),
        cmocka_unit_test_teardown(not_quite_ternary, clean),
        cmocka_unit_test_teardown(fused_parts, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
