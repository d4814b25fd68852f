/* A device is lost at every submission and every wait of a story: sessions go to another device,
 * replay there, and the story is the same. Models live as long as the test, since a driver compiles
 * for each, and that takes the time; a device that was lost on demand is mended behind its turn.
 * That a program gets through with devices and models that it makes anew is shown with clamp texts.
 */
#include "support/device.h"
#include "support/tiny_model.h"

#include "cli/talk.h"
#include "ternvk/loader.h"
#include "vk/gpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOKENS 16u  /* of a story */
#define ANSWER 8u   /* of them in each of two turns */
#define CONTEXT 32u /* so few that the second answer drops the first turn */

/* as cheap as models get: hundreds are made */
static const tiny_spec spec = {"lost", "llama", 1,       64,    172,   2,     2,     32, 64,
                               256,    TVK_F32, TVK_F32, false, false, false, false, 9,  0};
static tvk_file *file;
static uint32_t messages;

/* Devices of the test, and what is lost on them. */
enum { PLAIN, STAGED, SPARE, DEVICES }; /* STAGED: copies go through the ring */
static tvk_device *devices[DEVICES];
static tvk_model *models[DEVICES];

static const struct cause {
    const char *key;
    tvk_fault fault;
} causes[] = {{"lose_after_submissions", TVK_FAULT_QueueSubmit},
              {"lose_after_waits", TVK_FAULT_WaitForFences}};
#define NEVER UINT32_MAX

static void require_ok(tvk_status st, const tvk_error *err)
{
    if (st != TVK_OK) fail_msg("%s (%s:%d)", err->text, err->file, err->line);
}

/* ---- what a program holds ---- */

#define SESSIONS 2

typedef struct world {
    tvk_model *model;                /* the one of now; borrowed */
    tvk_session *sessions[SESSIONS]; /* NULL before they are made */
    uint32_t count;
    tvk_sampler_params sampler;
    tvk_draft_params drafts;
} world;

static void leave(world *w)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (w->sessions[i]) tvk_session_detach(w->sessions[i]);
}

/* Sessions are made, or come along. */
static tvk_status enter(world *w, tvk_model *model, tvk_error *err)
{
    tvk_status st = TVK_OK;
    w->model = model;
    for (uint32_t i = 0; st == TVK_OK && i < w->count; i++) {
        if (w->sessions[i]) {
            st = tvk_session_attach(w->sessions[i], model, err);
            continue;
        }
        st = tvk_session_create(model, &w->sessions[i], err);
        if (st == TVK_OK) st = tvk_session_set_sampler(w->sessions[i], &w->sampler, err);
        if (st == TVK_OK && w->drafts.kind)
            st = tvk_session_set_draft(w->sessions[i], &w->drafts, err);
    }
    return st;
}

/* ---- stories: calls that a program repeats until all is done ---- */

typedef struct story {
    bool fed;
    uint32_t got; /* tokens of `text` */
    talk talk;
    uint32_t dropped; /* turns */
    int32_t text[TOKENS];
    tvk_stop_reason reason;
    float logits[SESSIONS * 3 * 64]; /* [session, 3, V] */
} story;

static bool collect(void *user, int32_t token)
{
    story *s = user;
    assert_true(s->got < TOKENS);
    s->text[s->got++] = token;
    return true;
}

/* A prompt of several steps, then text. */
static tvk_status write_text(world *w, story *s, tvk_error *err)
{
    static const int32_t prompt[] = {1, 5, 9, 60, 7, 5, 9, 60, 7, 5, 9};
    const tvk_batch_item item = {w->sessions[0], prompt, 11, NULL};
    tvk_status st = TVK_OK;
    if (!s->fed) st = tvk_eval(w->model, &item, 1, err);
    if (st != TVK_OK) return st;
    s->fed = true;
    if (s->got == TOKENS || s->reason == TVK_STOP_TOKEN) return TVK_OK;
    return tvk_session_generate(w->sessions[0], TOKENS - s->got, collect, s, &s->reason, err);
}

/* Logits of two sessions side by side, on top of what they held before. */
static tvk_status score_both(world *w, story *s, tvk_error *err)
{
    static const int32_t first[] = {3, 8, 11, 17, 2}, then[] = {40, 41, 42};
    tvk_batch_item items[SESSIONS];
    tvk_status st = TVK_OK;
    for (uint32_t i = 0; i < SESSIONS; i++)
        items[i] = (tvk_batch_item){w->sessions[i], first + i, 4, NULL};
    if (!s->fed) st = tvk_eval(w->model, items, SESSIONS, err);
    if (st != TVK_OK) return st;
    s->fed = true;
    for (uint32_t i = 0; i < SESSIONS; i++) {
        items[i].tokens = then;
        items[i].count = 3;
        items[i].logits = s->logits + i * 3 * 64;
    }
    return tvk_eval(w->model, items, SESSIONS, err);
}

