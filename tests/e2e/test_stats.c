/* Activations that can be read, and the counts of their zeros. */
#include "e2e/model_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/device.h"

static void activations_can_be_read(void **state)
{
    (void)state;
    const tiny_spec *spec = &tiny_specs[0];
    const tvk_model_params params = {.exact = true, .keep_activations = true};
    opened o;
    tvk_error err = {0};
    int32_t *tokens = make_tokens(5, spec->vocab);
    float *x = make_floats(5 * (size_t)spec->hidden);
    float *logits = make_floats(5 * (size_t)spec->vocab),
          *plain = make_floats(5 * (size_t)spec->vocab);
    uint32_t record[4];
    int32_t sum = 0;
    open_model(spec, &params, &o);
    eval(&o, o.session, tokens, 5, logits);
    require_ok(tvk_model_read(o.model, "l0.embed_out", x, 5 * 4 * (uint64_t)spec->hidden, &err),
               &err);
    /* Q8_0 row of the first token, decoded by hand from the file */
    const tvk_weight_source *src = tvk_file_source(o.file);
    const tvk_tensor *e = src->tensor(src->user, "token_embd.weight");
    const uint8_t *block = (const uint8_t *)e->data + (size_t)tokens[0] * spec->hidden / 32 * 34;
    for (uint32_t i = 0; i < 32; i++) sum += (int8_t)block[2 + i] != 0;
    assert_true(sum > 0);
    for (uint32_t i = 0; i < 32; i++) {
        if ((int8_t)block[2 + i] == 0) assert_true(x[i] == 0);
        if ((int8_t)block[2 + i] > 0) assert_true(x[i] > 0);
        if ((int8_t)block[2 + i] < 0) assert_true(x[i] < 0);
    }
    require_ok(tvk_model_read(o.model, "l1.down_in", record, sizeof record, &err), &err);
    assert_int_equal(record[2], 0);
    assert_int_equal(tvk_model_read(o.model, "l9.none", record, sizeof record, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "l0.qkv"));
    close_model(&o);
    /* keeping them changes nothing */
    const tvk_model_params reused = {.exact = true, .fresh_scratch = true};
    open_model(spec, &reused, &o);
    eval(&o, o.session, tokens, 5, plain);
    require_same_rows("kept against reused memory", logits, plain, 5, spec->vocab);
    close_model(&o);
    free(tokens);
    free(x);
    free(logits);
    free(plain);
}

/* Zeros among `rows` records or rows of floats of a kept tensor, counted on the host; bits 8 or 4,
 * 0: floats, -1: floats that are not positive. */
static uint64_t count_kept(opened *o, uint32_t layer, const char *name, uint32_t rows, uint32_t k,
                           uint32_t stride, int bits)
{
    char tensor[32];
    tvk_error err = {0};
    uint64_t zeros = 0;
    uint32_t *words = malloc((size_t)rows * stride * 4);
    assert_non_null(words);
    snprintf(tensor, sizeof tensor, "l%u.%s", layer, name);
    require_ok(tvk_model_read(o->model, tensor, words, (uint64_t)rows * stride * 4, &err), &err);
    for (uint32_t t = 0; t < rows; t++) {
        const uint32_t *row = words + (size_t)t * stride;
        for (uint32_t i = 0; i < k; i++) {
            float x;
            memcpy(&x, &row[i % stride], 4);
            if (bits == 8)
                zeros += ((const int8_t *)(row + 4))[i] == 0;
            else if (bits == 4)
                zeros += (row[4 + i / 8] >> (i % 4 * 8 + (i & 4)) & 15u) == 0;
            else
                zeros += bits == 0 ? x == 0 : !(x > 0);
        }
    }
    free(words);
    return zeros;
}

static uint32_t record_words(uint32_t k, int bits)
{
    return bits == 8 ? 4 + (k + 127) / 128 * 32 : bits == 4 ? 4 + (k + 127) / 128 * 16 : k;
}

/* The device's counts are those of the tensors it leaves, whatever the steps held; other models
 * have none, and counting changes no bit. */
