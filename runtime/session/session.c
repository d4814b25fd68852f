#include "session/session.h"

#include "session/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Gives slot and pages back; what the host knows stays. */
static void leave_model(tvk_session *s)
{
    if (!s->model) return;
    tvk_kv_pool_give(&s->model->kv, s->model->layout.max_pages, s->pages);
    s->model->slot_used[s->slot] = false;
    s->model->open_sessions--;
    free(s->pages);
    s->pages = NULL;
    s->model = NULL;
}

/* A slot and pages of the model; nothing is in them. */
static tvk_status join_model(tvk_session *s, tvk_model *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_state_layout *l = &m->layout;
    uint32_t slot = 0, *pages = NULL;
    while (slot < l->slots && m->slot_used[slot]) slot++;
    if (slot == l->slots) {
        TVK_FAIL(TVK_ERR_ARG, "all %u sessions of the model are open", l->slots);
    }
    pages = calloc(l->max_pages, sizeof *pages);
    TVK_TRY_ALLOC(pages);
    if (!tvk_kv_pool_take(&m->kv, l->max_pages, pages)) {
        TVK_FAIL(TVK_ERR_INTERNAL, "no %u free KV pages", l->max_pages);
    }
    s->model = m;
    s->pages = pages;
    pages = NULL;
    s->slot = slot;
    s->slot_stale = true;
    s->fed = 0;
    s->next_valid = false;
    m->slot_used[slot] = true;
    m->open_sessions++;
    TVK_TRY(tvk_gpu_write(m->device,
                          tvk_span_sub(tvk_buffer_span(m->state),
                                       4 * ((uint64_t)l->pages_word + slot * l->max_pages),
                                       4 * (uint64_t)l->max_pages),
                          s->pages, err));
    return TVK_OK;
fail:
    free(pages);
    leave_model(s);
    return st;
}

tvk_status tvk_session_create(tvk_model *m, tvk_session **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_session *s = calloc(1, sizeof *s);
    *out = NULL;
    TVK_TRY_ALLOC(s);
    s->context = m->layout.context;
    s->vocab = m->config.vocab;
    s->tokens = calloc(s->context, sizeof *s->tokens);
    TVK_TRY_ALLOC(s->tokens);
    TVK_TRY(join_model(s, m, err));
    *out = s;
    s = NULL;
fail:
    tvk_session_destroy(&s);
    return st;
}

void tvk_session_destroy(tvk_session **session)
{
    tvk_session *s = *session;
    if (!s) return;
    leave_model(s);
    tvk_drafter_free(&s->drafter);
    free(s->tokens);
    free(s);
    *session = NULL;
}

void tvk_session_detach(tvk_session *s)
{
    leave_model(s);
}

/* Room for another context, which holds the tokens that there are. */
static tvk_status resize(tvk_session *s, uint32_t context, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_draft_params drafts = s->drafter.params;
    const tvk_draft_stats stats = s->drafter.stats;
    int32_t *tokens = calloc(context, sizeof *tokens);
    TVK_TRY_ALLOC(tokens);
    TVK_TRY(tvk_drafter_init(&s->drafter, &drafts, context, err));
    s->drafter.stats = stats;
    memcpy(tokens, s->tokens, s->count * sizeof *tokens);
    free(s->tokens);
    s->tokens = tokens;
    s->context = context;
    return TVK_OK;
fail:
    free(tokens);
    return st;
}

tvk_status tvk_session_attach(tvk_session *s, tvk_model *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (s->model) TVK_FAIL(TVK_ERR_ARG, "a detached session expected, one of a model found");
    if (m->config.vocab != s->vocab) {
        TVK_FAIL(TVK_ERR_ARG, "a model with a vocabulary of %u expected, %u found", s->vocab,
                 m->config.vocab);
    }
    if (m->layout.context < s->count) {
        TVK_FAIL(TVK_ERR_ARG, "a context of at least %u positions expected, %u found", s->count,
                 m->layout.context);
    }
    if (m->layout.context != s->context) TVK_TRY(resize(s, m->layout.context, err));
    TVK_TRY(join_model(s, m, err));
fail:
    return st;
}

tvk_status tvk_session_attached(const tvk_session *s, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (!s->model) TVK_FAIL(TVK_ERR_ARG, "a session of a model expected, a detached one found");
fail:
    return st;
}

uint32_t tvk_session_position(const tvk_session *s)
{
    return s->count;
}

tvk_status tvk_session_rollback(tvk_session *s, uint32_t position, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (position > s->count) {
        TVK_FAIL(TVK_ERR_ARG, "rollback to %u of %u tokens", position, s->count);
    }
    if (position == s->count) return TVK_OK;
    tvk_drafter_cut(&s->drafter, s->tokens, position);
    s->count = position;
    if (s->fed > position) s->fed = position;
    s->next_valid = false;
fail:
    return st;
}

tvk_status tvk_session_set_sampler(tvk_session *s, const tvk_sampler_params *p, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (p->stop_count > TVK_SAMPLER_MAX_STOPS || p->last_n > TVK_SAMPLER_MAX_LAST_N ||
        !isfinite(p->temperature) || !(p->repeat_penalty >= 0) || isnan(p->top_p) ||
        isnan(p->min_p) || p->min_p > 1) {
        TVK_FAIL(TVK_ERR_ARG,
                 "sampler: at most %d stops and %d tokens looked back, a finite temperature, a "
                 "penalty of at least 0 and a min-p of at most 1 expected",
                 TVK_SAMPLER_MAX_STOPS, TVK_SAMPLER_MAX_LAST_N);
    }
    s->sampler = *p;
    s->slot_stale = true;
    s->next_valid = false;
fail:
    return st;
}

