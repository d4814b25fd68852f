#include "bench_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

static void add(bench_kernel *k, const tvk_profile_entry *e)
{
    k->dispatches++;
    k->ns += e->ns;
    k->bytes += e->bytes;
    k->int_ops += e->int_ops;
    k->float_ops += e->float_ops;
    k->matrix_ops += e->matrix_ops;
    k->half_ops += e->half_ops;
}

static void on_entry(void *user, const tvk_profile_entry *e)
{
    bench_profile *p = user;
    uint32_t i = 0;
    while (i < p->count && strcmp(p->kernels[i].program, e->program) != 0) i++;
    if (i == BENCH_KERNELS) i--; /* the rest together */
    if (i == p->count) p->kernels[p->count++].program = e->program;
    add(&p->kernels[i], e);
    add(&p->sum, e);
}

int bench_profile_take(tvk_model *model, const bench_test *t, uint32_t batch, uint32_t runs,
                       bench_profile *out)
{
    tvk_error err;
    uint32_t rows = t->n_prompt < batch ? t->n_prompt : batch;
    *out = (bench_profile){.step = {.sessions = t->n_parallel,
                                    .rows = rows ? rows : 1,
                                    .depth = t->n_depth + (rows ? 0 : t->n_gen / 2),
                                    .runs = runs}};
    out->sum.program = "sum";
    if (tvk_model_profile(model, &out->step, on_entry, out, &out->step_ns, &err) != TVK_OK)
        return out_failed(&err);
    return 0;
}

void bench_profile_programs(const bench_profile *p, char *text, size_t bytes)
{
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < p->count; i++) {
        size_t n = strlen(p->kernels[i].program) + (i > 0);
        if (at + n >= bytes) return;
        snprintf(text + at, n + 1, "%s%s", i ? " " : "", p->kernels[i].program);
        at += n;
    }
}

static int slower_first(const void *a, const void *b)
{
    double x = ((const bench_kernel *)a)->ns, y = ((const bench_kernel *)b)->ns;
    return (x < y) - (x > y);
}

/* "1234.5 (38 %)" of a rate in units a nanosecond against a peak in units a second. */
static void print_rate(double amount, double ns, double peak)
{
    double rate = ns > 0 ? amount / ns : 0;
    if (amount <= 0 || ns <= 0)
        fputs(" - |", stdout);
    else if (peak > 0)
        printf(" %.4g (%.0f %%) |", rate, 100 * rate * 1e9 / peak);
    else
        printf(" %.4g |", rate);
}

/* What the bytes and the arithmetic take at the measured peaks, whichever is longer. */
static double bound_ns(const bench_kernel *k, const tvk_peaks *peaks)
{
    double most = 0;
    const double times[] = {
        peaks->read_bytes > 0 ? k->bytes / peaks->read_bytes : 0,
        peaks->int_ops > 0 ? k->int_ops / peaks->int_ops : 0,
        peaks->float_ops > 0 ? k->float_ops / peaks->float_ops : 0,
        (peaks->matrix_ops > 0 ? k->matrix_ops / peaks->matrix_ops : 0) +
            (peaks->half_ops > 0 ? k->half_ops / peaks->half_ops : 0), /* one unit */
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (times[i] > most) most = times[i];
    return most * 1e9;
}

static void print_row(const bench_kernel *k, const bench_profile *p, double bound,
                      const tvk_peaks *peaks)
{
    printf("| %s | %u | %.1f | %.1f | %.1f | %.3f |", k->program, k->dispatches, k->ns / 1e3,
           p->sum.ns > 0 ? 100 * k->ns / p->sum.ns : 0, bound / 1e3, k->bytes / 1e6);
    print_rate(k->bytes, k->ns, peaks->read_bytes);
    print_rate(k->int_ops, k->ns, peaks->int_ops);
    if (k->half_ops > 0 && k->matrix_ops <= 0)
        print_rate(k->half_ops, k->ns, peaks->half_ops);
    else
        print_rate(k->matrix_ops, k->ns, peaks->matrix_ops);
    print_rate(k->float_ops, k->ns, peaks->float_ops);
    putchar('\n');
}

void bench_profile_table(const bench_profile *p, const bench_test *test, const tvk_peaks *peaks)
{
    bench_kernel sorted[BENCH_KERNELS];
    double bound = 0;
    char name[64];
    memcpy(sorted, p->kernels, sizeof sorted);
    qsort(sorted, p->count, sizeof *sorted, slower_first);
    printf("\n%s, a step of %u x %u rows at %u: %.1f us; with a time stamp behind each dispatch, "
           "which drains the queue, %.1f us:\n\n",
           bench_test_name(test, name, sizeof name), p->step.sessions, p->step.rows, p->step.depth,
           p->step_ns / 1e3, p->sum.ns / 1e3);
    puts("| kernel | dispatches | us | share % | bound us | MB | GB/s (of read) | integer Gop/s "
         "(of peak) | matrix Gop/s (of peak) | float Gop/s (of peak) |\n"
         "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for (uint32_t i = 0; i < p->count; i++) {
        bound += bound_ns(&sorted[i], peaks);
        print_row(&sorted[i], p, bound_ns(&sorted[i], peaks), peaks);
    }
    print_row(&p->sum, p, bound, peaks);
}

void bench_peaks_line(const tvk_peaks *k)
{
    char matrix[64] = "none used";
    if (k->matrix_ops > 0 || k->half_ops > 0)
        snprintf(matrix, sizeof matrix, "of bytes %.4g, of f16 %.4g Gop/s", k->matrix_ops / 1e9,
                 k->half_ops / 1e9);
    printf("\nmeasured peaks: read %.4g GB/s, copy %.4g GB/s (read and written), integer %.4g "
           "Gop/s (%s), matrices %s, f32 %.4g Gop/s (multiplication and addition, each "
           "rounded)\n",
           k->read_bytes / 1e9, k->copy_bytes / 1e9, k->int_ops / 1e9, k->int_row, matrix,
           k->float_ops / 1e9);
}

static json_t *kernel_json(const bench_kernel *k)
{
    return json_pack("{ss si sf sf sf sf sf sf}", "kernel", k->program, "dispatches",
                     (int)k->dispatches, "ns", k->ns, "bytes", k->bytes, "int_ops", k->int_ops,
                     "float_ops", k->float_ops, "matrix_ops", k->matrix_ops, "half_ops",
                     k->half_ops);
}

json_t *bench_profile_json(const bench_profile *p, const tvk_peaks *k)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < p->count; i++)
        json_array_append_new(list, kernel_json(&p->kernels[i]));
    return json_pack("{si si si sf sf s{sf sf sf ss sf sf sf} so}", "sessions",
                     (int)p->step.sessions, "rows", (int)p->step.rows, "depth", (int)p->step.depth,
                     "step_ns", p->step_ns, "stamped_ns", p->sum.ns, "peaks", "read_bytes",
                     k->read_bytes, "copy_bytes", k->copy_bytes, "int_ops", k->int_ops, "int_row",
                     k->int_row, "float_ops", k->float_ops, "matrix_ops", k->matrix_ops, "half_ops",
                     k->half_ops, "kernels", list);
}
