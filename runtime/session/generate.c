/* Generation: the device feeds itself, the host reads tokens some submissions behind. */
#include "session/sampler.h"
#include "session/session.h"

/* Enough to hide submit and wait on a discrete GPU; a CPU driver gains nothing from more. */
#define DEPTH 4u

typedef struct generation {
    tvk_session *session;
    bool (*fn)(void *user, int32_t token);
    void *user;
    tvk_stop_reason reason;
    bool over;
} generation;

/* Reports a token that is already part of the session. */
static void report(generation *g, int32_t token)
{
    const tvk_sampler_params *p = &g->session->sampler;
    if (!g->fn(g->user, token)) {
        g->reason = TVK_STOP_CALLBACK;
        g->over = true;
        return;
    }
    for (uint32_t i = 0; i < p->stop_count; i++) {
        if (p->stops[i] != token) continue;
        g->reason = TVK_STOP_TOKEN;
        g->over = true;
    }
}

static tvk_status one_by_one(generation *g, uint32_t count, tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (uint32_t i = 0; i < count && !g->over; i++) {
        int32_t token;
        TVK_TRY(tvk_decode(g->session->model, &g->session, 1, &token, err));
        report(g, token);
    }
fail:
    return st;
}

static tvk_status submit_next(tvk_session *s, bool first, uint32_t *seq, uint64_t *ticket,
                              tvk_error *err)
{
    tvk_request_row row = {s->slot, 0, 0, TVK_REQUEST_OUTPUT | TVK_REQUEST_SAMPLE};
    if (first) {
        row.position = s->count - 1;
        row.token = (uint32_t)s->tokens[s->count - 1];
    } else {
        row.flags |= TVK_REQUEST_FROM_SLOT;
    }
    return tvk_model_submit(s->model, &row, 1, seq, ticket, err);
}

/* The last token of the session is not fed yet; `count` more are to be drawn. */
static tvk_status pipelined(generation *g, uint32_t count, tvk_error *err)
{
    tvk_status st = TVK_OK, waited;
    tvk_session *s = g->session;
    tvk_model *m = s->model;
    uint32_t seq[DEPTH], submitted = 0, taken = 0;
    uint64_t ticket[DEPTH];
    TVK_TRY(tvk_slot_write(s, count, err));
    while (taken < count && !g->over) {
        uint32_t token;
        while (submitted < count && submitted - taken < DEPTH) {
            uint32_t i = submitted % DEPTH;
            TVK_TRY(submit_next(s, submitted == 0, &seq[i], &ticket[i], err));
            submitted++;
        }
        TVK_TRY(tvk_gpu_wait(m->device, ticket[taken % DEPTH], err));
        token = tvk_model_result(m, seq[taken % DEPTH])[0];
        taken++;
        if (token >= m->config.vocab) {
            TVK_FAIL(TVK_ERR_INTERNAL, "the device drew token %u of a vocabulary of %u", token,
                     m->config.vocab);
        }
        s->fed = s->count;
        s->tokens[s->count++] = (int32_t)token;
        report(g, (int32_t)token);
    }
fail:
    s->next_valid = false;
    s->slot_stale = true; /* its draw count is used up */
    /* what is still in flight draws nothing that anyone reads, but must not outlive the call */
    while (taken < submitted) {
        waited = tvk_gpu_wait(m->device, ticket[taken % DEPTH], st == TVK_OK ? err : NULL);
        if (st == TVK_OK) st = waited;
        taken++;
    }
    return st;
}

tvk_status tvk_session_generate(tvk_session *s, uint32_t max_tokens,
                                bool (*fn)(void *user, int32_t token), void *user,
                                tvk_stop_reason *reason, tvk_error *err)
{
    tvk_status st = TVK_OK;
    generation g = {.session = s, .fn = fn, .user = user, .reason = TVK_STOP_COUNT};
    uint32_t left = s->model->layout.context - s->count;
    uint32_t count = max_tokens < left ? max_tokens : left;
    if (reason) *reason = TVK_STOP_COUNT;
    if (count > 0) {
        TVK_TRY(one_by_one(&g, 1, err));
        if (!g.over && count > 1) {
            TVK_TRY(tvk_sampler_on_device(&s->sampler) ? pipelined(&g, count - 1, err)
                                                       : one_by_one(&g, count - 1, err));
        }
    }
    if (!g.over && count < max_tokens) g.reason = TVK_STOP_CONTEXT;
    if (reason) *reason = g.reason;
fail:
    return st;
}
