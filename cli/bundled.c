#define _POSIX_C_SOURCE 200809L
#include "bundled.h"

#include <stdio.h>
#include <string.h>

#include "args.h"

#if defined(__linux__)
#include <unistd.h>
#endif

#define FILE_NAME "stories-b158.gguf"

static bool there(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f) fclose(f);
    return f != NULL;
}

bool bundled_model(char *path, size_t bytes)
{
    /* beside the program, beside build/, beside build/PRESET/ */
    static const char *const places[] = {"models", "../models", "../../models"};
    const char *folder = args_environment()->models;
    char program[2048] = "";
    char *slash = NULL;
    if (folder) {
        snprintf(path, bytes, "%s/" FILE_NAME, folder);
        return there(path);
    }
#if defined(__linux__)
    if (readlink("/proc/self/exe", program, sizeof program - 1) > 0) slash = strrchr(program, '/');
#endif
    if (slash)
        *slash = '\0';
    else
        snprintf(program, sizeof program, ".");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, bytes, "%s/%s/" FILE_NAME, program, places[i]);
        if (there(path)) return true;
    }
    return false;
}
