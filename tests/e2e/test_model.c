/* Whole models made of formulas against the CPU reference, bit for bit; prefill, decode, batches,
 * sessions, sampling and generation against each other. */
#include "support/device.h"
#include "support/ref_model.h"
#include "support/tiny_model.h"

#include "ternvk/loader.h"
#include "ternvk/session.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static tvk_device *device;

static const tiny_spec specs[] = {
    {"b158 i2_s", "bitnet", 2, 256, 384, 4, 2, 64, 300, 512, TVK_I2_S, TVK_Q8_0, true, true, true,
     false, 1, 0},
    {"b158 tq2", "bitnet", 2, 256, 512, 4, 4, 64, 257, 512, TVK_TQ2_0, TVK_F16, true, true, true,
     true, 2, 0},
    {"b158 tq1 silu", "bitnet", 2, 256, 256, 8, 2, 32, 128, 512, TVK_TQ1_0, TVK_F32, true, false,
     false, false, 3, 0},
    {"llama ternary", "llama", 2, 128, 320, 4, 1, 32, 96, 512, TVK_I2_S, TVK_F16, false, false,
     false, false, 4, 0},
    {"llama f16", "llama", 2, 96, 172, 2, 2, 48, 131, 512, TVK_F16, TVK_F16, false, false, false,
     false, 5, 0},
    {"llama f32", "llama", 3, 64, 172, 8, 4, 8, 512, 512, TVK_F32, TVK_F32, false, true, false,
     false, 6, 0},
    {"llama q8_0", "llama", 1, 256, 288, 2, 1, 128, 64, 512, TVK_Q8_0, TVK_Q8_0, false, false,
     false, false, 7, 0},
    {"b1", "bitnet-b1", 2, 192, 300, 4, 2, 48, 211, 512, TVK_I8, TVK_F16, false, true, false, false,
     10, 0},
    {"b1 groups", "bitnet-b1", 2, 256, 512, 8, 8, 32, 97, 512, TVK_I8, TVK_F32, false, false, false,
     false, 11, 4},
    {"odd heads", "bitnet", 1, 300, 260, 3, 1, 100, 50, 512, TVK_F32, TVK_BF16, true, false, true,
     false, 8, 0},
};
#define SPEC_COUNT (sizeof specs / sizeof *specs)

typedef struct opened {
    char path[256];
    tvk_file *file;
    tvk_model *model;
    tvk_session *session;
} opened;

static void require_ok(tvk_status st, const tvk_error *err)
{
    if (st != TVK_OK) fail_msg("%s (%s:%d)", err->text, err->file, err->line);
}

static void open_model(const tiny_spec *spec, const tvk_model_params *params, opened *o)
{
    tvk_error err = {0};
    memset(o, 0, sizeof *o);
    test_temp_path(o->path, sizeof o->path, "tiny.gguf");
    assert_true(tiny_model_write(spec, o->path));
    require_ok(tvk_file_open(o->path, &o->file, &err), &err);
    require_ok(tvk_model_create(device, tvk_file_source(o->file), params, &o->model, &err), &err);
    require_ok(tvk_session_create(o->model, &o->session, &err), &err);
}

static void close_model(opened *o)
{
    tvk_session_destroy(&o->session);
    tvk_model_destroy(&o->model);
    tvk_file_close(&o->file);
    remove(o->path);
}

static int32_t token_at(uint32_t i, uint32_t vocab)
{
    return (int32_t)((i * 2654435761u >> 7) % vocab);
}

static int32_t *make_tokens(uint32_t count, uint32_t vocab)
{
    int32_t *t = malloc(count * sizeof *t);
    assert_non_null(t);
    for (uint32_t i = 0; i < count; i++) t[i] = token_at(i, vocab);
    return t;
}

static float *make_floats(size_t count)
{
    float *f = malloc(count * sizeof *f);
    assert_non_null(f);
    return f;
}

static void eval(opened *o, tvk_session *s, const int32_t *tokens, uint32_t count, float *logits)
{
    tvk_error err = {0};
    const tvk_batch_item item = {s, tokens, count, logits};
    require_ok(tvk_eval(o->model, &item, 1, &err), &err);
}

/* Which row differs first; fails the test. */
static void require_same_rows(const char *what, const float *a, const float *b, uint32_t rows,
                              uint32_t width)
{
    for (uint32_t r = 0; r < rows; r++) {
        const float *x = a + (size_t)r * width, *y = b + (size_t)r * width;
        if (memcmp(x, y, width * sizeof *x) == 0) continue;
        for (uint32_t i = 0; i < width; i++) {
            if (memcmp(&x[i], &y[i], sizeof *x) == 0) continue;
            fail_msg("%s: row %u, column %u: %.9g expected, %.9g found", what, r, i, (double)x[i],
                     (double)y[i]);
        }
    }
}

static void queries_against_reference(const tiny_spec *spec, tvk_kv_type k, tvk_kv_type v,
                                      tvk_q_type q, tvk_act act, uint32_t rows)
{
    const tvk_model_params params = {.kv_k = k,
                                     .kv_v = v,
                                     .q = q,
                                     .act = act,
                                     .exact = true,
                                     .context = 300,
                                     .batch = 48,
                                     .fresh_scratch = true};
    opened o;
    ref_model *ref;
    int32_t *tokens = make_tokens(rows, spec->vocab);
    float *found = make_floats((size_t)rows * spec->vocab);
    float *expected = make_floats((size_t)rows * spec->vocab);
    open_model(spec, &params, &o);
    ref = ref_model_open(tvk_file_source(o.file), tvk_model_get_info(o.model));
    assert_non_null(ref);
    for (uint32_t i = 0; i < rows; i++) {
        ref_model_step(ref, tokens[i], expected + (size_t)i * spec->vocab);
    }
    eval(&o, o.session, tokens, rows, found);
    require_same_rows(spec->name, expected, found, rows, spec->vocab);
    ref_model_close(ref);
    close_model(&o);
    free(tokens);
    free(found);
    free(expected);
}

