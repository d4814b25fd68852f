/* Stores keys and values of the step's rows into their pages. */
#include "kernels/internal.h"

tvk_status tvk_op_kv_append(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span qkv,
                            tvk_span pool, const struct tvk_kv_append_params *p, bool f16,
                            uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = f16 ? TVK_OP_kv_append_f16 : TVK_OP_kv_append_f32;
    const uint32_t group = tvk_kernels_active(k, op)->group;
    const uint32_t constants[] = {group, 1, 1};
    const tvk_span bindings[] = {state, qkv, pool};
    const tvk_groups groups = tvk_groups_rows(p->kv_heads * p->d, group, TVK_AXIS_ROWS);
    uint64_t values = (uint64_t)p->kv_heads * p->d;
    uint64_t page = 2 * values * TVK_CHUNK / (f16 ? 2 : 1);
    TVK_TRY(tvk_check_value(op, p->d > 0 && p->d % 4 == 0, "a head size that is a multiple of 4",
                            p->d, err));
    TVK_TRY(tvk_check_value(op,
                            p->kv_heads > 0 && p->k_offset + values <= p->stride &&
                                p->v_offset + values <= p->stride,
                            "heads that fit a row", p->kv_heads, err));
    TVK_TRY(tvk_check_value(op, p->page_words == page, "words of a K and a V page", p->page_words,
                            err));
    TVK_TRY(tvk_check_span(k, op, "state", state, 4ull * p->pages_word, err));
    TVK_TRY(tvk_check_span(k, op, "qkv", qkv, 4ull * rows * p->stride, err));
    TVK_TRY(tvk_check_span(k, op, "pool", pool, 4 * page, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, p, &groups, err));
fail:
    return st;
}
