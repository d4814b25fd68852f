/* x [rows, K] = rows of the embedding table, by the tokens of the row table; a dispatch a piece. */
#include "kernels/internal.h"

/* false: no table has this layout */
static bool op_of(tvk_layout layout, tvk_op *out)
{
    static const struct {
        tvk_layout layout;
        tvk_op op;
    } ops[] = {{TVK_LAYOUT_F32, TVK_OP_embed_f32},
               {TVK_LAYOUT_F16, TVK_OP_embed_f16},
               {TVK_LAYOUT_Q8, TVK_OP_embed_q8},
               {TVK_LAYOUT_Q6, TVK_OP_embed_q6},
               {TVK_LAYOUT_Q4, TVK_OP_embed_q4}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        *out = ops[i].op;
        if (ops[i].layout == layout) return true;
    }
    return false;
}

tvk_status tvk_op_embed(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *table,
                        tvk_span state, tvk_span x, uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_op op = TVK_OP_embed_f32;
    const bool known = op_of(table->layout, &op);
    const uint32_t scales = tvk_layout_row_scales(table->layout, table->k);
    const uint32_t group = tvk_kernels_active(k, op)->group;
    const uint32_t constants[] = {group, 1, 1};
    const tvk_groups groups = tvk_groups_rows(table->k / 4, group, TVK_AXIS_ROWS);
    if (!known) TVK_FAIL(TVK_ERR_ARG, "embed: a table of floats expected, a ternary one found");
    TVK_TRY(tvk_check_value(op, table->k > 0 && tvk_layout_row_words(table->layout, table->k) > 0,
                            "a row length that fits the table's layout", table->k, err));
    TVK_TRY(tvk_check_span(k, op, "state", state,
                           4ull * (TVK_STATE_ROWS + (uint64_t)TVK_ROW_WORDS * rows), err));
    TVK_TRY(tvk_check_span(k, op, "x", x, 4ull * rows * table->k, err));
    for (uint32_t i = 0; i < table->piece_count; i++) {
        struct tvk_embed_params p = {table->k, table->piece[i].first, table->piece[i].rows};
        tvk_span bindings[] = {state, table->piece[i].words, table->piece[i].scales, x};
        TVK_TRY(tvk_check_span(k, op, "table", table->piece[i].words,
                               4ull * p.row_count * table->row_words, err));
        if (scales)
            TVK_TRY(tvk_check_span(k, op, "scales", table->piece[i].scales,
                                   4ull * p.row_count * scales, err));
        else
            bindings[2] = bindings[1];
        TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, &p, &groups, err));
    }
fail:
    return st;
}
