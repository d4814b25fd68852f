/* Clamp files: what they lower, and what their mistakes are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vk/plan.h"

#define MIB ((uint64_t)1 << 20)
#define VERSION(major, minor) ((uint32_t)(major) << 22 | (uint32_t)(minor) << 12)

static tvk_caps device(void)
{
    tvk_caps c;
    memset(&c, 0, sizeof c);
    c.api_version = VERSION(1, 3) | 230;
    c.max_invocations = 1024;
    c.max_group_size[2] = 64;
    c.max_shared_bytes = 32768;
    c.max_storage_bytes = (uint64_t)4 << 30;
    c.subgroup_ops = 0x7f;
    c.int8 = c.fp16 = c.dot = c.dot_signed = true;
    c.timestamp_period_ns = 1.0;
    c.heap_count = 2;
    c.heaps[0] = (tvk_memory_heap){.bytes = 1024 * MIB, .device_local = true};
    c.heaps[1] = (tvk_memory_heap){.bytes = 2048 * MIB};
    return c;
}

static uint64_t name_of(const char *text)
{
    tvk_caps c = device();
    tvk_error err = {0};
    assert_int_equal(tvk_caps_clamp(&c, text, NULL, &err), TVK_OK);
    return c.clamps;
}

static void have_a_name(void **state)
{
    const uint64_t name = name_of("int8 0\ndot 0\n");
    (void)state;
    assert_true(name_of(NULL) == 0 && name_of("# nothing\n\n") == 0);
    assert_true(name != 0 && name == name_of("# the same\n int8\t0 # here\n\ndot 0"));
    assert_true(name != name_of("int8 0\ndot 1\n"));
    assert_true(name != name_of("int8 0\n"));
}

static void fails_on_demand(void **state)
{
    tvk_caps c = device();
    tvk_error err = {0};
    (void)state;
    assert_int_equal(
        tvk_caps_clamp(&c, "lose_after_waits 0\nrefuse_after_allocations 7", NULL, &err), TVK_OK);
    assert_int_equal(c.faults[TVK_FAULT_WaitForFences], 1); /* the next one */
    assert_int_equal(c.faults[TVK_FAULT_AllocateMemory], 8);
    assert_int_equal(c.faults[TVK_FAULT_QueueSubmit], 0);
    assert_true(c.clamps == 0); /* the same device */
    assert_int_equal(tvk_caps_clamp(&c, "\nlose_after_waits 4294967295", "f", &err), TVK_ERR_ARG);
    assert_string_equal(err.text,
                        "f:2: lose_after_waits: a count below 4294967295 needed, 4294967295 found");
    assert_int_equal(tvk_caps_clamp(&c, "lose_after_waits -1", "f", &err), TVK_ERR_ARG);
}

static void lowers(void **state)
{
    const char *text = "# a poor device\n"
                       "max_invocations 128\n"
                       "  max_shared_bytes\t16384   # comment\r\n"
                       "\n"
                       "max_storage_bytes 134217728\n"
                       "max_group_size_z 1\n"
                       "int8 0\n"
                       "fp16 1\n"
                       "dot 0\n"
                       "subgroup_ops 5\n"
                       "device_bytes 536870912\n"
                       "timestamps 0\n"
                       "unified_memory 0\n"
                       "api_version 1.1";
    tvk_caps c = device();
    tvk_error err = {0};
    (void)state;
    assert_int_equal(tvk_caps_clamp(&c, text, "poor.txt", &err), TVK_OK);
    assert_int_equal(c.max_invocations, 128);
    assert_int_equal(c.max_shared_bytes, 16384);
    assert_int_equal(c.max_storage_bytes, 128 * MIB);
    assert_int_equal(c.max_group_size[2], 1);
    assert_false(c.int8);
    assert_true(c.fp16);
    assert_false(c.dot);
    assert_int_equal(c.subgroup_ops, 5);
    assert_int_equal(c.heaps[0].bytes, 512 * MIB);
    assert_int_equal(c.heaps[1].bytes, 2048 * MIB); /* not the device's */
    assert_true(c.timestamp_period_ns == 0);
    assert_true(c.hide_unified);
    assert_int_equal(c.api_version, VERSION(1, 1));
}

static void empty_changes_nothing(void **state)
{
    tvk_caps c = device(), before = device();
    (void)state;
    assert_int_equal(tvk_caps_clamp(&c, "", "x", NULL), TVK_OK);
    assert_int_equal(tvk_caps_clamp(&c, "\n\n# only words\n", "x", NULL), TVK_OK);
    assert_int_equal(tvk_caps_clamp(&c, NULL, "x", NULL), TVK_OK);
    assert_memory_equal(&c, &before, sizeof c);
}

static void mistakes(void **state)
{
    const struct {
        const char *text, *message;
    } rows[] = {
        {"max_invocations 64\nmax_speed 9\n", "f:2: unknown key 'max_speed'"},
        {"max_invocations 2048", "f:1: max_invocations 2048 is above the device's own 1024"},
        {"max_storage_bytes 8589934592",
         "f:1: max_storage_bytes 8589934592 is above the device's own 4294967296"},
        {"storage8 1", "f:1: storage8 1 is above the device's own 0"},
        {"subgroup_ops 128", "f:1: subgroup_ops 128 is above the device's own 127"},
        {"device_bytes 1073741825", "f:1: device_bytes 1073741825 is above the device's own "
                                    "1073741824"},
        {"\n\nint8 no", "f:3: int8: a whole number needed, 'no' found"},
        {"int8 -1", "f:1: int8: a whole number needed, '-1' found"},
        {"int8 0x0", "f:1: int8: a whole number needed, '0x0' found"},
        {"int8", "f:1: int8: a whole number needed, nothing found"},
        {"int8 # 0", "f:1: int8: a whole number needed, nothing found"},
        {"int8 0 0", "f:1: int8: one value needed, '0' follows it"},
        {"max_storage_bytes 18446744073709551616",
         "f:1: max_storage_bytes: a whole number needed, '18446744073709551616' found"},
        {"api_version 1", "f:1: api_version: 1.0 to 1.9 needed, '1' found"},
        {"api_version 1.4", "f:1: api_version 1.4 is above the device's own 1.3"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tvk_caps c = device(), before = device();
        tvk_error err = {0};
        assert_int_equal(tvk_caps_clamp(&c, rows[i].text, "f", &err), TVK_ERR_ARG);
        assert_string_equal(err.text, rows[i].message);
        assert_int_equal(err.status, TVK_ERR_ARG);
        assert_memory_equal(&c, &before, sizeof c); /* all or nothing */
    }
}

static void default_name(void **state)
{
    tvk_caps c = device();
    tvk_error err = {0};
    (void)state;
    assert_int_equal(tvk_caps_clamp(&c, "x 1", NULL, &err), TVK_ERR_ARG);
    assert_string_equal(err.text, "clamps:1: unknown key 'x'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(have_a_name), cmocka_unit_test(fails_on_demand),
        cmocka_unit_test(lowers),      cmocka_unit_test(empty_changes_nothing),
        cmocka_unit_test(mistakes),    cmocka_unit_test(default_name),
    };
    return cmocka_run_group_tests_name("clamp", tests, NULL, NULL);
}
