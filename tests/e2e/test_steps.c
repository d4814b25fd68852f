/* Prefill, decode, batches, several sessions, sparse steps and the poorest device against each
 * other, bit for bit. */
#include "e2e/model_fixture.h"

#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/device.h"

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
        const tiny_spec *spec = &tiny_specs[i < 6 ? i % 4 : i == 6 ? 8 : 2]; /* b1, v2 last */
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
        const tiny_spec *spec = &tiny_specs[runs[i].spec];
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
    const tiny_spec *spec = &tiny_specs[0];
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

/* Dispatches of a step by rows of the manifest that are not exact. */
static uint32_t inexact(const tvk_model *m, int step)
{
    const tvk_dispatch_list *list = &m->steps[step].graph.list;
    uint32_t count = 0;
    for (uint32_t i = 0; i < list->count; i++)
        count += (list->items[i].caps & TVK_CAP_INEXACT) != 0;
    return count;
}

/* Mat-mats of halves are for sessions side by side and batches; a draft's rows have the bits of
 * single ones. */
static void drafts_stay_exact(void **state)
{
    (void)state;
    const tiny_spec *spec = &tiny_specs[6]; /* Q8_0 everywhere */
    const uint32_t n = 20, vocab = spec->vocab;
    const tvk_model_params params = {.sessions = 2, .batch = 64};
    opened o;
    tvk_error err = {0};
    uint32_t row = 0;
    int32_t *tokens = make_tokens(n, vocab);
    float *draft = make_floats((size_t)n * vocab), *single = make_floats((size_t)n * vocab);
    open_model(spec, &params, &o);
    while (row < tvk_shader_count() && strcmp(tvk_shader_get(row)->name, "gemm_q8_cm") != 0) row++;
    if (tvk_kernels_eligible(o.model->kernels, row, NULL)) {
        require_ok(tvk_kernels_force(o.model->kernels, TVK_OP_gemm_q8, row, 0, &err), &err);
        require_ok(tvk_steps_remake(o.model, &err), &err);
        assert_int_not_equal(inexact(o.model, TVK_STEP_SESSIONS), 0);
        assert_int_not_equal(inexact(o.model, TVK_STEP_BATCH), 0);
    }
    assert_int_equal(inexact(o.model, TVK_STEP_DECODE), 0);
    assert_int_equal(inexact(o.model, TVK_STEP_FEW), 0);
    eval(&o, o.session, tokens, n, draft);
    require_ok(tvk_session_rollback(o.session, 0, &err), &err);
    for (uint32_t t = 0; t < n; t++) eval(&o, o.session, tokens + t, 1, single + (size_t)t * vocab);
    require_same_rows("drafts", single, draft, n, vocab);
    close_model(&o);
    free(tokens);
    free(draft);
    free(single);
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
    poorest_device(&tiny_specs[1]);
    poorest_device(&tiny_specs[8]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefill_equals_decode),         cmocka_unit_test(sparse_equals_dense),
        cmocka_unit_test(sessions_together_equal_alone), cmocka_unit_test(drafts_stay_exact),
        cmocka_unit_test(poorest_device_same_bits),
    };
    return run_on_device(tests, sizeof tests / sizeof *tests);
}
