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

#define BUDGET_NS 2500000000u    /* on a GPU, compiling too, where no one says other */
#define BUDGET_CPU_NS 800000000u /* on host cores, which have other things to do */
#define CPU_ROWS 32u             /* of a batch there */
/* Of what a start was given: for compiling the candidates of a step that takes more than a start
 * has for its runs. What is not done by then is kept, and the next start goes on. */
#define COMPILING 0.25
/* Weights in a step of the tuner, or all that there are: several times the last caches where a step
 * of one row waits for them, less where many rows share what is read. */
#define COLD_MIB(cpu, rows)                                                                        \
    ((cpu) ? ((rows) == 1 ? 48u : 8u) : (rows) == 1 ? 256u : (rows) < TVK_SOME_ROWS ? 96u : 24u)
#define OUTPUTS 4u /* rows whose logits are compared */
/* Rows that give logits: in a step of few rows all do, as in that of sessions side by side, so that
 * the head is measured on them; in a batch, and on host cores, some. */
#define GIVING(cpu, capacity, rows) ((cpu) || (capacity) > TVK_FEW_ROWS ? OUTPUTS : (rows))

static uint64_t budget(const tvk_tuner *t)
{
    return t->cpu ? BUDGET_CPU_NS : BUDGET_NS;
}

/* As many layers as it takes for each to find its weights cold. */
static uint32_t enough_layers(const tvk_tuner *t)
{
    const tvk_layer_weights *l = &t->m->weights.layers[0];
    const tvk_matrix *matrices[] = {&l->qkv, &l->gate_up, &l->o[0], &l->down[0]};
    uint64_t bytes = 1, layers;
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++)
        bytes += 4ull * matrices[i]->n * matrices[i]->row_words;
    layers = ((uint64_t)COLD_MIB(t->cpu, t->capacity) << 20) / bytes + 1;
    return layers < t->m->config.layers ? (uint32_t)layers : t->m->config.layers;
}

/* ---- a step ---- */

/* Rows [position, position + rows) of slot 0. */
static void ask(tvk_tuner *t, uint32_t capacity, uint32_t outs, uint32_t rows, uint32_t position)
{
    t->capacity = capacity;
    t->outs = outs;
    t->rows = rows;
    t->position = position;
    t->giving = GIVING(t->cpu, capacity, rows);
    if (t->giving > outs) t->giving = outs;
    if (t->giving > rows) t->giving = rows;
    t->outputs = t->giving < OUTPUTS ? t->giving : OUTPUTS;
    for (uint32_t i = 0; i < rows; i++) {
        t->request[i] = (tvk_request_row){.position = position + i,
                                          .token = (i * 2654435761u >> 7) % t->m->config.vocab};
        /* spread over the rows, the last one among them */
        if ((i + 1) * t->giving / rows != i * t->giving / rows)
            t->request[i].flags = TVK_REQUEST_OUTPUT;
    }
    t->config = t->m->config;
    t->config.layers = enough_layers(t);
}

/* When are all candidates compared and timed? */
static tvk_timing_when plan(tvk_tuner *t)
{
    const uint64_t now = tvk_clock_ns();
    const tvk_timing_budget time = {.left = now < t->deadline ? (double)(t->deadline - now) : 0,
                                    .start = t->added ? 0 : t->call_ns,
                                    .all = (double)budget(t)};
    const uint32_t runs = 2 * tvk_tuner_passes(t);
    tvk_timing_when when = tvk_timing_plan(runs, t->run_ns, &time);
    if (when != TVK_TIMING_LONGER) return when;
    t->deadline = now + (uint64_t)(runs * t->run_ns + COMPILING * t->call_ns);
    return TVK_TIMING_NOW;
}

/* The default stays, with what the reference took. */
static void leave(tvk_tuner *t, const double *sums)
{
    for (uint32_t i = 0; i < t->count; i++) {
        t->subjects[i].left = true;
        t->subjects[i].list[0].timing = (tvk_timing){{sums[i]}, 1};
    }
}

/* Has each candidate been tried? */
static bool tried(const tvk_subject *s)
{
    for (uint32_t c = 0; c < s->count; c++)
        if (!s->list[c].wrong && s->list[c].timing.count == 0) return false;
    return true;
}

/* The choice of each subject, in the kernels, and in the record where all its candidates were
 * tried: the next start goes on with the others, and with what the driver has compiled by then. */
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
        if (!(s->left || tried(s)) || ways[best].count == 0) continue;
        t->added++;
        tvk_tuning_add(tuning, &(tvk_tuning_choice){
                                   .row = choice.row,
                                   .config = tvk_kernels_table_index(t->m->kernels, choice),
                                   .n = s->shape.n,
                                   .k = s->shape.k,
                                   .rows = s->shape.rows,
                                   .exact = t->m->params.exact || s->shape.exact,
                                   .default_ns = tvk_timing_median(&ways[0]) / s->dispatches,
                                   .chosen_ns = tvk_timing_median(&ways[best]) / s->dispatches});
    }
fail:
    return st;
}

/* The default in every place again. */
static void forget(tvk_tuner *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        tvk_kernels_prefer(t->m->kernels, &t->subjects[i].shape, t->subjects[i].list[0].choice,
                           NULL);
    tvk_kernels_forget(t->m->kernels);
}

