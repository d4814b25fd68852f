/* File blocks in a window of the staging ring -> device packing. */
#include "base/dtype.h"
#include "kernels/internal.h"

/* groups in y that every device allows; kernels walk further rows in a loop */
#define MAX_GROUPS_Y 65535u

static tvk_status append_repack(tvk_kernels *k, tvk_dispatch_list *l, tvk_op op, tvk_dtype type,
                                const tvk_span *bindings, const struct tvk_repack_params *p,
                                tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_dtype_info *info = tvk_dtype_get(type);
    const uint32_t group = tvk_kernels_active(k, op)->group;
    const uint32_t constants[] = {group, 1, 1};
    const uint32_t y = p->n < MAX_GROUPS_Y ? p->n : MAX_GROUPS_Y;
    const tvk_groups groups = {{TVK_AXIS_FIXED, TVK_AXIS_FIXED, TVK_AXIS_FIXED},
                               {tvk_div_up(p->row_words, group), y, 1}};
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
    TVK_TRY(append_repack(k, l, op, type, bindings, p, err));
fail:
    return st;
}

tvk_status tvk_op_repack_q8(tvk_kernels *k, tvk_dispatch_list *l, tvk_span window, tvk_span words,
                            tvk_span scales, const struct tvk_repack_params *p, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = TVK_OP_repack_q8;
    const tvk_span bindings[] = {window, words, scales};
    TVK_TRY(
        tvk_check_value(op, p->k % 32 == 0 && p->skip % 32 == 0, "whole blocks a row", p->k, err));
    TVK_TRY(tvk_check_value(op, p->row_words == p->k / 4, "the layout's words a row", p->row_words,
                            err));
    TVK_TRY(tvk_check_span(k, op, "scales", scales,
                           4ull * (p->scale_word + ((uint64_t)p->first_row + p->n) * (p->k / 32)),
                           err));
    TVK_TRY(append_repack(k, l, op, TVK_Q8_0, bindings, p, err));
fail:
    return st;
}
