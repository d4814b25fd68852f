/* File blocks in a window of the staging ring -> device packing. */
#include "base/dtype.h"
#include "kernels/internal.h"

/* groups in y that every device allows; kernels walk further rows in a loop */
#define MAX_GROUPS_Y 65535u

/* items: invocations a row */
static tvk_status append_repack(tvk_kernels *k, tvk_dispatch_list *l, tvk_op op, tvk_dtype type,
                                const tvk_span *bindings, uint32_t items,
                                const struct tvk_repack_params *p, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_dtype_info *info = tvk_dtype_get(type);
    const uint32_t group = tvk_kernels_active(k, op)->group;
    const uint32_t constants[] = {group, 1, 1};
    const uint32_t y = p->n < MAX_GROUPS_Y ? p->n : MAX_GROUPS_Y;
    const tvk_groups groups = {{TVK_AXIS_FIXED, TVK_AXIS_FIXED, TVK_AXIS_FIXED},
                               {tvk_div_up(items, group), y, 1}};
    uint64_t elems = p->skip + (uint64_t)p->n * p->k;
    uint64_t blocks = (elems + info->block_elems - 1) / info->block_elems;
    TVK_TRY(tvk_check_value(op, p->n > 0 && p->k > 0, "at least one row", p->n, err));
    /* byte and element indices are 32-bit in the kernel */
    TVK_TRY(
        tvk_check_value(op, elems <= UINT32_MAX, "fewer than 2^32 values a window", elems, err));
    TVK_TRY(tvk_check_span(k, op, "window", bindings[0], blocks * info->block_bytes, err));
    TVK_TRY(tvk_check_span(k, op, "codes", bindings[1],
                           4ull * ((uint64_t)p->first_row + p->n) * p->row_words, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, p, &groups, err));
fail:
    return st;
}

tvk_status tvk_op_repack_t2(tvk_kernels *k, tvk_dispatch_list *l, tvk_dtype type, tvk_span window,
                            tvk_span words, const struct tvk_repack_params *p, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = type == TVK_I2_S    ? TVK_OP_repack_i2s
                      : type == TVK_TQ1_0 ? TVK_OP_repack_tq1
                                          : TVK_OP_repack_tq2;
    const tvk_span bindings[] = {window, words};
    if (!tvk_dtype_get(type)->ternary)
        TVK_FAIL(TVK_ERR_ARG, "repack: a ternary type expected, %s found",
                 tvk_dtype_get(type)->name);
    TVK_TRY(tvk_check_value(op, p->row_words == tvk_layout_row_words(TVK_LAYOUT_T2, p->k),
                            "the layout's words a row", p->row_words, err));
    TVK_TRY(append_repack(k, l, op, type, bindings, p->row_words, p, err));
fail:
    return st;
}

/* unit: words of codes that an invocation writes */
static tvk_status dense_op(tvk_dtype type, tvk_op *op, uint32_t *unit, tvk_error *err)
{
    tvk_status st = TVK_OK;
    static const struct {
        tvk_dtype type;
        tvk_op op;
        uint32_t unit;
    } ops[] = {{TVK_Q8_0, TVK_OP_repack_q8, 1},
               {TVK_Q6_K, TVK_OP_repack_q6, 3},
               {TVK_Q4_0, TVK_OP_repack_q4, 2}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        *op = ops[i].op;
        *unit = ops[i].unit;
        if (ops[i].type == type) return TVK_OK;
    }
    TVK_FAIL(TVK_ERR_ARG, "repack: Q8_0, Q6_K or Q4_0 expected, %s found", tvk_dtype_name(type));
fail:
    return st;
}

tvk_status tvk_op_repack_q(tvk_kernels *k, tvk_dispatch_list *l, tvk_dtype type, tvk_span window,
                           tvk_span words, tvk_span scales, const struct tvk_repack_params *p,
                           tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_layout layout = tvk_layout_dense(type);
    const uint32_t row_scales = tvk_layout_row_scales(layout, p->k);
    const tvk_span bindings[] = {window, words, scales};
    uint32_t block, unit;
    tvk_op op;
    TVK_TRY(dense_op(type, &op, &unit, err));
    block = tvk_dtype_get(type)->block_elems;
    TVK_TRY(tvk_check_value(op, p->k % block == 0 && p->skip % block == 0, "whole blocks a row",
                            p->k, err));
    TVK_TRY(tvk_check_value(op, p->row_words == tvk_layout_row_words(layout, p->k),
                            "the layout's words a row", p->row_words, err));
    TVK_TRY(tvk_check_span(k, op, "scales", scales,
                           4ull * (p->scale_word + ((uint64_t)p->first_row + p->n) * row_scales),
                           err));
    TVK_TRY(append_repack(k, l, op, type, bindings, p->row_words / unit, p, err));
fail:
    return st;
}
