/* Which drafts are proposed, and when they pause. */
#include "session/draft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof *(list)))

static tvk_drafter drafter(tvk_draft_params params, uint32_t context)
{
    tvk_drafter d = {0};
    tvk_error err = {0};
    params.kind = TVK_DRAFT_LOOKUP;
    assert_int_equal(tvk_drafter_init(&d, &params, context, &err), TVK_OK);
    return d;
}

/* In a text that was never seen before. */
static uint32_t lookup(const int32_t *tokens, uint32_t count, uint32_t most, int32_t *out)
{
    tvk_drafter d = drafter((tvk_draft_params){0}, count);
    uint32_t n = tvk_draft_lookup(&d.index, tokens, count, most, out);
    tvk_drafter_free(&d);
    return n;
}

static void lookup_finds_the_longest_latest(void **state)
{
    const int32_t text[] = {1, 2, 3, 40, 9, 2, 3, 41, 8, 2, 3, 42, 1, 2, 3};
    const int32_t loop[] = {5, 1, 2, 3, 1, 2, 3, 1, 2};
    const int32_t fresh[] = {1, 2, 3, 4, 2};
    int32_t out[8];
    (void)state;
    /* "1 2 3" stands once before; "2 3" three times, the latest does not count */
    assert_int_equal(lookup(text, COUNT(text), 3, out), 3);
    assert_int_equal(out[0], 40);
    assert_int_equal(out[1], 9);
    assert_int_equal(out[2], 2);
    /* of equal endings the latest one: without the first token of the end */
    assert_int_equal(lookup(text + 4, 8 - 1, 1, out), 1);
    assert_int_equal(out[0], 41);
    /* a repetition goes on */
    assert_int_equal(lookup(loop, COUNT(loop), 8, out), 8);
    for (int i = 0; i < 8; i++) assert_int_equal(out[i], 1 + (i + 2) % 3);
    /* one token is no ending */
    assert_int_equal(lookup(fresh, COUNT(fresh), 8, out), 0);
    for (uint32_t n = 0; n < 3; n++) assert_int_equal(lookup(fresh, n, 8, out), 0);
}

#define MANY 20000u

/* The definition: every place, from the latest on. */
static uint32_t follows(const int32_t *tokens, uint32_t count)
{
    uint32_t best = 1, from = 0;
    for (uint32_t end = count; end-- > 1;) {
        uint32_t n = 0;
        while (n < 8 && n < end && tokens[end - 1 - n] == tokens[count - 1 - n]) n++;
        if (n <= best) continue;
        best = n;
        from = end;
    }
    return from;
}

static void check(tvk_drafter *d, const int32_t *tokens, uint32_t count)
{
    int32_t out = -1;
    uint32_t from = follows(tokens, count);
    assert_int_equal(tvk_draft_lookup(&d->index, tokens, count, 1, &out), from > 0);
    if (from) assert_int_equal(out, tokens[from]);
}

/* A text of words that grows, is cut, and goes on in another way. */
static void texts_that_grow_and_are_cut(void **state)
{
    static int32_t tokens[2000];
    uint32_t random = 1, count = 0;
    tvk_drafter d = drafter((tvk_draft_params){0}, COUNT(tokens));
    (void)state;
    for (uint32_t round = 0; round < 12; round++) {
        for (uint32_t end = round % 3 ? COUNT(tokens) : 400; count < end; count++) {
            random = random * 1664525u + 1013904223u;
            tokens[count] = (int32_t)(random >> 28); /* of 16 */
            if (random >> 8 & 1) check(&d, tokens, count + 1);
        }
        count = round == 5 ? 1 : round % 2 ? 37 : 1500;
        if (count > d.index.count) count = d.index.count;
        tvk_drafter_cut(&d, tokens, count);
        for (uint32_t i = count; i < COUNT(tokens); i++) tokens[i] = -1;
    }
    tvk_drafter_free(&d);
}

/* Looking up after every token of a long text visits a few places each time, not all of the text.
 */