static void on_drop(void *user, uint32_t turns)
{
    ((story *)user)->dropped += turns;
}

static int32_t *copy_ids(const int32_t *ids, uint32_t count)
{
    int32_t *copy = malloc(count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, ids, count * sizeof *copy);
    return copy;
}

/* Two turns of chat. */
static tvk_status converse(world *w, story *s, tvk_error *err)
{
    static const int32_t words[] = {1, 20, 33, 4, 35, 16, 7, 58, 9, 50, 41, 2};
    talk *t = &s->talk;
    tvk_status st = TVK_OK;
    if (!t->fed) {
        *t = (talk){.user = s,
                    .on_token = collect,
                    .on_drop = on_drop,
                    .sampler = w->sampler,
                    .dialog = {.context = CONTEXT}};
        require_ok(talk_init(t, err), err);
        dialog_set_head(&t->dialog, copy_ids(words, 3), 3);
        dialog_set_end(&t->dialog, copy_ids(words + 3, 1), 1);
    }
    t->model = w->model;
    t->session = w->sessions[0];
    while (st == TVK_OK && s->got < TOKENS) {
        if (t->dialog.count == s->got / ANSWER)
            assert_true(
                dialog_ask(&t->dialog, calloc(1, 1), copy_ids(words + 2 * t->dialog.count, 8), 8));
        st = talk_answer(t, ANSWER - s->got % ANSWER, &s->reason, err);
    }
    return st;
}

typedef struct plot {
    const char *name;
    tvk_status (*act)(world *w, story *s, tvk_error *err);
    int device; /* that is lost */
    tvk_sampler_params sampler;
    tvk_draft_params drafts;
    uint32_t sessions;
} plot;

#define SEEDED                                                                                     \
    {                                                                                              \
        .temperature = 2, .top_k = 40, .repeat_penalty = 1.5f, .seed = 7                           \
    }

static const plot plots[] = {
    {.name = "greedy", .act = write_text, .sessions = 1},
    {.name = "seeded, staged copies",
     .act = write_text,
     .device = STAGED,
     .sampler = SEEDED,
     .sessions = 1},
    {.name = "seeded by the host",
     .act = write_text,
     .sampler = {.temperature = 2, .seed = 7},
     .sessions = 1},
    {.name = "drafts", .act = write_text, .drafts = {.kind = TVK_DRAFT_LOOKUP}, .sessions = 1},
    {.name = "chat", .act = converse, .sampler = SEEDED, .sessions = 1},
    {.name = "two sessions' logits", .act = score_both, .sessions = 2},
};

static tvk_status make_model(tvk_device *device, uint32_t context, tvk_model **out, tvk_error *err)
{
    const tvk_model_params params = {
        .context = context, .batch = 8, .sessions = SESSIONS, .exact = true};
    return tvk_model_create(device, tvk_file_source(file), &params, out, err);
}

static void begin(const plot *p, world *w, story *s)
{
    *w = (world){.count = p->sessions, .sampler = p->sampler, .drafts = p->drafts};
    *s = (story){0};
}

static void end(world *w, story *s)
{
    talk_free(&s->talk);
    for (uint32_t i = 0; i < w->count; i++) tvk_session_destroy(&w->sessions[i]);
}

static void require_same(const plot *p, const story *expected, const story *s, uint32_t n)
{
    if (s->got != expected->got || s->dropped != expected->dropped ||
        s->reason != expected->reason || memcmp(s->text, expected->text, sizeof s->text) != 0 ||
        memcmp(s->logits, expected->logits, sizeof s->logits) != 0)
        fail_msg("%s, lost after %u: another story", p->name, n);
}

static void require_reason(const tvk_error *err)
{
    if (!strstr(err->text, "was lost (vk") || !strstr(err->text, "VK_ERROR_DEVICE_LOST"))
        fail_msg("'%s' tells no reason", err->text);
}

static void mend(tvk_device *device)
{
    tvk_error err = {0};
    tvk_gpu_fail_at(device, 0, TVK_OK);
    require_ok(tvk_gpu_wait_idle(device, &err), &err);
}

/* The story on the lossy device, `most` times lost after n calls, then on the other. How often it
 * was lost; -1: still when all patience is spent. */
