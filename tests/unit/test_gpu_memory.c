/* The device layer: buffers, copies, staging, what is counted. */
#include "gpu_fixture.h"

void round_trip(void **state)
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

void part_of_a_buffer(void **state)
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

/* A kernel that reads its input from staging windows, more of them than the ring has. */
void staging_windows(void **state)
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
void readback(void **state)
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

void memory_is_counted(void **state)
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
