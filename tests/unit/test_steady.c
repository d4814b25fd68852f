/* When a bench that repeats a test is over, and what it reads of the machine. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "cli/bench_steady.h"

static const bench_steady_params usual = {.window_s = 10, .tolerance = 2, .limit_s = 600};

/* A machine that gets a degree warmer each time it is asked. */
static sensors warmer(void *user)
{
    double *celsius = user;
    *celsius += 1;
    return (sensors){*celsius, 1000 - *celsius, "gpu"};
}

/* Runs of a device that needs `seconds` for the first, longer by `slower` each time, `most` times
 * as long at the end. */
static uint32_t run(bench_steady *s, const bench_steady_params *p, double seconds, double slower,
                    double most)
{
    double celsius = 30, now = seconds;
    uint32_t runs = 1;
    bench_steady_begin(s, p, 100);
    while (bench_steady_add(s, now * 1e9, warmer, &celsius)) {
        now = fmin(now * slower, seconds * most);
        runs++;
        assert_true(runs < 10000);
    }
    return runs;
}

static void even_rates_end_at_once(void **state)
{
    bench_steady s;
    char text[256];
    (void)state;
    assert_int_equal(run(&s, &usual, 2, 1, 1), 20); /* 4 windows of 5 runs */
    assert_true(s.reached);
    assert_int_equal(s.windows, 4);
    assert_int_equal(bench_steady_runs(&s), 20);
    assert_float_equal(s.first, 50, 1e-9);
    assert_float_equal(s.last, 50, 1e-9);
    assert_float_equal(s.at_first.celsius, 31, 0);
    assert_float_equal(s.at_last.celsius, 34, 0);
    assert_string_equal(bench_steady_text(&s, text, sizeof text),
                        "first 50.00, steady 50.00 t/s after 40 s in 4 windows; 31 -> 34 °C; "
                        "gpu 969 -> 966 MHz");
}

/* Half as fast at the end: the windows on the way down do not count. */
static void falling_rates_are_waited_for(void **state)
{
    bench_steady s;
    (void)state;
    run(&s, &usual, 1, 1.01, 2);
    assert_true(s.reached);
    assert_true(s.first > 94);
    assert_float_equal(s.last, 50, 1.0);
    assert_true(s.seconds > 100);
}

static void the_limit_ends_it(void **state)
{
    const bench_steady_params p = {.window_s = 10, .tolerance = 2, .limit_s = 35};
    bench_steady s;
    char text[256];
    (void)state;
    run(&s, &p, 1, 1.02, 1e9);
    assert_false(s.reached);
    assert_true(s.seconds >= 35 && s.seconds < 40);
    assert_true(s.last < s.first);
    assert_non_null(strstr(bench_steady_text(&s, text, sizeof text), "not steady yet"));
    /* not even one window, and one run that takes longer than all */
    run(&s, &p, 100, 1, 1);
    assert_int_equal(s.windows, 1);
    assert_int_equal(bench_steady_runs(&s), 1);
    assert_float_equal(s.last, 1, 1e-9);
    assert_false(s.reached);
}

static void put(const char *root, const char *folder, const char *file, const char *text)
{
    char path[512];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", root, folder);
    for (char *c = path + strlen(root) + 1; *c; c++) {
        if (*c != '/') continue;
        *c = 0;
        mkdir(path, 0700);
        *c = '/';
    }
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%s/%s", root, folder, file);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void sensors_are_read(void **state)
{
    char root[] = "/tmp/ternvk-sys-XXXXXX", command[64];
    sensors s;
    (void)state;
    assert_non_null(mkdtemp(root));
    s = sensors_read(root); /* nothing there */
    assert_true(isnan(s.celsius) && isnan(s.mhz));
    assert_null(s.clock);
    put(root, "class/thermal/thermal_zone0", "temp", "41000\n");
    put(root, "class/thermal/thermal_zone1", "temp", "-273000\n"); /* a zone that is off */
    put(root, "class/thermal/thermal_zone17", "temp", "63500\n");
    put(root, "class/thermal/thermal_zone18", "temp", "no number\n");
    put(root, "devices/system/cpu/cpu3/cpufreq", "scaling_cur_freq", "1800000\n");
    s = sensors_read(root);
    assert_float_equal(s.celsius, 63.5, 1e-9);
    assert_float_equal(s.mhz, 1800, 1e-9);
    assert_string_equal(s.clock, "cpu");
    put(root, "class/kgsl/kgsl-3d0", "gpuclk", "680000000\n");
    s = sensors_read(root);
    assert_float_equal(s.mhz, 680, 1e-9);
    assert_string_equal(s.clock, "gpu");
    snprintf(command, sizeof command, "rm -rf %s", root);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(even_rates_end_at_once), cmocka_unit_test(falling_rates_are_waited_for),
        cmocka_unit_test(the_limit_ends_it), cmocka_unit_test(sensors_are_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
