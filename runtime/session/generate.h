/* Inside of a generation: sessions that get tokens side by side. */
#ifndef TVK_SESSION_GENERATE_H
#define TVK_SESSION_GENERATE_H

#include "session/session.h"

/* Steps in flight: enough to hide submit and wait on a discrete GPU; a CPU driver gains nothing
 * from more. */
#define TVK_GENERATE_DEPTH 4u

/* One session of the call. */
typedef struct tvk_stream {
    tvk_session *session;
    uint32_t limit;      /* tokens that it may get: max_tokens, or what the context holds */
    uint32_t asked, got; /* of those: in submitted steps, reported */
    bool over;           /* nothing more is reported */
    bool stopped;        /* the device drops its rows from the step after this one on */
    tvk_stop_reason reason;
} tvk_stream;

typedef struct tvk_flight {
    uint64_t ticket;
    uint32_t seq, rows;
    uint32_t *streams; /* [rows] whose row each is */
} tvk_flight;

typedef struct tvk_generation {
    tvk_model *model;
    tvk_stream *streams;
    uint32_t count;
    bool (*fn)(void *user, uint32_t index, int32_t token);
    void *user;
    tvk_request_row *request; /* [count] */
    uint32_t *rows;           /* [TVK_GENERATE_DEPTH][count], of the flights */
    tvk_flight flights[TVK_GENERATE_DEPTH];
    uint32_t submitted, taken; /* steps */
} tvk_generation;

/* Appends a token that stream i has drawn, reports it, and sees whether the stream is over. */
void tvk_generation_accept(tvk_generation *g, uint32_t i, int32_t token);
/* Until all streams are over, or `enough` (may be NULL), asked after each step, says so; then
 * nothing is in flight. The last token of each session is not fed yet. */
tvk_status tvk_generation_run(tvk_generation *g, bool (*enough)(void *user), void *user,
                              tvk_error *err);

/* One token for every stream that is not over, waited for. */
tvk_status tvk_generation_one_each(tvk_generation *g, tvk_error *err);

/* speculate.c: the same of one stream, with drafts, until it is over. */
tvk_status tvk_generation_speculate(tvk_generation *g, tvk_error *err);

#endif
