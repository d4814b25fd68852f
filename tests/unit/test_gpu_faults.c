/* The device layer: the n-th call of the driver fails, a device is lost. */
#include "gpu_fixture.h"

/* Everything once, stopping at the first failure; whatever happened, all is given back. */
static tvk_status scenario(tvk_device *d, tvk_error *err)
{
    enum { N = 100 };
    const tvk_program_desc desc = axpb_desc(4);
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
void every_call_fails_once(void **state)
{
    tvk_device *d = ((fixture *)*state)->device;
    tvk_error err = {0};
    uint32_t n, failures = 0;
    bool met = true;
    for (n = 1; met && n < 1000; n++) {
        tvk_status st;
        memset(&err, 0, sizeof err);
        tvk_gpu_fail_at(d, n, n % 2 ? TVK_ERR_DEVICE_MEMORY : TVK_ERR_HOST_MEMORY);
        st = scenario(d, &err);
        met = tvk_gpu_fail_at(d, 0, TVK_OK);
        if (st != TVK_OK) {
            assert_true(st == TVK_ERR_DEVICE_MEMORY || st == TVK_ERR_HOST_MEMORY);
            assert_true(err.text[0] != '\0');
            failures++;
        }
        ok(tvk_gpu_wait_idle(d, &err), &err);
        assert_int_equal(live_bytes(d), 0);
        ok(scenario(d, &err), &err);
    }
    assert_true(failures > 10 && n < 1000);
}

void lost_is_sticky(void **state)
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
