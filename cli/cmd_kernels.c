#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "interrupt.h"
#include "kernels_compare.h"
#include "kernels_module.h"
#include "kernels_report.h"
#include "kernels_run.h"
#include "kernels_table.h"
#include "out.h"

#define MOST_FILES 8 /* that a report can show side by side */
#define MOST_SIDE 1048576u
#define MOST_ROWS 4096u

typedef struct given {
    kernels_request request;
    const char *shape, *format, *compare, *report, *kernel, *row, *include;
    const char *files[MOST_FILES];
    float threshold;
    bench_form form;
} given;

/* "2560x6912" or "2560x6912x32": N, K and T. */
static int parse_shape(given *g)
{
    const uint32_t most[] = {MOST_SIDE, MOST_SIDE, MOST_ROWS};
    uint32_t sides[3] = {0, 0, 1};
    const char *at = g->shape;
    for (int i = 0; i < 3 && at; i++) {
        char *end = NULL;
        unsigned long v = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : 0;
        if (v == 0 || v > most[i]) break;
        sides[i] = (uint32_t)v;
        if (*end == '\0' && i > 0) {
            g->request.n = sides[0];
            g->request.k = sides[1];
            g->request.t = sides[2];
            return 0;
        }
        at = *end == 'x' ? end + 1 : NULL;
    }
    out_error("--shape: NxKxM expected, N outputs and K inputs up to %u and M rows up to %u, '%s' "
              "found",
              MOST_SIDE, MOST_ROWS, g->shape);
    return 2;
}

static bool on_row(void *user, const kernels_result *r)
{
    const given *g = user;
    return kernels_print_row(g->form, &r->setup, &r->rows[r->count - 1], r->count - 1);
}

/* Measures on the device and prints as it goes. */
static int measure(given *g, kernels_result *out)
{
    engine e = {0};
    kernels_module module = {0};
    int status = 0;
    if (g->kernel) {
        status = kernels_module_compile(g->kernel, g->row, g->include, &module);
        g->request.module = &module;
    }
    if (!status) status = engine_open_device(&e);
    if (!status) {
        engine_banner(tvk_device_get_info(e.device));
        status = kernels_setup_of(e.device, &g->request, &out->setup);
    }
    if (!status) {
        kernels_print_begin(g->form, &out->setup);
        status = kernels_measure(e.device, &g->request, out, on_row, g);
        kernels_print_end(g->form, out->count);
        if (!status && out->count == 0) {
            out_error("kernels: no case is of that kernel, name and shape");
            status = 2;
        }
    }
    if (!status) status = engine_validated(&e);
    engine_close(&e);
    kernels_module_free(&module);
    g->request.module = NULL;
    return status;
}

/* Results of files, printed unless a report or a comparison is made of them. */
static int read_files(given *g, kernels_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!kernels_read(g->files[i], &results[i])) return 1;
    for (size_t i = 0; i < count && !g->report && !g->compare; i++) {
        const kernels_result *r = &results[i];
        kernels_print_begin(g->form, &r->setup);
        for (size_t row = 0; row < r->count; row++)
            if (!kernels_print_row(g->form, &r->setup, &r->rows[row], row)) return 1;
        kernels_print_end(g->form, r->count);
    }
    return 0;
}

/* Compares before a report is written, which it does not keep from being written. */
static int compare(const given *g, const kernels_result *now)
{
    FILE *to = g->form == BENCH_MD ? stdout : stderr;
    kernels_result old;
    int status;
    if (!kernels_read(g->compare, &old)) return 1;
    status = kernels_compare(&old, now, &g->request, (double)g->threshold, to);
    kernels_free(&old);
    return status;
}

static int check(given *g, size_t files)
{
    if (!bench_form_parse(g->format, &g->form)) return 2;
    if (g->shape && parse_shape(g)) return 2;
    if (g->row && !g->kernel) return out_error("--row: --kernel FILE.comp expected with it"), 2;
    if (g->kernel && files)
        return out_error("--kernel: measures, and takes no files of results"), 2;
    if (g->kernel && g->request.variant)
        return out_error("--variant: not beside --kernel, which --row gives its row of the "
                         "manifest"),
               2;
    if (g->compare && files > 1)
        return out_error("--compare: one file of results beside it expected, %zu found", files), 2;
    if (files > 1 && g->form == BENCH_JSON && !g->report)
        return out_error("-o json: one file of results expected, %zu found", files), 2;
    return 0;
}

