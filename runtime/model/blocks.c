#include "model/blocks.h"

#include "base/check.h"
#include "kernels/ops.h"
#include "model/model.h"
#include "model/stats.h"

#include <math.h>

#define BIND_ALIGN 64u /* floats: the largest storage alignment that Vulkan allows */

/* A float transient [rows, width]. */
static tvk_status floats(tvk_block_context *c, uint32_t rows, uint32_t width, const char *name,
                         uint32_t layer, tvk_span *out, tvk_error *err)
{
    return tvk_graph_tensor(c->graph, (uint64_t)rows * width * 4, out, err, "l%u.%s", layer, name);
}

typedef enum linear_at { QKV, O, GATE_UP, DOWN } linear_at;

/* Formats of the inputs, a row each activation scheme. BitNet a4.8, arXiv 2411.04965, figure 2;
 * BitNet v2, arXiv 2504.18415. */
static const tvk_format formats[][4] = {
    [TVK_ACT_NONE] = {TVK_FORMAT_I8}, /* not asked for */
    [TVK_ACT_INT8] = {TVK_FORMAT_I8, TVK_FORMAT_I8, TVK_FORMAT_I8, TVK_FORMAT_I8},
    [TVK_ACT_A48] = {TVK_FORMAT_I4, TVK_FORMAT_TOPK, TVK_FORMAT_I4, TVK_FORMAT_I8},
    [TVK_ACT_A48_FP4] = {TVK_FORMAT_FP4, TVK_FORMAT_FP4, TVK_FORMAT_FP4, TVK_FORMAT_I8},
    [TVK_ACT_V2_A8] = {TVK_FORMAT_I8, TVK_FORMAT_I8, TVK_FORMAT_I8, TVK_FORMAT_I8},
    [TVK_ACT_V2_A4] = {TVK_FORMAT_I4, TVK_FORMAT_I4, TVK_FORMAT_I4, TVK_FORMAT_I4},
};

/* Counts zeros among what a linear reads. */
static tvk_status count_input(tvk_block_context *c, linear_at which, tvk_span in, uint32_t width,
                              uint32_t layer, tvk_error *err)
{
    static const tvk_count_kind kinds[] = {TVK_COUNT_QKV, TVK_COUNT_OUT, TVK_COUNT_GATE_UP,
                                           TVK_COUNT_DOWN};
    uint32_t counter = tvk_stats_counter(layer, kinds[which]);
    tvk_dispatch_list *list = &c->graph->list;
    if (!c->counters.buffer) return TVK_OK;
    if (c->config->act == TVK_ACT_NONE)
        return tvk_op_count_floats(c->kernels, list, c->state, in, c->counters, counter, width,
                                   width, false, c->rows, err);
    return tvk_op_count_codes(c->kernels, list, formats[c->config->act][which], c->state, in,
                              c->counters, counter, width, c->rows, err);
}

/* Counts gates that ReLU^2 makes 0. stride: floats from row to row. */
static tvk_status count_gates(tvk_block_context *c, tvk_span gates, uint32_t stride, uint32_t layer,
                              tvk_error *err)
{
    uint32_t ffn = c->config->ffn;
    if (!c->counters.buffer || c->config->glu != TVK_GLU_RELU2) return TVK_OK;
    return tvk_op_count_floats(c->kernels, &c->graph->list, c->state, gates, c->counters,
                               tvk_stats_counter(layer, TVK_COUNT_GATES), ffn, stride, true,
                               c->rows, err);
}

/* Does this step leave out zeros there? */
static bool skips(const tvk_block_context *c, tvk_skip_at at)
{
    return c->rows == 1 && c->skip[at].used;
}

/* Does the linear get a list of its non-zero inputs? */
static bool listed(const tvk_block_context *c, linear_at which)
{
    return (which == O && skips(c, TVK_SKIP_O)) || (which == DOWN && skips(c, TVK_SKIP_DOWN));
}

/* Column slabs of a linear: parts of its input that are normed and quantised by themselves. */
static uint32_t slabs_of(const tvk_block_context *c, linear_at which)
{
    return which == O || which == DOWN ? c->config->weight_groups : 1;
}

