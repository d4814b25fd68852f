/* The device layer on whatever device is there. Validation is on where its layer is installed, and
 * one message fails the run. Every test runs twice: as the device is, and staged through small
 * windows. TVK_TEST_DEVICE selects a device; TVK_TEST_NO_RESULTS is for drivers that only compile
 * shaders and compute nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vk/gpu.h"

static const uint32_t axpb_spirv[] = {
#include "axpb.spv.inc"
};
static const uint32_t groups_spirv[] = {
#include "groups.spv.inc"
};
static const uint32_t subgroup_spirv[] = {
#include "subgroup.spv.inc"
};

#define WIDTH 64u

/* The layer of Debian 12 leaks and is then unloaded, so that no suppression can name it: sanitizer
 * runs do without. */
#if defined(__SANITIZE_ADDRESS__)
#define VALIDATE false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VALIDATE false
#endif
#endif
#ifndef VALIDATE
#define VALIDATE true
#endif

/* One device per group of tests, lowered by `clamps`. */
typedef struct fixture {
    const char *clamps;
    tvk_device *device;
} fixture;

static int messages; /* of the validation layer */

static void log_line(void *user, tvk_log_level level, const char *text)
{
    /* Also those of destruction, which no device is left to count. */
    if (!strncmp(text, "validation:", 11)) ++*(int *)user;
    if (level <= TVK_LOG_WARN) fprintf(stderr, "  log: %s\n", text);
}

static tvk_device_params params(const char *clamps)
{
    return (tvk_device_params){.select = getenv("TVK_TEST_DEVICE"),
                               .clamps = clamps,
                               .log = {.fn = log_line, .user = &messages, .level = TVK_LOG_DEBUG},
                               .validate = VALIDATE};
}

static void ok(tvk_status st, const tvk_error *err)
{
    if (st != TVK_OK)
        fail_msg("%s: %s (%s:%d)", tvk_status_name(st), err->text, err->file, err->line);
}

static tvk_buffer *buffer(tvk_device *d, uint64_t bytes)
{
    tvk_error err = {0};
    tvk_buffer *b = NULL;
    ok(tvk_buffer_create(d, TVK_PURPOSE_SCRATCH, TVK_MEMORY_DEVICE, bytes, "test", &b, &err), &err);
    assert_int_equal(tvk_buffer_bytes(b), bytes);
    return b;
}

static void write_all(tvk_buffer *b, tvk_device *d, const void *data)
{
    tvk_error err = {0};
    ok(tvk_gpu_write(d, tvk_buffer_span(b), data, &err), &err);
}

static void read_all(tvk_buffer *b, tvk_device *d, void *data)
{
    tvk_error err = {0};
    ok(tvk_gpu_read(d, tvk_buffer_span(b), data, &err), &err);
}

static tvk_program *axpb(tvk_device *d, uint32_t add)
{
    tvk_program_desc desc = {.name = "axpb",
                             .spirv = axpb_spirv,
                             .spirv_bytes = sizeof axpb_spirv,
                             .binding_count = 2,
                             .push_bytes = 8,
                             .constant_count = 4,
                             .constants = {WIDTH, 1, 1, add}};
    tvk_error err = {0};
    tvk_program *p = NULL;
    ok(tvk_program_create(d, &desc, &p, &err), &err);
    return p;
}

static tvk_commands *commands(tvk_device *d, uint32_t dispatches, uint32_t bindings,
                              uint32_t stamps)
{
    tvk_error err = {0};
    tvk_commands *c = NULL;
    ok(tvk_commands_create(d, dispatches, bindings, stamps, "test", &c, &err), &err);
    return c;
}

/* y = a x + b on spans of n words each. */
static void record_axpb(tvk_commands *c, tvk_program *p, tvk_span x, tvk_span y, uint32_t n,
                        uint32_t a)
{
    const uint32_t push[2] = {n, a}, count[3] = {(n + WIDTH - 1) / WIDTH, 1, 1};
    const tvk_span bindings[2] = {x, y};
    tvk_error err = {0};
    ok(tvk_commands_dispatch(c, p, bindings, push, count, &err), &err);
}

/* A device that only compiles (drm-shim) accepts submissions and computes nothing. */
static bool computes(void)
{
    return getenv("TVK_TEST_NO_RESULTS") == NULL;
}

