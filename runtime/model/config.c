#include "model/config.h"

#include "base/dtype.h"
#include "base/text.h"
#include "kernels/ops.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LLAMA3_VOCAB 128256u
#define MAX_LAYERS 1024u
#define MAX_WIDTH (1u << 18) /* sums of codes stay inside 32 bits: shaders/include/ternary.glsl */
#define MAX_HEAD_SIZE 256u

typedef struct reader {
    const tvk_weight_source *source;
    tvk_config *config;
    tvk_error local; /* of the last getter */
} reader;

void tvk_config_note(tvk_config *c, const char *fmt, ...)
{
    size_t used = strlen(c->odd);
    va_list args;
    if (used > 0 && used + 3 < sizeof c->odd) used += (size_t)snprintf(c->odd + used, 3, "; ");
    va_start(args, fmt);
    vsnprintf(c->odd + used, sizeof c->odd - used, fmt, args);
    va_end(args);
}

static const char *key_of(const reader *r, const char *suffix, char buf[128])
{
    snprintf(buf, 128, "%s.%s", r->config->arch->id, suffix);
    return buf;
}

/* Absent keys give *found = false; keys of a wrong type are an error. */
static tvk_status get_u64(reader *r, const char *suffix, uint64_t *out, bool *found, tvk_error *err)
{
    tvk_status st = TVK_OK;
    char key[128];
    r->local.status = TVK_OK;
    *found = r->source->get_u64(r->source->user, key_of(r, suffix, key), out, &r->local);
    if (r->local.status != TVK_OK) TVK_FAIL(r->local.status, "%s", r->local.text);
fail:
    return st;
}

static tvk_status need_u32(reader *r, const char *suffix, uint32_t min, uint32_t max, uint32_t *out,
                           tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t v = 0;
    bool found;
    TVK_TRY(get_u64(r, suffix, &v, &found, err));
    if (!found) {
        TVK_FAIL(TVK_ERR_FORMAT, "%s: key %s.%s is missing", r->source->name, r->config->arch->id,
                 suffix);
    }
    if (v < min || v > max) {
        TVK_FAIL(TVK_ERR_FORMAT, "%s: %s.%s is %llu, %u to %u expected", r->source->name,
                 r->config->arch->id, suffix, (unsigned long long)v, min, max);
    }
    *out = (uint32_t)v;
fail:
    return st;
}

static tvk_status maybe_u32(reader *r, const char *suffix, uint32_t max, uint32_t fallback,
                            uint32_t *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t v = 0;
    bool found;
    TVK_TRY(get_u64(r, suffix, &v, &found, err));
    if (found && (v == 0 || v > max)) {
        TVK_FAIL(TVK_ERR_FORMAT, "%s: %s.%s is %llu, 1 to %u expected", r->source->name,
                 r->config->arch->id, suffix, (unsigned long long)v, max);
    }
    *out = found ? (uint32_t)v : fallback;
fail:
    return st;
}

static tvk_status maybe_f32(reader *r, const char *suffix, double fallback, float *out,
                            tvk_error *err)
{
    tvk_status st = TVK_OK;
    char key[128];
    double v = fallback;
    r->local.status = TVK_OK;
    r->source->get_f64(r->source->user, key_of(r, suffix, key), &v, &r->local);
    if (r->local.status != TVK_OK) TVK_FAIL(r->local.status, "%s", r->local.text);
    if (!isfinite(v)) TVK_FAIL(TVK_ERR_FORMAT, "%s: %s is not finite", r->source->name, key);
    *out = (float)v;
fail:
    return st;
}

static tvk_status maybe_str(reader *r, const char *suffix, const char **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    char key[128];
    *out = NULL;
    r->local.status = TVK_OK;
    r->source->get_str(r->source->user, key_of(r, suffix, key), out, &r->local);
    if (r->local.status != TVK_OK) TVK_FAIL(r->local.status, "%s", r->local.text);
fail:
    return st;
}

