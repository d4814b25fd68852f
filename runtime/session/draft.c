/* Prompt lookup: A. Saxena, "Prompt Lookup Decoding", 2023. */
#include "session/draft.h"

#include <stdlib.h>
#include <string.h>

#define MOST_GRAM 8u
#define LEAST_GRAM 2u /* what the index finds */
#define LEAST_BITS 8u
#define MOST_BITS 16u
#define FIRST_LENGTH 4u
#define FIRST_PAUSE 8u
#define LONGEST_PAUSE 256u
#define LEARN_TOKENS 8u   /* decoded before the first draft, to know what it must beat */
#define DEFAULT_DRAFT 15u /* with the row before it 16: what a model's steps hold by default */

tvk_status tvk_drafter_init(tvk_drafter *d, const tvk_draft_params *params, uint32_t context,
                            tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_drafter made = {.params = *params, .length = FIRST_LENGTH, .patience = FIRST_PAUSE};
    tvk_draft_index *index = &made.index;
    if (made.params.min == 0) made.params.min = 1;
    if (made.params.max == 0)
        made.params.max = made.params.min > DEFAULT_DRAFT ? made.params.min : DEFAULT_DRAFT;
    if (made.params.max > TVK_DRAFT_MOST) made.params.max = TVK_DRAFT_MOST;
    if (made.length < made.params.min) made.length = made.params.min;
    if (params->kind != TVK_DRAFT_NONE) {
        index->bits = LEAST_BITS;
        while (index->bits < MOST_BITS && context >> index->bits) index->bits++;
        index->latest = calloc((size_t)1 << index->bits, sizeof *index->latest);
        index->before = calloc((size_t)context + 1, sizeof *index->before);
        TVK_TRY_ALLOC(index->latest);
        TVK_TRY_ALLOC(index->before);
    }
    tvk_drafter_free(d);
    *d = made;
    return TVK_OK;
fail:
    tvk_drafter_free(&made);
    return st;
}

void tvk_drafter_free(tvk_drafter *d)
{
    free(d->index.latest);
    free(d->index.before);
    *d = (tvk_drafter){0};
}

/* The list of the pair before `end`. */
static uint32_t *list_of(const tvk_draft_index *index, const int32_t *tokens, uint32_t end)
{
    const uint32_t a = (uint32_t)tokens[end - 2], b = (uint32_t)tokens[end - 1];
    return &index->latest[((a * 0x9E3779B1u ^ b) * 0x85EBCA6Bu) >> (32 - index->bits)];
}

/* Up to the text's end. */
static void extend(tvk_draft_index *index, const int32_t *tokens, uint32_t count)
{
    while (index->count < count) {
        uint32_t end = ++index->count, *list;
        if (end < LEAST_GRAM) continue;
        list = list_of(index, tokens, end);
        index->before[end] = *list;
        *list = end;
    }
}

void tvk_drafter_cut(tvk_drafter *d, const int32_t *tokens, uint32_t count)
{
    tvk_draft_index *index = &d->index;
    for (; index->count > count; index->count--)
        if (index->count >= LEAST_GRAM)
            *list_of(index, tokens, index->count) = index->before[index->count];
}

/* How many tokens before `end` equal those before `count`, at most MOST_GRAM. */
static uint32_t common(const int32_t *tokens, uint32_t end, uint32_t count)
{
    uint32_t n = 0;
    while (n < MOST_GRAM && n < end && tokens[end - 1 - n] == tokens[count - 1 - n]) n++;
    return n;
}

uint32_t tvk_draft_lookup(tvk_draft_index *index, const int32_t *tokens, uint32_t count,
                          uint32_t most, int32_t *out)
{
    uint32_t best = LEAST_GRAM - 1, from = 0;
    extend(index, tokens, count);
    if (count < LEAST_GRAM) return 0;
    for (uint32_t end = index->before[count]; end > 0 && best < MOST_GRAM;
         end = index->before[end]) {
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

uint32_t tvk_drafter_propose(tvk_drafter *d, const int32_t *tokens, uint32_t count,
                             uint32_t decoded, uint32_t most, int32_t *out)
{
    if (d->params.kind == TVK_DRAFT_NONE || d->plain_ns <= 0 || decoded < d->pause) return 0;
    if (most > d->length) most = d->length;
    if (most > d->params.max) most = d->params.max;
    if (most < d->params.min) return 0;
    return tvk_draft_lookup(&d->index, tokens, count, most, out);
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