static uint64_t live_bytes(tvk_device *d)
{
    tvk_memory_use use;
    tvk_device_memory(d, &use);
    return use.by_purpose[TVK_PURPOSE_WEIGHTS] + use.by_purpose[TVK_PURPOSE_KV] +
           use.by_purpose[TVK_PURPOSE_SCRATCH] + use.by_purpose[TVK_PURPOSE_STATE];
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void round_trip(void **state)
{
    tvk_device *d = ((fixture *)*state)->device;
    const uint64_t sizes[] = {
        1, 3, 4, 17, 255, 4097, 65536 + 1, ((uint64_t)8 << 20) + 5, ((uint64_t)40 << 20) + 3};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        tvk_buffer *b = buffer(d, sizes[s]);
        unsigned char *in = malloc(sizes[s]), *out = malloc(sizes[s]);
        assert_true(in && out);
        for (uint64_t i = 0; i < sizes[s]; i++) in[i] = (unsigned char)(i * 7 + i / 251 + s);
        memset(out, 0xee, sizes[s]);
        write_all(b, d, in);
        read_all(b, d, out);
        if (computes()) assert_memory_equal(in, out, sizes[s]);
        free(in);
        free(out);
        tvk_buffer_destroy(&b);
        assert_null(b);
    }
    assert_int_equal(live_bytes(d), 0);
}

static void part_of_a_buffer(void **state)
{
    tvk_device *d = ((fixture *)*state)->device;
    unsigned char in[100], out[100], part[10];
    tvk_error err = {0};
    tvk_buffer *b = buffer(d, sizeof in);
    for (size_t i = 0; i < sizeof in; i++) in[i] = (unsigned char)i;
    memset(part, 0xaa, sizeof part);
    write_all(b, d, in);
    ok(tvk_gpu_write(d, tvk_span_sub(tvk_buffer_span(b), 33, sizeof part), part, &err), &err);
    ok(tvk_gpu_read(d, tvk_span_sub(tvk_buffer_span(b), 30, 20), out, &err), &err);
    if (computes()) {
        assert_memory_equal(out, in + 30, 3);
        assert_memory_equal(out + 3, part, sizeof part);
        assert_memory_equal(out + 13, in + 43, 7);
    }
    assert_int_equal(tvk_gpu_write(d, tvk_span_sub(tvk_buffer_span(b), 91, 10), part, &err),
                     TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "10 at 91 of 100"));
    tvk_buffer_destroy(&b);
}

static void dispatch(void **state)
{
    enum { N = 1000 };
    tvk_device *d = ((fixture *)*state)->device;
    tvk_buffer *x = buffer(d, N * 4), *y = buffer(d, N * 4);
    tvk_program *p = axpb(d, 5), *q = axpb(d, 7);
    tvk_commands *c = commands(d, 2, 4, 0);
    tvk_error err = {0};
    uint32_t in[N], out[N];
    uint64_t ticket = 0;
    for (uint32_t i = 0; i < N; i++) in[i] = i * i;
    write_all(x, d, in);
    ok(tvk_commands_begin(c, &err), &err);
    record_axpb(c, p, tvk_buffer_span(x), tvk_buffer_span(y), N, 3);
    tvk_commands_barrier(c, TVK_BARRIER_COMPUTE);
    record_axpb(c, q, tvk_buffer_span(y), tvk_buffer_span(x), N, 2);
    ok(tvk_commands_end(c, &err), &err);
    ok(tvk_gpu_submit(d, &c, 1, &ticket, &err), &err);
    assert_true(ticket > 0);
    ok(tvk_gpu_wait(d, ticket, &err), &err);
    assert_true(tvk_gpu_done(d, ticket));
    read_all(x, d, out);
    if (computes())
        for (uint32_t i = 0; i < N; i++) assert_int_equal(out[i], 2 * (3 * in[i] + 5) + 7);
    tvk_commands_destroy(&c);
    tvk_program_destroy(&p);
    tvk_program_destroy(&q);
    tvk_buffer_destroy(&x);
    tvk_buffer_destroy(&y);
}

