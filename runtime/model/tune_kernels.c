/* Which row and cut suits each shape of a model's steps, measured in the steps themselves: a step
 * is built with one candidate for every shape at once, time stamps tell the dispatches apart, and
 * weights, barriers and neighbours are those of a real step. Results are compared first. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/tuner.h"
#include "tune/tune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET_NS 2500000000u    /* for all of it on a GPU */
#define BUDGET_CPU_NS 800000000u /* on host cores, which have other things to do */
#define CPU_ROWS 32u             /* of a batch there */
/* Weights in a step of the tuner, or all that there are: several times the last caches where a step
 * of one row waits for them, less where many rows share what is read. */
#define COLD_MIB(cpu, one) ((cpu) ? ((one) ? 48u : 8u) : (one) ? 256u : 96u)
#define FINALISTS 4u
#define OUTPUTS 4u /* rows whose logits are compared */

static uint64_t budget(const tvk_tuner *t)
{
    return t->cpu ? BUDGET_CPU_NS : BUDGET_NS;
}

static bool late(const tvk_tuner *t)
{
    return tvk_clock_ns() > t->deadline;
}

/* As many layers as it takes for each to find its weights cold. */
static uint32_t enough_layers(const tvk_tuner *t)
{
    const tvk_layer_weights *l = &t->m->weights.layers[0];
    const tvk_matrix *matrices[] = {&l->qkv, &l->gate_up, &l->o[0], &l->down[0]};
    uint64_t bytes = 1, layers;
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++)
        bytes += 4ull * matrices[i]->n * matrices[i]->row_words;
    layers = ((uint64_t)COLD_MIB(t->cpu, t->capacity == 1) << 20) / bytes + 1;
    return layers < t->m->config.layers ? (uint32_t)layers : t->m->config.layers;
}

/* ---- rounds ---- */

static tvk_status report(const tvk_tuner *t, uint32_t done, uint32_t total, tvk_error *err)
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
static tvk_status make_pass(tvk_tuner *t, const tvk_picks *picks, tvk_passes *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_passes_open(t, 1, out, err));
    TVK_TRY(tvk_passes_build(t, out, picks, err));
    TVK_TRY(tvk_passes_record(t, out, err));
fail:
    return st;
}

/* A pass differs from the reference: which candidate does by itself? */
static tvk_status blame(tvk_tuner *t, const tvk_pass *bad, bool bits, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_passes alone = {0};
    const uint8_t *pick = bad->picks.of;
    uint32_t found = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        tvk_picks one = no_picks();
        bool good = false;
        if (pick[i] == TVK_PICK_REFERENCE) continue;
        one.of[i] = pick[i];
        TVK_TRY(make_pass(t, &one, &alone, err));
        TVK_TRY(tvk_pass_compare(t, alone.items, bits, &good, err));
        tvk_passes_free(&alone);
        if (good) continue;
        refuse(t, &t->subjects[i], pick[i]);
        found++;
    }
    for (uint32_t i = 0; found == 0 && i < t->count; i++) /* only together, or not always */
        if (pick[i] != TVK_PICK_REFERENCE) refuse(t, &t->subjects[i], pick[i]);
fail:
    tvk_passes_free(&alone);
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

/* Compared, then timed once. */
static tvk_status try_pass(tvk_tuner *t, tvk_pass *p, bool bits, tvk_error *err)
{
    tvk_status st = TVK_OK;
    double sums[TVK_MAX_SUBJECTS];
    bool good;
    TVK_TRY(tvk_pass_compare(t, p, bits, &good, err));
    if (!good) TVK_TRY(blame(t, p, bits, err));
    TVK_TRY(tvk_pass_run(t, p, sums, err));
    keep_times(t, p, sums);
fail:
    return st;
}

