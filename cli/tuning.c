#define _POSIX_C_SOURCE 200809L
#include "tuning.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "engine.h"
#include "out.h"
#include "progress.h"
#include "prompt.h"

#if !defined(_WIN32)
#include <sys/stat.h>
#include <unistd.h>
#endif

/* A line about the record, at -v. */
static void note(const char *path, const char *what)
{
    if (engine_given.verbose) out_error("tuning record %s: %s", path, what);
}

bool tuning_path(const tvk_device_info *device, char *path, size_t bytes)
{
    const char *folder = args_environment()->cache, *home = args_environment()->home;
    uint64_t hash = 14695981039346656037u; /* FNV-1a: several devices may share a driver */
    int n;
    for (const char *c = device->name; *c; c++) hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    for (int i = 0; i < 16; i++) hash = (hash ^ device->driver_uuid[i]) * 1099511628211u;
    if (folder && folder[0] == '/')
        n = snprintf(path, bytes, "%s/ternvk/tuning-%016" PRIx64 ".json", folder, hash);
    else if (home && home[0] == '/')
        n = snprintf(path, bytes, "%s/.cache/ternvk/tuning-%016" PRIx64 ".json", home, hash);
    else
        return false;
    return n > 0 && (size_t)n < bytes;
}

void tuning_load(const tvk_device_info *device, tvk_tuning *out)
{
    char path[2048], why[160];
    size_t bytes;
    char *text;
    out->count = 0;
    if (!tuning_path(device, path, sizeof path)) return;
    text = prompt_read_file(path, &bytes);
    if (!text) return;
    if (!tuning_parse(text, bytes, device, tvk_tuning_version(), out, why, sizeof why))
        note(path, why);
    free(text);
}

/* The folders above a file. */
static void make_folders(char *path)
{
#if !defined(_WIN32)
    for (char *at = path + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(path, 0700); /* there already, or the file cannot be made either */
        *at = '/';
    }
#else
    (void)path;
#endif
}

/* Written beside and renamed: a reader finds the old record or the new one. */
static void save(const tvk_device_info *device, const tvk_tuning *tuning)
{
    char path[2048], beside[2080];
    char *text;
    FILE *f;
    bool written;
    long process = 0;
    if (!tuning_path(device, path, sizeof path)) return;
    text = tuning_text(device, tvk_tuning_version(), tuning);
    make_folders(path);
#if !defined(_WIN32)
    process = (long)getpid();
#endif
    snprintf(beside, sizeof beside, "%s.%ld", path, process);
    f = text ? fopen(beside, "wb") : NULL;
    written = f && fputs(text, f) >= 0 && fputc('\n', f) >= 0;
    if (f && fclose(f) != 0) written = false;
    if (!written || rename(beside, path) != 0) {
        note(path, strerror(errno));
        if (f) remove(beside);
    }
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

static const char *kind_text(tvk_tuning_kind kind)
{
    static const char *const texts[] = {"inputs of", "gates of (INT8)", "gates of (INT4)",
                                        "gates of (FP4)"};
    return (unsigned)kind < sizeof texts / sizeof *texts ? texts[kind] : "?";
}

void tuning_print(const tvk_device_info *device)
{
    static tvk_tuning tuning; /* large for a stack */
    tuning_load(device, &tuning);
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