static int32_t tell(const plot *p, const struct cause *cause, uint32_t n, uint32_t most, story *s)
{
    enum { PATIENCE = 12 };
    world w;
    tvk_error err = {0};
    int32_t losses = -1;
    tvk_status st = TVK_ERR_DEVICE_LOST;
    begin(p, &w, s);
    for (uint32_t i = 0; st == TVK_ERR_DEVICE_LOST && i < PATIENCE; i++) {
        tvk_device *device = devices[p->device];
        if (i < most && n != NEVER) tvk_gpu_fail_after(device, cause->fault, n);
        losses++;
        st = enter(&w, models[i < most ? p->device : SPARE], &err);
        if (st == TVK_OK) st = p->act(&w, s, &err);
        if (st == TVK_ERR_DEVICE_LOST)
            require_reason(&err);
        else
            require_ok(st, &err);
        leave(&w);
        mend(device);
    }
    end(&w, s);
    return st == TVK_OK ? losses : -1;
}

/* The story lost at call 0, 1, ... to the first that it does not make; how many it makes. */
static uint32_t lost_at_each(const plot *p, const struct cause *cause, const story *expected)
{
    story s;
    uint32_t n = 0;
    int32_t losses;
    for (;; n++) {
        losses = tell(p, cause, n, 1, &s);
        require_same(p, expected, &s, n);
        if (losses <= 0) break;
    }
    assert_int_equal(losses, 0); /* told to its end */
    fprintf(stderr, "  %s: %s 0 to %u\n", p->name, cause->key, n);
    return n;
}

static void lost_at_every_call(void **state)
{
    (void)state;
    for (const plot *p = plots; p < plots + sizeof plots / sizeof *plots; p++) {
        story expected;
        assert_int_equal(tell(p, causes, NEVER, 1, &expected), 0);
        for (int k = 0; k < 2; k++) assert_true(lost_at_each(p, &causes[k], &expected) > 1);
    }
}

/* Generation that is over has no need of the device: what stopped does not go on. */
static void stopped_stories_stay(void **state)
{
    plot p = plots[0];
    story expected;
    (void)state;
    assert_int_equal(tell(&p, causes, NEVER, 1, &expected), 0);
    p.sampler.stop_count = 1;
    p.sampler.stops[0] = expected.text[5];
    assert_int_equal(tell(&p, causes, NEVER, 1, &expected), 0);
    assert_int_equal(expected.reason, TVK_STOP_TOKEN);
    assert_true(lost_at_each(&p, &causes[1], &expected) > 0);
}

/* Every device is lost after some work: the story ends all the same, unless none gets anywhere. */
static void lost_again_and_again(void **state)
{
    const plot *p = &plots[0];
    story expected, s;
    int32_t losses, most = 0, never = 0;
    (void)state;
    assert_int_equal(tell(p, causes, NEVER, 1, &expected), 0);
    for (uint32_t n = 0; (losses = tell(p, causes, n, UINT32_MAX, &s)) != 0; n++) {
        if (losses > most) most = losses;
        if (losses < 0)
            never++;
        else
            require_same(p, &expected, &s, n);
    }
    fprintf(stderr, "  up to %d losses in one story; %d times too many\n", most, never);
    assert_true(most > 2 && never > 0);
}

/* A model is not made by halves. */
static void lost_while_loading(void **state)
{
    tvk_error err = {0};
    tvk_status st = TVK_ERR_DEVICE_LOST;
    uint32_t n = 0;
    (void)state;
    for (; st == TVK_ERR_DEVICE_LOST; n++) {
        tvk_model *model = NULL;
        tvk_gpu_fail_after(devices[STAGED], TVK_FAULT_QueueSubmit, n);
        st = make_model(devices[STAGED], CONTEXT, &model, &err);
        if (st == TVK_ERR_DEVICE_LOST)
            require_reason(&err);
        else
            require_ok(st, &err);
        assert_true(!model == (st != TVK_OK));
        tvk_model_destroy(&model);
        mend(devices[STAGED]);
    }
    assert_true(n > 5);
}

