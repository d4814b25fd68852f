/* Rows and cuts chosen by measurement: what is measured, kept and used, with the same bits. */
#include "e2e/model_fixture.h"

#include "base/clock.h"
#include "model/tuner.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 20u

static tvk_tuning tuning;

/* Time as the tuner sees it: the clock's, or so much further at each look (ns; 0: the clock's). */
static atomic_uint_fast64_t tick;
static atomic_uint_fast64_t looks;

uint64_t __real_tvk_clock_ns(void);
uint64_t __wrap_tvk_clock_ns(void);
uint64_t __wrap_tvk_clock_ns(void)
{
    const uint64_t each = atomic_load(&tick);
    return each ? atomic_fetch_add(&looks, 1) * each : __real_tvk_clock_ns();
}

/* Who rests looks again afterwards: that takes no time. */
void __real_tvk_thread_rest(uint32_t us);
void __wrap_tvk_thread_rest(uint32_t us);
void __wrap_tvk_thread_rest(uint32_t us)
{
    __real_tvk_thread_rest(us);
    if (tick) atomic_fetch_sub(&looks, 1);
}

/* Decides for the last way that was tried, whatever the times. */
static bool last_wins;
/* Right after decisions there is no time to compile. */
static bool late_then;
static bool decided;

uint32_t __real_tvk_timing_decide(const tvk_timing *ways, uint32_t count);
uint32_t __wrap_tvk_timing_decide(const tvk_timing *ways, uint32_t count);
uint32_t __wrap_tvk_timing_decide(const tvk_timing *ways, uint32_t count)
{
    decided = true;
    for (uint32_t i = count - 1; last_wins && i > 0; i--)
        if (ways[i].count > 0) return i;
    return __real_tvk_timing_decide(ways, count);
}

tvk_status __real_tvk_kernels_compile_until(tvk_kernels *kernels, uint64_t deadline_ns, bool *all,
                                            tvk_error *err);
tvk_status __wrap_tvk_kernels_compile_until(tvk_kernels *kernels, uint64_t deadline_ns, bool *all,
                                            tvk_error *err);
tvk_status __wrap_tvk_kernels_compile_until(tvk_kernels *kernels, uint64_t deadline_ns, bool *all,
                                            tvk_error *err)
{
    const bool late = late_then && decided;
    decided = false;
    *all = false;
    return late ? TVK_OK : __real_tvk_kernels_compile_until(kernels, deadline_ns, all, err);
}

static const tvk_model_params params = {.context = 256, .batch = 64, .exact = true};

/* Programs of a model's steps, in order, one after the other. */
static void programs(const tvk_model *m, char *text, size_t bytes)
{
    size_t at = 0;
    text[0] = '\0';
    for (int s = 0; s < TVK_STEP_COUNT; s++)
        for (uint32_t i = 0; i < m->steps[s].graph.list.count && at < bytes; i++)
            at += (size_t)snprintf(text + at, bytes - at, "%s ",
                                   m->steps[s].graph.list.items[i].program_name);
}

/* [ROWS][vocab]: a batch, then a step of one row. */
static void logits(const tiny_spec *spec, opened *o, float *out)
{
    int32_t *tokens = make_tokens(ROWS, spec->vocab);
    tvk_error err = {0};
    require_ok(tvk_session_rollback(o->session, 0, &err), &err);
    eval(o, o->session, tokens, ROWS - 1, out);
    eval(o, o->session, tokens + ROWS - 1, 1, out + (ROWS - 1) * spec->vocab);
    free(tokens);
}

static void tune(opened *o, uint32_t *added)
{
    tvk_error err = {0};
    tvk_session_destroy(&o->session);
    require_ok(tvk_model_tune_kernels(o->model, 0, NULL, &tuning, added, &err), &err);
    require_ok(tvk_session_create(o->model, &o->session, &err), &err);
}

static uint32_t answered(const tvk_model *m)
{
    uint32_t count = 0;
    for (uint32_t n = 0; tvk_kernels_shape(m->kernels, n); n++)
        count += tvk_kernels_shape(m->kernels, n)->preferred;
    return count;
}

/* Opened with the record so far, measured, the same bits; again until nothing is asked: a machine
 * that does other things may need several starts. What ran last stays in `text`. */
