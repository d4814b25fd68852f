#include "kernels_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "out.h"

typedef char cell[32];

/* "12.3", or "-" for what is not there. */
static const char *number(double v, const char *format, char *text)
{
    snprintf(text, sizeof(cell), v > 0 ? format : "-", v);
    return text;
}

static void print_peaks(const kernels_setup *s)
{
    cell c[6];
    printf("%s, %s%s%s\n\n"
           "| peaks | read GB/s | copy GB/s (read and written) | integer Gop/s | f32 Gop/s | "
           "matrices of bytes Gop/s | of f16 Gop/s |\n|---|--:|--:|--:|--:|--:|--:|\n"
           "| %s | %s | %s | %s | %s | %s | %s |\n\n",
           s->device, s->driver, s->note[0] ? "; " : "", s->note, s->int_row,
           number(s->read_gb_per_s, "%.1f", c[0]), number(s->copy_gb_per_s, "%.1f", c[1]),
           number(s->int_gop_per_s, "%.1f", c[2]), number(s->float_gop_per_s, "%.1f", c[3]),
           number(s->matrix_gop_per_s, "%.1f", c[4]), number(s->half_gop_per_s, "%.1f", c[5]));
}

static void print_md(const kernels_row *r)
{
    cell c[5];
    if (strcmp(r->status, "ok") != 0) {
        printf("| %s | %s | %s | %s: %s | | | | | | | |\n", r->op, r->name, r->row,
               strcmp(r->status, "wrong") ? "skipped" : "WRONG", r->why);
        return;
    }
    printf("| %s | %s | %s | %s | %.0f %% | %s | %s | %s | %s |", r->op, r->name, r->row,
           number(r->ns_median / 1e3, "%.2f", c[0]),
           r->ns_median > 0 ? (r->ns_max - r->ns_min) / r->ns_median * 100 : 0,
           number(r->submit_ns / 1e3, "%.2f", c[1]), number(r->net_ns / 1e3, "%.2f", c[2]),
           number(r->gb_per_s, "%.2f", c[3]), number(r->tops, "%.4g", c[4]));
    if (r->bound[0])
        printf(" %.0f %% %s |", r->peak_percent, r->bound);
    else
        printf(" - |");
    printf(" %.3g %% |\n", 100 * r->checked);
}

void kernels_print_begin(bench_form form, const kernels_setup *setup)
{
    json_t *o = form == BENCH_JSON || form == BENCH_JSONL ? kernels_setup_json(setup) : NULL;
    char *line = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (form == BENCH_JSON) printf("{\"setup\":%s,\n\"rows\":[", line ? line : "{}");
    if (form == BENCH_JSONL && line) puts(line);
    if (form == BENCH_MD) {
        print_peaks(setup);
        puts(
            "| kernel | case | row | us | spread | submit to wait us | less an empty one us | GB/s "
            "| TOPS | of the peak | checked |\n"
            "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    }
    fflush(stdout);
    free(line);
    json_decref(o);
}

bool kernels_print_row(bench_form form, const kernels_setup *setup, const kernels_row *row,
                       size_t index)
{
    json_t *o = NULL;
    char *line = NULL;
    bool ok = true;
    if (form == BENCH_MD) {
        print_md(row);
    } else {
        o = kernels_row_json(setup, row);
        line = o && form != BENCH_CSV ? json_dumps(o, JSON_COMPACT) : NULL;
        ok = o && (line || form == BENCH_CSV);
        if (!ok) out_error("kernels: a row cannot be written");
    }
    if (ok && form == BENCH_CSV) csv_row(o, index == 0);
    if (ok && form == BENCH_JSON) printf("%s\n%s", index ? "," : "", line);
    if (ok && form == BENCH_JSONL) puts(line);
    fflush(stdout);
    free(line);
    json_decref(o);
    return ok;
}

void kernels_print_end(bench_form form, size_t rows)
{
    if (form == BENCH_JSON) puts(rows ? "\n]}" : "]}");
}
