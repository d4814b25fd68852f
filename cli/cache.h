/* Files under the user's cache folder (platform_cache_roots), one of a kind for each device and
 * driver. What cannot be read or written is said at -v, in one line, and done without. */
#ifndef TVK_CLI_CACHE_H
#define TVK_CLI_CACHE_H

#include "ternvk/device.h"

typedef enum cache_kind {
    CACHE_TUNING = 0,  /* what was measured */
    CACHE_PROGRAMS = 1 /* kernels as the driver compiled them */
} cache_kind;

/* All of the file, malloc'd, with a zero behind it; NULL: there is none. */
char *cache_read(cache_kind kind, const tvk_device_info *device, size_t *bytes);
/* Written beside and renamed: a reader finds the old file or the new one. */
void cache_write(cache_kind kind, const tvk_device_info *device, const void *data, size_t bytes);
/* A line about the file, at -v. */
void cache_note(cache_kind kind, const tvk_device_info *device, const char *what);

/* The device gets the programs that are kept for it. */
void cache_programs_load(tvk_device *device);
/* Keeps them where there are more now. */
void cache_programs_save(tvk_device *device);

#endif
