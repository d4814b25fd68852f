/* Prompt lookup: A. Saxena, "Prompt Lookup Decoding", 2023. */
#include "session/draft.h"

#include <string.h>

#define MOST_GRAM 8u
#define LEAST_GRAM 2u
#define FIRST_LENGTH 4u
#define FIRST_PAUSE 8u
#define LONGEST_PAUSE 256u
#define LEARN_TOKENS 8u   /* decoded before the first draft, to know what it must beat */
#define DEFAULT_DRAFT 15u /* with the row before it 16: what a model's steps hold by default */

void tvk_drafter_init(tvk_drafter *d, const tvk_draft_params *params)
{
    *d = (tvk_drafter){.params = *params, .length = FIRST_LENGTH, .patience = FIRST_PAUSE};
    if (d->params.min == 0) d->params.min = 1;
    if (d->params.max == 0)
        d->params.max = d->params.min > DEFAULT_DRAFT ? d->params.min : DEFAULT_DRAFT;
    if (d->params.max > TVK_DRAFT_MOST) d->params.max = TVK_DRAFT_MOST;
    if (d->length < d->params.min) d->length = d->params.min;
}

/* How many tokens before `end` equal those before `count`, at most MOST_GRAM. */
static uint32_t common(const int32_t *tokens, uint32_t end, uint32_t count)
{
    uint32_t n = 0;
    while (n < MOST_GRAM && n < end && tokens[end - 1 - n] == tokens[count - 1 - n]) n++;
    return n;
}

uint32_t tvk_draft_lookup(const int32_t *tokens, uint32_t count, uint32_t most, int32_t *out)
{
    uint32_t best = LEAST_GRAM - 1, from = 0;
    for (uint32_t end = count; end-- > 1 && best < MOST_GRAM;) {
        uint32_t n = common(tokens, end, count);
        if (n <= best) continue;
        best = n;
        from = end;
    }
    if (from == 0) return 0;
    for (uint32_t i = 0; i < most; i++) {
        out[i] = from + i < count ? tokens[from + i] : out[from + i - count];
    }
    return most;
}

bool tvk_drafter_learns(const tvk_drafter *d, uint32_t decoded)
{
    return d->plain_ns <= 0 && decoded >= LEARN_TOKENS;
}

uint32_t tvk_drafter_propose(const tvk_drafter *d, const int32_t *tokens, uint32_t count,
                             uint32_t decoded, uint32_t most, int32_t *out)
{
    if (d->params.kind == TVK_DRAFT_NONE || d->plain_ns <= 0 || decoded < d->pause) return 0;
    if (most > d->length) most = d->length;
    if (most > d->params.max) most = d->params.max;
    if (most < d->params.min) return 0;
    return tvk_draft_lookup(tokens, count, most, out);
}

void tvk_drafter_decoded(tvk_drafter *d, uint32_t tokens, double ns)
{
    double each = tokens ? ns / tokens : 0;
    d->pause -= tokens < d->pause ? tokens : d->pause;
    if (tokens < LEARN_TOKENS && d->plain_ns > 0) return; /* mostly begin and end */
    d->plain_ns = d->plain_ns > 0 ? 0.75 * d->plain_ns + 0.25 * each : each;
}

void tvk_drafter_verified(tvk_drafter *d, uint32_t drafted, uint32_t accepted, double ns)
{
    const bool pays = (accepted + 1) * d->plain_ns > ns;
    d->stats.steps++;
    d->stats.drafted += drafted;
    d->stats.accepted += accepted;
    if (accepted == drafted) {
        d->length = 2 * drafted < d->params.max ? 2 * drafted : d->params.max;
    } else {
        d->length = accepted + 1 > d->params.min ? accepted + 1 : d->params.min;
    }
    d->pause = pays ? 0 : d->patience;
    if (pays)
        d->patience = FIRST_PAUSE;
    else if (d->patience < LONGEST_PAUSE)
        d->patience *= 2;
}
