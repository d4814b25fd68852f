/* BitNet b1 and BitNet v2 against their papers in double precision (support/paper_model.h), on
 * generated models: no public weights exist. Quantised models cannot agree to the last digits:
 * where a value lies within 1e-6 of the border of two codes, f32 and double round it apart, and one
 * code apart moves the logits of that row and of the later ones by up to 1e-2. Until the first such
 * value the difference is that of f32 sums, below 1e-4 of the logits; a wrong formula is off by
 * 1e-1 from the first row on. */
#include "e2e/model_fixture.h"

#include "support/paper_model.h"

#include <math.h>
#include <stdlib.h>

#define ROWS 24u

static void against_paper(const tiny_spec *spec, tvk_act act)
{
    const tvk_model_params params = {
        .kv_k = TVK_KV_F32, .kv_v = TVK_KV_F32, .act = act, .exact = true, .context = 64};
    opened o;
    paper_model *paper;
    int32_t *tokens = make_tokens(ROWS, spec->vocab);
    float *found = make_floats((size_t)ROWS * spec->vocab);
    double *wanted = calloc(spec->vocab, sizeof *wanted), off = 0, all = 0, first = 0;
    uint32_t close = 0;
    assert_non_null(wanted);
    open_model(spec, &params, &o);
    eval(&o, o.session, tokens, ROWS, found);
    paper = paper_model_open(tvk_file_source(o.file), tvk_model_get_info(o.model));
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
        spec->name, tvk_model_get_info(o.model)->act_quant, first, ROWS, sqrt(off / all), close);
    assert_true(first < 1e-4);
    assert_true(close >= ROWS / 4);
    assert_true(off / all < 2e-2 * 2e-2);
    paper_model_close(paper);
    close_model(&o);
    free(tokens);
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
    return run_on_device(tests, sizeof tests / sizeof *tests);
}
