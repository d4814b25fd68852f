/* Start of a step: request ring -> row table and group counts. */
#include "kernels/internal.h"

tvk_status tvk_op_begin(tvk_kernels *k, tvk_dispatch_list *l, tvk_span requests, tvk_span state,
                        tvk_span rules, const struct tvk_begin_params *p, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = TVK_OP_step_begin;
    const uint32_t constants[] = {tvk_kernels_active(k, op)->group, 1, 1};
    const tvk_span bindings[] = {requests, state, rules};
    /* runs for every submission, with rows or without */
    const tvk_groups groups = {{TVK_AXIS_FIXED, TVK_AXIS_FIXED, TVK_AXIS_FIXED}, {1, 1, 1}};
    uint64_t entry = TVK_REQUEST_HEADER + (uint64_t)TVK_REQUEST_ROW * p->batch;
    TVK_TRY(tvk_check_value(op, p->ring_entries > 0, "at least one ring entry", 0, err));
    TVK_TRY(tvk_check_value(op, p->ring_entry_words >= entry, "ring entries for the batch",
                            p->ring_entry_words, err));
    TVK_TRY(tvk_check_span(k, op, "request ring", requests,
                           4ull * p->ring_entries * p->ring_entry_words, err));
    TVK_TRY(tvk_check_span(k, op, "state", state, 4ull * p->history_word, err));
    TVK_TRY(tvk_check_span(k, op, "rules", rules, 32ull * p->rule_count, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, p, &groups, err));
fail:
    return st;
}