static void zeros_are_counted(void **state)
{
    (void)state;
    static const struct {
        uint32_t spec;
        tvk_act act;
        int bits[4]; /* of what enters QKV, O, gate and up, down */
    } runs[] = {{0, TVK_ACT_INT8, {8, 8, 8, 8}},
                {1, TVK_ACT_A48, {4, 8, 4, 8}},
                {2, TVK_ACT_A48, {4, 8, 4, 8}}, /* SiLU */
                {0, TVK_ACT_A48_FP4, {4, 4, 4, 8}},
                {4, TVK_ACT_AUTO, {0, 0, 0, 0}}};
    static const uint32_t steps[] = {16, 1, 1, 7, 3, 1};
    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
        const tiny_spec *spec = &tiny_specs[runs[r].spec];
        const uint32_t heads = spec->heads * spec->head_size;
        const struct {
            const char *name;
            uint32_t k, stride;
            int bits;
        } inputs[] = {
            {"qkv_in", spec->hidden, record_words(spec->hidden, runs[r].bits[0]), runs[r].bits[0]},
            /* without sub-norms float linears read the tensors themselves */
            {runs[r].bits[1] ? "o_in" : "attn_out", heads, record_words(heads, runs[r].bits[1]),
             runs[r].bits[1]},
            {"gateup_in", spec->hidden, record_words(spec->hidden, runs[r].bits[2]),
             runs[r].bits[2]},
            {"gate_up", spec->ffn, 2 * spec->ffn, -1},
            {runs[r].bits[3] ? "down_in" : "glu", spec->ffn,
             record_words(spec->ffn, runs[r].bits[3]), runs[r].bits[3]}};
        tvk_model_params params = {.act = runs[r].act,
                                   .exact = true,
                                   .batch = 16,
                                   .context = 64,
                                   .keep_activations = true,
                                   .stats = true};
        uint64_t want[8][5] = {{0}};
        tvk_layer_stats found[8];
        tvk_stats sum;
        tvk_error err = {0};
        opened o;
        int32_t *tokens = make_tokens(64, spec->vocab);
        float *counted = make_floats(16 * (size_t)spec->vocab),
              *plain = make_floats(16 * (size_t)spec->vocab);
        uint32_t at = 0;
        open_model(spec, &params, &o);
        const bool relu2 = strcmp(tvk_model_get_info(o.model)->activation, "relu2") == 0;
        for (size_t s = 0; s < sizeof steps / sizeof *steps; at += steps[s++]) {
            eval(&o, o.session, tokens + at, steps[s], at == 0 ? counted : NULL);
            if (s == 1) require_ok(tvk_model_stats_reset(o.model, &err), &err);
            for (uint32_t l = 0; s > 1 && l < spec->layers; l++) {
                for (int i = 0; i < 5; i++) {
                    if (i == 3 && !relu2) continue;
                    want[l][i] += count_kept(&o, l, inputs[i].name, steps[s], inputs[i].k,
                                             inputs[i].stride, inputs[i].bits);
                }
            }
        }
        require_ok(tvk_model_stats_layers(o.model, found, &err), &err);
        for (uint32_t l = 0; l < spec->layers; l++) {
            const tvk_count *counts[] = {&found[l].qkv, &found[l].out, &found[l].gate_up,
                                         &found[l].gates, &found[l].down};
            for (int i = 0; i < 5; i++) {
                assert_int_equal(counts[i]->zeros, want[l][i]);
                assert_int_equal(counts[i]->values,
                                 i == 3 && !relu2 ? 0 : (7 + 3 + 1 + 1) * inputs[i].k);
            }
            if (runs[r].act == TVK_ACT_A48)
                assert_true(found[l].out.zeros >= found[l].out.values / 2);
        }
        tvk_model_stats_sum(o.model, found, 27, &sum);
        assert_int_equal(sum.tokens, 12);
        assert_true(sum.zeros[TVK_LINEAR_UP] >= sum.zeros[TVK_LINEAR_GATE]);
        assert_true(sum.active_parameters <= (double)sum.parameters && sum.active_parameters > 0);
        close_model(&o);
        params.keep_activations = params.stats = false;
        open_model(spec, &params, &o);
        eval(&o, o.session, tokens, 16, plain);
        require_same_rows("counted against not", plain, counted, 16, spec->vocab);
        assert_int_equal(tvk_model_stats_layers(o.model, found, &err), TVK_ERR_ARG);
        assert_int_equal(tvk_model_stats_reset(o.model, &err), TVK_ERR_ARG);
        close_model(&o);
        free(tokens);
        free(counted);
        free(plain);
    }
}