/* b1: LayerNorm and codes of each slab. out [slabs] */
static tvk_status slab_inputs(tvk_block_context *c, linear_at which, tvk_span x, uint32_t width,
                              const char *name, uint32_t layer, tvk_span *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t slabs = slabs_of(c, which), part = width / slabs;
    for (uint32_t s = 0; s < slabs; s++) {
        TVK_TRY(tvk_graph_tensor(c->graph,
                                 (uint64_t)c->rows * tvk_act_words(TVK_FORMAT_I8, part) * 4,
                                 &out[s], err, slabs > 1 ? "l%u.%s.%u" : "l%u.%s", layer, name, s));
        TVK_TRY(tvk_op_layernorm_act(c->kernels, &c->graph->list, c->state, x, out[s], s * part,
                                     part, width, c->config->norm_eps, c->rows, err));
        TVK_TRY(count_input(c, which, out[s], part, layer, err));
    }
fail:
    return st;
}

/* What a linear reads: records of codes, or floats. gain.buffer NULL: no norm before it.
 * out [slabs] */
static tvk_status linear_input(tvk_block_context *c, linear_at which, tvk_span x, tvk_span gain,
                               uint32_t width, const char *name, uint32_t layer, tvk_span *out,
                               tvk_error *err)
{
    tvk_status st = TVK_OK;
    float eps = c->config->norm_eps;
    if (c->config->arch->b1) {
        return slab_inputs(c, which, x, width, name, layer, out, err);
    }
    if (tvk_act_transforms(c->config->act) && (which == O || which == DOWN)) {
        tvk_span turned;
        TVK_TRY(floats(c, c->rows, width, which == O ? "o_turned" : "down_turned", layer, &turned,
                       err));
        TVK_TRY(tvk_op_hadamard(c->kernels, &c->graph->list, c->state, x, gain, turned, width, eps,
                                c->rows, err));
        x = turned;
        gain = (tvk_span){0};
    }
    if (c->config->act != TVK_ACT_NONE) {
        tvk_format format = formats[c->config->act][which];
        bool list = listed(c, which);
        uint32_t words = tvk_act_words(format, width) + (list ? tvk_list_words(width) : 0);
        TVK_TRY(tvk_graph_tensor(c->graph, (uint64_t)c->rows * words * 4, out, err, "l%u.%s", layer,
                                 name));
        TVK_TRY(tvk_op_act(c->kernels, &c->graph->list, format, list, c->state, x, gain, *out,
                           width, eps, c->rows, err));
    } else if (gain.buffer) {
        TVK_TRY(floats(c, c->rows, width, name, layer, out, err));
        TVK_TRY(tvk_op_rmsnorm(c->kernels, &c->graph->list, c->state, x, gain, *out, width, eps,
                               c->rows, false, c->layout->outs_word, err));
    } else {
        *out = x;
    }
    TVK_TRY(count_input(c, which, *out, width, layer, err));
fail:
    return st;
}

/* w, in [slabs]: their results are added one after the other. */
static tvk_status linear(tvk_block_context *c, linear_at which, const tvk_matrix *w,
                         const tvk_span *in, tvk_span y, bool add, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_dispatch_list *list = &c->graph->list;
    if (listed(c, which)) return tvk_op_matmul_sparse(c->kernels, list, w, *in, y, add, err);
    for (uint32_t s = 0; s < slabs_of(c, which); s++)
        TVK_TRY(tvk_op_matmul_act(c->kernels, list, &w[s], formats[c->config->act][which], in[s], y,
                                  c->rows, add || s > 0, false, err));
fail:
    return st;
}

/* Are norm, codes and mat-vec one dispatch? Kept activations and counted zeros lie between them. */
static bool fuses(const tvk_block_context *c, linear_at which, const tvk_matrix *w, tvk_span gain)
{
    const tvk_config *m = c->config;
    if (c->rows != 1 || c->graph->keep || c->counters.buffer || m->arch->b1 || listed(c, which))
        return false;
    if (tvk_act_transforms(m->act) && (which == O || which == DOWN)) return false;
    return tvk_norm_gemv_fits(c->kernels, w, formats[m->act][which], gain);
}

/* y [rows, N] (+)= a linear of a row, its norm and its codes. w: [slabs] */
static tvk_status normed_linear(tvk_block_context *c, linear_at which, tvk_span x, tvk_span gain,
                                const tvk_matrix *w, uint32_t width, const char *name,
                                uint32_t layer, tvk_span y, bool add, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_span in[TVK_MAX_WEIGHT_GROUPS];
    if (fuses(c, which, w, gain))
        return tvk_op_norm_gemv(c->kernels, &c->graph->list, w, formats[c->config->act][which], x,
                                gain, c->config->norm_eps, TVK_GATE_NONE, add, y, err);
    TVK_TRY(linear_input(c, which, x, gain, width, name, layer, in, err));
    TVK_TRY(linear(c, which, w, in, y, add, err));
fail:
    return st;
}