/* All candidates once, until time is up. `at_once` passes are compiled together. */
static tvk_status try_all(tvk_tuner *t, uint32_t at_once, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t total = 2 * t->most; /* exact ones and the others */
    tvk_passes passes = {0};
    for (uint32_t first = 0; first < total && !late(t);) {
        bool bits[2 * TVK_MAX_CANDIDATES];
        TVK_TRY(tvk_passes_open(t, at_once, &passes, err));
        for (; passes.count < at_once && first < total; first++) {
            tvk_picks picks;
            bits[passes.count] = first % 2 == 0;
            if (pick_all(t, first / 2, bits[passes.count], &picks))
                TVK_TRY(tvk_passes_build(t, &passes, &picks, err));
        }
        TVK_TRY(tvk_passes_record(t, &passes, err));
        for (uint32_t i = 0; i < passes.count && !late(t); i++) {
            TVK_TRY(report(t, first - passes.count + i, total + FINALISTS, err));
            TVK_TRY(try_pass(t, &passes.items[i], bits[i], err));
        }
        tvk_passes_free(&passes);
        t->complete = first == total && !late(t);
    }
fail:
    tvk_passes_free(&passes);
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

/* Those again and again, in turn, so that what else the machine does meets all of them. */
static tvk_status final(tvk_tuner *t, tvk_error *err)
{
    tvk_status st = TVK_OK;
    double sums[TVK_MAX_SUBJECTS];
    tvk_passes passes = {0};
    TVK_TRY(tvk_passes_open(t, FINALISTS, &passes, err));
    for (uint32_t f = 0; f < FINALISTS; f++) {
        tvk_picks picks = no_picks();
        for (uint32_t i = 0; i < t->count; i++) {
            uint8_t out[FINALISTS];
            picks.of[i] = f < finalists(&t->subjects[i], out) ? out[f] : 0;
        }
        TVK_TRY(tvk_passes_build(t, &passes, &picks, err));
    }
    TVK_TRY(tvk_passes_record(t, &passes, err));
    for (uint32_t i = 0; i < passes.count; i++)
        TVK_TRY(tvk_pass_run(t, &passes.items[i], NULL, err));
    for (uint32_t round = 1; round < TVK_TIMING_ROUNDS; round++) {
        for (uint32_t i = 0; i < passes.count && !late(t); i++) {
            TVK_TRY(tvk_pass_run(t, &passes.items[i], sums, err));
            keep_times(t, &passes.items[i], sums);
        }
    }
fail:
    tvk_passes_free(&passes);
    return st;
}

/* ---- a step ---- */

/* Rows [position, position + rows) of slot 0; the last few give logits. */
static void ask(tvk_tuner *t, uint32_t capacity, uint32_t outs, uint32_t rows, uint32_t position)
{
    t->capacity = capacity;
    t->outs = outs;
    t->rows = rows;
    t->position = position;
    t->outputs = outs < OUTPUTS ? outs : OUTPUTS;
    if (t->outputs > rows) t->outputs = rows;
    for (uint32_t i = 0; i < rows; i++) {
        t->request[i] = (tvk_request_row){.position = position + i,
                                          .token = (i * 2654435761u >> 7) % t->m->config.vocab};
        /* spread over the rows, the last one among them */
        if ((i + 1) * t->outputs / rows != i * t->outputs / rows)
            t->request[i].flags = TVK_REQUEST_OUTPUT;
    }
    t->config = t->m->config;
    t->config.layers = enough_layers(t);
}

/* The step with the reference in every place: what results must be (logits may be NULL), and what
 * the dispatches of each subject take: sums [count]. Fills the cache at its positions, too. */
static tvk_status run_reference(tvk_tuner *t, float *logits, double *sums, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_picks picks = no_picks();
    tvk_passes pass = {0};
    TVK_TRY(make_pass(t, &picks, &pass, err));
    /* drivers may compile at the first dispatch */
    TVK_TRY(tvk_pass_run(t, pass.items, NULL, err));
    TVK_TRY(tvk_pass_run(t, pass.items, sums, err));
    if (logits) TVK_TRY(tvk_pass_logits(t, logits, err));
fail:
    tvk_passes_free(&pass);
    return st;
}

/* Runs that take so long are not repeated: the default stays. */
static bool too_slow(tvk_tuner *t, const double *sums)
{
    double all = 0;
    for (uint32_t i = 0; i < t->count; i++) all += sums[i];
    if (all * 8 < (double)budget(t)) return false;
    for (uint32_t i = 0; i < t->count; i++)
        t->subjects[i].list[0].timing = (tvk_timing){{sums[i]}, 1};
    t->complete = true;
    return true;
}

/* The choice of each subject, in the kernels, and in the record where all candidates were tried:
 * else the next start gets further, with what the driver has compiled by then. */
static tvk_status settle(tvk_tuner *t, tvk_tuning *tuning, uint32_t *changed, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_timing ways[TVK_MAX_CANDIDATES];
    for (uint32_t i = 0; i < t->count; i++) {
        tvk_subject *s = &t->subjects[i];
        tvk_choice choice;
        uint32_t best;
        for (uint32_t c = 0; c < s->count; c++) ways[c] = s->list[c].timing;
        best = tvk_timing_decide(ways, s->count);
        choice = s->list[best].wrong ? s->reference : s->list[best].choice;
        TVK_TRY(tvk_kernels_prefer(t->m->kernels, &s->shape, choice, err));
        *changed += !tvk_same_choice(choice, s->list[0].choice);
        if (!t->complete || ways[best].count == 0) continue;
        t->added++;
        tvk_tuning_add(tuning, &(tvk_tuning_choice){
                                   .row = choice.row,
                                   .config = tvk_kernels_table_index(t->m->kernels, choice),
                                   .n = s->shape.n,
                                   .k = s->shape.k,
                                   .rows = s->shape.rows,
                                   .exact = t->m->params.exact,
                                   .default_ns = tvk_timing_median(&ways[0]) / s->dispatches,
                                   .chosen_ns = tvk_timing_median(&ways[best]) / s->dispatches});
    }
fail:
    return st;
}

/* The default in every place again, after a failure. */
static void forget(tvk_tuner *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        tvk_kernels_prefer(t->m->kernels, &t->subjects[i].shape, t->subjects[i].list[0].choice,
                           NULL);
    tvk_kernels_compiled(t->m->kernels, NULL); /* what was collected is not left behind */
}

static tvk_status tune_step(tvk_tuner *t, const tvk_step *step, tvk_tuning *tuning,
                            uint32_t *changed, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_model *m = t->m;
    double sums[TVK_MAX_SUBJECTS];
    const uint32_t batch = t->cpu && m->layout.batch > CPU_ROWS ? CPU_ROWS : m->layout.batch;
    const uint32_t room = m->layout.context - 1, most = batch < room ? batch : room;
    const uint32_t before = most < TVK_SOME_ROWS ? most : TVK_SOME_ROWS; /* a decode step */
    t->count = 0;
    if (step->rows == 0 || most == 0) return TVK_OK; /* not there, or no room for a row */
    TVK_TRY(report(t, 0, 1, err));
    if (step->rows == 1 && before > 1) { /* something to attend to */
        ask(t, m->layout.batch, m->layout.max_outs, before, 0);
        TVK_TRY(run_reference(t, NULL, NULL, err));
    }
    ask(t, step->rows, step->outs, most < step->rows ? most : step->rows,
        step->rows == 1 ? before : 0);
    tvk_tuner_find(t, step);
    t->complete = false;
    if (t->count == 0) return TVK_OK;
    TVK_TRY(run_reference(t, t->want, sums, err));
    if (!too_slow(t, sums)) {
        TVK_TRY(try_all(t, t->cpu ? 1 : 2 * t->most, err));
        if (!late(t)) TVK_TRY(final(t, err));
    }
    TVK_TRY(settle(t, tuning, changed, err));
fail:
    if (st != TVK_OK) forget(t);
    return st;
}

/* ---- a model ---- */

static tvk_status open(tvk_tuner *t, tvk_error *err)
{
    tvk_model *m = t->m;
    const size_t logits = (size_t)OUTPUTS * m->config.vocab;
    tvk_status st = TVK_OK;
    t->cpu = tvk_gpu_plan(m->device)->cpu;
    t->request = calloc(m->layout.batch, sizeof *t->request);
    t->subjects = calloc(TVK_MAX_SUBJECTS, sizeof *t->subjects);
    t->want = calloc(logits, sizeof *t->want);
    t->got = calloc(logits, sizeof *t->got);
    TVK_TRY_ALLOC(t->request && t->subjects && t->want ? t->got : NULL);
    TVK_TRY(tvk_slots_write(m, 1, err));
fail:
    return st;
}

/* The model as it was made, but for what was chosen. */
static tvk_status close(tvk_tuner *t, bool remake, tvk_error *err)
{
    tvk_model *m = t->m;
    tvk_status st = TVK_OK;
    free(t->request);
    free(t->subjects);
    free(t->want);
    free(t->got);
    m->seq = 0;
    m->last_step = NULL;
    TVK_TRY(tvk_gpu_wait_idle(m->device, err));
    TVK_TRY(tvk_gpu_fill(m->device, m->state, 0, err));
    if (m->counters) TVK_TRY(tvk_model_stats_reset(m, err));
    if (remake) TVK_TRY(tvk_steps_remake(m, err));
fail:
    return st;
}

tvk_status tvk_model_tune_kernels(tvk_model *model, const tvk_progress *progress,
                                  tvk_tuning *tuning, uint32_t *added, tvk_error *err)
{
    tvk_status st = TVK_OK, closed;
    tvk_tuner t = {.m = model, .progress = progress};
    uint32_t changed = 0;
    const uint64_t start = tvk_clock_ns();
    if (added) *added = 0;
    if (tuning->choice_count > TVK_TUNING_MAX)
        return tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__,
                             "a tuning record of at most %u choices expected, %u found",
                             TVK_TUNING_MAX, tuning->choice_count);
    if (!tvk_gpu_plan(model->device)->timestamps || !tvk_tuner_asks(model)) return TVK_OK;
    if (model->open_sessions > 0)
        return tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__,
                             "kernels are measured before sessions are opened, %u are",
                             model->open_sessions);
    TVK_TRY(open(&t, err));
    for (int i = 0; i < TVK_STEP_COUNT; i++) {
        t.deadline = start + budget(&t) * (uint64_t)(i + 1) / TVK_STEP_COUNT;
        TVK_TRY(tune_step(&t, &model->steps[i], tuning, &changed, err));
    }
    if (progress && progress->fn) progress->fn(progress->user, "measuring", 1, 1);
fail:
    closed = close(&t, changed > 0, st == TVK_OK ? err : NULL);
    if (added) *added = t.added;
    return st == TVK_OK ? closed : st;
}
