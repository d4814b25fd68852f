/* Gated unit: rows of gate [F] and up [F] -> f [F]. */
#include "kernels/internal.h"

tvk_status tvk_op_glu(tvk_kernels *k, tvk_dispatch_list *l, tvk_span gate_up, tvk_span f,
                      uint32_t width, bool relu2, uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = relu2 ? TVK_OP_glu_relu2 : TVK_OP_glu_silu;
    const uint32_t group = tvk_kernels_active(k, op)->group;
    const uint32_t constants[] = {group, 1, 1};
    const tvk_span bindings[] = {gate_up, f};
    const struct tvk_glu_params p = {width, 2 * width, width};
    const tvk_groups groups = tvk_groups_rows(width / 4, group, TVK_AXIS_ROWS);
    TVK_TRY(tvk_check_value(op, width > 0 && width % 4 == 0, "a width that is a multiple of 4",
                            width, err));
    TVK_TRY(tvk_check_span(k, op, "gate and up", gate_up, 8ull * rows * width, err));
    TVK_TRY(tvk_check_span(k, op, "f", f, 4ull * rows * width, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, &p, &groups, err));
fail:
    return st;
}