/* BitNet b1: column slabs are counted slab by slab and make whole rows; there is no gate. */
static void b1_counts(void **state)
{
    (void)state;
    const tiny_spec *spec =
        &tiny_specs[8]; /* 256 wide, 8 heads of 32, FFN 512, 2 layers, 4 groups */
    const tvk_model_params params = {.exact = true, .context = 64, .stats = true};
    tvk_layer_stats layers[2];
    tvk_stats sum;
    tvk_error err = {0};
    opened o;
    int32_t *tokens = make_tokens(5, spec->vocab);
    open_model(spec, &params, &o);
    eval(&o, o.session, tokens, 5, NULL);
    require_ok(tvk_model_stats_layers(o.model, layers, &err), &err);
    for (int l = 0; l < 2; l++) {
        assert_int_equal(layers[l].qkv.values, 5 * 256);
        assert_int_equal(layers[l].out.values, 5 * 256);
        assert_int_equal(layers[l].gate_up.values, 5 * 256);
        assert_int_equal(layers[l].gates.values, 0);
        assert_int_equal(layers[l].down.values, 5 * 512);
    }
    tvk_model_stats_sum(o.model, layers, 4, &sum);
    assert_int_equal(sum.tokens, 5);
    assert_int_equal(sum.parameters, 2 * (4 * 256 * 256 + 2 * 512 * 256));
    /* an eighth byte a weight (the 64 inputs of a slab of O are padded to 128) and 4 a row, of O
     * and down for each slab; head and one embedding row in F32; no gains but the last */
    assert_true(fabs(sum.weight_bytes_read - (2 * ((768 + 512) * 36.0 + 2 * 4 * 256 * (16 + 4)) +
                                              98 * 256 * 4 + 4 * 256)) < 1e-3);
    close_model(&o);
    free(tokens);
}

/* Shares, active parameters and bytes of a model with counts that were made up, by hand. */
static void stats_of_made_up_counts(void **state)
{
    (void)state;
    const tiny_spec *spec =
        &tiny_specs[0]; /* 256 wide, 4 heads of 64, 2 for K and V, FFN 384, 2 layers */
    const tvk_model_params params = {.exact = true, .context = 64, .stats = true};
    tvk_model_params sparse = params;
    double whole;
    const tvk_layer_stats layers[2] = {
        {{1000, 100}, {1000, 500}, {1000, 200}, {1000, 750}, {1000, 800}},
        {{1000, 300}, {1000, 500}, {1000, 0}, {1000, 0}, {1000, 600}}};
    const double qkv = 512 * 256, out = 256 * 256, ffn = 384 * 256;
    tvk_stats s;
    opened o;
    open_model(spec, &params, &o);
    tvk_model_stats_sum(o.model, layers, 9, &s);
    assert_true(fabs(s.zeros[TVK_LINEAR_QKV] - 0.2) < 1e-12);
    assert_true(fabs(s.zeros[TVK_LINEAR_OUT] - 0.5) < 1e-12);
    assert_true(fabs(s.zeros[TVK_LINEAR_UP] - 0.4) < 1e-12); /* 1 - 0.8 * 0.25 and 0 */
    assert_true(fabs(s.zeros[TVK_LINEAR_GATE] - 0.1) < 1e-12);
    assert_true(fabs(s.zeros[TVK_LINEAR_DOWN] - 0.7) < 1e-12);
    assert_int_equal(s.parameters, (uint64_t)(2 * (qkv + out + 3 * ffn)));
    assert_true(fabs(s.active_parameters - 2 * (0.8 * qkv + 0.5 * out + (0.6 + 0.9 + 0.3) * ffn)) <
                1e-3);
    assert_true(fabs(s.zeros_overall - (0.2 * qkv + 0.5 * out + (0.4 + 0.1 + 0.7) * ffn) /
                                           (qkv + out + 3 * ffn)) < 1e-12);
    /* a quarter byte a weight and 4 a row; Q8_0 head and one row of the embedding: 36 bytes in 32;
     * gains of two norms and two sub-norms a layer, and the last one */
    assert_true(fabs(s.weight_bytes_read -
                     (2 * ((qkv + out + 3 * ffn) / 4 + 4 * (512 + 256 + 768 + 256)) +
                      301 * 256 / 32 * 36.0 + 4 * (2 * (256 + 256 + 256 + 384) + 256))) < 1e-3);
    assert_int_equal(s.kv_bytes_written,
                     2 * 2 * 2 * 64 * 2); /* layers, K and V, heads, size, f16 */
    assert_int_equal(s.kv_bytes_read, 10 * s.kv_bytes_written);
    close_model(&o);
    /* skipped: half of the attention output's codes; up rows of 3 in 4 gates in the first layer;
     * 80 and 60 % of down's */
    sparse.sparse = TVK_SPARSE_ON;
    open_model(spec, &sparse, &o);
    whole = s.weight_bytes_read;
    tvk_model_stats_sum(o.model, layers, 9, &s);
    assert_true(fabs(whole - s.weight_bytes_read -
                     (2 * 0.5 * out / 4 + 0.75 * (ffn / 4 + 4 * 384) + (0.8 + 0.6) * ffn / 4)) <
                1e-3);
    close_model(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_can_be_read),
        cmocka_unit_test(zeros_are_counted),
        cmocka_unit_test(b1_counts),
        cmocka_unit_test(stats_of_made_up_counts),
    };
    return run_on_device(tests, sizeof tests / sizeof *tests);
}
