/* The window of a conversation: which turns the context holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/dialog.h"

static int32_t *ids_of(int32_t first, uint32_t count)
{
    int32_t *ids = malloc((count + 1) * sizeof *ids);
    assert_non_null(ids);
    for (uint32_t i = 0; i < count; i++) ids[i] = first + (int32_t)i;
    return ids;
}

static void ask(dialog *d, int32_t first, uint32_t count, uint32_t answer)
{
    char *question = calloc(1, 2);
    assert_non_null(question);
    assert_true(dialog_ask(d, question, ids_of(first, count), count));
    for (uint32_t i = 0; i < answer; i++) assert_true(dialog_push(d, first + 50 + (int32_t)i));
}

/* head 1 2, end 9 */
static dialog make(uint32_t context)
{
    dialog d = {.context = context};
    dialog_set_head(&d, ids_of(1, 2), 2);
    dialog_set_end(&d, ids_of(9, 1), 1);
    return d;
}

static void expect(const dialog *d, const int32_t *expected, uint32_t count)
{
    int32_t out[256];
    assert_int_equal(dialog_tokens(d, NULL), count);
    assert_int_equal(dialog_tokens(d, out), count);
    assert_memory_equal(out, expected, count * sizeof *out);
}
#define EXPECT(d, ...)                                                                             \
    expect(&(d), (const int32_t[]){__VA_ARGS__}, sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

static void timeline(void **state)
{
    dialog d = make(64);
    (void)state;
    EXPECT(d, 1, 2);
    ask(&d, 100, 2, 3);
    EXPECT(d, 1, 2, 100, 101, 150, 151, 152); /* no end: the answer may go on */
    ask(&d, 200, 1, 0);
    EXPECT(d, 1, 2, 100, 101, 150, 151, 152, 9, 200);
    assert_true(dialog_push(&d, 7));
    dialog_undo_answer(&d);
    EXPECT(d, 1, 2, 100, 101, 150, 151, 152, 9, 200);
    dialog_undo(&d);
    EXPECT(d, 1, 2, 100, 101, 150, 151, 152);
    dialog_set_head(&d, ids_of(5, 1), 1);
    EXPECT(d, 5, 100, 101, 150, 151, 152);
    dialog_clear(&d);
    EXPECT(d, 5);
    for (int32_t i = 0; i < 40; i++) ask(&d, 100, 1, 100); /* arrays grow */
    assert_int_equal(d.count, 40);
    dialog_free(&d);
    assert_null(d.turns);
}

/* Context 40, a quarter is 10; turns of 4 + 3 (+ 1 for the end) tokens behind a head of 2. */
static void window(void **state)
{
    dialog d = make(40);
    (void)state;
    for (int32_t i = 1; i <= 4; i++) ask(&d, 100 * i, 4, 3);
    assert_int_equal(dialog_tokens(&d, NULL), 2 + 3 * 8 + 7); /* 33 */
    assert_int_equal(dialog_make_room(&d, 7), 0);             /* 33 + 7 = 40 fit */
    assert_int_equal(d.first, 0);
    assert_int_equal(dialog_make_room(&d, 8), 1); /* one turn of 8: 25, a quarter is free */
    assert_int_equal(d.first, 1);
    assert_int_equal(dialog_tokens(&d, NULL), 25);
    EXPECT(d, 1, 2, 200, 201, 202, 203, 250, 251, 252, 9, 300, 301, 302, 303, 350, 351, 352, 9, 400,
           401, 402, 403, 450, 451, 452);
    assert_int_equal(dialog_make_room(&d, 16), 1); /* 17 + 16 */
    assert_int_equal(d.first, 2);
    assert_int_equal(dialog_make_room(&d, 39), 1); /* more than there is: the last turn stays */
    EXPECT(d, 1, 2, 400, 401, 402, 403, 450, 451, 452);
    assert_int_equal(dialog_make_room(&d, 1000), 0);
    assert_int_equal(d.count, 4); /* kept for the transcript */
    dialog_undo(&d);              /* the turn that is the last one now comes back */
    EXPECT(d, 1, 2, 300, 301, 302, 303, 350, 351, 352);
    dialog_undo_answer(&d);
    assert_true(dialog_push(&d, 7));
    EXPECT(d, 1, 2, 300, 301, 302, 303, 7);
    while (d.count > 0) dialog_undo(&d);
    EXPECT(d, 1, 2);
    assert_int_equal(d.first, 0);
    ask(&d, 500, 1, 0);
    EXPECT(d, 1, 2, 500);
    dialog_free(&d);
}

static void limits(void **state)
{
    dialog d = make(40);
    (void)state;
    assert_int_equal(dialog_answer_room(&d), 6); /* an eighth, and one */
    assert_true(dialog_takes(&d, 2, 32));
    assert_false(dialog_takes(&d, 2, 33));
    assert_false(dialog_takes(&d, UINT32_MAX, UINT32_MAX)); /* no overflow */
    dialog_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeline),
        cmocka_unit_test(window),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
