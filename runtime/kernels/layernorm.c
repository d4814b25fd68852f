/* LayerNorm to f32 rows with a gain, and to activation records without one. */
#include "kernels/internal.h"

static tvk_status append_layernorm(tvk_kernels *k, tvk_dispatch_list *l, tvk_op op,
                                   const tvk_span bindings[4], const struct tvk_layernorm_params *p,
                                   uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t constants[] = {tvk_kernels_active(k, op)->group, 1, 1};
    const tvk_groups groups = {
        {p->gather ? TVK_AXIS_OUTS : TVK_AXIS_ROWS, TVK_AXIS_FIXED, TVK_AXIS_FIXED}, {1, 1, 1}};
    TVK_TRY(tvk_check_value(op, p->k > 0 && p->k % 4 == 0, "a width that is a multiple of 4", p->k,
                            err));
    TVK_TRY(tvk_check_value(op,
                            p->x_first % 4 == 0 && p->x_stride % 4 == 0 &&
                                p->x_first <= p->x_stride && p->k <= p->x_stride - p->x_first,
                            "a part of a row, from a multiple of 4 on", p->x_first, err));
    TVK_TRY(tvk_check_span(k, op, "state", bindings[0],
                           4ull * (TVK_STATE_ROWS + (uint64_t)TVK_ROW_WORDS * rows), err));
    TVK_TRY(tvk_check_span(k, op, "x", bindings[1], 4ull * rows * p->x_stride, err));
    TVK_TRY(tvk_check_span(k, op, "gain", bindings[2], 4ull * p->k, err));
    TVK_TRY(tvk_check_span(k, op, "y", bindings[3], 4ull * rows * p->y_stride, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, p, &groups, err));
fail:
    return st;
}

tvk_status tvk_op_layernorm(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span x,
                            tvk_span gain, tvk_span y, uint32_t width, float eps, uint32_t rows,
                            bool outs, uint32_t outs_word, tvk_error *err)
{
    const tvk_span bindings[] = {state, x, gain, y};
    const struct tvk_layernorm_params p = {.k = width,
                                           .x_stride = width,
                                           .y_stride = width,
                                           .inv_k = 1.0f / (float)width,
                                           .eps = eps,
                                           .gather = outs,
                                           .outs_word = outs_word};
    return append_layernorm(k, l, TVK_OP_layernorm_f32, bindings, &p, rows, err);
}

tvk_status tvk_op_layernorm_act(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span x,
                                tvk_span act, uint32_t first, uint32_t width, uint32_t stride,
                                float eps, uint32_t rows, tvk_error *err)
{
    const tvk_span bindings[] = {state, x, x, act};
    const struct tvk_layernorm_params p = {.k = width,
                                           .x_first = first,
                                           .x_stride = stride,
                                           .y_stride = tvk_act_words(TVK_FORMAT_I8, width),
                                           .inv_k = 1.0f / (float)width,
                                           .eps = eps};
    return append_layernorm(k, l, TVK_OP_layernorm_i8, bindings, &p, rows, err);
}
