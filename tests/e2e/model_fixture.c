#include "e2e/model_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/device.h"

tvk_device *device;

const tiny_spec tiny_specs[TINY_SPECS] = {
    {"b158 i2_s", "bitnet", 2, 256, 384, 4, 2, 64, 300, 512, TVK_I2_S, TVK_Q8_0, true, true, true,
     false, 1, 0},
    {"b158 tq2", "bitnet", 2, 256, 512, 4, 4, 64, 257, 512, TVK_TQ2_0, TVK_F16, true, true, true,
     true, 2, 0},
    {"b158 tq1 silu", "bitnet", 2, 256, 256, 8, 2, 32, 128, 512, TVK_TQ1_0, TVK_F32, true, false,
     false, false, 3, 0},
    {"llama ternary", "llama", 2, 128, 320, 4, 1, 32, 96, 512, TVK_I2_S, TVK_F16, false, false,
     false, false, 4, 0},
    {"llama f16", "llama", 2, 96, 172, 2, 2, 48, 131, 512, TVK_F16, TVK_F16, false, false, false,
     false, 5, 0},
    {"llama f32", "llama", 3, 64, 172, 8, 4, 8, 512, 512, TVK_F32, TVK_F32, false, true, false,
     false, 6, 0},
    {"llama q8_0", "llama", 1, 256, 288, 2, 1, 128, 64, 512, TVK_Q8_0, TVK_Q8_0, false, false,
     false, false, 7, 0},
    {"b1", "bitnet-b1", 2, 192, 300, 4, 2, 48, 211, 512, TVK_I8, TVK_F16, false, true, false, false,
     10, 0},
    {"b1 groups", "bitnet-b1", 2, 256, 512, 8, 8, 32, 97, 512, TVK_I8, TVK_F32, false, false, false,
     false, 11, 4},
    {"odd heads", "bitnet", 1, 300, 260, 3, 1, 100, 50, 512, TVK_F32, TVK_BF16, true, false, true,
     false, 8, 0},
};

void require_ok(tvk_status st, const tvk_error *err)
{
    if (st != TVK_OK) fail_msg("%s (%s:%d)", err->text, err->file, err->line);
}

tvk_file *tiny_file(const tiny_spec *spec)
{
    char path[256];
    tvk_error err = {0};
    tvk_file *file = NULL;
    test_temp_path(path, sizeof path, "tiny.gguf");
    assert_true(tiny_model_write(spec, path));
    require_ok(tvk_file_open(path, &file, &err), &err);
    remove(path); /* it stays mapped */
    return file;
}

void open_model(const tiny_spec *spec, const tvk_model_params *params, opened *o)
{
    tvk_error err = {0};
    memset(o, 0, sizeof *o);
    o->file = tiny_file(spec);
    require_ok(tvk_model_create(device, tvk_file_source(o->file), params, &o->model, &err), &err);
    require_ok(tvk_session_create(o->model, &o->session, &err), &err);
}

void close_model(opened *o)
{
    tvk_session_destroy(&o->session);
    tvk_model_destroy(&o->model);
    tvk_file_close(&o->file);
}

int32_t token_at(uint32_t i, uint32_t vocab)
{
    return (int32_t)((i * 2654435761u >> 7) % vocab);
}

int32_t *make_tokens(uint32_t count, uint32_t vocab)
{
    int32_t *t = malloc(count * sizeof *t);
    assert_non_null(t);
    for (uint32_t i = 0; i < count; i++) t[i] = token_at(i, vocab);
    return t;
}

float *make_floats(size_t count)
{
    float *f = malloc(count * sizeof *f);
    assert_non_null(f);
    return f;
}

void eval(opened *o, tvk_session *s, const int32_t *tokens, uint32_t count, float *logits)
{
    tvk_error err = {0};
    const tvk_batch_item item = {s, tokens, count, logits};
    require_ok(tvk_eval(o->model, &item, 1, &err), &err);
}

/* Which row differs first; fails the test. */
void require_same_rows(const char *what, const float *a, const float *b, uint32_t rows,
                       uint32_t width)
{
    for (uint32_t r = 0; r < rows; r++) {
        const float *x = a + (size_t)r * width, *y = b + (size_t)r * width;
        if (memcmp(x, y, width * sizeof *x) == 0) continue;
        for (uint32_t i = 0; i < width; i++) {
            if (memcmp(&x[i], &y[i], sizeof *x) == 0) continue;
            fail_msg("%s: row %u, column %u: %.9g expected, %.9g found", what, r, i, (double)x[i],
                     (double)y[i]);
        }
    }
}

int run_on_device(const struct CMUnitTest *tests, size_t count)
{
    int failed;
    device = test_device_create(NULL);
    if (!device) return test_no_device_code();
    fprintf(stderr, "device: %s\n", tvk_device_get_info(device)->name);
    failed = _cmocka_run_group_tests("models", tests, count, NULL, NULL);
    failed |= test_device_messages(device);
    tvk_device_destroy(&device);
    return failed != 0;
}
