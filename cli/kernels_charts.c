#include "kernels_charts.h"

#include <math.h>
#include <string.h>

#include "plot.h"

#define MOST_POINTS 32 /* of a line, and named lines of a figure */
#define ROOFS 4
#define LEAST_POINTS 4 /* that are worth a figure */

static const char *device_class(const char *what, size_t device, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s d%zu", what, device);
    return text;
}

static double ops_of(const kernels_row *r)
{
    return r->int_ops + r->float_ops + r->matrix_ops + r->half_ops;
}

static void tip_of(const kernels_setup *s, const kernels_row *r, char *text, size_t bytes)
{
    snprintf(text, bytes, "%s: %s, %s: %.4g us, %.4g GB/s, %.4g Gop/s, %.0f %% of the %s peak (%s)",
             s->device, r->op, r->name, r->ns / 1e3, r->gb_per_s, 1e3 * r->tops, r->peak_percent,
             r->bound[0] ? r->bound : "unknown", r->row);
}

/* ---- rooflines ---- */

typedef struct roof {
    const char *name;
    double gop;
} roof;

static void roofs_of(const kernels_setup *s, roof out[ROOFS])
{
    out[0] = (roof){"f32", s->float_gop_per_s};
    out[1] = (roof){"integer", s->int_gop_per_s};
    out[2] = (roof){"matrices of bytes", s->matrix_gop_per_s};
    out[3] = (roof){"matrices of f16", s->half_gop_per_s};
}

/* Does a roof stand so close above this one that its name needs the room? */
static bool below(const plot *p, const roof *roofs, int i)
{
    for (int j = 0; j < ROOFS; j++)
        if (roofs[j].gop > roofs[i].gop && plot_touch(p, roofs[i].gop, roofs[j].gop)) return true;
    return false;
}

static void name_roofs(const plot *p, const roof *roofs)
{
    for (int i = 0; i < ROOFS; i++) {
        char text[96], rate[32];
        if (roofs[i].gop <= 0) continue;
        snprintf(text, sizeof text, "%s %s", roofs[i].name,
                 html_rate(roofs[i].gop, "op/s", rate, sizeof rate));
        plot_label(p, p->x.most, roofs[i].gop, below(p, roofs, i) ? PLOT_BELOW : PLOT_ABOVE, text);
    }
}

/* Where memory's roof, which rises to `top`, enters the axes and where it leaves them or ends. Each
 * number is an end of an axis itself or `top`, not one that was divided and multiplied to it: that
 * may lie an ulp outside. False: it is nowhere inside. */
static bool slope_of(const plot *p, double read, double top, double x[2], double y[2])
{
    x[0] = fmax(p->y.least / read, p->x.least);
    y[0] = fmax(p->x.least * read, p->y.least);
    x[1] = fmin(top / read, p->x.most);
    y[1] = fmin(p->x.most * read, top);
    return x[0] < x[1] && y[0] < y[1];
}

/* lines: those of the roofs, else their names, which stand over what is drawn in between. */
static void draw_roofs(const plot *p, const kernels_setup *s, bool lines)
{
    const double read = s->read_gb_per_s;
    double top = 0, x[2], y[2];
    bool slope;
    roof roofs[ROOFS];
    char text[96], rate[32];
    roofs_of(s, roofs);
    if (read <= 0) return;
    for (int i = 0; i < ROOFS; i++) {
        const double knee = roofs[i].gop / read;
        top = fmax(top, roofs[i].gop);
        if (knee >= p->x.most) roofs[i].gop = 0; /* memory's is below it throughout */
        if (lines)
            plot_line(p, "roof", (const double[]){fmax(knee, p->x.least), p->x.most},
                      (const double[]){roofs[i].gop, roofs[i].gop}, 2);
    }
    slope = slope_of(p, read, top, x, y);
    if (lines && slope) plot_line(p, "roof", x, y, 2);
    if (lines) return;
    name_roofs(p, roofs);
    if (!slope) return;
    snprintf(text, sizeof text, "memory %s", html_rate(read, "B/s", rate, sizeof rate));
    x[0] *= pow(x[1] / x[0], 0.8);
    plot_label(p, x[0], x[0] * read, PLOT_LEFT, text);
}

