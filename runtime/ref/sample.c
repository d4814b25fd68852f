/* Draws the next token from a row of logits: best candidates, penalty, top-k, top-p, min-p,
 * temperature (docs/numerics.md, "Sampling"). */
#include "ref/ref.h"

#include <stddef.h>

#include "base/half.h"

typedef struct candidate {
    float logit;
    uint32_t id;
} candidate;

void tvk_ref_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0;
        uint64_t b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static bool better(candidate a, candidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

/* Puts c in its place in the sorted list of *count; the last one falls off a full list. */
static void insert(candidate *list, uint32_t *count, candidate c)
{
    uint32_t i = *count;
    if (i == TVK_CANDIDATES) {
        if (!better(c, list[i - 1])) return;
        i--;
    } else {
        ++*count;
    }
    for (; i > 0 && better(c, list[i - 1]); i--) list[i] = list[i - 1];
    list[i] = c;
}

/* NaN as -infinity, -0 as +0: then float comparison is a total order. */
static float ordered(float logit)
{
    uint32_t bits = tvk_f32_bits(logit);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return tvk_f32_from_bits(0xff800000u);
    return bits == 0x80000000u ? 0.0f : logit;
}

static void penalize(candidate *list, uint32_t count, const uint32_t *slot, const uint32_t *recent,
                     uint32_t recent_count)
{
    float penalty = tvk_f32_from_bits(slot[TVK_SLOT_PENALTY]);
    float inv_penalty = tvk_f32_from_bits(slot[TVK_SLOT_INV_PENALTY]);
    candidate sorted[TVK_CANDIDATES];
    uint32_t n = 0;
    if (penalty == 1.0f) return;
    for (uint32_t i = 0; i < count; i++) {
        candidate c = list[i];
        bool seen = false;
        for (uint32_t j = 0; j < recent_count; j++) seen = seen || recent[j] == c.id;
        if (seen) c.logit = c.logit > 0.0f ? c.logit * inv_penalty : c.logit * penalty;
        insert(sorted, &n, c);
    }
    for (uint32_t i = 0; i < n; i++) list[i] = sorted[i];
}

/* Length of the shortest prefix whose probability reaches p. */
static uint32_t top_p_count(const float *e, uint32_t count, float p)
{
    float sum = 0.0f, prefix = 0.0f;
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) sum = sum + e[i];
    do prefix = prefix + e[n++];
    while (n < count && !(prefix >= p * sum));
    return n;
}

uint32_t tvk_ref_sample(const float *logits, uint32_t vocab, const uint32_t *slot,
                        const uint32_t *recent, uint32_t recent_count, uint32_t position)
{
    float temperature = tvk_f32_from_bits(slot[TVK_SLOT_TEMPERATURE]);
    float inv_temperature = tvk_f32_from_bits(slot[TVK_SLOT_INV_TEMPERATURE]);
    float top_p = tvk_f32_from_bits(slot[TVK_SLOT_TOP_P]);
    float min_p = tvk_f32_from_bits(slot[TVK_SLOT_MIN_P]);
    candidate list[TVK_CANDIDATES];
    float e[TVK_CANDIDATES], w[TVK_CANDIDATES];
    float total = 0.0f, prefix = 0.0f, u;
    uint32_t count = 0, last = 0;
    uint32_t counter[4] = {position, 0, 0, 0};
    uint32_t key[2] = {slot[TVK_SLOT_SEED_LO], slot[TVK_SLOT_SEED_HI]};
    uint32_t random[4];
    for (uint32_t id = 0; id < vocab; id++) {
        candidate c = {ordered(logits[id]), id};
        insert(list, &count, c);
    }
    penalize(list, count, slot, recent, recent_count);
    if (!(temperature > 0.0f)) return list[0].id;
    /* differences of infinities have no value */
    if ((tvk_f32_bits(list[0].logit) & 0x7f800000u) == 0x7f800000u) return list[0].id;
    if (slot[TVK_SLOT_TOP_K] < count) count = slot[TVK_SLOT_TOP_K];
    for (uint32_t i = 0; i < count; i++) e[i] = tvk_ref_exp(list[i].logit - list[0].logit);
    if (top_p > 0.0f && top_p < 1.0f) count = top_p_count(e, count, top_p);
    for (uint32_t i = 0; i < count; i++) {
        bool stays = i == 0 || !(min_p > 0.0f && e[i] < min_p);
        w[i] = stays ? tvk_ref_exp((list[i].logit - list[0].logit) * inv_temperature) : 0.0f;
        if (stays) last = i;
        total = total + w[i];
    }
    tvk_ref_philox(counter, key, random);
    u = (float)(random[0] >> 8) * 5.9604644775390625e-8f;
    for (uint32_t i = 0; i < last; i++) {
        prefix = prefix + w[i];
        if (prefix > u * total) return list[i].id;
    }
    return list[last].id;
}

void tvk_ref_sample_rows(const float *logits, uint32_t *state, uint32_t *results,
                         const struct tvk_sample_params *p)
{
    uint32_t seq = state[TVK_STATE_SEQ], outs = state[TVK_STATE_OUTS];
    uint32_t *entry = results + (size_t)((seq - 1) % p->ring_entries) * p->ring_entry_words;
    entry[0] = seq;
    entry[1] = outs;
    entry[2] = 0;
    entry[3] = 0;
    for (uint32_t r = 0; r < outs; r++) {
        const uint32_t *out = state + p->outs_word + (size_t)r * TVK_OUT_WORDS;
        const uint32_t *row = state + TVK_STATE_ROWS + (size_t)out[0] * TVK_ROW_WORDS;
        uint32_t *slot = state + p->slots_word + (size_t)row[0] * TVK_SLOT_WORDS;
        uint32_t *history = state + p->history_word + (size_t)row[0] * p->context;
        uint32_t position = row[1] + 1, window = slot[TVK_SLOT_LAST_N], token;
        bool stop = false;
        entry[TVK_RESULT_HEADER + r] = TVK_NO_TOKEN;
        if (!(out[1] & TVK_REQUEST_SAMPLE)) continue;
        if (window > position) window = position;
        token = tvk_ref_sample(logits + (size_t)r * p->logits_stride, p->vocab, slot,
                               history + position - window, window, position);
        entry[TVK_RESULT_HEADER + r] = token;
        if (out[1] & TVK_REQUEST_DRAFT) continue;
        for (uint32_t i = 0; i < slot[TVK_SLOT_STOP_COUNT] && i < TVK_MAX_STOPS; i++)
            stop = stop || slot[TVK_SLOT_STOPS + i] == token;
        if (position < p->context) history[position] = token;
        slot[TVK_SLOT_TOKEN] = token;
        slot[TVK_SLOT_POSITION] = position;
        slot[TVK_SLOT_LEFT]--;
        if (stop || slot[TVK_SLOT_LEFT] == 0 || position >= p->context) slot[TVK_SLOT_STOPPED] = 1;
    }
}
