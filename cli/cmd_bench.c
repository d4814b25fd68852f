#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_report.h"
#include "bundled.h"
#include "commands.h"
#include "engine.h"
#include "interrupt.h"
#include "out.h"
#include "progress.h"
#include "shape.h"
#include "stats.h"

#define MAX_LIST 16u
#define MAX_TESTS (2 * MAX_LIST * MAX_LIST)
#define MAX_RUNS 1000

typedef struct counts {
    uint32_t list[MAX_LIST], count;
} counts;

typedef struct bench {
    engine e;
    shape *shape; /* instead of a file */
    counts prompt, gen, depth;
    bench_row tests[MAX_TESTS];
    tvk_stats stats[MAX_TESTS];
    uint32_t test_count, runs, batch;
    bench_form form;
    bench_setup setup;
    int32_t *tokens; /* as many as the context holds */
    uint32_t context;
} bench;

/* "512,1024" */
static bool parse_counts(const char *option, const char *text, counts *out)
{
    const char *at = text;
    out->count = 0;
    for (;;) {
        char *end;
        unsigned long v = strtoul(at, &end, 10);
        if (end == at || *at < '0' || *at > '9' || v > 1u << 20 || (*end && *end != ',')) break;
        if (out->count == MAX_LIST) {
            out_error("%s: at most %u numbers expected, '%s' found", option, MAX_LIST, text);
            return false;
        }
        out->list[out->count++] = (uint32_t)v;
        if (!*end) return true;
        at = end + 1;
    }
    out_error("%s: whole numbers up to 1048576 like 128,512 expected, '%s' found", option, text);
    return false;
}

/* Positions that a test takes. A generated text begins with a token that is given. */
static uint64_t positions(const bench_row *t)
{
    return (uint64_t)t->n_depth + (t->n_prompt ? t->n_prompt : t->n_gen + 1);
}

/* All tests of a depth behind each other, as llama-bench orders them. Returns an exit status. */
static int list_tests(bench *b)
{
    uint64_t most = 0;
    for (uint32_t d = 0; d < b->depth.count; d++) {
        for (uint32_t i = 0; i < b->prompt.count; i++)
            if (b->prompt.list[i])
                b->tests[b->test_count++] =
                    (bench_row){.n_prompt = b->prompt.list[i], .n_depth = b->depth.list[d]};
        for (uint32_t i = 0; i < b->gen.count; i++)
            if (b->gen.list[i])
                b->tests[b->test_count++] =
                    (bench_row){.n_gen = b->gen.list[i], .n_depth = b->depth.list[d]};
    }
    if (b->test_count == 0) {
        out_error("bench: nothing to measure: -p and -n are both 0");
        return 2;
    }
    for (uint32_t i = 0; i < b->test_count; i++) {
        char name[64];
        if (engine_given.context && positions(&b->tests[i]) > engine_given.context) {
            out_error("bench: %s takes %llu positions, -c gives %u",
                      bench_test_name(&b->tests[i], name, sizeof name),
                      (unsigned long long)positions(&b->tests[i]), engine_given.context);
            return 2;
        }
        if (positions(&b->tests[i]) > most) most = positions(&b->tests[i]);
    }
    b->context = engine_given.context ? engine_given.context : (uint32_t)most;
    return 0;
}

static const tvk_weight_source *source_of(const bench *b)
{
    return b->shape ? shape_source(b->shape) : tvk_file_source(b->e.file);
}

/* The model on the device. stats: one whose steps count. */
static int open_model(bench *b, bool stats, tvk_model_params *params)
{
    int status = engine_model_params(params, TVK_KV_F16);
    params->context = b->context;
    params->batch = b->batch;
    params->stats = stats;
    return status ? status : engine_open_model(&b->e, source_of(b), params);
}

static int make_tokens(bench *b, uint32_t vocab)
{
    uint32_t random = 1;
    b->tokens = malloc(b->context * sizeof *b->tokens);
    if (!b->tokens) {
        out_error("bench: no memory for %u tokens", b->context);
        return 1;
    }
    for (uint32_t i = 0; i < b->context; i++) {
        random = random * 1664525u + 1013904223u;
        b->tokens[i] = (int32_t)((random >> 8) % vocab);
    }
    return 0;
}