static tvk_status read_arch(reader *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const char *id = NULL, *name = NULL;
    r->local.status = TVK_OK;
    r->source->get_str(r->source->user, "general.architecture", &id, &r->local);
    if (!id) {
        TVK_FAIL(TVK_ERR_FORMAT, "%s: key general.architecture (a string) is missing",
                 r->source->name);
    }
    r->config->arch = tvk_arch_find(id);
    if (!r->config->arch) {
        TVK_FAIL(
            TVK_ERR_UNSUPPORTED,
            "%s: architecture '%s'; known are bitnet, bitnet-25, bitnet-b1.58, bitnet-b1, llama",
            r->source->name, id);
    }
    r->local.status = TVK_OK;
    r->source->get_str(r->source->user, "general.name", &name, &r->local);
    snprintf(r->config->name, sizeof r->config->name, "%s", name ? name : id);
    tvk_text_clean(r->config->name);
    r->config->rope_interleaved = r->config->arch->rope_interleaved;
fail:
    return st;
}

static tvk_status read_sizes(reader *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_config *c = r->config;
    uint32_t value_length;
    uint64_t vocab = 0;
    bool found;
    const tvk_tensor *embedding;
    TVK_TRY(need_u32(r, "block_count", 1, MAX_LAYERS, &c->layers, err));
    TVK_TRY(need_u32(r, "embedding_length", 4, MAX_WIDTH, &c->hidden, err));
    TVK_TRY(need_u32(r, "feed_forward_length", 4, MAX_WIDTH, &c->ffn, err));
    TVK_TRY(need_u32(r, "attention.head_count", 1, 65536, &c->heads, err));
    TVK_TRY(maybe_u32(r, "attention.head_count_kv", 65536, c->heads, &c->kv_heads, err));
    TVK_TRY(maybe_u32(r, "attention.key_length", MAX_HEAD_SIZE, c->hidden / c->heads, &c->head_size,
                      err));
    TVK_TRY(
        maybe_u32(r, "attention.value_length", MAX_HEAD_SIZE, c->head_size, &value_length, err));
    TVK_TRY(maybe_u32(r, "rope.dimension_count", MAX_HEAD_SIZE, c->head_size, &c->rotary, err));
    TVK_TRY(maybe_u32(r, "context_length", UINT32_MAX, 2048, &c->trained_context, err));
    TVK_TRY(maybe_f32(r, "rope.freq_base", 10000.0, &c->rope_theta, err));
    TVK_TRY(maybe_f32(
        r, c->arch->b1 ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 1e-5,
        &c->norm_eps, err));
    if (c->heads % c->kv_heads != 0) {
        TVK_FAIL(TVK_ERR_FORMAT, "%s: %u heads do not divide into %u KV heads", r->source->name,
                 c->heads, c->kv_heads);
    }
    if (value_length != c->head_size) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: keys of %u and values of %u; equal ones expected",
                 r->source->name, c->head_size, value_length);
    }
    if (c->head_size == 0 || c->head_size % 4 != 0 || c->head_size > MAX_HEAD_SIZE ||
        c->hidden % 4 != 0 || c->ffn % 4 != 0) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "%s: head size %u, width %u, FFN %u; multiples of 4 and heads of at most %u "
                 "expected",
                 r->source->name, c->head_size, c->hidden, c->ffn, MAX_HEAD_SIZE);
    }
    if ((uint64_t)c->heads * c->head_size > MAX_WIDTH)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: %u heads of %u; at most %u values of all heads expected",
                 r->source->name, c->heads, c->head_size, MAX_WIDTH);
    if (c->rotary > c->head_size || c->rotary % 2 != 0) {
        TVK_FAIL(TVK_ERR_FORMAT, "%s: rope.dimension_count %u of a head of %u", r->source->name,
                 c->rotary, c->head_size);
    }
    if (!(c->rope_theta > 1) || !(c->norm_eps > 0)) {
        TVK_FAIL(TVK_ERR_FORMAT, "%s: rope.freq_base %g, norm epsilon %g", r->source->name,
                 (double)c->rope_theta, (double)c->norm_eps);
    }
    embedding = r->source->tensor(r->source->user, "token_embd.weight");
    if (!embedding || embedding->dim_count != 2 || embedding->dims[1] == 0 ||
        embedding->dims[1] > INT32_MAX) {
        TVK_FAIL(TVK_ERR_FORMAT, "%s: tensor token_embd.weight [%u, vocabulary] is missing",
                 r->source->name, c->hidden);
    }
    c->vocab = (uint32_t)embedding->dims[1];
    TVK_TRY(get_u64(r, "vocab_size", &vocab, &found, err));
    if (found && vocab != c->vocab) {
        tvk_config_note(c, "vocab_size says %llu, the embedding has %u rows",
                        (unsigned long long)vocab, c->vocab);
    }
