#include "tune/decide.h"

#include <stdlib.h>
#include <string.h>

/* Of what a start has: for a step's runs. */
#define MOST 0.75

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double tvk_timing_median(const tvk_timing *timing)
{
    double sorted[TVK_TIMING_ROUNDS];
    const uint32_t n = timing->count;
    if (n == 0) return 0;
    memcpy(sorted, timing->ns, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, ascending);
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

tvk_timing_when tvk_timing_plan(uint32_t runs, double run_ns, const tvk_timing_budget *budget)
{
    const double need = runs * run_ns;
    if (need > budget->all / 2) return TVK_TIMING_NEVER;
    if (need <= budget->left) return TVK_TIMING_NOW;
    return need > MOST * budget->start && budget->start > 0 ? TVK_TIMING_LONGER : TVK_TIMING_LATER;
}

uint32_t tvk_timing_decide(const tvk_timing *ways, uint32_t count)
{
    const double standing = tvk_timing_median(&ways[0]);
    double least = standing;
    uint32_t best = 0;
    for (uint32_t i = 1; standing > 0 && i < count; i++) {
        const double t = tvk_timing_median(&ways[i]);
        const double margin = ways[i].count < 3 || ways[0].count < 3 ? 0.9 : 0.96;
        if (t <= 0 || t >= standing * margin || t >= least) continue;
        best = i;
        least = t;
    }
    return best;
}
