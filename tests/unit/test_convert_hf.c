/* convert: what is refused, with which words; small folders made by hand. */
#define TEST_NAME "test_convert_hf"
#define _POSIX_C_SOURCE 200809L
#include "loader_files.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ternvk/loader.h"

#define FOLDER "test_convert_hf.folder"
#define OUT "test_convert_hf.gguf"

/* One layer, hidden 16, FFN 24, 2 heads of 8, 1 KV head, 12 tokens. */
static const char plain_config[] =
    "\"hidden_size\":16,\"num_hidden_layers\":1,\"intermediate_size\":24,\"num_attention_heads\":2,"
    "\"num_key_value_heads\":1,\"vocab_size\":12,\"max_position_embeddings\":64,"
    "\"rms_norm_eps\":1e-5";
#define LLAMA "\"architectures\":[\"LlamaForCausalLM\"]"
#define BITNET "\"architectures\":[\"BitNetForCausalLM\"]"

static struct {
    const char *name;
    int n, k;
} tensors[] = {
    {"model.embed_tokens.weight", 12, 16},
    {"model.norm.weight", 0, 16},
    {"lm_head.weight", 12, 16},
    {"model.layers.0.input_layernorm.weight", 0, 16},
    {"model.layers.0.post_attention_layernorm.weight", 0, 16},
    {"model.layers.0.self_attn.q_proj.weight", 16, 16},
    {"model.layers.0.self_attn.k_proj.weight", 8, 16},
    {"model.layers.0.self_attn.v_proj.weight", 8, 16},
    {"model.layers.0.self_attn.o_proj.weight", 16, 16},
    {"model.layers.0.mlp.gate_proj.weight", 24, 16},
    {"model.layers.0.mlp.up_proj.weight", 24, 16},
    {"model.layers.0.mlp.down_proj.weight", 16, 24},
    {"model.layers.0.self_attn.attn_sub_norm.weight", 0, 16}, /* of the BitNet classes */
    {"model.layers.0.mlp.ffn_sub_norm.weight", 0, 24},
};
#define SUB_NORMS 2
static bool with_sub_norms;

static void make_config(const char *more)
{
    buf b = {0};
    put(&b, "{", 1);
    put(&b, plain_config, strlen(plain_config));
    put(&b, ",", 1);
    put(&b, more, strlen(more));
    put(&b, "}", 1);
    mkdir(FOLDER, 0777);
    write_file(FOLDER "/config.json", b.data, b.size);
    free_buf(&b);
}

/* All tensors as F32 but `omit`; the q matrix has q_n rows; `extra` is one more tensor. packed: the
 * linears are U8 with a scale. */
static void make_weights(const char *omit, int q_n, const char *extra, bool packed)
{
    buf b = {0}, data = {0};
    put(&b, "{", 1);
    size_t count = sizeof tensors / sizeof *tensors - (with_sub_norms ? 0 : SUB_NORMS);
    for (size_t i = 0; i < count + 1; i++) {
        bool last = i == count;
        const char *name = last ? extra : tensors[i].name;
        int n = last ? 0 : tensors[i].n, k = last ? 16 : tensors[i].k;
        bool u8 = packed && name && strstr(name, "_proj");
        char line[256], rows[16] = "";
        size_t begin = data.size;
        if (!name || (omit && strcmp(omit, name) == 0)) continue;
        if (q_n && strstr(name, "q_proj")) n = q_n;
        if (u8) n /= 4;
        for (int j = 0; j < (n ? n : 1) * k; j++) {
            if (u8)
                put_le(&data, 0x92, 1);
            else
                put_f32(&data, (float)(j % 7 - 3));
        }
        if (n) snprintf(rows, sizeof rows, "%d,", n);
        snprintf(line, sizeof line, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s%d],",
                 b.size > 1 ? "," : "", name, u8 ? "U8" : "F32", rows, k);
        put(&b, line, strlen(line));
        snprintf(line, sizeof line, "\"data_offsets\":[%zu,%zu]}", begin, data.size);
        put(&b, line, strlen(line));
        if (u8) {
            snprintf(line, sizeof line,
                     ",\"%s_scale\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
                     name, data.size, data.size + 4);
            put(&b, line, strlen(line));
            put_f32(&data, 0.3f);
        }
    }
    put(&b, "}", 1);
    {
        buf file = {0};
        put_le(&file, b.size, 8);
        put(&file, b.data, b.size);
        put(&file, data.data, data.size);
        write_file(FOLDER "/model.safetensors", file.data, file.size);
        free_buf(&file);
    }
    free_buf(&b);
    free_buf(&data);
}

