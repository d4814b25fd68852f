/* Every case x every row of the manifest that the device can run x every configuration, against
 * ref/: bit for bit but for rows marked inexact.
 *   test_kernels [tiny|small|real|checked] [part of an op's name]
 * checked: each row once, in a tiny case, while the validation layer checks every access that the
 * kernel makes on the device.
 * TERNVK_DEVICE selects the device; TERNVK_VALIDATE=0: without the validation layer. Without a size
 * CPU drivers, which compile slowly, get a part of it, SwiftShader the least; with one the whole
 * runs anywhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kernels/internal.h"
#include "tests/kernels/cases.h"

#define SKIPPED 77
#define CHECKED "checked"
#define MAX_ROWS 512
#define LEAST_INVOCATIONS 128u /* of a workgroup, that every device has */
#define MOST_TURNS 8u

/* Which configurations of a row run. */
typedef enum scope {
    ALL,      /* in small cases those of the device's class */
    TURNS,    /* ALL, but those beyond the defaults take turns over the cases of an op, those of
               * matrices over the small ones */
    FEW,      /* the default, in tiny cases that of the other class too */
    SUBGROUP, /* FEW of the rows that use a subgroup, DEFAULTS of the others */
    DEFAULTS, /* the default */
    FIXED,    /* DEFAULTS, in some cases with fixed parameters too */
    ONCE      /* the default, in the last tiny case that it can run: no trivial one */
} scope;

typedef struct totals {
    bool ran[MAX_ROWS]; /* with a result */
    uint32_t cases, runs, failures, skipped;
    uint64_t words;
} totals;

static void print_log(void *user, tvk_log_level level, const char *text)
{
    (void)user;
    fprintf(stderr, level == TVK_LOG_ERROR ? "error: %s\n" : "%s\n", text);
}

static int no_device(const tvk_error *err)
{
    if (getenv("TVK_REQUIRE_DEVICE")) {
        fprintf(stderr, "FAILED: a Vulkan device is required: %s\n", err->text);
        return 1;
    }
    fprintf(stderr, "SKIPPED: NO KERNEL WAS TESTED, there is no Vulkan device: %s\n", err->text);
    return SKIPPED;
}

/* Dot products that the driver takes apart are the plain row in other words, and slow to compile:
 * tiny cases and a few configurations will do. */
static bool emulated(const tvk_kernels *kernels, uint32_t row)
{
    const tvk_plan *plan = tvk_gpu_plan(tvk_kernels_device(kernels));
    return (tvk_shader_get(row)->caps & TVK_CAP_DOT) &&
           !tvk_select_worth(plan, tvk_shader_get(row), false);
}

/* Each configuration has a way of its own for sums to leave whole tiles, and the others. */
static bool by_matrices(uint32_t row)
{
    const uint32_t matrices = (uint32_t)TVK_CAP_COOPMAT_I8 | (uint32_t)TVK_CAP_COOPMAT_F16;
    return (tvk_shader_get(row)->caps & matrices) != 0;
}

/* Of a row. */
static scope scope_of(const tvk_kernels *kernels, uint32_t row, scope what)
{
    if (what == SUBGROUP) return tvk_shader_get(row)->caps & TVK_CAP_SUBGROUP ? FEW : DEFAULTS;
    if (what == FIXED) what = DEFAULTS;
    return emulated(kernels, row) && what != DEFAULTS ? FEW : what;
}

/* Configurations of the other class compile for long and show what they can in tiny shapes; but the
 * default of the other class runs in small ones where its workgroup is one that not every device
 * has: then what an invocation holds depends on the size. `turn`: the case's number among the
 * `turns` over which they take turns. */
static bool runs(const tvk_kernels *kernels, uint32_t row, uint32_t config, tvk_case_size size,
                 scope what, uint32_t turn, uint32_t turns)
{
    const tvk_plan *plan = tvk_gpu_plan(tvk_kernels_device(kernels));
    const tvk_config *c = tvk_config_get(plan, tvk_shader_get(row), config);
    const uint32_t own = tvk_kernels_own_configs(kernels, row);
    const bool large = c->group > LEAST_INVOCATIONS, other = config == own;
    if (size == TVK_CASE_REAL) return true;
    if (what == ONCE) return config == 0;
    what = scope_of(kernels, row, what);
    if (what > TURNS && plan->cpu && large) return false;
    if (what == DEFAULTS) return config == 0;
    if (what == FEW) return config == 0 || (other && size == TVK_CASE_TINY);
    if (what == TURNS && config != 0 && !other && config % turns != turn &&
        !(by_matrices(row) && size == TVK_CASE_TINY))
        return false;
    return size == TVK_CASE_TINY || config < own || (other && large) || config == 0;
}

