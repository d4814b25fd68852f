/* Break-even arithmetic by hand; the record's text: round trip, cut, foreign, nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../cli/tuning.h"
#include "tune/decide.h"

static tvk_tuning_entry entry(double dense, double a, double b, double c)
{
    return (tvk_tuning_entry){TVK_TUNING_INPUTS, 512, 1280, 6, dense, {a, b, c}};
}

static void near(float found, double want)
{
    if (!(fabs((double)found - want) < 1e-6))
        fail_msg("%g expected, %g found", want, (double)found);
}

/* skip = 20 + 100 (1 - z): 90, 60, 30 at 0.3, 0.6, 0.9 */
static void lines(void **state)
{
    tvk_tuning_entry e = entry(60, 90, 60, 30);
    (void)state;
    near(tvk_tuning_break_even(&e), 0.6);
    e.dense_ns = 100;
    near(tvk_tuning_break_even(&e), 0.2);
    e.dense_ns = 120;
    near(tvk_tuning_break_even(&e), 0.0);
    e.dense_ns = 500; /* faster even with no zero at all */
    near(tvk_tuning_break_even(&e), 0.0);
    e.dense_ns = 20;
    near(tvk_tuning_break_even(&e), 1.0);
    e.dense_ns = 19;
    near(tvk_tuning_break_even(&e), 2.0);
    /* least squares: 95, 50, 35 has the mean 60 and the slope of 95 to 35, -100 */
    e = entry(70, 95, 50, 35);
    near(tvk_tuning_break_even(&e), 0.5);
    /* flat or rising: the mean decides */
    e = entry(41, 40, 40, 40);
    near(tvk_tuning_break_even(&e), 0.0);
    e = entry(39, 40, 40, 40);
    near(tvk_tuning_break_even(&e), 2.0);
    e = entry(50, 30, 40, 45);
    near(tvk_tuning_break_even(&e), 0.0);
}

static void numbers_are_checked(void **state)
{
    tvk_tuning_entry e = entry(60, 90, 60, 30);
    (void)state;
    assert_true(tvk_tuning_valid(&e));
    e.skip_ns[2] = 0;
    assert_false(tvk_tuning_valid(&e));
    e = entry(-1, 90, 60, 30);
    assert_false(tvk_tuning_valid(&e));
    e = entry(INFINITY, 90, 60, 30);
    assert_false(tvk_tuning_valid(&e));
    e = entry(60, 90, NAN, 30);
    assert_false(tvk_tuning_valid(&e));
    e = entry(60, 90, 60, 30);
    e.k = 0;
    assert_false(tvk_tuning_valid(&e));
    e = entry(60, 90, 60, 30);
    e.kind = (tvk_tuning_kind)4;
    assert_false(tvk_tuning_valid(&e));
}

static tvk_timing times(uint32_t count, double a, double b, double c)
{
    return (tvk_timing){{a, b, c}, count};
}

static void the_fastest_is_taken(void **state)
{
    tvk_timing t[] = {times(3, 100, 300, 101), times(3, 97, 98, 500), times(3, 95, 96, 97.5),
                      times(0, 0, 0, 0)};
    (void)state;
    near((float)tvk_timing_median(&t[0]), 101);
    near((float)tvk_timing_median(&t[3]), 0);
    t[1].count = 2;
    near((float)tvk_timing_median(&t[1]), 97.5);
    t[1].count = 3;
    assert_int_equal(tvk_timing_decide(t, 4), 2);
    t[2] = times(3, 98, 98, 98); /* 97.03 % of the default's: 96 or less is asked for */
    t[1] = t[2];
    assert_int_equal(tvk_timing_decide(t, 4), 0);
    t[2] = times(2, 95, 95, 0); /* timed too seldom for so little */
    assert_int_equal(tvk_timing_decide(t, 4), 0);
    t[2] = times(1, 90, 0, 0);
    assert_int_equal(tvk_timing_decide(t, 4), 2);
    t[0].count = 0; /* nothing to compare with */
    assert_int_equal(tvk_timing_decide(t, 4), 0);
    assert_int_equal(tvk_timing_decide(t, 1), 0);
}

