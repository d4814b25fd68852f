/* What of large results is compared: every tile of a kernel has some, it is not too much, and the
 * part that is told is the part that was. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/kernels/rig.h"

#define MOST_PRODUCTS 3e8 /* a second of the CPU reference */
#define COLUMNS 16u       /* odd ones and even ones */

/* N, K and T, among them the largest of the linears; the step: of 1, 3, 5, 13, 21, 55, 89, 233, 377
 * the last one that N K T / 10^8 reaches. */
static const struct {
    uint32_t n, k, t, step;
} shapes[] = {
    {260, 320, 130, 1},      {128256, 2560, 1, 3},     {2560, 2560, 128, 5},
    {3072, 512, 2048, 21},   {13824, 2560, 512, 89},   {13824, 2560, 1024, 233},
    {22016, 4096, 512, 377}, {13824, 2560, 2048, 377}, {4096, 11008, 2048, 377},
    {2561, 8192, 2047, 377},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

/* Outputs and rows of tiles. */
static const uint32_t tiles[][2] = {{128, 128}, {64, 64}, {32, 32}, {96, 64}, {80, 128},
                                    {256, 32},  {256, 4}, {128, 8}, {64, 16}};
#define TILES (sizeof tiles / sizeof *tiles)

static bool some(const tvk_rig_sample *s, uint32_t n0, uint32_t t0, const uint32_t tile[2])
{
    for (uint32_t t = t0; t < s->t && t < t0 + tile[1]; t++)
        for (uint32_t n = n0; n < s->n && n < n0 + tile[0]; n++)
            if (tvk_rig_sampled(s, n, t)) return true;
    return false;
}

static void every_tile_has_some(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        const tvk_rig_sample s = tvk_rig_sample_of(shapes[i].n, shapes[i].t, shapes[i].k);
        assert_int_equal(s.step, shapes[i].step);
        for (size_t k = 0; k < TILES; k++)
            for (uint32_t t = 0; t < s.t; t += tiles[k][1])
                for (uint32_t n = 0; n < s.n; n += tiles[k][0])
                    if (!some(&s, n, t, tiles[k]))
                        fail_msg("N %u T %u: a result of the %u x %u from %u, %u expected, none "
                                 "found",
                                 s.n, s.t, tiles[k][0], tiles[k][1], n, t);
    }
}

static void the_part_is_what_was_compared(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        const tvk_rig_sample s = tvk_rig_sample_of(shapes[i].n, shapes[i].t, shapes[i].k);
        double count = 0, seen[COLUMNS] = {0};
        for (uint32_t t = 0; t < s.t; t++)
            for (uint32_t n = 0; n < s.n; n++)
                if (tvk_rig_sampled(&s, n, t)) {
                    count++;
                    seen[n % COLUMNS]++;
                }
        assert_true(fabs(tvk_rig_sampled_part(&s) * s.n * s.t - count) < 0.5);
        assert_true(count * shapes[i].k < MOST_PRODUCTS);
        for (uint32_t c = 0; c < COLUMNS; c++) assert_true(seen[c] > 0.5 * count / COLUMNS);
        if (s.step == 1) assert_true(tvk_rig_sampled_part(&s) == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tile_has_some),
        cmocka_unit_test(the_part_is_what_was_compared),
    };
    return cmocka_run_group_tests_name("sample_part", tests, NULL, NULL);
}
