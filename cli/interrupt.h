/* Ctrl-C: the first one asks running work to stop, the second one ends the process. */
#ifndef TVK_CLI_INTERRUPT_H
#define TVK_CLI_INTERRUPT_H

#include <stdbool.h>

void interrupt_catch(void);
bool interrupted(void);

#endif
