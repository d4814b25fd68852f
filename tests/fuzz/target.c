#define _POSIX_C_SOURCE 200809L
#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NAMES 16

void fuzz_require(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "promise broken: %s\n", what);
    abort();
}

int fuzz_is_reason(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < 32 || *c == 127 || (*c == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)) return 0;
    return text[0] != 0;
}

static char folder[200];
static char paths[MAX_NAMES][300];
static int path_count;

static void remove_all(void)
{
    for (int i = 0; i < path_count; i++) remove(paths[i]);
    rmdir(folder);
}

static void make_folder(void)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof folder, "%s/ternvk-fuzz-%ld", base, (long)getpid());
    fuzz_require(mkdir(folder, 0700) == 0, "a folder for temporary files");
    atexit(remove_all);
}

const char *fuzz_path(const char *name)
{
    size_t length;
    if (!folder[0]) make_folder();
    length = strlen(folder) + 1;
    for (int i = 0; i < path_count; i++)
        if (strcmp(paths[i] + length, name) == 0) return paths[i];
    fuzz_require(path_count < MAX_NAMES, "room for another name");
    snprintf(paths[path_count], sizeof paths[0], "%s/%s", folder, name);
    return paths[path_count++];
}

const char *fuzz_file(const char *name, const void *data, size_t bytes)
{
    const char *path = fuzz_path(name);
    FILE *f = fopen(path, "wb");
    fuzz_require(f && fwrite(data, 1, bytes, f) == bytes && fclose(f) == 0, "a temporary file");
    return path;
}
