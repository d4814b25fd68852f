/* The device layer: programs, recorded commands, submissions, time stamps, wrong calls. */
#include "gpu_fixture.h"

static const uint32_t groups_spirv[] = {
#include "groups.spv.inc"
};
static const uint32_t subgroup_spirv[] = {
#include "subgroup.spv.inc"
};

void dispatch(void **state)
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
void indirect(void **state)
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
void in_flight(void **state)
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

void timestamps(void **state)
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

void full_subgroups(void **state)
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
                             .subgroup = size ? size : 32};
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

void wrong_calls(void **state)
{
    tvk_device *d = ((fixture *)*state)->device;
    const tvk_plan *plan = tvk_gpu_plan(d);
    tvk_buffer *x = buffer(d, 4096);
    tvk_program *p = axpb(d, 0), *bad = NULL;
    tvk_commands *c = commands(d, 1, 2, 1);
    tvk_span spans[2] = {tvk_buffer_span(x), tvk_buffer_span(x)};
    const uint32_t push[2] = {0, 0}, one[3] = {1, 1, 1}, many[3] = {1, UINT32_MAX, 1};
    tvk_program_desc desc = axpb_desc(0);
    tvk_error err = {0};
    desc.name = "wide";
    desc.constants[0] = plan->max_invocations * 2;
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
