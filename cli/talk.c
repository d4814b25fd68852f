#include "talk.h"

#include <stdio.h>
#include <stdlib.h>

static tvk_status no_memory(tvk_error *err)
{
    *err = (tvk_error){.status = TVK_ERR_HOST_MEMORY, .file = __FILE__, .line = __LINE__};
    snprintf(err->text, sizeof err->text, "out of host memory");
    return err->status;
}

tvk_status talk_init(talk *t, tvk_error *err)
{
    t->fed = calloc(t->dialog.context, sizeof *t->fed);
    return t->fed ? TVK_OK : no_memory(err);
}

void talk_free(talk *t)
{
    dialog_free(&t->dialog);
    free(t->fed);
    t->fed = NULL;
}

tvk_status talk_sync(talk *t, tvk_error *err)
{
    uint32_t count = dialog_tokens(&t->dialog, NULL), same = 0;
    int32_t *want = malloc((count + (size_t)1) * sizeof *want);
    tvk_batch_item item = {.session = t->session};
    tvk_status st;
    if (!want) return no_memory(err);
    dialog_tokens(&t->dialog, want);
    while (same < count && same < t->fed_count && want[same] == t->fed[same]) same++;
    st = tvk_session_rollback(t->session, same, err);
    if (st == TVK_OK) t->fed_count = same;
    item.tokens = want + same;
    item.count = count - same;
    if (st == TVK_OK && item.count > 0) st = tvk_eval(t->model, &item, 1, err);
    if (st == TVK_OK) {
        for (uint32_t i = same; i < count; i++) t->fed[i] = want[i];
        t->fed_count = count;
        t->prefilled += item.count;
    }
    free(want);
    return st;
}

static bool on_token(void *user, int32_t token)
{
    talk *t = user;
    t->fed[t->fed_count++] = token;
    for (uint32_t i = 0; i < t->sampler.stop_count; i++)
        if (t->sampler.stops[i] == token) return true; /* ends the answer, no part of it */
    if (!dialog_push(&t->dialog, token)) {
        t->out_of_memory = true;
        return false;
    }
    return t->on_token(t->user, token);
}

tvk_status talk_answer(talk *t, uint32_t limit, tvk_stop_reason *reason, tvk_error *err)
{
    const dialog *d = &t->dialog;
    const dialog_turn *turn = &d->turns[d->count - 1];
    uint32_t before = turn->answer_count;
    tvk_status st = tvk_session_set_sampler(t->session, &t->sampler, err);
    *reason = TVK_STOP_COUNT;
    while (st == TVK_OK) {
        uint32_t said = turn->answer_count - before, dropped;
        if (said >= limit) break;
        dropped = dialog_make_room(&t->dialog, turn->answer_count ? 1 : dialog_answer_room(d));
        if (dropped) t->on_drop(t->user, dropped);
        *reason = TVK_STOP_CONTEXT;
        if (dialog_tokens(d, NULL) >= d->context) break;
        st = talk_sync(t, err);
        if (st != TVK_OK) break;
        st = tvk_session_generate(t->session, limit - said, on_token, t, reason, err);
        if (t->out_of_memory) st = no_memory(err);
        if (*reason != TVK_STOP_CONTEXT) break;
    }
    return st;
}

void talk_reseed(talk *t)
{
    t->sampler.seed++;
}