static plot_mark family_mark(const char *op)
{
    static const plot_mark marks[KERNELS_FAMILIES] = {PLOT_CIRCLE,  PLOT_SQUARE,  PLOT_TRIANGLE,
                                                      PLOT_DIAMOND, PLOT_DIAMOND, PLOT_DIAMOND};
    return marks[kernels_family_of(op)];
}

static const kernels_row *computing(const kernels_case *c, size_t device)
{
    const kernels_row *r = c->side[device].fastest;
    return r && r->bytes > 0 && ops_of(r) > 0 ? r : NULL;
}

void kernels_chart_rooflines(FILE *to, const kernels_view *v)
{
    plot shared = {.to = to,
                   .x_name = "operations a byte of memory",
                   .y_name = "Gop/s",
                   .height = 340,
                   .radius = 3.4};
    for (size_t d = 0; d < v->count; d++) {
        roof roofs[ROOFS];
        roofs_of(&v->results[d].setup, roofs);
        for (int i = 0; i < ROOFS; i++) plot_add(&shared.y, roofs[i].gop);
        for (size_t i = 0; i < v->case_count; i++) {
            const kernels_row *r = computing(&v->cases[i], d);
            if (!r) continue;
            plot_add(&shared.x, ops_of(r) / r->bytes);
            plot_add(&shared.y, 1e3 * r->tops);
        }
    }
    for (size_t d = 0; d < v->count; d++) {
        const kernels_setup *s = &v->results[d].setup;
        plot p = shared;
        char class_name[32], tip[768];
        plot_begin(&p, s->device);
        draw_roofs(&p, s, true);
        for (size_t i = 0; i < v->case_count; i++) {
            const kernels_row *r = computing(&v->cases[i], d);
            if (!r) continue;
            tip_of(s, r, tip, sizeof tip);
            plot_point(&p, device_class("dot", d, class_name, sizeof class_name),
                       family_mark(r->op), ops_of(r) / r->bytes, 1e3 * r->tops, tip);
        }
        draw_roofs(&p, s, false);
        plot_end(&p);
    }
}

/* ---- lines: cases that differ in one number ---- */

/* The cases of a figure: those like the first one. */
typedef struct figure {
    const kernels_case *list[MOST_POINTS];
    size_t count;
} figure;

static double x_of(const kernels_row *r, bool depth)
{
    return depth ? r->depth : r->t;
}

/* Into the figure by rising x; of cases with the same x the one of the shortest name, which has
 * nothing beside its shape. */
static void insert(figure *f, const kernels_case *c, bool depth)
{
    const double x = x_of(c->first, depth);
    size_t at = 0;
    while (at < f->count && x_of(f->list[at]->first, depth) < x) at++;
    if (at < f->count && x_of(f->list[at]->first, depth) == x) {
        if (strlen(c->first->name) < strlen(f->list[at]->first->name)) f->list[at] = c;
        return;
    }
    if (f->count == MOST_POINTS) return;
    memmove(&f->list[at + 1], &f->list[at], (f->count - at) * sizeof *f->list);
    f->list[at] = c;
    f->count++;
}

/* Cases that differ from case `first` in depth, else in rows, alone, if none of them comes before
 * it. */
static bool collect(const kernels_view *v, size_t first, bool depth, figure *out)
{
    const kernels_row *f = v->cases[first].first;
    out->count = 0;
    for (size_t i = 0; i < v->case_count; i++) {
        const kernels_row *r = v->cases[i].first;
        if (strcmp(r->op, f->op) != 0 || strcmp(r->types, f->types) != 0 || r->n != f->n ||
            r->k != f->k || (depth ? r->t != f->t : r->depth != f->depth))
            continue;
        if (i < first) return false;
        insert(out, &v->cases[i], depth);
    }
    return out->count >= LEAST_POINTS;
}

static double y_of(const kernels_row *r, bool depth)
{
    return !r ? 0 : depth ? r->ns / 1e3 : 1e3 * r->tops;
}

