/* Log lines through the caller's callback; a tvk_log of zeros drops everything. */
#ifndef TVK_BASE_LOG_H
#define TVK_BASE_LOG_H

#include "base/error.h"

void tvk_log_print(const tvk_log *log, tvk_log_level level, const char *fmt, ...) TVK_PRINTF(3, 4);

#endif
