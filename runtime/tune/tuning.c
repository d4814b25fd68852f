/* What follows from measured times. Pure arithmetic, but for the version. */
#include "ternvk/tuning.h"

#include "kernels/kernel.h"

#include <math.h>

#define NEVER 2.0f

static const double zeros[TVK_TUNING_POINTS] = {0.3, 0.6, 0.9};

uint64_t tvk_tuning_version(void)
{
    return tvk_kernels_version();
}

static bool plausible(double ns)
{
    return isfinite(ns) && ns > 0 && ns < 1e12;
}

bool tvk_tuning_valid(const tvk_tuning_entry *e)
{
    if ((unsigned)e->kind > TVK_TUNING_UP_FP4 || e->n == 0 || e->k == 0 || e->copies == 0 ||
        !plausible(e->dense_ns))
        return false;
    for (uint32_t i = 0; i < TVK_TUNING_POINTS; i++)
        if (!plausible(e->skip_ns[i])) return false;
    return true;
}

/* Skipping costs a + b (1 - z): the line of least squares through the three times. */
float tvk_tuning_break_even(const tvk_tuning_entry *e)
{
    double mean_z = 0, mean_t = 0, slope = 0, spread = 0, z;
    for (uint32_t i = 0; i < TVK_TUNING_POINTS; i++) {
        mean_z += zeros[i] / TVK_TUNING_POINTS;
        mean_t += e->skip_ns[i] / TVK_TUNING_POINTS;
    }
    for (uint32_t i = 0; i < TVK_TUNING_POINTS; i++) {
        slope += (zeros[i] - mean_z) * (e->skip_ns[i] - mean_t);
        spread += (zeros[i] - mean_z) * (zeros[i] - mean_z);
    }
    slope /= spread;
    /* times that do not fall with the zeros: noise, or dispatches that cost the same either way */
    if (slope >= 0) return mean_t < e->dense_ns ? 0.0f : NEVER;
    z = mean_z + (e->dense_ns - mean_t) / slope;
    return z > 1 ? NEVER : z > 0 ? (float)z : 0.0f;
}
