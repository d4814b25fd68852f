/* What the program asks of the operating system beyond files, threads and time (base/): one file a
 * system, platform_posix.c and platform_windows.c. Text is UTF-8. */
#ifndef TVK_CLI_PLATFORM_H
#define TVK_CLI_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* First of all: from here on arguments are UTF-8, streams carry bytes as they are, and a terminal
 * shows UTF-8 and understands escape sequences. argv stays as long as the process. */
void platform_start(int *argc, char ***argv);

/* A variable of the environment, NULL where it is not set. Stays as long as the process: ask once.
 */
const char *platform_environment(const char *name);
/* Folders for what can be made again: the first variable that holds an absolute path counts, with
 * `below` behind it. Ends with a NULL. */
typedef struct platform_cache_root {
    const char *variable, *below;
} platform_cache_root;
extern const platform_cache_root platform_cache_roots[];
bool platform_is_absolute(const char *path);

/* The folder that the program's file lies in; false: not known, or longer than that. */
bool platform_program_folder(char *path, size_t bytes);
/* Whether a person sees what is written to it, or types what is read from it. */
bool platform_is_terminal(FILE *f);
/* CPU time of the process in milliseconds, all threads. */
double platform_cpu_ms(void);
/* Sleeps; shorter when a signal comes. */
void platform_sleep_ms(unsigned ms);
/* A number that no other process has at this time. */
unsigned long platform_process(void);

/* A shared library as the system searches for it; NULL: not there. */
typedef struct platform_library platform_library;
platform_library *platform_library_open(const char *name);
/* A function's address into *to, a pointer to a function of `bytes` bytes; false: not in it. */
bool platform_library_symbol(platform_library *l, const char *name, void *to, size_t bytes);
/* NULL-safe. */
void platform_library_close(platform_library *l);

#endif
