/* Rows whose logits are wanted, one after the other. */
#include "kernels/internal.h"

tvk_status tvk_op_gather(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span x,
                         tvk_span y, uint32_t width, uint32_t rows, uint32_t outs,
                         uint32_t outs_word, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = TVK_OP_gather;
    const uint32_t group = tvk_kernels_active(k, op)->group;
    const uint32_t constants[] = {group, 1, 1};
    const tvk_span bindings[] = {state, x, y};
    const struct tvk_gather_params p = {width, outs_word};
    const tvk_groups groups = tvk_groups_rows(width / 4, group, TVK_AXIS_OUTS);
    TVK_TRY(tvk_check_value(op, width > 0 && width % 4 == 0, "a width that is a multiple of 4",
                            width, err));
    TVK_TRY(tvk_check_span(k, op, "state", state,
                           4ull * (outs_word + (uint64_t)TVK_OUT_WORDS * outs), err));
    TVK_TRY(tvk_check_span(k, op, "x", x, 4ull * rows * width, err));
    TVK_TRY(tvk_check_span(k, op, "y", y, 4ull * outs * width, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, &p, &groups, err));
fail:
    return st;
}
