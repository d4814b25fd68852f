#include "out.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
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

double out_now_ms(void)
{
    return (double)tvk_clock_ns() / 1e6;
}