static void against_reference(const tiny_spec *spec, tvk_kv_type k, tvk_kv_type v, tvk_act act,
                              uint32_t rows)
{
    queries_against_reference(spec, k, v, TVK_Q_F32, act, rows);
}

/* Logits of every row equal those of the reference, f32 and f16 KV. */
static void logits_equal_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPEC_COUNT; i++) {
        bool int8_floats = specs[i].linear == TVK_F32 && strcmp(specs[i].arch, "bitnet") == 0;
        if (int8_floats) continue; /* latent weights: refused, see below */
        against_reference(&specs[i], TVK_KV_F32, TVK_KV_F32, TVK_ACT_AUTO, 40);
        against_reference(&specs[i], TVK_KV_F16, TVK_KV_F16, TVK_ACT_AUTO, 20);
    }
}

/* BitNet a4.8 and its FP4 form, with sub-norms and without. */
static void a48_equals_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        against_reference(&specs[i], TVK_KV_F32, TVK_KV_F32, TVK_ACT_A48, 40);
        against_reference(&specs[i], TVK_KV_F32, TVK_KV_F32, TVK_ACT_A48_FP4, 40);
        against_reference(&specs[i], TVK_KV_F16, TVK_KV_F16, TVK_ACT_A48, 20);
    }
}

/* BitNet v2: Hadamard transform before O and down. specs[2] has transforms of 256, specs[1] of 256
 * and 512. */
static void v2_equals_reference(void **state)
{
    tiny_spec wide = specs[5]; /* no sub-norms, a transform of two pieces */
    (void)state;
    for (size_t i = 1; i < 3; i++) {
        against_reference(&specs[i], TVK_KV_F32, TVK_KV_F32, TVK_ACT_V2_A8, 40);
        against_reference(&specs[i], TVK_KV_F16, TVK_KV_F16, TVK_ACT_V2_A4, 40);
    }
    wide.linear = TVK_I2_S;
    wide.layers = 1;
    wide.ffn = 4096;
    against_reference(&wide, TVK_KV_F32, TVK_KV_F32, TVK_ACT_V2_A4, 10);
}

/* Past the edges of chunks and pages (128, 256). */
static void long_context_equals_reference(void **state)
{
    (void)state;
    against_reference(&specs[5], TVK_KV_F16, TVK_KV_F16, TVK_ACT_AUTO, 290);
    against_reference(&specs[5], TVK_KV_Q3, TVK_KV_Q4, TVK_ACT_AUTO, 290);
}

/* Packed keys and values: each type of K and each of V, over models of several head sizes. */
static void packed_cache_equals_reference(void **state)
{
    static const struct {
        tvk_kv_type k, v;
        tvk_act act;
        uint32_t rows;
    } runs[] = {
        {TVK_KV_Q8, TVK_KV_Q8, TVK_ACT_AUTO, 20},  {TVK_KV_Q4, TVK_KV_Q4, TVK_ACT_AUTO, 20},
        {TVK_KV_F16, TVK_KV_Q3, TVK_ACT_A48, 20},  {TVK_KV_F32, TVK_KV_Q4, TVK_ACT_AUTO, 20},
        {TVK_KV_Q4, TVK_KV_F16, TVK_ACT_AUTO, 20}, {TVK_KV_Q3, TVK_KV_Q3, TVK_ACT_AUTO, 150},
        {TVK_KV_Q3, TVK_KV_F32, TVK_ACT_AUTO, 20},
    };
    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        against_reference(&specs[i], runs[i].k, runs[i].v, runs[i].act, runs[i].rows);
    }
}

/* Queries as levels, with every type of K; interleaved pairs as well. */
static void packed_queries_equal_reference(void **state)
{
    static const struct {
        tvk_kv_type k, v;
        tvk_q_type q;
        tvk_act act;
        uint32_t rows;
    } runs[] = {
        {TVK_KV_F16, TVK_KV_F16, TVK_Q_Q4, TVK_ACT_A48, 20},
        {TVK_KV_Q3, TVK_KV_Q3, TVK_Q_Q4, TVK_ACT_A48, 20},
        {TVK_KV_Q8, TVK_KV_F32, TVK_Q_Q8, TVK_ACT_AUTO, 20},
        {TVK_KV_Q4, TVK_KV_Q4, TVK_Q_Q4, TVK_ACT_AUTO, 20},
    };
    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        queries_against_reference(&specs[i], runs[i].k, runs[i].v, runs[i].q, runs[i].act,
                                  runs[i].rows);
    }
}

