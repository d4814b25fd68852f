#include "base/check.h"
#include "base/dtype.h"
#include "model/weights.h"

#include <stdio.h>
#include <string.h>

typedef struct planner {
    const tvk_weight_source *source;
    const tvk_config *config;
    const tvk_skip *skip;
    tvk_weights_plan *plan;
    tvk_arena *arena;
} planner;

/* Looks a tensor up and checks its shape; rows == 1: a vector [cols]. */
static tvk_status find(planner *p, const char *name, uint32_t rows, uint32_t cols, bool required,
                       const tvk_tensor **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_tensor *t = p->source->tensor(p->source->user, name);
    uint64_t found_rows, bytes;
    *out = NULL;
    if (!t) {
        if (required) {
            TVK_FAIL(TVK_ERR_FORMAT, "%s: tensor %s [%u, %u] is missing", p->source->name, name,
                     cols, rows);
        }
        return TVK_OK;
    }
    found_rows = t->dim_count > 1 ? t->dims[1] : 1;
    if (t->dim_count > 2 || t->dims[0] != cols || found_rows != rows) {
        TVK_FAIL(TVK_ERR_FORMAT, "%s: %s: shape [%u, %u] expected, [%llu, %llu]%s found",
                 p->source->name, name, cols, rows, (unsigned long long)t->dims[0],
                 (unsigned long long)found_rows, t->dim_count > 2 ? " and more" : "");
    }
    if (!tvk_dtype_bytes(t->type, rows, cols, &bytes) || bytes != t->bytes) {
        TVK_FAIL(TVK_ERR_FORMAT, "%s: %s: %llu bytes do not make %s [%u, %u]", p->source->name,
                 name, (unsigned long long)t->bytes, tvk_dtype_name(t->type), cols, rows);
    }
    p->plan->file_bytes += bytes;
    p->plan->parameters += (uint64_t)rows * cols;
    *out = t;
fail:
    return st;
}

static bool is_float(tvk_dtype type)
{
    return type == TVK_F32 || type == TVK_F16 || type == TVK_BF16;
}

static tvk_status find_gain(planner *p, const char *name, uint32_t width, bool required,
                            const tvk_tensor **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(find(p, name, 1, width, required, out, err));
    if (*out && !is_float((*out)->type)) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: %s: type %s; F32, F16 or BF16 expected", p->source->name,
                 name, tvk_dtype_name((*out)->type));
    }
    if (*out) p->plan->device_bytes += (uint64_t)width * 4;
fail:
    return st;
}

static tvk_status layout_of(const planner *p, const tvk_tensor *t, bool linear, tvk_layout *out,
                            tvk_error *err)
{
    tvk_status st = TVK_OK;
    bool ternary = tvk_dtype_get(t->type)->ternary;
    bool codes = linear && p->config->act != TVK_ACT_NONE; /* enter it */
    if (codes && (ternary || is_float(t->type))) {
        *out = TVK_LAYOUT_T2;
    } else if (linear && ternary) {
        *out = TVK_LAYOUT_T2_F32;
    } else if (!codes && !ternary && t->type != TVK_I8) {
        *out = tvk_layout_dense(t->type);
    } else {
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: %s: type %s; %s expected", p->source->name, t->name,
                 tvk_dtype_name(t->type),
                 codes ? "ternary weights for quantised activations"
                       : "F32, F16, BF16, Q8_0, Q6_K or Q4_0");
    }
    if (tvk_layout_row_words(*out, (uint32_t)t->dims[0]) == 0) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: %s: %llu inputs do not fit %s rows", p->source->name,
                 t->name, (unsigned long long)t->dims[0], tvk_dtype_name(t->type));
    }
fail:
    return st;
}

