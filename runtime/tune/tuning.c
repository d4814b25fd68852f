/* What follows from measured times. Pure arithmetic, but for the version. */
#include "tune/tune.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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

bool tvk_tuning_choice_valid(const tvk_tuning_choice *c)
{
    return tvk_kernels_table_text(c->row, c->config, NULL, 0) && plausible(c->default_ns) &&
           plausible(c->chosen_ns);
}

const char *tvk_tuning_choice_text(const tvk_tuning_choice *c, char *text, size_t bytes)
{
    if (!tvk_kernels_table_text(c->row, c->config, text, bytes)) snprintf(text, bytes, "?");
    return text;
}

void tvk_tuning_add(tvk_tuning *tuning, const tvk_tuning_choice *choice)
{
    /* in place of one for the same shape, of the same kind of rows */
    for (uint32_t i = 0; i < tuning->choice_count; i++) {
        const tvk_tuning_choice *c = &tuning->choices[i];
        const tvk_shader_info *old = tvk_shader_get(c->row), *row = tvk_shader_get(choice->row);
        if (!old || !row || old->op != row->op || c->n != choice->n || c->k != choice->k ||
            c->rows != choice->rows || c->exact != choice->exact)
            continue;
        tuning->choices[i] = *choice;
        return;
    }
    /* a full record loses what it has held longest */
    if (tuning->choice_count == TVK_TUNING_MAX)
        memmove(tuning->choices, tuning->choices + 1,
                --tuning->choice_count * sizeof *tuning->choices);
    tuning->choices[tuning->choice_count++] = *choice;
}

void tvk_tuning_apply(const tvk_tuning *tuning, bool exact, tvk_kernels *kernels)
{
    for (uint32_t i = 0; tuning && i < tuning->choice_count && i < TVK_TUNING_MAX; i++) {
        const tvk_tuning_choice *c = &tuning->choices[i];
        tvk_choice choice;
        tvk_shape shape;
        if ((exact && !c->exact) || !tvk_kernels_from_table(kernels, c->row, c->config, &choice))
            continue;
        shape = (tvk_shape){tvk_shader_get(c->row)->op, c->n, c->k, c->rows, c->exact};
        tvk_kernels_prefer(kernels, &shape, choice, NULL);
    }
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