fail:
    return st;
}

/* BitNet b1, arXiv 2310.11453, "model parallelism with group quantization and normalization". */
static tvk_status read_groups(reader *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_config *c = r->config;
    uint32_t q = c->heads * c->head_size, kv = c->kv_heads * c->head_size, g = 1;
    if (c->arch->b1) TVK_TRY(maybe_u32(r, "weight_groups", TVK_MAX_WEIGHT_GROUPS, 1, &g, err));
    if (kv % g != 0 || q % (4 * g) != 0 || c->ffn % (4 * g) != 0) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "%s: %u weight groups: widths of Q (%u) and FFN (%u) that divide into groups of a "
                 "multiple of 4, of K and V (%u) that divides expected",
                 r->source->name, g, q, c->ffn, kv);
    }
    c->weight_groups = g;
fail:
    return st;
}

static tvk_status read_rope_scaling(reader *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const char *type;
    float factor;
    TVK_TRY(maybe_str(r, "rope.scaling.type", &type, err));
    /* the key that older files have; a factor without a type is linear */
    TVK_TRY(maybe_f32(r, "rope.scale_linear", 1.0, &factor, err));
    TVK_TRY(maybe_f32(r, "rope.scaling.factor", (double)factor, &factor, err));
    if (!type) type = "linear";
    /* the bitnet converter writes linear with factor 1, which changes nothing; 0 is no factor */
    if (strcmp(type, "none") != 0 &&
        !(strcmp(type, "linear") == 0 && (factor == 1.0f || factor == 0.0f))) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: rope.scaling.type %s with factor %g", r->source->name,
                 type, (double)factor);
    }
    if (r->source->tensor(r->source->user, "rope_freqs.weight")) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: tensor rope_freqs.weight (scaled RoPE)",
                 r->source->name);
    }
fail:
    return st;
}

/* bitnet-2B4T runs ReLU^2, the 1bitLLM files SiLU, and old files do not say: reference §4.6. */
static tvk_status read_activation(reader *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_config *c = r->config;
    const char *name;
    TVK_TRY(maybe_str(r, "hidden_activation", &name, err));
    if (c->arch->b1) {
        if (name && strcmp(name, "gelu") != 0) {
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: %s.hidden_activation '%s'; gelu expected",
                     r->source->name, c->arch->id, name);
        }
        c->glu = TVK_GLU_GELU;
        snprintf(c->glu_why, sizeof c->glu_why, "architecture %s: two matrices, no gate",
                 c->arch->id);
    } else if (name) {
        if (strcmp(name, "relu2") == 0) {
            c->glu = TVK_GLU_RELU2;
        } else if (strcmp(name, "silu") == 0) {
            c->glu = TVK_GLU_SILU;
        } else {
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: %s.hidden_activation '%s'; known are relu2, silu",
                     r->source->name, c->arch->id, name);
        }
        snprintf(c->glu_why, sizeof c->glu_why, "key %s.hidden_activation", c->arch->id);
    } else if (c->arch->relu2_for_llama3_vocab && c->vocab == LLAMA3_VOCAB) {
        c->glu = TVK_GLU_RELU2;
        snprintf(c->glu_why, sizeof c->glu_why, "architecture %s with a vocabulary of %u (2B4T)",
                 c->arch->id, LLAMA3_VOCAB);
    } else {
        c->glu = TVK_GLU_SILU;
        snprintf(c->glu_why, sizeof c->glu_why, "no activation key; default of architecture %s",
                 c->arch->id);
        /* llama.cpp's converter wrote no key for 2B4T before August 2026 */
        if (strcmp(c->arch->id, "bitnet") == 0 && c->vocab == LLAMA3_VOCAB)
            tvk_config_note(
                c,
                "SiLU, as no key says otherwise; if this is BitNet 2B4T, it needs ReLU^2: convert "
                "its folder");
    }