static void what_there_is_time_for(void **state)
{
    (void)state;
    const tvk_timing_budget all = {400, 800, 800}, less = {399, 800, 800};
    const tvk_timing_budget begun = {399, 0, 800}, brief = {200, 400, 800}, busy = {200, 0, 800};
    assert_int_equal(tvk_timing_plan(10, 40, &all), TVK_TIMING_NOW);
    assert_int_equal(tvk_timing_plan(10, 40, &less), TVK_TIMING_LATER);
    assert_int_equal(tvk_timing_plan(10, 40, &begun), TVK_TIMING_LATER);
    assert_int_equal(tvk_timing_plan(10, 41, &all), TVK_TIMING_NEVER);
    assert_int_equal(tvk_timing_plan(10, 30, &brief), TVK_TIMING_LATER);  /* fits another start */
    assert_int_equal(tvk_timing_plan(10, 31, &brief), TVK_TIMING_LONGER); /* fits none */
    assert_int_equal(tvk_timing_plan(10, 40, &busy), TVK_TIMING_LATER);
    assert_int_equal(tvk_timing_plan(10, 41, &brief), TVK_TIMING_NEVER);
    assert_int_equal(tvk_timing_plan(10, 0, &(tvk_timing_budget){0, 800, 800}),
                     TVK_TIMING_NOW); /* a clock too coarse */
}

static tvk_tuning_choice choice(uint32_t row, uint32_t config)
{
    return (tvk_tuning_choice){row, config, 13824, 2560, 1, false, 7000.5, 6400};
}

static void choices_are_checked(void **state)
{
    tvk_tuning_choice c = choice(19, 0);
    char text[64];
    (void)state;
    assert_true(tvk_tuning_choice_valid(&c));
    tvk_tuning_choice_text(&c, text, sizeof text);
    if (!strchr(text, '[')) fail_msg("a cut expected, '%s' found", text);
    c.config = 1000;
    assert_false(tvk_tuning_choice_valid(&c));
    assert_string_equal(tvk_tuning_choice_text(&c, text, sizeof text), "?");
    c = choice(1u << 20, 0);
    assert_false(tvk_tuning_choice_valid(&c));
    c = choice(19, 0);
    c.chosen_ns = NAN;
    assert_false(tvk_tuning_choice_valid(&c));
    c = choice(19, 0);
    c.default_ns = 0;
    assert_false(tvk_tuning_choice_valid(&c));
}

static tvk_device_info device(const char *name)
{
    tvk_device_info d = {.driver = "driver 1.2 \"x\""};
    snprintf(d.name, sizeof d.name, "%s", name);
    for (int i = 0; i < 16; i++) d.driver_uuid[i] = (uint8_t)(17 * i);
    return d;
}

static tvk_tuning in, out;

static bool parse(const char *text, size_t bytes, const tvk_device_info *d, uint64_t version)
{
    char why[160] = "";
    bool good = tuning_parse(text, bytes, d, version, &out, why, sizeof why);
    if (good == (why[0] != 0)) fail_msg("good %d, why '%s'", good, why);
    if (!good) assert_int_equal(out.count + out.choice_count, 0);
    return good;
}

