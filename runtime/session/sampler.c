/* The draw on the host: docs/numerics.md, "Sampling". The same token as the device's. */
#include "session/sampler.h"

#include "base/exact.h"

#include <stdlib.h>
#include <string.h>

typedef struct candidate {
    float logit;
    uint32_t id;
    float p;
} candidate;

static float sortable(float logit)
{
    if (isnan(logit)) return -INFINITY;
    return logit == 0 ? 0.0f : logit; /* -0 counts as +0 */
}

static bool before(const candidate *a, const candidate *b)
{
    return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static int compare(const void *a, const void *b)
{
    return before(a, b) ? -1 : before(b, a) ? 1 : 0;
}

/* Keeps the best `limit` of all, sorted. */
static uint32_t select_best(const float *logits, uint32_t vocab, uint32_t limit, candidate *out)
{
    uint32_t count = 0;
    if (limit >= vocab) {
        for (uint32_t i = 0; i < vocab; i++) out[i] = (candidate){sortable(logits[i]), i, 0};
        qsort(out, vocab, sizeof *out, compare);
        return vocab;
    }
    for (uint32_t i = 0; i < vocab; i++) {
        candidate c = {sortable(logits[i]), i, 0};
        uint32_t lo = 0, hi = count;
        if (count == limit && !before(&c, &out[count - 1])) continue;
        while (lo < hi) {
            uint32_t mid = (lo + hi) / 2;
            if (before(&out[mid], &c)) {
                lo = mid + 1;
            } else {
                hi = mid;
            }
        }
        if (count < limit) count++;
        memmove(&out[lo + 1], &out[lo], (count - 1 - lo) * sizeof *out);
        out[lo] = c;
    }
    return count;
}

static void penalise(const tvk_sampler_params *p, candidate *c, uint32_t count,
                     const int32_t *recent, uint32_t recent_count)
{
    float inverse = 1.0f / p->repeat_penalty;
    for (uint32_t i = 0; i < count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < recent_count; j++) found |= recent[j] == (int32_t)c[i].id;
        if (!found) continue;
        c[i].logit = c[i].logit > 0 ? c[i].logit * inverse : c[i].logit * p->repeat_penalty;
    }
    qsort(c, count, sizeof *c, compare);
}

static uint32_t cut_top_p(float top_p, candidate *c, uint32_t count)
{
    float sum = 0, prefix = 0;
    for (uint32_t i = 0; i < count; i++) sum = sum + c[i].p;
    for (uint32_t i = 0; i < count; i++) {
        prefix = prefix + c[i].p;
        if (prefix >= top_p * sum) return i + 1;
    }
    return count;
}

static uint32_t cut_min_p(float min_p, candidate *c, uint32_t count)
{
    uint32_t kept = 1;
    while (kept < count && c[kept].p >= min_p) kept++;
    return kept;
}

static void philox4x32_10(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t c1 = c[1], c3 = c[3];
        c[0] = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c[1] = (uint32_t)b;
        c[2] = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c[3] = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

static uint32_t draw(const tvk_sampler_params *p, candidate *c, uint32_t count, uint32_t position)
{
    uint32_t counter[4] = {position, 0, 0, 0};
    float inverse = 1.0f / p->temperature, top = c[0].logit, total = 0, prefix = 0, u;
    for (uint32_t i = 0; i < count; i++) {
        c[i].p = tvk_exact_exp((c[i].logit - top) * inverse);
        total = total + c[i].p;
    }
    philox4x32_10(counter, (uint32_t)p->seed, (uint32_t)(p->seed >> 32));
    u = (float)(counter[0] >> 8) * 5.9604644775390625e-8f;
    for (uint32_t i = 0; i < count; i++) {
        prefix = prefix + c[i].p;
        if (prefix > u * total) return c[i].id;
    }
    return c[count - 1].id;
}

bool tvk_sampler_on_device(const tvk_sampler_params *p)
{
    if (p->host) return false;
    return p->temperature <= 0 || (p->top_k >= 1 && p->top_k <= TVK_SAMPLER_MAX_CANDIDATES);
}

bool tvk_sampler_stops(const tvk_sampler_params *p, int32_t token)
{
    for (uint32_t i = 0; i < p->stop_count; i++) {
        if (p->stops[i] == token) return true;
    }
    return false;
}

int32_t tvk_sample(const tvk_sampler_params *p, const float *logits, uint32_t vocab,
                   const int32_t *recent, uint32_t recent_count, uint32_t position)
{
    tvk_sampler_params as_device = *p;
    uint32_t last_n = p->last_n ? p->last_n : TVK_SAMPLER_MAX_LAST_N, limit, count;
    candidate *c;
    int32_t token;
    if (vocab == 0) return -1;
    as_device.host = false;
    limit = tvk_sampler_on_device(&as_device) ? TVK_SAMPLER_MAX_CANDIDATES : vocab;
    c = malloc(((size_t)(limit < vocab ? limit : vocab) + 1) * sizeof *c);
    if (!c) return -1;
    if (recent_count > last_n) {
        recent += recent_count - last_n;
        recent_count = last_n;
    }
    count = select_best(logits, vocab, limit, c);
    if (p->repeat_penalty > 0 && p->repeat_penalty != 1) {
        penalise(p, c, count, recent, recent_count);
    }
    if (p->temperature <= 0 || !isfinite(c[0].logit)) {
        token = (int32_t)c[0].id;
    } else {
        float top = c[0].logit;
        if (p->top_k > 0 && p->top_k < count) count = p->top_k;
        for (uint32_t i = 0; i < count; i++) c[i].p = tvk_exact_exp(c[i].logit - top);
        if (p->top_p > 0 && p->top_p < 1) count = cut_top_p(p->top_p, c, count);
        if (p->min_p > 0) count = cut_min_p(p->min_p, c, count);
        token = (int32_t)draw(p, c, count, position);
    }
    free(c);
    return token;
}
