/* When a lost device is opened again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/retry.h"

static void ends(void **state)
{
    retry r = {0};
    (void)state;
    for (uint64_t place = 0; place < RETRY_MOST; place++)
        assert_int_equal(retry_lost(&r, place), RETRY_AGAIN);
    assert_int_equal(retry_lost(&r, 100), RETRY_ENOUGH);
    assert_int_equal(retry_lost(&r, 200), RETRY_ENOUGH);
}

static void not_twice_in_one_place(void **state)
{
    retry r = {0};
    (void)state;
    assert_int_equal(retry_lost(&r, 0), RETRY_AGAIN); /* nothing was lost before */
    assert_int_equal(retry_lost(&r, 5), RETRY_AGAIN);
    assert_int_equal(retry_lost(&r, 5), RETRY_SAME_PLACE);
}

static void a_device_that_stays_away(void **state)
{
    retry r = {0};
    uint32_t pause = 0;
    (void)state;
    assert_int_equal(retry_lost(&r, 5), RETRY_AGAIN);
    for (uint32_t i = 1; i < RETRY_MOST; i++) {
        assert_true(retry_pause_ms(&r) > pause);
        pause = retry_pause_ms(&r);
        assert_int_equal(retry_closed(&r), RETRY_AGAIN);
    }
    assert_true(retry_pause_ms(&r) > pause && retry_pause_ms(&r) < 5000);
    assert_int_equal(retry_closed(&r), RETRY_ENOUGH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends),
        cmocka_unit_test(not_twice_in_one_place),
        cmocka_unit_test(a_device_that_stays_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