/* The model that is timed, the facts that every row names, and the token ids. */
static int open_timed(bench *b)
{
    static char bundled[4096]; /* the path's owner for as long as the program runs */
    const tvk_weight_source *source = source_of(b);
    const tvk_tensor *linear = source->tensor(source->user, "blk.0.attn_q.weight");
    tvk_model_params params;
    int status = open_model(b, false, &params);
    if (status) return status;
    b->setup = (bench_setup){.device = tvk_device_get_info(b->e.device),
                             .model = tvk_model_get_info(b->e.model),
                             .file = b->shape ? source->name : engine_given.model,
                             .type = linear ? tvk_dtype_name(linear->type) : "",
                             .kv_k = engine_kv_name(params.kv_k),
                             .kv_v = engine_kv_name(params.kv_v),
                             .q = engine_q_name(params.q),
                             .batch = b->batch,
                             .exact = engine_given.exact};
    tvk_device_memory(b->e.device, &b->setup.memory);
    if (!b->setup.file && bundled_model(bundled, sizeof bundled)) b->setup.file = bundled;
    for (uint32_t i = 0; i < source->tensor_count(source->user); i++)
        b->setup.bytes += source->tensor_at(source->user, i)->bytes;
    return b->tokens ? 0 : make_tokens(b, b->setup.model->vocab);
}

