#include "hf_config.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIZE (1 << 24)
#define MAX_LAYERS 4096

/* Keys that are read, or have no influence on results. */
static const char *const known_keys[] = {
    "architectures",
    "model_type",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "rope_theta",
    "rope_parameters",
    "rope_scaling",
    "rms_norm_eps",
    "layer_norm_eps",
    "weight_groups",
    "hidden_act",
    "tie_word_embeddings",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "torch_dtype",
    "dtype",
    "use_cache",
    "head_dim",
    "quantization_config",
    "activation_quant",
    "attention_dropout",
    "initializer_range",
    "pretraining_tp",
    "transformers_version",
    "auto_map",
    "_name_or_path",
    "return_dict",
    "output_attentions",
    "output_hidden_states",
    "torchscript",
    "is_encoder_decoder",
    "is_decoder",
    "use_bfloat16",
    "id2label",
    "label2id",
    "task_specific_params",
    "problem_type",
    "unsloth_version",
    "activation_scheme",
    "layer_types",
    "max_window_layers",
    "_attn_implementation_autoset",
    "mlp_only_layers",
    "is_bitnet_config",
};

/* Keys that change results: only these values are implemented. */
static const struct {
    const char *key, *value; /* JSON text; null and an absent key are fine always */
} fixed_keys[] = {
    {"attention_bias", "false"},
    {"attention_out_bias", "false"},
    {"qkv_bias", "false"},
    {"mlp_bias", "false"},
    {"weight_bits", "1"}, /* 1bitLLM's classes */
    {"input_bits", "8"},
    {"alibi", "false"},
    {"parallel_attn", "false"},
    {"rope_interleaved", "false"},
    {"partial_rotary_factor", "1.0"},
    {"sliding_window", "null"},
    {"use_sliding_window", "false"},
    {"attn_logit_softcapping", "null"},
    {"final_logit_softcapping", "null"},
    {"logit_scale", "1.0"},
    {"embedding_multiplier", "1.0"},
    {"residual_multiplier", "1.0"},
    {"attention_multiplier", "null"},
    {"logits_scaling", "1.0"},
    {"qk_layernorm", "false"},
    {"use_qk_norm", "false"},
    {"num_local_experts", "null"},
    {"num_experts", "null"},
    {"clip_qkv", "null"},
    {"no_rope_layers", "null"},
};

static bool is_value(const json_t *v, const char *text)
{
    if (json_is_null(v)) return true;
    if (strcmp(text, "false") == 0) return json_is_false(v);
    return json_is_number(v) && *text != 'n' && json_number_value(v) == strtod(text, NULL);
}

static tvk_status check_keys(const json_t *root, const tvk_log *log, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const char *key;
    json_t *value, *layer;
    size_t l;
    json_array_foreach(json_object_get(root, "layer_types"), l, layer)
    {
        const char *type = json_string_value(layer);
        if (!type || strcmp(type, "full_attention") != 0)
            TVK_FAIL(TVK_ERR_UNSUPPORTED,
                     "config.json: layer_types: full_attention expected, '%.40s' found",
                     type ? type : "no text");
    }
    json_object_foreach((json_t *)(uintptr_t)root, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < sizeof known_keys / sizeof *known_keys; i++)
            known = known || strcmp(key, known_keys[i]) == 0;
        for (size_t i = 0; i < sizeof fixed_keys / sizeof *fixed_keys; i++) {
            if (strcmp(key, fixed_keys[i].key) != 0) continue;
            known = true;
            if (!is_value(value, fixed_keys[i].value))
                TVK_FAIL(TVK_ERR_UNSUPPORTED, "config.json: '%.60s' other than %s is not supported",
                         key, fixed_keys[i].value);
        }
        if (!known && !json_is_null(value) && !json_is_false(value))
            tvk_log_print(log, TVK_LOG_WARN, "config.json: key '%s' is not known: ignored", key);
    }
fail:
    return st;
}