/* Debugging aid of keep_activations: the residual stream after this point, under a name. */
static tvk_status keep_residual(tvk_block_context *c, const char *name, uint32_t layer,
                                tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_span copy;
    if (!c->graph->keep) return TVK_OK;
    TVK_TRY(floats(c, c->rows, c->config->hidden, name, layer, &copy, err));
    TVK_TRY(tvk_graph_copy(c->graph, c->x, copy, err));
fail:
    return st;
}

static tvk_status embed(tvk_block_context *c, tvk_error *err)
{
    tvk_status st = TVK_OK;
    c->graph->list.label = "embed";
    TVK_TRY(tvk_graph_tensor(c->graph, (uint64_t)c->rows * c->config->hidden * 4, &c->x, err, "x"));
    TVK_TRY(tvk_op_embed(c->kernels, &c->graph->list, &c->weights->embedding, c->state, c->x,
                         c->rows, err));
    TVK_TRY(keep_residual(c, "embed_out", 0, err));
fail:
    return st;
}

static float attention_scale(const tvk_config *m)
{
    return (float)(1.0 / sqrt((double)m->head_size));
}

/* Floats that the chunks of a row leave for their merge. */
static uint32_t partials_of_row(const tvk_block_context *c)
{
    return c->config->heads * c->layout->max_pages * (4 + c->config->head_size);
}

/* Few rows do not fill a device by themselves: the chunks of each are taken side by side, where the
 * memory for it stays small. */
static bool chunks_side_by_side(const tvk_block_context *c)
{
    const uint64_t bytes = 4ull * c->rows * partials_of_row(c);
    return c->rows == 1 || (c->rows <= TVK_FEW_ROWS && bytes <= TVK_MOST_PARTIALS);
}

/* out [rows, H D] of qkv: RoPE, KV append and attention in kernels of their own. */
static tvk_status attend(tvk_block_context *c, uint32_t layer, tvk_span qkv, uint32_t stride,
                         tvk_span *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_config *m = c->config;
    tvk_dispatch_list *list = &c->graph->list;
    uint32_t q = m->heads * m->head_size, kv = m->kv_heads * m->head_size;
    tvk_span query = qkv, partials = {0}, pool = tvk_buffer_span(c->kv->layers[layer]);
    const struct tvk_rope_params rope = {
        .heads = m->heads + m->kv_heads, .d = m->head_size, .stride = stride, .rotary = m->rotary};
    const struct tvk_kv_append_params append = {.kv_heads = m->kv_heads,
                                                .d = m->head_size,
                                                .stride = stride,
                                                .k_offset = q,
                                                .v_offset = q + kv,
                                                .pages_word = c->layout->pages_word,
                                                .max_pages = c->layout->max_pages,
                                                .page_words = c->kv->page_words,
                                                .heads = m->heads};
    const struct tvk_rope_append_params both = {.heads = m->heads,
                                                .kv_heads = m->kv_heads,
                                                .d = m->head_size,
                                                .stride = stride,
                                                .pages_word = c->layout->pages_word,
                                                .max_pages = c->layout->max_pages,
                                                .page_words = c->kv->page_words};
    const uint32_t record_words = m->heads * TVK_QUERY_WORDS(m->head_size);
    const bool records = c->kv->types.q != TVK_QUERY_F32;
    const struct tvk_attention_params attn = {.heads = m->heads,
                                              .kv_heads = m->kv_heads,
                                              .d = m->head_size,
                                              .q_stride = records ? record_words : stride,
                                              .o_stride = q,
                                              .pages_word = c->layout->pages_word,
                                              .max_pages = c->layout->max_pages,
                                              .page_words = c->kv->page_words,
                                              .scale = attention_scale(m),
                                              .max_chunks = c->layout->max_pages};
    if (records) TVK_TRY(floats(c, c->rows, record_words, "q", layer, &query, err));
    if (!c->graph->keep && tvk_rope_appends(c->kv->types, m->rotary, m->head_size)) {
        TVK_TRY(tvk_op_rope_append(c->kernels, list, c->state, c->rope, qkv, pool, &both,
                                   m->rope_interleaved, c->kv->types, c->rows, err));
    } else {
        TVK_TRY(tvk_op_rope(c->kernels, list, c->state, c->rope, qkv, &rope, m->rope_interleaved,
                            c->rows, err));
        TVK_TRY(tvk_op_kv_append(c->kernels, list, c->state, qkv, pool, query, &append,
                                 c->kv->types, c->rows, err));
    }
    TVK_TRY(floats(c, c->rows, q, "attn_out", layer, out, err));
    if (chunks_side_by_side(c))
        TVK_TRY(floats(c, c->rows * m->heads * attn.max_chunks, 4 + m->head_size, "partials", layer,
                       &partials, err));
    TVK_TRY(tvk_op_attention(c->kernels, list, c->state, query, pool, partials, *out, &attn,
                             c->kv->types, c->rows, err));
fail:
    return st;
}

