/* A conversation on a model: what is fed, what is dropped when the context is full, and that the
 * cache is then what a fresh prefill makes. */
#include "e2e/model_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "cli/talk.h"

#define CONTEXT 64u
#define HEAD 3u
#define SPEC (&tiny_specs[5]) /* 512 words; as cheap as models get */

typedef struct heard {
    uint32_t tokens, turns_dropped, enough; /* enough: 0, or stop after so many */
} heard;

static bool on_token(void *user, int32_t token)
{
    heard *h = user;
    (void)token;
    return ++h->tokens != h->enough;
}

static void on_drop(void *user, uint32_t turns)
{
    ((heard *)user)->turns_dropped += turns;
}

static int32_t *ids_of(uint32_t seed, uint32_t count)
{
    int32_t *ids = make_tokens(seed + count, SPEC->vocab);
    memmove(ids, ids + seed, count * sizeof *ids);
    return ids;
}

static void begin(opened *o, talk *t, heard *h, bool two_sessions)
{
    const tvk_model_params params = {
        .exact = true, .context = CONTEXT, .sessions = two_sessions ? 2 : 1};
    tvk_error err = {0};
    open_model(SPEC, &params, o);
    *h = (heard){0};
    *t = (talk){.model = o->model,
                .session = o->session,
                .user = h,
                .on_token = on_token,
                .on_drop = on_drop,
                .dialog = {.context = CONTEXT}};
    require_ok(talk_init(t, &err), &err);
    dialog_set_head(&t->dialog, ids_of(0, HEAD), HEAD);
    dialog_set_end(&t->dialog, ids_of(900, 1), 1);
}

static void ask(talk *t, uint32_t seed, uint32_t count)
{
    char *question = calloc(1, 1);
    assert_true(dialog_ask(&t->dialog, question, ids_of(seed, count), count));
}

static tvk_stop_reason answer(talk *t, uint32_t limit)
{
    tvk_stop_reason reason;
    tvk_error err = {0};
    require_ok(talk_answer(t, limit, &reason, &err), &err);
    return reason;
}

/* The next token's logits are those of another session that was fed the same tokens at once. */
static void require_fresh(opened *o, talk *t)
{
    float *a = make_floats(SPEC->vocab), *b = make_floats(SPEC->vocab);
    uint32_t count = dialog_tokens(&t->dialog, NULL);
    int32_t *ids = malloc(count * sizeof *ids);
    tvk_session *fresh = NULL;
    tvk_error err = {0};
    assert_non_null(ids);
    dialog_tokens(&t->dialog, ids);
    require_ok(talk_sync(t, &err), &err);
    assert_int_equal(tvk_session_position(t->session), count);
    require_ok(tvk_session_logits(t->session, a, &err), &err);
    require_ok(tvk_session_create(o->model, &fresh, &err), &err);
    eval(o, fresh, ids, count, NULL);
    require_ok(tvk_session_logits(fresh, b, &err), &err);
    require_same_rows("a fresh session", b, a, 1, SPEC->vocab);
    tvk_session_destroy(&fresh);
    free(ids);
    free(a);
    free(b);
}

static void only_new_tokens(void **state)
{
    opened o;
    talk t;
    heard h;
    tvk_error err = {0};
    (void)state;
    begin(&o, &t, &h, true);
    ask(&t, 10, 5);
    assert_int_equal(answer(&t, 4), TVK_STOP_COUNT);
    assert_int_equal(t.prefilled, HEAD + 5);
    assert_int_equal(t.dialog.turns[0].answer_count, 4);
    ask(&t, 20, 6);
    h.enough = h.tokens + 2; /* as Ctrl-C */
    assert_int_equal(answer(&t, 9), TVK_STOP_CALLBACK);
    assert_int_equal(t.dialog.turns[1].answer_count, 2);
    assert_int_equal(t.prefilled, HEAD + 5 + 1 + 6); /* the end of an answer, the new question */
    require_fresh(&o, &t);
    dialog_undo(&t.dialog);
    require_fresh(&o, &t);
    assert_int_equal(t.prefilled, HEAD + 5 + 1 + 6); /* rolled back */
    { /* the stop token is no part of the answer, and is not fed again as its end */
        int32_t first, *end = malloc(sizeof *end);
        assert_non_null(end);
        ask(&t, 30, 4);
        answer(&t, 1);
        first = t.dialog.turns[1].answer[0];
        dialog_undo_answer(&t.dialog);
        *end = first;
        dialog_set_end(&t.dialog, end, 1);
        t.sampler.stops[0] = first;
        t.sampler.stop_count = 1;
        assert_int_equal(answer(&t, 9), TVK_STOP_TOKEN);
        assert_int_equal(t.dialog.turns[1].answer_count, 0);
        t.prefilled = 0;
        ask(&t, 40, 3);
        require_ok(talk_sync(&t, &err), &err);
        assert_int_equal(t.prefilled, 3);
    }
    talk_free(&t);
    close_model(&o);
}

