/* Ctrl-C: the first one asks running work to stop, the second one ends the process. */
#ifndef TVK_CLI_INTERRUPT_H
#define TVK_CLI_INTERRUPT_H

#include <stdbool.h>

/* Also: forgets one that was caught. */
void interrupt_catch(void);
/* From here on the first one ends the process. */
void interrupt_release(void);
bool interrupted(void);

#endif