/* The argument writer runs on the device, twice, so that arguments are read, written and read. */
static void indirect(void **state)
{
    enum { N = 777 };
    tvk_device *d = ((fixture *)*state)->device;
    tvk_program_desc desc = {.name = "groups",
                             .spirv = groups_spirv,
                             .spirv_bytes = sizeof groups_spirv,
                             .binding_count = 1,
                             .push_bytes = 4,
                             .constant_count = 4,
                             .constants = {1, 1, 1, WIDTH}};
    const uint32_t one[3] = {1, 1, 1};
    tvk_buffer *x = buffer(d, N * 4), *y = buffer(d, N * 4), *args = buffer(d, 12);
    tvk_program *p = axpb(d, 1), *g = NULL;
    tvk_commands *c = commands(d, 4, 6, 0);
    tvk_error err = {0};
    uint32_t in[N], out[N];
    ok(tvk_program_create(d, &desc, &g, &err), &err);
    for (uint32_t i = 0; i < N; i++) in[i] = 3 * i;
    write_all(x, d, in);
    memset(out, 0, sizeof out);
    write_all(y, d, out);
    ok(tvk_commands_begin(c, &err), &err);
    for (uint32_t n = N / 2; n <= N; n += N - N / 2) {
        const tvk_span bind_args = tvk_buffer_span(args);
        const tvk_span bindings[2] = {tvk_buffer_span(x), tvk_buffer_span(y)};
        const uint32_t push[2] = {n, n};
        ok(tvk_commands_dispatch(c, g, &bind_args, push, one, &err), &err);
        tvk_commands_barrier(c, TVK_BARRIER_INDIRECT);
        ok(tvk_commands_dispatch_indirect(c, p, bindings, push, bind_args, &err), &err);
        tvk_commands_barrier(c, TVK_BARRIER_INDIRECT);
    }
    ok(tvk_commands_end(c, &err), &err);
    ok(tvk_gpu_submit(d, &c, 1, NULL, &err), &err);
    read_all(y, d, out);
    if (computes())
        for (uint32_t i = 0; i < N; i++) assert_int_equal(out[i], N * in[i] + 1);
    tvk_commands_destroy(&c);
    tvk_program_destroy(&p);
    tvk_program_destroy(&g);
    tvk_buffer_destroy(&x);
    tvk_buffer_destroy(&y);
    tvk_buffer_destroy(&args);
}

/* One recorded step, x = 2 x + 1 through y, submitted more often than there are fences, then
 * everything destroyed while it may still run. */
static void in_flight(void **state)
{
    enum { N = 4096, TIMES = 40 };
    tvk_device *d = ((fixture *)*state)->device;
    static uint32_t in[N], out[N];
    tvk_buffer *x = buffer(d, N * 4), *y = buffer(d, N * 4);
    tvk_program *p = axpb(d, 0), *q = axpb(d, 1);
    tvk_commands *c[2] = {commands(d, 1, 2, 0), commands(d, 1, 2, 0)};
    tvk_error err = {0};
    uint64_t ticket = 0, first = 0;
    uint32_t power = 1;
    for (uint32_t i = 0; i < N; i++) in[i] = i;
    write_all(x, d, in);
    ok(tvk_commands_begin(c[0], &err), &err);
    record_axpb(c[0], p, tvk_buffer_span(x), tvk_buffer_span(y), N, 2);
    ok(tvk_commands_end(c[0], &err), &err);
    ok(tvk_commands_begin(c[1], &err), &err);
    record_axpb(c[1], q, tvk_buffer_span(y), tvk_buffer_span(x), N, 1);
    ok(tvk_commands_end(c[1], &err), &err);
    for (int t = 0; t < TIMES; t++) {
        ok(tvk_gpu_submit(d, c, 2, &ticket, &err), &err);
        if (t == 0) first = ticket;
        power *= 2; /* wraps, as the device does */
    }
    assert_int_equal(ticket, first + TIMES - 1);
    read_all(x, d, out);
    /* x -> 2^T x + 2^T - 1, modulo 2^32 */
    if (computes())
        for (uint32_t i = 0; i < N; i++) assert_int_equal(out[i], power * in[i] + power - 1);
    for (int t = 0; t < 3; t++) ok(tvk_gpu_submit(d, c, 2, NULL, &err), &err);
    tvk_buffer_destroy(&x);
    tvk_buffer_destroy(&y);
    tvk_program_destroy(&p);
    tvk_program_destroy(&q);
    tvk_commands_destroy(&c[0]);
    tvk_commands_destroy(&c[1]);
    ok(tvk_gpu_wait_idle(d, &err), &err);
    assert_int_equal(live_bytes(d), 0);
}