/* Context 64: 3 + (10 + 30) + 1 + 10 leave 10 positions to an answer of 30. */
static void overflow_in_an_answer(void **state)
{
    opened o;
    talk t;
    heard h;
    tvk_error err = {0};
    int32_t before[HEAD + 20], tail[20];
    uint32_t n = 0;
    const dialog_turn *turn;
    (void)state;
    begin(&o, &t, &h, true);
    ask(&t, 10, 10);
    assert_int_equal(answer(&t, 30), TVK_STOP_COUNT);
    ask(&t, 50, 10);
    assert_int_equal(answer(&t, 30), TVK_STOP_COUNT);
    assert_int_equal(h.turns_dropped, 1);
    assert_int_equal(h.tokens, 60);
    turn = &t.dialog.turns[1];
    assert_int_equal(turn->answer_count, 30);
    require_fresh(&o, &t);
    /* what came behind the drop is what a fresh conversation without the first turn goes on with */
    memcpy(before, t.dialog.head, HEAD * sizeof *before);
    memcpy(before + HEAD, turn->asked, 10 * sizeof *before);
    memcpy(before + HEAD + 10, turn->answer, 10 * sizeof *before);
    require_ok(tvk_session_rollback(o.session, 0, &err), &err);
    eval(&o, o.session, before, HEAD + 20, NULL);
    for (; n < 20; n++) require_ok(tvk_decode(o.model, &o.session, 1, &tail[n], &err), &err);
    assert_memory_equal(tail, turn->answer + 10, sizeof tail);
    talk_free(&t);
    close_model(&o);
}

static void many_turns(void **state)
{
    opened o;
    talk t;
    heard h;
    (void)state;
    begin(&o, &t, &h, true);
    for (uint32_t i = 0; i < 12; i++) {
        ask(&t, 10 + 30 * i, 3 + i % 5);
        assert_int_equal(answer(&t, 7), TVK_STOP_COUNT);
        assert_true(dialog_tokens(&t.dialog, NULL) <= CONTEXT);
        if (i % 4 == 3) require_fresh(&o, &t);
    }
    assert_true(h.turns_dropped >= 6);
    assert_int_equal(h.turns_dropped, t.dialog.first);
    assert_int_equal(t.dialog.count, 12);
    ask(&t, 500, 4); /* one turn alone fills the context */
    assert_int_equal(answer(&t, 1000), TVK_STOP_CONTEXT);
    assert_int_equal(dialog_tokens(&t.dialog, NULL), CONTEXT);
    assert_int_equal(t.dialog.first, 12);
    talk_free(&t);
    close_model(&o);
}

static void again(void **state)
{
    opened o;
    talk t;
    heard h;
    int32_t first[20];
    (void)state;
    begin(&o, &t, &h, false);
    t.sampler = (tvk_sampler_params){.temperature = 2, .seed = 1};
    ask(&t, 10, 5);
    answer(&t, 20);
    memcpy(first, t.dialog.turns[0].answer, sizeof first);
    dialog_undo_answer(&t.dialog);
    answer(&t, 20);
    assert_memory_equal(t.dialog.turns[0].answer, first, sizeof first); /* one seed, one answer */
    dialog_undo_answer(&t.dialog);
    talk_reseed(&t);
    answer(&t, 20);
    assert_memory_not_equal(t.dialog.turns[0].answer, first, sizeof first);
    talk_free(&t);
    close_model(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_new_tokens),
        cmocka_unit_test(overflow_in_an_answer),
        cmocka_unit_test(many_turns),
        cmocka_unit_test(again),
    };
    return run_on_device(tests, sizeof tests / sizeof *tests);
}
