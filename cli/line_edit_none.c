/* Built without libedit: lines are read as the terminal gives them. */
#include "line_edit.h"

line_edit *line_edit_open(void)
{
    return NULL;
}

void line_edit_close(line_edit *e)
{
    (void)e;
}

char *line_edit_read(line_edit *e, const char *prompt, size_t *bytes)
{
    (void)e;
    (void)prompt;
    *bytes = 0;
    return NULL;
}
