/* Rotary embedding of the first heads of each row, in place, or of K on its way to its page. */
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

bool tvk_rope_appends(tvk_cache_types types, uint32_t rotary, uint32_t d)
{
    const bool plain = types.k == TVK_CACHE_F32 || types.k == TVK_CACHE_F16;
    return plain && types.v == types.k && types.q == TVK_QUERY_F32 && rotary == d;
}

tvk_status tvk_op_rope_append(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span table,
                              tvk_span qkv, tvk_span pool, const struct tvk_rope_append_params *p,
                              bool interleaved, tvk_cache_types types, uint32_t rows,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = types.k == TVK_CACHE_F32 ? TVK_OP_rope_append_f32 : TVK_OP_rope_append_f16;
    const uint32_t group = tvk_kernels_active(k, op)->group, heads = p->heads + 2 * p->kv_heads;
    const uint32_t constants[] = {group, 1, 1, interleaved};
    const tvk_span bindings[] = {state, table, qkv, pool};
    const tvk_groups groups = tvk_groups_rows(heads * (p->d / 4), group, TVK_AXIS_ROWS);
    TVK_TRY(tvk_check_value(op, tvk_rope_appends(types, p->d, p->d), "K and V of f32 or of f16",
                            types.k, err));
    TVK_TRY(tvk_check_value(op, p->d > 0 && p->d % 4 == 0, "a head size that is a multiple of 4",
                            p->d, err));
    TVK_TRY(tvk_check_value(op,
                            p->heads > 0 && p->kv_heads > 0 && p->stride == (uint64_t)heads * p->d,
                            "a row stride of all heads", p->stride, err));
    TVK_TRY(tvk_check_page(op, types, p->kv_heads, p->d, p->page_words, err));
    TVK_TRY(tvk_check_span(k, op, "state", state, 4ull * p->pages_word, err));
    TVK_TRY(tvk_check_span(k, op, "table", table, 4ull * p->d, err));
    TVK_TRY(tvk_check_span(k, op, "qkv", qkv, 4ull * rows * p->stride, err));
    TVK_TRY(tvk_check_span(k, op, "pool", pool, 4ull * p->page_words, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 4, bindings, p, &groups, err));
fail:
    return st;
}