static void timestamps(void **state)
{
    enum { N = 1 << 16, STAMPS = 4 };
    tvk_device *d = ((fixture *)*state)->device;
    tvk_buffer *x = buffer(d, N * 4), *y = buffer(d, N * 4);
    tvk_program *p = axpb(d, 5);
    tvk_commands *c = commands(d, STAMPS - 1, 2 * (STAMPS - 1), STAMPS);
    tvk_error err = {0};
    double ns[STAMPS];
    ok(tvk_commands_begin(c, &err), &err);
    tvk_commands_timestamp(c, 0);
    for (uint32_t i = 1; i < STAMPS; i++) {
        record_axpb(c, p, tvk_buffer_span(x), tvk_buffer_span(y), N, 3);
        tvk_commands_barrier(c, TVK_BARRIER_COMPUTE);
        tvk_commands_timestamp(c, i);
    }
    ok(tvk_commands_end(c, &err), &err);
    assert_int_equal(tvk_commands_times(c, STAMPS, ns, &err) == TVK_OK, 0); /* never submitted */
    for (int t = 0; t < 3; t++) ok(tvk_gpu_submit(d, &c, 1, NULL, &err), &err);
    if (!computes()) {
        ok(tvk_gpu_wait_idle(d, &err), &err);
    } else if (tvk_gpu_plan(d)->timestamps) {
        ok(tvk_commands_times(c, STAMPS, ns, &err), &err);
        assert_true(ns[0] == 0);
        for (int i = 1; i < STAMPS; i++) assert_true(ns[i] >= ns[i - 1]);
        assert_true(ns[STAMPS - 1] > 0 && ns[STAMPS - 1] < 60e9);
    } else {
        assert_int_equal(tvk_commands_times(c, STAMPS, ns, &err), TVK_ERR_UNSUPPORTED);
    }
    tvk_commands_destroy(&c);
    tvk_program_destroy(&p);
    tvk_buffer_destroy(&x);
    tvk_buffer_destroy(&y);
}

static void full_subgroups(void **state)
{
    tvk_device *d = ((fixture *)*state)->device;
    const tvk_plan *plan = tvk_gpu_plan(d);
    const uint32_t size = plan->subgroup_fixed, groups[3] = {3, 1, 1};
    tvk_program_desc desc = {.name = "subgroup",
                             .spirv = subgroup_spirv,
                             .spirv_bytes = sizeof subgroup_spirv,
                             .binding_count = 1,
                             .constant_count = 3,
                             .constants = {128, 1, 1},
                             .subgroup = true};
    tvk_error err = {0};
    tvk_program *p = NULL;
    tvk_buffer *y = NULL;
    tvk_commands *c = NULL;
    tvk_span span;
    uint32_t out[3 * 128];
    if (size == 0) {
        assert_int_equal(tvk_program_create(d, &desc, &p, &err), TVK_ERR_UNSUPPORTED);
        assert_null(p);
        return;
    }
    desc.constants[0] = size / 2;
    assert_int_equal(tvk_program_create(d, &desc, &p, &err), TVK_ERR_ARG);
    desc.constants[0] = 128;
    ok(tvk_program_create(d, &desc, &p, &err), &err);
    y = buffer(d, sizeof out);
    c = commands(d, 1, 1, 0);
    span = tvk_buffer_span(y);
    ok(tvk_commands_begin(c, &err), &err);
    ok(tvk_commands_dispatch(c, p, &span, NULL, groups, &err), &err);
    ok(tvk_commands_end(c, &err), &err);
    ok(tvk_gpu_submit(d, &c, 1, NULL, &err), &err);
    read_all(y, d, out);
    if (computes())
        for (size_t i = 0; i < sizeof out / sizeof *out; i++) assert_int_equal(out[i], size);
    tvk_commands_destroy(&c);
    tvk_program_destroy(&p);
    tvk_buffer_destroy(&y);
}