/* Rows that bring a session's cache up to its count; the last one draws. */
static uint32_t rows_of(tvk_session *s, float *logits, uint32_t logits_from, tvk_feed_row *rows)
{
    uint32_t n = 0, vocab = s->model->config.vocab;
    for (uint32_t p = s->fed; p < s->count; p++) {
        rows[n] = (tvk_feed_row){.session = s, .position = p, .token = s->tokens[p]};
        if (logits && p >= logits_from) {
            rows[n].logits = logits + (size_t)(p - logits_from) * vocab;
        }
        rows[n++].draw = p + 1 == s->count;
    }
    return n;
}

static tvk_status check_item(const tvk_model *m, const tvk_batch_item *item, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_session *s = item->session;
    TVK_TRY(tvk_session_attached(s, err));
    if (s->model != m) TVK_FAIL(TVK_ERR_ARG, "a session of another model");
    if (item->count > m->layout.context - s->count) {
        TVK_FAIL(TVK_ERR_ARG, "%u tokens do not fit: the context holds %u positions, %u are left",
                 item->count, m->layout.context, m->layout.context - s->count);
    }
    for (uint32_t i = 0; i < item->count; i++) {
        if (item->tokens[i] < 0 || (uint32_t)item->tokens[i] >= m->config.vocab) {
            TVK_FAIL(TVK_ERR_ARG, "token %d at index %u; the vocabulary has %u", item->tokens[i], i,
                     m->config.vocab);
        }
    }
fail:
    return st;
}

tvk_status tvk_eval(tvk_model *m, const tvk_batch_item *items, uint32_t item_count, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_feed_row *rows = NULL;
    size_t total = 0;
    uint32_t n = 0, appended = 0;
    for (uint32_t i = 0; i < item_count; i++) {
        TVK_TRY(check_item(m, &items[i], err));
        for (uint32_t j = 0; j < i; j++) {
            if (items[j].session == items[i].session) {
                TVK_FAIL(TVK_ERR_ARG, "a session appears twice");
            }
        }
        total += items[i].count + (items[i].session->count - items[i].session->fed);
    }
    rows = calloc(total + 1, sizeof *rows);
    TVK_TRY_ALLOC(rows);
    for (uint32_t i = 0; i < item_count; i++) {
        tvk_session *s = items[i].session;
        uint32_t from = s->count;
        if (items[i].count == 0) continue;
        memcpy(s->tokens + s->count, items[i].tokens, items[i].count * sizeof *s->tokens);
        s->count += items[i].count;
        n += rows_of(s, items[i].logits, from, rows + n);
    }
    appended = item_count;
    TVK_TRY(tvk_feed(m, rows, n, err));
    appended = 0;
fail:
    /* all or nothing: the call may be made again */
    for (uint32_t i = 0; i < appended; i++) {
        tvk_session *s = items[i].session;
        tvk_session_rollback(s, s->count - items[i].count, NULL);
    }
    free(rows);
    return st;
}

/* Makes next valid in all sessions, with one step where one row of each is enough. */
static tvk_status draw_next(tvk_model *m, tvk_session *const *sessions, uint32_t count,
                            tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_feed_row *rows = NULL;
    size_t total = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        tvk_session *s = sessions[i];
        if (s->count == 0) TVK_FAIL(TVK_ERR_ARG, "the session has no token to go on from");
        if (s->fed == s->count && !s->next_valid) s->fed = s->count - 1;
        total += s->count - s->fed;
    }
    rows = malloc((total + 1) * sizeof *rows);
    TVK_TRY_ALLOC(rows);
    for (uint32_t i = 0; i < count; i++) n += rows_of(sessions[i], NULL, 0, rows + n);
    if (n > 0) TVK_TRY(tvk_feed(m, rows, n, err));
fail:
    free(rows);
    return st;
}

tvk_status tvk_decode(tvk_model *m, tvk_session *const *sessions, uint32_t count, int32_t *out,
                      tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (uint32_t i = 0; i < count; i++) {
        const tvk_batch_item item = {.session = sessions[i], .count = 1, .tokens = &(int32_t){0}};
        TVK_TRY(check_item(m, &item, err));
    }
    TVK_TRY(draw_next(m, sessions, count, err));
    for (uint32_t i = 0; i < count; i++) {
        tvk_session *s = sessions[i];
        out[i] = s->tokens[s->count++] = s->next;
        s->next_valid = false;
    }
fail:
    return st;
}

tvk_status tvk_session_logits(tvk_session *s, float *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_feed_row *rows = NULL;
    uint32_t n;
    TVK_TRY(tvk_session_attached(s, err));
    if (s->count == 0) TVK_FAIL(TVK_ERR_ARG, "the session has no token yet");
    if (s->fed == s->count) s->fed = s->count - 1;
    rows = malloc((size_t)(s->count - s->fed) * sizeof *rows);
    TVK_TRY_ALLOC(rows);
    n = rows_of(s, out, s->count - 1, rows);
    TVK_TRY(tvk_feed(s->model, rows, n, err));
fail:
    free(rows);
    return st;
}
