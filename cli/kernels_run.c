#include "kernels_run.h"

#include <stdio.h>
#include <string.h>

#include "interrupt.h"
#include "kernels_module.h"
#include "out.h"
#include "progress.h"
#include "tests/kernels/cases.h"

#define MOST_ROWS 512 /* of the manifest */
#define MOST_NS 2e9   /* of the repetitions of one clock */

typedef struct lab {
    const kernels_request *request;
    tvk_kernels *kernels;
    kernels_result *out;
    kernels_on_row *on_row;
    void *user;
    double pace[MOST_ROWS]; /* ns for each unit of work of a row's last run; 0: not known */
    double chain_ns;        /* of tvk_case_options */
    bool stop;
    int status;
} lab;

/* ---- a row ---- */

static kernels_row *new_row(lab *l, const tvk_case *c, const char *program)
{
    kernels_row *row = kernels_add(l->out);
    if (!row) {
        l->status = 1;
        l->stop = true;
        return NULL;
    }
    snprintf(row->op, sizeof row->op, "%s", tvk_op_name(c->op));
    snprintf(row->name, sizeof row->name, "%s", c->name);
    snprintf(row->row, sizeof row->row, "%s", program);
    snprintf(row->types, sizeof row->types, "%s", c->types);
    row->n = c->shape[0];
    row->k = c->shape[1];
    row->t = c->shape[2];
    row->depth = c->shape[3];
    return row;
}

static void tell(lab *l)
{
    progress_clear();
    if (!l->on_row(l->user, l->out)) l->stop = true;
}

static void skip(lab *l, const tvk_case *c, const char *program, const char *why)
{
    kernels_row *row = new_row(l, c, program);
    if (!row) return;
    snprintf(row->status, sizeof row->status, "skipped");
    snprintf(row->why, sizeof row->why, "%s", why);
    tell(l);
}

static void fill(kernels_row *row, const tvk_case_result *r)
{
    row->compared_words = (double)r->compared;
    row->wrong_words = (double)r->mismatches;
    row->checked = r->checked;
    row->bytes = r->cost.bytes;
    row->int_ops = r->cost.int_ops;
    row->float_ops = r->cost.float_ops;
    row->matrix_ops = r->cost.matrix_ops;
    row->half_ops = r->cost.half_ops;
    row->samples = r->waits.samples;
    row->ns_median = r->stamps.median;
    row->ns_min = r->stamps.min;
    row->ns_max = r->stamps.max;
    row->submit_ns = r->waits.median;
    row->submit_ns_min = r->waits.min;
    row->submit_ns_max = r->waits.max;
    row->empty_ns = r->empty.median;
}

static void add(lab *l, const tvk_case *c, const tvk_case_result *r)
{
    kernels_row *row = new_row(l, c, r->program);
    if (!row) return;
    fill(row, r);
    snprintf(row->status, sizeof row->status, r->mismatches ? "wrong" : "ok");
    if (r->mismatches) {
        snprintf(row->why, sizeof row->why, "%.0f of %.0f words differ: %.160s", row->wrong_words,
                 row->compared_words, r->text);
        l->status = 1;
    }
    kernels_derive(&l->out->setup, row);
    tell(l);
}

/* ---- a case ---- */

/* What a case is in units that its time grows with. */
static double work_of(const tvk_case *c)
{
    double work = 1;
    for (int i = 0; i < 4; i++) work *= c->shape[i] ? c->shape[i] : 1;
    return work;
}

/* One row of the manifest in one cut; false: the device failed. */
static bool run_row(lab *l, tvk_case_data *data, const tvk_case *c, uint32_t row, uint32_t config,
                    bool timed)
{
    const kernels_request *q = l->request;
    const tvk_case_options timing = {.repetitions = timed ? q->repetitions : 0,
                                     .inner = q->inner,
                                     .rotate_bytes = (uint64_t)q->rotate_mib << 20,
                                     .most_ns = MOST_NS,
                                     .chain_ns = &l->chain_ns};
    const double predicted = l->pace[row] * work_of(c) / 1e9;
    tvk_case_result result;
    tvk_error err;
    char why[96];
    if (predicted > q->patience) {
        snprintf(why, sizeof why, "one run would take about %.0f s (--patience %u)", predicted,
                 q->patience);
        skip(l, c, tvk_shader_get(row)->name, why);
        return true;
    }
    if (tvk_case_run(data, row, config, &timing, &result, &err) != TVK_OK) {
        out_error("%s %s: %s", tvk_op_name(c->op), c->name, err.text);
        l->status = 1;
        return false;
    }
    if (timed || result.mismatches) add(l, c, &result);
    if (timed && !result.mismatches) l->pace[row] = result.waits.median / work_of(c);
    return true;
}

/* The cuts [*first, *end) that are run of a row: `all` of them, 0: the one that models get for the
 * shape. */
static void cuts_of(const lab *l, const tvk_case *c, uint32_t row, uint32_t all, uint32_t *first,
                    uint32_t *end)
{
    *first = all ? 0 : tvk_kernels_config_for(l->kernels, row, c->shape[0], c->shape[2]);
    *end = all ? all : *first + 1;
}

