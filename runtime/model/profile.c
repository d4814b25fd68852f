/* Where the time of a step goes: the step recorded with time stamps, run several times. */
#include "base/half.h"
#include "kernels/cost.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#define WARM_RUNS 2u
#define MOST_RUNS 64u

tvk_status tvk_slots_write(tvk_model *m, uint32_t sessions, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_state_layout *l = &m->layout;
    const tvk_span state = tvk_buffer_span(m->state);
    const uint32_t pages = sessions * l->max_pages, words = sessions * TVK_SLOT_WORDS;
    uint32_t *data = calloc(pages > words ? pages : words, sizeof *data);
    TVK_TRY_ALLOC(data);
    for (uint32_t s = 0; s < sessions; s++) {
        uint32_t *slot = data + s * TVK_SLOT_WORDS;
        slot[TVK_SLOT_LEFT] = UINT32_MAX;
        slot[TVK_SLOT_PENALTY] = slot[TVK_SLOT_INV_PENALTY] = tvk_f32_bits(1.0f);
    }
    TVK_TRY(tvk_gpu_write(m->device, tvk_span_sub(state, 4ull * l->slots_word, 4ull * words), data,
                          err));
    for (uint32_t i = 0; i < pages; i++) data[i] = i;
    TVK_TRY(tvk_gpu_write(m->device, tvk_span_sub(state, 4ull * l->pages_word, 4ull * pages), data,
                          err));
fail:
    free(data);
    return st;
}

/* Rows of each session in positions that follow each other; the last one of each draws. */
static void fill_request(const tvk_profile_params *p, tvk_request_row *out, tvk_work *work)
{
    memset(work, 0, sizeof *work);
    for (uint32_t s = 0; s < p->sessions; s++) {
        for (uint32_t i = 0; i < p->rows; i++) {
            uint32_t position = p->depth + i;
            bool last = i + 1 == p->rows;
            out[work->rows++] = (tvk_request_row){
                s, position, 0, last ? TVK_REQUEST_OUTPUT | TVK_REQUEST_SAMPLE : 0};
            work->scores += position + 1.0;
            work->chunks += position / TVK_CHUNK + 1.0;
        }
        work->outs++;
        work->cached += p->depth + p->rows;
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, uint32_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

/* Medians of the times between the stamps of `runs` runs: out [stamps - 1]. */
static tvk_status run(tvk_model *m, tvk_step *step, tvk_stamps kind, uint32_t stamps,
                      const tvk_request_row *request, uint32_t rows, uint32_t runs, double *out,
                      tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_commands **list = NULL;
    uint32_t count = 0, seq;
    uint64_t ticket;
    double *ns = calloc(stamps, sizeof *ns), *all = NULL;
    all = calloc((size_t)runs * (stamps - 1), sizeof *all);
    TVK_TRY_ALLOC(ns);
    TVK_TRY_ALLOC(all);
    TVK_TRY(tvk_step_record(m, step, tvk_buffer_span(m->scratch), kind, &list, &count, err));
    for (uint32_t r = 0; r < WARM_RUNS + runs; r++) {
        TVK_TRY(tvk_step_submit(m, step, list, count, request, rows, &seq, &ticket, err));
        TVK_TRY(tvk_gpu_wait(m->device, ticket, err));
        if (r < WARM_RUNS) continue;
        TVK_TRY(tvk_commands_times(list[0], stamps, ns, err));
        for (uint32_t i = 0; i + 1 < stamps; i++)
            all[(size_t)i * runs + r - WARM_RUNS] = ns[i + 1] - ns[i];
    }
    for (uint32_t i = 0; i + 1 < stamps; i++) out[i] = median(all + (size_t)i * runs, runs);
fail:
    tvk_commands_list_destroy(&list, &count);
    free(ns);
    free(all);
    return st;
}

static tvk_status check(const tvk_model *m, const tvk_profile_params *p, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_state_layout *l = &m->layout;
    if (p->sessions == 0 || p->sessions > l->slots || p->rows == 0 || p->rows > l->context ||
        p->depth > l->context - p->rows || p->rows > l->batch / p->sessions ||
        p->runs > MOST_RUNS || m->open_sessions) {
        TVK_FAIL(
            TVK_ERR_ARG,
            "profile of %u rows of %u sessions at %u, %u runs: rows of 1 to %u sessions that "
            "fit a step of %u rows and %u positions, at most %u runs and no open session expected",
            p->rows, p->sessions, p->depth, p->runs, l->slots, l->batch, l->context, MOST_RUNS);
    }
fail:
    return st;
}

tvk_status tvk_model_profile(tvk_model *m, const tvk_profile_params *p,
                             void (*fn)(void *user, const tvk_profile_entry *entry), void *user,
                             double *step_ns, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_request_row *request = NULL;
    double *ns = NULL;
    tvk_step *step;
    tvk_work work;
    uint32_t dispatches;
    TVK_TRY(check(m, p, err));
    request = calloc((size_t)p->sessions * p->rows, sizeof *request);
    TVK_TRY_ALLOC(request);
    fill_request(p, request, &work);
    step = tvk_step_for(m, request, work.rows);
    dispatches = step->begin.count + step->graph.list.count;
    ns = calloc(dispatches, sizeof *ns);
    TVK_TRY_ALLOC(ns);
    if (p->runs > 0) {
        TVK_TRY(tvk_slots_write(m, p->sessions, err));
        if (step_ns) {
            TVK_TRY(run(m, step, TVK_STAMPS_ENDS, 2, request, work.rows, p->runs, step_ns, err));
        }
        TVK_TRY(
            run(m, step, TVK_STAMPS_EACH, dispatches + 1, request, work.rows, p->runs, ns, err));
    }
    for (uint32_t i = 0; i < dispatches; i++) {
        const tvk_dispatch *d = i < step->begin.count
                                    ? &step->begin.items[i]
                                    : &step->graph.list.items[i - step->begin.count];
        const tvk_cost cost = tvk_dispatch_cost(d, &work);
        const tvk_profile_entry entry = {.name = d->label,
                                         .program = d->program_name,
                                         .ns = ns[i],
                                         .bytes = cost.bytes,
                                         .int_ops = cost.int_ops,
                                         .float_ops = cost.float_ops,
                                         .matrix_ops = cost.matrix_ops,
                                         .half_ops = cost.half_ops};
        fn(user, &entry);
    }
fail:
    free(request);
    free(ns);
    return st;
}
