#include "path.h"

#include <stdio.h>
#include <string.h>

char *tvk_path_join(tvk_arena *arena, const char *folder, const char *name)
{
    size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = tvk_arena_alloc(arena, bytes, 1);
    if (path) snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}