static tvk_status add_part(planner *p, tvk_matrix_plan *m, const char *name, uint32_t rows,
                           uint32_t cols, bool linear, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_tensor *t;
    tvk_layout layout = TVK_LAYOUT_F32;
    char scale_name[96];
    size_t stem = strlen(name) - strlen("weight");
    TVK_TRY(find(p, name, rows, cols, true, &t, err));
    TVK_TRY(layout_of(p, t, linear, &layout, err));
    if (m->part_count > 0 && layout != m->layout) {
        /* F16 beside F32 or BF16, as in files where some bf16 tensors fit f16: F32 holds all */
        if (!is_float(m->part[0].tensor->type) || !is_float(t->type)) {
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: %s is %s and %s is %s: the same type expected",
                     p->source->name, m->part[0].tensor->name,
                     tvk_dtype_name(m->part[0].tensor->type), name, tvk_dtype_name(t->type));
        }
        layout = TVK_LAYOUT_F32;
    }
    m->layout = layout;
    m->k = cols;
    m->part[m->part_count].tensor = t;
    m->part[m->part_count].first = m->n;
    m->part[m->part_count].rows = rows;
    snprintf(scale_name, sizeof scale_name, "%.*sscale", (int)stem, name);
    if (!linear && p->source->tensor(p->source->user, scale_name)) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: %s: scales of linears only are supported",
                 p->source->name, scale_name);
    }
    if (linear) {
        TVK_TRY(find(p, scale_name, 1, 1, false, &m->part[m->part_count].scale, err));
        if (m->part[m->part_count].scale &&
            ((layout != TVK_LAYOUT_T2 && layout != TVK_LAYOUT_T2_F32) ||
             m->part[m->part_count].scale->type != TVK_F32)) {
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: %s: an F32 scale beside ternary weights expected",
                     p->source->name, scale_name);
        }
    }
    m->n += rows;
    m->part_count++;
fail:
    return st;
}

static void count_matrix(planner *p, const tvk_matrix_plan *m)
{
    p->plan->device_bytes +=
        (uint64_t)m->n *
        (tvk_layout_row_words(m->layout, m->k) + tvk_layout_row_scales(m->layout, m->k)) * 4;
    if (m->kmajor) p->plan->device_bytes += (uint64_t)m->k * tvk_kmajor_words(m->n) * 4;
}

static tvk_status set_label(planner *p, tvk_matrix_plan *m, const char *name, tvk_error *err)
{
    tvk_status st = TVK_OK;
    m->label = tvk_arena_strdup(p->arena, name, strlen(name) - strlen(".weight"));
    TVK_TRY_ALLOC(m->label);
fail:
    return st;
}

/* Tensors whose values would change the results. */
static tvk_status refuse(planner *p, uint32_t layer, const char *suffix, const char *why,
                         tvk_error *err)
{
    tvk_status st = TVK_OK;
    char name[128];
    snprintf(name, sizeof name, "blk.%u.%s", layer, suffix);
    if (p->source->tensor(p->source->user, name))
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: %s: %s", p->source->name, name, why);
fail:
    return st;
}

/* Inputs [first_col, first_col + cols) of a sign matrix of `all` inputs, eight weights a byte.
 * slab < 0: a row of scales a row slab. */
static tvk_status add_signs(planner *p, tvk_matrix_plan *m, const char *name, uint32_t rows,
                            uint32_t all, uint32_t first_col, uint32_t cols, int32_t slab,
                            tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_tensor *t, *scale;
    uint32_t bytes = tvk_div_up(all, 8);
    char scale_name[96];
    const uint64_t counted[] = {p->plan->file_bytes, p->plan->parameters};
    snprintf(scale_name, sizeof scale_name, "%.*sscale", (int)(strlen(name) - strlen("weight")),
             name);
    TVK_TRY(find(p, name, rows, bytes, true, &t, err));
    TVK_TRY(find(p, scale_name, 1, p->config->weight_groups, true, &scale, err));
    if (t->type != TVK_I8 || scale->type != TVK_F32) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "%s: %s: signs in I8 and scales in F32 expected, %s and %s found", p->source->name,
                 name, tvk_dtype_name(t->type), tvk_dtype_name(scale->type));
    }
    p->plan->parameters = counted[1] + (uint64_t)rows * all;
    if (first_col > 0) { /* the tensor of the first slab again */
        p->plan->file_bytes = counted[0];
        p->plan->parameters = counted[1];
    }
    m->layout = TVK_LAYOUT_T1;
    m->k = cols;
    m->part[m->part_count].tensor = t;
    m->part[m->part_count].scale = scale;
    m->part[m->part_count].first = m->n;
    m->part[m->part_count].rows = rows;
    m->part[m->part_count].first_col = first_col;
    m->part[m->part_count].slab = slab;
    m->n += rows;
    m->part_count++;
