#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_report.h"
#include "bench_run.h"
#include "bundled.h"
#include "commands.h"
#include "engine.h"
#include "interrupt.h"
#include "out.h"
#include "shape.h"

#define MAX_RUNS 1000
#define PROFILE_RUNS 9

typedef struct bench {
    engine e;
    shape *shape; /* instead of a file */
    const char *shape_name, *embedding;
    uint32_t layers;
    bench_plan plan;
    bench_runner runner;
    tvk_stats stats[BENCH_TESTS];
    bench_profile *profiles; /* [plan.count] */
    bool profile, steady;
    bench_steady_params steady_params;
    bench_steady states[BENCH_TESTS];
    bench_row rows[BENCH_TESTS];
    uint32_t runs, batch;
    bench_form form;
    bench_setup setup;
} bench;

static const tvk_weight_source *source_of(const bench *b)
{
    return b->shape ? shape_source(b->shape) : tvk_file_source(b->e.file);
}

/* The model on the device. stats: one whose steps count. */
static int open_model(bench *b, bool stats, tvk_model_params *params)
{
    int status = engine_model_params(params, TVK_KV_F16);
    params->context = b->plan.context;
    params->sessions = b->plan.sessions;
    params->batch = b->batch;
    params->stats = stats;
    if (!status) status = engine_open_model(&b->e, source_of(b), params);
    if (!status) b->batch = tvk_model_get_info(b->e.model)->batch;
    return status;
}

/* The model that is timed, the facts that every row names, and tokens. */
static int open_timed(bench *b)
{
    static char bundled[4096]; /* the path's owner for as long as the program runs */
    const tvk_weight_source *source = source_of(b);
    const tvk_tensor *linear = source->tensor(source->user, "blk.0.attn_q.weight");
    const tvk_tensor *table = source->tensor(source->user, "token_embd.weight");
    tvk_model_params params;
    int status = open_model(b, false, &params);
    if (status) return status;
    b->setup = (bench_setup){.device = tvk_device_get_info(b->e.device),
                             .model = tvk_model_get_info(b->e.model),
                             .file = b->shape ? source->name : engine_given.model,
                             .type = linear ? tvk_dtype_name(linear->type) : "",
                             .embedding = table ? tvk_dtype_name(table->type) : "",
                             .kv_k = engine_kv_name(params.kv_k),
                             .kv_v = engine_kv_name(params.kv_v),
                             .q = engine_q_name(params.q),
                             .sparse = engine_given.sparse ? engine_given.sparse : "auto",
                             .batch = b->batch,
                             .exact = engine_given.exact};
    tvk_device_memory(b->e.device, &b->setup.memory);
    if (!b->setup.file && bundled_model(bundled, sizeof bundled)) b->setup.file = bundled;
    for (uint32_t i = 0; i < source->tensor_count(source->user); i++)
        b->setup.bytes += source->tensor_at(source->user, i)->bytes;
    b->profiles = calloc(b->plan.count, sizeof *b->profiles);
    if (!b->profiles) {
        out_error("bench: no memory for %u tests", b->plan.count);
        return 1;
    }
    return bench_runner_open(&b->runner, b->e.model, &b->plan, b->batch);
}

/* Before the model takes the device's memory. */
static int measure_peaks(bench *b, tvk_peaks *out)
{
    tvk_error err;
    if (b->profile && tvk_device_get_info(b->e.device)->timestamp_period_ns <= 0) {
        out_error("--profile: a device with time stamps expected");
        return 1;
    }
    if (!b->profile || tvk_device_peaks(b->e.device, out, &err) == TVK_OK) return 0;
    return out_failed(&err);
}

/* Statistics of all tests, from a model of their own so that timed steps hold nothing more. */
static int count_all(bench *b)
{
    tvk_model_params params;
    int status = open_model(b, true, &params);
    if (!status) status = bench_runner_open(&b->runner, b->e.model, &b->plan, b->batch);
    for (uint32_t i = 0; !status && !interrupted() && i < b->plan.count; i++) {
        status = bench_count(&b->runner, &b->plan.tests[i], &b->stats[i]);
        if (!status) b->rows[i].stats = &b->stats[i];
    }
    bench_runner_close(&b->runner);
    tvk_model_destroy(&b->e.model);
    return status;
}

static int run_test(bench *b, uint32_t index)
{
    char programs[1024];
    bench_row *row = &b->rows[index];
    bench_profile *profile = &b->profiles[index];
    bench_samples samples = {.runs = b->runs, .steady = b->steady ? &b->states[index] : NULL};
    int status;
    row->test = b->plan.tests[index];
    row->programs = programs;
    row->steady = samples.steady;
    if (b->steady)
        bench_steady_begin(samples.steady, &b->steady_params, bench_test_tokens(&row->test));
    status = bench_run(&b->runner, &row->test, &samples);
    row->ns = samples.ns;
    row->count = samples.count;
    row->cpu = samples.cpu;
    if (!status)
        status = bench_profile_take(b->e.model, &row->test, b->batch, b->profile ? PROFILE_RUNS : 0,
                                    profile);
    bench_profile_programs(profile, programs, sizeof programs);
    if (b->profile) row->profile = profile;
    if (!status && !bench_report_row(b->form, &b->setup, row, index)) status = 1;
    free(samples.ns);
    row->ns = NULL;
    row->programs = NULL;
    return status;
}

