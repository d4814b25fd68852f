#include "tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "engine.h"
#include "out.h"
#include "progress.h"

/* Of a start that someone waits for: the first on a device, and those that go on with what was
 * left. A CPU driver has the library's budget, which is short. */
#define FIRST_MS 1000u
#define LATER_MS 400u

void tuning_load(const tvk_device_info *device, tvk_tuning *out)
{
    char why[160];
    size_t bytes;
    char *text = cache_read(CACHE_TUNING, device, &bytes);
    out->count = out->choice_count = 0;
    if (!text) return;
    if (!tuning_parse(text, bytes, device, tvk_tuning_version(), out, why, sizeof why))
        cache_note(CACHE_TUNING, device, why);
    free(text);
}

static void save(const tvk_device_info *device, const tvk_tuning *tuning)
{
    char *text = tuning_text(device, tvk_tuning_version(), tuning);
    if (text) cache_write(CACHE_TUNING, device, text, strlen(text));
    free(text);
}

void tuning_prepare(tvk_device *device, const tvk_weight_source *source,
                    const tvk_model_params *params, tvk_tuning *out)
{
    const tvk_device_info *info = tvk_device_get_info(device);
    uint32_t added;
    tvk_error err;
    tuning_load(info, out);
    if (tvk_model_tune(device, source, params, out, &added, &err) != TVK_OK && engine_given.verbose)
        out_error("measuring: %s", err.text);
    progress_clear();
    if (added) save(info, out);
}

void tuning_finish(tvk_device *device, tvk_model *model, bool thorough, tvk_tuning *tuning)
{
    const tvk_progress progress = progress_bar();
    const bool cpu = tvk_device_get_info(device)->type == TVK_DEVICE_CPU;
    const uint32_t budget_ms = thorough || cpu ? 0 : tuning->choice_count ? LATER_MS : FIRST_MS;
    uint32_t added;
    tvk_error err;
    if (tvk_model_tune_kernels(model, budget_ms, &progress, tuning, &added, &err) != TVK_OK &&
        engine_given.verbose)
        out_error("measuring: %s", err.text);
    progress_clear();
    if (added) save(tvk_device_get_info(device), tuning);
}

static const char *kind_text(tvk_tuning_kind kind)
{
    static const char *const texts[] = {"inputs of", "gates of (INT8)", "gates of (INT4)",
                                        "gates of (FP4)"};
    return (unsigned)kind < sizeof texts / sizeof *texts ? texts[kind] : "?";
}

json_t *tuning_json(const tvk_device_info *device)
{
    static tvk_tuning tuning; /* large for a stack */
    tuning_load(device, &tuning);
    return tuning_choices(&tuning);
}

void tuning_print(const tvk_device_info *device)
{
    static tvk_tuning tuning;
    char text[128];
    tuning_load(device, &tuning);
    for (uint32_t i = 0; i < tuning.choice_count; i++) {
        const tvk_tuning_choice *c = &tuning.choices[i];
        printf("   tuned%s: [%u, %u], %u rows: %s %.1f us (untuned %.1f)\n",
               c->exact ? " (exact)" : "", c->n, c->k, c->rows,
               tvk_tuning_choice_text(c, text, sizeof text), c->chosen_ns / 1e3,
               c->default_ns / 1e3);
    }
    for (uint32_t i = 0; i < tuning.count; i++) {
        const tvk_tuning_entry *e = &tuning.entries[i];
        float from = tvk_tuning_break_even(e);
        printf("   zeros: %s [%u, %u]: ", kind_text(e->kind), e->n, e->k);
        if (from > 1)
            printf("skipping is never faster");
        else
            printf("skipping is faster from %.0f %% on", 100 * (double)from);
        printf(" (dense %.1f us; %.1f, %.1f, %.1f us at 30, 60, 90 %%)\n", e->dense_ns / 1e3,
               e->skip_ns[0] / 1e3, e->skip_ns[1] / 1e3, e->skip_ns[2] / 1e3);
    }
}

void tuning_banner(const tvk_model_info *info)
{
    static const char *const names[] = {
        [TVK_SKIP_O] = "attention output", [TVK_SKIP_UP] = "up", [TVK_SKIP_DOWN] = "down"};
    bool any = false;
    for (int i = 0; i < TVK_SKIP_COUNT; i++) {
        if (!info->skip[i].used) continue;
        fprintf(stderr, "%s%s", any ? ", " : "zeros skipped: ", names[i]);
        any = true;
    }
    if (any) fputc('\n', stderr);
    for (int i = 0; engine_given.verbose && i < TVK_SKIP_COUNT; i++)
        fprintf(stderr, "zeros of %s: %s, %.0f %% expected; %s\n", names[i],
                info->skip[i].used ? "skipped" : "not skipped", 100 * (double)info->skip[i].zeros,
                info->skip[i].why);
}
