/* Rounds of the tuner: all candidates once, then the fastest again and again. */
#include "base/clock.h"
#include "base/log.h"
#include "model/tuner.h"

#include <stdlib.h>
#include <string.h>

#define FINALISTS 4u

bool tvk_tuner_late(const tvk_tuner *t)
{
    return tvk_clock_ns() > t->deadline;
}

tvk_status tvk_tuner_report(const tvk_tuner *t, uint32_t done, uint32_t total, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (t->progress && t->progress->fn &&
        !t->progress->fn(t->progress->user, "measuring", done, total))
        TVK_FAIL(TVK_ERR_CANCELLED, "measuring was cancelled");
fail:
    return st;
}

static void refuse(const tvk_tuner *t, tvk_subject *s, uint8_t pick)
{
    tvk_candidate *c = &s->list[pick];
    char name[96];
    c->wrong = true;
    tvk_kernels_table_text(c->choice.row, tvk_kernels_table_index(t->m->kernels, c->choice), name,
                           sizeof name);
    tvk_log_print(tvk_gpu_log(t->m->device), TVK_LOG_WARN,
                  "%s gives other results at [%u, %u], %u rows: it is not used", name, s->shape.n,
                  s->shape.k, s->shape.rows);
}

static tvk_picks no_picks(void)
{
    tvk_picks p;
    memset(p.of, TVK_PICK_REFERENCE, sizeof p.of);
    return p;
}

/* One pass by itself, recorded. */
static tvk_status make_pass(tvk_tuner *t, const tvk_picks *picks, bool bits, tvk_passes *out,
                            bool *ready, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_passes_open(t, 1, out, err));
    TVK_TRY(tvk_passes_build(t, out, picks, bits, err));
    TVK_TRY(tvk_passes_record(t, out, ready, err));
fail:
    return st;
}

tvk_status tvk_tuner_reference(tvk_tuner *t, float *logits, double *sums, bool *ready,
                               tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_picks picks = no_picks();
    tvk_passes pass = {0};
    uint64_t start;
    TVK_TRY(make_pass(t, &picks, true, &pass, ready, err));
    if (!*ready) goto fail;
    TVK_TRY(tvk_pass_run(t, pass.items, NULL, err));
    if (sums) { /* again: drivers may compile at the first dispatch */
        start = tvk_clock_ns();
        TVK_TRY(tvk_pass_run(t, pass.items, sums, err));
        t->run_ns = (double)(tvk_clock_ns() - start);
    }
    if (logits) TVK_TRY(tvk_pass_logits(t, logits, err));
fail:
    tvk_passes_free(t, &pass);
    return st;
}

/* A pass differs from the reference: which candidate does by itself, if there is time to see? */
static tvk_status blame(tvk_tuner *t, const tvk_pass *bad, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_passes alone = {0};
    const uint8_t *pick = bad->picks.of;
    uint32_t found = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        tvk_picks one = no_picks();
        bool good = true, ready;
        if (pick[i] == TVK_PICK_REFERENCE) continue;
        if (tvk_tuner_late(t)) return TVK_OK;
        one.of[i] = pick[i];
        TVK_TRY(make_pass(t, &one, bad->bits, &alone, &ready, err));
        if (ready) TVK_TRY(tvk_pass_compare(t, alone.items, &good, err));
        tvk_passes_free(t, &alone);
        if (good) continue;
        refuse(t, &t->subjects[i], pick[i]);
        found++;
    }
    if (tvk_tuner_late(t)) return TVK_OK;
    for (uint32_t i = 0; found == 0 && i < t->count; i++) /* only together, or not always */
        if (pick[i] != TVK_PICK_REFERENCE) refuse(t, &t->subjects[i], pick[i]);
fail:
    tvk_passes_free(t, &alone);
    return st;
}

static void keep_times(tvk_tuner *t, const tvk_pass *p, const double *sums)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const uint8_t pick = p->picks.of[i];
        tvk_candidate *c = pick == TVK_PICK_REFERENCE ? NULL : &t->subjects[i].list[pick];
        if (c && !c->wrong && sums[i] > 0 && c->timing.count < TVK_TIMING_ROUNDS)
            c->timing.ns[c->timing.count++] = sums[i];
    }
}

