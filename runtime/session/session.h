/* Inside of a session. tokens [0, count) are its timeline; [0, fed) of them are in the KV cache. */
#ifndef TVK_SESSION_SESSION_H
#define TVK_SESSION_SESSION_H

#include "model/model.h"
#include "session/draft.h"
#include "ternvk/session.h"

struct tvk_session {
    tvk_model *model; /* NULL: detached */
    uint32_t slot;
    uint32_t *pages;         /* [layout.max_pages] */
    int32_t *tokens;         /* [context] */
    uint32_t context, vocab; /* of the model that it is or was attached to */
    uint32_t count, fed;
    tvk_sampler_params sampler;
    tvk_drafter drafter;
    bool slot_stale; /* the slot on the device has other sampler words, or has stopped */
    bool next_valid; /* next was drawn from the logits after tokens[count - 1] */
    int32_t next;
};

/* A token on its way through the model. */
typedef struct tvk_feed_row {
    tvk_session *session;
    uint32_t position;
    int32_t token;
    float *logits; /* where to; NULL: not wanted */
    bool draw;     /* last one of its session: sample after it */
    /* of a row of a draft: where its draw goes, which leaves the session as it is; else NULL */
    int32_t *drawn;
} tvk_feed_row;

/* TVK_ERR_ARG when the session is detached. */
tvk_status tvk_session_attached(const tvk_session *session, tvk_error *err);

/* feed.c: rows of any sessions, in order, through as few steps as hold them. Updates fed and next.
 */
tvk_status tvk_feed(tvk_model *model, const tvk_feed_row *rows, uint32_t count, tvk_error *err);

/* slot.c: the sampler's words to the slot, which then has not stopped. */
tvk_status tvk_slot_write(tvk_session *session, tvk_error *err);

#endif
