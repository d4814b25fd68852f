#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught;

/* Ctrl-C, the end of a session, a request to stop. */
static const int signals[] = {
    SIGINT,
    SIGTERM,
#ifdef SIGHUP
    SIGHUP,
#endif
};
#define SIGNALS (sizeof signals / sizeof *signals)

static void on_signal(int number)
{
    caught = 1;
    signal(number, SIG_DFL); /* the second one ends the program */
}

static void handle(void (*handler)(int))
{
    for (size_t i = 0; i < SIGNALS; i++)
        if (signal(signals[i], handler) == SIG_IGN) signal(signals[i], SIG_IGN); /* nohup */
}

void interrupt_catch(void)
{
    caught = 0;
    handle(on_signal);
}

void interrupt_release(void)
{
    handle(SIG_DFL);
}

bool interrupted(void)
{
    return caught != 0;
}
