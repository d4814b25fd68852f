/* Generation with drafts: a draft goes through the model behind the last token, in one step whose
 * rows all draw. A draw is a function of logits and position alone, so the tokens that were drawn
 * are the text as far as they agree with the draft, and the next one is part of it too. */
#include "base/clock.h"
#include "session/generate.h"
#include "session/sampler.h"

#include <string.h>

/* Tokens that a draft may have now: a row of the step is the last token's, and one token more than
 * the draft may come of it. */
static uint32_t room(const tvk_generation *g)
{
    const tvk_stream *t = &g->streams[0];
    const tvk_state_layout *l = &g->model->layout;
    uint32_t most = l->max_outs < l->batch ? l->max_outs : l->batch;
    uint32_t left = t->limit - t->got;
    if (left < most) most = left;
    if (most > TVK_DRAFT_MOST + 1) most = TVK_DRAFT_MOST + 1;
    return most > 0 ? most - 1 : 0;
}

static uint32_t propose(const tvk_generation *g, uint32_t decoded, int32_t *out)
{
    tvk_session *s = g->streams[0].session;
    uint32_t most = room(g);
    return most ? tvk_drafter_propose(&s->drafter, s->tokens, s->count, decoded, most, out) : 0;
}

static tvk_status verify(tvk_generation *g, const int32_t *draft, uint32_t count, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_stream *t = &g->streams[0];
    tvk_session *s = t->session;
    tvk_feed_row rows[TVK_DRAFT_MOST + 1];
    int32_t drawn[TVK_DRAFT_MOST + 1];
    uint32_t accepted = 0;
    uint64_t start = tvk_clock_ns();
    /* behind the session's tokens, where the host's sampler looks back too */
    memcpy(s->tokens + s->count, draft, count * sizeof *draft);
    for (uint32_t i = 0; i <= count; i++) {
        rows[i] = (tvk_feed_row){.session = s,
                                 .position = s->count - 1 + i,
                                 .token = s->tokens[s->count - 1 + i],
                                 .drawn = &drawn[i]};
    }
    TVK_TRY(tvk_feed(g->model, rows, count + 1, err));
    while (accepted < count && drawn[accepted] == draft[accepted]) accepted++;
    tvk_drafter_verified(&s->drafter, count, accepted, (double)(tvk_clock_ns() - start));
    for (uint32_t i = 0; i <= accepted && !t->over; i++) {
        t->asked++;
        tvk_generation_accept(g, 0, drawn[i]);
    }
fail:
    return st;
}

typedef struct stretch {
    const tvk_generation *g;
    uint32_t from; /* tokens that there were at its begin */
} stretch;

/* Should a draft be tried now, by the tokens that are known? */
static bool ready(void *user)
{
    const stretch *p = user;
    const tvk_drafter *d = &p->g->streams[0].session->drafter;
    uint32_t decoded = p->g->streams[0].got - p->from;
    int32_t draft[TVK_DRAFT_MOST];
    return tvk_drafter_learns(d, decoded) || propose(p->g, decoded, draft) > 0;
}

static tvk_status decode(tvk_generation *g, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_stream *t = &g->streams[0];
    stretch part = {g, t->got};
    uint64_t start = tvk_clock_ns();
    if (tvk_sampler_on_device(&t->session->sampler)) {
        TVK_TRY(tvk_generation_run(g, ready, &part, err));
    } else {
        do TVK_TRY(tvk_generation_one_each(g, err));
        while (!t->over && !ready(&part));
    }
    tvk_drafter_decoded(&t->session->drafter, t->got - part.from, (double)(tvk_clock_ns() - start));
fail:
    return st;
}

tvk_status tvk_generation_speculate(tvk_generation *g, tvk_error *err)
{
    tvk_status st = TVK_OK;
    int32_t draft[TVK_DRAFT_MOST];
    while (!g->streams[0].over) {
        uint32_t count = propose(g, 0, draft);
        if (count > 0) {
            TVK_TRY(verify(g, draft, count, err));
        } else {
            TVK_TRY(decode(g, err));
        }
    }
fail:
    return st;
}

tvk_status tvk_session_set_draft(tvk_session *s, const tvk_draft_params *p, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if ((unsigned)p->kind > TVK_DRAFT_LOOKUP || p->max > TVK_DRAFT_MOST ||
        p->min > TVK_DRAFT_MOST || (p->max && p->min > p->max)) {
        TVK_FAIL(TVK_ERR_ARG,
                 "draft: none or lookup, at most %u tokens, at least no more than that expected; "
                 "%u to %u found",
                 TVK_DRAFT_MOST, p->min, p->max);
    }
    TVK_TRY(tvk_drafter_init(&s->drafter, p, s->context, err));
fail:
    return st;
}

void tvk_session_draft_stats(const tvk_session *s, tvk_draft_stats *out)
{
    *out = s->drafter.stats;
}