/* An absent key gives `absent`; with absent 0 it is an error. */
static tvk_status get_size(const json_t *root, const char *key, uint64_t limit, uint64_t absent,
                           uint64_t *out, tvk_error *err)
{
    const json_t *v = json_object_get(root, key);
    *out = absent;
    if ((!v || json_is_null(v)) && absent > 0) return TVK_OK;
    if (!json_is_integer(v) || json_integer_value(v) < 1 || (uint64_t)json_integer_value(v) > limit)
        return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                             "config.json: %s: an integer from 1 to %" PRIu64 " expected, %s found",
                             key, limit, v ? "something else" : "nothing");
    *out = (uint64_t)json_integer_value(v);
    return TVK_OK;
}

static tvk_status get_positive(const json_t *v, const char *key, double *out, tvk_error *err)
{
    if (!v || json_is_null(v)) return TVK_OK;
    if (!json_is_number(v) || !(json_number_value(v) > 0) || !isfinite(json_number_value(v)))
        return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                             "config.json: %s: a number above 0 expected", key);
    *out = json_number_value(v);
    return TVK_OK;
}

/* Both spellings of RoPE's settings; only plain RoPE is implemented. */
static tvk_status read_rope(const json_t *root, tvk_hf_config *out, tvk_error *err)
{
    static const char *const places[2] = {"rope_parameters", "rope_scaling"};
    tvk_status st;
    TVK_TRY(
        get_positive(json_object_get(root, "rope_theta"), "rope_theta", &out->shape.theta, err));
    for (int i = 0; i < 2; i++) {
        const json_t *rope = json_object_get(root, places[i]);
        const char *type = json_string_value(json_object_get(rope, "rope_type"));
        double partial = 1.0, factor = 0;
        if (!type) type = json_string_value(json_object_get(rope, "type"));
        if (rope && !json_is_null(rope) && !json_is_object(rope))
            TVK_FAIL(TVK_ERR_FORMAT, "config.json: %s: an object expected", places[i]);
        TVK_TRY(get_positive(json_object_get(rope, "factor"), "factor", &factor, err));
        /* positions divided by 1 */
        if (type && strcmp(type, "linear") == 0 && factor == 1.0) type = "default";
        if (type && strcmp(type, "default") != 0 && strcmp(type, "none") != 0)
            TVK_FAIL(TVK_ERR_UNSUPPORTED,
                     "config.json: %s: RoPE type '%.40s' is not supported (default is)", places[i],
                     type);
        TVK_TRY(get_positive(json_object_get(rope, "rope_theta"), "rope_theta", &out->shape.theta,
                             err));
        TVK_TRY(get_positive(json_object_get(rope, "partial_rotary_factor"),
                             "partial_rotary_factor", &partial, err));
        if (partial != 1.0)
            TVK_FAIL(TVK_ERR_UNSUPPORTED,
                     "config.json: 'partial_rotary_factor' other than 1.0 is not supported");
    }
fail:
    return st;
}

static tvk_status read_class(const json_t *root, tvk_hf_config *out, tvk_error *err)
{
    const char *name = json_string_value(json_array_get(json_object_get(root, "architectures"), 0));
    const char *type = json_string_value(json_object_get(root, "model_type"));
    bool one_bit = name && strcmp(name, "BitnetForCausalLM") == 0; /* 1bitLLM's */
    if (type && strcmp(type, "bitnet-b1") == 0) { /* ours: no public checkpoint exists */
        out->b1 = true;
        out->shape.activation = "gelu";
        out->shape.theta = 10000.0;
        out->shape.eps = 1e-5;
        return TVK_OK;
    }
    out->bitnet = one_bit || (name && strcmp(name, "BitNetForCausalLM") == 0);
    if (!out->bitnet && !(name && strcmp(name, "LlamaForCausalLM") == 0))
        return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                             "config.json: architecture BitNetForCausalLM, BitnetForCausalLM or "
                             "LlamaForCausalLM expected, '%.60s' found",
                             name ? name : "none");
    out->shape.activation = out->bitnet && !one_bit ? "relu2" : "silu";
    out->shape.theta = out->bitnet && !one_bit ? 500000.0 : 10000.0;
    out->shape.eps = out->bitnet ? 1e-5 : 1e-6;
    return TVK_OK;
}

