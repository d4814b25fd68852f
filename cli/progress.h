/* A bar on stderr for long work, when stderr is a terminal. */
#ifndef TVK_CLI_PROGRESS_H
#define TVK_CLI_PROGRESS_H

#include "ternvk/base.h"

/* Cancels the work after Ctrl-C (interrupt.h). */
tvk_progress progress_bar(void);
/* Removes a bar that stands on the line. */
void progress_clear(void);

#endif
