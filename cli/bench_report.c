#include "bench_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "csv.h"
#include "out.h"
#include "stats.h"

#ifndef TVK_BUILD_COMMIT
#define TVK_BUILD_COMMIT "unknown"
#endif

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static bench_spread spread_of(double *v, uint32_t n)
{
    bench_spread s = {0};
    for (uint32_t i = 0; i < n; i++) s.mean += v[i] / n;
    for (uint32_t i = 0; i < n; i++) s.deviation += (v[i] - s.mean) * (v[i] - s.mean);
    s.deviation = n > 1 ? sqrt(s.deviation / (n - 1)) : 0;
    qsort(v, n, sizeof *v, ascending);
    s.median = (v[(n - 1) / 2] + v[n / 2]) / 2;
    s.least = v[0];
    s.most = v[n - 1];
    return s;
}

bool bench_form_parse(const char *text, bench_form *out)
{
    static const char *const names[] = {"md", "csv", "json", "jsonl"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *out = (bench_form)i;
        return true;
    }
    out_error("-o: md, csv, json or jsonl expected, '%s' found", text);
    return false;
}

const char *bench_build(char *text, size_t bytes)
{
    snprintf(text, bytes, "%s (%s)", tvk_version(), TVK_BUILD_COMMIT);
    return text;
}

static json_t *numbers(const double *v, uint32_t n, bool whole)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list,
                              whole ? json_integer((json_int_t)llround(v[i])) : json_real(v[i]));
    return list;
}

/* llama-bench's fields first, then ours; in this order they are the columns of the CSV form. */
static json_t *row_object(const bench_setup *s, const bench_row *r, const double *ts,
                          const bench_spread *ns, const bench_spread *rate)
{
    char now[32] = "", type[96], test[64], skips[64];
    time_t t = time(NULL);
    const struct tm *utc = gmtime(&t);
    if (utc) strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", utc);
    snprintf(type, sizeof type, "%s %s", s->model->architecture, s->type);
    return json_pack(
        "{ss ss* ss ss* ss sI sI si si ss ss si si si ss sI sI sf sf so so"
        " si ss ss ss* ss ss* ss ss ss sb ss ss ss sf sf sf sf sf so sI sI sI}",
        "build_commit", TVK_BUILD_COMMIT, "gpu_info", s->device->name, "backends", "Vulkan",
        "model_filename", s->file, "model_type", type, "model_size", (json_int_t)s->bytes,
        "model_n_params", (json_int_t)s->model->parameters, "n_batch", (int)s->batch, "n_ubatch",
        (int)s->batch, "type_k", s->kv_k, "type_v", s->kv_v, "n_prompt", (int)r->test.n_prompt,
        "n_gen", (int)r->test.n_gen, "n_depth", (int)r->test.n_depth, "test_time", now, "avg_ns",
        (json_int_t)llround(ns->mean), "stddev_ns", (json_int_t)llround(ns->deviation), "avg_ts",
        rate->mean, "stddev_ts", rate->deviation, "samples_ns", numbers(r->ns, r->count, true),
        "samples_ts", numbers(ts, r->count, false), "n_parallel", (int)r->test.n_parallel, "test",
        bench_test_name(&r->test, test, sizeof test), "version", tvk_version(), "driver",
        s->device->driver, "engine", "ternvk", "model_name", s->model->name, "act",
        s->model->act_quant, "type_embedding", s->embedding, "type_q", s->q, "exact", s->exact,
        "sparse", s->sparse, "skips", bench_skips(s->model, skips, sizeof skips), "rows",
        r->programs, "median_ns", ns->median, "median_ts", rate->median, "min_ts", rate->least,
        "max_ts", rate->most, "ms_per_token", 1e3 / rate->mean, "cpu",
        r->cpu < 0 ? json_null() : json_real(r->cpu), "memory_bytes", (json_int_t)bench_memory(s),
        "memory_weights", (json_int_t)s->memory.by_purpose[TVK_PURPOSE_WEIGHTS], "memory_kv",
        (json_int_t)s->memory.by_purpose[TVK_PURPOSE_KV]);
}

/* Behind the other fields; null where nothing was counted. Zeros in %, bytes of one decoded token.
 */