static bool measured(const tiny_spec *spec, const float *want, char *text, size_t bytes)
{
    tvk_model_params with = params;
    float *found = make_floats(ROWS * spec->vocab);
    bool known = false;
    with.tuning = &tuning;
    for (uint32_t round = 0; round < 6 && !known; round++) {
        char before[16384];
        uint32_t added;
        opened o;
        open_model(spec, &with, &o);
        known = !tvk_tuner_asks(o.model);
        if (known) assert_int_equal(tuning.choice_count, answered(o.model));
        if (known) assert_true(tuning.choice_count > 4); /* the linears of a step at least */
        programs(o.model, before, sizeof before);
        if (known && round > 0) assert_string_equal(before, text); /* as it was measured */
        tune(&o, &added);
        if (known) assert_int_equal(added, 0);
        programs(o.model, text, bytes);
        logits(spec, &o, found);
        require_same_rows("tuned", want, found, ROWS, spec->vocab);
        close_model(&o);
    }
    free(found);
    return known;
}

static void measured_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const tiny_spec *spec = &tiny_specs[i ? 5 : 0]; /* ternary; float */
        float *want = make_floats(ROWS * spec->vocab);
        char chosen[16384];
        opened o;
        open_model(spec, &params, &o);
        logits(spec, &o, want);
        close_model(&o);
        memset(&tuning, 0, sizeof tuning);
        if (!measured(spec, want, chosen, sizeof chosen))
            fprintf(stderr, "  not all was measured: the machine does other things\n");
        for (uint32_t c = 0; c < tuning.choice_count; c++)
            assert_true(tvk_tuning_choice_valid(&tuning.choices[c]));
        free(want);
    }
}

/* However little fits into a start, it ends in time, keeps what it finished, and the next one goes
 * on: in the end all is known. */
static void budgets_that_end(void **state)
{
    /* a step or two fit into a start; running takes too long for any of them */
    static const uint64_t ticks[] = {10000000, 400000000};
    const uint64_t budget = 800000000; /* of a CPU driver */
    const uint64_t over = 24;          /* looks of programs that are not begun any more, and such */
    const tiny_spec *spec = &tiny_specs[0];
    (void)state;
    for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++) {
        uint32_t starts = 0, added = 1;
        memset(&tuning, 0, sizeof tuning);
        for (bool known = false; !known; starts++) {
            tvk_model_params with = params;
            opened o;
            with.tuning = &tuning;
            open_model(spec, &with, &o);
            known = !tvk_tuner_asks(o.model);
            assert_true(known || starts < 6);
            atomic_store(&looks, 1);
            tick = ticks[i];
            tune(&o, &added);
            tick = 0;
            assert_int_equal(added == 0, known);
            assert_in_range(atomic_load(&looks), 1, budget / ticks[i] + 1 + over);
            close_model(&o);
        }
    }
}

/* What a record says of one shape holds for it alone, and for steps that are exact as it was. */
static void a_record_is_followed(void **state)
{
    const tiny_spec *spec = &tiny_specs[0];
    tvk_model_params with = params;
    float *want = make_floats(ROWS * spec->vocab), *found = make_floats(ROWS * spec->vocab);
    char plain[16384], other[16384];
    tvk_tuning_choice choice = {.exact = true, .default_ns = 2, .chosen_ns = 1, .rows = 1};
    const tvk_shape_choice *s = NULL;
    tvk_choice all[16];
    uint32_t last, count;
    opened o, untuned;
    (void)state;
    open_model(spec, &params, &untuned);
    logits(spec, &untuned, want);
    programs(untuned.model, plain, sizeof plain);
    for (uint32_t i = 0; (s = tvk_kernels_shape(untuned.model->kernels, i)) != NULL; i++)
        if (s->shape.rows == 1 && s->shape.n == spec->vocab) break; /* the head: cuts that differ */
    assert_non_null(s);
    last = tvk_kernels_candidates(untuned.model->kernels, &s->shape, all, 16) - 1;
    assert_true(last >= 1);
    choice.row = all[last].row;
    choice.config = tvk_kernels_table_index(untuned.model->kernels, all[last]);
    choice.n = s->shape.n;
    choice.k = s->shape.k;

    memset(&tuning, 0, sizeof tuning);
    tuning.choices[tuning.choice_count++] = choice;
    with.tuning = &tuning;
    open_model(spec, &with, &o);
    programs(o.model, other, sizeof other);
    count = o.model->steps[0].graph.list.count;
    assert_int_equal(count, untuned.model->steps[0].graph.list.count);
    for (uint32_t i = 0; i < count; i++) {
        const tvk_dispatch *d = &o.model->steps[0].graph.list.items[i];
        const char *before = untuned.model->steps[0].graph.list.items[i].program_name;
        s = d->shape ? tvk_kernels_shape(o.model->kernels, d->shape - 1) : NULL;
        assert_int_equal(strcmp(d->program_name, before) != 0,
                         s && s->shape.n == choice.n && s->shape.k == choice.k);
    }
    close_model(&untuned);
    assert_string_not_equal(plain, other);
    logits(spec, &o, found);
    require_same_rows("another cut", want, found, ROWS, spec->vocab);
    close_model(&o);

    /* measured otherwise, or rows that are not there: as without */
    tuning.choices[0].exact = false;
    tuning.choices[tuning.choice_count] = choice;
    tuning.choices[tuning.choice_count++].row = 100000;
    tuning.choices[tuning.choice_count] = choice;
    tuning.choices[tuning.choice_count++].config = 1000;
    open_model(spec, &with, &o);
    programs(o.model, other, sizeof other);
    assert_string_equal(plain, other);
    close_model(&o);
    free(want);
    free(found);
}

