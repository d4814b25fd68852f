/* Large results are compared in part: on a lattice, and at the ends. */
#include "tests/kernels/rig.h"

#define ENOUGH 100000000u /* products */
#define LAST_STEP 7u      /* least tiles are eight outputs wide */

/* Odd Fibonacci numbers, and those before them: no lattice leaves smaller rectangles empty, here of
 * less than twice the step (Breneis and Hinrichs, "Fibonacci lattices have minimal dispersion on
 * the two-dimensional torus"). */
static const uint32_t steps[][2] = {
    {1, 0},     {3, 2},     {5, 3},     {13, 8},     {21, 13},     {55, 34},     {89, 55},
    {233, 144}, {377, 233}, {987, 610}, {1597, 987}, {4181, 2584}, {6765, 4181}, {17711, 10946}};
#define STEPS (sizeof steps / sizeof *steps)

tvk_rig_sample tvk_rig_sample_of(uint32_t n, uint32_t t, uint64_t products)
{
    const uint64_t times = (uint64_t)n * t * products / ENOUGH;
    size_t i = 0;
    while (i + 1 < STEPS && steps[i + 1][0] <= times) i++;
    return (tvk_rig_sample){n, t, steps[i][0], steps[i][1]};
}

static uint32_t last_step(const tvk_rig_sample *s)
{
    return s->step < LAST_STEP ? s->step : LAST_STEP;
}

bool tvk_rig_sampled(const tvk_rig_sample *s, uint32_t n, uint32_t t)
{
    if (n == s->n - 1) return true;
    if (t == s->t - 1) return n % last_step(s) == 0;
    return (n + (uint64_t)t * s->shift) % s->step == 0;
}

double tvk_rig_sampled_part(const tvk_rig_sample *s)
{
    uint64_t all = 0;
    for (uint32_t t = 0; t < s->t; t++) {
        const bool last = t == s->t - 1;
        const uint32_t step = last ? last_step(s) : s->step;
        const uint32_t past = last ? 0 : (uint32_t)((uint64_t)t * s->shift % step);
        const uint32_t first = (step - past) % step;
        all += 1 + (first + 1 < s->n ? (s->n - 2 - first) / step + 1 : 0);
    }
    return (double)all / ((double)s->n * s->t);
}