static void text_and_back(void **state)
{
    tvk_device_info d = device("A \\ GPU"), other = device("B");
    char *text;
    size_t n;
    (void)state;
    in.count = 2;
    in.entries[0] = entry(60.5, 90.25, 60, 30);
    in.entries[1] = (tvk_tuning_entry){TVK_TUNING_UP_I4, 6912, 2560, 30, 1234567.5, {1, 2, 3e6}};
    in.choice_count = 2;
    in.choices[0] = choice(19, 0);
    in.choices[1] = choice(20, 2);
    in.choices[1].exact = true;
    text = tuning_text(&d, 0x123456789abcdef0u, &in);
    assert_non_null(text);
    n = strlen(text);
    assert_true(parse(text, n, &d, 0x123456789abcdef0u));
    assert_int_equal(out.count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(out.entries[i].kind, in.entries[i].kind);
        assert_int_equal(out.entries[i].n, in.entries[i].n);
        assert_int_equal(out.entries[i].k, in.entries[i].k);
        assert_int_equal(out.entries[i].copies, in.entries[i].copies);
        assert_true(out.entries[i].dense_ns == in.entries[i].dense_ns);
        for (int p = 0; p < 3; p++)
            assert_true(out.entries[i].skip_ns[p] == in.entries[i].skip_ns[p]);
    }
    assert_int_equal(out.choice_count, 2);
    for (int i = 0; i < 2; i++) {
        const tvk_tuning_choice *a = &in.choices[i], *b = &out.choices[i];
        assert_true(a->row == b->row && a->config == b->config && a->n == b->n && a->k == b->k &&
                    a->rows == b->rows && a->exact == b->exact && a->default_ns == b->default_ns &&
                    a->chosen_ns == b->chosen_ns);
    }
    /* of another device, driver or build */
    assert_false(parse(text, n, &other, 0x123456789abcdef0u));
    assert_false(parse(text, n, &d, 0x123456789abcdef1u));
    d.driver_uuid[15]++;
    assert_false(parse(text, n, &d, 0x123456789abcdef0u));
    d.driver_uuid[15]--;
    d.clamps = 1; /* or of a device with other limits */
    assert_false(parse(text, n, &d, 0x123456789abcdef0u));
    d.clamps = 0;
    snprintf(d.driver, sizeof d.driver, "driver 1.3");
    assert_false(parse(text, n, &d, 0x123456789abcdef0u));
    /* cut anywhere */
    d = device("A \\ GPU");
    for (size_t i = 0; i < n; i++) assert_false(parse(text, i, &d, 0x123456789abcdef0u));
    free(text);
}

/* Each change of one word of a good record makes it none. */
static void nonsense_is_refused(void **state)
{
    static const char *const changes[][2] = {{"\"inputs\"", "\"frogs\""},
                                             {"\"n\": 512", "\"n\": -5"},
                                             {"\"n\": 512", "\"n\": 0"},
                                             {"\"n\": 512", "\"n\": 4294967296"},
                                             {"\"n\": 512", "\"n\": \"512\""},
                                             {"60.5", "\"fast\""},
                                             {"60.5", "-60.5"},
                                             {"90.25,", ""},
                                             {"\"entries\"", "\"entry\""},
                                             {"\"for\"", "\"of\""},
                                             {"\"k\"", "\"n\""},
                                             {"60.5", "1e999"},
                                             {"\"row\": 19", "\"row\": 100000"},
                                             {"\"row\": 19", "\"row\": -1"},
                                             {"\"config\": 0", "\"config\": 99"},
                                             {"\"exact\": false", "\"exact\": 0"},
                                             {"\"rows\": 1", "\"rows\": null"},
                                             {"7000.5", "\"slow\""},
                                             {"6400", "-6400"},
                                             {"\"choices\"", "\"choice\""}};
    tvk_device_info d = device("A");
    char *text, *copy;
    (void)state;
    in.count = in.choice_count = 1;
    in.entries[0] = entry(60.5, 90.25, 60, 30);
    in.choices[0] = choice(19, 0);
    text = tuning_text(&d, 7, &in);
    assert_non_null(text);
    assert_true(parse(text, strlen(text), &d, 7));
    copy = malloc(strlen(text) + 64);
    assert_non_null(copy);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char *at = strstr(text, changes[i][0]);
        if (!at) fail_msg("no %s in the text", changes[i][0]);
        sprintf(copy, "%.*s%s%s", (int)(at - text), text, changes[i][1],
                at + strlen(changes[i][0]));
        if (parse(copy, strlen(copy), &d, 7)) fail_msg("%s is accepted", changes[i][1]);
    }
    assert_false(parse("", 0, &d, 7));
    assert_false(parse("[]", 2, &d, 7));
    assert_false(parse("\0\0\0", 3, &d, 7));
    free(copy);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(the_fastest_is_taken),
        cmocka_unit_test(what_there_is_time_for),
        cmocka_unit_test(choices_are_checked),
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
