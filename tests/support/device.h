/* The device that device tests run on: TERNVK_DEVICE selects, TERNVK_CLAMPS names a clamp file,
 * the validation layer is on where it
 * is installed, unless TERNVK_VALIDATE=0. */
#ifndef TVK_TESTS_DEVICE_H
#define TVK_TESTS_DEVICE_H

#include "ternvk/device.h"

#define TEST_SKIP 77

/* NULL when there is none: prints why; the exit code for that is test_no_device_code(). */
tvk_device *test_device_create(const char *clamps);
/* The same with submissions of bounded time, as integrated devices have them. */
tvk_device *test_device_create_bounded(uint32_t submit_ms);
int test_no_device_code(void);
/* 1 (and a line) when the validation layer said something; else 0. */
int test_device_messages(const tvk_device *device);
/* A file name in the temporary folder, unique to the process; static storage of the caller. */
const char *test_temp_path(char *buf, size_t bytes, const char *name);

#endif