fail:
    return st;
}

static tvk_status plan_layer_b1(planner *p, uint32_t layer, tvk_error *err)
{
    tvk_status st = TVK_OK;
    static const char *const foreign[] = {
        "attn_norm.weight", "ffn_norm.weight",    "attn_sub_norm.weight", "ffn_sub_norm.weight",
        "ffn_gate.weight",  "attn_q_norm.weight", "ffn_up.bias",          "ffn_down.bias"};
    const tvk_config *c = p->config;
    tvk_layer_plan *l = &p->plan->layers[layer];
    uint32_t q = c->heads * c->head_size, kv = c->kv_heads * c->head_size;
    const struct {
        const char *name;
        tvk_matrix_plan *matrix;
        uint32_t rows, cols, slabs; /* of columns */
    } linears[] = {
        {"attn_q", &l->qkv, q, c->hidden, 1},
        {"attn_k", &l->qkv, kv, c->hidden, 1},
        {"attn_v", &l->qkv, kv, c->hidden, 1},
        {"attn_output", l->o, c->hidden, q, c->weight_groups},
        {"ffn_up", &l->gate_up, c->ffn, c->hidden, 1},
        {"ffn_down", l->down, c->hidden, c->ffn, c->weight_groups},
    };
    char name[96];
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        TVK_TRY(refuse(p, layer, foreign[i], "no part of BitNet b1", err));
    for (size_t i = 0; i < sizeof linears / sizeof *linears; i++) {
        uint32_t part = linears[i].cols / linears[i].slabs;
        snprintf(name, sizeof name, "blk.%u.%s.weight", layer, linears[i].name);
        for (uint32_t s = 0; s < linears[i].slabs; s++) {
            tvk_matrix_plan *m = linears[i].matrix + s;
            if (m->part_count == 0) TVK_TRY(set_label(p, m, name, err));
            TVK_TRY(add_signs(
                p, m, name, linears[i].rows, linears[i].cols, s * part, part,
                linears[i].matrix == l->o || linears[i].matrix == l->down ? (int32_t)s : -1, err));
        }
    }
fail:
    return st;
}

