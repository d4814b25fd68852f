/* Files of the operating system: platform_posix.c, platform_windows.c. Paths are UTF-8 everywhere.
 */
#ifndef TVK_BASE_DISK_H
#define TVK_BASE_DISK_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

typedef enum tvk_path_kind {
    TVK_PATH_NONE,
    TVK_PATH_FILE, /* a regular one */
    TVK_PATH_OTHER /* a folder, a device, or what may not be looked at */
} tvk_path_kind;

/* Opens nothing: a pipe would wait for its writer. Links are followed. */
tvk_path_kind tvk_path_look(const char *path);

typedef enum tvk_disk_mode {
    TVK_DISK_READ,
    TVK_DISK_WRITE, /* made, or emptied */
    TVK_DISK_NEW    /* made; errno is EEXIST where there is something already */
} tvk_disk_mode;

/* fopen for bytes: line ends stay as they are. NULL, with the reason in errno. */
FILE *tvk_disk_open(const char *path, tvk_disk_mode mode);
/* What was written is on the disk; false, with the reason in errno. */
bool tvk_disk_sync(FILE *f);
/* `from` takes the place of `to` at once: whoever opens `to` finds the old file or the new one.
 * Errors: TVK_ERR_IO; on Windows also where somebody has `to` open or mapped. */
tvk_status tvk_disk_replace(const char *from, const char *to, tvk_error *err);
void tvk_disk_remove(const char *path);
/* One folder, for its owner alone; what is there already stays. */
void tvk_disk_folder(const char *path);

/* A file mapped for reading. Another process that shortens the file while it is mapped makes reads
 * past its new end fail with a signal: that is the operating system's contract, not ours (Windows
 * does not let it). */
typedef struct tvk_mapping {
    const unsigned char *data;
    size_t size;
} tvk_mapping;

/* An empty file gives size 0. Errors: TVK_ERR_IO with the system's reason. */
tvk_status tvk_mapping_open(const char *path, tvk_mapping *out, tvk_error *err);
void tvk_mapping_close(tvk_mapping *mapping);

/* Bytes [data, data + bytes) of a mapped file are not needed soon: the system may take their memory
 * back. They stay readable. */
void tvk_mapping_drop(const void *data, size_t bytes);

#endif
