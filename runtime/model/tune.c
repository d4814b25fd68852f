/* What the choice of sparse paths asks of a device, measured. */
#include "tune/tune.h"
#include "base/clock.h"
#include "model/model.h"

#define BUDGET_NS 500000000u /* compiling too; the next start goes on */

static bool known(const tvk_tuning *tuning, const tvk_tuning_entry *shape)
{
    for (uint32_t i = 0; i < tuning->count; i++) {
        const tvk_tuning_entry *e = &tuning->entries[i];
        if (e->kind == shape->kind && e->n == shape->n && e->k == shape->k) return true;
    }
    return false;
}

tvk_status tvk_model_tune(tvk_device *device, const tvk_weight_source *source,
                          const tvk_model_params *params, tvk_tuning *tuning, uint32_t *added,
                          tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_progress *progress = params ? &params->progress : NULL;
    tvk_kernels *kernels = NULL;
    tvk_config config;
    const uint64_t deadline = tvk_clock_ns() + BUDGET_NS;
    const uint32_t start = tuning->count;
    bool done = true;
    if (added) *added = 0;
    if (tuning->count > TVK_TUNING_MAX)
        TVK_FAIL(TVK_ERR_ARG, "a tuning record of at most %u entries expected, %u found",
                 TVK_TUNING_MAX, tuning->count);
    TVK_TRY(tvk_config_read(source, params ? params->act : TVK_ACT_AUTO, &config, err));
    for (int i = 0; i < TVK_SKIP_COUNT && tuning->count < TVK_TUNING_MAX && done; i++) {
        tvk_tuning_entry e;
        if (tvk_clock_ns() > deadline) break;
        if (!tvk_skip_shape(&config, (tvk_skip_at)i, &e) || known(tuning, &e)) continue;
        if (progress && progress->fn &&
            !progress->fn(progress->user, "measuring", (uint64_t)i, TVK_SKIP_COUNT))
            TVK_FAIL(TVK_ERR_CANCELLED, "measuring was cancelled");
        if (!kernels) TVK_TRY(tvk_kernels_create(device, params && params->exact, &kernels, err));
        TVK_TRY(tvk_tune_measure(kernels, &e, deadline, &done, err));
        if (done) tuning->entries[tuning->count++] = e;
    }
    if (progress && progress->fn && tuning->count > start)
        progress->fn(progress->user, "measuring", TVK_SKIP_COUNT, TVK_SKIP_COUNT);
    if (added) *added = tuning->count - start;
fail:
    tvk_kernels_destroy(&kernels);
    return st;
}
