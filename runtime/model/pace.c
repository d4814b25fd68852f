/* Where submissions are to be short: how long each dispatch of a step takes, and what follows.
 *
 * A step is run dispatch by dispatch, each waited for, with the first layers of each kind and the
 * head standing for all. Steps of many rows begin with few, so that no dispatch that is measured
 * takes much longer than the bound. What takes too long alone is spread over several dispatches,
 * or the step gets room for fewer rows; the others fill submissions up to half the bound, since
 * phones fall to half their clock when they get warm. */
#include "model/pace.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kernels/cost.h"

#define LEAST_ROWS 16u /* that steps are measured with, and that a step keeps room for */
/* Bounds that a run may take, for another of the same (of which the faster counts: the first one
 * warms up) or for one with more rows. */
#define PATIENCE 3

typedef struct pace {
    tvk_model *m;
    tvk_step *step;
    tvk_commands *
        *list; /* one for each dispatch of the graph; the first has the step's begin too */
    uint32_t count;
    bool *taken; /* [count]: is it run? */
    double *ns;  /* [count]: shortest time of the runs with these rows */
    tvk_request_row *request;
    double idle_ns; /* of a submission by itself */
} pace;

static double bound_ns(const tvk_model *m)
{
    return tvk_gpu_plan(m->device)->submit_ms * 1e6;
}

double tvk_pace_most_ns(const tvk_model *m)
{
    return bound_ns(m) / 2;
}

/* ---- which dispatches ---- */

/* Do both take the same time? */
static bool alike(const tvk_dispatch *a, const tvk_dispatch *b)
{
    const tvk_groups *x = &a->groups, *y = &b->groups;
    return a->program == b->program && memcmp(x->kind, y->kind, sizeof x->kind) == 0 &&
           memcmp(x->value, y->value, sizeof x->value) == 0 &&
           memcmp(a->params, b->params, sizeof a->params) == 0;
}

/* The first dispatch that takes the time of this one. */
static uint32_t twin(const tvk_step *s, uint32_t node)
{
    const tvk_dispatch *items = s->graph.list.items;
    uint32_t i = 0;
    while (!alike(&items[i], &items[node])) i++;
    return i;
}

/* Whole layers, so that all kernels find inputs that kernels wrote: those with a dispatch that is
 * like none before. */
static void take_layers(pace *p)
{
    const tvk_graph *g = &p->step->graph;
    uint32_t begin = 0;
    for (uint32_t cut = 0; cut <= g->cut_count; cut++) {
        const uint32_t end = cut < g->cut_count ? g->cuts[cut] : g->list.count;
        bool fresh = false;
        for (uint32_t i = begin; i < end; i++) fresh |= twin(p->step, i) == i;
        for (uint32_t i = begin; i < end; i++) p->taken[i] = fresh;
        begin = end;
    }
}

/* ---- running them ---- */

/* The last rows that the context has room for, of which the last `outs` give logits. */
static tvk_work fill_request(const pace *p, uint32_t rows, uint32_t outs)
{
    const uint32_t context = p->m->layout.context;
    const bool apart = p->step->apart && rows > 1;
    tvk_work work = {.rows = rows, .outs = outs, .cached = apart ? 0 : context};
    for (uint32_t i = 0; i < rows; i++) {
        const uint32_t position = apart ? context - 1 : context - rows + i;
        if (p->request)
            p->request[i] =
                (tvk_request_row){apart ? i : 0, position, 0,
                                  i + outs >= rows ? TVK_REQUEST_OUTPUT | TVK_REQUEST_SAMPLE : 0};
        if (apart) work.cached += context;
        work.scores += position + 1.0;
        work.chunks += position / TVK_CHUNK + 1.0;
    }
    return work;
}

/* Most rows and outputs that a request to this step may have. */
static void capacity(const pace *p, uint32_t *rows, uint32_t *outs)
{
    const tvk_state_layout *l = &p->m->layout;
    *rows = p->step->rows < l->context ? p->step->rows : l->context;
    if (p->step->apart && *rows > l->slots) *rows = l->slots;
    *outs = p->step->outs < *rows ? p->step->outs : *rows;
}

static double sum(const pace *p)
{
    double ns = 0;
    for (uint32_t i = 0; i < p->count; i++) ns += p->taken[i] ? p->ns[i] : 0;
    return ns;
}

