#include "cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/disk.h"
#include "engine.h"
#include "out.h"
#include "platform.h"
#include "prompt.h"
#include "ternvk/tuning.h"

static const struct {
    const char *words, *stem, *suffix;
} kinds[] = {[CACHE_TUNING] = {"tuning record", "tuning", "json"},
             [CACHE_PROGRAMS] = {"compiled kernels", "programs", "bin"}};

/* Where the file lies; false: there is no cache folder. */
static bool path_of(cache_kind kind, const tvk_device_info *device, char *path, size_t bytes)
{
    const char *folder = args_environment()->cache;
    uint64_t hash = 14695981039346656037u; /* FNV-1a: several devices may share a driver */
    int n;
    if (!folder) return false;
    for (const char *c = device->name; *c; c++) hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    for (int i = 0; i < 16; i++) hash = (hash ^ device->driver_uuid[i]) * 1099511628211u;
    hash ^= device->clamps; /* a poorer device is another one */
    n = snprintf(path, bytes, "%s/ternvk/%s-%016" PRIx64 ".%s", folder, kinds[kind].stem, hash,
                 kinds[kind].suffix);
    return n > 0 && (size_t)n < bytes;
}

void cache_note(cache_kind kind, const tvk_device_info *device, const char *what)
{
    char path[2048];
    if (engine_given.verbose && path_of(kind, device, path, sizeof path))
        out_error("%s %s: %s", kinds[kind].words, path, what);
}

char *cache_read(cache_kind kind, const tvk_device_info *device, size_t *bytes)
{
    char path[2048];
    *bytes = 0;
    return path_of(kind, device, path, sizeof path) ? prompt_read_file(path, bytes) : NULL;
}

/* The folders above a file. What cannot be made shows when the file is opened. */
static void make_folders(char *path)
{
    for (char *at = path + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        tvk_disk_folder(path);
        *at = '/';
    }
}

void cache_write(cache_kind kind, const tvk_device_info *device, const void *data, size_t bytes)
{
    char path[2048], beside[2080];
    FILE *f;
    bool written;
    tvk_error err;
    if (!path_of(kind, device, path, sizeof path)) return;
    make_folders(path);
    snprintf(beside, sizeof beside, "%s.%lu", path, platform_process());
    f = tvk_disk_open(beside, TVK_DISK_WRITE);
    written = f && fwrite(data, 1, bytes, f) == bytes;
    if (f && fclose(f) != 0) written = false;
    if (!written)
        cache_note(kind, device, strerror(errno));
    else if (tvk_disk_replace(beside, path, &err) == TVK_OK)
        return;
    else
        cache_note(kind, device, err.text);
    if (f) tvk_disk_remove(beside);
}

/* Programs of models and contexts that are not used any more stay in the file until then. A model
 * that is tuned keeps some 6 MB on an H200. */
#define MOST_PROGRAMS (64u << 20)

void cache_programs_load(tvk_device *device)
{
    const tvk_device_info *info = tvk_device_get_info(device);
    size_t bytes;
    char *data = cache_read(CACHE_PROGRAMS, info, &bytes);
    tvk_error err;
    if (bytes > MOST_PROGRAMS)
        cache_note(CACHE_PROGRAMS, info, "more than 64 MiB: begun anew");
    else if (data &&
             tvk_device_programs_put(device, data, bytes, tvk_tuning_version(), &err) != TVK_OK)
        cache_note(CACHE_PROGRAMS, info, err.text);
    free(data);
}

void cache_programs_save(tvk_device *device)
{
    const tvk_device_info *info = tvk_device_get_info(device);
    void *data;
    size_t bytes;
    tvk_error err;
    if (tvk_device_programs_get(device, tvk_tuning_version(), &data, &bytes, &err) != TVK_OK)
        cache_note(CACHE_PROGRAMS, info, err.text);
    else if (data)
        cache_write(CACHE_PROGRAMS, info, data, bytes);
    free(data);
}