/* Candidates number j of all subjects, exact ones or the others. false: there is none. */
static bool pick_all(const tvk_tuner *t, uint32_t j, bool bits, tvk_picks *out)
{
    bool any = false;
    for (uint32_t i = 0; i < t->count; i++) {
        const tvk_subject *s = &t->subjects[i];
        const bool takes = j < s->count && s->list[j].exact == bits;
        out->of[i] = takes ? (uint8_t)j : TVK_PICK_REFERENCE;
        any |= takes;
    }
    return any;
}

uint32_t tvk_tuner_passes(const tvk_tuner *t)
{
    uint32_t count = 0;
    tvk_picks picks;
    for (uint32_t i = 0; i < 2 * t->most; i++) count += pick_all(t, i / 2, i % 2 == 0, &picks);
    return count;
}

/* Compared, then timed once, while there is time. */
static tvk_status try_pass(tvk_tuner *t, tvk_pass *p, tvk_error *err)
{
    tvk_status st = TVK_OK;
    double sums[TVK_MAX_SUBJECTS];
    bool good;
    TVK_TRY(tvk_pass_compare(t, p, &good, err));
    if (!good) TVK_TRY(blame(t, p, err));
    if (tvk_tuner_late(t)) return TVK_OK;
    TVK_TRY(tvk_pass_run(t, p, sums, err));
    keep_times(t, p, sums);
fail:
    return st;
}

tvk_status tvk_tuner_try_all(tvk_tuner *t, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t total = 2 * t->most; /* exact ones and the others */
    const uint32_t at_once = t->cpu ? 1 : total;
    tvk_passes passes = {0};
    for (uint32_t first = 0; first < total && !tvk_tuner_late(t);) {
        bool ready;
        TVK_TRY(tvk_passes_open(t, at_once, &passes, err));
        for (; passes.count < at_once && first < total; first++) {
            const bool bits = first % 2 == 0;
            tvk_picks picks;
            if (pick_all(t, first / 2, bits, &picks))
                TVK_TRY(tvk_passes_build(t, &passes, &picks, bits, err));
        }
        TVK_TRY(tvk_passes_record(t, &passes, &ready, err));
        for (uint32_t i = 0; ready && i < passes.count && !tvk_tuner_late(t); i++) {
            TVK_TRY(tvk_tuner_report(t, first - passes.count + i, total + FINALISTS, err));
            TVK_TRY(try_pass(t, &passes.items[i], err));
        }
        tvk_passes_free(t, &passes);
    }
fail:
    tvk_passes_free(t, &passes);
    return st;
}

/* The default and the fastest others, fastest first. */
static uint32_t finalists(const tvk_subject *s, uint8_t out[FINALISTS])
{
    uint32_t count = 1;
    out[0] = 0;
    for (uint32_t i = 1; i < s->count; i++) {
        const double ns = tvk_timing_median(&s->list[i].timing);
        uint32_t at = count;
        if (ns <= 0 || s->list[i].wrong) continue;
        while (at > 1 && tvk_timing_median(&s->list[out[at - 1]].timing) > ns) at--;
        if (at == FINALISTS) continue;
        if (count < FINALISTS) count++;
        memmove(&out[at + 1], &out[at], (count - at - 1) * sizeof *out);
        out[at] = (uint8_t)i;
    }
    return count;
}

tvk_status tvk_tuner_final(tvk_tuner *t, tvk_error *err)
{
    tvk_status st = TVK_OK;
    double sums[TVK_MAX_SUBJECTS];
    tvk_passes passes = {0};
    bool ready;
    TVK_TRY(tvk_passes_open(t, FINALISTS, &passes, err));
    for (uint32_t f = 0; f < FINALISTS; f++) {
        tvk_picks picks = no_picks();
        for (uint32_t i = 0; i < t->count; i++) {
            uint8_t out[FINALISTS];
            picks.of[i] = f < finalists(&t->subjects[i], out) ? out[f] : 0;
        }
        TVK_TRY(tvk_passes_build(t, &passes, &picks, false, err));
    }
    TVK_TRY(tvk_passes_record(t, &passes, &ready, err));
    for (uint32_t round = 0; ready && round < TVK_TIMING_ROUNDS; round++) {
        for (uint32_t i = 0; i < passes.count && !tvk_tuner_late(t); i++) {
            TVK_TRY(tvk_pass_run(t, &passes.items[i], sums, err));
            if (round > 0) keep_times(t, &passes.items[i], sums);
        }
    }
fail:
    tvk_passes_free(t, &passes);
    return st;
}