static tvk_status run_once(pace *p, uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_slots_write(p->m, p->m->layout.slots, err));
    for (uint32_t i = 0; i < p->count; i++) {
        const uint64_t start = tvk_clock_ns();
        uint32_t seq;
        uint64_t ticket;
        double ns;
        if (!p->taken[i]) continue;
        if (i == 0) {
            TVK_TRY(
                tvk_step_submit(p->m, p->step, p->list, 1, p->request, rows, &seq, &ticket, err));
        } else {
            TVK_TRY(tvk_gpu_submit(p->m->device, &p->list[i], 1, &ticket, err));
        }
        TVK_TRY(tvk_gpu_wait(p->m->device, ticket, err));
        ns = (double)(tvk_clock_ns() - start) - p->idle_ns;
        if (ns < p->ns[i]) p->ns[i] = ns > 0 ? ns : 0;
    }
fail:
    return st;
}

/* How much longer a dispatch takes with more work: what grows most of it. */
static double growth(const tvk_dispatch *d, const tvk_work *from, const tvk_work *to)
{
    const tvk_cost a = tvk_dispatch_cost(d, from), b = tvk_dispatch_cost(d, to);
    const double before[] = {a.bytes, a.int_ops, a.float_ops, a.matrix_ops, a.half_ops};
    const double after[] = {b.bytes, b.int_ops, b.float_ops, b.matrix_ops, b.half_ops};
    double most = 1;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (before[i] > 0) most = fmax(most, after[i] / before[i]);
    return most;
}

/* One request: each dispatch's time with all rows that the step has room for, where it is longer
 * than what was found so far. */
static tvk_status run_request(pace *p, uint32_t rows, uint32_t outs, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t all_rows, all_outs;
    const tvk_work work = fill_request(p, rows, outs);
    tvk_work all;
    for (uint32_t i = 0; i < p->count; i++) p->ns[i] = DBL_MAX;
    TVK_TRY(run_once(p, rows, err));
    if (sum(p) < PATIENCE * bound_ns(p->m)) TVK_TRY(run_once(p, rows, err));
    capacity(p, &all_rows, &all_outs);
    all = fill_request(&(pace){.m = p->m, .step = p->step}, all_rows, outs > 1 ? all_outs : 1);
    for (uint32_t i = 0; i < p->count; i++) {
        const double ns =
            p->taken[i] ? p->ns[i] * growth(&p->step->graph.list.items[i], &work, &all) : 0;
        p->step->ns[i] = fmax(p->step->ns[i], ns);
    }
fail:
    return st;
}

static double longest(const tvk_step *s)
{
    double ns = 0;
    for (uint32_t i = 0; i < s->graph.list.count; i++) ns = fmax(ns, s->ns[i]);
    return ns;
}

/* With ever more rows, as long as what comes next will not take too long. */
static tvk_status run_all(pace *p, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t all_rows, all_outs, rows;
    capacity(p, &all_rows, &all_outs);
    for (rows = all_rows < LEAST_ROWS ? all_rows : LEAST_ROWS;;) {
        const double before = rows;
        memset(p->step->ns, 0, p->count * sizeof *p->step->ns);
        TVK_TRY(run_request(p, rows, 1, err));
        if (all_outs > 1) TVK_TRY(run_request(p, rows, all_outs < rows ? all_outs : rows, err));
        if (rows == all_rows) break;
        rows = all_rows / 4 < rows ? all_rows : 4 * rows;
        if (longest(p->step) * rows / all_rows > bound_ns(p->m)) break;
        if (sum(p) * rows / before > PATIENCE * bound_ns(p->m)) break;
    }
    for (uint32_t i = 0; i < p->count; i++)
        if (!p->taken[i]) p->step->ns[i] = p->step->ns[twin(p->step, i)];
fail:
    return st;
}

static tvk_status measure_idle(pace *p, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_commands *none = NULL;
    TVK_TRY(tvk_commands_create(p->m->device, 0, 0, 0, "idle", &none, err));
    TVK_TRY(tvk_commands_begin(none, err));
    TVK_TRY(tvk_commands_end(none, err));
    p->idle_ns = DBL_MAX;
    for (int i = 0; i < 8; i++) {
        const uint64_t start = tvk_clock_ns();
        uint64_t ticket;
        TVK_TRY(tvk_gpu_submit(p->m->device, &none, 1, &ticket, err));
        TVK_TRY(tvk_gpu_wait(p->m->device, ticket, err));
        p->idle_ns = fmin(p->idle_ns, (double)(tvk_clock_ns() - start));
    }
fail:
    tvk_commands_destroy(&none);
    return st;
}

