/* Submissions of bounded time, on a CPU driver that is told to keep them short as an integrated
 * device would: none takes longer, and no bit is another. */
#include "e2e/model_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/model.h"
#include "model/pace.h"
#include "support/device.h"

/* Of the head's 8192 x 256 values a batch takes some 50 times as long on two cores. */
#define BOUND_MS 6u
#define ANY_MS 1000000u
#define BATCH 256u
#define PROMPT 200u
#define DRAWN 12u
/* The machine has other things to do, so the shortest of some runs says what a submission takes. */
#define RUNS 12

static const tiny_spec spec = {"pace", "bitnet", 3,        256,  1024, 4,    2,     64, 8192,
                               256,    TVK_I2_S, TVK_Q8_0, true, true, true, false, 12, 0};

static bool collect(void *user, int32_t token)
{
    int32_t **next = user;
    *(*next)++ = token;
    return true;
}

/* Logits of the whole prompt, and a greedy text behind it. */
static void answer(opened *o, float *logits, int32_t *text)
{
    static const tvk_sampler_params greedy = {.temperature = 0};
    int32_t *tokens = make_tokens(PROMPT, spec.vocab), *next = text;
    tvk_error err = {0};
    eval(o, o->session, tokens, PROMPT, logits);
    require_ok(tvk_session_set_sampler(o->session, &greedy, &err), &err);
    require_ok(tvk_session_generate(o->session, DRAWN, collect, &next, NULL, &err), &err);
    assert_int_equal(next - text, DRAWN);
    free(tokens);
}

static void same_bits(opened *whole, opened *cut)
{
    float *a = make_floats((size_t)PROMPT * spec.vocab);
    float *b = make_floats((size_t)PROMPT * spec.vocab);
    int32_t text_a[DRAWN], text_b[DRAWN];
    answer(whole, a, text_a);
    answer(cut, b, text_b);
    require_same_rows("submissions that are short", a, b, PROMPT, spec.vocab);
    assert_memory_equal(text_a, text_b, sizeof text_a);
    free(a);
    free(b);
}

/* The longest submission of a step that is full, behind as many positions as there can be; each one
 * waited for, by the clock of the host. */
static double longest_ms(tvk_model *m, const tvk_step *step)
{
    const uint32_t context = m->layout.context;
    tvk_request_row *rows = calloc(step->rows, sizeof *rows);
    double *ms = calloc(step->command_count, sizeof *ms), most = 0;
    tvk_error err = {0};
    assert_true(rows && ms);
    for (uint32_t i = 0; i < step->rows; i++)
        rows[i] = (tvk_request_row){0, context - step->rows + i, 1,
                                    i + step->outs >= step->rows ? TVK_REQUEST_OUTPUT : 0};
    for (int run = 0; run < RUNS; run++) {
        for (uint32_t i = 0; i < step->command_count; i++) {
            const uint64_t start = tvk_clock_ns();
            uint64_t ticket;
            uint32_t seq;
            double spent;
            require_ok(i == 0 ? tvk_step_submit(m, step, step->commands, 1, rows, step->rows, &seq,
                                                &ticket, &err)
                              : tvk_gpu_submit(device, &step->commands[i], 1, &ticket, &err),
                       &err);
            require_ok(tvk_gpu_wait(device, ticket, &err), &err);
            spent = (double)(tvk_clock_ns() - start) * 1e-6;
            if (run == 0 || spent < ms[i]) ms[i] = spent;
        }
    }
    for (uint32_t i = 0; i < step->command_count; i++) most = ms[i] > most ? ms[i] : most;
    free(rows);
    free(ms);
    return most;
}

static bool spread(const tvk_model *m)
{
    const tvk_shape_choice *shape;
    for (uint32_t i = 0; (shape = tvk_kernels_shape(m->kernels, i)) != NULL; i++)
        if (shape->parts > 1) return true;
    return false;
}

static void submissions_are_short(void **state)
{
    const tvk_model_params params = {.exact = true, .batch = BATCH, .kv_k = TVK_KV_F32};
    tvk_device *unbounded = device, *bounded = test_device_create_bounded(BOUND_MS);
    opened whole, cut;
    uint32_t submissions = 0, steps = 0;
    (void)state;
    assert_non_null(bounded);
    assert_int_equal(tvk_device_get_info(bounded)->submit_ms, BOUND_MS);
    assert_int_equal(tvk_device_get_info(unbounded)->submit_ms, 0);
    open_model(&spec, &params, &whole);
    for (int i = 0; i < TVK_STEP_COUNT; i++) {
        if (whole.model->steps[i].rows) assert_int_equal(whole.model->steps[i].command_count, 1);
        assert_null(whole.model->steps[i].ns); /* nothing is measured */
    }
    assert_false(spread(whole.model));
    device = bounded;
    open_model(&spec, &params, &cut);
    assert_true(spread(cut.model)); /* a dispatch takes too long by itself */
    same_bits(&whole, &cut);
    for (int i = 0; i < TVK_STEP_COUNT; i++) {
        const tvk_step *step = &cut.model->steps[i];
        double ms;
        if (!step->rows || (step->apart && step->rows > 1)) continue;
        ms = longest_ms(cut.model, step);
        printf("%u rows: %u submissions, the longest %.2f ms\n", step->rows, step->command_count,
               ms);
        if (ms > BOUND_MS)
            fail_msg("a step of %u rows: at most %u ms a submission expected, %.2f found",
                     step->rows, BOUND_MS, ms);
        submissions += step->command_count;
        steps++;
    }
    assert_true(submissions > steps);
    close_model(&cut);
    tvk_device_destroy(&device);
    device = unbounded;
    close_model(&whole);
}

/* Times as if measured, under a bound that nothing reaches: of two dispatches that cannot be
 * spread, the first takes four times what it may and the second twice. There is room for 0.8 of a
 * quarter of the rows then, in sixteens. */
static void the_longest_decides(void **state)
{
    const tvk_model_params params = {.exact = true, .batch = BATCH, .kv_k = TVK_KV_F32};
    tvk_device *unbounded = device;
    tvk_step *batch;
    double times = 4;
    opened o;
    (void)state;
    device = test_device_create_bounded(ANY_MS);
    assert_non_null(device);
    open_model(&spec, &params, &o);
    batch = &o.model->steps[TVK_STEP_BATCH];
    assert_int_equal(batch->rows, BATCH);
    for (uint32_t n = 0; n < batch->graph.list.count && times > 1; n++) {
        if (batch->graph.list.items[n].shape != 0) continue;
        batch->ns[n] = times * tvk_pace_most_ns(o.model);
        times /= 2;
    }
    assert_true(tvk_pace_shorten(o.model, o.model->steps));
    assert_int_equal(o.model->layout.batch, 48);
    assert_int_equal(o.model->info.batch, 48);
    close_model(&o);
    tvk_device_destroy(&device);
    device = unbounded;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(submissions_are_short),
                                       cmocka_unit_test(the_longest_decides)};
    return run_on_device(tests, 2);
}