/* The same of rows of different sessions in one dispatch. work: qkv, at out_vec4 the output, then
 * partials. */
static tvk_status attend_token(tvk_block_context *c, uint32_t layer, tvk_span work,
                               uint32_t out_vec4, uint32_t partials_vec4, tvk_error *err)
{
    const tvk_config *m = c->config;
    const struct tvk_attn_token_params p = {.heads = m->heads,
                                            .kv_heads = m->kv_heads,
                                            .d = m->head_size,
                                            .rotary = m->rotary,
                                            .pages_word = c->layout->pages_word,
                                            .max_pages = c->layout->max_pages,
                                            .page_words = c->kv->page_words,
                                            .scale = attention_scale(m),
                                            .max_chunks = c->layout->max_pages,
                                            .merge_word = c->layout->merge_word,
                                            .out_vec4 = out_vec4,
                                            .partials_vec4 = partials_vec4};
    return tvk_op_attn_token(c->kernels, &c->graph->list, c->state, c->rope,
                             tvk_buffer_span(c->kv->layers[layer]), work, &p, m->rope_interleaved,
                             c->kv->types, c->rows, err);
}

/* Behind the last layer's attention only rows whose logits are wanted go on: in a batch, few. What
 * keeps or counts activations is about all rows. */
static bool leaves_rows(const tvk_block_context *c, uint32_t layer)
{
    return layer + 1 == c->config->layers && c->rows > TVK_FEW_ROWS && !c->graph->keep &&
           !c->counters.buffer;
}

/* The residual stream and `out`, the attention's result, become those of the output rows. */
static tvk_status leave_rows(tvk_block_context *c, uint32_t layer, uint32_t width, tvk_span *out,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t hidden = c->config->hidden, outs_word = c->layout->outs_word;
    tvk_dispatch_list *list = &c->graph->list;
    tvk_span x, few;
    TVK_TRY(floats(c, c->outs, hidden, "x_outs", layer, &x, err));
    TVK_TRY(floats(c, c->outs, width, "attn_outs", layer, &few, err));
    TVK_TRY(tvk_op_gather(c->kernels, list, c->state, c->x, x, hidden, c->rows, c->outs, outs_word,
                          err));
    TVK_TRY(tvk_op_gather(c->kernels, list, c->state, *out, few, width, c->rows, c->outs, outs_word,
                          err));
    c->x = x;
    *out = few;
    c->rows = c->outs;
    list->outs = true;
fail:
    return st;
}

static tvk_status attention(tvk_block_context *c, uint32_t layer, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_config *m = c->config;
    const tvk_layer_weights *w = &c->weights->layers[layer];
    uint32_t q = m->heads * m->head_size, stride = q + 2 * m->kv_heads * m->head_size;
    /* parts of a place that are bound by themselves begin where every device may bind */
    uint32_t out_at = tvk_div_up(c->rows * stride, BIND_ALIGN) * BIND_ALIGN;
    uint32_t partials_at = out_at + c->rows * q;
    bool token =
        c->apart && !c->graph->keep && tvk_attn_token_fits(c->kv->types) && chunks_side_by_side(c);
    tvk_span work, qkv, out;
    c->graph->list.label = tvk_graph_text(c->graph, "l%u.attn", layer);
    if (token) {
        TVK_TRY(floats(c, 1, partials_at + c->rows * partials_of_row(c), "attn_work", layer, &work,
                       err));
        qkv = tvk_span_sub(work, 0, 4ull * c->rows * stride);
        out = tvk_span_sub(work, 4ull * out_at, 4ull * c->rows * q);
    } else {
        TVK_TRY(floats(c, c->rows, stride, "qkv", layer, &qkv, err));
    }
    TVK_TRY(normed_linear(c, QKV, c->x, w->attn_norm, &w->qkv, m->hidden, "qkv_in", layer, qkv,
                          false, err));
    if (token)
        TVK_TRY(attend_token(c, layer, work, out_at / 4, partials_at / 4, err));
    else
        TVK_TRY(attend(c, layer, qkv, stride, &out, err));
    if (leaves_rows(c, layer)) TVK_TRY(leave_rows(c, layer, q, &out, err));
    TVK_TRY(normed_linear(c, O, out, w->attn_sub_norm, w->o, q, "o_in", layer, c->x, true, err));
    TVK_TRY(keep_residual(c, "attn_res", layer, err));
fail:
    return st;
}