/* One prefill of n rows, n decodes, and batches of odd sizes give the same bits. */
static void prefill_equals_decode(void **state)
{
    (void)state;
    static const tvk_kv_type kinds[8][2] = {{TVK_KV_F16, TVK_KV_F16}, {TVK_KV_Q3, TVK_KV_Q3},
                                            {TVK_KV_Q8, TVK_KV_Q4},   {TVK_KV_Q4, TVK_KV_F32},
                                            {TVK_KV_F16, TVK_KV_F16}, {TVK_KV_F16, TVK_KV_F16},
                                            {TVK_KV_F16, TVK_KV_F16}, {TVK_KV_F16, TVK_KV_F16}};
    static const tvk_q_type queries[8] = {TVK_Q_F32, TVK_Q_Q4, TVK_Q_F32, TVK_Q_F32,
                                          TVK_Q_F32, TVK_Q_Q4, TVK_Q_F32, TVK_Q_F32};
    for (size_t i = 0; i < 8; i++) {
        const tiny_spec *spec = &specs[i < 6 ? i % 4 : i == 6 ? 8 : 2]; /* b1, v2 last */
        const uint32_t n = 150, vocab = spec->vocab;
        const tvk_act acts[] = {TVK_ACT_INT8, TVK_ACT_INT8,    TVK_ACT_INT8, TVK_ACT_INT8,
                                TVK_ACT_A48,  TVK_ACT_A48_FP4, TVK_ACT_INT8, TVK_ACT_V2_A4};
        const tvk_model_params params = {.kv_k = kinds[i][0],
                                         .kv_v = kinds[i][1],
                                         .q = queries[i],
                                         .act = acts[i],
                                         .exact = true,
                                         .sessions = 2,
                                         .batch = 64};
        opened o;
        tvk_session *other;
        tvk_error err = {0};
        int32_t *tokens = make_tokens(n, vocab);
        float *all = make_floats((size_t)n * vocab), *single = make_floats((size_t)n * vocab);
        open_model(spec, &params, &o);
        require_ok(tvk_session_create(o.model, &other, &err), &err);
        eval(&o, o.session, tokens, n, all);
        for (uint32_t t = 0; t < n; t++) {
            eval(&o, other, tokens + t, 1, single + (size_t)t * vocab);
        }
        require_same_rows("prefill against decode", single, all, n, vocab);
        require_ok(tvk_session_rollback(other, 10, &err), &err);
        for (uint32_t t = 10; t < n; t += 37) {
            uint32_t count = n - t < 37 ? n - t : 37;
            eval(&o, other, tokens + t, count, single + (size_t)t * vocab);
        }
        require_same_rows("batches against prefill", all, single, n, vocab);
        tvk_session_destroy(&other);
        close_model(&o);
        free(tokens);
        free(all);
        free(single);
    }
}

/* Zeros that are skipped change no bit: one row at a time with every sparse path, and dense. */
static void sparse_equals_dense(void **state)
{
    static const struct {
        uint32_t spec;
        tvk_act act;
        bool o, up, down; /* codes of a byte; ReLU2; codes of a byte */
    } runs[] = {{0, TVK_ACT_INT8, true, true, true},     {0, TVK_ACT_A48, true, true, true},
                {1, TVK_ACT_A48_FP4, false, true, true}, {2, TVK_ACT_A48, true, false, true},
                {3, TVK_ACT_INT8, true, false, true},    {1, TVK_ACT_V2_A8, true, true, true},
                {1, TVK_ACT_V2_A4, false, true, false}};
    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        const tiny_spec *spec = &specs[runs[i].spec];
        const uint32_t n = 10, vocab = spec->vocab;
        const tvk_model_params dense = {.act = runs[i].act, .exact = true, .batch = 32};
        tvk_model_params sparse = dense;
        opened o;
        int32_t *tokens = make_tokens(n, vocab);
        float *want = make_floats((size_t)n * vocab), *found = make_floats((size_t)n * vocab);
        uint64_t bytes;
        uint32_t inputs;
        sparse.sparse = TVK_SPARSE_ON;
        sparse.fresh_scratch = true;
        open_model(spec, &dense, &o);
        bytes = tvk_model_get_info(o.model)->weight_bytes;
        assert_false(tvk_model_get_info(o.model)->skip[TVK_SKIP_DOWN].used);
        eval(&o, o.session, tokens, n, want);
        close_model(&o);
        open_model(spec, &sparse, &o);
        assert_int_equal(tvk_model_get_info(o.model)->skip[TVK_SKIP_O].used, runs[i].o);
        assert_int_equal(tvk_model_get_info(o.model)->skip[TVK_SKIP_UP].used, runs[i].up);
        assert_int_equal(tvk_model_get_info(o.model)->skip[TVK_SKIP_DOWN].used, runs[i].down);
        /* K-major copies of O and down: four codes a byte */
        inputs = (runs[i].o ? spec->heads * spec->head_size : 0) + (runs[i].down ? spec->ffn : 0);
        assert_int_equal(tvk_model_get_info(o.model)->weight_bytes - bytes,
                         (uint64_t)spec->layers * ((spec->hidden + 63) / 64 * 64) * inputs / 4);
        for (uint32_t t = 0; t < n; t++)
            eval(&o, o.session, tokens + t, 1, found + (size_t)t * vocab);
        require_same_rows("sparse against dense", want, found, n, vocab);
        close_model(&o);
        free(tokens);
        free(want);
        free(found);
    }
}

/* Four sessions at different positions in one step equal each alone. */
static void sessions_together_equal_alone(void **state)
{
    (void)state;
    const tiny_spec *spec = &specs[0];
    const uint32_t vocab = spec->vocab;
    const tvk_model_params params = {.exact = true, .sessions = 4, .batch = 64};
    opened o;
    tvk_session *s[4];
    tvk_error err = {0};
    float *together[4], *alone = make_floats((size_t)40 * vocab);
    int32_t *tokens = make_tokens(200, vocab);
    tvk_batch_item items[4];
    open_model(spec, &params, &o);
    s[0] = o.session;
    for (int i = 1; i < 4; i++) require_ok(tvk_session_create(o.model, &s[i], &err), &err);
    for (uint32_t i = 0; i < 4; i++) {
        eval(&o, s[i], tokens + 3 * i, 1 + 50 * i, NULL);
        together[i] = make_floats((size_t)40 * vocab);
        items[i] = (tvk_batch_item){s[i], tokens + 7 * i, 5 + 3 * i, together[i]};
    }
    require_ok(tvk_eval(o.model, items, 4, &err), &err);
    for (uint32_t i = 0; i < 4; i++) {
        require_ok(tvk_session_rollback(s[i], 1 + 50 * i, &err), &err);
        eval(&o, s[i], tokens + 7 * i, items[i].count, alone);
        require_same_rows("four sessions in one step", alone, together[i], items[i].count, vocab);
        free(together[i]);
    }
    for (int i = 1; i < 4; i++) tvk_session_destroy(&s[i]);
    close_model(&o);
    free(alone);
    free(tokens);
}

