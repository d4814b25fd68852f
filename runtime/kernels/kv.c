/* Stores keys and values of the step's rows into their pages; makes the query records. */
#include "kernels/internal.h"

tvk_op tvk_cache_op(tvk_cache_types types, tvk_op f32, tvk_op f16, tvk_op packed, tvk_op queries)
{
    if (types.q != TVK_QUERY_F32) return queries;
    if (types.k == TVK_CACHE_F32 && types.v == TVK_CACHE_F32) return f32;
    if (types.k == TVK_CACHE_F16 && types.v == TVK_CACHE_F16) return f16;
    return packed;
}

tvk_status tvk_check_page(tvk_op op, tvk_cache_types types, uint32_t kv_heads, uint32_t d,
                          uint32_t page_words, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_check_value(op, types.k <= TVK_CACHE_Q3 && types.v <= TVK_CACHE_Q3,
                            "known types of K and V", types.k > types.v ? types.k : types.v, err));
    TVK_TRY(tvk_check_value(
        op, types.q == TVK_QUERY_F32 || types.q == TVK_QUERY_Q8 || types.q == TVK_QUERY_Q4,
        "a known type of Q", types.q, err));
    TVK_TRY(tvk_check_value(op, page_words == TVK_CACHE_PAGE_WORDS(types.k, types.v, kv_heads, d),
                            "the words of a page", page_words, err));
fail:
    return st;
}

/* Groups along x: pairs of values, or rows of 16 invocations: K and V of a head side by side, the
 * heads of Q in groups of their own. */
static tvk_groups groups_of(tvk_op op, const struct tvk_kv_append_params *p, uint32_t group)
{
    tvk_groups groups;
    if (op == TVK_OP_kv_append_f32 || op == TVK_OP_kv_append_f16)
        return tvk_groups_rows(p->kv_heads * p->d, group, TVK_AXIS_ROWS);
    groups = tvk_groups_rows(p->kv_heads * 2 * TVK_CACHE_CLIPS, group, TVK_AXIS_ROWS);
    if (op == TVK_OP_kv_append_qi)
        groups.value[0] += (p->heads * TVK_CACHE_CLIPS + group - 1) / group;
    return groups;
}

tvk_status tvk_op_kv_append(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span qkv,
                            tvk_span pool, tvk_span queries, const struct tvk_kv_append_params *p,
                            tvk_cache_types types, uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = tvk_cache_op(types, TVK_OP_kv_append_f32, TVK_OP_kv_append_f16,
                                   TVK_OP_kv_append_q, TVK_OP_kv_append_qi);
    const bool records = op == TVK_OP_kv_append_qi, packed = records || op == TVK_OP_kv_append_q;
    const uint32_t group = tvk_kernels_active(k, op)->group;
    const uint32_t constants[] = {group, 1, 1, types.k, types.v, types.q};
    const tvk_span bindings[] = {state, qkv, pool, queries};
    const tvk_groups groups = groups_of(op, p, group);
    uint64_t values = (uint64_t)p->kv_heads * p->d;
    TVK_TRY(tvk_check_value(op, p->d > 0 && p->d % 4 == 0, "a head size that is a multiple of 4",
                            p->d, err));
    TVK_TRY(tvk_check_value(op,
                            p->kv_heads > 0 && p->k_offset + values <= p->stride &&
                                p->v_offset + values <= p->stride,
                            "heads that fit a row", p->kv_heads, err));
    TVK_TRY(tvk_check_value(
        op, (p->k_offset % 4 == 0 && p->v_offset % 4 == 0 && p->stride % 4 == 0) || !packed,
        "a row stride that is a multiple of 4", p->stride, err));
    TVK_TRY(tvk_check_page(op, types, p->kv_heads, p->d, p->page_words, err));
    TVK_TRY(tvk_check_span(k, op, "state", state, 4ull * p->pages_word, err));
    TVK_TRY(tvk_check_span(k, op, "qkv", qkv, 4ull * rows * p->stride, err));
    TVK_TRY(tvk_check_span(k, op, "pool", pool, 4ull * p->page_words, err));
    if (records) {
        TVK_TRY(tvk_check_value(op, p->heads > 0 && (uint64_t)p->heads * p->d <= p->stride,
                                "query heads that fit a row", p->heads, err));
        TVK_TRY(tvk_check_span(k, op, "queries", queries,
                               4ull * rows * p->heads * TVK_QUERY_WORDS(p->d), err));
    }
    TVK_TRY(tvk_kernels_append(k, l, op, constants,
                               records  ? 6
                               : packed ? 5
                                        : 3,
                               bindings, p, &groups, err));
fail:
    return st;
}
