/* Generation: the device feeds itself, the host reads tokens some steps behind. */
#include "session/generate.h"
#include "session/sampler.h"

#include <stdlib.h>

/* Reports a token that is part of the session already, and sees whether the stream is over. */
static void report(tvk_generation *g, uint32_t i, int32_t token)
{
    tvk_stream *t = &g->streams[i];
    tvk_session *s = t->session;
    t->got++;
    t->over = t->got == t->limit;
    if (!g->fn(g->user, i, token)) {
        t->reason = TVK_STOP_CALLBACK;
        t->over = true;
    }
    if (tvk_sampler_stops(&s->sampler, token)) {
        t->reason = TVK_STOP_TOKEN;
        t->over = true;
    }
    /* the slot has stopped too, or will by draws that no one reads */
    if (t->reason != TVK_STOP_COUNT || s->count == g->model->layout.context) s->slot_stale = true;
}

void tvk_generation_accept(tvk_generation *g, uint32_t i, int32_t token)
{
    tvk_session *s = g->streams[i].session;
    s->fed = s->count;
    s->tokens[s->count++] = token;
    s->next_valid = false;
    report(g, i, token);
}

tvk_status tvk_generation_one_each(tvk_generation *g, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t n = 0;
    tvk_session **sessions = malloc(g->count * sizeof *sessions);
    int32_t *tokens = malloc(g->count * sizeof *tokens);
    TVK_TRY_ALLOC(sessions);
    TVK_TRY_ALLOC(tokens);
    for (uint32_t i = 0; i < g->count; i++) {
        if (!g->streams[i].over) sessions[n++] = g->streams[i].session;
    }
    TVK_TRY(tvk_decode(g->model, sessions, n, tokens, err));
    for (uint32_t i = 0, k = 0; i < g->count; i++) {
        if (g->streams[i].over) continue;
        g->streams[i].asked++;
        report(g, i, tokens[k++]);
    }
fail:
    free(sessions);
    free(tokens);
    return st;
}

/* Rows of the streams that may get one more token; the first one after a pause is given, later
 * ones come from the slot. */
static tvk_status submit_step(tvk_generation *g, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_flight *f = &g->flights[g->submitted % TVK_GENERATE_DEPTH];
    f->streams = g->rows + (size_t)(g->submitted % TVK_GENERATE_DEPTH) * g->count;
    f->rows = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        tvk_stream *t = &g->streams[i];
        const tvk_session *s = t->session;
        tvk_request_row *row = &g->request[f->rows];
        if (t->over || t->asked == t->limit) continue;
        *row = (tvk_request_row){s->slot, 0, 0, TVK_REQUEST_OUTPUT | TVK_REQUEST_SAMPLE};
        if (t->asked == t->got) {
            row->position = s->count - 1;
            row->token = (uint32_t)s->tokens[s->count - 1];
        } else {
            row->flags |= TVK_REQUEST_FROM_SLOT;
        }
        t->asked++;
        f->streams[f->rows++] = i;
    }
    TVK_TRY(tvk_model_submit(g->model, g->request, f->rows, &f->seq, &f->ticket, err));
    g->submitted++;
fail:
    return st;
}

/* Waits for the oldest step and reports its tokens. Its result has a word for each row that the
 * device did not drop. */
static tvk_status take_step(tvk_generation *g, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_flight *f = &g->flights[g->taken % TVK_GENERATE_DEPTH];
    const uint32_t *result, vocab = g->model->config.vocab;
    TVK_TRY(tvk_gpu_wait(g->model->device, f->ticket, err));
    result = tvk_model_result(g->model, f->seq);
    g->taken++;
    for (uint32_t r = 0; r < f->rows; r++) {
        tvk_stream *t = &g->streams[f->streams[r]];
        uint32_t token;
        if (t->stopped) continue;
        token = *result++;
        if (token >= vocab) {
            TVK_FAIL(TVK_ERR_INTERNAL, "the device drew token %u of a vocabulary of %u", token,
                     vocab);
        }
        t->stopped = tvk_sampler_stops(&t->session->sampler, (int32_t)token);
        if (!t->over) tvk_generation_accept(g, f->streams[r], (int32_t)token);
    }
fail:
    return st;
}

static bool all_over(const tvk_generation *g)
{
    for (uint32_t i = 0; i < g->count; i++)
        if (!g->streams[i].over) return false;
    return true;
}

static bool more_to_ask(const tvk_generation *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        if (!g->streams[i].over && g->streams[i].asked < g->streams[i].limit) return true;
    }
    return false;
}

/* After a failure: what is still in flight, parts of a step among it, must not outlive the call,
 * and no one knows what the slots hold. */