/* Parameters that most GPUs have fixed: on host cores the default of some tiny cases runs with them
 * too. lavapipe, which compiles some for half a minute then, does that for rows that SwiftShader
 * cannot run. */
static bool runs_fixed(const tvk_kernels *kernels, uint32_t index, const tvk_case *info,
                       uint32_t row, uint32_t config, scope what)
{
    const uint32_t others = TVK_CAP_SUBGROUP | TVK_CAP_COOPMAT_I8 | TVK_CAP_COOPMAT_F16;
    if (tvk_gpu_plan(tvk_kernels_device(kernels))->fixes || what == ONCE || config != 0)
        return false;
    return tvk_op_fixed_words(info->op) > 0 && info->size == TVK_CASE_TINY &&
           (what == FIXED || (tvk_shader_get(row)->caps & others)) && tvk_case_fixed(index);
}

/* A case in one configuration of a row, or with fixed parameters. */
static tvk_status run_one(tvk_case_data *data, const tvk_case *info, uint32_t row, uint32_t config,
                          bool fixed, totals *t, tvk_error *err)
{
    const tvk_case_options options = {.fixed = fixed};
    tvk_case_result r;
    tvk_status st = tvk_case_run(data, row, config, &options, &r, err);
    if (st != TVK_OK) return st;
    t->ran[row] = true;
    t->runs++;
    t->words += r.compared;
    if (!r.mismatches) return st;
    t->failures++;
    printf("  MISMATCH %s%s: %s: %llu of %llu words: %s\n", r.program, fixed ? " fixed" : "",
           info->name, (unsigned long long)r.mismatches, (unsigned long long)r.compared, r.text);
    return st;
}

/* One case on every row. */
static bool run_case(uint32_t index, const tvk_case *info, tvk_kernels *kernels, scope what,
                     uint32_t turn, uint32_t turns, totals *t)
{
    tvk_error err = {0};
    tvk_case_data *data = NULL;
    tvk_status st = tvk_case_open(index, kernels, &data, &err);
    if (st == TVK_ERR_UNSUPPORTED || st == TVK_ERR_DEVICE_MEMORY) {
        printf("  skipped: %s %s: %s\n", tvk_op_name(info->op), info->name, err.text);
        t->skipped++;
        return true;
    }
    for (uint32_t row = 0; st == TVK_OK && row < tvk_shader_count(); row++) {
        if (tvk_shader_get(row)->op != info->op || !tvk_kernels_eligible(kernels, row, NULL))
            continue;
        if (emulated(kernels, row) && info->size > TVK_CASE_TINY) continue;
        if (what == ONCE && t->ran[row]) continue;
        for (uint32_t c = 0; st == TVK_OK && c < tvk_kernels_config_count(kernels, row); c++) {
            if (!runs(kernels, row, c, info->size, what, turn, turns)) continue;
            st = run_one(data, info, row, c, false, t, &err);
            if (st == TVK_OK && runs_fixed(kernels, index, info, row, c, what))
                st = run_one(data, info, row, c, true, t, &err);
        }
    }
    tvk_case_close(&data);
    t->cases++;
    if (st == TVK_OK) return true;
    printf("  ERROR %s %s: %s: %s (%s:%d)\n", tvk_op_name(info->op), info->name,
           tvk_status_name(st), err.text, err.file, err.line);
    t->failures++;
    return st != TVK_ERR_DEVICE_LOST;
}

static void print_op(tvk_op op, const totals *t, double seconds)
{
    printf("%-16s %3u cases %5u runs %10llu words %6.1f s%s\n", tvk_op_name(op), t->cases, t->runs,
           (unsigned long long)t->words, seconds, t->failures ? "  FAILED" : "");
    fflush(stdout);
}

/* Cases of sizes up to `size` (REAL: those alone). */
static bool chosen(const tvk_case *info, tvk_case_size size, const char *name)
{
    bool fits = size == TVK_CASE_REAL ? info->size == size : info->size <= size;
    return fits && (!name || strstr(tvk_op_name(info->op), name));
}

/* All cases, read once: each is found by counting those before it. */
typedef struct case_table {
    tvk_case *cases;
    uint32_t count;
} case_table;

static bool read_table(case_table *out)
{
    out->count = tvk_cases_count();
    out->cases = calloc(out->count, sizeof *out->cases);
    for (uint32_t i = 0; out->cases && i < out->count; i++) tvk_case_get(i, &out->cases[i]);
    return out->cases != NULL;
}

