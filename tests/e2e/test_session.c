/* Sampling, generation, what stops it, and calls that are refused. */
#include "e2e/model_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/device.h"

typedef struct collected {
    int32_t tokens[128];
    uint32_t count, stop_after;
} collected;

static bool collect(void *user, int32_t token)
{
    collected *c = user;
    c->tokens[c->count++] = token;
    return c->count != c->stop_after;
}

static const tvk_sampler_params samplers[] = {
    {.temperature = 0},
    {.temperature = 0, .repeat_penalty = 1.3f, .last_n = 8},
    {.temperature = 0.8f, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f, .seed = 7},
    {.temperature = 1.5f, .top_k = 256, .seed = 12345678901ull},
    {.temperature = 0.7f, .top_k = 5, .repeat_penalty = 1.1f, .seed = 3},
    {.temperature = 1.0f, .top_k = 100, .top_p = 0.3f, .seed = 4},
};

/* The device's tokens, pipelined or one by one, equal the host sampler's and those drawn from the
 * logits by hand. */
static void sampling_agrees(void **state)
{
    (void)state;
    const tiny_spec *spec = &tiny_specs[1];
    const tvk_model_params params = {.exact = true};
    const uint32_t n = 40;
    opened o;
    tvk_error err = {0};
    int32_t *prompt = make_tokens(9, spec->vocab);
    float *logits = make_floats(spec->vocab);
    open_model(spec, &params, &o);
    for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++) {
        tvk_sampler_params p = samplers[i];
        collected device_run = {.count = 0}, host_run = {.count = 0};
        int32_t history[64];
        tvk_stop_reason reason;
        require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
        require_ok(tvk_session_rollback(o.session, 0, &err), &err);
        eval(&o, o.session, prompt, 9, NULL);
        require_ok(tvk_session_generate(o.session, n, collect, &device_run, &reason, &err), &err);
        assert_int_equal(reason, TVK_STOP_COUNT);
        assert_int_equal(device_run.count, n);
        assert_int_equal(tvk_session_position(o.session), 9 + n);
        p.host = true;
        require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
        require_ok(tvk_session_rollback(o.session, 9, &err), &err);
        require_ok(tvk_session_generate(o.session, n, collect, &host_run, &reason, &err), &err);
        assert_memory_equal(device_run.tokens, host_run.tokens, n * sizeof(int32_t));
        /* by hand: logits, tvk_sample, feed */
        memcpy(history, prompt, 9 * sizeof *prompt);
        require_ok(tvk_session_rollback(o.session, 9, &err), &err);
        for (uint32_t t = 0; t < 12; t++) {
            require_ok(tvk_session_logits(o.session, logits, &err), &err);
            history[9 + t] = tvk_sample(&p, logits, spec->vocab, history, 9 + t, 9 + t);
            assert_int_equal(history[9 + t], device_run.tokens[t]);
            eval(&o, o.session, &history[9 + t], 1, NULL);
        }
        /* one by one on the device */
        p.host = false;
        require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
        require_ok(tvk_session_rollback(o.session, 9, &err), &err);
        for (uint32_t t = 0; t < 12; t++) {
            int32_t token;
            require_ok(tvk_decode(o.model, &o.session, 1, &token, &err), &err);
            assert_int_equal(token, device_run.tokens[t]);
        }
    }
    close_model(&o);
    free(prompt);
    free(logits);
}

static void stops(tvk_sparse sparse)
{
    const tiny_spec *spec = &tiny_specs[0];
    const tvk_model_params params = {
        .exact = true, .context = 60, .sparse = sparse, .fresh_scratch = true};
    tvk_sampler_params p = {.temperature = 1.0f, .top_k = 200, .seed = 5};
    opened o;
    tvk_error err = {0};
    collected all = {.count = 0}, again = {.count = 0};
    tvk_stop_reason reason;
    uint32_t first;
    int32_t *prompt = make_tokens(10, spec->vocab);
    open_model(spec, &params, &o);
    require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
    eval(&o, o.session, prompt, 10, NULL);
    /* the context is full after 50 more */
    require_ok(tvk_session_generate(o.session, 100, collect, &all, &reason, &err), &err);
    assert_int_equal(reason, TVK_STOP_CONTEXT);
    assert_int_equal(all.count, 50);
    assert_int_equal(tvk_decode(o.model, &o.session, 1, &again.tokens[0], &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "0 are left"));
    /* a stop token: the run ends with its first occurrence */
    p.stop_count = 1;
    p.stops[0] = all.tokens[20];
    for (first = 0; all.tokens[first] != p.stops[0]; first++) {
    }
    require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
    require_ok(tvk_session_rollback(o.session, 10, &err), &err);
    require_ok(tvk_session_generate(o.session, 50, collect, &again, &reason, &err), &err);
    assert_int_equal(reason, TVK_STOP_TOKEN);
    assert_int_equal(again.count, first + 1);
    assert_int_equal(tvk_session_position(o.session), 10 + first + 1);
    assert_memory_equal(all.tokens, again.tokens, again.count * sizeof(int32_t));
    /* the callback says stop; going on afterwards continues the same text */
    p.stop_count = 0;
    again = (collected){.stop_after = 7};
    require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
    require_ok(tvk_session_rollback(o.session, 10, &err), &err);
    require_ok(tvk_session_generate(o.session, 50, collect, &again, &reason, &err), &err);
    assert_int_equal(reason, TVK_STOP_CALLBACK);
    assert_int_equal(tvk_session_position(o.session), 17);
    again.stop_after = 0;
    require_ok(tvk_session_generate(o.session, 20, collect, &again, &reason, &err), &err);
    assert_int_equal(again.count, 27);
    assert_memory_equal(all.tokens, again.tokens, again.count * sizeof(int32_t));
    close_model(&o);
    free(prompt);
}

