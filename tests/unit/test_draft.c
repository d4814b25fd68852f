/* Which drafts are proposed, and when they pause. */
#include "session/draft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof *(list)))

static void lookup_finds_the_longest_latest(void **state)
{
    const int32_t text[] = {1, 2, 3, 40, 9, 2, 3, 41, 8, 2, 3, 42, 1, 2, 3};
    const int32_t loop[] = {5, 1, 2, 3, 1, 2, 3, 1, 2};
    const int32_t fresh[] = {1, 2, 3, 4, 2};
    int32_t out[8];
    (void)state;
    /* "1 2 3" stands once before; "2 3" three times, the latest does not count */
    assert_int_equal(tvk_draft_lookup(text, COUNT(text), 3, out), 3);
    assert_int_equal(out[0], 40);
    assert_int_equal(out[1], 9);
    assert_int_equal(out[2], 2);
    /* of equal endings the latest one: without the first token of the end */
    assert_int_equal(tvk_draft_lookup(text + 4, 8 - 1, 1, out), 1);
    assert_int_equal(out[0], 41);
    /* a repetition goes on */
    assert_int_equal(tvk_draft_lookup(loop, COUNT(loop), 8, out), 8);
    for (int i = 0; i < 8; i++) assert_int_equal(out[i], 1 + (i + 2) % 3);
    /* one token is no ending */
    assert_int_equal(tvk_draft_lookup(fresh, COUNT(fresh), 8, out), 0);
    for (uint32_t n = 0; n < 3; n++) assert_int_equal(tvk_draft_lookup(fresh, n, 8, out), 0);
}

/* A text whose last tokens always occurred before. */
static const int32_t text[] = {1, 2, 3, 4, 1, 2};

static uint32_t propose(const tvk_drafter *d, uint32_t decoded)
{
    int32_t out[TVK_DRAFT_MOST];
    return tvk_drafter_propose(d, text, COUNT(text), decoded, TVK_DRAFT_MOST, out);
}

static void drafts_grow_and_pause(void **state)
{
    const tvk_draft_params params = {.kind = TVK_DRAFT_LOOKUP, .max = 12, .min = 2};
    tvk_drafter d;
    uint32_t pause = 0, before;
    (void)state;
    tvk_drafter_init(&d, &params);
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
        tvk_drafter d;
        tvk_drafter_init(&d, &params);
        tvk_drafter_decoded(&d, 8, 800);
        assert_int_equal(propose(&d, 100), cases[i].first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookup_finds_the_longest_latest),
        cmocka_unit_test(drafts_grow_and_pause),
        cmocka_unit_test(least_length_is_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