/* quantization_config: how the linears are stored. */
static tvk_status read_storage(const json_t *q, const tvk_log *log, tvk_hf_config *out,
                               tvk_error *err)
{
    static const struct {
        const char *key, *values[2]; /* text that is implemented; NULL: any value is harmless */
    } keys[] = {
        {"quant_method", {"bitnet", NULL}},
        {"linear_class", {"bitlinear", "autobitlinear"}},
        {"quantization_mode", {"offline", "online"}},
        {"modules_to_not_convert", {NULL, NULL}},
        {"use_rms_norm", {NULL, NULL}},
        {"rms_norm_eps", {NULL, NULL}}, /* of the norm that use_rms_norm asks for */
    };
    tvk_status st = TVK_OK;
    const char *key;
    json_t *value;
    if (!q || json_is_null(q)) return TVK_OK;
    if (!json_is_object(q))
        TVK_FAIL(TVK_ERR_FORMAT, "config.json: quantization_config: an object expected");
    if (out->b1)
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "config.json: quantization_config: none expected for bitnet-b1");
    json_object_foreach((json_t *)(uintptr_t)q, key, value)
    {
        const char *text = json_string_value(value);
        size_t i = 0;
        while (i < sizeof keys / sizeof *keys && strcmp(keys[i].key, key) != 0) i++;
        if (i == sizeof keys / sizeof *keys) {
            if (!json_is_null(value) && !json_is_false(value))
                tvk_log_print(log, TVK_LOG_WARN,
                              "config.json: quantization_config: key '%s' is not known: ignored",
                              key);
            continue;
        }
        if (!keys[i].values[0] || json_is_null(value)) continue;
        if (!text || (strcmp(text, keys[i].values[0]) != 0 &&
                      !(keys[i].values[1] && strcmp(text, keys[i].values[1]) == 0)))
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "config.json: %s: %s%s%s expected, '%.40s' found", key,
                     keys[i].values[0], keys[i].values[1] ? " or " : "",
                     keys[i].values[1] ? keys[i].values[1] : "", text ? text : "no text");
    }
    if (json_is_true(json_object_get(q, "use_rms_norm")))
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "config.json: quantization_config: use_rms_norm (norms inside the linears) is not "
                 "supported");
fail:
    return st;
}

static bool is_text(const json_t *object, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value && strcmp(value, text) == 0;
}

static tvk_status read_quantization(const json_t *root, const tvk_log *log, tvk_hf_config *out,
                                    tvk_error *err)
{
    static const char *const modes[] = {"int8", "a4.8", "a4.8-fp4", "v2-a8", "v2-a4", "none"};
    tvk_status st = TVK_OK;
    const json_t *q = json_object_get(root, "quantization_config");
    const json_t *act = json_object_get(root, "activation_quant");
    bool found = false;
    TVK_TRY(read_storage(q, log, out, err));
    out->multiply = is_text(q, "linear_class", "autobitlinear");
    out->online = is_text(q, "quantization_mode", "online");
    out->quantized = out->bitnet || out->b1 || is_text(q, "quant_method", "bitnet");
    out->not_converted = json_object_get(q, "modules_to_not_convert");
    if (out->quantized) out->shape.act_quant = "int8";
    if (!act || json_is_null(act)) return TVK_OK;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        found = found || is_text(root, "activation_quant", modes[i]);
    if (!found)
        TVK_FAIL(
            TVK_ERR_UNSUPPORTED,
            "config.json: activation_quant: int8, a4.8, a4.8-fp4, v2-a8, v2-a4 or none expected");
    if (out->b1 && strcmp(json_string_value(act), "int8") != 0)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "config.json: activation_quant: int8 expected for bitnet-b1");
    out->shape.act_quant = json_string_value(act);