static void draw_lines(FILE *to, const kernels_view *v, const figure *f, bool depth,
                       const char *title)
{
    plot p = {.to = to,
              .twos = true,
              .x_name = depth ? "positions in the cache" : "rows of activations (M)",
              .y_name = depth ? "us" : "Gop/s",
              .height = 250};
    for (size_t i = 0; i < f->count; i++) {
        plot_add(&p.x, x_of(f->list[i]->first, depth));
        for (size_t d = 0; d < v->count; d++)
            plot_add(&p.y, y_of(f->list[i]->side[d].fastest, depth));
    }
    if (p.y.least <= 0) return; /* nothing was timed */
    plot_begin(&p, title);
    for (size_t d = 0; d < v->count; d++) {
        double x[MOST_POINTS], y[MOST_POINTS];
        char class_name[32], tip[768];
        for (size_t i = 0; i < f->count; i++) {
            x[i] = x_of(f->list[i]->first, depth);
            y[i] = y_of(f->list[i]->side[d].fastest, depth);
        }
        plot_line(&p, device_class("line", d, class_name, sizeof class_name), x, y, f->count);
        for (size_t i = 0; i < f->count; i++) {
            if (!f->list[i]->side[d].fastest) continue;
            tip_of(&v->results[d].setup, f->list[i]->side[d].fastest, tip, sizeof tip);
            plot_point(&p, device_class("dot", d, class_name, sizeof class_name),
                       (plot_mark)(d % PLOT_MARKS), x[i], y[i], tip);
        }
    }
    plot_end(&p);
}

void kernels_chart_rows(FILE *to, const kernels_view *v)
{
    for (size_t i = 0; i < v->case_count; i++) {
        const kernels_row *r = v->cases[i].first;
        figure f;
        char title[160];
        if (kernels_family_of(r->op) != KERNELS_MAT || !collect(v, i, false, &f)) continue;
        snprintf(title, sizeof title, "%s, N %.0f × K %.0f", r->op, r->n, r->k);
        draw_lines(to, v, &f, false, title);
    }
}

void kernels_chart_depths(FILE *to, const kernels_view *v)
{
    for (size_t i = 0; i < v->case_count; i++) {
        const kernels_row *r = v->cases[i].first;
        figure f;
        char title[160];
        if (kernels_family_of(r->op) != KERNELS_ATTENTION || r->t != 1 || r->depth <= 0 ||
            !collect(v, i, true, &f))
            continue;
        snprintf(title, sizeof title, "%s%s%s, %.0f heads of %.0f", r->op,
                 r->types[0] ? ", cache " : "", r->types, r->n, r->k);
        draw_lines(to, v, &f, true, title);
    }
}

/* ---- named lines ---- */

/* The cases of a kernel, if case `first` is its first one. */
static bool collect_op(const kernels_view *v, size_t first, figure *out)
{
    const char *op = v->cases[first].first->op;
    out->count = 0;
    for (size_t i = 0; i < v->case_count && out->count < MOST_POINTS; i++) {
        if (strcmp(v->cases[i].first->op, op) != 0) continue;
        if (i < first) return false;
        out->list[out->count++] = &v->cases[i];
    }
    return out->count >= LEAST_POINTS;
}

void kernels_chart_vectors(FILE *to, const kernels_view *v)
{
    for (size_t i = 0; i < v->case_count; i++) {
        figure f;
        plot p = {.to = to, .x_name = "us"};
        if (kernels_family_of(v->cases[i].first->op) != KERNELS_VEC || !collect_op(v, i, &f))
            continue;
        for (size_t c = 0; c < f.count; c++)
            for (size_t d = 0; d < v->count; d++)
                plot_add(&p.x, y_of(f.list[c]->side[d].fastest, true));
        p.names = f.count;
        p.height = 60 + 19 * (double)f.count;
        plot_begin(&p, v->cases[i].first->op);
        for (size_t c = 0; c < f.count; c++) {
            plot_name(&p, c, f.list[c]->first->name);
            for (size_t d = 0; d < v->count; d++) {
                const kernels_row *r = f.list[c]->side[d].fastest;
                char class_name[32], tip[768];
                if (!r) continue;
                tip_of(&v->results[d].setup, r, tip, sizeof tip);
                plot_point(&p, device_class("dot", d, class_name, sizeof class_name),
                           (plot_mark)(d % PLOT_MARKS), r->ns / 1e3, plot_named(&p, c), tip);
            }
        }
        plot_end(&p);
    }
}