typedef struct collected {
    int32_t tokens[128];
    uint32_t count, stop_after;
} collected;

static bool collect(void *user, int32_t token)
{
    collected *c = user;
    c->tokens[c->count++] = token;
    return c->count != c->stop_after;
}

static const tvk_sampler_params samplers[] = {
    {.temperature = 0},
    {.temperature = 0, .repeat_penalty = 1.3f, .last_n = 8},
    {.temperature = 0.8f, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f, .seed = 7},
    {.temperature = 1.5f, .top_k = 256, .seed = 12345678901ull},
    {.temperature = 0.7f, .top_k = 5, .repeat_penalty = 1.1f, .seed = 3},
    {.temperature = 1.0f, .top_k = 100, .top_p = 0.3f, .seed = 4},
};

/* The device's tokens, pipelined or one by one, equal the host sampler's and those drawn from the
 * logits by hand. */
static void sampling_agrees(void **state)
{
    (void)state;
    const tiny_spec *spec = &specs[1];
    const tvk_model_params params = {.exact = true};
    const uint32_t n = 40;
    opened o;
    tvk_error err = {0};
    int32_t *prompt = make_tokens(9, spec->vocab);
    float *logits = make_floats(spec->vocab);
    open_model(spec, &params, &o);
    for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++) {
        tvk_sampler_params p = samplers[i];
        collected device_run = {.count = 0}, host_run = {.count = 0};
        int32_t history[64];
        tvk_stop_reason reason;
        require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
        require_ok(tvk_session_rollback(o.session, 0, &err), &err);
        eval(&o, o.session, prompt, 9, NULL);
        require_ok(tvk_session_generate(o.session, n, collect, &device_run, &reason, &err), &err);
        assert_int_equal(reason, TVK_STOP_COUNT);
        assert_int_equal(device_run.count, n);
        assert_int_equal(tvk_session_position(o.session), 9 + n);
        p.host = true;
        require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
        require_ok(tvk_session_rollback(o.session, 9, &err), &err);
        require_ok(tvk_session_generate(o.session, n, collect, &host_run, &reason, &err), &err);
        assert_memory_equal(device_run.tokens, host_run.tokens, n * sizeof(int32_t));
        /* by hand: logits, tvk_sample, feed */
        memcpy(history, prompt, 9 * sizeof *prompt);
        require_ok(tvk_session_rollback(o.session, 9, &err), &err);
        for (uint32_t t = 0; t < 12; t++) {
            require_ok(tvk_session_logits(o.session, logits, &err), &err);
            history[9 + t] = tvk_sample(&p, logits, spec->vocab, history, 9 + t, 9 + t);
            assert_int_equal(history[9 + t], device_run.tokens[t]);
            eval(&o, o.session, &history[9 + t], 1, NULL);
        }
        /* one by one on the device */
        p.host = false;
        require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
        require_ok(tvk_session_rollback(o.session, 9, &err), &err);
        for (uint32_t t = 0; t < 12; t++) {
            int32_t token;
            require_ok(tvk_decode(o.model, &o.session, 1, &token, &err), &err);
            assert_int_equal(token, device_run.tokens[t]);
        }
    }
    close_model(&o);
    free(prompt);
    free(logits);
}

static void stops(tvk_sparse sparse)
{
    const tiny_spec *spec = &specs[0];
    const tvk_model_params params = {
        .exact = true, .context = 60, .sparse = sparse, .fresh_scratch = true};
    tvk_sampler_params p = {.temperature = 1.0f, .top_k = 200, .seed = 5};
    opened o;
    tvk_error err = {0};
    collected all = {.count = 0}, again = {.count = 0};
    tvk_stop_reason reason;
    uint32_t first;
    int32_t *prompt = make_tokens(10, spec->vocab);
    open_model(spec, &params, &o);
    require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
    eval(&o, o.session, prompt, 10, NULL);
    /* the context is full after 50 more */
    require_ok(tvk_session_generate(o.session, 100, collect, &all, &reason, &err), &err);
    assert_int_equal(reason, TVK_STOP_CONTEXT);
    assert_int_equal(all.count, 50);
    assert_int_equal(tvk_decode(o.model, &o.session, 1, &again.tokens[0], &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "0 are left"));
    /* a stop token: the run ends with its first occurrence */
    p.stop_count = 1;
    p.stops[0] = all.tokens[20];
    for (first = 0; all.tokens[first] != p.stops[0]; first++) {
    }
    require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
    require_ok(tvk_session_rollback(o.session, 10, &err), &err);
    require_ok(tvk_session_generate(o.session, 50, collect, &again, &reason, &err), &err);
    assert_int_equal(reason, TVK_STOP_TOKEN);
    assert_int_equal(again.count, first + 1);
    assert_int_equal(tvk_session_position(o.session), 10 + first + 1);
    assert_memory_equal(all.tokens, again.tokens, again.count * sizeof(int32_t));
    /* the callback says stop; going on afterwards continues the same text */
    p.stop_count = 0;
    again = (collected){.stop_after = 7};
    require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
    require_ok(tvk_session_rollback(o.session, 10, &err), &err);
    require_ok(tvk_session_generate(o.session, 50, collect, &again, &reason, &err), &err);
    assert_int_equal(reason, TVK_STOP_CALLBACK);
    assert_int_equal(tvk_session_position(o.session), 17);
    again.stop_after = 0;
    require_ok(tvk_session_generate(o.session, 20, collect, &again, &reason, &err), &err);
    assert_int_equal(again.count, 27);
    assert_memory_equal(all.tokens, again.tokens, again.count * sizeof(int32_t));
    close_model(&o);
    free(prompt);
}