fail:
    return st;
}

static tvk_status read_groups(const json_t *root, tvk_hf_config *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_shape *s = &out->shape;
    uint64_t groups = 1, q = s->heads * s->head_size;
    TVK_TRY(get_size(root, "weight_groups", TVK_CONVERT_MAX_GROUPS, 1, &groups, err));
    if (!out->b1) {
        if (groups != 1)
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "config.json: weight_groups: only of bitnet-b1");
        return TVK_OK;
    }
    if (s->kv_heads * s->head_size % groups || q % (4 * groups) || s->ffn % (4 * groups))
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "config.json: weight_groups: %" PRIu64 " do not divide K and V, or divide the "
                 "inputs of the attention output or of down into parts that are no multiple of 4",
                 groups);
    s->weight_groups = (uint32_t)groups;
fail:
    return st;
}

tvk_status tvk_hf_config_read(const json_t *root, const tvk_log *log, tvk_hf_config *out,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_shape *s = &out->shape;
    const json_t *v;
    const char *text;
    memset(out, 0, sizeof *out);
    if (!json_is_object(root)) TVK_FAIL(TVK_ERR_FORMAT, "config.json: an object expected");
    TVK_TRY(read_class(root, out, err));
    TVK_TRY(check_keys(root, log, err));
    TVK_TRY(read_quantization(root, log, out, err));
    TVK_TRY(get_size(root, "hidden_size", MAX_SIZE, 0, &s->hidden, err));
    TVK_TRY(get_size(root, "num_hidden_layers", MAX_LAYERS, 0, &s->layers, err));
    TVK_TRY(get_size(root, "intermediate_size", MAX_SIZE, 0, &s->ffn, err));
    TVK_TRY(get_size(root, "vocab_size", MAX_SIZE, 0, &s->vocab, err));
    TVK_TRY(get_size(root, "num_attention_heads", MAX_SIZE, 0, &s->heads, err));
    TVK_TRY(get_size(root, "num_key_value_heads", MAX_SIZE, s->heads, &s->kv_heads, err));
    TVK_TRY(get_size(root, "max_position_embeddings", UINT32_MAX, 2048, &s->context, err));
    if (s->hidden / s->heads > 0)
        TVK_TRY(get_size(root, "head_dim", 65536, s->hidden / s->heads, &s->head_size, err));
    if (s->head_size == 0 || s->head_size % 2 != 0 || s->heads % s->kv_heads != 0)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "config.json: %" PRIu64 " heads of %" PRIu64 " and %" PRIu64
                 " KV heads do not fit together",
                 s->heads, s->head_size, s->kv_heads);
    {
        const char *key = out->b1 ? "layer_norm_eps" : "rms_norm_eps";
        TVK_TRY(get_positive(json_object_get(root, key), key, &s->eps, err));
    }
    TVK_TRY(read_groups(root, out, err));
    TVK_TRY(read_rope(root, out, err));
    v = json_object_get(root, "hidden_act");
    text = json_string_value(v);
    if (v && !json_is_null(v)) {
        if (out->b1 && !(text && strcmp(text, "gelu") == 0))
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "config.json: hidden_act: gelu expected, '%.40s' found",
                     text ? text : "no text");
        if (!out->b1 && (!text || (strcmp(text, "silu") != 0 && strcmp(text, "relu2") != 0)))
            TVK_FAIL(TVK_ERR_UNSUPPORTED,
                     "config.json: hidden_act: silu or relu2 expected, '%.40s' found",
                     text ? text : "no text");
        s->activation = text;
    }
    out->tied = json_is_true(json_object_get(root, "tie_word_embeddings"));
    v = json_object_get(root, "bos_token_id");
    out->bos = json_is_integer(v) ? json_integer_value(v) : -1;
    out->eos = json_object_get(root, "eos_token_id");
fail:
    return st;
}