static int run_all(bench *b)
{
    const bool a48 = engine_given.act && !strncmp(engine_given.act, "a4.8", 4);
    uint32_t done = 0;
    tvk_peaks peaks = {0};
    int status = 0;
    b->e.tune = b->e.thorough = true;
    interrupt_catch();
    if (b->shape_name)
        b->shape = shape_open(
            &(shape_params){
                .name = b->shape_name, .layers = b->layers, .a48 = a48, .embedding = b->embedding},
            &status);
    else
        status = engine_open_file(&b->e);
    if (!status) status = engine_open_device(&b->e);
    if (status) return status;
    engine_banner(tvk_device_get_info(b->e.device));
    status = measure_peaks(b, &peaks);
    if (!status && engine_given.stats) status = count_all(b);
    if (!status) status = open_timed(b);
    if (status) return status;
    engine_print_times(&b->e, 0);
    b->setup.peaks = peaks;
    bench_report_begin(b->form, &b->setup);
    for (; !status && done < b->plan.count; done++) status = run_test(b, done);
    bench_report_end(b->form, status ? done - 1 : done);
    if (!status && engine_given.stats && b->form == BENCH_MD) bench_report_stats(b->rows, done);
    if (!status && b->steady && b->form == BENCH_MD) bench_report_steady(b->rows, done);
    if (!status && b->profile && b->form == BENCH_MD)
        bench_report_profiles(&b->setup, b->rows, done);
    if (!status) status = engine_validated(&b->e);
    return status;
}

int cmd_bench(int argc, char **argv)
{
    static bench b; /* large for a stack */
    bench_lists lists = {.prompt = "512", .gen = "128", .depth = "0", .parallel = "1"};
    const char *format = "md", *none = NULL;
    const arg_option options[] = {
        {ARG_TEXT, "--shape", "NAME", &b.shape_name,
         "a published shape with random weights instead of a file: bitnet-2b4t, llama-3b, 25m ...",
         0, 0, NULL},
        {ARG_U32, "--layers", "N", &b.layers, "cut the shape to N layers", 1, 1024, NULL},
        {ARG_TEXT, "--embedding-type", "TYPE", &b.embedding,
         "of the shape's embedding and head: f16, q8_0 or q6_k (f16)", 0, 0, NULL},
        {ARG_TEXT, "-p, --n-prompt", "N,...", &lists.prompt, "tokens of a prompt, 0: none (512)", 0,
         0, NULL},
        {ARG_TEXT, "-n, --n-gen", "N,...", &lists.gen, "tokens to generate, 0: none (128)", 0, 0,
         NULL},
        {ARG_TEXT, "-d, --n-depth", "N,...", &lists.depth, "tokens that stand before them (0)", 0,
         0, NULL},
        {ARG_TEXT, "-np, --parallel", "N,...", &lists.parallel,
         "sessions that generate side by side, tokens/s of all together (1)", 0, 0, NULL},
        {ARG_U32, "-ub, --ubatch-size", "N", &b.batch,
         "rows of the largest step (256, on a GPU with memory up to 2048)", 2, 4096, NULL},
        {ARG_U32, "-r, --repetitions", "N", &b.runs, "timed runs, after one that warms up (5)", 1,
         MAX_RUNS, NULL},
        {ARG_TEXT, "-o, --output", "md|csv|json|jsonl", &format, "form of the table", 0, 0, NULL},
        {ARG_FLAG, "--profile", NULL, &b.profile,
         "where the time of a step goes, by kernel, against what the device reaches", 0, 0, NULL},
        {ARG_FLAG, "--steady", NULL, &b.steady,
         "repeat each test until its rate no longer falls as the device gets warm, not -r times", 0,
         0, NULL},
        {ARG_U32, "--steady-window", "S", &b.steady_params.window_s,
         "seconds of the windows whose rates are compared, four in a row (10)", 1, 600, NULL},
        {ARG_U32, "--steady-tolerance", "PERCENT", &b.steady_params.tolerance,
         "that these rates may differ by (2)", 1, 50, NULL},
        {ARG_U32, "--steady-limit", "S", &b.steady_params.limit_s,
         "seconds after which a test ends in any case (600)", 1, 86400, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_stats_options, NULL, 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_model_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {"bench",
                                 "[-m FILE | --shape NAME] [-p 512] [-n 128] [-d 0] [-np 1] [-r 5]",
                                 "tokens a second of prompts (pp) and of generated text (tg)",
                                 options,
                                 &none,
                                 0,
                                 0};
    int status;
    b.runs = 5;
    b.steady_params = (bench_steady_params){.window_s = 10, .tolerance = 2, .limit_s = 600};
    status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    if (engine_given.list_devices) return cmd_devices(0, NULL);
    if (!bench_form_parse(format, &b.form)) return 2;
    status = bench_plan_make(&lists, engine_given.context, &b.plan);
    if (status) return status;
    if ((b.shape_name && engine_given.model) || ((b.layers || b.embedding) && !b.shape_name)) {
        out_error(b.shape_name ? "-m FILE or --shape NAME expected, not both"
                               : "--layers, --embedding-type: --shape NAME expected with it");
        return 2;
    }
    status = run_all(&b);
    bench_runner_close(&b.runner);
    free(b.profiles);
    engine_close(&b.e);
    shape_close(&b.shape);
    return status;
}