/* A kernel that reads its input from staging windows, more of them than the ring has. */
static void staging_windows(void **state)
{
    enum { N = 256, CHUNKS = 9 };
    tvk_device *d = ((fixture *)*state)->device;
    const uint64_t chunk_bytes = 4 * N;
    tvk_buffer *y = buffer(d, CHUNKS * chunk_bytes);
    tvk_program *p = axpb(d, 9);
    tvk_commands *c[CHUNKS];
    tvk_error err = {0};
    static uint32_t out[CHUNKS * N];
    tvk_span held[8], extra;
    void *host;
    uint32_t n = 0;
    assert_true(tvk_gpu_staging_max(d) >= chunk_bytes);
    for (uint32_t k = 0; k < CHUNKS; k++) {
        tvk_span in;
        uint64_t ticket;
        ok(tvk_staging_acquire(d, chunk_bytes, &in, &host, &err), &err);
        assert_int_equal(in.bytes, chunk_bytes);
        for (uint32_t i = 0; i < N; i++) ((uint32_t *)host)[i] = k * N + i;
        c[k] = commands(d, 1, 2, 0);
        ok(tvk_commands_begin(c[k], &err), &err);
        record_axpb(c[k], p, in, tvk_span_sub(tvk_buffer_span(y), k * chunk_bytes, chunk_bytes), N,
                    2);
        ok(tvk_commands_end(c[k], &err), &err);
        ok(tvk_gpu_submit(d, &c[k], 1, &ticket, &err), &err);
        tvk_staging_release(d, in, ticket);
    }
    read_all(y, d, out);
    if (computes())
        for (uint32_t i = 0; i < CHUNKS * N; i++) assert_int_equal(out[i], 2 * i + 9);
    /* Windows that are never released run out with an error, not a wait for ever. */
    while (n < 8 && tvk_staging_acquire(d, 4, &held[n], &host, &err) == TVK_OK) n++;
    assert_true(n > 0 && n < 8);
    assert_int_equal(tvk_staging_acquire(d, 4, &extra, &host, &err), TVK_ERR_ARG);
    assert_null(extra.buffer);
    while (n > 0) tvk_staging_release(d, held[--n], 0);
    assert_int_equal(tvk_staging_acquire(d, tvk_gpu_staging_max(d) + 1, &extra, &host, &err),
                     TVK_ERR_ARG);
    for (uint32_t k = 0; k < CHUNKS; k++) tvk_commands_destroy(&c[k]);
    tvk_program_destroy(&p);
    tvk_buffer_destroy(&y);
}

/* Kernel, copy, readback buffer, host. */
static void readback(void **state)
{
    enum { N = 300 };
    tvk_device *d = ((fixture *)*state)->device;
    tvk_buffer *x = buffer(d, N * 4), *y = buffer(d, N * 4), *back = NULL;
    tvk_program *p = axpb(d, 5);
    tvk_commands *c = commands(d, 1, 2, 0);
    tvk_error err = {0};
    uint32_t in[N];
    const uint32_t *seen;
    uint64_t ticket;
    ok(tvk_buffer_create(d, TVK_PURPOSE_STATE, TVK_MEMORY_READBACK, N * 4, "back", &back, &err),
       &err);
    seen = tvk_buffer_map(back);
    assert_non_null(seen);
    for (uint32_t i = 0; i < N; i++) in[i] = i;
    write_all(x, d, in);
    ok(tvk_commands_begin(c, &err), &err);
    record_axpb(c, p, tvk_buffer_span(x), tvk_buffer_span(y), N, 3);
    tvk_commands_barrier(c, TVK_BARRIER_TRANSFER);
    tvk_commands_copy(c, tvk_buffer_span(y), tvk_buffer_span(back));
    tvk_commands_barrier(c, TVK_BARRIER_HOST);
    ok(tvk_commands_end(c, &err), &err);
    ok(tvk_gpu_submit(d, &c, 1, &ticket, &err), &err);
    ok(tvk_gpu_wait(d, ticket, &err), &err);
    if (computes())
        for (uint32_t i = 0; i < N; i++) assert_int_equal(seen[i], 3 * i + 5);
    tvk_commands_destroy(&c);
    tvk_program_destroy(&p);
    tvk_buffer_destroy(&x);
    tvk_buffer_destroy(&y);
    tvk_buffer_destroy(&back);
}

