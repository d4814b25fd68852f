/* One function for each struct of parameters: a kernel with a struct of its own needs one here,
 * named cost_ and the struct's name in kernels.def. */
#include "kernels/cost.h"

#include <math.h>
#include <string.h>

#define WORD 4.0

/* Rows of the axis that counts them. */
static double rows_of(const tvk_dispatch *d, const tvk_work *w)
{
    for (int axis = 0; axis < 3; axis++) {
        switch (d->groups.kind[axis]) {
        case TVK_AXIS_OUTS:
            return w->outs;
        case TVK_AXIS_ONE:
            return w->outs == 1;
        case TVK_AXIS_SEVERAL:
            return w->outs > 1 ? w->outs : 0;
        }
    }
    return w->rows;
}

static bool same(const tvk_span *a, const tvk_span *b)
{
    return a->buffer == b->buffer && a->tensor == b->tensor && a->offset == b->offset;
}

/* Bytes of a binding that is not the one before it again, as scales are where there are none. */
static double extra(const tvk_dispatch *d, uint32_t binding)
{
    return same(&d->bindings[binding], &d->bindings[binding - 1])
               ? 0
               : (double)d->bindings[binding].bytes;
}

/* Do its products have float factors? */
static bool of_floats(tvk_op op)
{
    static const tvk_op ops[] = {TVK_OP_gemv_f32,      TVK_OP_gemv_f16,     TVK_OP_gemv_q8,
                                 TVK_OP_gemv_q6,       TVK_OP_gemv_q4,      TVK_OP_gemv_t2_f32,
                                 TVK_OP_gemm_f32,      TVK_OP_gemm_f16,     TVK_OP_gemm_q8,
                                 TVK_OP_gemm_q6,       TVK_OP_gemm_q4,      TVK_OP_gemm_t2_f32,
                                 TVK_OP_norm_gemv_f32, TVK_OP_norm_gemv_f16};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (ops[i] == op) return true;
    return false;
}

static tvk_cost cost_begin(const tvk_dispatch *d, const struct tvk_begin_params *p,
                           const tvk_work *w)
{
    (void)d;
    return (tvk_cost){.bytes = WORD * (w->rows * 2.0 * TVK_REQUEST_ROW + p->rule_count * 8.0)};
}

static tvk_cost cost_embed(const tvk_dispatch *d, const struct tvk_embed_params *p,
                           const tvk_work *w)
{
    double row = ((double)d->bindings[1].bytes + extra(d, 2)) / p->row_count;
    return (tvk_cost){.bytes = w->rows * (row + WORD * p->k), .float_ops = (double)w->rows * p->k};
}

/* A square and its sum, two multiplications by gain and scale. */
static tvk_cost cost_norm(const tvk_dispatch *d, const struct tvk_norm_params *p, const tvk_work *w)
{
    double rows = rows_of(d, w), gain = same(&d->bindings[1], &d->bindings[2]) ? 0 : WORD * p->k;
    return (tvk_cost){.bytes = rows * WORD * ((double)p->k + p->y_stride) + gain,
                      .float_ops = rows * 4 * p->k};
}

static tvk_cost cost_layernorm(const tvk_dispatch *d, const struct tvk_layernorm_params *p,
                               const tvk_work *w)
{
    double rows = rows_of(d, w), gain = same(&d->bindings[1], &d->bindings[2]) ? 0 : WORD * p->k;
    return (tvk_cost){.bytes = rows * WORD * ((double)p->k + p->y_stride) + gain,
                      .float_ops = rows * 6 * p->k};
}

static tvk_cost cost_hadamard(const tvk_dispatch *d, const struct tvk_hadamard_params *p,
                              const tvk_work *w)
{
    double gain = same(&d->bindings[1], &d->bindings[2]) ? 0 : WORD * p->k;
    const double rows = rows_of(d, w);
    return (tvk_cost){.bytes = rows * WORD * 2 * p->k + gain,
                      .float_ops = rows * p->k * (log2(p->k) + 1 + (gain > 0 ? 4 : 0))};
}