static tvk_status plan_layer_b158(planner *p, uint32_t layer, tvk_error *err)
{
    /* norms of heads, behind a block, and inside the linears of BitNet's embedding models */
    static const char *const foreign[] = {
        "attn_q_norm.weight",    "attn_k_norm.weight",         "post_attention_norm.weight",
        "post_ffw_norm.weight",  "attn_q_norm_in.weight",      "attn_k_norm_in.weight",
        "attn_v_norm_in.weight", "attn_output_norm_in.weight", "ffn_gate_norm_in.weight",
        "ffn_up_norm_in.weight", "ffn_down_norm_in.weight"};
    tvk_status st = TVK_OK;
    const tvk_config *c = p->config;
    tvk_layer_plan *l = &p->plan->layers[layer];
    uint32_t q = c->heads * c->head_size, kv = c->kv_heads * c->head_size;
    const struct {
        const char *name;
        tvk_matrix_plan *matrix;
        uint32_t rows, cols;
    } linears[] = {
        {"attn_q", &l->qkv, q, c->hidden},
        {"attn_k", &l->qkv, kv, c->hidden},
        {"attn_v", &l->qkv, kv, c->hidden},
        {"attn_output", l->o, c->hidden, q},
        {"ffn_gate", &l->gate_up, c->ffn, c->hidden},
        {"ffn_up", &l->gate_up, c->ffn, c->hidden},
        {"ffn_down", l->down, c->hidden, c->ffn},
    };
    const struct {
        const char *name;
        const tvk_tensor **tensor;
        uint32_t width;
        bool required;
    } gains[] = {
        {"attn_norm", &l->attn_norm, c->hidden, true},
        {"attn_sub_norm", &l->attn_sub_norm, q, false},
        {"ffn_norm", &l->ffn_norm, c->hidden, true},
        {"ffn_sub_norm", &l->ffn_sub_norm, c->ffn, false},
    };
    char name[96];
    for (size_t i = 0; i < sizeof linears / sizeof *linears; i++) {
        tvk_matrix_plan *m = linears[i].matrix;
        snprintf(name, sizeof name, "%s.bias", linears[i].name);
        TVK_TRY(refuse(p, layer, name, "biases are not supported", err));
        snprintf(name, sizeof name, "%s.weight_scale", linears[i].name);
        TVK_TRY(
            refuse(p, layer, name, "a scale of bitnet.cpp's TL1 and TL2 beside another type", err));
        snprintf(name, sizeof name, "blk.%u.%s.weight", layer, linears[i].name);
        if (m->part_count == 0) TVK_TRY(set_label(p, m, name, err));
        TVK_TRY(add_part(p, m, name, linears[i].rows, linears[i].cols, true, err));
    }
    l->o[0].kmajor = p->skip[TVK_SKIP_O].used;
    l->down[0].kmajor = p->skip[TVK_SKIP_DOWN].used;
    for (size_t i = 0; i < sizeof gains / sizeof *gains; i++) {
        snprintf(name, sizeof name, "blk.%u.%s.weight", layer, gains[i].name);
        TVK_TRY(find_gain(p, name, gains[i].width, gains[i].required, gains[i].tensor, err));
    }
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        TVK_TRY(refuse(p, layer, foreign[i], "a norm that the architecture does not have", err));
fail:
    return st;
}

static tvk_status plan_layer(planner *p, uint32_t layer, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_layer_plan *l = &p->plan->layers[layer];
    uint32_t slabs = p->config->weight_groups;
    l->o = tvk_arena_alloc(p->arena, slabs, sizeof *l->o);
    l->down = tvk_arena_alloc(p->arena, slabs, sizeof *l->down);
    TVK_TRY_ALLOC(l->o && l->down ? l : NULL);
    TVK_TRY((p->config->arch->b1 ? plan_layer_b1 : plan_layer_b158)(p, layer, err));
    count_matrix(p, &l->qkv);
    count_matrix(p, &l->gate_up);
    for (uint32_t s = 0; s < slabs; s++) {
        count_matrix(p, &l->o[s]);
        count_matrix(p, &l->down[s]);
    }
fail:
    return st;
}

tvk_status tvk_weights_plan_make(const tvk_weight_source *source, const tvk_config *config,
                                 const tvk_skip skip[TVK_SKIP_COUNT], tvk_arena *arena,
                                 tvk_weights_plan *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    planner p = {source, config, skip, out, arena};
    memset(out, 0, sizeof *out);
    out->layers = tvk_arena_alloc(arena, config->layers, sizeof *out->layers);
    TVK_TRY_ALLOC(out->layers);
    out->embedding.label = "token_embd";
    TVK_TRY(add_part(&p, &out->embedding, "token_embd.weight", config->vocab, config->hidden, false,
                     err));
    count_matrix(&p, &out->embedding);
    if (!config->tied_head) {
        out->output.label = "output";
        TVK_TRY(
            add_part(&p, &out->output, "output.weight", config->vocab, config->hidden, false, err));
        count_matrix(&p, &out->output);
    }
    for (uint32_t l = 0; l < config->layers; l++) TVK_TRY(plan_layer(&p, l, err));
    if (source->tensor(source->user, "output_norm.bias")) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: output_norm.bias: biases are not supported",
                 source->name);
    }
    TVK_TRY(find_gain(&p, "output_norm.weight", config->hidden, true, &out->output_norm, err));
fail:
    return st;
}