static tvk_status convert(const char *type, tvk_error *err)
{
    tvk_convert_params params = {.type = type, .overwrite = true};
    memset(err, 0, sizeof *err);
    return tvk_convert(FOLDER, OUT, &params, err);
}

static void expect(const char *type, tvk_status status, const char *part)
{
    tvk_error err;
    size_t bytes;
    tvk_status st = convert(type, &err);
    if (st != status || !strstr(err.text, part))
        fail_msg("%s '%s' expected, %s '%s' found", tvk_status_name(status), part,
                 tvk_status_name(st), err.text);
    if (st != TVK_OK) {
        assert_null(read_whole(OUT, &bytes)); /* nothing was written */
        assert_null(read_whole(OUT ".part", &bytes));
    }
    remove(OUT);
}

static int clean(void **state)
{
    (void)state;
    remove(FOLDER "/config.json");
    remove(FOLDER "/model.safetensors");
    remove(FOLDER "/model.safetensors.index.json");
    remove(FOLDER "/tokenizer.json");
    remove(FOLDER "/tokenizer_config.json");
    rmdir(FOLDER);
    remove(OUT);
    return 0;
}

static void config_errors(void **state)
{
    static const struct {
        const char *config;
        tvk_status status;
        const char *part;
    } cases[] = {
        {"\"architectures\":[\"MambaForCausalLM\"]", TVK_ERR_UNSUPPORTED,
         "'MambaForCausalLM' found"},
        {LLAMA ",\"attention_bias\":true", TVK_ERR_UNSUPPORTED,
         "'attention_bias' other than false"},
        {LLAMA ",\"mlp_bias\":true", TVK_ERR_UNSUPPORTED, "'mlp_bias' other than false"},
        {LLAMA ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0}", TVK_ERR_UNSUPPORTED,
         "RoPE type 'llama3'"},
        {LLAMA ",\"rope_parameters\":{\"rope_type\":\"yarn\"}", TVK_ERR_UNSUPPORTED, "'yarn'"},
        {LLAMA ",\"partial_rotary_factor\":0.5", TVK_ERR_UNSUPPORTED, "partial_rotary_factor"},
        {LLAMA ",\"hidden_act\":\"gelu\"", TVK_ERR_UNSUPPORTED, "silu or relu2 expected, 'gelu'"},
        {LLAMA ",\"quantization_config\":{\"quant_method\":\"gptq\"}", TVK_ERR_UNSUPPORTED,
         "'gptq'"},
        {LLAMA ",\"activation_quant\":\"int3\"", TVK_ERR_UNSUPPORTED, "activation_quant"},
        {LLAMA ",\"head_dim\":7", TVK_ERR_FORMAT, "do not fit together"},
        {LLAMA ",\"head_dim\":-1", TVK_ERR_FORMAT, "head_dim: an integer from 1"},
        {LLAMA ",\"rope_theta\":0", TVK_ERR_FORMAT, "rope_theta: a number above 0"},
        {LLAMA ",\"sliding_window\":4096", TVK_ERR_UNSUPPORTED, "sliding_window"},
        {LLAMA ",\"layer_types\":[\"full_attention\",\"sliding_attention\"]", TVK_ERR_UNSUPPORTED,
         "full_attention expected, 'sliding_attention' found"},
        {LLAMA ",\"input_bits\":4", TVK_ERR_UNSUPPORTED, "'input_bits' other than 8"},
        {LLAMA ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.0}", TVK_ERR_UNSUPPORTED,
         "RoPE type 'linear'"},
        {LLAMA ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":1.0}", TVK_OK, ""},
        {LLAMA ",\"quantization_config\":[]", TVK_ERR_FORMAT, "quantization_config: an object"},
        {LLAMA ",\"quantization_config\":{\"quant_method\":\"bitnet\",\"use_rms_norm\":true}",
         TVK_ERR_UNSUPPORTED, "use_rms_norm"},
        {LLAMA ",\"quantization_config\":{\"quant_method\":\"bitnet\",\"linear_class\":\"x\"}",
         TVK_ERR_UNSUPPORTED, "bitlinear or autobitlinear expected, 'x' found"},
        {LLAMA ",\"quantization_config\":{\"quant_method\":\"bitnet\","
               "\"modules_to_not_convert\":[\"mlp\"],\"quantization_mode\":\"online\"}",
         TVK_ERR_UNSUPPORTED, "leaves it dense in a quantised model"},
        {"\"x\":", TVK_ERR_FORMAT, "config.json: line 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_config(cases[i].config);
        make_weights(NULL, 0, NULL, false);
        expect(NULL, cases[i].status, cases[i].part);
    }
}

