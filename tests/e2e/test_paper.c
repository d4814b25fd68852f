/* BitNet b1 and BitNet v2 against their papers in double precision (support/paper_model.h), on
 * generated models: no public weights exist. Quantised models cannot agree to the last digits:
 * where a value lies within 1e-6 of the border of two codes, f32 and double round it apart, and one
 * code apart moves the logits of that row and of the later ones by up to 1e-2. Until the first such
 * value the difference is that of f32 sums, below 1e-4 of the logits; a wrong formula is off by
 * 1e-1 from the first row on. */
#include "support/device.h"
#include "support/paper_model.h"
#include "support/tiny_model.h"

#include "ternvk/loader.h"
#include "ternvk/session.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 24u

static tvk_device *device;

static void require_ok(tvk_status st, const tvk_error *err)
{
    if (st != TVK_OK) fail_msg("%s (%s:%d)", err->text, err->file, err->line);
}

static void against_paper(const tiny_spec *spec, tvk_act act)
{
    const tvk_model_params params = {
        .kv_k = TVK_KV_F32, .kv_v = TVK_KV_F32, .act = act, .exact = true, .context = 64};
    tvk_file *file;
    tvk_model *model;
    tvk_session *session;
    paper_model *paper;
    tvk_error err = {0};
    char path[256];
    int32_t tokens[ROWS];
    float *found = calloc((size_t)ROWS * spec->vocab, sizeof *found);
    double *wanted = calloc(spec->vocab, sizeof *wanted), off = 0, all = 0, first = 0;
    uint32_t close = 0;
    tvk_batch_item item;
    assert_non_null(found);
    assert_non_null(wanted);
    for (uint32_t i = 0; i < ROWS; i++) tokens[i] = (int32_t)((i * 2654435761u >> 7) % spec->vocab);
    test_temp_path(path, sizeof path, "paper.gguf");
    assert_true(tiny_model_write(spec, path));
    require_ok(tvk_file_open(path, &file, &err), &err);
    require_ok(tvk_model_create(device, tvk_file_source(file), &params, &model, &err), &err);
    require_ok(tvk_session_create(model, &session, &err), &err);
    item = (tvk_batch_item){session, tokens, ROWS, found};
    require_ok(tvk_eval(model, &item, 1, &err), &err);
    paper = paper_model_open(tvk_file_source(file), tvk_model_get_info(model));
    assert_non_null(paper);
    for (uint32_t t = 0; t < ROWS; t++) {
        double d = 0, size = 0;
        paper_model_step(paper, tokens[t], wanted);
        for (uint32_t i = 0; i < spec->vocab; i++) {
            double e = (double)found[(size_t)t * spec->vocab + i] - wanted[i];
            d += e * e;
            size += wanted[i] * wanted[i];
        }
        if (t == 0) first = sqrt(d / size);
        if (sqrt(d / size) < 1e-4) close++;
        off += d;
        all += size;
    }
    print_message(
        "%s %s: relative L2 of the logits: row 0 %.1e, %u rows %.1e; %u rows below 1e-4\n",
        spec->name, tvk_model_get_info(model)->act_quant, first, ROWS, sqrt(off / all), close);
    assert_true(first < 1e-4);
    assert_true(close >= ROWS / 4);
    assert_true(off / all < 2e-2 * 2e-2);
    paper_model_close(paper);
    tvk_session_destroy(&session);
    tvk_model_destroy(&model);
    tvk_file_close(&file);
    remove(path);
    free(found);
    free(wanted);
}

/* Grouped and plain attention, own and shared head, widths that are no multiple of 128 or of 8. */
static void b1_agrees(void **state)
{
    static const tiny_spec specs[] = {
        {"b1 small", "bitnet-b1", 2, 132, 340, 3, 1, 44, 120, 128, TVK_I8, TVK_F32, false, true,
         false, false, 21, 0},
        {"b1 wide", "bitnet-b1", 3, 320, 1280, 5, 5, 64, 400, 128, TVK_I8, TVK_F16, false, false,
         false, false, 22, 1},
        {"b1 groups", "bitnet-b1", 2, 192, 720, 6, 3, 32, 200, 128, TVK_I8, TVK_Q8_0, false, true,
         false, false, 23, 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        against_paper(&specs[i], TVK_ACT_AUTO);
}

/* Own and shared head, grouped and plain attention, transforms of up to 4096. */
static void v2_agrees(void **state)
{
    static const tiny_spec specs[] = {
        {"v2 small", "bitnet", 2, 128, 256, 4, 2, 32, 120, 128, TVK_I2_S, TVK_F32, true, true,
         false, false, 31, 0},
        {"v2 wide", "bitnet", 2, 192, 4096, 2, 2, 64, 300, 128, TVK_I2_S, TVK_Q8_0, true, false,
         false, false, 32, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        against_paper(&specs[i], TVK_ACT_V2_A8);
        against_paper(&specs[i], TVK_ACT_V2_A4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(b1_agrees),
        cmocka_unit_test(v2_agrees),
    };
    int failed;
    device = test_device_create(NULL);
    if (!device) return test_no_device_code();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed |= test_device_messages(device);
    tvk_device_destroy(&device);
    return failed != 0;
}