/* Shader rows of a step, each once, in the order they run. */
static void note_program(void *user, const char *name, const char *program, double ns)
{
    char *list = user;
    size_t used = strlen(list), n = strlen(program);
    (void)name;
    (void)ns;
    for (const char *at = list; (at = strstr(at, program)) != NULL; at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0')) return;
    if (used + n + 2 < 1024) snprintf(list + used, n + 2, "%s%s", used ? " " : "", program);
}

static bool on_token(void *user, int32_t token)
{
    (void)user;
    (void)token;
    return !interrupted();
}

static tvk_status feed(bench *b, tvk_session *session, uint32_t from, uint32_t count,
                       tvk_error *err)
{
    const tvk_batch_item item = {.session = session, .tokens = b->tokens + from, .count = count};
    return count ? tvk_eval(b->e.model, &item, 1, err) : TVK_OK;
}

/* One run from position n_depth on: a prefill, or one given token and n_gen drawn ones, which are
 * n_gen passes through the model. */
static tvk_status run_once(bench *b, tvk_session *session, const bench_row *t, double *ns,
                           tvk_error *err)
{
    double start;
    tvk_stop_reason reason;
    tvk_status st = tvk_session_rollback(session, t->n_depth, err);
    start = out_now_ms();
    if (st == TVK_OK) st = feed(b, session, t->n_depth, t->n_prompt ? t->n_prompt : 1, err);
    if (st == TVK_OK && t->n_gen)
        st = tvk_session_generate(session, t->n_gen, on_token, NULL, &reason, err);
    *ns = (out_now_ms() - start) * 1e6;
    return st;
}

/* One run of a test that is not timed, with a model that counts; the tokens of its depth are left
 * out. */
static int count_test(bench *b, bench_row *t, tvk_stats *out)
{
    static const tvk_sampler_params greedy = {.temperature = 0};
    tvk_session *session = NULL;
    tvk_error err = {0};
    double ns;
    tvk_status st = tvk_session_create(b->e.model, &session, &err);
    int status = 0;
    if (st == TVK_OK) st = tvk_session_set_sampler(session, &greedy, &err);
    if (st == TVK_OK) st = feed(b, session, 0, t->n_depth, &err);
    if (st == TVK_OK) st = tvk_model_stats_reset(b->e.model, &err);
    if (st == TVK_OK) st = run_once(b, session, t, &ns, &err);
    if (st != TVK_OK) status = out_failed(&err);
    /* the middle of what was decoded: bytes grow evenly with the position */
    if (!status) status = stats_take(b->e.model, t->n_depth + (t->n_prompt + t->n_gen) / 2, out);
    if (!status) t->stats = out;
    tvk_session_destroy(&session);
    return status;
}

/* Statistics of all tests, from a model of their own so that timed steps hold nothing more. */
static int count_all(bench *b)
{
    tvk_model_params params;
    int status = open_model(b, true, &params);
    if (!status) status = make_tokens(b, tvk_model_get_info(b->e.model)->vocab);
    for (uint32_t i = 0; !status && !interrupted() && i < b->test_count; i++)
        status = count_test(b, &b->tests[i], &b->stats[i]);
    tvk_model_destroy(&b->e.model);
    return status;
}

static int run_test(bench *b, bench_row *t, uint32_t index, tvk_progress *bar)
{
    static const tvk_sampler_params greedy = {.temperature = 0};
    char name[64], programs[1024] = "";
    double *ns = calloc(b->runs, sizeof *ns), warm;
    tvk_session *session = NULL;
    tvk_error err = {0};
    tvk_status st;
    int status = 0;
    if (!ns) {
        out_error("bench: no memory for %u runs", b->runs);
        return 1;
    }
    /* a device without time stamps leaves the list empty */
    tvk_model_profile(b->e.model,
                      t->n_prompt < b->batch && t->n_prompt ? t->n_prompt
                      : t->n_prompt                         ? b->batch
                                                            : 1,
                      t->n_depth, note_program, programs, NULL);
    bench_test_name(t, name, sizeof name);
    st = tvk_session_create(b->e.model, &session, &err);
    if (st == TVK_OK) st = tvk_session_set_sampler(session, &greedy, &err);
    if (st == TVK_OK) st = feed(b, session, 0, t->n_depth, &err);
    if (st == TVK_OK) st = run_once(b, session, t, &warm, &err);
    for (uint32_t i = 0; st == TVK_OK && i < b->runs; i++) {
        if (!bar->fn(bar->user, name, i, b->runs)) break;
        st = run_once(b, session, t, &ns[i], &err);
    }
    progress_clear();
    if (st != TVK_OK)
        status = out_failed(&err);
    else if (interrupted()) {
        out_error("bench: %s was stopped", name);
        status = 1;
    }
    t->ns = ns;
    t->count = b->runs;
    t->programs = programs;
    if (!status && !bench_report_row(b->form, &b->setup, t, index)) status = 1;
    tvk_session_destroy(&session);
    free(ns);
    t->ns = NULL;
    t->programs = NULL;
    return status;
}

static int run_all(bench *b, const char *shape_name, uint32_t layers)
{
    const bool a48 = engine_given.act && !strncmp(engine_given.act, "a4.8", 4);
    tvk_progress bar = progress_bar();
    uint32_t done = 0;
    int status = list_tests(b);
    if (status) return status;
    b->e.tune = b->gen.count > 1 || b->gen.list[0] != 0; /* prompts skip nothing */
    interrupt_catch();
    if (shape_name)
        b->shape = shape_open(shape_name, layers, a48, &status);
    else
        status = engine_open_file(&b->e);
    if (!status) status = engine_open_device(&b->e);
    if (status) return status;
    engine_banner(tvk_device_get_info(b->e.device));
    if (engine_given.stats) status = count_all(b);
    if (!status) status = open_timed(b);
    if (status) return status;
    bench_report_begin(b->form);
    for (; !status && done < b->test_count; done++)
        status = run_test(b, &b->tests[done], done, &bar);
    bench_report_end(b->form, status ? done - 1 : done);
    if (!status && engine_given.stats && b->form == BENCH_MD) bench_report_stats(b->tests, done);
    if (!status) status = engine_validated(&b->e);
    return status;
}

int cmd_bench(int argc, char **argv)
{
    static bench b; /* large for a stack */
    const char *prompt = "512", *gen = "128", *depth = "0", *format = "md", *shape_name = NULL;
    const char *none = NULL;
    uint32_t layers = 0;
    const arg_option options[] = {
        {ARG_TEXT, "--shape", "NAME", &shape_name,
         "a published shape with random weights instead of a file: bitnet-2b4t, llama-3b, 25m ...",
         0, 0, NULL},
        {ARG_U32, "--layers", "N", &layers, "cut the shape to N layers", 1, 1024, NULL},
        {ARG_TEXT, "-p, --n-prompt", "N,...", &prompt, "tokens of a prompt, 0: none (512)", 0, 0,
         NULL},
        {ARG_TEXT, "-n, --n-gen", "N,...", &gen, "tokens to generate, 0: none (128)", 0, 0, NULL},
        {ARG_TEXT, "-d, --n-depth", "N,...", &depth, "tokens that stand before them (0)", 0, 0,
         NULL},
        {ARG_U32, "-ub, --ubatch-size", "N", &b.batch, "rows of the largest step (256)", 2, 4096,
         NULL},
        {ARG_U32, "-r, --repetitions", "N", &b.runs, "timed runs, after one that warms up (5)", 1,
         MAX_RUNS, NULL},
        {ARG_TEXT, "-o, --output", "md|csv|json|jsonl", &format, "form of the table", 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_stats_options, NULL, 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_model_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {"bench",
                                 "[-m FILE | --shape NAME] [-p 512] [-n 128] [-d 0] [-r 5]",
                                 "tokens a second of prompts (pp) and of generated text (tg)",
                                 options,
                                 &none,
                                 0,
                                 0};
    int status;
    b.batch = 256;
    b.runs = 5;
    status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    if (engine_given.list_devices) return cmd_devices(0, NULL);
    if (!parse_counts("-p", prompt, &b.prompt) || !parse_counts("-n", gen, &b.gen) ||
        !parse_counts("-d", depth, &b.depth) || !bench_form_parse(format, &b.form))
        return 2;
    if ((shape_name && engine_given.model) || (layers && !shape_name)) {
        out_error(shape_name ? "-m FILE or --shape NAME expected, not both"
                             : "--layers: --shape NAME expected with it");
        return 2;
    }
    status = run_all(&b, shape_name, layers);
    free(b.tokens);
    engine_close(&b.e);
    shape_close(&b.shape);
    return status;
}