static void generation_stops(void **state)
{
    (void)state;
    stops(TVK_SPARSE_OFF);
    stops(TVK_SPARSE_ON); /* steps in flight after the stop have no row, hence no list */
}

/* Sessions decoded side by side draw what each draws alone. */
static void decode_together(void **state)
{
    (void)state;
    const tiny_spec *spec = &specs[2];
    const tvk_model_params params = {.exact = true, .sessions = 3};
    opened o;
    tvk_session *s[3];
    tvk_error err = {0};
    int32_t *prompt = make_tokens(60, spec->vocab), together[3][16], alone;
    open_model(spec, &params, &o);
    s[0] = o.session;
    for (uint32_t i = 0; i < 3; i++) {
        const tvk_sampler_params p = {.temperature = 1, .top_k = 50, .seed = i};
        if (i > 0) require_ok(tvk_session_create(o.model, &s[i], &err), &err);
        require_ok(tvk_session_set_sampler(s[i], &p, &err), &err);
        eval(&o, s[i], prompt, 3 + 20 * i, NULL);
    }
    for (uint32_t t = 0; t < 16; t++) {
        int32_t out[3];
        require_ok(tvk_decode(o.model, s, 3, out, &err), &err);
        for (int i = 0; i < 3; i++) together[i][t] = out[i];
    }
    for (uint32_t i = 0; i < 3; i++) {
        require_ok(tvk_session_rollback(s[i], 3 + 20 * i, &err), &err);
        for (uint32_t t = 0; t < 16; t++) {
            require_ok(tvk_decode(o.model, &s[i], 1, &alone, &err), &err);
            assert_int_equal(alone, together[i][t]);
        }
    }
    assert_int_equal(tvk_session_create(o.model, &s[0], &err), TVK_ERR_ARG);
    s[0] = o.session;
    tvk_session_destroy(&s[1]);
    tvk_session_destroy(&s[2]);
    close_model(&o);
    free(prompt);
}

static void activations_can_be_read(void **state)
{
    (void)state;
    const tiny_spec *spec = &specs[0];
    const tvk_model_params params = {.exact = true, .keep_activations = true};
    opened o;
    tvk_error err = {0};
    int32_t *tokens = make_tokens(5, spec->vocab);
    float *x = make_floats(5 * (size_t)spec->hidden);
    float *logits = make_floats(5 * (size_t)spec->vocab),
          *plain = make_floats(5 * (size_t)spec->vocab);
    uint32_t record[4];
    int32_t sum = 0;
    open_model(spec, &params, &o);
    eval(&o, o.session, tokens, 5, logits);
    require_ok(tvk_model_read(o.model, "l0.embed_out", x, 5 * 4 * (uint64_t)spec->hidden, &err),
               &err);
    /* Q8_0 row of the first token, decoded by hand from the file */
    const tvk_weight_source *src = tvk_file_source(o.file);
    const tvk_tensor *e = src->tensor(src->user, "token_embd.weight");
    const uint8_t *block = (const uint8_t *)e->data + (size_t)tokens[0] * spec->hidden / 32 * 34;
    for (uint32_t i = 0; i < 32; i++) sum += (int8_t)block[2 + i] != 0;
    assert_true(sum > 0);
    for (uint32_t i = 0; i < 32; i++) {
        if ((int8_t)block[2 + i] == 0) assert_true(x[i] == 0);
        if ((int8_t)block[2 + i] > 0) assert_true(x[i] > 0);
        if ((int8_t)block[2 + i] < 0) assert_true(x[i] < 0);
    }
    require_ok(tvk_model_read(o.model, "l1.down_in", record, sizeof record, &err), &err);
    assert_int_equal(record[2], 0);
    assert_int_equal(tvk_model_read(o.model, "l9.none", record, sizeof record, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "l0.qkv"));
    close_model(&o);
    /* keeping them changes nothing */
    const tvk_model_params reused = {.exact = true, .fresh_scratch = true};
    open_model(spec, &reused, &o);
    eval(&o, o.session, tokens, 5, plain);
    require_same_rows("kept against reused memory", logits, plain, 5, spec->vocab);
    close_model(&o);
    free(tokens);
    free(x);
    free(logits);
    free(plain);
}

/* Zeros among `rows` records or rows of floats of a kept tensor, counted on the host; bits 8 or 4,
 * 0: floats, -1: floats that are not positive. */
static uint64_t count_kept(opened *o, uint32_t layer, const char *name, uint32_t rows, uint32_t k,
                           uint32_t stride, int bits)
{
    char tensor[32];
    tvk_error err = {0};
    uint64_t zeros = 0;
    uint32_t *words = malloc((size_t)rows * stride * 4);
    assert_non_null(words);
    snprintf(tensor, sizeof tensor, "l%u.%s", layer, name);
    require_ok(tvk_model_read(o->model, tensor, words, (uint64_t)rows * stride * 4, &err), &err);
    for (uint32_t t = 0; t < rows; t++) {
        const uint32_t *row = words + (size_t)t * stride;
        for (uint32_t i = 0; i < k; i++) {
            float x;
            memcpy(&x, &row[i % stride], 4);
            if (bits == 8)
                zeros += ((const int8_t *)(row + 4))[i] == 0;
            else if (bits == 4)
                zeros += (row[4 + i / 8] >> (i % 4 * 8 + (i & 4)) & 15u) == 0;
            else
                zeros += bits == 0 ? x == 0 : !(x > 0);
        }
    }
    free(words);
    return zeros;
}

static uint32_t record_words(uint32_t k, int bits)
{
    return bits == 8 ? 4 + (k + 127) / 128 * 32 : bits == 4 ? 4 + (k + 127) / 128 * 16 : k;
}