static void abandon(tvk_generation *g)
{
    tvk_gpu_wait_idle(g->model->device, NULL);
    g->taken = g->submitted;
    for (uint32_t i = 0; i < g->count; i++) {
        g->streams[i].session->next_valid = false;
        g->streams[i].session->slot_stale = true;
    }
}

tvk_status tvk_generation_run(tvk_generation *g, bool (*enough)(void *user), void *user,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    bool ask = true;
    for (uint32_t i = 0; i < g->count; i++) {
        tvk_session *s = g->streams[i].session;
        if (!g->streams[i].over && s->slot_stale) TVK_TRY(tvk_slot_write(s, err));
    }
    for (;;) {
        while (ask && more_to_ask(g) && g->submitted - g->taken < TVK_GENERATE_DEPTH) {
            TVK_TRY(submit_step(g, err));
        }
        if (g->taken == g->submitted) break;
        TVK_TRY(take_step(g, err));
        if (enough && enough(user)) ask = false;
    }
fail:
    if (st != TVK_OK) abandon(g);
    /* Steps behind the last token draw what no one reads. A device that is lost there is told of by
     * the next call: this one has done all that it was asked for. */
    return all_over(g) ? TVK_OK : st;
}

static bool all_on_device(const tvk_generation *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        if (!tvk_sampler_on_device(&g->streams[i].session->sampler)) return false;
    }
    return true;
}

static tvk_status generate(tvk_generation *g, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (more_to_ask(g)) TVK_TRY(tvk_generation_one_each(g, err));
    if (g->count == 1 && g->streams[0].session->drafter.params.kind != TVK_DRAFT_NONE) {
        return tvk_generation_speculate(g, err);
    }
    if (all_on_device(g)) return tvk_generation_run(g, NULL, NULL, err);
    while (more_to_ask(g)) TVK_TRY(tvk_generation_one_each(g, err));
fail:
    return st;
}

static tvk_status check_items(const tvk_model *m, const tvk_generate_item *items, uint32_t count,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (uint32_t i = 0; i < count; i++) {
        TVK_TRY(tvk_session_attached(items[i].session, err));
        if (items[i].session->model != m) TVK_FAIL(TVK_ERR_ARG, "a session of another model");
        for (uint32_t j = 0; j < i; j++) {
            if (items[j].session == items[i].session) {
                TVK_FAIL(TVK_ERR_ARG, "a session appears twice");
            }
        }
    }
fail:
    return st;
}

tvk_status tvk_generate(tvk_model *m, tvk_generate_item *items, uint32_t count,
                        bool (*fn)(void *user, uint32_t item, int32_t token), void *user,
                        tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_generation g = {.model = m, .count = count, .fn = fn, .user = user};
    if (count == 0) return TVK_OK;
    TVK_TRY(check_items(m, items, count, err));
    g.streams = calloc(count, sizeof *g.streams);
    g.request = malloc(count * sizeof *g.request);
    g.rows = malloc((size_t)TVK_GENERATE_DEPTH * count * sizeof *g.rows);
    TVK_TRY_ALLOC(g.streams);
    TVK_TRY_ALLOC(g.request);
    TVK_TRY_ALLOC(g.rows);
    for (uint32_t i = 0; i < count; i++) {
        const tvk_session *s = items[i].session;
        uint32_t room = m->layout.context - s->count;
        tvk_stream *t = &g.streams[i];
        t->session = items[i].session;
        t->limit = items[i].max_tokens < room ? items[i].max_tokens : room;
        t->over = t->limit == 0;
        items[i].reason = TVK_STOP_COUNT;
    }
    st = generate(&g, err);
    for (uint32_t i = 0; i < count; i++) {
        const tvk_stream *t = &g.streams[i];
        bool full = t->over && t->reason == TVK_STOP_COUNT && t->limit < items[i].max_tokens;
        items[i].reason = full ? TVK_STOP_CONTEXT : t->reason;
    }
fail:
    free(g.streams);
    free(g.request);
    free(g.rows);
    return st;
}

typedef struct single {
    bool (*fn)(void *user, int32_t token);
    void *user;
} single;

static bool on_single(void *user, uint32_t item, int32_t token)
{
    const single *s = user;
    (void)item;
    return s->fn(s->user, token);
}

tvk_status tvk_session_generate(tvk_session *session, uint32_t max_tokens,
                                bool (*fn)(void *user, int32_t token), void *user,
                                tvk_stop_reason *reason, tvk_error *err)
{
    tvk_generate_item item = {.session = session, .max_tokens = max_tokens};
    single s = {fn, user};
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_session_attached(session, err));
    TVK_TRY(tvk_generate(session->model, &item, 1, on_single, &s, err));
fail:
    if (reason) *reason = item.reason;
    return st;
}
