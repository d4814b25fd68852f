#include "kernels_compare.h"

#include <stdlib.h>
#include <string.h>

#include "out.h"

typedef struct counts {
    size_t compared, slower, faster, wrong, missing, added;
} counts;

/* ---- matching ---- */

static int by_key(const void *a, const void *b)
{
    const kernels_row *x = *(const kernels_row *const *)a, *y = *(const kernels_row *const *)b;
    int order = strcmp(x->op, y->op);
    if (!order) order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->row, y->row);
}

/* Pointers to the rows, sorted; NULL: no memory. */
static const kernels_row **sorted(const kernels_result *r)
{
    const kernels_row **list = malloc((r->count + 1) * sizeof *list);
    if (!list) {
        out_error("kernels: no memory for %zu rows", r->count);
        return NULL;
    }
    for (size_t i = 0; i < r->count; i++) list[i] = &r->rows[i];
    qsort(list, r->count, sizeof *list, by_key);
    return list;
}

static const kernels_row *find(const kernels_row **list, size_t count, const kernels_row *key)
{
    const kernels_row **at = bsearch(&key, list, count, sizeof *list, by_key);
    return at ? *at : NULL;
}

/* ---- lines ---- */

static void one_side(FILE *to, const char *what, const kernels_row *r)
{
    fprintf(to, "%-8s %s | %s | %s\n", what, r->op, r->name, r->row);
}

static void both_sides(FILE *to, const kernels_row *old, const kernels_row *now, double threshold,
                       counts *c)
{
    const double change = 100 * (now->ns / old->ns - 1);
    const bool slower = change > threshold, faster = 100 * (old->ns / now->ns - 1) > threshold;
    c->compared++;
    c->slower += slower;
    c->faster += faster;
    if (slower || faster)
        fprintf(to, "%-8s %s | %s | %s | %.2f us -> %.2f us, %+.1f %%\n",
                slower ? "slower" : "faster", now->op, now->name, now->row, old->ns / 1e3,
                now->ns / 1e3, change);
}

static bool timed(const kernels_row *r)
{
    return r && !strcmp(r->status, "ok") && r->ns > 0;
}

static bool wrong(const kernels_row *r)
{
    return r && !strcmp(r->status, "wrong");
}

static bool asked_for(const kernels_request *q, const kernels_row *r)
{
    const uint32_t shape[] = {(uint32_t)(r->n < 4e9 ? r->n : 0), (uint32_t)(r->k < 4e9 ? r->k : 0),
                              (uint32_t)(r->t < 4e9 ? r->t : 0)};
    return kernels_wanted(q, r->op, r->name, shape);
}

/* Old rows against what they are now; those that are wrong now are new_rows' to count. */
static void old_rows(FILE *to, const kernels_result *old, const kernels_row **after, size_t count,
                     const kernels_request *request, double threshold, counts *c)
{
    for (size_t i = 0; i < old->count; i++) {
        const kernels_row *o = &old->rows[i], *n = find(after, count, o);
        if (!timed(o) || !asked_for(request, o) || wrong(n)) continue;
        if (timed(n)) {
            both_sides(to, o, n, threshold, c);
        } else {
            one_side(to, n ? n->status : "missing", o);
            c->missing++;
        }
    }
}

static void new_rows(FILE *to, const kernels_result *now, const kernels_row **before, size_t count,
                     counts *c)
{
    for (size_t i = 0; i < now->count; i++) {
        const kernels_row *n = &now->rows[i];
        const bool added = timed(n) && !timed(find(before, count, n));
        c->wrong += wrong(n);
        c->added += added;
        if (wrong(n) || added) one_side(to, added ? "new" : n->status, n);
    }
}

int kernels_compare(const kernels_result *old, const kernels_result *now,
                    const kernels_request *request, double threshold, FILE *to)
{
    const kernels_row **before = NULL, **after = NULL;
    counts c = {0};
    if (strcmp(old->setup.device, now->setup.device) != 0) {
        out_error("--compare: %s: rows of '%s' expected, of '%s' found", old->path,
                  now->setup.device, old->setup.device);
        return 1;
    }
    before = sorted(old);
    after = before ? sorted(now) : NULL;
    if (!after) {
        free(before);
        return 1;
    }
    fprintf(to, "\ncompared with %s (%s, %s), threshold %g %%:\n", old->path, old->setup.driver,
            old->setup.time, threshold);
    old_rows(to, old, after, now->count, request, threshold, &c);
    new_rows(to, now, before, old->count, &c);
    fprintf(to, "%zu compared: %zu slower, %zu faster; %zu wrong, %zu missing, %zu new\n",
            c.compared, c.slower, c.faster, c.wrong, c.missing, c.added);
    free(before);
    free(after);
    if (c.compared == 0) out_error("--compare: no row of %s was measured now", old->path);
    return c.slower > 0 || c.wrong > 0 || c.compared == 0;
}
