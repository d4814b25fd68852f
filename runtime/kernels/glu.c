/* Gated unit: rows of gate [F] and up [F] -> f [F]. GELU: rows of F. */
#include "kernels/internal.h"

static tvk_status append(tvk_kernels *k, tvk_dispatch_list *l, tvk_op op, tvk_span x, tvk_span f,
                         const struct tvk_glu_params *p, uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t group = tvk_kernels_active(k, op)->group;
    const uint32_t constants[] = {group, 1, 1};
    const tvk_span bindings[] = {x, f};
    const tvk_groups groups = tvk_groups_rows(p->f / 4, group, TVK_AXIS_ROWS);
    TVK_TRY(tvk_check_value(op, p->f > 0 && p->f % 4 == 0, "a width that is a multiple of 4", p->f,
                            err));
    TVK_TRY(tvk_check_span(k, op, "input", x, 4ull * rows * p->in_stride, err));
    TVK_TRY(tvk_check_span(k, op, "f", f, 4ull * rows * p->f, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, p, &groups, err));
fail:
    return st;
}

tvk_status tvk_op_glu(tvk_kernels *k, tvk_dispatch_list *l, tvk_span gate_up, tvk_span f,
                      uint32_t width, bool relu2, uint32_t rows, tvk_error *err)
{
    const struct tvk_glu_params p = {width, 2 * width, width};
    return append(k, l, relu2 ? TVK_OP_glu_relu2 : TVK_OP_glu_silu, gate_up, f, &p, rows, err);
}

tvk_status tvk_op_gelu(tvk_kernels *k, tvk_dispatch_list *l, tvk_span x, tvk_span f, uint32_t width,
                       uint32_t rows, tvk_error *err)
{
    const struct tvk_glu_params p = {width, width, width};
    return append(k, l, TVK_OP_gelu, x, f, &p, rows, err);
}
