#define _POSIX_C_SOURCE 200809L
#include "out.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#if defined(_WIN32)
#include <io.h>
#define isatty _isatty
#define fileno _fileno
#else
#include <unistd.h>
#endif

#include "progress.h"

void out_error(const char *fmt, ...)
{
    va_list args;
    progress_clear();
    fputs("ternvk: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

int out_failed(const tvk_error *err)
{
    out_error("%s", err->text[0] ? err->text : tvk_status_name(err->status));
    return 1;
}

static void on_log(void *user, tvk_log_level level, const char *text)
{
    static const char *const words[] = {"", "warning: ", "", ""};
    (void)user;
    out_error("%s%s", words[level], text);
}

tvk_log out_log(uint32_t verbose)
{
    tvk_log_level level = verbose == 0 ? TVK_LOG_WARN : verbose == 1 ? TVK_LOG_INFO : TVK_LOG_DEBUG;
    return (tvk_log){.fn = on_log, .level = level};
}

const char *out_bytes(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double v = (double)bytes / 1024;
    int unit = 0;
    if (bytes < 1024) {
        snprintf(text, size, "%" PRIu64 " B", bytes);
        return text;
    }
    while (v >= 1024 && unit < 3) {
        v /= 1024;
        unit++;
    }
    snprintf(text, size, v < 10 ? "%.2f %s" : "%.1f %s", v, units[unit]);
    return text;
}

bool out_is_terminal(FILE *f)
{
    return isatty(fileno(f)) != 0;
}

double out_now_ms(void)
{
    struct timespec t;
#if defined(_WIN32)
    timespec_get(&t, TIME_UTC);
#else
    clock_gettime(CLOCK_MONOTONIC, &t);
#endif
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

double out_cpu_ms(void)
{
#if defined(_WIN32)
    return -1;
#else
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
#endif
}
