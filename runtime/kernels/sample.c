/* Draws the next token of every output row that asks for one. */
#include "kernels/internal.h"

tvk_status tvk_op_sample(tvk_kernels *k, tvk_dispatch_list *l, tvk_span logits, tvk_span state,
                         tvk_span results, const struct tvk_sample_params *p, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = TVK_OP_sample;
    const uint32_t constants[] = {tvk_kernels_active(k, op)->group, 1, 1};
    const tvk_span bindings[] = {logits, state, results};
    const tvk_groups groups = {{TVK_AXIS_OUTS, TVK_AXIS_FIXED, TVK_AXIS_FIXED}, {1, 1, 1}};
    TVK_TRY(tvk_check_value(op, p->vocab > 0, "a vocabulary of at least 1", p->vocab, err));
    TVK_TRY(tvk_check_value(op, p->logits_stride >= p->vocab,
                            "a row stride that holds the vocabulary", p->logits_stride, err));
    TVK_TRY(tvk_check_value(op, p->ring_entries > 0, "at least one ring entry", 0, err));
    TVK_TRY(tvk_check_span(k, op, "logits", logits, 4ull * p->vocab, err));
    TVK_TRY(tvk_check_span(k, op, "state", state, 4ull * p->history_word, err));
    TVK_TRY(tvk_check_span(k, op, "result ring", results,
                           4ull * p->ring_entries * p->ring_entry_words, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, p, &groups, err));
fail:
    return st;
}
