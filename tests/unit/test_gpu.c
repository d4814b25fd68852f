/* The device layer on whatever device is there. Validation is on where its layer is installed, and
 * one message fails the run. Every test runs twice: as the device is, and staged through small
 * windows. TVK_TEST_DEVICE selects a device; TVK_TEST_NO_RESULTS is for drivers that only compile
 * shaders and compute nothing. */
#include "gpu_fixture.h"

static int open_device(fixture *f, void **state)
{
    tvk_device_params p = params(f->clamps);
    tvk_error err = {0};
    tvk_status st = tvk_device_create(&p, &f->device, &err);
    if (st != TVK_OK) fprintf(stderr, "%s: %s\n", tvk_status_name(st), err.text);
    *state = f;
    return st == TVK_OK ? 0 : -1;
}

static int open_plain(void **state)
{
    static fixture f;
    return open_device(&f, state);
}

/* Every copy through small windows, also where the host sees all memory. */
static int open_staged(void **state)
{
    static fixture f = {.clamps = "unified_memory 0\nmax_storage_bytes 1048577\n"};
    return open_device(&f, state);
}

static int close_device(void **state)
{
    fixture *f = *state;
    tvk_device_destroy(&f->device);
    return 0;
}

/* Last in each group: a failing teardown would not fail the run. */
static void no_validation_message(void **state)
{
    assert_int_equal(tvk_device_validation_messages(((fixture *)*state)->device), 0);
}

static void choice_of_a_device(void **state)
{
    tvk_device_params p = params(NULL);
    tvk_device_info *list = NULL;
    tvk_device *d = NULL;
    tvk_error err = {0};
    uint32_t count = 0;
    (void)state;
    ok(tvk_device_list(&p, &list, &count, &err), &err);
    assert_true(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        char number[16];
        assert_int_equal(list[i].index, i);
        assert_true(list[i].usable == (list[i].why[0] == '\0'));
        if (!list[i].usable) continue;
        snprintf(number, sizeof number, "%u", i);
        p.select = number;
        ok(tvk_device_create(&p, &d, &err), &err);
        assert_string_equal(tvk_device_get_info(d)->name, list[i].name);
        tvk_device_destroy(&d);
    }
    p.select = "no such device";
    assert_int_equal(tvk_device_create(&p, &d, &err), TVK_ERR_NO_DEVICE);
    assert_null(d);
    assert_non_null(strstr(err.text, "no such device"));
    free(list);
}

static void clamped_devices(void **state)
{
    tvk_device_params p =
        params("max_invocations 128\nmax_shared_bytes 16384\nsubgroup_compute 0\n");
    tvk_device_info *list = NULL;
    tvk_device *d = NULL;
    tvk_error err = {0};
    uint32_t count = 0;
    (void)state;
    ok(tvk_device_create(&p, &d, &err), &err);
    assert_int_equal(tvk_gpu_plan(d)->max_invocations, 128);
    assert_int_equal(tvk_gpu_plan(d)->max_shared_bytes, 16384);
    assert_int_equal(tvk_gpu_plan(d)->subgroup_fixed, 0);
    assert_int_equal(tvk_device_get_info(d)->max_invocations, 128);
    tvk_device_destroy(&d);
    p.clamps = "max_invocations 64\n";
    assert_int_equal(tvk_device_create(&p, &d, &err), TVK_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "invocations per workgroup: 128 needed, 64 found"));
    ok(tvk_device_list(&p, &list, &count, &err), &err);
    assert_false(list[0].usable);
    free(list);
    p.clamps = "nonsense 1";
    p.clamps_name = "poor.txt";
    assert_int_equal(tvk_device_create(&p, &d, &err), TVK_ERR_ARG);
    assert_string_equal(err.text, "poor.txt:1: unknown key 'nonsense'");
    assert_null(d);
}

