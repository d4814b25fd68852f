#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L
#endif
#include "path.h"

#include <stdio.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>

tvk_path_kind tvk_path_look(const char *path)
{
    DWORD found = GetFileAttributesA(path);
    if (found == INVALID_FILE_ATTRIBUTES) return TVK_PATH_NONE;
    return found & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE) ? TVK_PATH_OTHER
                                                                      : TVK_PATH_FILE;
}

#else
#include <errno.h>
#include <sys/stat.h>

tvk_path_kind tvk_path_look(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return errno == ENOENT || errno == ENOTDIR ? TVK_PATH_NONE : TVK_PATH_OTHER;
    return S_ISREG(info.st_mode) ? TVK_PATH_FILE : TVK_PATH_OTHER;
}
#endif

char *tvk_path_join(tvk_arena *arena, const char *folder, const char *name)
{
    size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = tvk_arena_alloc(arena, bytes, 1);
    if (path) snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}
