/* ternvk: a session is one timeline of tokens with its KV cache and its sampler. */
#ifndef TERNVK_SESSION_H
#define TERNVK_SESSION_H

#include "ternvk/base.h"
#include "ternvk/model.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TVK_SAMPLER_MAX_CANDIDATES 256
#define TVK_SAMPLER_MAX_STOPS 8
#define TVK_SAMPLER_MAX_LAST_N 64

/* All zero: greedy. The order is: candidates = the best 256 logits (ties: lower id first), repeat
 * penalty, top-k, top-p, min-p, temperature, draw. Equal to the full vocabulary whenever top_k
 * <= 256 - last_n; a larger top_k is served by the host sampler over all logits. */
typedef struct tvk_sampler_params {
    float temperature;    /* <= 0: the best token */
    uint32_t top_k;       /* 0: off (then the whole vocabulary takes part and the host samples) */
    float top_p;          /* <= 0 or >= 1: off */
    float min_p;          /* <= 0: off */
    float repeat_penalty; /* 0 or 1: off */
    uint32_t last_n;      /* tokens the penalty looks back; 0: 64; at most 64 */
    uint64_t seed;
    uint32_t stop_count; /* tokens after which generation stops (they are reported) */
    int32_t stops[TVK_SAMPLER_MAX_STOPS];
    bool host; /* sample on the host from read-back logits: the reference of the device sampler */
} tvk_sampler_params;

typedef struct tvk_session tvk_session;

/* Errors: TVK_ERR_ARG when all `sessions` of the model are open. Since: 0.1 */
TVK_API tvk_status tvk_session_create(tvk_model *model, tvk_session **out, tvk_error *err);
TVK_API void tvk_session_destroy(tvk_session **session);

/* Takes a session from its model, which it may outlive: tokens, sampler and drafts stay, the KV
 * cache is given back. So a session comes through a lost device (TVK_ERR_DEVICE_LOST): detach all
 * sessions, destroy model and device, create them again, attach, repeat the call that failed. Until
 * it is attached a session tells its position, rolls back, takes a sampler and can be destroyed;
 * other calls fail with TVK_ERR_ARG. Since: 0.1 */
TVK_API void tvk_session_detach(tvk_session *session);

/* Puts a detached session on a model, the same or another of its vocabulary. Its tokens are fed
 * again by the next call that needs their keys and values, as a prompt: the text goes on with the
 * same bits where the kernels are exact (docs/numerics.md), else as close as a prompt of these
 * tokens comes to them.
 * Errors: TVK_ERR_ARG when all sessions of the model are open, when its context has fewer positions
 * than the session has tokens, or when the session is not detached: it stays as it was. Since: 0.1
 */
TVK_API tvk_status tvk_session_attach(tvk_session *session, tvk_model *model, tvk_error *err);

/* Tokens in the KV cache; the position that the next token gets. Since: 0.1 */
TVK_API uint32_t tvk_session_position(const tvk_session *session);

/* Forgets everything from `position` on. Since: 0.1 */
TVK_API tvk_status tvk_session_rollback(tvk_session *session, uint32_t position, tvk_error *err);

/* Copies *params; takes effect with the next sampled token. Since: 0.1 */
TVK_API tvk_status tvk_session_set_sampler(tvk_session *session, const tvk_sampler_params *params,
                                           tvk_error *err);

/* Tokens of several sessions that go through the model together; each session's tokens follow its
 * position. logits: NULL, or [count, V] floats for every token of this item. */
typedef struct tvk_batch_item {
    tvk_session *session;
    const int32_t *tokens;
    uint32_t count;
    float *logits;
} tvk_batch_item;

/* Appends all tokens of all items, in as few steps as fit (prefill). A session appears once.
 * Errors: TVK_ERR_ARG on a token outside the vocabulary or when a session's context would overflow
 * (says how many positions are left). Whatever the error, nothing is appended. Since: 0.1 */
TVK_API tvk_status tvk_eval(tvk_model *model, const tvk_batch_item *items, uint32_t item_count,
                            tvk_error *err);

/* Samples the next token of each session from the logits after its last token, appends it, and
 * writes it to out[i]; one step for all. The sessions need at least one token. Since: 0.1 */
TVK_API tvk_status tvk_decode(tvk_model *model, tvk_session *const *sessions, uint32_t count,
                              int32_t *out, tvk_error *err);

