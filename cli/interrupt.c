#include "interrupt.h"

#include <signal.h>

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = 1;
    signal(number, SIG_DFL);
}

void interrupt_catch(void)
{
    caught = 0;
    signal(SIGINT, on_signal);
}

void interrupt_release(void)
{
    signal(SIGINT, SIG_DFL);
}

bool interrupted(void)
{
    return caught != 0;
}
