/* RMSNorm to f32 rows, and activation records with or without the norm. */
#include "kernels/internal.h"

/* Groups of four values that an invocation keeps: more than registers should hold. */
#define MOST_HELD 16u
/* Of so many or more a row, 128 invocations would wait for their registers. */
#define LONG_ROW 1024u
/* Rows of which each gets a large group; of more, groups wait for each other. */
#define WIDE_ROWS 512u

/* Those that an invocation has of so many; 0: too many to keep, or host cores, which do not care.
 */
static uint32_t held(uint32_t quads, const tvk_config *c)
{
    return c->cpu ? 0 : tvk_held(quads, c->group, MOST_HELD);
}

/* Does a group of more than 128 suit: do its invocations keep their values, and is there shared
 * memory for what each of them adds? */
static bool suits(const tvk_plan *plan, const tvk_config *c, uint32_t quads, bool narrow)
{
    const uint32_t bytes = 4 * (2 * c->group * held(quads, c) + 4 * c->group + 16);
    return !narrow && held(quads, c) && bytes <= plan->max_shared_bytes &&
           c->group <= plan->max_invocations;
}

/* The configuration for rows of so many groups of four, the first one of GPUs adapted to them; with
 * fewer invocations where so many do not suit, with 128 where fewer would not keep their values
 * (rmsnorm_i4 with 64 that do not crashes on NVIDIA 580.159.04). */
static tvk_config fitted(tvk_kernels *k, tvk_op op, uint32_t quads, uint32_t rows, bool narrow)
{
    const tvk_plan *plan = tvk_gpu_plan(tvk_kernels_device(k));
    tvk_config c = *tvk_kernels_active(k, op);
    if (!c.cpu && tvk_kernels_adapts(k, k->choices[op]) && quads >= LONG_ROW)
        c.group = rows <= WIDE_ROWS ? 512 : 256;
    while (!c.cpu && c.group < TVK_NORM_PARTIALS && !held(quads, &c)) c.group *= 2;
    while (c.group > TVK_NORM_PARTIALS && !suits(plan, &c, quads, narrow)) c.group /= 2;
    return c;
}

static tvk_status append_norm(tvk_kernels *k, tvk_dispatch_list *l, tvk_op op,
                              const tvk_span bindings[4], bool gain,
                              const struct tvk_norm_params *p, uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t quads = p->k / 4 > p->code_words ? p->k / 4 : p->code_words;
    const bool narrow = p->list_word != 0 || op == TVK_OP_rmsnorm_topk || op == TVK_OP_quant_topk;
    const tvk_config c = fitted(k, op, quads, rows, narrow);
    const uint32_t constants[] = {c.group, 1, 1, p->list_word != 0, held(quads, &c)};
    const tvk_groups groups = {
        {p->gather ? TVK_AXIS_OUTS : TVK_AXIS_ROWS, TVK_AXIS_FIXED, TVK_AXIS_FIXED}, {1, 1, 1}};
    TVK_TRY(tvk_check_value(op, p->k > 0 && p->k % 4 == 0, "a width that is a multiple of 4", p->k,
                            err));
    TVK_TRY(tvk_check_span(k, op, "state", bindings[0],
                           4ull * (TVK_STATE_ROWS + (uint64_t)TVK_ROW_WORDS * rows), err));
    TVK_TRY(tvk_check_span(k, op, "x", bindings[1], 4ull * rows * p->x_stride, err));
    if (gain) TVK_TRY(tvk_check_span(k, op, "gain", bindings[2], 4ull * p->k, err));
    TVK_TRY(tvk_check_span(k, op, "y", bindings[3], 4ull * rows * p->y_stride, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 5, bindings, p, &groups, err));
fail:
    return st;
}

tvk_status tvk_op_rmsnorm(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span x,
                          tvk_span gain, tvk_span y, uint32_t width, float eps, uint32_t rows,
                          bool outs, uint32_t outs_word, tvk_error *err)
{
    const tvk_span bindings[] = {state, x, gain, y};
    const struct tvk_norm_params p = {.k = width,
                                      .x_stride = width,
                                      .y_stride = width,
                                      .inv_k = 1.0f / (float)width,
                                      .eps = eps,
                                      .gather = outs,
                                      .outs_word = outs_word};
    return append_norm(k, l, TVK_OP_rmsnorm_f32, bindings, true, &p, rows, err);
}

/* {of plain rows, after the norm} */
static const tvk_op act_ops[][2] = {
    [TVK_FORMAT_I8] = {TVK_OP_quant_i8, TVK_OP_rmsnorm_i8},
    [TVK_FORMAT_TOPK] = {TVK_OP_quant_topk, TVK_OP_rmsnorm_topk},
    [TVK_FORMAT_I4] = {TVK_OP_quant_i4, TVK_OP_rmsnorm_i4},
    [TVK_FORMAT_FP4] = {TVK_OP_quant_fp4, TVK_OP_rmsnorm_fp4},
};

tvk_status tvk_op_act(tvk_kernels *k, tvk_dispatch_list *l, tvk_format format, bool list,
                      tvk_span state, tvk_span x, tvk_span gain, tvk_span act, uint32_t width,
                      float eps, uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const bool norm = gain.buffer || gain.tensor;
    const tvk_op op = act_ops[format][norm];
    const uint32_t words = tvk_act_words(format, width);
    const tvk_span bindings[] = {state, x, norm ? gain : x, act};
    const struct tvk_norm_params p = {.k = width,
                                      .x_stride = width,
                                      .y_stride = words + (list ? tvk_list_words(width) : 0),
                                      .inv_k = 1.0f / (float)width,
                                      .eps = eps,
                                      .code_words = words - TVK_ACT_HEADER_WORDS,
                                      .list_word = list ? words : 0};
    TVK_TRY(tvk_check_value(op, !list || tvk_format_bits(format) == 8,
                            "codes of a byte each for a list", (uint64_t)format, err));
    /* entries hold the index in 24 bits */
    TVK_TRY(tvk_check_value(op, !list || width <= 1u << 24, "at most 2^24 values for a list", width,
                            err));
    TVK_TRY(append_norm(k, l, op, bindings, norm, &p, rows, err));
fail:
    return st;
}
