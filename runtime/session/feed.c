/* Tokens -> steps. Steps without output rows follow each other without the host; a step whose
 * logits or draws are wanted is waited for before its buffers are used again. */
#include "session/sampler.h"
#include "session/session.h"

#include <stdlib.h>

#define MAX_IN_FLIGHT (TVK_RING_ENTRIES / 2)

static bool has_output(const tvk_feed_row *row)
{
    return row->logits || row->draw || row->drawn;
}

/* The token that the row drew, by the device or from its logits. */
static tvk_status draw(const tvk_feed_row *row, const float *logits, uint32_t out, uint32_t seq,
                       int32_t *token, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_session *s = row->session;
    const tvk_model *m = s->model;
    if (logits) {
        uint32_t n = row->position + 1;
        uint32_t recent = n < TVK_SAMPLER_MAX_LAST_N ? n : TVK_SAMPLER_MAX_LAST_N;
        *token =
            tvk_sample(&s->sampler, logits, m->config.vocab, s->tokens + n - recent, recent, n);
    } else {
        *token = (int32_t)tvk_model_result(m, seq)[out];
    }
    if (*token < 0 || (uint32_t)*token >= m->config.vocab) {
        TVK_FAIL(TVK_ERR_INTERNAL, "the sampler drew token %d of a vocabulary of %u", *token,
                 m->config.vocab);
    }
fail:
    return st;
}

static tvk_status take_output(const tvk_feed_row *row, uint32_t out, uint32_t seq, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_session *s = row->session;
    tvk_model *m = s->model;
    float *logits = row->logits, *own = NULL;
    const bool draws = row->draw || row->drawn;
    const bool host = draws && !tvk_sampler_on_device(&s->sampler);
    if (host && !logits) {
        logits = own = malloc((size_t)m->config.vocab * sizeof *own);
        TVK_TRY_ALLOC(own);
    }
    if (logits) TVK_TRY(tvk_model_logits(m, out, logits, err));
    if (!draws) goto fail;
    TVK_TRY(draw(row, host ? logits : NULL, out, seq, row->drawn ? row->drawn : &s->next, err));
    if (row->drawn) goto fail;
    s->next_valid = true;
    /* the slot on the device has stopped with this token */
    if (!host &&
        (tvk_sampler_stops(&s->sampler, s->next) || row->position + 1 >= m->layout.context)) {
        s->slot_stale = true;
    }
fail:
    free(own);
    return st;
}

/* How many of the rows fit one step. */
static uint32_t step_size(const tvk_model *m, const tvk_feed_row *rows, uint32_t count)
{
    uint32_t n = 0, outs = 0;
    while (n < count && n < m->layout.batch) {
        if (has_output(&rows[n]) && ++outs > m->layout.max_outs) break;
        n++;
    }
    return n;
}

static tvk_status submit(tvk_model *m, const tvk_feed_row *rows, uint32_t n,
                         tvk_request_row *request, uint32_t *seq, uint64_t *ticket, tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (uint32_t i = 0; i < n; i++) {
        tvk_session *s = rows[i].session;
        uint32_t flags = has_output(&rows[i]) ? TVK_REQUEST_OUTPUT : 0;
        if ((rows[i].draw || rows[i].drawn) && tvk_sampler_on_device(&s->sampler)) {
            flags |= TVK_REQUEST_SAMPLE | (rows[i].drawn ? TVK_REQUEST_DRAFT : 0);
            if (s->slot_stale) TVK_TRY(tvk_slot_write(s, err));
        }
        request[i] = (tvk_request_row){s->slot, rows[i].position, (uint32_t)rows[i].token, flags};
    }
    TVK_TRY(tvk_model_submit(m, request, n, seq, ticket, err));
fail:
    return st;
}

tvk_status tvk_feed(tvk_model *m, const tvk_feed_row *rows, uint32_t count, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t tickets[MAX_IN_FLIGHT] = {0};
    uint32_t flying = 0;
    tvk_request_row *request = malloc(m->layout.batch * sizeof *request);
    TVK_TRY_ALLOC(request);
    for (uint32_t i = 0; i < count; i++) rows[i].session->next_valid = false;
    for (uint32_t at = 0; at < count;) {
        uint32_t n = step_size(m, rows + at, count - at), out = 0, seq;
        uint64_t *ticket = &tickets[flying++ % MAX_IN_FLIGHT];
        if (*ticket) TVK_TRY(tvk_gpu_wait(m->device, *ticket, err));
        TVK_TRY(submit(m, rows + at, n, request, &seq, ticket, err));
        for (uint32_t i = at; i < at + n; i++) {
            if (!has_output(&rows[i])) continue;
            if (out == 0) TVK_TRY(tvk_gpu_wait(m->device, *ticket, err));
            TVK_TRY(take_output(&rows[i], out++, seq, err));
        }
        at += n;
        if (at == count && out == 0) TVK_TRY(tvk_gpu_wait(m->device, *ticket, err));
        for (uint32_t i = at - n; i < at; i++) rows[i].session->fed = rows[i].position + 1;
    }
fail:
    /* what is still in flight reads entries of the ring that a later call writes, and no one knows
     * what the slots hold */
    if (st != TVK_OK) {
        tvk_gpu_wait_idle(m->device, NULL);
        for (uint32_t i = 0; i < count; i++) rows[i].session->slot_stale = true;
    }
    free(request);
    return st;
}