/* The row that a module stands in for, as it is and as the module has it. */
static void run_module(lab *l, tvk_case_data *data, const tvk_case *c)
{
    const kernels_module *m = l->request->module;
    const bool timed = c->size == TVK_CASE_REAL;
    const bool all = l->request->all || !timed;
    uint32_t first, end;
    cuts_of(l, c, m->row, all ? tvk_kernels_own_configs(l->kernels, m->row) : 0, &first, &end);
    for (uint32_t i = first; i < end && !l->stop; i++) {
        if (timed && !run_row(l, data, c, m->row, i, true)) return;
        tvk_kernels_substitute(l->kernels, m->row, m->name, m->words, m->bytes);
        run_row(l, data, c, m->row, i, timed);
        tvk_kernels_substitute(l->kernels, m->row, NULL, NULL, 0);
    }
}

/* The default row in the cut that models get for the shape, or all that was asked for. */
static void run_rows(lab *l, tvk_case_data *data, const tvk_case *c)
{
    const kernels_request *q = l->request;
    const bool several = q->all || q->variant;
    uint32_t first, end;
    for (uint32_t row = 0; row < tvk_shader_count() && !l->stop && !interrupted(); row++) {
        const tvk_shader_info *info = tvk_shader_get(row);
        if (info->op != c->op || !tvk_kernels_eligible(l->kernels, row, NULL)) continue;
        if (q->variant && strcmp(info->variant, q->variant) != 0) continue;
        if (!several && tvk_kernels_default(l->kernels, c->op) != row) continue;
        cuts_of(l, c, row, several ? tvk_kernels_config_count(l->kernels, row) : 0, &first, &end);
        for (uint32_t i = first; i < end && !l->stop && !interrupted(); i++)
            if (!run_row(l, data, c, row, i, true)) return;
    }
}

/* index: of the table; UINT32_MAX: the request's shape. */
static void run_case(lab *l, const tvk_case *c, uint32_t index)
{
    const kernels_request *q = l->request;
    tvk_case_data *data = NULL;
    tvk_error err;
    tvk_status st = index == UINT32_MAX
                        ? tvk_case_open_shape(c->op, q->n, q->k, q->t, l->kernels, &data, &err)
                        : tvk_case_open(index, l->kernels, &data, &err);
    if (st == TVK_ERR_DEVICE_MEMORY || st == TVK_ERR_UNSUPPORTED || st == TVK_ERR_HOST_MEMORY) {
        skip(l, c, "-", err.text);
    } else if (st != TVK_OK) {
        out_error("%s %s: %s", tvk_op_name(c->op), c->name, err.text);
        l->status = 1;
    } else if (q->module) {
        run_module(l, data, c);
    } else {
        run_rows(l, data, c);
    }
    tvk_case_close(&data);
}

/* Peaks are measured by themselves; of a module the small cases too, which show what is wrong. */
static bool chosen(const kernels_request *q, const tvk_case *c)
{
    if (!strncmp(tvk_op_name(c->op), "peak_", 5)) return false;
    if (q->module)
        return tvk_shader_get(q->module->row)->op == c->op &&
               (c->size < TVK_CASE_REAL ||
                kernels_wanted(q, tvk_op_name(c->op), c->name, c->shape));
    return c->size == TVK_CASE_REAL && kernels_wanted(q, tvk_op_name(c->op), c->name, c->shape);
}

static void run_table(lab *l)
{
    const tvk_progress progress = progress_bar();
    const uint32_t count = tvk_cases_count();
    for (uint32_t i = 0; i < count && !l->stop && !interrupted(); i++) {
        tvk_case c;
        tvk_case_get(i, &c);
        if (!chosen(l->request, &c)) continue;
        progress.fn(progress.user, "measuring", i + 1, count);
        run_case(l, &c, i);
    }
    progress_clear();
}

static void run_shape(lab *l)
{
    const kernels_request *q = l->request;
    for (uint32_t op = 0; op < TVK_OP_COUNT && !l->stop && !interrupted(); op++) {
        tvk_case c;
        if (!tvk_case_of_shape((tvk_op)op, q->n, q->k, q->t, &c)) continue;
        if (q->module && tvk_shader_get(q->module->row)->op != c.op) continue;
        if (kernels_wanted(q, tvk_op_name(c.op), c.name, c.shape)) run_case(l, &c, UINT32_MAX);
    }
}

int kernels_measure(tvk_device *device, const kernels_request *request, kernels_result *out,
                    kernels_on_row *on_row, void *user)
{
    static lab l; /* its table is large for a stack */
    tvk_error err;
    l = (lab){.request = request, .out = out, .on_row = on_row, .user = user};
    if (tvk_shader_count() > MOST_ROWS) return 1;
    if (tvk_kernels_create(device, false, &l.kernels, &err) != TVK_OK) return out_failed(&err);
    if (request->module && !kernels_module_fits(request->module, l.kernels))
        l.status = 1;
    else if (request->n)
        run_shape(&l);
    else
        run_table(&l);
    tvk_kernels_destroy(&l.kernels);
    return interrupted() ? 1 : l.status;
}