/* The device's counts are those of the tensors it leaves, whatever the steps held; other models
 * have none, and counting changes no bit. */
static void zeros_are_counted(void **state)
{
    (void)state;
    static const struct {
        uint32_t spec;
        tvk_act act;
        int bits[4]; /* of what enters QKV, O, gate and up, down */
    } runs[] = {{0, TVK_ACT_INT8, {8, 8, 8, 8}},
                {1, TVK_ACT_A48, {4, 8, 4, 8}},
                {2, TVK_ACT_A48, {4, 8, 4, 8}}, /* SiLU */
                {0, TVK_ACT_A48_FP4, {4, 4, 4, 8}},
                {4, TVK_ACT_AUTO, {0, 0, 0, 0}}};
    static const uint32_t steps[] = {16, 1, 1, 7, 3, 1};
    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
        const tiny_spec *spec = &specs[runs[r].spec];
        const uint32_t heads = spec->heads * spec->head_size;
        const struct {
            const char *name;
            uint32_t k, stride;
            int bits;
        } inputs[] = {
            {"qkv_in", spec->hidden, record_words(spec->hidden, runs[r].bits[0]), runs[r].bits[0]},
            /* without sub-norms float linears read the tensors themselves */
            {runs[r].bits[1] ? "o_in" : "attn_out", heads, record_words(heads, runs[r].bits[1]),
             runs[r].bits[1]},
            {"gateup_in", spec->hidden, record_words(spec->hidden, runs[r].bits[2]),
             runs[r].bits[2]},
            {"gate_up", spec->ffn, 2 * spec->ffn, -1},
            {runs[r].bits[3] ? "down_in" : "glu", spec->ffn,
             record_words(spec->ffn, runs[r].bits[3]), runs[r].bits[3]}};
        tvk_model_params params = {.act = runs[r].act,
                                   .exact = true,
                                   .batch = 16,
                                   .context = 64,
                                   .keep_activations = true,
                                   .stats = true};
        uint64_t want[8][5] = {{0}};
        tvk_layer_stats found[8];
        tvk_stats sum;
        tvk_error err = {0};
        opened o;
        int32_t *tokens = make_tokens(64, spec->vocab);
        float *counted = make_floats(16 * (size_t)spec->vocab),
              *plain = make_floats(16 * (size_t)spec->vocab);
        uint32_t at = 0;
        open_model(spec, &params, &o);
        const bool relu2 = strcmp(tvk_model_get_info(o.model)->activation, "relu2") == 0;
        for (size_t s = 0; s < sizeof steps / sizeof *steps; at += steps[s++]) {
            eval(&o, o.session, tokens + at, steps[s], at == 0 ? counted : NULL);
            if (s == 1) require_ok(tvk_model_stats_reset(o.model, &err), &err);
            for (uint32_t l = 0; s > 1 && l < spec->layers; l++) {
                for (int i = 0; i < 5; i++) {
                    if (i == 3 && !relu2) continue;
                    want[l][i] += count_kept(&o, l, inputs[i].name, steps[s], inputs[i].k,
                                             inputs[i].stride, inputs[i].bits);
                }
            }
        }
        require_ok(tvk_model_stats_layers(o.model, found, &err), &err);
        for (uint32_t l = 0; l < spec->layers; l++) {
            const tvk_count *counts[] = {&found[l].qkv, &found[l].out, &found[l].gate_up,
                                         &found[l].gates, &found[l].down};
            for (int i = 0; i < 5; i++) {
                assert_int_equal(counts[i]->zeros, want[l][i]);
                assert_int_equal(counts[i]->values,
                                 i == 3 && !relu2 ? 0 : (7 + 3 + 1 + 1) * inputs[i].k);
            }
            if (runs[r].act == TVK_ACT_A48)
                assert_true(found[l].out.zeros >= found[l].out.values / 2);
        }
        tvk_model_stats_sum(o.model, found, 27, &sum);
        assert_int_equal(sum.tokens, 12);
        assert_true(sum.zeros[TVK_LINEAR_UP] >= sum.zeros[TVK_LINEAR_GATE]);
        assert_true(sum.active_parameters <= (double)sum.parameters && sum.active_parameters > 0);
        close_model(&o);
        params.keep_activations = params.stats = false;
        open_model(spec, &params, &o);
        eval(&o, o.session, tokens, 16, plain);
        require_same_rows("counted against not", plain, counted, 16, spec->vocab);
        assert_int_equal(tvk_model_stats_layers(o.model, found, &err), TVK_ERR_ARG);
        assert_int_equal(tvk_model_stats_reset(o.model, &err), TVK_ERR_ARG);
        close_model(&o);
        free(tokens);
        free(counted);
        free(plain);
    }
}

/* BitNet b1: column slabs are counted slab by slab and make whole rows; there is no gate. */
static void b1_counts(void **state)
{
    (void)state;
    const tiny_spec *spec = &specs[8]; /* 256 wide, 8 heads of 32, FFN 512, 2 layers, 4 groups */
    const tvk_model_params params = {.exact = true, .context = 64, .stats = true};
    tvk_layer_stats layers[2];
    tvk_stats sum;
    tvk_error err = {0};
    opened o;
    int32_t *tokens = make_tokens(5, spec->vocab);
    open_model(spec, &params, &o);
    eval(&o, o.session, tokens, 5, NULL);
    require_ok(tvk_model_stats_layers(o.model, layers, &err), &err);
    for (int l = 0; l < 2; l++) {
        assert_int_equal(layers[l].qkv.values, 5 * 256);
        assert_int_equal(layers[l].out.values, 5 * 256);
        assert_int_equal(layers[l].gate_up.values, 5 * 256);
        assert_int_equal(layers[l].gates.values, 0);
        assert_int_equal(layers[l].down.values, 5 * 512);
    }
    tvk_model_stats_sum(o.model, layers, 4, &sum);
    assert_int_equal(sum.tokens, 5);
    assert_int_equal(sum.parameters, 2 * (4 * 256 * 256 + 2 * 512 * 256));
    /* an eighth byte a weight (the 64 inputs of a slab of O are padded to 128) and 4 a row, of O
     * and down for each slab; head and one embedding row in F32; no gains but the last */
    assert_true(fabs(sum.weight_bytes_read - (2 * ((768 + 512) * 36.0 + 2 * 4 * 256 * (16 + 4)) +
                                              98 * 256 * 4 + 4 * 256)) < 1e-3);
    close_model(&o);
    free(tokens);
}