static bool add_stats(json_t *o, const tvk_stats *s)
{
    static const char *const names[TVK_LINEAR_COUNT] = {"zeros_qkv", "zeros_out", "zeros_up",
                                                        "zeros_gate", "zeros_down"};
    bool failed = false;
    for (int i = 0; i < TVK_LINEAR_COUNT; i++)
        failed |= json_object_set_new(o, names[i], s ? json_real(100 * s->zeros[i]) : json_null());
    failed |= json_object_set_new(o, "zeros_overall",
                                  s ? json_real(100 * s->zeros_overall) : json_null());
    failed |=
        json_object_set_new(o, "gates_not_positive", s ? json_real(100 * s->gates) : json_null());
    failed |= json_object_set_new(o, "active_params",
                                  s ? json_integer(llround(s->active_parameters)) : json_null());
    failed |= json_object_set_new(o, "weight_bytes_per_token",
                                  s ? json_integer(llround(s->weight_bytes_read)) : json_null());
    failed |= json_object_set_new(o, "kv_bytes_read_per_token",
                                  s ? json_integer((json_int_t)s->kv_bytes_read) : json_null());
    failed |= json_object_set_new(o, "kv_bytes_written_per_token",
                                  s ? json_integer((json_int_t)s->kv_bytes_written) : json_null());
    return !failed;
}

static bool add_profile(json_t *o, const bench_setup *s, const bench_profile *p)
{
    return json_object_set_new(o, "profile", p ? bench_profile_json(p, &s->peaks) : json_null()) ==
           0;
}

static json_t *known(double v)
{
    return isnan(v) ? json_null() : json_real(v);
}

static bool add_steady(json_t *o, const bench_steady *s)
{
    json_t *v =
        s ? json_pack("{sb si sf sf sf so so so so* so so}", "reached", s->reached, "windows",
                      (int)s->windows, "seconds", s->seconds, "first_ts", s->first, "steady_ts",
                      s->last, "celsius_first", known(s->at_first.celsius), "celsius_last",
                      known(s->at_last.celsius), "celsius_most", known(s->hottest), "clock",
                      s->at_last.clock ? json_string(s->at_last.clock) : NULL, "mhz_first",
                      known(s->at_first.mhz), "mhz_last", known(s->at_last.mhz))
          : json_null();
    return json_object_set_new(o, "steady", v) == 0;
}

void bench_report_steady(const bench_row *rows, uint32_t count)
{
    char name[64], text[256];
    putchar('\n');
    for (uint32_t i = 0; i < count; i++)
        printf("%s: %s\n", bench_test_name(&rows[i].test, name, sizeof name),
               bench_steady_text(rows[i].steady, text, sizeof text));
}

void bench_report_profiles(const bench_setup *setup, const bench_row *rows, uint32_t count)
{
    bench_peaks_line(&setup->peaks);
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].profile) bench_profile_table(rows[i].profile, &rows[i].test, &setup->peaks);
}

void bench_report_stats(const bench_row *rows, uint32_t count)
{
    char name[64];
    putchar('\n');
    stats_head(stdout, "zeros %, bytes a decoded token");
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].stats)
            stats_row(stdout, bench_test_name(&rows[i].test, name, sizeof name), rows[i].stats);
}

void bench_report_begin(bench_form form, const bench_setup *setup)
{
    if (form == BENCH_JSON) puts("[");
    if (form == BENCH_MD) bench_table_head(setup);
    fflush(stdout);
}

bool bench_report_row(bench_form form, const bench_setup *setup, const bench_row *row,
                      uint32_t index)
{
    uint32_t n = row->count;
    double tokens = bench_test_tokens(&row->test);
    double *v = calloc((size_t)3 * n, sizeof *v), *ts = v + n, *sorted = v + 2 * n;
    json_t *o = NULL;
    char *line = NULL;
    bench_spread ns, rate;
    bool ok;
    if (!v) {
        out_error("bench: no memory for %u samples", n);
        return false;
    }
    for (uint32_t i = 0; i < n; i++) sorted[i] = ts[i] = tokens / (row->ns[i] * 1e-9);
    memcpy(v, row->ns, n * sizeof *v);
    ns = spread_of(v, n);
    rate = spread_of(sorted, n);
    ok = isfinite(ns.mean) && isfinite(rate.mean) && isfinite(rate.deviation) && ns.mean > 0;
    if (!ok) out_error("bench: a run took no time that the clock can see: larger -p or -n");
    if (ok && form == BENCH_MD) bench_table_row(setup, row, &rate);
    if (ok && form != BENCH_MD) {
        o = row_object(setup, row, ts, &ns, &rate);
        line = o && add_stats(o, row->stats) && add_profile(o, setup, row->profile) &&
                       add_steady(o, row->steady)
                   ? json_dumps(o, JSON_COMPACT)
                   : NULL;
        ok = line != NULL;
        if (!ok) out_error("bench: the row cannot be written as JSON");
    }
    if (ok && form == BENCH_CSV) csv_row(o, index == 0);
    if (ok && form == BENCH_JSON) printf("%s%s", index ? ",\n" : "", line);
    if (ok && form == BENCH_JSONL) puts(line);
    fflush(stdout);
    free(line);
    json_decref(o);
    free(v);
    return ok;
}

void bench_report_end(bench_form form, uint32_t rows)
{
    if (form == BENCH_JSON) puts(rows ? "\n]" : "]");
}
