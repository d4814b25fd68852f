/* Perplexity from logits whose result is known by hand. */
#include "cli/score.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Nothing in the logits: every token is one of V, and there is no spread. */
static void uniform_logits_give_the_vocabulary(void **state)
{
    static float logits[4096];
    static const uint32_t sizes[] = {1, 2, 7, 4096};
    static const float levels[] = {0, -3.5f, 1e4f, -1e4f};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
            score s = {0};
            for (uint32_t v = 0; v < sizes[i]; v++) logits[v] = levels[l];
            for (uint32_t t = 0; t < 5; t++)
                score_add(&s, score_nats(logits, sizes[i], (t * 3) % sizes[i]));
            assert_int_equal(s.count, 5);
            assert_true(fabs(score_perplexity(&s) - sizes[i]) < 1e-9 * sizes[i]);
            assert_true(score_error(&s) < 1e-6 * sizes[i]);
        }
    }
}

/* Three tokens with p = 1/2, 1/8, 1/4: logits are logarithms plus anything.
 * nats ln2 * {1, 3, 2}: mean 2 ln2, perplexity 4; variance of the nats (1 + 1 + 0)/3 ln2^2, over
 * n - 1 = 2: error 4 ln2 / sqrt(3). Bits 6: 12 bytes make 0.5 a byte. */
static void three_tokens(void **state)
{
    const float ln2 = 0.69314718f;
    const float rows[3][3] = {{5 - ln2, 5 - 2 * ln2, 5 - 2 * ln2},
                              {-3 * ln2, -1 * ln2, logf(3.0f) - 3 * ln2},
                              {logf(0.75f) - 80, -2 * ln2 - 80, -INFINITY}};
    const uint32_t tokens[3] = {0, 0, 1};
    score s = {0}, half = {0}, rest = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        double nats = score_nats(rows[i], 3, tokens[i]);
        score_add(&s, nats);
        score_add(i == 0 ? &half : &rest, nats);
    }
    assert_true(fabs(score_perplexity(&s) - 4) < 1e-5);
    assert_true(fabs(score_error(&s) - 4 * 0.6931471805599453 / sqrt(3)) < 1e-5);
    assert_true(fabs(score_bits_per_byte(&s, 12) - 0.5) < 1e-6);
    score_merge(&half, &rest);
    assert_int_equal(half.count, 3);
    assert_true(fabs(score_perplexity(&half) - score_perplexity(&s)) < 1e-12);
}

/* Far apart logits neither overflow nor lose the small one. */
static void extremes(void **state)
{
    const float far[3] = {3e38f, -3e38f, 0}, bad[2] = {0, NAN}, none[2] = {-INFINITY, -INFINITY};
    score one = {0};
    (void)state;
    assert_true(score_nats(far, 3, 0) == 0);
    assert_true(fabs(score_nats(far, 3, 1) / 6e38 - 1) < 1e-6);
    assert_true(isnan(score_nats(bad, 2, 0)));
    assert_true(isnan(score_nats(none, 2, 0)));
    assert_true(isnan(score_perplexity(&one)));
    score_add(&one, 1);
    assert_true(isinf(score_error(&one)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_logits_give_the_vocabulary),
        cmocka_unit_test(three_tokens),
        cmocka_unit_test(extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
