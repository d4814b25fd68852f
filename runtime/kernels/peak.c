/* What a device reaches: memory read and copied, integers and floats multiplied and added. */
#include "kernels/internal.h"

const tvk_shader_info *tvk_peak_row(const tvk_kernels *k, tvk_op op)
{
    return tvk_shader_get(k->choices[op].row);
}

/* The shape of the matrices that the op multiplies; NULL: it multiplies words. */
static const tvk_coopmat_shape *matrices(const tvk_kernels *k, tvk_op op)
{
    const tvk_plan *plan = tvk_gpu_plan(k->device);
    const uint32_t caps = tvk_peak_row(k, op)->caps;
    if (caps & TVK_CAP_COOPMAT_I8) return &plan->coopmat_i8;
    return caps & TVK_CAP_COOPMAT_F16 ? &plan->coopmat_f16 : NULL;
}

/* Invocations of a workgroup; whole subgroups where they multiply matrices. */
static uint32_t group_of(const tvk_kernels *k, tvk_op op)
{
    uint32_t group = tvk_kernels_active(k, op)->group;
    return matrices(k, op) ? tvk_div_up(group, 32) * tvk_gpu_plan(k->device)->coopmat_subgroup
                           : group;
}

uint32_t tvk_peak_invocations(const tvk_kernels *k, tvk_op op, uint32_t groups)
{
    return groups * group_of(k, op);
}

double tvk_peak_ops(const tvk_kernels *k, tvk_op op)
{
    const tvk_coopmat_shape *s = matrices(k, op);
    /* a word: one float, two halves of integers or four bytes */
    double products = (op == TVK_OP_peak_f32 || op == TVK_OP_peak_half) ? 1
                      : tvk_peak_row(k, op)->caps & TVK_CAP_DOT         ? 4
                                                                        : 2;
    if (s) products = (double)s->m * s->n * s->k / tvk_gpu_plan(k->device)->coopmat_subgroup;
    return 2 * products * TVK_PEAK_CHAINS;
}

static tvk_status append(tvk_kernels *k, tvk_dispatch_list *l, tvk_op op, const tvk_span *bindings,
                         const struct tvk_peak_params *p, uint32_t count, tvk_error *err)
{
    const tvk_coopmat_shape *s = matrices(k, op);
    const uint32_t constants[] = {group_of(k, op), 1, 1, s ? s->m : 0, s ? s->n : 0, s ? s->k : 0};
    const tvk_groups groups = {{TVK_AXIS_FIXED, TVK_AXIS_FIXED, TVK_AXIS_FIXED}, {count, 1, 1}};
    return tvk_kernels_append(k, l, op, constants, s ? 6 : 3, bindings, p, &groups, err);
}

tvk_status tvk_op_peak_memory(tvk_kernels *k, tvk_dispatch_list *l, bool copy, tvk_span x,
                              tvk_span y, uint32_t items, uint32_t groups, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = copy ? TVK_OP_peak_copy : TVK_OP_peak_read;
    const tvk_span bindings[] = {x, y};
    const struct tvk_peak_params p = {.n = items};
    const uint64_t invocations = (uint64_t)groups * group_of(k, op);
    TVK_TRY(tvk_check_value(op, items > 0 && groups > 0, "items and groups", items, err));
    /* a turn of eight items an invocation past the end must not wrap */
    TVK_TRY(tvk_check_value(op, items + 9 * invocations <= UINT32_MAX,
                            "items and invocations that 32 bits count", items, err));
    TVK_TRY(tvk_check_span(k, op, "x", x, 16ull * items, err));
    TVK_TRY(tvk_check_span(k, op, "y", y, copy ? 16ull * items : 4 * invocations, err));
    TVK_TRY(append(k, l, op, bindings, &p, groups, err));
fail:
    return st;
}

tvk_status tvk_op_peak_math(tvk_kernels *k, tvk_dispatch_list *l, tvk_op op, tvk_span y,
                            const struct tvk_peak_params *p, uint32_t groups, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_check_value(op, groups > 0, "at least one group", groups, err));
    TVK_TRY(tvk_check_value(op, p->n % TVK_PEAK_TURN == 0, "whole turns", p->n, err));
    TVK_TRY(tvk_check_span(k, op, "y", y, 4ull * groups * group_of(k, op), err));
    TVK_TRY(append(k, l, op, &y, p, groups, err));
fail:
    return st;
}