static tvk_cost cost_matmul(const tvk_dispatch *d, const struct tvk_matmul_params *p,
                            const tvk_work *w)
{
    double rows = rows_of(d, w), ops = 2 * rows * p->n * p->k;
    double written = p->n < p->y_stride ? p->n : p->y_stride; /* half of N behind a gate */
    tvk_cost c = {.bytes = WORD * p->n * p->row_words + extra(d, 1) +
                           rows * WORD * (p->act_stride + (p->add ? 2.0 : 1.0) * written)};
    if (d->caps & TVK_CAP_COOPMAT_F16) ops *= 2; /* x is two halves */
    *(d->caps & TVK_CAP_COOPMAT_F16  ? &c.half_ops
      : of_floats(d->op)             ? &c.float_ops
      : d->caps & TVK_CAP_COOPMAT_I8 ? &c.matrix_ops
                                     : &c.int_ops) = ops;
    return c;
}

static tvk_cost cost_norm_gemv(const tvk_dispatch *d, const struct tvk_norm_gemv_params *p,
                               const tvk_work *w)
{
    const double written = (double)d->bindings[3].bytes * (p->add ? 2 : 1);
    /* scales, the gain behind them, the next gain: their binding has others in between */
    const double beside =
        of_floats(d->op) ? extra(d, 1)
                         : WORD * ((double)p->n + (p->gain ? p->k : 0)) + 4 * WORD * p->soon_quads;
    tvk_cost c = {.bytes = (double)d->bindings[0].bytes + beside + WORD * p->k + written};
    (void)w;
    *(of_floats(d->op) ? &c.float_ops : &c.int_ops) = 2.0 * p->n * p->k;
    return c;
}

static tvk_cost cost_sparse(const tvk_dispatch *d, const struct tvk_sparse_params *p,
                            const tvk_work *w)
{
    double codes = (double)d->bindings[0].bytes;
    (void)w;
    return (tvk_cost){.bytes = codes + extra(d, 1) + WORD * (p->add ? 2.0 : 1.0) * p->n,
                      .int_ops = 2 * 16 / WORD * codes};
}

static tvk_cost cost_kmajor(const tvk_dispatch *d, const struct tvk_kmajor_params *p,
                            const tvk_work *w)
{
    (void)w;
    (void)p;
    return (tvk_cost){.bytes = (double)d->bindings[0].bytes + (double)d->bindings[1].bytes};
}

static tvk_cost cost_relu_list(const tvk_dispatch *d, const struct tvk_relu_list_params *p,
                               const tvk_work *w)
{
    (void)d;
    (void)w;
    return (tvk_cost){.bytes = WORD * 3 * p->f};
}

static tvk_cost cost_up(const tvk_dispatch *d, const struct tvk_up_params *p, const tvk_work *w)
{
    (void)w;
    return (tvk_cost){.bytes = WORD * p->n * p->row_words + extra(d, 1) + WORD * 3 * p->n,
                      .int_ops = 2.0 * p->n * p->row_words * 16};
}

static tvk_cost cost_rope(const tvk_dispatch *d, const struct tvk_rope_params *p, const tvk_work *w)
{
    double turned = (double)p->heads * p->rotary;
    (void)d;
    return (tvk_cost){.bytes = w->rows * WORD * (2 * turned + p->rotary),
                      .float_ops = w->rows * 3 * turned};
}

static tvk_cost cost_rope_append(const tvk_dispatch *d, const struct tvk_rope_append_params *p,
                                 const tvk_work *w)
{
    double turned = (double)(p->heads + p->kv_heads) * p->d;
    double written = (double)p->heads * p->d + (double)p->page_words / TVK_CHUNK;
    (void)d;
    return (tvk_cost){.bytes = w->rows * WORD * (p->stride + p->d + written),
                      .float_ops = w->rows * 3 * turned};
}

static tvk_cost cost_kv_append(const tvk_dispatch *d, const struct tvk_kv_append_params *p,
                               const tvk_work *w)
{
    const bool records = d->op == TVK_OP_kv_append_qi;
    double read = 2.0 * p->kv_heads * p->d + (records ? (double)p->heads * p->d : 0);
    double written = (double)p->page_words / TVK_CHUNK +
                     (records ? (double)p->heads * TVK_QUERY_WORDS(p->d) : 0);
    return (tvk_cost){.bytes = w->rows * WORD * (read + written)};
}