/* Why generation ended. */
typedef enum tvk_stop_reason {
    TVK_STOP_COUNT = 0,    /* max_tokens reached */
    TVK_STOP_TOKEN = 1,    /* one of sampler.stops */
    TVK_STOP_CALLBACK = 2, /* the callback returned false */
    TVK_STOP_CONTEXT = 3   /* the context is full */
} tvk_stop_reason;

typedef struct tvk_generate_item {
    tvk_session *session;
    uint32_t max_tokens;
    tvk_stop_reason reason; /* set by the call: why this session's generation ended */
} tvk_generate_item;

/* Generates up to max_tokens tokens in each session, side by side: a step draws one for every
 * session that is not over, and several steps are ahead of the host where the device samples for
 * all of them. The texts are those that each session would get alone
 * (of more than 32 sessions only where the model is exact: a batch of so many rows may be computed
 * by kernels that are not). fn is called for each token,
 * in order within a session (item: its index); returning false ends that session, which is rolled
 * back to the tokens that were reported, and the others go on.
 * Errors: TVK_ERR_ARG for a session without a token, of another model, or that appears twice. After
 * any other error each session ends with the last token that was reported, and reasons stand where
 * generation was over.
 * Owner: items borrowed for the call. Since: 0.1 */
TVK_API tvk_status tvk_generate(tvk_model *model, tvk_generate_item *items, uint32_t count,
                                bool (*fn)(void *user, uint32_t item, int32_t token), void *user,
                                tvk_error *err);

/* The same of one session. reason: may be NULL. Since: 0.1 */
TVK_API tvk_status tvk_session_generate(tvk_session *session, uint32_t max_tokens,
                                        bool (*fn)(void *user, int32_t token), void *user,
                                        tvk_stop_reason *reason, tvk_error *err);

/* Drafts: candidate continuations that go through the model in one step behind the last token, as
 * many rows as they have tokens. The text is the same with and without them, at any temperature. */
typedef enum tvk_draft_kind {
    TVK_DRAFT_NONE = 0,
    TVK_DRAFT_LOOKUP = 1 /* what followed the latest occurrence of the text's last tokens */
} tvk_draft_kind;

typedef struct tvk_draft_params {
    tvk_draft_kind kind;
    uint32_t max; /* tokens of a draft, at most 64; 0: 15. Fewer where a step gives fewer logits
                   * (tvk_model_params.max_outputs, one of which is the last token's) */
    uint32_t min; /* shorter drafts are not tried; 0: 1 */
} tvk_draft_params;

typedef struct tvk_draft_stats {
    uint64_t steps;             /* that verified a draft; each gives a token more than it accepts */
    uint64_t drafted, accepted; /* tokens */
} tvk_draft_stats;

/* From now on generation of this session, where it is the only one of its call, tries drafts. Their
 * length follows what is accepted, and where a step with a draft takes longer than its tokens
 * would have without, drafts pause.
 * Errors: TVK_ERR_ARG. Since: 0.1 */
TVK_API tvk_status tvk_session_set_draft(tvk_session *session, const tvk_draft_params *params,
                                         tvk_error *err);
/* Sums since tvk_session_set_draft. Since: 0.1 */
TVK_API void tvk_session_draft_stats(const tvk_session *session, tvk_draft_stats *out);

/* Logits after the session's last token: float [V]. Since: 0.1 */
TVK_API tvk_status tvk_session_logits(tvk_session *session, float *out, tvk_error *err);

/* A named intermediate of the last step (model made with keep_activations): the first `bytes` bytes
 * of it. Names: docs/architecture.md ("l0.attn_out"). Errors: TVK_ERR_ARG lists what there is.
 * Since: 0.1 */
TVK_API tvk_status tvk_model_read(tvk_model *model, const char *tensor, void *out, uint64_t bytes,
                                  tvk_error *err);

/* The draw itself, on the host: the reference of the device sampler, and usable by itself.
 * logits [vocab]; recent: the last tokens, oldest first; position: counter of the random draw.
 * Since: 0.1 */
TVK_API int32_t tvk_sample(const tvk_sampler_params *params, const float *logits, uint32_t vocab,
                           const int32_t *recent, uint32_t recent_count, uint32_t position);

#ifdef __cplusplus
}
#endif
#endif
