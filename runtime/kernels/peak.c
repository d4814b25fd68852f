/* What a device reaches: memory read and copied, integers and floats multiplied and added. */
#include "kernels/internal.h"

static uint64_t invocations(tvk_kernels *k, tvk_op op, uint32_t groups)
{
    return (uint64_t)groups * tvk_kernels_active(k, op)->group;
}

static tvk_status append(tvk_kernels *k, tvk_dispatch_list *l, tvk_op op, const tvk_span *bindings,
                         const struct tvk_peak_params *p, uint32_t count, tvk_error *err)
{
    const uint32_t constants[] = {tvk_kernels_active(k, op)->group, 1, 1};
    const tvk_groups groups = {{TVK_AXIS_FIXED, TVK_AXIS_FIXED, TVK_AXIS_FIXED}, {count, 1, 1}};
    return tvk_kernels_append(k, l, op, constants, 3, bindings, p, &groups, err);
}

uint32_t tvk_peak_invocations(tvk_kernels *k, tvk_op op, uint32_t groups)
{
    return (uint32_t)invocations(k, op, groups);
}

const tvk_shader_info *tvk_peak_row(const tvk_kernels *k, tvk_op op)
{
    return tvk_shader_get(k->choices[op].row);
}

double tvk_peak_ops(const tvk_kernels *k, tvk_op op)
{
    /* a word: one float, two halves of integers or four bytes */
    const bool dot = tvk_peak_row(k, op)->caps & TVK_CAP_DOT;
    const double products = op == TVK_OP_peak_f32 ? 1 : dot ? 4 : 2;
    return 2 * products * TVK_PEAK_CHAINS;
}

tvk_status tvk_op_peak_memory(tvk_kernels *k, tvk_dispatch_list *l, bool copy, tvk_span x,
                              tvk_span y, uint32_t items, uint32_t groups, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = copy ? TVK_OP_peak_copy : TVK_OP_peak_read;
    const tvk_span bindings[] = {x, y};
    const struct tvk_peak_params p = {.n = items};
    TVK_TRY(tvk_check_value(op, items > 0 && groups > 0, "items and groups", items, err));
    /* turns of the loop must not wrap */
    TVK_TRY(tvk_check_value(op, items + 5 * invocations(k, op, groups) <= UINT32_MAX,
                            "items and invocations that 32 bits count", items, err));
    TVK_TRY(tvk_check_span(k, op, "x", x, 16ull * items, err));
    TVK_TRY(
        tvk_check_span(k, op, "y", y, copy ? 16ull * items : 4 * invocations(k, op, groups), err));
    TVK_TRY(append(k, l, op, bindings, &p, groups, err));
fail:
    return st;
}

tvk_status tvk_op_peak_math(tvk_kernels *k, tvk_dispatch_list *l, bool floats, tvk_span y,
                            const struct tvk_peak_params *p, uint32_t groups, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = floats ? TVK_OP_peak_f32 : TVK_OP_peak_int;
    TVK_TRY(tvk_check_value(op, groups > 0, "at least one group", groups, err));
    TVK_TRY(tvk_check_value(op, p->n % TVK_PEAK_TURN == 0, "whole turns", p->n, err));
    TVK_TRY(tvk_check_span(k, op, "y", y, 4 * invocations(k, op, groups), err));
    TVK_TRY(append(k, l, op, &y, p, groups, err));
fail:
    return st;
}
