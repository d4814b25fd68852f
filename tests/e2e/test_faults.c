/* What goes wrong while a model is made and used: each driver call and each allocation failing in
 * turn, loading cancelled, command buffers cut at layer boundaries. Nothing leaks, and the device
 * stays usable.
 */
#include "support/alloc_faults.h"
#include "support/device.h"
#include "support/tiny_model.h"

#include "model/model.h"
#include "ternvk/loader.h"
#include "ternvk/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOKENS 6

static tvk_device *device;
static tvk_file *file;

static const tiny_spec spec = {"faults", "bitnet", 3,       128,  128,  2,    1,     64, 64,
                               256,      TVK_I2_S, TVK_F16, true, true, true, false, 9,  0};

static void require_ok(tvk_status st, const tvk_error *err)
{
    if (st != TVK_OK) fail_msg("%s (%s:%d)", err->text, err->file, err->line);
}

static bool collect(void *user, int32_t token)
{
    int32_t **next = user;
    *(*next)++ = token;
    return true;
}

/* Makes a model, feeds a prompt, generates. */
static tvk_status scenario(const tvk_model_params *params, int32_t *tokens, tvk_error *err)
{
    static const int32_t prompt[] = {1, 5, 9, 60};
    tvk_model *model = NULL;
    tvk_session *session = NULL;
    int32_t *next = tokens;
    tvk_status st = tvk_model_create(device, tvk_file_source(file), params, &model, err);
    if (st == TVK_OK) st = tvk_session_create(model, &session, err);
    if (st == TVK_OK) {
        const tvk_batch_item item = {session, prompt, 4, NULL};
        st = tvk_eval(model, &item, 1, err);
    }
    if (st == TVK_OK) st = tvk_session_generate(session, TOKENS, collect, &next, NULL, err);
    tvk_session_destroy(&session);
    tvk_model_destroy(&model);
    return st;
}

static uint64_t held(void)
{
    tvk_memory_use use;
    tvk_error err = {0};
    uint64_t sum = 0;
    /* what was destroyed while the device used it is released when it is done */
    require_ok(tvk_gpu_wait_idle(device, &err), &err);
    tvk_device_memory(device, &use);
    for (int p = 0; p < TVK_PURPOSE_STAGING; p++) sum += use.by_purpose[p];
    return sum;
}

static void every_driver_call_fails(void **state)
{
    const tvk_model_params params = {.context = 64, .batch = 8, .exact = true};
    int32_t expected[TOKENS], found[TOKENS];
    tvk_error err = {0};
    uint32_t failures = 0;
    bool met = true;
    (void)state;
    require_ok(scenario(&params, expected, &err), &err);
    /* The first calls one by one, then every 7th; a failure that the library gets around (a smaller
     * block of memory) must not change the tokens. */
    for (uint32_t n = 1; met; n += n < 60 ? 1 : 7) {
        tvk_status st;
        memset(&err, 0, sizeof err);
        memset(found, 0, sizeof found);
        tvk_gpu_fail_at(device, n, n % 2 ? TVK_ERR_DEVICE_MEMORY : TVK_ERR_HOST_MEMORY);
        st = scenario(&params, found, &err);
        met = tvk_gpu_fail_at(device, 0, TVK_OK);
        if (st == TVK_OK) {
            assert_memory_equal(expected, found, sizeof found);
        } else {
            assert_true(met && err.text[0] != 0);
            failures++;
        }
        assert_int_equal(held(), 0);
    }
    fprintf(stderr, "  %u failures met\n", failures);
    assert_true(failures > 60);
    require_ok(scenario(&params, found, &err), &err);
    assert_memory_equal(expected, found, sizeof found);
}

/* A command buffer a layer and one for the head, as slow devices get them. */
static void cut_steps(tvk_model *m)
{
    tvk_error err = {0};
    for (int i = 0; i < TVK_STEP_COUNT; i++) {
        tvk_step *step = &m->steps[i];
        if (step->rows == 0) continue; /* the batch is not larger than a step of few rows */
        double *ns = calloc(step->graph.list.count, sizeof *ns);
        const tvk_record_params record = {.name = "cut",
                                          .before = &step->begin,
                                          .rules = &step->rules,
                                          .rules_span = tvk_buffer_span(step->rules_buffer),
                                          .scratch = tvk_buffer_span(m->scratch),
                                          .rows = step->rows,
                                          .ns = ns,
                                          .most_ns = 1};
        assert_non_null(ns);
        ns[0] = 1; /* the first dispatch of each layer takes as long as a part may */
        for (uint32_t c = 0; c < step->graph.cut_count; c++) ns[step->graph.cuts[c]] = 1;
        tvk_commands_list_destroy(&step->commands, &step->command_count);
        require_ok(tvk_graph_record(&step->graph, device, &record, &step->commands,
                                    &step->command_count, &err),
                   &err);
        assert_int_equal(step->command_count, spec.layers + 1); /* the head is a part of its own */
        free(ns);
    }
}

