/* Paths of files. */
#ifndef TVK_LOADER_PATH_H
#define TVK_LOADER_PATH_H

#include "base/arena.h"

typedef enum tvk_path_kind {
    TVK_PATH_NONE,
    TVK_PATH_FILE, /* a regular one */
    TVK_PATH_OTHER /* a folder, a device, or what may not be looked at */
} tvk_path_kind;

/* Opens nothing: a pipe would wait for its writer. Links are followed. */
tvk_path_kind tvk_path_look(const char *path);
/* "folder/name"; NULL when malloc fails. */
char *tvk_path_join(tvk_arena *arena, const char *folder, const char *name);

#endif
