/* A dialog on a model's session: feeds what the session has not seen, and lets the model answer. */
#ifndef TVK_CLI_TALK_H
#define TVK_CLI_TALK_H

#include "dialog.h"
#include "ternvk/session.h"

typedef struct talk {
    dialog dialog;
    tvk_model *model; /* both borrowed */
    tvk_session *session;
    tvk_sampler_params sampler; /* its stops end an answer */
    void *user;
    bool (*on_token)(void *user, int32_t token); /* of an answer; false: enough */
    void (*on_drop)(void *user, uint32_t turns); /* the oldest turns leave the context */
    int32_t *fed;                                /* [context] tokens that the session holds */
    uint32_t fed_count;
    uint64_t prefilled; /* tokens that were fed, not drawn */
    bool out_of_memory;
} talk;

/* dialog.context, model, session, sampler and the callbacks are set, the rest is zero. */
tvk_status talk_init(talk *t, tvk_error *err);
void talk_free(talk *t);

/* Rolls back and prefills until the session holds the dialog's tokens: only what is new is fed. */
tvk_status talk_sync(talk *t, tvk_error *err);

/* Answers the last question, or goes on with its answer, with at most `limit` tokens. Whenever the
 * context is full the oldest turns are dropped and the rest is prefilled again; TVK_STOP_CONTEXT:
 * the last turn alone fills it. */
tvk_status talk_answer(talk *t, uint32_t limit, tvk_stop_reason *reason, tvk_error *err);

/* The next answer of the same question is drawn anew. */
void talk_reseed(talk *t);

#endif