static void generation_stops(void **state)
{
    (void)state;
    stops(TVK_SPARSE_OFF);
    stops(TVK_SPARSE_ON); /* steps in flight after the stop have no row, hence no list */
}

typedef struct side_by_side {
    collected of[4];
} side_by_side;

static bool collect_item(void *user, uint32_t item, int32_t token)
{
    side_by_side *all = user;
    return collect(&all->of[item], token);
}

/* Sessions that generate together get the texts that each gets alone, whatever ends the others. */
static void generate_together(void **state)
{
    (void)state;
    const tiny_spec *spec = &tiny_specs[1];
    const tvk_model_params params = {.exact = true, .sessions = 4, .context = 64};
    opened o;
    tvk_session *s[4];
    tvk_error err = {0};
    collected alone[4] = {{.count = 0}};
    side_by_side all = {.of[2].stop_after = 9};
    tvk_generate_item items[4];
    tvk_sampler_params p[4];
    int32_t *prompt = make_tokens(60, spec->vocab);
    open_model(spec, &params, &o);
    s[0] = o.session;
    for (uint32_t i = 0; i < 4; i++) {
        const uint32_t given = 3 + 15 * i; /* the last one has 16 positions left */
        tvk_stop_reason reason;
        p[i] = samplers[2 + i];
        p[i].host = false;
        if (i > 0) require_ok(tvk_session_create(o.model, &s[i], &err), &err);
        require_ok(tvk_session_set_sampler(s[i], &p[i], &err), &err);
        eval(&o, s[i], prompt, given, NULL);
        require_ok(tvk_session_generate(s[i], 24, collect, &alone[i], &reason, &err), &err);
        require_ok(tvk_session_rollback(s[i], given, &err), &err);
        items[i] = (tvk_generate_item){.session = s[i], .max_tokens = i == 0 ? 1 : 24};
    }
    p[1].stop_count = 1; /* a stop that is drawn while later steps are under way */
    p[1].stops[0] = alone[1].tokens[5];
    require_ok(tvk_session_set_sampler(s[1], &p[1], &err), &err);
    require_ok(tvk_generate(o.model, items, 4, collect_item, &all, &err), &err);
    assert_int_equal(items[0].reason, TVK_STOP_COUNT);
    assert_int_equal(items[1].reason, TVK_STOP_TOKEN);
    assert_int_equal(items[2].reason, TVK_STOP_CALLBACK);
    assert_int_equal(items[3].reason, TVK_STOP_CONTEXT);
    assert_int_equal(all.of[0].count, 1);
    assert_in_range(all.of[1].count, 1, 6);
    assert_int_equal(all.of[2].count, 9);
    assert_int_equal(all.of[3].count, 16);
    /* all but the full one go on to the same text; one of them with the host's sampler */
    p[1].stop_count = 0;
    p[1].host = true;
    require_ok(tvk_session_set_sampler(s[1], &p[1], &err), &err);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(tvk_session_position(s[i]), 3 + 15 * i + all.of[i].count);
        all.of[i].stop_after = 0;
        items[i].max_tokens = i == 3 ? 0 : 24 - all.of[i].count;
    }
    require_ok(tvk_generate(o.model, items, 4, collect_item, &all, &err), &err);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(all.of[i].count, alone[i].count);
        assert_memory_equal(all.of[i].tokens, alone[i].tokens, alone[i].count * sizeof(int32_t));
    }
    items[1].session = s[0];
    assert_int_equal(tvk_generate(o.model, items, 4, collect_item, &all, &err), TVK_ERR_ARG);
    for (int i = 1; i < 4; i++) tvk_session_destroy(&s[i]);
    close_model(&o);
    free(prompt);
}

