#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "interrupt.h"
#include "out.h"
#include "tests/kernels/cases.h"

typedef enum form { FORM_MD, FORM_CSV, FORM_JSONL } form;

static void print_head(form f)
{
    if (f == FORM_MD)
        puts("| kernel | case | row | us | spread | GB/s | Gop/s |\n|---|---|---|--:|--:|--:|--:|");
    if (f == FORM_CSV) puts("op,case,row,ns_median,ns_min,ns_max,gb_per_s,gop_per_s,wrong_words");
}

static void print_result(form f, const tvk_device_info *d, const tvk_case *c,
                         const tvk_case_result *r)
{
    double gb = r->ns_median > 0 ? r->bytes / r->ns_median : 0;
    double gop = r->ns_median > 0 ? r->operations / r->ns_median : 0;
    const char *op = tvk_op_name(c->op);
    if (f == FORM_MD) {
        if (r->mismatches)
            printf("| %s | %s | %s | WRONG: %s | | | |\n", op, c->name, r->program, r->text);
        else
            printf("| %s | %s | %s | %.2f | %.0f %% | %.1f | %.1f |\n", op, c->name, r->program,
                   r->ns_median / 1e3,
                   r->ns_median > 0 ? (r->ns_max - r->ns_min) / r->ns_median * 100 : 0, gb, gop);
    } else if (f == FORM_CSV) {
        printf("%s,%s,%s,%.0f,%.0f,%.0f,%.2f,%.2f,%llu\n", op, c->name, r->program, r->ns_median,
               r->ns_min, r->ns_max, gb, gop, (unsigned long long)r->mismatches);
    } else {
        json_t *o =
            json_pack("{ss ss ss ss ss si sf sf sf sf sf sI sI}", "device", d->name, "driver",
                      d->driver, "op", op, "case", c->name, "row", r->program, "samples",
                      (int)r->samples, "ns_median", r->ns_median, "ns_min", r->ns_min, "ns_max",
                      r->ns_max, "gb_per_s", gb, "gop_per_s", gop, "compared_words",
                      (json_int_t)r->compared, "wrong_words", (json_int_t)r->mismatches);
        char *line = o ? json_dumps(o, JSON_COMPACT) : NULL;
        if (line) puts(line);
        free(line);
        json_decref(o);
    }
    fflush(stdout);
}

int cmd_kernels(int argc, char **argv)
{
    const char *op = NULL, *format = "md", *none = NULL, *shape = NULL, *variant = NULL;
    bool all = false;
    tvk_case_options timing = {.repetitions = 5, .inner = 0};
    const arg_option options[] = {
        {ARG_TEXT, "--op", "NAME", &op, "only kernels whose name has NAME in it", 0, 0, NULL},
        {ARG_TEXT, "--case", "TEXT", &shape, "only cases whose name has TEXT in it", 0, 0, NULL},
        {ARG_TEXT, "--variant", "NAME", &variant,
         "only rows of this variant, in every configuration", 0, 0, NULL},
        {ARG_FLAG, "--all-variants", NULL, &all,
         "every row and configuration, not the default alone", 0, 0, NULL},
        {ARG_U32, "-r, --repetitions", "N", &timing.repetitions, "timed runs (5)", 1, 1e6, NULL},
        {ARG_U32, "--inner", "N", &timing.inner, "dispatches between two time stamps", 1, 1e4,
         NULL},
        {ARG_TEXT, "-o, --output", "md|csv|jsonl", &format, "form of the table", 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_device_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {"kernels",
                                 "[--op NAME] [--all-variants] [-o jsonl]",
                                 "time kernels at the shapes of real models, each checked before",
                                 options,
                                 &none,
                                 0,
                                 0};
    engine e = {0};
    tvk_kernels *kernels = NULL;
    tvk_error err;
    form f;
    int status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    f = !strcmp(format, "csv") ? FORM_CSV : !strcmp(format, "jsonl") ? FORM_JSONL : FORM_MD;
    if (f == FORM_MD && strcmp(format, "md") != 0) {
        out_error("-o: md, csv or jsonl expected, '%s' found", format);
        return 2;
    }
    interrupt_catch();
    status = engine_open_device(&e);
    if (!status) {
        engine_banner(tvk_device_get_info(e.device));
        if (tvk_kernels_create(e.device, false, &kernels, &err) != TVK_OK)
            status = out_failed(&err);
        else
            print_head(f);
    }
    for (uint32_t i = 0; !status && i < tvk_cases_count() && !interrupted(); i++) {
        tvk_case_data *data = NULL;
        tvk_case c;
        tvk_status st;
        tvk_case_get(i, &c);
        if (c.size != TVK_CASE_REAL || (op && !strstr(tvk_op_name(c.op), op)) ||
            (shape && !strstr(c.name, shape)))
            continue;
        st = tvk_case_open(i, kernels, &data, &err);
        for (uint32_t row = 0; st == TVK_OK && row < tvk_shader_count(); row++) {
            const char *name = tvk_shader_get(row)->variant;
            uint32_t configs = all || variant ? tvk_kernels_config_count(kernels, row) : 1;
            if (tvk_shader_get(row)->op != c.op || !tvk_kernels_eligible(kernels, row, NULL))
                continue;
            if (variant && strcmp(name, variant) != 0) continue;
            if (!all && !variant && tvk_kernels_default(kernels, c.op) != row) continue;
            for (uint32_t config = 0; st == TVK_OK && config < configs; config++) {
                tvk_case_result result;
                st = tvk_case_run(data, row, config, &timing, &result, &err);
                if (st != TVK_OK) break;
                print_result(f, tvk_device_get_info(e.device), &c, &result);
                if (result.mismatches) status = 1;
            }
        }
        tvk_case_close(&data);
        if (st != TVK_OK) {
            bool too_small = st == TVK_ERR_DEVICE_MEMORY || st == TVK_ERR_UNSUPPORTED;
            out_error("%s %s: %s", tvk_op_name(c.op), c.name, err.text);
            if (!too_small) status = 1;
        }
    }
    tvk_kernels_destroy(&kernels);
    engine_close(&e);
    return status;
}
