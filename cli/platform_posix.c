#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include "platform.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

void platform_start(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
}

const char *platform_environment(const char *name)
{
    return getenv(name);
}

const platform_cache_root platform_cache_roots[] = {
    {"XDG_CACHE_HOME", ""},
#if defined(__APPLE__)
    {"HOME", "/Library/Caches"},
#else
    {"HOME", "/.cache"},
#endif
    {NULL, NULL},
};

bool platform_is_absolute(const char *path)
{
    return path[0] == '/';
}

#if defined(__APPLE__)
static bool program_path(char *path, size_t bytes)
{
    uint32_t room = (uint32_t)bytes;
    return _NSGetExecutablePath(path, &room) == 0;
}
#else
static bool program_path(char *path, size_t bytes)
{
    ssize_t count = readlink("/proc/self/exe", path, bytes);
    if (count <= 0 || (size_t)count >= bytes) return false;
    path[count] = '\0';
    return true;
}
#endif

bool platform_program_folder(char *path, size_t bytes)
{
    char *slash = program_path(path, bytes) ? strrchr(path, '/') : NULL;
    if (slash) *slash = '\0';
    return slash != NULL;
}

bool platform_is_terminal(FILE *f)
{
    return isatty(fileno(f)) != 0;
}

double platform_cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

void platform_sleep_ms(unsigned ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

unsigned long platform_process(void)
{
    return (unsigned long)getpid();
}

platform_library *platform_library_open(const char *name)
{
    return dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

bool platform_library_symbol(platform_library *l, const char *name, void *to, size_t bytes)
{
    void *at = dlsym(l, name);
    if (!at || sizeof at != bytes) return false;
    memcpy(to, &at, sizeof at); /* POSIX: the address of a function fits */
    return true;
}

void platform_library_close(platform_library *l)
{
    if (l) dlclose(l);
}