static void tensor_errors(void **state)
{
    (void)state;
    make_config(LLAMA);
    make_weights(NULL, 0, NULL, false);
    expect(NULL, TVK_OK, "");
    make_weights("model.layers.0.mlp.up_proj.weight", 0, NULL, false);
    expect(NULL, TVK_ERR_FORMAT, "tensor 'model.layers.0.mlp.up_proj.weight' is missing");
    make_weights("lm_head.weight", 0, NULL, false);
    expect(NULL, TVK_ERR_FORMAT, "'lm_head.weight' is missing");
    make_config(LLAMA ",\"tie_word_embeddings\":true");
    expect(NULL, TVK_OK, "");
    make_config(LLAMA);
    make_weights(NULL, 20, NULL, false);
    expect(NULL, TVK_ERR_FORMAT, "q_proj.weight': float [16, 16] expected, F32 [20, 16] found");
    make_weights(NULL, 0, "model.layers.0.self_attn.q_proj.bias", false);
    expect(NULL, TVK_ERR_UNSUPPORTED, "'model.layers.0.self_attn.q_proj.bias'");
    make_weights(NULL, 0, "model.layers.0.self_attn.rotary_emb.inv_freq", false);
    expect(NULL, TVK_OK, "");
    make_weights(NULL, 0, NULL, true);
    expect(NULL, TVK_ERR_UNSUPPORTED, "config.json has no quantization_config");
    make_config(BITNET);
    make_weights(NULL, 0, NULL, false);
    expect(NULL, TVK_ERR_FORMAT, "attn_sub_norm.weight' is missing");
}