/* The gated unit behind gate and up is part of what their mat-mat is timed with: other rows have it
 * in their epilogue. */
static void the_gated_unit_counts(void **state)
{
    opened o;
    uint32_t units = 0;
    (void)state;
    open_model(&tiny_specs[0], &params, &o);
    for (int s = 0; s < TVK_STEP_COUNT; s++) {
        const tvk_dispatch_list *list = &o.model->steps[s].graph.list;
        for (uint32_t i = 1; i < list->count; i++) {
            const tvk_dispatch *d = &list->items[i];
            if (d->op != TVK_OP_glu_relu2 && d->op != TVK_OP_glu_silu) continue;
            assert_true(d->shape > 0 && d->shape == d[-1].shape);
            units++;
        }
    }
    assert_true(units > 0);
    close_model(&o);
}

static bool stop(void *user, const char *what, uint64_t done, uint64_t total)
{
    (void)user;
    (void)what;
    (void)done;
    (void)total;
    return false;
}

static void what_stops_it(void **state)
{
    const tiny_spec *spec = &tiny_specs[0];
    const tvk_progress never = {.fn = stop};
    float *want = make_floats(ROWS * spec->vocab), *found = make_floats(ROWS * spec->vocab);
    char before[16384], after[16384];
    uint32_t added = 1;
    tvk_error err = {0};
    opened o;
    (void)state;
    memset(&tuning, 0, sizeof tuning);
    open_model(spec, &params, &o);
    logits(spec, &o, want);
    programs(o.model, before, sizeof before);
    assert_int_equal(tvk_model_tune_kernels(o.model, 0, NULL, &tuning, &added, &err), TVK_ERR_ARG);
    assert_int_equal(added, 0);
    tvk_session_destroy(&o.session);
    assert_int_equal(tvk_model_tune_kernels(o.model, 0, &never, &tuning, &added, &err),
                     TVK_ERR_CANCELLED);
    assert_int_equal(added, 0);
    assert_int_equal(tuning.choice_count, 0);
    programs(o.model, after, sizeof after);
    assert_string_equal(before, after);
    require_ok(tvk_session_create(o.model, &o.session, &err), &err);
    logits(spec, &o, found);
    require_same_rows("cancelled", want, found, ROWS, spec->vocab);
    close_model(&o);
    free(want);
    free(found);
}

/* Whichever call of the driver fails: the model goes on as before, and nothing is kept. */
static void calls_that_fail(void **state)
{
    const tiny_spec *spec = &tiny_specs[0];
    float *want = make_floats(ROWS * spec->vocab), *found = make_floats(ROWS * spec->vocab);
    tvk_memory_use before, after;
    tvk_error err = {0};
    uint32_t failures = 0;
    (void)state;
    tvk_device_memory(device, &before);
    for (uint32_t n = 1; n < 2000; n = 2 * n + 3) {
        opened o;
        uint32_t added;
        tvk_status st;
        memset(&tuning, 0, sizeof tuning);
        open_model(spec, &params, &o);
        logits(spec, &o, want);
        tvk_session_destroy(&o.session);
        tvk_gpu_fail_at(device, n, n % 4 == 1 ? TVK_ERR_DEVICE_MEMORY : TVK_ERR_HOST_MEMORY);
        st = tvk_model_tune_kernels(o.model, 0, NULL, &tuning, &added, &err);
        tvk_gpu_fail_at(device, 0, TVK_OK);
        failures += st != TVK_OK;
        assert_int_equal(added, tuning.choice_count);
        require_ok(tvk_session_create(o.model, &o.session, &err), &err);
        logits(spec, &o, found);
        require_same_rows("after a failure", want, found, ROWS, spec->vocab);
        close_model(&o);
        require_ok(tvk_gpu_wait_idle(device, &err), &err);
        tvk_device_memory(device, &after);
        for (int p = 0; p < TVK_PURPOSE_STAGING; p++)
            assert_true(after.by_purpose[p] == before.by_purpose[p]);
    }
    assert_true(failures > 5);
    free(want);
    free(found);
}

