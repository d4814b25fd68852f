/* Zeros that are skipped in a step of one row: lists of non-zero codes and of open gates, and the
 * mat-vecs that follow them. */
#include "kernels/internal.h"

tvk_status tvk_op_matmul_sparse(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w,
                                tvk_span act, tvk_span y, bool add, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = TVK_OP_gemv_t2_sparse;
    const tvk_choice choice = tvk_kernels_choose(k, &(tvk_shape){op, w->n, w->k, 1, false});
    const tvk_config *c = tvk_kernels_config_of(k, choice);
    const uint32_t constants[] = {c->group, 1, 1, c->tile[0], c->tile[1]};
    const uint32_t words = tvk_act_words(TVK_FORMAT_I8, w->k), list = tvk_list_words(w->k);
    TVK_TRY(tvk_check_value(op, w->layout == TVK_LAYOUT_T2, "a ternary matrix", w->layout, err));
    TVK_TRY(tvk_check_span(k, op, "activations", act, 4ull * (words + list), err));
    TVK_TRY(tvk_check_span(k, op, "y", y, 4ull * w->n, err));
    for (uint32_t i = 0; i < w->piece_count; i++) {
        const struct tvk_sparse_params p = {.n = w->piece[i].rows,
                                            .row_words = tvk_kmajor_words(w->piece[i].rows),
                                            .first_row = w->piece[i].first,
                                            .list_word = words,
                                            .add = add};
        const tvk_groups groups = {
            {TVK_AXIS_FIXED, TVK_AXIS_FIXED, TVK_AXIS_FIXED},
            {tvk_div_up(p.row_words, c->group / c->tile[0] * c->tile[1]), 1, 1}};
        const tvk_span bindings[] = {w->piece[i].kmajor, w->piece[i].scales, act, y};
        TVK_TRY(
            tvk_check_span(k, op, "K-major codes", bindings[0], 4ull * w->k * p.row_words, err));
        TVK_TRY(tvk_check_span(k, op, "scales", bindings[1], 4ull * p.n, err));
        TVK_TRY(
            tvk_kernels_append_choice(k, l, op, choice, constants, 5, bindings, &p, &groups, err));
    }
fail:
    return st;
}

tvk_status tvk_op_relu_list(tvk_kernels *k, tvk_dispatch_list *l, tvk_span f, uint32_t width,
                            tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = TVK_OP_relu_list;
    const tvk_config *c = tvk_kernels_active(k, op);
    const uint32_t constants[] = {c->group, 1, 1, c->tile[0]};
    const tvk_groups groups = {{TVK_AXIS_FIXED, TVK_AXIS_FIXED, TVK_AXIS_FIXED}, {1, 1, 1}};
    const struct tvk_relu_list_params p = {width};
    TVK_TRY(tvk_check_value(op, width > 0 && width % 4 == 0, "a width that is a multiple of 4",
                            width, err));
    TVK_TRY(tvk_check_span(k, op, "f", f, 4ull * tvk_up_words(width), err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 4, &f, &p, &groups, err));
fail:
    return st;
}

/* One gate of so many is open, or it is not worth while. */
#define OPEN_OF 4u

static const tvk_op up_ops[] = {
    [TVK_FORMAT_I8] = TVK_OP_up_t2_i8,
    [TVK_FORMAT_TOPK] = TVK_OP_up_t2_i8,
    [TVK_FORMAT_I4] = TVK_OP_up_t2_i4,
    [TVK_FORMAT_FP4] = TVK_OP_up_t2_fp4,
};

tvk_status tvk_op_up(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w, uint32_t up_row,
                     tvk_format format, tvk_span act, tvk_span f, uint32_t width, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = up_ops[format];
    const tvk_choice choice = tvk_kernels_choose(k, &(tvk_shape){op, width, w->k, 1, false});
    const tvk_vec_cut c = tvk_kernels_vec_cut(k, choice, w, width / OPEN_OF);
    /* as many as all gates open would need; those past the list's end stop at once */
    const tvk_groups groups = {{TVK_AXIS_FIXED, TVK_AXIS_FIXED, TVK_AXIS_FIXED},
                               {tvk_div_up(width, c.rows), 1, 1}};
    TVK_TRY(tvk_check_value(op, w->layout == TVK_LAYOUT_T2, "a ternary matrix", w->layout, err));
    TVK_TRY(tvk_check_value(op, up_row <= w->n && width <= w->n - up_row, "rows of the matrix",
                            up_row, err));
    TVK_TRY(tvk_check_span(k, op, "activations", act, 4ull * tvk_act_words(format, w->k), err));
    TVK_TRY(tvk_check_span(k, op, "f", f, 4ull * tvk_up_words(width), err));
    for (uint32_t i = 0; i < w->piece_count; i++) {
        const struct tvk_up_params p = {.n = w->piece[i].rows,
                                        .row_words = w->row_words,
                                        .first_row = w->piece[i].first,
                                        .up_row = up_row,
                                        .f = width};
        const tvk_span bindings[] = {w->piece[i].words, w->piece[i].scales, act, f};
        if (p.first_row + p.n <= up_row) continue;
        TVK_TRY(tvk_check_span(k, op, "weights", bindings[0], 4ull * p.n * w->row_words, err));
        TVK_TRY(tvk_check_span(k, op, "scales", bindings[1], 4ull * p.n, err));
        TVK_TRY(tvk_kernels_append_choice(k, l, op, choice, c.constants, TVK_VEC_CONSTANTS,
                                          bindings, &p, &groups, err));
    }
fail:
    return st;
}

/* groups in y that every device allows; the kernel walks further columns in a loop */
#define MAX_GROUPS_Y 65535u

tvk_status tvk_op_repack_kmajor(tvk_kernels *k, tvk_dispatch_list *l, tvk_span words,
                                tvk_span kmajor, uint32_t rows, uint32_t inputs, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = TVK_OP_repack_kmajor;
    const uint32_t group = tvk_kernels_active(k, op)->group;
    const uint32_t constants[] = {group, 1, 1};
    const struct tvk_kmajor_params p = {.n = rows,
                                        .k = inputs,
                                        .row_words = tvk_layout_row_words(TVK_LAYOUT_T2, inputs),
                                        .out_words = tvk_kmajor_words(rows)};
    const tvk_groups groups = {{TVK_AXIS_FIXED, TVK_AXIS_FIXED, TVK_AXIS_FIXED},
                               {tvk_div_up(p.row_words, group),
                                p.out_words < MAX_GROUPS_Y ? p.out_words : MAX_GROUPS_Y, 1}};
    const tvk_span bindings[] = {words, kmajor};
    TVK_TRY(tvk_check_value(op, rows > 0 && inputs > 0, "at least one row", rows, err));
    TVK_TRY(tvk_check_span(k, op, "codes", words, 4ull * rows * p.row_words, err));
    TVK_TRY(tvk_check_span(k, op, "K-major codes", kmajor, 4ull * inputs * p.out_words, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, &p, &groups, err));
fail:
    return st;
}
