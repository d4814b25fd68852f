#include "bundled.h"

#include <stdio.h>

#include "args.h"
#include "base/disk.h"
#include "platform.h"

#define FILE_NAME "stories-b158.gguf"

bool bundled_model(char *path, size_t bytes)
{
    /* beside the program, beside build/, beside build/PRESET/ */
    static const char *const places[] = {"models", "../models", "../../models"};
    const char *folder = args_environment()->models;
    char program[2048];
    if (folder) {
        snprintf(path, bytes, "%s/" FILE_NAME, folder);
        return tvk_path_look(path) == TVK_PATH_FILE;
    }
    if (!platform_program_folder(program, sizeof program)) snprintf(program, sizeof program, ".");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, bytes, "%s/%s/" FILE_NAME, program, places[i]);
        if (tvk_path_look(path) == TVK_PATH_FILE) return true;
    }
    return false;
}