/* Shares, active parameters and bytes of a model with counts that were made up, by hand. */
static void stats_of_made_up_counts(void **state)
{
    (void)state;
    const tiny_spec *spec =
        &specs[0]; /* 256 wide, 4 heads of 64, 2 for K and V, FFN 384, 2 layers */
    const tvk_model_params params = {.exact = true, .context = 64, .stats = true};
    tvk_model_params sparse = params;
    double whole;
    const tvk_layer_stats layers[2] = {
        {{1000, 100}, {1000, 500}, {1000, 200}, {1000, 750}, {1000, 800}},
        {{1000, 300}, {1000, 500}, {1000, 0}, {1000, 0}, {1000, 600}}};
    const double qkv = 512 * 256, out = 256 * 256, ffn = 384 * 256;
    tvk_stats s;
    opened o;
    open_model(spec, &params, &o);
    tvk_model_stats_sum(o.model, layers, 9, &s);
    assert_true(fabs(s.zeros[TVK_LINEAR_QKV] - 0.2) < 1e-12);
    assert_true(fabs(s.zeros[TVK_LINEAR_OUT] - 0.5) < 1e-12);
    assert_true(fabs(s.zeros[TVK_LINEAR_UP] - 0.4) < 1e-12); /* 1 - 0.8 * 0.25 and 0 */
    assert_true(fabs(s.zeros[TVK_LINEAR_GATE] - 0.1) < 1e-12);
    assert_true(fabs(s.zeros[TVK_LINEAR_DOWN] - 0.7) < 1e-12);
    assert_int_equal(s.parameters, (uint64_t)(2 * (qkv + out + 3 * ffn)));
    assert_true(fabs(s.active_parameters - 2 * (0.8 * qkv + 0.5 * out + (0.6 + 0.9 + 0.3) * ffn)) <
                1e-3);
    assert_true(fabs(s.zeros_overall - (0.2 * qkv + 0.5 * out + (0.4 + 0.1 + 0.7) * ffn) /
                                           (qkv + out + 3 * ffn)) < 1e-12);
    /* a quarter byte a weight and 4 a row; Q8_0 head and one row of the embedding: 36 bytes in 32;
     * gains of two norms and two sub-norms a layer, and the last one */
    assert_true(fabs(s.weight_bytes_read -
                     (2 * ((qkv + out + 3 * ffn) / 4 + 4 * (512 + 256 + 768 + 256)) +
                      301 * 256 / 32 * 36.0 + 4 * (2 * (256 + 256 + 256 + 384) + 256))) < 1e-3);
    assert_int_equal(s.kv_bytes_written,
                     2 * 2 * 2 * 64 * 2); /* layers, K and V, heads, size, f16 */
    assert_int_equal(s.kv_bytes_read, 10 * s.kv_bytes_written);
    close_model(&o);
    /* skipped: half of the attention output's codes; up rows of 3 in 4 gates in the first layer;
     * 80 and 60 % of down's */
    sparse.sparse = TVK_SPARSE_ON;
    open_model(spec, &sparse, &o);
    whole = s.weight_bytes_read;
    tvk_model_stats_sum(o.model, layers, 9, &s);
    assert_true(fabs(whole - s.weight_bytes_read -
                     (2 * 0.5 * out / 4 + 0.75 * (ffn / 4 + 4 * 384) + (0.8 + 0.6) * ffn / 4)) <
                1e-3);
    close_model(&o);
}