/* The programs that the model's own step needs for what was chosen: with other fixed words than
 * those that were timed, and of the layers that were left out. *ready false: there was no time, the
 * next start has the choice. */
static tvk_status compile_chosen(tvk_tuner *t, const tvk_step *of, bool *ready, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_step step = {.exact = of->exact, .apart = of->apart};
    tvk_kernels_collect(t->m->kernels);
    TVK_TRY(tvk_step_build(t->m, &t->m->config, of->rows, of->outs, &step, err));
    TVK_TRY(tvk_kernels_compile_until(t->m->kernels, t->deadline, ready, err));
fail:
    tvk_step_destroy(&step);
    tvk_kernels_forget(t->m->kernels);
    return st;
}

/* The step's rows on which it is measured; those of one row stand behind others, to which they
 * attend. */
static void ask_step(tvk_tuner *t, const tvk_step *step, uint32_t most)
{
    const uint32_t before = most < TVK_SOME_ROWS ? most : TVK_SOME_ROWS;
    t->exact = step->exact;
    ask(t, step->rows, step->outs, most < step->rows ? most : step->rows,
        step->rows == 1 ? before : 0);
}

/* Results to compare with, and the cache that they come from. */
static tvk_status prepare(tvk_tuner *t, const tvk_step *step, uint32_t most, bool *ready,
                          tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (t->position > 0) {
        const uint32_t layers = t->config.layers; /* of which each attends to those rows */
        ask(t, t->m->layout.batch, t->m->layout.max_outs, t->position, 0);
        t->config.layers = layers;
        TVK_TRY(tvk_tuner_reference(t, NULL, NULL, ready, err));
        if (!*ready) return TVK_OK;
        ask_step(t, step, most);
    }
    TVK_TRY(tvk_tuner_reference(t, t->want, NULL, ready, err));
fail:
    return st;
}

/* All candidates, and the fastest again. */
static tvk_status measure(tvk_tuner *t, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_tuner_try_all(t, err));
    if (!tvk_tuner_late(t)) TVK_TRY(tvk_tuner_final(t, err));
fail:
    return st;
}

static tvk_status tune_step(tvk_tuner *t, const tvk_step *step, tvk_tuning *tuning,
                            uint32_t *changed, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_state_layout *l = &t->m->layout;
    const uint32_t batch = t->cpu && l->batch > CPU_ROWS ? CPU_ROWS : l->batch;
    const uint32_t most = batch < l->context - 1 ? batch : l->context - 1;
    const bool fixes = tvk_gpu_plan(t->m->device)->fixes;
    tvk_timing_when when = TVK_TIMING_LATER;
    double sums[TVK_MAX_SUBJECTS];
    uint32_t chosen = 0;
    bool ready = true;
    if (step->rows == 0 || most == 0) return TVK_OK; /* not there, or no room for a row */
    /* A mat-mat's candidates would be a program each and shape, too many to compile in a start:
     * they are compared with all words pushed, as which of them is fastest is taken to be the same.
     */
    tvk_kernels_fix(t->m->kernels, fixes && step->rows == 1);
    TVK_TRY(tvk_tuner_report(t, 0, 1, err));
    ask_step(t, step, most);
    tvk_tuner_find(t, step);
    if (t->count == 0 || tvk_tuner_late(t)) goto fail; /* there is nothing to do, or no time */
    TVK_TRY(tvk_tuner_reference(t, NULL, sums, &ready, err));
    if (ready) when = plan(t);
    if (when == TVK_TIMING_NEVER) leave(t, sums);
    if (when == TVK_TIMING_NOW) TVK_TRY(prepare(t, step, most, &ready, err));
    if (when == TVK_TIMING_NOW && ready) TVK_TRY(measure(t, err));
    TVK_TRY(settle(t, tuning, &chosen, err));
    tvk_kernels_fix(t->m->kernels, fixes);
    ready = true;
    if (chosen > 0) TVK_TRY(compile_chosen(t, step, &ready, err));
    if (ready) *changed += chosen;
fail:
    if (st != TVK_OK || !ready) forget(t);
    tvk_kernels_fix(t->m->kernels, fixes);
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

tvk_status tvk_model_tune_kernels(tvk_model *model, uint32_t budget_ms,
                                  const tvk_progress *progress, tvk_tuning *tuning, uint32_t *added,
                                  tvk_error *err)
{
    /* where a head has as many output rows in several, the steps that ask for all of them first */
    static const int order[] = {TVK_STEP_DECODE, TVK_STEP_FEW, TVK_STEP_SESSIONS, TVK_STEP_SOME,
                                TVK_STEP_BATCH};
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
    t.call_ns = budget_ms ? 1e6 * budget_ms : (double)budget(&t);
    t.deadline = start + (uint64_t)t.call_ns;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        TVK_TRY(tune_step(&t, &model->steps[order[i]], tuning, &changed, err));
    if (progress && progress->fn) progress->fn(progress->user, "measuring", 1, 1);
fail:
    closed = close(&t, changed > 0, st == TVK_OK ? err : NULL);
    if (added) *added = t.added;
    return st == TVK_OK ? closed : st;
}