static tvk_status measure(tvk_model *m, tvk_step *step, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t count = step->graph.list.count;
    pace p = {.m = m, .step = step};
    free(step->ns);
    step->ns = malloc(count * sizeof *step->ns);
    p.taken = calloc(count, sizeof *p.taken);
    p.ns = malloc(count * sizeof *p.ns);
    p.request = calloc(step->rows, sizeof *p.request);
    TVK_TRY_ALLOC(step->ns && p.taken && p.ns ? p.request : NULL);
    for (uint32_t i = 0; i < count; i++) step->ns[i] = INFINITY; /* each by itself */
    TVK_TRY(tvk_step_record(m, step, tvk_buffer_span(m->scratch), TVK_STAMPS_NONE, &p.list,
                            &p.count, err));
    take_layers(&p);
    TVK_TRY(measure_idle(&p, err));
    TVK_TRY(run_all(&p, err));
fail:
    if (p.list) tvk_commands_list_destroy(&p.list, &p.count);
    free(p.taken);
    free(p.ns);
    free(p.request);
    return st;
}

/* ---- what takes too long alone ---- */

/* Room for fewer rows, if there is room for more than the least: as few as what takes longest
 * asks for. */
static bool shrink(tvk_model *m, const tvk_step *step, double times)
{
    const uint32_t least = m->params.sessions > LEAST_ROWS ? m->params.sessions : LEAST_ROWS;
    const uint32_t fit = (uint32_t)(0.8 * step->rows / times) / LEAST_ROWS * LEAST_ROWS;
    if (step->rows <= least || step->apart) return false;
    if (fit < m->layout.batch) m->layout.batch = m->info.batch = fit > least ? fit : least;
    return true;
}

/* Does what can be done about a dispatch that takes `times` as long as it may. */
static bool shorten(tvk_model *m, const tvk_step *step, const tvk_dispatch *d, double times)
{
    const tvk_shape_choice *shape = tvk_kernels_shape(m->kernels, d->shape - 1);
    if (d->shape > 0 && shape->shape.n > 1 && times < shape->shape.n) {
        const uint32_t parts = (uint32_t)ceil(times * (shape->parts > 1 ? shape->parts : 1));
        if (parts > shape->parts && parts <= shape->shape.n / 2 &&
            tvk_kernels_spread(m->kernels, d->shape, parts))
            return true;
    }
    return shrink(m, step, times);
}

static bool shorten_step(tvk_model *m, const tvk_step *step)
{
    const double most = tvk_pace_most_ns(m);
    bool changed = false;
    for (uint32_t i = 0; i < step->graph.list.count; i++) {
        const tvk_dispatch *d = &step->graph.list.items[i];
        if (step->ns[i] <= most || twin(step, i) != i) continue;
        if (shorten(m, step, d, step->ns[i] / most))
            changed = true;
        else
            tvk_log_print(tvk_gpu_log(m->device), TVK_LOG_INFO,
                          "%s (%s) may take %.0f ms: no way to spread it", d->label,
                          d->program_name ? d->program_name : "copy", step->ns[i] * 1e-6);
    }
    return changed;
}

bool tvk_pace_shorten(tvk_model *m, const tvk_step *steps)
{
    bool changed = false;
    for (int i = 0; i < TVK_STEP_COUNT; i++)
        if (steps[i].rows > 0) changed |= shorten_step(m, &steps[i]);
    return changed;
}

tvk_status tvk_pace_measure(tvk_model *m, tvk_step *steps, tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (int i = 0; i < TVK_STEP_COUNT; i++)
        if (steps[i].rows > 0) TVK_TRY(measure(m, &steps[i], err));
    /* as if nothing had run */
    TVK_TRY(tvk_gpu_fill(m->device, m->state, 0, err));
    m->seq = 0;
    m->last_step = NULL;
    if (m->counters) TVK_TRY(tvk_model_stats_reset(m, err));
fail:
    return st;
}