static void output_types(void **state)
{
    tvk_error err;
    tvk_file *file = NULL;
    const tvk_weight_source *s;
    float scale = 0;
    (void)state;
    make_config(LLAMA ",\"quantization_config\":{\"quant_method\":\"bitnet\"}");
    make_weights(NULL, 0, NULL, true);
    expect("tq1_0", TVK_ERR_ARG, "TQ1_0 needs columns to be a multiple of 256: use --type i2_s");
    expect("tq2_0", TVK_ERR_ARG, "TQ2_0 needs columns");
    expect("i2_s", TVK_OK, "");
    expect("q8_0", TVK_ERR_ARG, "--type: i2_s, tq2_0, tq1_0, f16 or f32 expected");
    if (convert(NULL, &err) != TVK_OK) fail_msg("%s", err.text);
    assert_int_equal(tvk_file_open(OUT, &file, &err), TVK_OK);
    s = tvk_file_source(file);
    /* no linear_class: weight_scale divides */
    memcpy(&scale, (const unsigned char *)s->tensor(s->user, "blk.0.attn_q.weight")->data + 64, 4);
    assert_true(scale == 1.0f / 0.3f);
    tvk_file_close(&file);
    make_config(LLAMA ",\"quantization_config\":{\"quant_method\":\"bitnet\","
                      "\"linear_class\":\"autobitlinear\"}");
    if (convert(NULL, &err) != TVK_OK) fail_msg("%s", err.text);
    assert_int_equal(tvk_file_open(OUT, &file, &err), TVK_OK);
    s = tvk_file_source(file);
    memcpy(&scale, (const unsigned char *)s->tensor(s->user, "blk.0.attn_q.weight")->data + 64, 4);
    assert_true(scale == 0.3f);
    tvk_file_close(&file);
    remove(OUT);
    /* heads of 4: K is [4, 16], no multiple of 128 */
    make_config(BITNET ",\"head_dim\":4");
    tensors[5].n = tensors[8].k = tensors[12].k = 8;
    tensors[6].n = tensors[7].n = 4;
    with_sub_norms = true;
    make_weights(NULL, 0, NULL, false);
    with_sub_norms = false;
    tensors[5].n = tensors[8].k = tensors[12].k = 16;
    tensors[6].n = tensors[7].n = 8;
    expect("i2_s", TVK_ERR_ARG,
           "I2_S needs rows * columns to be a multiple of 128: use --type f16");
    expect(NULL, TVK_OK, "");
    expect("f16", TVK_OK, "");
    make_config(LLAMA);
    make_weights(NULL, 0, NULL, false);
    expect("i2_s", TVK_ERR_ARG, "are not ternary: I2_S cannot hold them");
}

/* The folder's tensors without those that b1 lacks. */
static void make_b1(const char *more, const char *extra)
{
    static const int absent[] = {3, 4, 9}; /* both norms of the layer, gate */
    const char *names[3];
    make_config(more);
    for (int i = 0; i < 3; i++) {
        names[i] = tensors[absent[i]].name;
        tensors[absent[i]].name = "skip";
    }
    make_weights("skip", 0, extra, false);
    for (int i = 0; i < 3; i++) tensors[absent[i]].name = names[i];
}