static void bad_calls_are_refused(void **state)
{
    (void)state;
    const tiny_spec *spec = &specs[0];
    const tvk_model_params params = {.context = 32};
    opened o;
    tvk_error err = {0};
    const tvk_model_params unknown = {.act = (tvk_act)(TVK_ACT_V2_A4 + 1)};
    int32_t *tokens = make_tokens(40, spec->vocab), bad = (int32_t)spec->vocab, out;
    tvk_batch_item item;
    tvk_memory_use before, after;
    tvk_device_memory(device, &before);
    open_model(spec, &params, &o);
    item = (tvk_batch_item){o.session, tokens, 33, NULL};
    assert_int_equal(tvk_eval(o.model, &item, 1, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "33 tokens do not fit"));
    item = (tvk_batch_item){o.session, &bad, 1, NULL};
    assert_int_equal(tvk_eval(o.model, &item, 1, &err), TVK_ERR_ARG);
    assert_int_equal(tvk_session_position(o.session), 0);
    assert_int_equal(tvk_decode(o.model, &o.session, 1, &out, &err), TVK_ERR_ARG);
    assert_int_equal(tvk_session_rollback(o.session, 1, &err), TVK_ERR_ARG);
    {
        tvk_model *none = NULL;
        assert_int_equal(tvk_model_create(device, tvk_file_source(o.file), &unknown, &none, &err),
                         TVK_ERR_ARG);
        assert_null(none);
    }
    close_model(&o);
    tvk_device_memory(device, &after);
    for (int p = 0; p < TVK_PURPOSE_STAGING; p++) {
        assert_int_equal(before.by_purpose[p], after.by_purpose[p]);
    }
    { /* 384 is no power of two */
        const tvk_model_params v2 = {.act = TVK_ACT_V2_A8};
        tvk_model *none = NULL;
        test_temp_path(o.path, sizeof o.path, "v2.gguf");
        assert_true(tiny_model_write(&specs[0], o.path));
        require_ok(tvk_file_open(o.path, &o.file, &err), &err);
        assert_int_equal(tvk_model_create(device, tvk_file_source(o.file), &v2, &none, &err),
                         TVK_ERR_UNSUPPORTED);
        assert_null(none);
        assert_non_null(strstr(err.text, "256 and 384 found"));
        tvk_file_close(&o.file);
        remove(o.path);
    }
    /* b1 has one activation scheme; bytes that are no signs are no weights of others */
    {
        const tvk_model_params a48 = {.act = TVK_ACT_A48};
        tiny_spec bytes = specs[7];
        tvk_model *none = NULL;
        test_temp_path(o.path, sizeof o.path, "b1.gguf");
        assert_true(tiny_model_write(&specs[7], o.path));
        require_ok(tvk_file_open(o.path, &o.file, &err), &err);
        assert_int_equal(tvk_model_create(device, tvk_file_source(o.file), &a48, &none, &err),
                         TVK_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.text, "int8 expected"));
        tvk_file_close(&o.file);
        bytes.groups = 3; /* 48 rows of K: yes; 192 inputs of O: yes; FFN 300 / 3: yes */
        bytes.ffn = 304;
        assert_true(tiny_model_write(&bytes, o.path));
        require_ok(tvk_file_open(o.path, &o.file, &err), &err);
        assert_int_equal(tvk_model_create(device, tvk_file_source(o.file), NULL, &none, &err),
                         TVK_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.text, "3 weight groups"));
        tvk_file_close(&o.file);
        bytes = specs[7];
        bytes.arch = "llama";
        assert_true(tiny_model_write(&bytes, o.path));
        require_ok(tvk_file_open(o.path, &o.file, &err), &err);
        assert_int_not_equal(tvk_model_create(device, tvk_file_source(o.file), NULL, &none, &err),
                             TVK_OK);
        assert_null(none);
        tvk_file_close(&o.file);
        remove(o.path);
    }
    /* latent float weights of a b1.58 model must be converted first */
    test_temp_path(o.path, sizeof o.path, "latent.gguf");
    assert_true(tiny_model_write(&specs[9], o.path));
    require_ok(tvk_file_open(o.path, &o.file, &err), &err);
    assert_int_equal(tvk_model_create(device, tvk_file_source(o.file), NULL, &o.model, &err),
                     TVK_ERR_UNSUPPORTED);
    assert_null(o.model);
    assert_non_null(strstr(err.text, "latent"));
    tvk_file_close(&o.file);
    remove(o.path);
    free(tokens);
}

/* A device with the smallest limits gives the same bits: matrices are split, nothing optional. */
static void poorest_device(const tiny_spec *spec)
{
    static const char clamps[] = "max_invocations 128\nmax_shared_bytes 16384\n"
                                 "max_storage_buffers 4\nmax_storage_bytes 131072\n";
    const tvk_model_params params = {.exact = true, .context = 64, .batch = 8, .max_outputs = 4};
    tvk_model_params sparse = params;
    int32_t *tokens = make_tokens(20, spec->vocab);
    float *rich = make_floats(20 * (size_t)spec->vocab),
          *poor = make_floats(20 * (size_t)spec->vocab);
    tvk_device *saved = device;
    opened o;
    open_model(spec, &params, &o);
    eval(&o, o.session, tokens, 20, rich);
    close_model(&o);
    device = test_device_create(clamps);
    assert_non_null(device);
    open_model(spec, &params, &o);
    eval(&o, o.session, tokens, 20, poor);
    close_model(&o);
    require_same_rows("clamped device", rich, poor, 20, spec->vocab);
    /* K-major copies in pieces, up rows of the second piece */
    sparse.sparse = TVK_SPARSE_ON;
    open_model(spec, &sparse, &o);
    for (uint32_t t = 0; t < 20; t++)
        eval(&o, o.session, tokens + t, 1, poor + (size_t)t * spec->vocab);
    close_model(&o);
    assert_int_equal(test_device_messages(device), 0);
    tvk_device_destroy(&device);
    device = saved;
    require_same_rows("clamped device, sparse", rich, poor, 20, spec->vocab);
    free(tokens);
    free(rich);
    free(poor);
}

static void poorest_device_same_bits(void **state)
{
    (void)state;
    poorest_device(&specs[1]);
    poorest_device(&specs[8]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_equal_reference),
        cmocka_unit_test(a48_equals_reference),
        cmocka_unit_test(v2_equals_reference),
        cmocka_unit_test(long_context_equals_reference),
        cmocka_unit_test(packed_cache_equals_reference),
        cmocka_unit_test(packed_queries_equal_reference),
        cmocka_unit_test(prefill_equals_decode),
        cmocka_unit_test(sparse_equals_dense),
        cmocka_unit_test(sessions_together_equal_alone),
        cmocka_unit_test(sampling_agrees),
        cmocka_unit_test(generation_stops),
        cmocka_unit_test(decode_together),
        cmocka_unit_test(activations_can_be_read),
        cmocka_unit_test(zeros_are_counted),
        cmocka_unit_test(b1_counts),
        cmocka_unit_test(stats_of_made_up_counts),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(poorest_device_same_bits),
    };
    int failed;
    device = test_device_create(NULL);
    if (!device) return test_no_device_code();
    fprintf(stderr, "device: %s\n", tvk_device_get_info(device)->name);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed |= test_device_messages(device);
    tvk_device_destroy(&device);
    return failed != 0;
}
