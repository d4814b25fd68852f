#include "progress.h"

#include <stdio.h>

#include "args.h"
#include "interrupt.h"
#include "out.h"
#include "platform.h"

#define WIDTH 30

/* The terminal's line is one per process, and so is what stands on it. */
static int shown = -1; /* percent on the line; -1: no bar */

static bool on_progress(void *user, const char *what, uint64_t done, uint64_t total)
{
    int percent = total ? (int)((double)done / (double)total * 100) : 100;
    int filled = percent * WIDTH / 100;
    (void)user;
    if (percent != shown) {
        fprintf(stderr, "\r%s [", what);
        for (int i = 0; i < WIDTH; i++) fputc(i < filled ? '#' : '.', stderr);
        fprintf(stderr, "] %3d %%", percent);
        fflush(stderr);
        shown = percent;
    }
    if (done >= total) progress_clear();
    return !interrupted();
}

static bool on_silent_progress(void *user, const char *what, uint64_t done, uint64_t total)
{
    (void)user;
    (void)what;
    (void)done;
    (void)total;
    return !interrupted();
}

tvk_progress progress_bar(void)
{
    bool bar = platform_is_terminal(stderr) && !args_environment()->plain;
    return (tvk_progress){.fn = bar ? on_progress : on_silent_progress};
}

void progress_clear(void)
{
    if (shown < 0) return;
    fputs("\r\033[K", stderr);
    shown = -1;
}
