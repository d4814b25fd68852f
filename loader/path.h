/* Paths of files. */
#ifndef TVK_LOADER_PATH_H
#define TVK_LOADER_PATH_H

#include "base/arena.h"

/* "folder/name"; NULL when malloc fails. */
char *tvk_path_join(tvk_arena *arena, const char *folder, const char *name);

#endif