static int run(given *g)
{
    kernels_result results[MOST_FILES] = {0};
    size_t files = 0;
    int status, compared = 0;
    bool shown;
    while (files < MOST_FILES && g->files[files]) files++;
    status = check(g, files);
    if (status) return status;
    interrupt_catch();
    status = files ? read_files(g, results, files) : measure(g, &results[0]);
    /* Files are shown if all were read; what was measured, if wrong or cut short too. */
    shown = files ? !status : results[0].count > 0;
    if (shown && g->compare) compared = compare(g, &results[0]);
    if (shown && g->report && !kernels_report(g->report, results, files ? files : 1)) status = 1;
    for (size_t i = 0; i < MOST_FILES; i++) kernels_free(&results[i]);
    return status ? status : compared;
}

int cmd_kernels(int argc, char **argv)
{
    given g = {.format = "md", .threshold = 10, .request = {.repetitions = 5, .patience = 20}};
    kernels_request *r = &g.request;
    const arg_option options[] = {
        {ARG_TEXT, "--op", "NAME", &r->op, "only kernels whose name has NAME in it", 0, 0, NULL},
        {ARG_TEXT, "--case", "TEXT", &r->name, "only cases whose name has TEXT in it", 0, 0, NULL},
        {ARG_TEXT, "--shape", "NxKxM", &g.shape,
         "mat-vecs (M 1) or mat-mats of N outputs, K inputs and M rows", 0, 0, NULL},
        {ARG_TEXT, "--variant", "NAME", &r->variant,
         "only rows of this variant, in every configuration", 0, 0, NULL},
        {ARG_FLAG, "--all-variants", NULL, &r->all,
         "every row and configuration, not the default alone", 0, 0, NULL},
        {ARG_U32, "-r, --repetitions", "N", &r->repetitions, "timed runs (5)", 1, 256, NULL},
        {ARG_U32, "--inner", "N", &r->inner, "dispatches between two time stamps", 1, 1e4, NULL},
        {ARG_U32, "--rotate", "MIB", &r->rotate_mib,
         "between them, take copies of the weights in turn, so many MiB in all: what a cache holds "
         "does not help",
         0, 16384, NULL},
        {ARG_U32, "--patience", "S", &r->patience,
         "leave out a case of which one run would take longer (20)", 1, 1e6, NULL},
        {ARG_TEXT, "-o, --output", "md|csv|json|jsonl", &g.format, "form of the table", 0, 0, NULL},
        {ARG_TEXT, "--note", "TEXT", &r->note, "kept with the results: what else ran, and so on", 0,
         0, NULL},
        {ARG_TEXT, "--compare", "OLD.json", &g.compare,
         "results of -o json to compare with; exit code 1 where something is slower or wrong", 0, 0,
         NULL},
        {ARG_F32, "--threshold", "PERCENT", &g.threshold, "by so much (10)", 0, 1e6, NULL},
        {ARG_TEXT, "--report", "FILE.html", &g.report,
         "one page with rooflines, tables and device facts", 0, 0, NULL},
        {ARG_TEXT, "--kernel", "FILE.comp", &g.kernel,
         "a kernel of your own beside the row that it stands in for (needs libshaderc)", 0, 0,
         NULL},
        {ARG_TEXT, "--row", "NAME", &g.row, "that row (the file's name)", 0, 0, NULL},
        {ARG_TEXT, "--include", "DIR", &g.include, "where its includes are, but for ternvk's own",
         0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_device_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {
        "kernels",
        "[--op NAME] [--all-variants] [-o json] [--compare OLD.json] [--report FILE.html] "
        "[FILE.json ...]",
        "time kernels at the shapes of real models, each checked before; with files of results, "
        "print, compare or report on those",
        options,
        g.files,
        0,
        MOST_FILES};
    int status = args_parse(&command, argc, argv);
    return status >= 0 ? status : run(&g);
}
