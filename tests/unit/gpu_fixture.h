/* What the device layer's tests share: a device of a group of tests, programs, checked calls. */
#ifndef TVK_TESTS_UNIT_GPU_FIXTURE_H
#define TVK_TESTS_UNIT_GPU_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vk/gpu.h"

#define WIDTH 64u /* of axpb's workgroups */

/* One device per group of tests, lowered by `clamps`. */
typedef struct fixture {
    const char *clamps;
    tvk_device *device;
} fixture;

extern int messages; /* of the validation layer */

tvk_device_params params(const char *clamps);
void ok(tvk_status st, const tvk_error *err);
tvk_buffer *buffer(tvk_device *d, uint64_t bytes);
void write_all(tvk_buffer *b, tvk_device *d, const void *data);
void read_all(tvk_buffer *b, tvk_device *d, void *data);
/* y = a x + add on words, WIDTH invocations a group; push: words, a */
tvk_program_desc axpb_desc(uint32_t add);
tvk_program *axpb(tvk_device *d, uint32_t add);
tvk_commands *commands(tvk_device *d, uint32_t dispatches, uint32_t bindings, uint32_t stamps);
/* Appends it on spans of n words each. */
void record_axpb(tvk_commands *c, tvk_program *p, tvk_span x, tvk_span y, uint32_t n, uint32_t a);
/* A device that only compiles (drm-shim) accepts submissions and computes nothing. */
bool computes(void);
uint64_t live_bytes(tvk_device *d);

/* The tests, each with a fixture as its state. */
/* test_gpu_memory.c */
void round_trip(void **state);
void part_of_a_buffer(void **state);
void staging_windows(void **state);
void readback(void **state);
void memory_is_counted(void **state);
/* test_gpu_commands.c */
void dispatch(void **state);
void indirect(void **state);
void in_flight(void **state);
void timestamps(void **state);
void full_subgroups(void **state);
void wrong_calls(void **state);
/* test_gpu_programs.c */
void fixed_words(void **state);
void programs_in_parallel(void **state);
void a_program_that_fails(void **state);
void only_prepared(void **state);
/* test_gpu_cache.c */
void programs_are_kept(void **state);
void damaged_programs(void **state);
/* test_gpu_faults.c */
void every_call_fails_once(void **state);
void lost_is_sticky(void **state);

#endif