static void many_tokens_are_not_scanned(void **state)
{
    static int32_t tokens[MANY];
    uint32_t random = 7;
    uint64_t places = 0;
    int32_t out[TVK_DRAFT_MOST];
    tvk_drafter d = drafter((tvk_draft_params){0}, MANY);
    (void)state;
    for (uint32_t i = 0; i < MANY; i++) {
        random = random * 1664525u + 1013904223u;
        tokens[i] = (int32_t)(random >> 24); /* of 256: each pair once in 65,536 places */
        tvk_draft_lookup(&d.index, tokens, i + 1, TVK_DRAFT_MOST, out);
        for (uint32_t end = d.index.before[i + 1]; end > 0; end = d.index.before[end]) places++;
    }
    assert_in_range(places, 1, 2 * MANY);
    assert_int_equal(d.index.count, MANY);
    tvk_drafter_free(&d);
}

/* A text whose last tokens always occurred before. */
static const int32_t text[] = {1, 2, 3, 4, 1, 2};

static uint32_t propose(tvk_drafter *d, uint32_t decoded)
{
    int32_t out[TVK_DRAFT_MOST];
    return tvk_drafter_propose(d, text, COUNT(text), decoded, TVK_DRAFT_MOST, out);
}

static void drafts_grow_and_pause(void **state)
{
    const tvk_draft_params params = {.kind = TVK_DRAFT_LOOKUP, .max = 12, .min = 2};
    tvk_drafter d = drafter(params, COUNT(text));
    uint32_t pause = 0, before;
    (void)state;
    assert_int_equal(propose(&d, 100), 0); /* nothing to compare with yet */
    assert_false(tvk_drafter_learns(&d, 1));
    assert_true(tvk_drafter_learns(&d, 8));
    tvk_drafter_decoded(&d, 8, 800);
    assert_false(tvk_drafter_learns(&d, 8));
    /* accepted whole: longer, up to the limit */
    assert_int_equal(propose(&d, 0), 4);
    tvk_drafter_verified(&d, 4, 4, 200);
    assert_int_equal(propose(&d, 0), 8);
    tvk_drafter_verified(&d, 8, 8, 300);
    assert_int_equal(propose(&d, 0), 12);
    /* accepted in part, and still faster than decoding: shorter, at once again */
    tvk_drafter_verified(&d, 12, 4, 400);
    assert_int_equal(propose(&d, 0), 5);
    /* slower: longer and longer pauses, never without end */
    for (int i = 0; i < 10; i++) {
        tvk_drafter_verified(&d, 5, 0, 400);
        for (before = pause, pause = 0; propose(&d, pause) == 0; pause++)
            assert_in_range(pause, 0, 256);
        assert_true(pause == 256 || pause > before);
        tvk_drafter_decoded(&d, pause, 100.0 * pause);
        assert_int_equal(propose(&d, 0), 2);
    }
    assert_int_equal(pause, 256);
    tvk_drafter_verified(&d, 2, 2, 100);
    tvk_drafter_verified(&d, 4, 0, 400);
    assert_int_equal(propose(&d, 7), 0);
    assert_int_equal(propose(&d, 8), 2);
    assert_int_equal(d.stats.steps, 15);
    assert_int_equal(d.stats.accepted, 4 + 8 + 4 + 2);
    assert_int_equal(d.stats.drafted, 4 + 8 + 12 + 50 + 2 + 4);
    tvk_drafter_free(&d);
}

/* A least length above the first and the default lengths is one that is tried. */
static void least_length_is_tried(void **state)
{
    static const struct {
        uint32_t min, max, first;
    } cases[] = {{0, 0, 4}, {4, 0, 4}, {5, 0, 5}, {15, 15, 15}, {20, 0, 20}, {64, 64, 64}};
    (void)state;
    for (uint32_t i = 0; i < COUNT(cases); i++) {
        const tvk_draft_params params = {
            .kind = TVK_DRAFT_LOOKUP, .max = cases[i].max, .min = cases[i].min};
        tvk_drafter d = drafter(params, COUNT(text));
        tvk_drafter_decoded(&d, 8, 800);
        assert_int_equal(propose(&d, 100), cases[i].first);
        tvk_drafter_free(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookup_finds_the_longest_latest),
        cmocka_unit_test(texts_that_grow_and_are_cut),
        cmocka_unit_test(many_tokens_are_not_scanned),
        cmocka_unit_test(drafts_grow_and_pause),
        cmocka_unit_test(least_length_is_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