static void memory_is_counted(void **state)
{
    enum { COUNT = 40 };
    tvk_device *d = ((fixture *)*state)->device;
    tvk_buffer *b[COUNT] = {0}, *big = NULL;
    tvk_memory_use before, use;
    tvk_error err = {0};
    uint64_t sum = 0, left = 0;
    tvk_device_memory(d, &before);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint64_t bytes = 1000 * (uint64_t)(i + 1) + i;
        ok(tvk_buffer_create(d, TVK_PURPOSE_WEIGHTS, TVK_MEMORY_DEVICE, bytes, "w", &b[i], &err),
           &err);
        sum += bytes;
    }
    tvk_device_memory(d, &use);
    assert_int_equal(use.by_purpose[TVK_PURPOSE_WEIGHTS], sum);
    assert_true(use.blocks >= sum && use.blocks >= before.blocks);
    /* Every second one, then the rest: ranges merge again, and the blocks go. */
    for (uint32_t i = 0; i < COUNT; i += 2) tvk_buffer_destroy(&b[i]);
    for (uint32_t i = 0; i < COUNT; i += 4)
        ok(tvk_buffer_create(d, TVK_PURPOSE_KV, TVK_MEMORY_DEVICE, 900, "kv", &b[i], &err), &err);
    tvk_device_memory(d, &use);
    assert_int_equal(use.by_purpose[TVK_PURPOSE_KV], COUNT / 4 * 900);
    for (uint32_t i = 0; i < COUNT; i++) tvk_buffer_destroy(&b[i]);
    tvk_device_memory(d, &use);
    assert_int_equal(live_bytes(d), 0);
    assert_int_equal(use.blocks, before.blocks);
    /* More than there is: refused with the numbers, and nothing is left behind. */
    assert_false(tvk_gpu_fits(d, UINT64_MAX, &left));
    assert_true(tvk_gpu_fits(d, left / 2, NULL) &&
                left > 0); /* the budget moves with the machine */
    assert_int_equal(tvk_buffer_create(d, TVK_PURPOSE_WEIGHTS, TVK_MEMORY_DEVICE, UINT64_C(1) << 50,
                                       "huge", &big, &err),
                     TVK_ERR_DEVICE_MEMORY);
    assert_null(big);
    assert_non_null(strstr(err.text, "huge"));
    assert_non_null(strstr(err.text, "1125899906842624"));
    tvk_device_memory(d, &use);
    assert_int_equal(use.blocks, before.blocks);
}

