#include "kernels_cases.h"

#include <stdlib.h>
#include <string.h>

#include "out.h"

typedef struct entry {
    const kernels_row *row;
    size_t device, order;
} entry;

static int by_case(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = strcmp(x->row->op, y->row->op);
    if (!order) order = strcmp(x->row->name, y->row->name);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static int by_order(const void *a, const void *b)
{
    const kernels_case *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

static void put(kernels_side *s, const kernels_row *row)
{
    const bool timed = !strcmp(row->status, "ok") && row->ns > 0;
    if (!timed)
        s->other = row;
    else if (!s->fastest || row->ns < s->fastest->ns)
        s->fastest = row;
}

/* Equal neighbours together. */
static size_t group(const entry *list, size_t count, kernels_case *out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const bool same = i > 0 && !strcmp(list[i].row->op, list[i - 1].row->op) &&
                          !strcmp(list[i].row->name, list[i - 1].row->name);
        if (!same) {
            out[n].first = list[i].row;
            out[n++].order = list[i].order;
        }
        put(&out[n - 1].side[list[i].device], list[i].row);
    }
    return n;
}

kernels_case *kernels_cases(const kernels_result *results, size_t count, size_t *cases)
{
    size_t all = 0, n = 0;
    entry *list;
    kernels_case *out;
    for (size_t d = 0; d < count; d++) all += results[d].count;
    list = malloc((all + 1) * sizeof *list);
    out = calloc(all + 1, sizeof *out);
    if (!list || !out) {
        out_error("kernels: no memory for %zu rows", all);
        free(list);
        free(out);
        return NULL;
    }
    for (size_t d = 0; d < count; d++)
        for (size_t i = 0; i < results[d].count; i++, n++)
            list[n] = (entry){&results[d].rows[i], d, n};
    qsort(list, all, sizeof *list, by_case);
    *cases = group(list, all, out);
    qsort(out, *cases, sizeof *out, by_order);
    free(list);
    return out;
}

static const struct {
    const char *begin;
    kernels_family family;
} families[] = {
    {"gemv", KERNELS_VEC},       {"norm_gemv", KERNELS_VEC},  {"up_", KERNELS_VEC},
    {"gemm", KERNELS_MAT},       {"attn", KERNELS_ATTENTION}, {"kv_", KERNELS_ATTENTION},
    {"rope", KERNELS_ATTENTION}, {"rmsnorm", KERNELS_NORM},   {"layernorm", KERNELS_NORM},
    {"quant", KERNELS_NORM},     {"hadamard", KERNELS_NORM},  {"repack", KERNELS_PACKING},
};

kernels_family kernels_family_of(const char *op)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strncmp(op, families[i].begin, strlen(families[i].begin))) return families[i].family;
    return KERNELS_REST;
}

const char *kernels_family_name(kernels_family family)
{
    static const char *const names[KERNELS_FAMILIES] = {
        "mat-vec", "mat-mat",           "attention and cache", "norms, quantisation, Top-K",
        "packing", "the rest of a step"};
    return names[family];
}