/* A session that is there already: the call that fails changes nothing but what it had reported,
 * and is made again. Of a step in parts the last one may fail when the first has run. */
static void fails_midway(bool cut)
{
    static const int32_t prompt[] = {1, 5, 9, 60, 3, 8, 2, 40, 33, 21};
    const tvk_model_params params = {.context = 64, .batch = 8, .exact = true};
    const tvk_sampler_params sampler = {
        .temperature = 2, .top_k = 40, .repeat_penalty = 1.5f, .seed = 3};
    int32_t expected[TOKENS], found[TOKENS];
    tvk_error err = {0};
    tvk_model *m = NULL;
    tvk_batch_item item = {NULL, prompt, 10, NULL};
    uint32_t failures = 0, before = UINT32_MAX;
    require_ok(tvk_model_create(device, tvk_file_source(file), &params, &m, &err), &err);
    if (cut) cut_steps(m);
    require_ok(tvk_session_create(m, &item.session, &err), &err);
    require_ok(tvk_session_set_sampler(item.session, &sampler, &err), &err);
    for (uint32_t n = 0; failures != before; n++) { /* 0: none fails */
        int32_t *next = n ? found : expected, *end = next + TOKENS;
        before = n ? failures : before;
        require_ok(tvk_session_rollback(item.session, 0, &err), &err);
        tvk_gpu_fail_at(device, n, n % 2 ? TVK_ERR_DEVICE_MEMORY : TVK_ERR_HOST_MEMORY);
        while (tvk_eval(m, &item, 1, &err) != TVK_OK) {
            failures++;
            assert_int_equal(tvk_session_position(item.session), 0);
        }
        while (next < end && tvk_session_generate(item.session, (uint32_t)(end - next), collect,
                                                  &next, NULL, &err) != TVK_OK) {
            failures++;
            assert_int_equal(tvk_session_position(item.session), 10 + TOKENS - (end - next));
        }
        tvk_gpu_fail_at(device, 0, TVK_OK);
        if (n && memcmp(expected, found, sizeof found) != 0)
            fail_msg("call %u of a %s step fails: another text", n, cut ? "cut" : "whole");
    }
    fprintf(stderr, "  %s steps: %u failures got over\n", cut ? "cut" : "whole", failures);
    assert_true(failures > 10);
    tvk_session_destroy(&item.session);
    tvk_model_destroy(&m);
}

static void every_driver_call_fails_midway(void **state)
{
    (void)state;
    fails_midway(false);
    fails_midway(true);
}

/* Every run takes some of the allocations, the long tests each. */
static uint32_t stride = 5;

/* Allocations of the host; one that the library gets around must not change the tokens. */
static void allocations_fail(void **state)
{
    const tvk_model_params params = {.context = 64, .batch = 8, .exact = true};
    int32_t expected[TOKENS], found[TOKENS];
    tvk_error err = {0};
    uint32_t n = 1;
    (void)state;
    require_ok(scenario(&params, expected, &err), &err);
    assert_int_equal(held(), 0);
    for (bool failed = true; failed; n += stride) {
        int64_t before = alloc_live();
        tvk_status st;
        memset(&err, 0, sizeof err);
        alloc_fail_at(n, false);
        st = scenario(&params, found, &err);
        failed = alloc_failed();
        alloc_fail_at(0, false);
        assert_int_equal(held(), 0); /* releases what waited for the device */
        if (alloc_live() != before)
            fail_msg("allocation %u: %d blocks leak", n, (int)(alloc_live() - before));
        if (st != TVK_OK && !(failed && st == TVK_ERR_HOST_MEMORY))
            fail_msg("allocation %u fails: status %d, '%s'", n, (int)st, err.text);
        if (st == TVK_OK) assert_memory_equal(expected, found, sizeof found);
    }
    fprintf(stderr, "  about %u allocations\n", n);
    assert_true(n > 60);
}

static bool stop_loading(void *user, const char *what, uint64_t done, uint64_t total)
{
    uint64_t *limit = user;
    (void)what;
    assert_true(done <= total);
    return done < *limit;
}

static void loading_can_be_cancelled(void **state)
{
    int32_t tokens[TOKENS];
    tvk_error err = {0};
    (void)state;
    for (uint64_t limit = 0; limit < 60000; limit += 7000) {
        const tvk_model_params params = {.context = 64, .progress = {stop_loading, &limit}};
        assert_int_equal(scenario(&params, tokens, &err), TVK_ERR_CANCELLED);
        assert_int_equal(held(), 0);
    }
}