static void wrong_calls(void **state)
{
    tvk_device *d = ((fixture *)*state)->device;
    const tvk_plan *plan = tvk_gpu_plan(d);
    tvk_buffer *x = buffer(d, 4096);
    tvk_program *p = axpb(d, 0), *bad = NULL;
    tvk_commands *c = commands(d, 1, 2, 1);
    tvk_span spans[2] = {tvk_buffer_span(x), tvk_buffer_span(x)};
    const uint32_t push[2] = {0, 0}, one[3] = {1, 1, 1}, many[3] = {1, UINT32_MAX, 1};
    tvk_program_desc desc = {.name = "wide",
                             .spirv = axpb_spirv,
                             .spirv_bytes = sizeof axpb_spirv,
                             .binding_count = 2,
                             .push_bytes = 8,
                             .constant_count = 4,
                             .constants = {plan->max_invocations * 2, 1, 1, 0}};
    tvk_error err = {0};
    assert_int_equal(tvk_program_create(d, &desc, &bad, &err), TVK_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "wide"));
    desc.spirv_bytes = 18;
    assert_int_equal(tvk_program_create(d, &desc, &bad, &err), TVK_ERR_ARG);
    assert_null(bad);
    assert_int_equal(tvk_commands_dispatch(c, p, spans, push, one, &err), TVK_ERR_ARG);
    assert_int_equal(tvk_gpu_submit(d, &c, 1, NULL, &err), TVK_ERR_ARG);
    assert_int_equal(tvk_gpu_wait(d, UINT64_MAX, &err), TVK_ERR_ARG);

    ok(tvk_commands_begin(c, &err), &err);
    assert_int_equal(tvk_commands_dispatch(c, p, spans, push, many, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "4294967295"));
    assert_int_equal(tvk_commands_end(c, &err), TVK_ERR_ARG); /* remembers */
    assert_int_equal(tvk_gpu_submit(d, &c, 1, NULL, &err), TVK_ERR_ARG);

    ok(tvk_commands_begin(c, &err), &err);
    spans[1] = tvk_span_sub(spans[0], 2, 4);
    assert_int_equal(tvk_commands_dispatch(c, p, spans, push, one, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "multiple of"));
    spans[1] = tvk_span_sub(spans[0], 0, 4097);
    assert_int_equal(tvk_commands_dispatch(c, p, spans, push, one, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "inside 4096"));
    spans[1] = (tvk_span){0};
    assert_int_equal(tvk_commands_dispatch(c, p, spans, push, one, &err), TVK_ERR_ARG);
    assert_int_equal(tvk_commands_end(c, &err), TVK_ERR_ARG);

    /* A second dispatch in commands made for one; a copy of unequal sizes; a stamp too many. */
    spans[1] = spans[0];
    ok(tvk_commands_begin(c, &err), &err);
    ok(tvk_commands_dispatch(c, p, spans, push, one, &err), &err);
    assert_int_equal(tvk_commands_dispatch(c, p, spans, push, one, &err), TVK_ERR_ARG);
    assert_int_equal(tvk_commands_end(c, &err), TVK_ERR_ARG);
    ok(tvk_commands_begin(c, &err), &err);
    tvk_commands_copy(c, spans[0], tvk_span_sub(spans[1], 0, 8));
    assert_int_equal(tvk_commands_end(c, &err), TVK_ERR_ARG);
    ok(tvk_commands_begin(c, &err), &err);
    tvk_commands_timestamp(c, 1);
    assert_int_equal(tvk_commands_end(c, &err), TVK_ERR_ARG);
    tvk_commands_destroy(&c);
    tvk_program_destroy(&p);
    tvk_buffer_destroy(&x);
}

/* Everything once, stopping at the first failure; whatever happened, all is given back. */
static tvk_status scenario(tvk_device *d, tvk_error *err)
{
    enum { N = 100 };
    const tvk_program_desc desc = {.name = "axpb",
                                   .spirv = axpb_spirv,
                                   .spirv_bytes = sizeof axpb_spirv,
                                   .binding_count = 2,
                                   .push_bytes = 8,
                                   .constant_count = 4,
                                   .constants = {WIDTH, 1, 1, 4}};
    const uint32_t push[2] = {N, 2}, groups[3] = {(N + WIDTH - 1) / WIDTH, 1, 1};
    uint32_t data[N] = {1, 2, 3};
    tvk_buffer *x = NULL, *y = NULL;
    tvk_program *p = NULL;
    tvk_commands *c = NULL;
    tvk_span spans[2];
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_buffer_create(d, TVK_PURPOSE_KV, TVK_MEMORY_DEVICE, N * 4, "x", &x, err));
    TVK_TRY(tvk_buffer_create(d, TVK_PURPOSE_KV, TVK_MEMORY_DEVICE, N * 4, "y", &y, err));
    TVK_TRY(tvk_gpu_write(d, tvk_buffer_span(x), data, err));
    TVK_TRY(tvk_program_create(d, &desc, &p, err));
    TVK_TRY(tvk_commands_create(d, 1, 2, 1, "c", &c, err));
    TVK_TRY(tvk_commands_begin(c, err));
    spans[0] = tvk_buffer_span(x);
    spans[1] = tvk_buffer_span(y);
    TVK_TRY(tvk_commands_dispatch(c, p, spans, push, groups, err));
    TVK_TRY(tvk_commands_end(c, err));
    TVK_TRY(tvk_gpu_submit(d, &c, 1, NULL, err));
    TVK_TRY(tvk_gpu_read(d, tvk_buffer_span(y), data, err));
    if (computes()) assert_int_equal(data[2], 2 * 3 + 4);
fail:
    tvk_commands_destroy(&c);
    tvk_program_destroy(&p);
    tvk_buffer_destroy(&x);
    tvk_buffer_destroy(&y);
    return st;
}