/* Two products a pair and dimension: of Q and K, of the weight and V. Keys and values of a head
 * serve all the queries that share it. */
static tvk_cost cost_attention(const tvk_dispatch *d, const struct tvk_attention_params *p,
                               const tvk_work *w)
{
    const double out = (double)w->rows * p->heads * p->d;
    const double partials = w->chunks * p->heads * (4.0 + p->d);
    const double products = 2 * w->scores * p->heads * p->d;
    const bool records = d->op == TVK_OP_attn_chunk_qi || d->op == TVK_OP_attn_rows_qi;
    const bool chunks = strncmp(tvk_op_name(d->op), "attn_chunk", 10) == 0;
    const double pool = w->cached * p->page_words / TVK_CHUNK;
    if (d->op == TVK_OP_attn_merge)
        return (tvk_cost){.bytes = WORD * (partials + out),
                          .float_ops = 2 * w->chunks * p->heads * p->d};
    if (d->caps & TVK_CAP_COOPMAT_F16)
        return (tvk_cost){.bytes = WORD * (2 * out + pool), .half_ops = 2 * products};
    return (tvk_cost){.bytes = WORD * (out + pool + (chunks ? partials : out)),
                      .int_ops = records ? products : 0,
                      .float_ops = records ? products : 2 * products};
}

/* The projections are read and the output written; partials where there is more than a chunk. */
static tvk_cost cost_attn_token(const tvk_dispatch *d, const struct tvk_attn_token_params *p,
                                const tvk_work *w)
{
    const double row = w->rows * (2.0 * p->heads + 2.0 * p->kv_heads) * p->d;
    const double partials = w->chunks > w->rows ? 2 * w->chunks * p->heads * (4.0 + p->d) : 0;
    (void)d;
    return (tvk_cost){.bytes = WORD * (row + partials + w->cached * p->page_words / TVK_CHUNK),
                      .float_ops = 4 * w->scores * p->heads * p->d};
}

static tvk_cost cost_gather(const tvk_dispatch *d, const struct tvk_gather_params *p,
                            const tvk_work *w)
{
    return (tvk_cost){.bytes = rows_of(d, w) * WORD * 2 * p->k};
}

static tvk_cost cost_glu(const tvk_dispatch *d, const struct tvk_glu_params *p, const tvk_work *w)
{
    const double rows = rows_of(d, w);
    return (tvk_cost){.bytes = rows * WORD * ((double)p->in_stride + p->f),
                      .float_ops = rows * 3.0 * p->f};
}

static tvk_cost cost_count(const tvk_dispatch *d, const struct tvk_count_params *p,
                           const tvk_work *w)
{
    (void)d;
    return (tvk_cost){.bytes = w->rows * WORD * p->stride};
}

static tvk_cost cost_sample(const tvk_dispatch *d, const struct tvk_sample_params *p,
                            const tvk_work *w)
{
    (void)d;
    return (tvk_cost){.bytes = w->outs * WORD * p->vocab};
}

static tvk_cost cost_repack(const tvk_dispatch *d, const struct tvk_repack_params *p,
                            const tvk_work *w)
{
    tvk_cost c = {0};
    (void)p;
    (void)w;
    for (uint32_t i = 0; i < d->binding_count; i++) c.bytes += (double)d->bindings[i].bytes;
    return c;
}

static tvk_cost cost_peak(const tvk_dispatch *d, const struct tvk_peak_params *p, const tvk_work *w)
{
    (void)d;
    (void)p;
    (void)w;
    return (tvk_cost){.bytes = 0}; /* no part of a step */
}

tvk_cost tvk_dispatch_cost(const tvk_dispatch *d, const tvk_work *w)
{
    if (!d->program_name || !d->program) { /* a copy */
        return (tvk_cost){.bytes = 2.0 * (double)d->bindings[0].bytes};
    }
    switch (d->op) {
#define TVK_KERNEL(name, access, kind, fixed)                                                      \
    case TVK_OP_##name:                                                                            \
        return cost_##kind(d, (const void *)d->params, w);
#include "kernels/kernels.def"
#undef TVK_KERNEL
    default:
        return (tvk_cost){0};
    }
}
