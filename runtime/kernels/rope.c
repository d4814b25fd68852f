/* Rotary embedding of the first heads of each row, in place. */
#include "kernels/internal.h"

tvk_status tvk_op_rope(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span table,
                       tvk_span qkv, const struct tvk_rope_params *p, bool interleaved,
                       uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = interleaved ? TVK_OP_rope_inter : TVK_OP_rope_half;
    const uint32_t group = tvk_kernels_active(k, op)->group;
    const uint32_t constants[] = {group, 1, 1};
    const tvk_span bindings[] = {state, table, qkv};
    const tvk_groups groups = tvk_groups_rows(p->heads * (p->rotary / 2), group, TVK_AXIS_ROWS);
    TVK_TRY(tvk_check_value(op, p->rotary > 0 && p->rotary % 2 == 0 && p->rotary <= p->d,
                            "an even number of turned dimensions up to the head size", p->rotary,
                            err));
    TVK_TRY(tvk_check_value(op, p->heads > 0 && (uint64_t)p->heads * p->d <= p->stride,
                            "heads that fit a row", p->heads, err));
    TVK_TRY(tvk_check_span(k, op, "state", state,
                           4ull * (TVK_STATE_ROWS + (uint64_t)TVK_ROW_WORDS * rows), err));
    TVK_TRY(tvk_check_span(k, op, "table", table, 4ull * p->rotary, err));
    TVK_TRY(tvk_check_span(k, op, "qkv", qkv, 4ull * rows * p->stride, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, p, &groups, err));
fail:
    return st;
}
