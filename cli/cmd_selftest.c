#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "interrupt.h"
#include "out.h"
#include "progress.h"
#include "tests/kernels/cases.h"

/* What one row of the manifest did, over its cases and configurations. */
typedef struct tally {
    uint32_t runs, wrong, skipped;
    uint64_t words;
    char first[512];
} tally;

static void add(tally *t, const tvk_case *c, const tvk_case_result *r)
{
    t->runs++;
    t->words += r->compared;
    if (r->mismatches == 0) return;
    if (t->wrong++ == 0)
        snprintf(t->first, sizeof t->first, "%s: %llu of %llu words differ: %s", c->name,
                 (unsigned long long)r->mismatches, (unsigned long long)r->compared, r->text);
}

/* Does a row of the case's op still have something to show? once: what ran at all has not. */
static bool wanted(const tvk_kernels *kernels, uint32_t row, const tvk_case *c, bool once,
                   const tally *tallies)
{
    return tvk_shader_get(row)->op == c->op && tvk_kernels_eligible(kernels, row, NULL) &&
           !(once && tallies[row].runs);
}

static bool any_wanted(const tvk_kernels *kernels, const tvk_case *c, bool once,
                       const tally *tallies)
{
    for (uint32_t row = 0; row < tvk_shader_count(); row++)
        if (wanted(kernels, row, c, once, tallies)) return true;
    return false;
}

/* All rows and configurations (once: the default one) of one case. A device too small for a case
 * skips it. */
static int run_case(tvk_kernels *kernels, uint32_t index, const tvk_case *c, bool once,
                    tally *tallies)
{
    tvk_case_data *data = NULL;
    tvk_case_result result;
    tvk_error err;
    tvk_status st = tvk_case_open(index, kernels, &data, &err);
    for (uint32_t row = 0; row < tvk_shader_count(); row++) {
        const uint32_t configs = once ? 1 : tvk_kernels_config_count(kernels, row);
        if (!wanted(kernels, row, c, once, tallies)) continue;
        if (st == TVK_ERR_DEVICE_MEMORY || st == TVK_ERR_UNSUPPORTED) {
            tallies[row].skipped++;
            continue;
        }
        for (uint32_t config = 0; st == TVK_OK && config < configs; config++) {
            st = tvk_case_run(data, row, config, NULL, &result, &err);
            if (st == TVK_OK) add(&tallies[row], c, &result);
        }
        if (st != TVK_OK) break;
    }
    tvk_case_close(&data);
    return st == TVK_OK || st == TVK_ERR_DEVICE_MEMORY || st == TVK_ERR_UNSUPPORTED
               ? 0
               : out_failed(&err);
}

static int print_tallies(const tvk_kernels *kernels, const char *op, const tally *tallies)
{
    uint32_t wrong = 0, good = 0;
    for (uint32_t row = 0; row < tvk_shader_count(); row++) {
        const tvk_shader_info *info = tvk_shader_get(row);
        const tally *t = &tallies[row];
        const char *why = "";
        if (op && !strstr(tvk_op_name(info->op), op)) continue;
        if (!tvk_kernels_eligible(kernels, row, &why)) {
            printf("-     %-22s %s\n", info->name, why);
            continue;
        }
        if (t->wrong)
            printf("WRONG %-22s %u of %u runs; %s\n", info->name, t->wrong, t->runs, t->first);
        else if (t->runs)
            printf("ok    %-22s %u runs, %llu words\n", info->name, t->runs,
                   (unsigned long long)t->words);
        else
            printf("-     %-22s no case that fits\n", info->name);
        if (t->wrong)
            wrong++;
        else if (t->runs)
            good++;
    }
    printf("%u rows right, %u wrong\n", good, wrong);
    return wrong ? 1 : good ? 0 : 1;
}

int cmd_selftest(int argc, char **argv)
{
    enum { MAX_ROWS = 512 };
    static tally tallies[MAX_ROWS]; /* too large for the stack */
    const char *op = NULL, *none = NULL;
    bool all = false, once = false;
    const arg_option options[] = {
        {ARG_TEXT, "--op", "NAME", &op, "only kernels whose name has NAME in it", 0, 0, NULL},
        {ARG_FLAG, "--real", NULL, &all, "the shapes of real models too", 0, 0, NULL},
        {ARG_FLAG, "--once", NULL, &once, "each variant in one small case: for slow devices", 0, 0,
         NULL},
        {ARG_FLAG, "--exact", NULL, &engine_given.exact, "without the rows marked inexact", 0, 0,
         NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_device_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {
        "selftest",
        "[--op NAME] [--once | --real] [--device N|NAME]",
        "every kernel variant that this device can run, against the CPU reference",
        options,
        &none,
        0,
        0};
    engine e = {0};
    tvk_kernels *kernels = NULL;
    tvk_error err;
    tvk_progress progress;
    int status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    if (all && once) return out_error("selftest: --once or --real, not both"), 2;
    interrupt_catch();
    progress = progress_bar();
    status = tvk_shader_count() <= MAX_ROWS ? engine_open_device(&e) : 1;
    if (!status) {
        engine_banner(tvk_device_get_info(e.device));
        if (tvk_kernels_create(e.device, engine_given.exact, &kernels, &err) != TVK_OK)
            status = out_failed(&err);
    }
    for (uint32_t i = 0; !status && i < tvk_cases_count(); i++) {
        tvk_case c;
        tvk_case_get(i, &c);
        if (!progress.fn(progress.user, "checking", i + 1, tvk_cases_count())) break;
        if ((op && !strstr(tvk_op_name(c.op), op)) || (c.size == TVK_CASE_REAL && !all)) continue;
        if (any_wanted(kernels, &c, once, tallies))
            status = run_case(kernels, i, &c, once, tallies);
    }
    progress_clear();
    if (interrupted()) status = 1;
    if (!status) status = print_tallies(kernels, op, tallies);
    if (e.device && tvk_device_validation_messages(e.device) > 0) status = 1;
    tvk_kernels_destroy(&kernels);
    engine_close(&e);
    return status;
}