/* The n-th call of the driver fails, for every n: an error, nothing kept, and then it works. */
static void every_call_fails_once(void **state)
{
    tvk_device *d = ((fixture *)*state)->device;
    tvk_error err = {0};
    uint32_t n, failures = 0;
    for (n = 1; n < 1000; n++) {
        tvk_status st;
        memset(&err, 0, sizeof err);
        tvk_gpu_fail_at(d, n, n % 2 ? TVK_ERR_DEVICE_MEMORY : TVK_ERR_HOST_MEMORY);
        st = scenario(d, &err);
        tvk_gpu_fail_at(d, 0, TVK_OK);
        if (st != TVK_OK) {
            assert_true(st == TVK_ERR_DEVICE_MEMORY || st == TVK_ERR_HOST_MEMORY);
            assert_true(err.text[0] != '\0');
            failures++;
        }
        ok(tvk_gpu_wait_idle(d, &err), &err);
        assert_int_equal(live_bytes(d), 0);
        ok(scenario(d, &err), &err);
        if (st == TVK_OK && n > failures + 8) break; /* retried calls succeed in between */
    }
    assert_true(failures > 10 && n < 1000);
}

static void lost_is_sticky(void **state)
{
    tvk_device_params params_plain = params(((fixture *)*state)->clamps);
    tvk_device *d = NULL;
    tvk_buffer *x = NULL, *z = NULL;
    tvk_commands *c = NULL;
    tvk_error err = {0};
    ok(tvk_device_create(&params_plain, &d, &err), &err);
    x = buffer(d, 64);
    c = commands(d, 1, 2, 1);
    ok(tvk_commands_begin(c, &err), &err);
    ok(tvk_commands_end(c, &err), &err);
    tvk_gpu_fail_at(d, 1, TVK_ERR_DEVICE_LOST);
    assert_int_equal(tvk_gpu_submit(d, &c, 1, NULL, &err), TVK_ERR_DEVICE_LOST);
    assert_int_equal(tvk_gpu_submit(d, &c, 1, NULL, &err), TVK_ERR_DEVICE_LOST);
    assert_non_null(strstr(err.text, "was lost"));
    assert_int_equal(tvk_gpu_wait_idle(d, &err), TVK_ERR_DEVICE_LOST);
    assert_int_equal(tvk_commands_begin(c, &err), TVK_ERR_DEVICE_LOST);
    assert_int_equal(tvk_buffer_create(d, TVK_PURPOSE_KV, TVK_MEMORY_DEVICE, 4, "z", &z, &err),
                     TVK_ERR_DEVICE_LOST);
    assert_int_equal(tvk_gpu_read(d, tvk_buffer_span(x), &err, &err), TVK_ERR_DEVICE_LOST);
    assert_null(z);
    tvk_commands_destroy(&c);
    tvk_buffer_destroy(&x);
    tvk_device_destroy(&d);
}

/* ---- groups ---------------------------------------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest choice[] = {
        cmocka_unit_test(choice_of_a_device),
        cmocka_unit_test(clamped_devices),
    };
    const struct CMUnitTest device[] = {
        cmocka_unit_test(round_trip),     cmocka_unit_test(part_of_a_buffer),
        cmocka_unit_test(dispatch),       cmocka_unit_test(indirect),
        cmocka_unit_test(in_flight),      cmocka_unit_test(timestamps),
        cmocka_unit_test(full_subgroups), cmocka_unit_test(staging_windows),
        cmocka_unit_test(readback),       cmocka_unit_test(memory_is_counted),
        cmocka_unit_test(wrong_calls),    cmocka_unit_test(every_call_fails_once),
        cmocka_unit_test(lost_is_sticky), cmocka_unit_test(no_validation_message),
    };
    int failed = skip_without_device();
    if (failed) return failed;
    failed = cmocka_run_group_tests_name("choice", choice, NULL, NULL);
    failed += cmocka_run_group_tests_name("device", device, open_plain, close_device);
    failed += cmocka_run_group_tests_name("staged", device, open_staged, close_device);
    if (messages > 0) fprintf(stderr, "**** FAILED: %d validation messages\n", messages);
    return failed > 0 || messages > 0;
}