/* Integrated devices get several command buffers a step: the same tokens. */
static void steps_can_be_cut(void **state)
{
    const tvk_model_params params = {.context = 64, .batch = 8, .exact = true};
    static const int32_t prompt[] = {1, 5, 9, 60};
    int32_t expected[TOKENS], found[TOKENS], *next = found;
    tvk_error err = {0};
    tvk_model *m = NULL;
    tvk_session *session = NULL;
    tvk_batch_item item = {NULL, prompt, 4, NULL};
    (void)state;
    require_ok(scenario(&params, expected, &err), &err);
    require_ok(tvk_model_create(device, tvk_file_source(file), &params, &m, &err), &err);
    cut_steps(m);
    require_ok(tvk_session_create(m, &session, &err), &err);
    item.session = session;
    require_ok(tvk_eval(m, &item, 1, &err), &err);
    require_ok(tvk_session_generate(session, TOKENS, collect, &next, NULL, &err), &err);
    assert_memory_equal(expected, found, sizeof found);
    tvk_session_destroy(&session);
    tvk_model_destroy(&m);
}

typedef struct profiled {
    uint32_t count;
    double ns, bytes, int_ops, float_ops;
} profiled;

static void add_entry(void *user, const tvk_profile_entry *e)
{
    profiled *sum = user;
    assert_non_null(e->name);
    assert_non_null(e->program);
    assert_true(e->ns >= 0 && e->bytes > 0);
    sum->count++;
    sum->ns += e->ns;
    sum->bytes += e->bytes;
    sum->int_ops += e->int_ops;
    sum->float_ops += e->float_ops;
}

/* Products of all linears with one row. */
static double linear_ops(void)
{
    const double kv = (double)spec.kv_heads * spec.head_size,
                 q = (double)spec.heads * spec.head_size;
    return 2.0 * spec.layers * spec.hidden * (2 * q + 2 * kv + 3.0 * spec.ffn);
}

static void profile(void **state)
{
    const tvk_model_params params = {.context = 64, .batch = 8, .sessions = 2};
    const tvk_profile_params decode = {1, 1, 20, 3}, prefill = {1, 8, 0, 1}, two = {2, 4, 0, 0};
    const tvk_profile_params wide = {1, 9, 0, 1};
    tvk_error err = {0};
    tvk_model *m = NULL;
    profiled one = {0}, many = {0}, both = {0};
    double step_ns = 0;
    (void)state;
    require_ok(tvk_model_create(device, tvk_file_source(file), &params, &m, &err), &err);
    require_ok(tvk_model_profile(m, &decode, add_entry, &one, &step_ns, &err), &err);
    require_ok(tvk_model_profile(m, &prefill, add_entry, &many, NULL, &err), &err);
    require_ok(tvk_model_profile(m, &two, add_entry, &both, NULL, &err), &err);
    /* begin, embed, 3 layers of 5 (12 in a batch: RoPE and append are one), float head with its
     * norm (in a batch norm, head of one output row, head of more), sample */
    assert_int_equal(one.count, 2 + 3 * 5 + 2);
    assert_int_equal(many.count, 2 + 3 * 12 + 4);
    assert_true(step_ns > 0);
    assert_true(one.int_ops == linear_ops() && many.int_ops == 8 * linear_ops());
    assert_true(both.ns == 0 && many.ns > 0 && both.int_ops == many.int_ops);
    /* two heads, and half of the scores and values */
    assert_true(both.float_ops != many.float_ops && many.float_ops > 0);
    assert_int_equal(tvk_model_profile(m, &wide, add_entry, &many, NULL, &err), TVK_ERR_ARG);
    tvk_model_destroy(&m);
}

static void validation_is_silent(void **state)
{
    (void)state;
    assert_int_equal(test_device_messages(device), 0);
}

/* test_faults [whole]: each allocation fails */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_driver_call_fails), cmocka_unit_test(every_driver_call_fails_midway),
        cmocka_unit_test(allocations_fail),        cmocka_unit_test(loading_can_be_cancelled),
        cmocka_unit_test(steps_can_be_cut),        cmocka_unit_test(profile),
        cmocka_unit_test(validation_is_silent),
    };
    char path[256];
    tvk_error err = {0};
    int failed;
    if (argc == 2 && !strcmp(argv[1], "whole")) stride = 1;
    device = test_device_create(NULL);
    if (!device) return test_no_device_code();
    test_temp_path(path, sizeof path, "faults.gguf");
    if (!tiny_model_write(&spec, path) || tvk_file_open(path, &file, &err) != TVK_OK) {
        fprintf(stderr, "%s: %s\n", path, err.text);
        return 1;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    tvk_file_close(&file);
    remove(path);
    tvk_device_destroy(&device);
    return failed != 0;
}
