#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

void tvk_log_print(const tvk_log *log, tvk_log_level level, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    if (!log || !log->fn || level > log->level) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    tvk_text_clean(text);
    log->fn(log->user, level, text);
}