fail:
    return st;
}

static const char *const act_names[] = {
    [TVK_ACT_AUTO] = "auto",  [TVK_ACT_NONE] = "none",        [TVK_ACT_INT8] = "int8",
    [TVK_ACT_A48] = "a4.8",   [TVK_ACT_A48_FP4] = "a4.8-fp4", [TVK_ACT_V2_A8] = "v2-a8",
    [TVK_ACT_V2_A4] = "v2-a4"};

bool tvk_act_transforms(tvk_act act)
{
    return act == TVK_ACT_V2_A8 || act == TVK_ACT_V2_A4;
}

const char *tvk_act_name(tvk_act act)
{
    return act_names[act];
}

/* Of the schemes that a file can ask for. */
static bool find_act(const char *name, tvk_act *out)
{
    for (int i = TVK_ACT_NONE; i <= TVK_ACT_V2_A4; i++) {
        if (strcmp(name, act_names[i])) continue;
        *out = (tvk_act)i;
        return true;
    }
    return false;
}

static tvk_status read_quantisation(reader *r, tvk_act act, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_config *c = r->config;
    const char *quant;
    tvk_act asked;
    const tvk_tensor *q = r->source->tensor(r->source->user, "blk.0.attn_q.weight");
    bool ternary, bitnet = strcmp(c->arch->graph, "b1.58") == 0;
    if (!q) TVK_FAIL(TVK_ERR_FORMAT, "%s: tensor blk.0.attn_q.weight is missing", r->source->name);
    ternary = tvk_dtype_get(q->type)->ternary;
    bitnet = bitnet || c->arch->b1;
    asked = ternary || bitnet ? TVK_ACT_INT8 : TVK_ACT_NONE;
    TVK_TRY(maybe_str(r, "activation_quant", &quant, err));
    if (quant) {
        if (!find_act(quant, &asked)) {
            TVK_FAIL(
                TVK_ERR_UNSUPPORTED,
                "%s: %s.activation_quant '%s'; known are int8, a4.8, a4.8-fp4, v2-a8, v2-a4, none",
                r->source->name, c->arch->id, quant);
        }
        snprintf(c->file_quant, sizeof c->file_quant, "%s", quant);
    }
    c->act = act == TVK_ACT_AUTO ? asked : act;
    if (c->arch->b1 && c->act != TVK_ACT_INT8) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: architecture %s with activations %s; int8 expected",
                 r->source->name, c->arch->id, tvk_act_name(c->act));
    }
    if (tvk_act_transforms(c->act)) {
        uint32_t q_width = c->heads * c->head_size;
        if (!tvk_hadamard_fits(q_width) || !tvk_hadamard_fits(c->ffn)) {
            TVK_FAIL(TVK_ERR_UNSUPPORTED,
                     "%s: activations %s: attention and FFN widths of a power of two from 4 to %u "
                     "expected, %u and %u found",
                     r->source->name, tvk_act_name(c->act), TVK_HADAMARD_MAX, q_width, c->ffn);
        }
    }
fail:
    return st;
}

static void read_norms(reader *r)
{
    tvk_config *c = r->config;
    bool attn = r->source->tensor(r->source->user, "blk.0.attn_sub_norm.weight") != NULL;
    bool ffn = r->source->tensor(r->source->user, "blk.0.ffn_sub_norm.weight") != NULL;
    c->sub_norms = attn || ffn;
    c->tied_head = r->source->tensor(r->source->user, "output.weight") == NULL;
}

tvk_status tvk_config_read(const tvk_weight_source *source, tvk_act act, tvk_config *out,
                           tvk_error *err)
{
    tvk_status st = TVK_OK;
    reader r = {.source = source, .config = out};
    memset(out, 0, sizeof *out);
    TVK_TRY(read_arch(&r, err));
    TVK_TRY(read_sizes(&r, err));
    TVK_TRY(read_groups(&r, err));
    TVK_TRY(read_rope_scaling(&r, err));
    TVK_TRY(read_activation(&r, err));
    read_norms(&r);
    TVK_TRY(read_quantisation(&r, act, err));
    TVK_TRY(tvk_skip_read(source, out, err));
fail:
    return st;
}
