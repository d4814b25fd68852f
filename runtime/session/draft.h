/* Drafts: tokens that may come next, taken from the text so far, and when they are worth a try. No
 * device here. */
#ifndef TVK_SESSION_DRAFT_H
#define TVK_SESSION_DRAFT_H

#include "base/error.h"
#include "ternvk/session.h"

#define TVK_DRAFT_MOST 64u /* tokens of one draft */

/* Where each pair of tokens stands in a text [0, count): ends of pairs with one hash, linked from
 * the latest on. 0 ends a list: a pair ends at 2 or later. */
typedef struct tvk_draft_index {
    uint32_t *latest; /* [1 << bits] */
    uint32_t *before; /* [context + 1], of an end */
    uint32_t bits, count;
} tvk_draft_index;

typedef struct tvk_drafter {
    tvk_draft_index index;
    tvk_draft_params params;
    tvk_draft_stats stats;
    uint32_t length;   /* of the next draft */
    uint32_t pause;    /* tokens to decode before it */
    uint32_t patience; /* the pause after a draft that does not pay */
    double plain_ns;   /* of a token decoded without drafts, mean of the latest; 0: not known */
} tvk_drafter;

/* For texts of up to `context` tokens; *d is zeroed or initialised before and stays as it is on
 * failure. */
tvk_status tvk_drafter_init(tvk_drafter *d, const tvk_draft_params *params, uint32_t context,
                            tvk_error *err);
void tvk_drafter_free(tvk_drafter *d);
/* The text will go on behind its first `count` tokens; called before they are others. */
void tvk_drafter_cut(tvk_drafter *d, const int32_t *tokens, uint32_t count);

/* What followed the longest of the text's endings that occurred before (8 tokens at most, 2 at
 * least), its latest occurrence; a repetition goes on repeating. Looks at places where the last two
 * tokens stood, mostly. Writes up to `most` tokens; returns how many: 0 or `most`. */
uint32_t tvk_draft_lookup(tvk_draft_index *index, const int32_t *tokens, uint32_t count,
                          uint32_t most, int32_t *out);

/* The draft to be verified now, at most `most` tokens, or 0: `decoded` tokens were decoded since
 * the last draft. */
uint32_t tvk_drafter_propose(tvk_drafter *d, const int32_t *tokens, uint32_t count,
                             uint32_t decoded, uint32_t most, int32_t *out);
/* Is it time to measure how long a token takes without drafts? */
bool tvk_drafter_learns(const tvk_drafter *d, uint32_t decoded);

/* What happened: so many tokens were decoded in so much time; a draft was verified. */
void tvk_drafter_decoded(tvk_drafter *d, uint32_t tokens, double ns);
void tvk_drafter_verified(tvk_drafter *d, uint32_t drafted, uint32_t accepted, double ns);

#endif
