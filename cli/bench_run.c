#include "bench_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "out.h"
#include "platform.h"
#include "progress.h"
#include "stats.h"

/* The sessions of a test, all at its depth. */
typedef struct bench_sessions {
    tvk_session **list; /* [count] */
    tvk_batch_item *feed;
    tvk_generate_item *generate;
    uint32_t count;
} bench_sessions;

int bench_runner_open(bench_runner *r, tvk_model *model, const bench_plan *plan, uint32_t batch)
{
    uint32_t count = plan->context + plan->sessions, random = 1;
    uint32_t vocab = tvk_model_get_info(model)->vocab;
    r->model = model;
    r->batch = batch;
    r->tokens = malloc(count * sizeof *r->tokens);
    if (!r->tokens) {
        out_error("bench: no memory for %u tokens", count);
        return 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        random = random * 1664525u + 1013904223u;
        r->tokens[i] = (int32_t)((random >> 8) % vocab);
    }
    return 0;
}

void bench_runner_close(bench_runner *r)
{
    free(r->tokens);
    *r = (bench_runner){0};
}

static bool on_token(void *user, uint32_t item, int32_t token)
{
    (void)user;
    (void)item;
    (void)token;
    return !interrupted();
}

/* The same number of tokens to each session; a text of its own for each. */
static tvk_status feed(const bench_runner *r, bench_sessions *s, uint32_t from, uint32_t count,
                       tvk_error *err)
{
    for (uint32_t i = 0; i < s->count; i++)
        s->feed[i] =
            (tvk_batch_item){.session = s->list[i], .tokens = r->tokens + i + from, .count = count};
    return count ? tvk_eval(r->model, s->feed, s->count, err) : TVK_OK;
}

static void close_sessions(bench_sessions *s)
{
    for (uint32_t i = 0; s->list && i < s->count; i++) tvk_session_destroy(&s->list[i]);
    free(s->list);
    free(s->feed);
    free(s->generate);
}

static tvk_status open_sessions(const bench_runner *r, const bench_test *t, bench_sessions *s,
                                tvk_error *err)
{
    static const tvk_sampler_params greedy = {.temperature = 0};
    tvk_status st = TVK_OK;
    *s = (bench_sessions){.count = t->n_parallel};
    s->list = calloc(s->count, sizeof *s->list);
    s->feed = calloc(s->count, sizeof *s->feed);
    s->generate = calloc(s->count, sizeof *s->generate);
    if (!s->list || !s->feed || !s->generate) {
        *err = (tvk_error){.status = TVK_ERR_HOST_MEMORY};
        return err->status;
    }
    for (uint32_t i = 0; st == TVK_OK && i < s->count; i++) {
        st = tvk_session_create(r->model, &s->list[i], err);
        if (st == TVK_OK) st = tvk_session_set_sampler(s->list[i], &greedy, err);
    }
    return st == TVK_OK ? feed(r, s, 0, t->n_depth, err) : st;
}

/* One run from position n_depth on: a prefill, or one given token and n_gen drawn ones, which are
 * n_gen passes through the model. */
static tvk_status run_once(const bench_runner *r, bench_sessions *s, const bench_test *t,
                           double *ns, tvk_error *err)
{
    tvk_status st = TVK_OK;
    double start;
    for (uint32_t i = 0; st == TVK_OK && i < s->count; i++) {
        s->generate[i] = (tvk_generate_item){.session = s->list[i], .max_tokens = t->n_gen};
        st = tvk_session_rollback(s->list[i], t->n_depth, err);
    }
    start = out_now_ms();
    if (st == TVK_OK) st = feed(r, s, t->n_depth, t->n_prompt ? t->n_prompt : 1, err);
    if (st == TVK_OK && t->n_gen)
        st = tvk_generate(r->model, s->generate, s->count, on_token, NULL, err);
    *ns = (out_now_ms() - start) * 1e6;
    return st;
}

static tvk_status keep(bench_samples *s, double ns, tvk_error *err)
{
    if (s->count == s->capacity) {
        const uint32_t capacity = s->capacity ? 2 * s->capacity : 16;
        double *more = realloc(s->ns, capacity * sizeof *more);
        if (!more) {
            *err = (tvk_error){.status = TVK_ERR_HOST_MEMORY};
            return err->status;
        }
        s->ns = more;
        s->capacity = capacity;
    }
    s->ns[s->count++] = ns;
    return TVK_OK;
}

static sensors look(void *user)
{
    (void)user;
    return sensors_read("/sys");
}

/* Is one more run asked for, behind one that took so long? */
static bool more(bench_samples *s, double ns)
{
    if (s->steady) return bench_steady_add(s->steady, ns, look, NULL);
    return s->count < s->runs;
}

/* Of a bench that waited for a steady rate, the runs that were steady. */
static void drop_early(bench_samples *s)
{
    const uint32_t last = s->steady ? bench_steady_runs(s->steady) : s->count;
    memmove(s->ns, s->ns + (s->count - last), last * sizeof *s->ns);
    s->count = last;
}

static tvk_status run_all(const bench_runner *r, bench_sessions *s, const bench_test *t,
                          const char *name, bench_samples *out, double *sum, tvk_error *err)
{
    const tvk_progress bar = progress_bar();
    tvk_status st = TVK_OK;
    double ns;
    do {
        const uint64_t done = out->steady ? (uint64_t)out->steady->seconds : out->count;
        if (!bar.fn(bar.user, name, done, out->steady ? out->steady->params.limit_s : out->runs))
            return TVK_OK;
        st = run_once(r, s, t, &ns, err);
        if (st == TVK_OK) st = keep(out, ns, err);
        *sum += ns;
    } while (st == TVK_OK && more(out, ns));
    if (st == TVK_OK) drop_early(out);
    return st;
}

int bench_run(const bench_runner *r, const bench_test *t, bench_samples *out)
{
    bench_sessions s;
    char name[64];
    tvk_error err = {0};
    double warm, before, sum = 0;
    int status = 0;
    tvk_status st = open_sessions(r, t, &s, &err);
    bench_test_name(t, name, sizeof name);
    if (st == TVK_OK) st = run_once(r, &s, t, &warm, &err);
    before = platform_cpu_ms();
    if (st == TVK_OK) st = run_all(r, &s, t, name, out, &sum, &err);
    out->cpu = sum <= 0 ? -1 : (platform_cpu_ms() - before) * 1e6 / sum;
    progress_clear();
    if (st != TVK_OK)
        status = out_failed(&err);
    else if (interrupted()) {
        out_error("bench: %s was stopped", name);
        status = 1;
    }
    close_sessions(&s);
    return status;
}

int bench_count(const bench_runner *r, const bench_test *t, tvk_stats *out)
{
    bench_sessions s;
    tvk_error err = {0};
    double ns;
    int status = 0;
    tvk_status st = open_sessions(r, t, &s, &err);
    if (st == TVK_OK) st = tvk_model_stats_reset(r->model, &err);
    if (st == TVK_OK) st = run_once(r, &s, t, &ns, &err);
    if (st != TVK_OK) status = out_failed(&err);
    /* the middle of what was decoded: bytes grow evenly with the position */
    if (!status) status = stats_take(r->model, t->n_depth + (t->n_prompt + t->n_gen) / 2, out);
    close_sessions(&s);
    return status;
}
