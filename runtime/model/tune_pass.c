/* Steps of the tuner: built with candidates, recorded with time stamps, run, compared. */
#include "model/tuner.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How far an inexact row may be off, of the largest logit. Codes that round the other way move
 * logits by some hundredths of it, a wrong row by as much as they are large. */
#define INEXACT 0.1f

static tvk_choice picked(const tvk_subject *s, uint8_t pick)
{
    return pick == TVK_PICK_REFERENCE ? s->reference : s->list[pick].choice;
}

tvk_status tvk_passes_open(tvk_tuner *t, uint32_t most, tvk_passes *passes, tvk_error *err)
{
    tvk_status st = TVK_OK;
    passes->items = calloc(most, sizeof *passes->items);
    TVK_TRY_ALLOC(passes->items);
    tvk_kernels_collect(t->m->kernels);
fail:
    return st;
}

tvk_status tvk_passes_build(tvk_tuner *t, tvk_passes *passes, const tvk_picks *picks, bool bits,
                            tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_pass *p = &passes->items[passes->count++];
    p->picks = *picks;
    p->bits = bits;
    p->step.exact = t->exact;
    for (uint32_t i = 0; i < t->count; i++)
        TVK_TRY(tvk_kernels_prefer(t->m->kernels, &t->subjects[i].shape,
                                   picked(&t->subjects[i], picks->of[i]), err));
    TVK_TRY(tvk_step_build(t->m, &t->config, t->capacity, t->outs, &p->step, err));
fail:
    return st;
}

/* Transients of a candidate may need more than those of the model's own steps: memory for the pass
 * that needs most. */
static tvk_status make_scratch(tvk_tuner *t, tvk_passes *passes, tvk_error *err)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < passes->count; i++)
        if (passes->items[i].step.graph.scratch_bytes > most)
            most = passes->items[i].step.graph.scratch_bytes;
    if (most <= tvk_buffer_bytes(t->m->scratch)) return TVK_OK;
    return tvk_buffer_create(t->m->device, TVK_PURPOSE_SCRATCH, TVK_MEMORY_DEVICE, most,
                             "tuner's scratch", &passes->scratch, err);
}

tvk_status tvk_passes_record(tvk_tuner *t, tvk_passes *passes, bool *ready, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_span scratch;
    TVK_TRY(tvk_kernels_compile_until(t->m->kernels, t->deadline, ready, err));
    if (!*ready) return TVK_OK;
    TVK_TRY(make_scratch(t, passes, err));
    scratch = tvk_buffer_span(passes->scratch ? passes->scratch : t->m->scratch);
    for (uint32_t i = 0; i < passes->count; i++) {
        tvk_step *s = &passes->items[i].step;
        TVK_TRY(tvk_step_record(t->m, s, scratch, TVK_STAMPS_EACH, &s->commands, &s->command_count,
                                err));
    }
fail:
    return st;
}

void tvk_passes_free(tvk_tuner *t, tvk_passes *passes)
{
    for (uint32_t i = 0; i < passes->count; i++) tvk_step_destroy(&passes->items[i].step);
    free(passes->items);
    tvk_buffer_destroy(&passes->scratch);
    *passes = (tvk_passes){0};
    tvk_kernels_forget(t->m->kernels);
}

/* Adds the time of each dispatch to its subject's, of one that follows another row's alone too:
 * sums [count]. */
static tvk_status add_times(tvk_tuner *t, const tvk_step *s, double *sums, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t first = s->begin.count, stamps = first + s->graph.list.count + 1;
    double *ns = calloc(stamps, sizeof *ns);
    TVK_TRY_ALLOC(ns);
    TVK_TRY(tvk_commands_times(s->commands[0], stamps, ns, err));
    for (uint32_t j = 0; j < t->count; j++) {
        t->subjects[j].dispatches = 0;
        for (uint32_t i = 0; i < s->graph.list.count; i++) {
            const tvk_dispatch *d = &s->graph.list.items[i];
            if (t->subjects[j].id != d->shape) continue;
            sums[j] += ns[first + i + 1] - ns[first + i];
            t->subjects[j].dispatches += d->op == t->subjects[j].shape.op;
        }
    }
fail:
    free(ns);
    return st;
}

tvk_status tvk_pass_run(tvk_tuner *t, tvk_pass *p, double *sums, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t seq;
    uint64_t ticket;
    if (sums) memset(sums, 0, t->count * sizeof *sums);
    TVK_TRY(tvk_step_submit(t->m, &p->step, p->step.commands, p->step.command_count, t->request,
                            t->rows, &seq, &ticket, err));
    TVK_TRY(tvk_gpu_wait(t->m->device, ticket, err));
    if (sums) TVK_TRY(add_times(t, &p->step, sums, err));
fail:
    return st;
}

tvk_status tvk_pass_logits(tvk_tuner *t, float *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (uint32_t i = 0; i < t->outputs; i++)
        TVK_TRY(tvk_model_logits(t->m, (i + 1) * t->giving / t->outputs - 1,
                                 out + (size_t)i * t->m->config.vocab, err));
fail:
    return st;
}

static bool agrees(const tvk_tuner *t, bool bits)
{
    const size_t count = (size_t)t->outputs * t->m->config.vocab;
    float largest = 0, off = 0;
    if (bits) return memcmp(t->want, t->got, count * sizeof *t->got) == 0;
    for (size_t i = 0; i < count; i++) {
        const float a = fabsf(t->want[i]), d = fabsf(t->want[i] - t->got[i]);
        if (!(d <= FLT_MAX)) return false;
        if (a > largest) largest = a;
        if (d > off) off = d;
    }
    return off <= INEXACT * largest;
}

tvk_status tvk_pass_compare(tvk_tuner *t, tvk_pass *p, bool *good, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_pass_run(t, p, NULL, err));
    TVK_TRY(tvk_pass_logits(t, t->got, err));
    *good = agrees(t, p->bits);
fail:
    return st;
}