/* Other kernels for every shape, of which the first few at most are begun and, where threads
 * compile them, hardly ever waited for: the model has them all the same when it asks again, and
 * ends well while they are compiled. */
static void programs_that_are_left(void **state)
{
    const tiny_spec *spec = &tiny_specs[0];
    float *want = make_floats(ROWS * spec->vocab), *found = make_floats(ROWS * spec->vocab);
    char before[16384], after[16384];
    tvk_error err = {0};
    (void)state;
    for (int ending = 0; ending < 2; ending++) {
        opened o;
        tvk_kernels *k;
        tvk_step step = {.exact = true};
        bool all = true;
        open_model(spec, &params, &o);
        k = o.model->kernels;
        logits(spec, &o, want);
        programs(o.model, before, sizeof before);
        for (uint32_t i = 0; tvk_kernels_shape(k, i); i++) {
            const tvk_shape shape = tvk_kernels_shape(k, i)->shape;
            tvk_choice choices[16];
            const uint32_t count = tvk_kernels_candidates(k, &shape, choices, 16);
            if (count > 1)
                require_ok(tvk_kernels_prefer(k, &shape, choices[count - 1], &err), &err);
        }
        tvk_kernels_collect(k);
        require_ok(tvk_step_build(o.model, &o.model->config, params.batch, 1, &step, &err), &err);
        atomic_store(&looks, 0);
        tick = 1000;
        require_ok(tvk_kernels_compile_until(k, 2500, &all, &err),
                   &err); /* the fourth look is late */
        tick = 0;
        assert_false(all);
        tvk_step_destroy(&step);
        if (ending == 0) {
            require_ok(tvk_steps_remake(o.model, &err), &err);
            programs(o.model, after, sizeof after);
            assert_string_not_equal(before, after);
            logits(spec, &o, found);
            require_same_rows("compiled again", want, found, ROWS, spec->vocab);
        }
        close_model(&o);
    }
    free(want);
    free(found);
}

/* A choice whose programs there is no time for is in the record, and the next model's. */
static void choices_for_the_next_start(void **state)
{
    const tiny_spec *spec = &tiny_specs[0];
    float *want = make_floats(ROWS * spec->vocab), *found = make_floats(ROWS * spec->vocab);
    char before[16384], after[16384], next[16384];
    tvk_error err = {0};
    (void)state;
    last_wins = true;
    for (int late = 0; late < 2; late++) {
        tvk_model_params with = params;
        uint32_t added;
        opened o;
        memset(&tuning, 0, sizeof tuning);
        open_model(spec, &params, &o);
        logits(spec, &o, want);
        programs(o.model, before, sizeof before);
        late_then = late == 1;
        atomic_store(&looks, 1);
        tick = 10000000; /* a step or two, however slow the machine is */
        tune(&o, &added);
        tick = 0;
        late_then = false;
        assert_true(added > 0);
        for (int remade = 0; remade < 2; remade++) { /* steps made later are as these */
            programs(o.model, after, sizeof after);
            assert_int_equal(strcmp(before, after) == 0, late == 1);
            require_ok(tvk_steps_remake(o.model, &err), &err);
        }
        logits(spec, &o, found);
        require_same_rows("chosen", want, found, ROWS, spec->vocab);
        close_model(&o);
        with.tuning = &tuning;
        open_model(spec, &with, &o);
        programs(o.model, next, sizeof next);
        assert_string_not_equal(before, next);
        logits(spec, &o, found);
        require_same_rows("the next start", want, found, ROWS, spec->vocab);
        close_model(&o);
    }
    last_wins = false;
    free(want);
    free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measured_once),          cmocka_unit_test(budgets_that_end),
        cmocka_unit_test(a_record_is_followed),   cmocka_unit_test(the_gated_unit_counts),
        cmocka_unit_test(what_stops_it),          cmocka_unit_test(calls_that_fail),
        cmocka_unit_test(programs_that_are_left), cmocka_unit_test(choices_for_the_next_start),
    };
    return run_on_device(tests, sizeof tests / sizeof *tests);
}
