/* Draws the next token of every output row that asks for one. */
#include "kernels/internal.h"

/* How a row of logits is dealt to workgroups: shaders/include/leaders.glsl. */
typedef struct cut {
    uint32_t group, most;
    uint32_t quads;  /* groups of four logits an invocation reads */
    uint32_t blocks; /* workgroups a row */
} cut;

static cut make_cut(const tvk_kernels *k, uint32_t vocab)
{
    const tvk_config *c = tvk_kernels_active(k, TVK_OP_sample);
    const uint32_t all = tvk_div_up(vocab, 4);
    cut r = {.group = c->group, .most = c->tile[0]};
    r.quads = tvk_div_up(all, c->group * c->tile[0]);
    r.blocks = tvk_div_up(all, c->group * r.quads);
    return r;
}

uint32_t tvk_sample_words(const tvk_kernels *k, uint32_t vocab)
{
    const cut c = make_cut(k, vocab);
    return c.blocks * (c.group + 2);
}

tvk_status tvk_op_sample(tvk_kernels *k, tvk_dispatch_list *l, tvk_span logits, tvk_span state,
                         tvk_span results, tvk_span leaders, const struct tvk_sample_params *p,
                         tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = TVK_OP_sample;
    const cut c = make_cut(k, p->vocab);
    const uint32_t constants[] = {c.group, 1, 1, c.most};
    struct tvk_sample_params own = *p;
    const tvk_span bindings[] = {logits, state, results, leaders};
    const tvk_groups groups = {{TVK_AXIS_FIXED, TVK_AXIS_OUTS, TVK_AXIS_FIXED}, {c.blocks, 1, 1}};
    TVK_TRY(tvk_check_value(op, p->vocab > 0, "a vocabulary of at least 1", p->vocab, err));
    TVK_TRY(tvk_check_value(op, p->logits_stride >= p->vocab,
                            "a row stride that holds the vocabulary", p->logits_stride, err));
    TVK_TRY(tvk_check_value(op, p->ring_entries > 0, "at least one ring entry", 0, err));
    TVK_TRY(tvk_check_span(k, op, "logits", logits, 4ull * p->vocab, err));
    TVK_TRY(tvk_check_span(k, op, "state", state, 4ull * p->arrived_word + 4, err));
    TVK_TRY(tvk_check_span(k, op, "result ring", results,
                           4ull * p->ring_entries * p->ring_entry_words, err));
    TVK_TRY(tvk_check_span(k, op, "leaders", leaders, 4ull * tvk_sample_words(k, p->vocab), err));
    own.blocks = c.blocks;
    own.quads = c.quads;
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 4, bindings, &own, &groups, err));
fail:
    return st;
}