static uint32_t gate_of(const tvk_config *m)
{
    return m->glu == TVK_GLU_RELU2 ? TVK_GATE_RELU2 : TVK_GATE_SILU;
}

/* f [rows, F] = the gated unit of both projections; b1: GELU of up. */
static tvk_status gate_up(tvk_block_context *c, uint32_t layer, tvk_span in, tvk_span *f,
                          tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_config *m = c->config;
    const bool gelu = m->glu == TVK_GLU_GELU;
    const uint32_t width = (gelu ? 1 : 2) * m->ffn;
    const tvk_matrix *w = &c->weights->layers[layer].gate_up;
    const tvk_format format = formats[m->act][GATE_UP];
    tvk_dispatch_list *list = &c->graph->list;
    uint32_t shape;
    tvk_span both;
    if (!gelu && !c->graph->keep && !c->counters.buffer &&
        tvk_matmul_gates(c->kernels, w, format, c->rows)) {
        TVK_TRY(floats(c, c->rows, m->ffn, "glu", layer, f, err));
        return tvk_op_matmul_gated(c->kernels, list, w, format, in, *f, c->rows, gate_of(m), err);
    }
    TVK_TRY(floats(c, c->rows, width, "gate_up", layer, &both, err));
    TVK_TRY(linear(c, GATE_UP, w, &in, both, false, err));
    shape = list->items[list->count - 1].shape;
    TVK_TRY(count_gates(c, both, width, layer, err));
    TVK_TRY(floats(c, c->rows, m->ffn, "glu", layer, f, err));
    if (gelu)
        TVK_TRY(tvk_op_gelu(c->kernels, list, both, *f, m->ffn, c->rows, err));
    else
        TVK_TRY(
            tvk_op_glu(c->kernels, list, both, *f, m->ffn, m->glu == TVK_GLU_RELU2, c->rows, err));
    /* other rows of that shape do this too */
    list->items[list->count - 1].shape = shape;
fail:
    return st;
}

/* The same of one row: gates first, then the up projection where they are open, in place. */
static tvk_status gate_then_up(tvk_block_context *c, uint32_t layer, tvk_span in, tvk_span *f,
                               tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t width = c->config->ffn;
    const tvk_matrix *both = &c->weights->layers[layer].gate_up;
    const tvk_matrix gate = tvk_matrix_head(both, width);
    tvk_dispatch_list *list = &c->graph->list;
    tvk_span work;
    TVK_TRY(floats(c, 1, tvk_up_words(width), "glu", layer, &work, err));
    *f = tvk_span_sub(work, 0, 4ull * width);
    TVK_TRY(linear(c, GATE_UP, &gate, &in, *f, false, err));
    TVK_TRY(count_gates(c, *f, width, layer, err));
    TVK_TRY(tvk_op_relu_list(c->kernels, list, work, width, err));
    TVK_TRY(tvk_op_up(c->kernels, list, both, width, formats[c->config->act][GATE_UP], in, work,
                      width, err));
fail:
    return st;
}

/* The same of one row, its norm and its codes, in one dispatch. */
static tvk_status gated_unit(tvk_block_context *c, uint32_t layer, tvk_span *f, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_config *m = c->config;
    const tvk_layer_weights *w = &c->weights->layers[layer];
    TVK_TRY(floats(c, 1, m->ffn, "glu", layer, f, err));
    TVK_TRY(tvk_op_norm_gemv(c->kernels, &c->graph->list, &w->gate_up, formats[m->act][GATE_UP],
                             c->x, w->ffn_norm, m->norm_eps, gate_of(m), false, *f, err));
fail:
    return st;
}