/* Devices and models made anew, as a program has to. */
static void devices_made_anew(void **state)
{
    static const uint32_t calls[] = {2, 20}; /* while loading; in the text */
    const plot *p = &plots[0];
    story expected;
    uint32_t lost = 0;
    (void)state;
    assert_int_equal(tell(p, causes, NEVER, 1, &expected), 0);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        tvk_status st = TVK_ERR_DEVICE_LOST;
        world w;
        story s;
        begin(p, &w, &s);
        for (uint32_t turn = 0; st == TVK_ERR_DEVICE_LOST && turn < 3; turn++) {
            char clamps[64];
            tvk_device *device;
            tvk_model *model = NULL;
            tvk_error err = {0};
            snprintf(clamps, sizeof clamps, "%s %u\n", causes[turn % 2].key,
                     turn == 0 ? calls[i] : 1000);
            device = test_device_create(clamps);
            assert_non_null(device);
            st = make_model(device, CONTEXT, &model, &err);
            if (st == TVK_OK) st = enter(&w, model, &err);
            if (st == TVK_OK) st = p->act(&w, &s, &err);
            if (st == TVK_ERR_DEVICE_LOST) {
                require_reason(&err);
                lost++;
            } else {
                require_ok(st, &err);
            }
            leave(&w);
            tvk_model_destroy(&model);
            messages += tvk_device_validation_messages(device);
            tvk_device_destroy(&device);
        }
        require_same(p, &expected, &s, calls[i]);
        end(&w, &s);
    }
    assert_int_equal(lost, sizeof calls / sizeof *calls);
}

/* What a detached session may be asked for, and what it may be attached to. */
static void detached_sessions(void **state)
{
    const plot *p = &plots[3];
    world w;
    story s;
    tvk_error err = {0};
    tvk_model *model = models[PLAIN], *other = NULL;
    tvk_session *session;
    int32_t token, rest[TOKENS];
    float logits[64];
    (void)state;
    begin(p, &w, &s);
    require_ok(enter(&w, model, &err), &err);
    require_ok(write_text(&w, &s, &err), &err);
    session = w.sessions[0];
    assert_int_equal(tvk_session_attach(session, model, &err), TVK_ERR_ARG);
    tvk_session_detach(session);
    tvk_session_detach(session); /* as it was */
    assert_int_equal(tvk_session_position(session), 11 + TOKENS);
    assert_int_equal(tvk_session_generate(session, 1, collect, &s, NULL, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "detached"));
    assert_int_equal(tvk_decode(model, &session, 1, &token, &err), TVK_ERR_ARG);
    assert_int_equal(tvk_session_logits(session, logits, &err), TVK_ERR_ARG);
    /* a context that is too small, then one that is larger; drafts come along */
    require_ok(make_model(devices[PLAIN], 8, &other, &err), &err);
    assert_int_equal(tvk_session_attach(session, other, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "27 positions expected, 8 found"));
    tvk_model_destroy(&other);
    require_ok(tvk_session_rollback(session, 11, &err), &err);
    require_ok(make_model(devices[PLAIN], 48, &other, &err), &err);
    require_ok(tvk_session_attach(session, other, &err), &err);
    memcpy(rest, s.text, sizeof rest);
    s.got = 0;
    require_ok(tvk_session_generate(session, TOKENS, collect, &s, NULL, &err), &err);
    assert_memory_equal(rest, s.text, sizeof rest);
    tvk_session_detach(session);
    tvk_model_destroy(&other);
    end(&w, &s);
}

static void validation_is_silent(void **state)
{
    (void)state;
    for (int i = 0; i < DEVICES; i++) messages += tvk_device_validation_messages(devices[i]);
    assert_int_equal(messages, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_at_every_call),   cmocka_unit_test(stopped_stories_stay),
        cmocka_unit_test(lost_again_and_again), cmocka_unit_test(lost_while_loading),
        cmocka_unit_test(devices_made_anew),    cmocka_unit_test(detached_sessions),
        cmocka_unit_test(validation_is_silent),
    };
    char path[256];
    tvk_error err = {0};
    int failed;
    for (int i = 0; i < DEVICES; i++) {
        devices[i] = test_device_create(i == STAGED ? "unified_memory 0\n" : NULL);
        if (!devices[i]) return test_no_device_code();
    }
    test_temp_path(path, sizeof path, "lost.gguf");
    if (!tiny_model_write(&spec, path) || tvk_file_open(path, &file, &err) != TVK_OK) {
        fprintf(stderr, "%s: %s\n", path, err.text);
        return 1;
    }
    remove(path); /* it stays mapped */
    for (int i = 0; i < DEVICES; i++) {
        if (make_model(devices[i], CONTEXT, &models[i], &err) == TVK_OK) continue;
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    tvk_file_close(&file);
    for (int i = 0; i < DEVICES; i++) {
        tvk_model_destroy(&models[i]);
        tvk_device_destroy(&devices[i]);
    }
    return failed != 0;
}