static uint32_t count_tiny(const case_table *all, tvk_op op)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < all->count; i++)
        n += all->cases[i].op == op && all->cases[i].size == TVK_CASE_TINY;
    return n;
}

static uint32_t run_all(tvk_kernels *kernels, const case_table *table, tvk_case_size size,
                        scope what, const char *name, totals *all)
{
    for (uint32_t op = 0; op < TVK_OP_COUNT; op++) {
        const uint32_t tiny = count_tiny(table, (tvk_op)op);
        const uint32_t turns = tiny < MOST_TURNS ? tiny : MOST_TURNS;
        totals t = {0};
        uint64_t start = tvk_clock_ns();
        bool alive = true;
        for (uint32_t i = 0; alive && i < table->count; i++) {
            const uint32_t index = what == ONCE ? table->count - 1 - i : i;
            const tvk_case *info = &table->cases[index];
            if ((uint32_t)info->op == op && chosen(info, size, name))
                alive =
                    run_case(index, info, kernels, what, turns ? t.cases % turns : 0, turns, &t);
        }
        if (t.cases || t.skipped) print_op((tvk_op)op, &t, (double)(tvk_clock_ns() - start) * 1e-9);
        all->cases += t.cases;
        all->runs += t.runs;
        all->failures += t.failures;
        all->skipped += t.skipped;
        all->words += t.words;
    }
    return all->failures;
}

static bool is_checked(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], CHECKED)) return true;
    return false;
}

int main(int argc, char **argv)
{
    static const char *const sizes[] = {"tiny", "small", "real"};
    const char *validate = getenv("TERNVK_VALIDATE");
    const tvk_device_params params = {.select = getenv("TERNVK_DEVICE"),
                                      .log = {.fn = print_log, .level = TVK_LOG_WARN},
                                      .validate = !validate || strcmp(validate, "0") != 0,
                                      .validate_device = is_checked(argc, argv)};
    tvk_case_size size = TVK_CASE_SMALL;
    const char *name = NULL;
    scope what = ALL;
    bool size_given = false;
    tvk_device *device = NULL;
    const tvk_plan *plan;
    tvk_kernels *kernels = NULL;
    tvk_error err = {0};
    totals all = {0};
    case_table table;
    uint32_t messages;
    for (int i = 1; i < argc; i++) {
        bool is_size = !strcmp(argv[i], CHECKED);
        for (int s = 0; s < 3; s++) {
            if (strcmp(argv[i], sizes[s])) continue;
            size = (tvk_case_size)s;
            is_size = size_given = true;
        }
        if (!is_size) name = argv[i];
    }
    if (params.validate_device) {
        size = TVK_CASE_TINY;
        what = ONCE;
        size_given = true;
    }
#if defined(__SANITIZE_ADDRESS__)
    if (!size_given) { /* the host's code is what the sanitizers see */
        size = TVK_CASE_TINY;
        what = DEFAULTS;
    }
#endif
    if (tvk_device_create(&params, &device, &err) != TVK_OK) return no_device(&err);
    plan = tvk_gpu_plan(device);
    /* compiles 20 times slower */
    if (!size_given && strstr(tvk_device_get_info(device)->name, "SwiftShader")) {
        size = TVK_CASE_TINY;
        what = FIXED;
    }
    /* Most kernels know neither subgroup nor driver, and compiling is what takes long: all their
     * configurations and small cases run on one CPU driver, that with cooperative matrices and 8
     * invocations a subgroup. */
    if (!size_given && plan->cpu && what == ALL) {
        const bool all_here = plan->subgroup_fixed == 8 && (plan->caps & TVK_CAP_COOPMAT_I8);
        what = all_here ? TURNS : SUBGROUP;
        if (!all_here) size = TVK_CASE_TINY;
    }
    printf("%s (%s), %s cases\n", tvk_device_get_info(device)->name,
           tvk_device_get_info(device)->driver, sizes[size]);
    if (!read_table(&table) || tvk_kernels_create(device, false, &kernels, &err) != TVK_OK) {
        fprintf(stderr, "FAILED: %s\n", table.cases ? err.text : "out of memory");
        free(table.cases);
        tvk_device_destroy(&device);
        return 1;
    }
    run_all(kernels, &table, size, what, name, &all);
    free(table.cases);
    messages = tvk_device_validation_messages(device);
    printf(
        "%u cases, %u runs, %llu words compared, %u skipped, %u failed, %u validation messages\n",
        all.cases, all.runs, (unsigned long long)all.words, all.skipped, all.failures, messages);
    tvk_kernels_destroy(&kernels);
    tvk_device_destroy(&device);
    return all.failures || messages || !all.runs;
}