/* Exit status 77 means skipped, to ctest and to people. */
static int skip_without_device(void)
{
    tvk_device_params p = params(NULL);
    tvk_device *d = NULL;
    tvk_error err = {0};
    tvk_status st = tvk_device_create(&p, &d, &err);
    if (st == TVK_OK) {
        const tvk_device_info *info = tvk_device_get_info(d);
        fprintf(stderr, "device: %s (%s), subgroup %u, %s memory\n", info->name, info->driver,
                info->subgroup_fixed, info->unified_memory ? "unified" : "staged");
        tvk_device_destroy(&d);
        return 0;
    }
    fprintf(stderr, "**** %s: %s\n", getenv("TVK_REQUIRE_DEVICE") ? "FAILED" : "SKIPPED", err.text);
    return getenv("TVK_REQUIRE_DEVICE") ? 1 : 77;
}

static void note_checks(void *user, tvk_log_level level, const char *text)
{
    bool *installed = user;
    (void)level;
    if (strstr(text, "is not installed")) *installed = false;
}

/* What checks kernels on the device would tell of one that reaches past its buffer. */
static void checks_on_the_device_see_strays(void **state)
{
    enum { WORDS = 64, STRAY = 16 };
    tvk_device_params p = params(((fixture *)*state)->clamps);
    tvk_device *d = NULL;
    tvk_error err = {0};
    bool installed = p.validate;
    tvk_buffer *x, *y;
    tvk_program *program;
    tvk_commands *c;
    p.validate_device = true;
    p.log = (tvk_log){.fn = note_checks, .user = &installed, .level = TVK_LOG_WARN};
    ok(tvk_device_create(&p, &d, &err), &err);
    for (uint32_t n = WORDS; installed && n <= WORDS + STRAY; n += STRAY) {
        x = buffer(d, 4 * WORDS); /* in a block with room behind it */
        y = buffer(d, 4 * WORDS);
        program = axpb(d, 1);
        c = commands(d, 1, 2, 1);
        ok(tvk_commands_begin(c, &err), &err);
        record_axpb(c, program, tvk_buffer_span(x), tvk_buffer_span(y), n, 2);
        ok(tvk_commands_end(c, &err), &err);
        ok(tvk_gpu_submit(d, &c, 1, NULL, &err), &err);
        ok(tvk_gpu_wait_idle(d, &err), &err);
        assert_true((n > WORDS) == (tvk_device_validation_messages(d) > 0));
        tvk_commands_destroy(&c);
        tvk_program_destroy(&program);
        tvk_buffer_destroy(&x);
        tvk_buffer_destroy(&y);
    }
    tvk_device_destroy(&d);
}

int main(void)
{
    const struct CMUnitTest choice[] = {
        cmocka_unit_test(choice_of_a_device),
        cmocka_unit_test(clamped_devices),
    };
    const struct CMUnitTest device[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(part_of_a_buffer),
        cmocka_unit_test(dispatch),
        cmocka_unit_test(indirect),
        cmocka_unit_test(in_flight),
        cmocka_unit_test(timestamps),
        cmocka_unit_test(full_subgroups),
        cmocka_unit_test(staging_windows),
        cmocka_unit_test(readback),
        cmocka_unit_test(memory_is_counted),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(fixed_words),
        cmocka_unit_test(programs_in_parallel),
        cmocka_unit_test(a_program_that_fails),
        cmocka_unit_test(only_prepared),
        cmocka_unit_test(programs_are_kept),
        cmocka_unit_test(damaged_programs),
        cmocka_unit_test(every_call_fails_once),
        cmocka_unit_test(lost_is_sticky),
        cmocka_unit_test(checks_on_the_device_see_strays),
        cmocka_unit_test(no_validation_message),
    };
    int failed = skip_without_device();
    if (failed) return failed;
    failed = cmocka_run_group_tests_name("choice", choice, NULL, NULL);
    failed += cmocka_run_group_tests_name("device", device, open_plain, close_device);
    failed += cmocka_run_group_tests_name("staged", device, open_staged, close_device);
    if (messages > 0) fprintf(stderr, "**** FAILED: %d validation messages\n", messages);
    return failed > 0 || messages > 0;
}