/* BitNet b1: weights are (i mod 7) - 3 row after row. */
static void b1_signs(void **state)
{
    tvk_error err;
    tvk_file *file = NULL;
    const tvk_weight_source *s;
    const tvk_tensor *t;
    const unsigned char *bits;
    const char *text = NULL;
    float scales[2];
    double size[2] = {0, 0}, mean[2] = {0, 0};
    uint64_t groups = 0;
    (void)state;
    make_b1("\"model_type\":\"bitnet-b1\",\"weight_groups\":2", NULL);
    if (convert(NULL, &err) != TVK_OK) fail_msg("%s", err.text);
    assert_int_equal(tvk_file_open(OUT, &file, &err), TVK_OK);
    s = tvk_file_source(file);
    assert_true(s->get_str(s->user, "general.architecture", &text, &err));
    assert_string_equal(text, "bitnet-b1");
    assert_true(s->get_str(s->user, "bitnet-b1.hidden_activation", &text, &err));
    assert_string_equal(text, "gelu");
    assert_true(s->get_u64(s->user, "bitnet-b1.weight_groups", &groups, &err));
    assert_int_equal(groups, 2);
    assert_null(s->tensor(s->user, "blk.0.attn_norm.weight"));
    /* down: slabs of columns [0, 12) and [12, 24) of [16, 24] */
    t = s->tensor(s->user, "blk.0.ffn_down.weight");
    assert_non_null(t);
    assert_int_equal(t->type, TVK_I8);
    assert_int_equal(t->dims[0], 3);
    assert_int_equal(t->dims[1], 16);
    bits = t->data;
    for (int i = 0; i < 16 * 24; i++) {
        size[i % 24 / 12] += abs(i % 7 - 3) / 192.0;
        mean[i % 24 / 12] += (i % 7 - 3) / 192.0;
    }
    t = s->tensor(s->user, "blk.0.ffn_down.scale");
    assert_non_null(t);
    assert_int_equal(t->dims[0], 2);
    memcpy(scales, t->data, sizeof scales);
    for (int g = 0; g < 2; g++) assert_true(fabs((double)scales[g] - size[g]) < 1e-7);
    for (int i = 0; i < 16 * 24; i++)
        assert_int_equal(bits[i / 8] >> i % 8 & 1, i % 7 - 3 > mean[i % 24 / 12]);
    tvk_file_close(&file);
    remove(OUT);
    expect("i2_s", TVK_ERR_ARG, "BitNet b1 has signs only");
    make_b1("\"model_type\":\"bitnet-b1\",\"weight_groups\":5", NULL);
    expect(NULL, TVK_ERR_UNSUPPORTED, "weight_groups: 5 do not divide");
    make_b1("\"model_type\":\"bitnet-b1\",\"hidden_act\":\"silu\"", NULL);
    expect(NULL, TVK_ERR_UNSUPPORTED, "gelu expected, 'silu' found");
    make_b1("\"model_type\":\"bitnet-b1\",\"activation_quant\":\"a4.8\"", NULL);
    expect(NULL, TVK_ERR_UNSUPPORTED, "int8 expected for bitnet-b1");
    make_b1("\"model_type\":\"bitnet-b1\"", "model.layers.0.input_layernorm.weight");
    expect(NULL, TVK_ERR_UNSUPPORTED, "input_layernorm");
    make_config(LLAMA ",\"weight_groups\":2");
    make_weights(NULL, 0, NULL, false);
    expect(NULL, TVK_ERR_UNSUPPORTED, "weight_groups: only of bitnet-b1");
}

static const char *normalizer = "null";

static void put_json(const char *pre, const char *merges)
{
    static const char *const letters[] = {"a", "b", "c", "ab", "\\u0120", "d", "e", "f"};
    buf b = {0};
    char line[256];
    snprintf(line, sizeof line, "{\"normalizer\":%s,\"added_tokens\":[", normalizer);
    put(&b, line, strlen(line));
    snprintf(line, sizeof line,
             "{\"id\":8,\"content\":\"<s>\",\"special\":true},"
             "{\"id\":9,\"content\":\"<u>\",\"special\":false}],\"pre_tokenizer\":");
    put(&b, line, strlen(line));
    put(&b, pre, strlen(pre));
    snprintf(line, sizeof line, ",\"model\":{\"type\":\"BPE\",\"merges\":%s,\"vocab\":{", merges);
    put(&b, line, strlen(line));
    for (int i = 0; i < 8; i++) {
        snprintf(line, sizeof line, "%s\"%s\":%d", i ? "," : "", letters[i], i);
        put(&b, line, strlen(line));
    }
    put(&b, "}}}", 3);
    write_file(FOLDER "/tokenizer.json", b.data, b.size);
    free_buf(&b);
}

#define BYTE_LEVEL(regex)                                                                          \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":" #regex "}"
#define SPLIT(regex)                                                                               \
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"        \
    "\"" regex "\"},\"behavior\":\"Isolated\",\"invert\":false}," BYTE_LEVEL(false) "]}"
#define LLAMA3                                                                                     \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| "         \
    "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"

