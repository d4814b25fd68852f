#define _POSIX_C_SOURCE 200809L /* access */
#include "support/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/device.h"
#include "support/llama2c.h"

static void log_line(void *user, tvk_log_level level, const char *text)
{
    (void)user;
    (void)level;
    print_message("  log: %s\n", text);
}

const tvk_log warnings = {.fn = log_line, .level = TVK_LOG_WARN};

void ok(tvk_status st, const tvk_error *err)
{
    if (st != TVK_OK)
        fail_msg("%s: %s (%s:%d)", tvk_status_name(st), err->text, err->file, err->line);
}

void need(const char *path)
{
    if (access(path, R_OK) == 0) return;
    print_message("**** SKIPPED: %s is not there\n", path);
    skip();
}

npy_array member(const char *path, const char *name)
{
    npy_array array;
    char why[256];
    if (!npz_read(path, name, &array, why, sizeof why)) fail_msg("%s", why);
    return array;
}

void *room(size_t count, size_t bytes)
{
    void *p = calloc(count ? count : 1, bytes);
    assert_non_null(p);
    return p;
}

/* Token ids of an array of any shape. */
int32_t *token_ids(const npy_array *array)
{
    int32_t *ids = room((size_t)array->count, sizeof *ids);
    for (uint64_t i = 0; i < array->count; i++) ids[i] = (int32_t)npy_int(array, i);
    return ids;
}

opened open_with(tvk_device *device, const char *path, const tvk_model_params *params)
{
    opened m = {0};
    tvk_error err = {0};
    ok(tvk_file_open(path, &m.file, &err), &err);
    ok(tvk_model_create(device, tvk_file_source(m.file), params, &m.model, &err), &err);
    ok(tvk_session_create(m.model, &m.session, &err), &err);
    return m;
}

/* f32 KV: an f16 cache alone moves the logits of a BitNet model by 1e-2. exact: the rows of the
 * manifest that docs/numerics.md defines. */
opened open_model(tvk_device *device, const char *path)
{
    const tvk_model_params params = {.kv_k = TVK_KV_F32, .kv_v = TVK_KV_F32, .exact = true};
    return open_with(device, path, &params);
}

void close_model(opened *m)
{
    tvk_session_destroy(&m->session);
    tvk_model_destroy(&m->model);
    tvk_file_close(&m->file);
}

/* Converts and opens what came of it. type NULL: the default. */
opened convert(const fixture *f, const char *in, const char *type, const char *tokenizer)
{
    tvk_convert_params params = {
        .type = type, .tokenizer = tokenizer, .overwrite = true, .log = warnings};
    tvk_error err = {0};
    ok(tvk_convert(in, f->path, &params, &err), &err);
    return open_model(f->device, f->path);
}

/* Logits [count, V] of a new sequence; V through *vocab. */
float *logits_of(const opened *m, const int32_t *ids, uint32_t count, uint32_t *vocab)
{
    tvk_error err = {0};
    *vocab = tvk_model_get_info(m->model)->vocab;
    float *logits = room((size_t)count * *vocab, sizeof *logits);
    tvk_batch_item item = {.session = m->session, .tokens = ids, .count = count, .logits = logits};
    ok(tvk_session_rollback(m->session, 0, &err), &err);
    ok(tvk_eval(m->model, &item, 1, &err), &err);
    return logits;
}

typedef struct token_list {
    int32_t *ids;
    uint32_t count;
} token_list;

static bool take_token(void *user, int32_t token)
{
    token_list *t = user;
    t->ids[t->count++] = token;
    return true;
}

/* Greedy tokens after a prompt, into out [count]. */
void generate(const opened *m, const int32_t *prompt, uint32_t prompt_count, int32_t *out,
              uint32_t count)
{
    tvk_sampler_params greedy = {0};
    tvk_batch_item item = {.session = m->session, .tokens = prompt, .count = prompt_count};
    tvk_stop_reason reason;
    tvk_error err = {0};
    token_list got = {out, 0};
    ok(tvk_session_rollback(m->session, 0, &err), &err);
    ok(tvk_session_set_sampler(m->session, &greedy, &err), &err);
    ok(tvk_eval(m->model, &item, 1, &err), &err);
    ok(tvk_session_generate(m->session, count, take_token, &got, &reason, &err), &err);
    assert_int_equal(reason, TVK_STOP_COUNT);
    assert_int_equal(got.count, count);
}

uint32_t best_float(const float *row, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (row[i] > row[best]) best = i;
    return best;
}

figures compare(const char *name, const float *got, const double *expected, uint32_t rows,
                uint32_t vocab)
{
    figures f = {.rows = rows, .close_rows = rows};
    double total_off = 0, total = 0;
    for (uint32_t r = 0; r < rows; r++) {
        const float *g = got + (size_t)r * vocab;
        const double *e = expected + (size_t)r * vocab;
        double off = 0, all = 0;
        for (uint32_t i = 0; i < vocab; i++) {
            double d = (double)g[i] - e[i];
            off += d * d;
            all += e[i] * e[i];
        }
        double relative = sqrt(off / all);
        total_off += off;
        total += all;
        if (!(relative <= f.worst)) { /* also when it is NaN */
            f.worst = relative;
            f.worst_row = r;
        }
        if (!(relative <= 1e-4) && f.close_rows == rows) f.close_rows = r;
        f.same_best += best_float(g, vocab) == (uint32_t)llama2c_best(e, vocab);
    }
    f.all = sqrt(total_off / total);
    print_message("  %s: %u rows, relative L2 %.3g, worst %.3g (row %u), first above 1e-4: ", name,
                  f.rows, f.all, f.worst, f.worst_row);
    if (f.close_rows < rows)
        print_message("%u", f.close_rows);
    else
        print_message("none");
    print_message(", best token equal on %u\n", f.same_best);
    return f;
}

/* Evaluates the ids of an archive and compares with its logits. */
figures compare_with(const char *name, const opened *m, const char *path, const char *logits_name)
{
    npy_array ids = member(path, "ids"), expected = member(path, logits_name);
    int32_t *tokens = token_ids(&ids);
    uint32_t vocab, rows = (uint32_t)ids.count;
    float *got = logits_of(m, tokens, rows, &vocab);
    assert_int_equal(expected.count, (uint64_t)rows * vocab);
    double *want = room((size_t)expected.count, sizeof *want);
    for (uint64_t i = 0; i < expected.count; i++) want[i] = npy_float(&expected, i);
    figures f = compare(name, got, want, rows, vocab);
    free(want);
    free(got);
    free(tokens);
    npy_free(&expected);
    npy_free(&ids);
    return f;
}

int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    *state = f;
    test_temp_path(f->path, sizeof f->path, "golden.gguf");
    f->device = test_device_create(NULL);
    return f->device ? 0 : -1;
}

int tear_down(void **state)
{
    fixture *f = *state;
    if (!f) return -1;
    tvk_device_destroy(&f->device);
    remove(f->path);
    free(f);
    return 0;
}

/* The last one: what the validation layer said about those before it. */
void validation_is_silent(void **state)
{
    const fixture *f = *state;
    assert_int_equal(test_device_messages(f->device), 0);
}

/* 0: there is one; else the exit status. */
int no_device(void)
{
    tvk_device *d = test_device_create(NULL);
    if (!d) return test_no_device_code();
    const tvk_device_info *info = tvk_device_get_info(d);
    print_message("device: %s (%s)\n", info->name, info->driver);
    tvk_device_destroy(&d);
    return 0;
}