/* Drafts change how a text is made, never the text: whatever is drawn, wherever it ends. */
static void drafts_change_nothing(void **state)
{
    (void)state;
    const tiny_spec *spec = &tiny_specs[6]; /* 64 tokens: pairs of them come again */
    const tvk_model_params params = {.exact = true, .context = 120};
    const tvk_draft_params drafts[] = {{.kind = TVK_DRAFT_LOOKUP},
                                       {.kind = TVK_DRAFT_LOOKUP, .max = 3, .min = 2}};
    const tvk_draft_params none = {.kind = TVK_DRAFT_NONE}, bad = {.max = 65};
    static const struct {
        int sampler;
        bool host;
    } rows[] = {{0, false}, {1, false}, {2, false}, {3, false}, {4, false}, {1, true}, {4, true}};
    tvk_draft_stats stats, all = {0};
    opened o;
    tvk_error err = {0};
    int32_t prompt[20];
    open_model(spec, &params, &o);
    for (int i = 0; i < 20; i++) prompt[i] = token_at((uint32_t)i % 5, spec->vocab);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tvk_sampler_params p = samplers[rows[i].sampler];
        collected plain = {.count = 0}, drafted = {.count = 0};
        tvk_stop_reason reason, again;
        uint32_t part = 37; /* the callback ends the first call in the middle */
        p.host = rows[i].host;
        if (i % 4 == 3) p.temperature *= 0.1f; /* repeats itself */
        require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
        require_ok(tvk_session_set_draft(o.session, &none, &err), &err);
        require_ok(tvk_session_rollback(o.session, 0, &err), &err);
        eval(&o, o.session, prompt, 20, NULL);
        require_ok(tvk_session_generate(o.session, 200, collect, &plain, &reason, &err), &err);
        assert_int_equal(reason, TVK_STOP_CONTEXT);
        assert_int_equal(plain.count, 100);
        require_ok(tvk_session_set_draft(o.session, &drafts[i % 2], &err), &err);
        require_ok(tvk_session_rollback(o.session, 20, &err), &err);
        drafted.stop_after = part;
        require_ok(tvk_session_generate(o.session, 200, collect, &drafted, &again, &err), &err);
        assert_int_equal(again, TVK_STOP_CALLBACK);
        assert_int_equal(tvk_session_position(o.session), 20 + part);
        drafted.stop_after = 0;
        require_ok(tvk_session_generate(o.session, 200, collect, &drafted, &again, &err), &err);
        assert_int_equal(again, TVK_STOP_CONTEXT);
        assert_int_equal(drafted.count, plain.count);
        assert_memory_equal(drafted.tokens, plain.tokens, plain.count * sizeof(int32_t));
        tvk_session_draft_stats(o.session, &stats);
        all.steps += stats.steps;
        all.drafted += stats.drafted;
        all.accepted += stats.accepted;
        /* a stop token, often inside a draft */
        p.stop_count = 1;
        p.stops[0] = plain.tokens[60];
        plain.count = drafted.count = 0;
        require_ok(tvk_session_set_sampler(o.session, &p, &err), &err);
        require_ok(tvk_session_rollback(o.session, 20, &err), &err);
        require_ok(tvk_session_generate(o.session, 90, collect, &drafted, &again, &err), &err);
        require_ok(tvk_session_set_draft(o.session, &none, &err), &err);
        require_ok(tvk_session_rollback(o.session, 20, &err), &err);
        require_ok(tvk_session_generate(o.session, 90, collect, &plain, &reason, &err), &err);
        assert_int_equal(again, reason);
        assert_int_equal(drafted.count, plain.count);
        assert_memory_equal(drafted.tokens, plain.tokens, plain.count * sizeof(int32_t));
    }
    fprintf(stderr, "drafts: %d of %d tokens accepted in %d steps\n", (int)all.accepted,
            (int)all.drafted, (int)all.steps);
    assert_true(all.accepted > 0 && all.accepted < all.drafted);
    assert_int_equal(tvk_session_set_draft(o.session, &bad, &err), TVK_ERR_ARG);
    close_model(&o);
}