static void tokenizers(void **state)
{
    static const struct {
        const char *pre, *merges, *name;
    } good[] = {
        {BYTE_LEVEL(true), "[\"a b\"]", "gpt-2"},
        {BYTE_LEVEL(true), "[[\"a\",\"b\"]]", "gpt-2"},
        {SPLIT(LLAMA3), "[\"a b\"]", "llama-bpe"},
    };
    /* public files say so of "no limit"; what is in quotes stays as it is */
    static const char config[] = "{\"model_max_length\": 1000000000000000019884624838656,\"e\":"
                                 "-1000000000000000019884624838656,\"r\":"
                                 "123456789012345678901234567890.5,\"chat_template\":\"h\\\" "
                                 "1000000000000000019884624838656\"}";
    (void)state;
    make_config(LLAMA ",\"bos_token_id\":8,\"eos_token_id\":[8,3]");
    make_weights(NULL, 0, NULL, false);
    for (size_t i = 0; i < 3; i++) {
        tvk_error err;
        tvk_file *file = NULL;
        tvk_tokenizer *t = NULL;
        const char *pre = NULL;
        const tvk_weight_source *s;
        int32_t *ids = NULL;
        uint32_t count = 0;
        const char *chat = "";
        put_json(good[i].pre, good[i].merges);
        write_file(FOLDER "/tokenizer_config.json", config, sizeof config - 1);
        if (convert(NULL, &err) != TVK_OK) fail_msg("%s", err.text);
        assert_int_equal(tvk_file_open(OUT, &file, &err), TVK_OK);
        s = tvk_file_source(file);
        assert_true(s->get_str(s->user, "tokenizer.ggml.pre", &pre, &err));
        assert_string_equal(pre, good[i].name);
        assert_true(s->get_str(s->user, "tokenizer.chat_template", &chat, &err));
        assert_string_equal(chat, "h\" 1000000000000000019884624838656");
        assert_int_equal(tvk_tokenizer_create(file, &t, &err), TVK_OK);
        assert_int_equal(tvk_tokenizer_vocab(t), 12); /* ids 10 and 11 are padding */
        assert_int_equal(tvk_tokenizer_bos(t), 8);
        assert_false(tvk_tokenizer_adds_bos(t));
        assert_int_equal(tvk_tokenize(t, "abc<s>a<u>", 10, true, true, &ids, &count, &err), TVK_OK);
        assert_int_equal(count, 5);
        assert_int_equal(ids[0], 3);
        assert_int_equal(ids[1], 2);
        assert_int_equal(ids[2], 8);
        assert_int_equal(ids[3], 0);
        assert_int_equal(ids[4], 9);
        free(ids);
        tvk_tokenizer_destroy(&t);
        tvk_file_close(&file);
        remove(OUT);
    }
    normalizer = "{\"type\":\"NFC\"}"; /* GPT-NeoX's tokenizer, which TriLM has */
    put_json(BYTE_LEVEL(true), "[\"a b\"]");
    expect(NULL, TVK_OK, "");
    normalizer = "{\"type\":\"Lowercase\"}";
    put_json(BYTE_LEVEL(true), "[\"a b\"]");
    expect(NULL, TVK_ERR_UNSUPPORTED, "no normalizer, or NFC, expected, Lowercase found");
    normalizer = "null";
    put_json(SPLIT("[a-z]+"), "[]");
    expect(NULL, TVK_ERR_UNSUPPORTED, "regex is not known: [a-z]+");
    put_json("{\"type\":\"Metaspace\"}", "[]");
    expect(NULL, TVK_ERR_UNSUPPORTED, "'Metaspace' found");
    put_json(BYTE_LEVEL(false), "[]");
    expect(NULL, TVK_ERR_UNSUPPORTED, "with use_regex expected");
    put_json(BYTE_LEVEL(true), "[7]");
    expect(NULL, TVK_ERR_FORMAT, "merge 0: two strings expected");
    write_file(FOLDER "/tokenizer.json", "{\"model\":{\"type\":\"Unigram\"}}", 28);
    expect(NULL, TVK_ERR_UNSUPPORTED, "byte-level BPE expected, Unigram found");
    write_file(FOLDER "/tokenizer.json", "{", 1);
    expect(NULL, TVK_ERR_FORMAT, "line 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(config_errors, clean),
        cmocka_unit_test_teardown(tensor_errors, clean),
        cmocka_unit_test_teardown(output_types, clean),
        cmocka_unit_test_teardown(b1_signs, clean),
        cmocka_unit_test_teardown(tokenizers, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