static tvk_status ffn(tvk_block_context *c, uint32_t layer, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_config *m = c->config;
    const tvk_layer_weights *w = &c->weights->layers[layer];
    tvk_span in, f;
    c->graph->list.label = tvk_graph_text(c->graph, "l%u.ffn", layer);
    if (!skips(c, TVK_SKIP_UP) && m->glu != TVK_GLU_GELU &&
        fuses(c, GATE_UP, &w->gate_up, w->ffn_norm)) {
        TVK_TRY(gated_unit(c, layer, &f, err));
    } else {
        TVK_TRY(
            linear_input(c, GATE_UP, c->x, w->ffn_norm, m->hidden, "gateup_in", layer, &in, err));
        TVK_TRY((skips(c, TVK_SKIP_UP) ? gate_then_up : gate_up)(c, layer, in, &f, err));
    }
    TVK_TRY(normed_linear(c, DOWN, f, w->ffn_sub_norm, w->down, m->ffn, "down_in", layer, c->x,
                          true, err));
    TVK_TRY(keep_residual(c, "out", layer, err));
    TVK_TRY(tvk_graph_cut(c->graph, err));
fail:
    return st;
}

/* Norm and output matrix, of the rows whose logits are wanted. */
static tvk_status logits(tvk_block_context *c, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_config *m = c->config;
    const tvk_matrix *w = c->weights->output;
    const tvk_span norm = c->weights->output_norm;
    tvk_dispatch_list *list = &c->graph->list;
    const bool gather = !list->outs; /* else x has the output rows alone */
    tvk_span y;
    if (c->rows == 1 && !c->graph->keep && !m->arch->b1 &&
        tvk_norm_gemv_f_fits(c->kernels, w, norm)) {
        list->outs = true; /* the row may be none of them */
        return tvk_op_norm_gemv_f(c->kernels, list, w, c->x, norm, m->norm_eps, TVK_GATE_NONE,
                                  false, c->logits, err);
    }
    TVK_TRY(tvk_graph_tensor(c->graph, (uint64_t)c->outs * m->hidden * 4, &y, err, "head_in"));
    if (m->arch->b1)
        TVK_TRY(tvk_op_layernorm(c->kernels, list, c->state, c->x, norm, y, m->hidden, m->norm_eps,
                                 c->outs, gather, c->layout->outs_word, err));
    else
        TVK_TRY(tvk_op_rmsnorm(c->kernels, list, c->state, c->x, norm, y, m->hidden, m->norm_eps,
                               c->outs, gather, c->layout->outs_word, err));
    TVK_TRY(tvk_op_matmul(c->kernels, list, w, y, c->logits, c->outs, false, true, err));
fail:
    return st;
}

static tvk_status head(tvk_block_context *c, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_config *m = c->config;
    tvk_dispatch_list *list = &c->graph->list;
    tvk_span leaders;
    const struct tvk_sample_params sample = {.vocab = m->vocab,
                                             .logits_stride = m->vocab,
                                             .outs_word = c->layout->outs_word,
                                             .slots_word = c->layout->slots_word,
                                             .history_word = c->layout->history_word,
                                             .context = c->layout->context,
                                             .ring_entries = TVK_RING_ENTRIES,
                                             .ring_entry_words = c->layout->result_words,
                                             .arrived_word = c->layout->arrived_word};
    list->label = "head";
    TVK_TRY(logits(c, err));
    list->label = "sample";
    TVK_TRY(tvk_graph_tensor(c->graph,
                             (uint64_t)c->outs * tvk_sample_words(c->kernels, m->vocab) * 4,
                             &leaders, err, "leaders"));
    TVK_TRY(
        tvk_op_sample(c->kernels, list, c->logits, c->state, c->results, leaders, &sample, err));
fail:
    return st;
}

tvk_status tvk_block_build(tvk_block_context *c, const tvk_block *block, tvk_error *err)
{
    switch (block->kind) {
    case TVK_BLOCK_EMBED:
        return embed(c, err);
    case TVK_BLOCK_ATTENTION:
        return attention(c, block->layer, err);
    case TVK_BLOCK_FFN:
        return ffn(c, block->layer, err);
    case TVK_BLOCK_HEAD:
        return head(c, err);
    }
    return tvk_error_set(err, TVK_ERR_INTERNAL, __FILE__, __LINE__, "block kind %d", block->kind);
}