/* Sessions decoded side by side draw what each draws alone. */
static void decode_together(void **state)
{
    (void)state;
    const tiny_spec *spec = &tiny_specs[2];
    const tvk_model_params params = {.exact = true, .sessions = 3};
    opened o;
    tvk_session *s[3];
    tvk_error err = {0};
    int32_t *prompt = make_tokens(60, spec->vocab), together[3][16], alone;
    open_model(spec, &params, &o);
    s[0] = o.session;
    for (uint32_t i = 0; i < 3; i++) {
        const tvk_sampler_params p = {.temperature = 1, .top_k = 50, .seed = i};
        if (i > 0) require_ok(tvk_session_create(o.model, &s[i], &err), &err);
        require_ok(tvk_session_set_sampler(s[i], &p, &err), &err);
        eval(&o, s[i], prompt, 3 + 20 * i, NULL);
    }
    for (uint32_t t = 0; t < 16; t++) {
        int32_t out[3];
        require_ok(tvk_decode(o.model, s, 3, out, &err), &err);
        for (int i = 0; i < 3; i++) together[i][t] = out[i];
    }
    for (uint32_t i = 0; i < 3; i++) {
        require_ok(tvk_session_rollback(s[i], 3 + 20 * i, &err), &err);
        for (uint32_t t = 0; t < 16; t++) {
            require_ok(tvk_decode(o.model, &s[i], 1, &alone, &err), &err);
            assert_int_equal(alone, together[i][t]);
        }
    }
    assert_int_equal(tvk_session_create(o.model, &s[0], &err), TVK_ERR_ARG);
    s[0] = o.session;
    tvk_session_destroy(&s[1]);
    tvk_session_destroy(&s[2]);
    close_model(&o);
    free(prompt);
}

static void bad_calls_are_refused(void **state)
{
    (void)state;
    const tiny_spec *spec = &tiny_specs[0];
    const tvk_model_params params = {.context = 32};
    opened o;
    tvk_error err = {0};
    const tvk_model_params unknown = {.act = (tvk_act)(TVK_ACT_V2_A4 + 1)};
    int32_t *tokens = make_tokens(40, spec->vocab), bad = (int32_t)spec->vocab, out;
    tvk_batch_item item;
    tvk_memory_use before, after;
    tvk_device_memory(device, &before);
    open_model(spec, &params, &o);
    item = (tvk_batch_item){o.session, tokens, 33, NULL};
    assert_int_equal(tvk_eval(o.model, &item, 1, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "33 tokens do not fit"));
    item = (tvk_batch_item){o.session, &bad, 1, NULL};
    assert_int_equal(tvk_eval(o.model, &item, 1, &err), TVK_ERR_ARG);
    assert_int_equal(tvk_session_position(o.session), 0);
    assert_int_equal(tvk_decode(o.model, &o.session, 1, &out, &err), TVK_ERR_ARG);
    assert_int_equal(tvk_session_rollback(o.session, 1, &err), TVK_ERR_ARG);
    {
        tvk_model *none = NULL;
        assert_int_equal(tvk_model_create(device, tvk_file_source(o.file), &unknown, &none, &err),
                         TVK_ERR_ARG);
        assert_null(none);
    }
    close_model(&o);
    tvk_device_memory(device, &after);
    for (int p = 0; p < TVK_PURPOSE_STAGING; p++) {
        assert_int_equal(before.by_purpose[p], after.by_purpose[p]);
    }
    free(tokens);
}

/* Models that cannot be run as they are, or not as is asked for. */
static void bad_models_are_refused(void **state)
{
    tiny_spec groups = tiny_specs[7], llama = tiny_specs[7];
    const struct {
        const tiny_spec *spec;
        tvk_act act;
        tvk_status status;
        const char *text;
    } rows[] = {
        /* 384 is no power of two */
        {&tiny_specs[0], TVK_ACT_V2_A8, TVK_ERR_UNSUPPORTED, "256 and 384 found"},
        /* b1 has one scheme */
        {&tiny_specs[7], TVK_ACT_A48, TVK_ERR_UNSUPPORTED, "int8 expected"},
        {&groups, TVK_ACT_AUTO, TVK_ERR_UNSUPPORTED, "3 weight groups"},
        /* eight signs a byte */
        {&llama, TVK_ACT_AUTO, TVK_ERR_FORMAT, "[24, 192] found"},
        /* must be converted first */
        {&tiny_specs[9], TVK_ACT_AUTO, TVK_ERR_UNSUPPORTED, "latent"},
    };
    (void)state;
    groups.groups = 3; /* divides 48 rows of K and 192 inputs of O, not FFN */
    groups.ffn = 304;
    llama.arch = "llama";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const tvk_model_params params = {.act = rows[i].act};
        tvk_file *file = tiny_file(rows[i].spec);
        tvk_model *model = NULL;
        tvk_error err = {0};
        assert_int_equal(tvk_model_create(device, tvk_file_source(file), &params, &model, &err),
                         rows[i].status);
        assert_null(model);
        if (!strstr(err.text, rows[i].text)) fail_msg("'%s' without '%s'", err.text, rows[i].text);
        tvk_file_close(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sampling_agrees),        cmocka_unit_test(generation_stops),
        cmocka_unit_test(decode_together),        cmocka_unit_test(generate_together),
        cmocka_unit_test(drafts_change_nothing),  cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(bad_models_are_refused),
    };
    return run_on_device(tests, sizeof tests / sizeof *tests);
}
