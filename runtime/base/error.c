#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *tvk_version(void)
{
    return TVK_VERSION_STRING;
}

const char *tvk_status_name(tvk_status status)
{
    static const char *const names[] = {
        "ok",          "bad argument",   "out of host memory", "out of device memory",
        "i/o error",   "broken file",    "unsupported",        "no device",
        "device lost", "internal error", "cancelled",
    };
    size_t i = (size_t)status;
    return i < sizeof names / sizeof *names ? names[i] : "unknown status";
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

tvk_status tvk_error_set(tvk_error *err, tvk_status status, const char *file, int line,
                         const char *fmt, ...)
{
    if (err) {
        va_list args;
        err->status = status;
        err->file = base_name(file);
        err->line = line;
        va_start(args, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, args);
        va_end(args);
        tvk_text_clean(err->text);
    }
    return status;
}
