/* Editing of a line on a terminal, with history: libedit behind three functions. */
#ifndef TVK_CLI_LINE_EDIT_H
#define TVK_CLI_LINE_EDIT_H

#include <stddef.h>

typedef struct line_edit line_edit;

/* NULL: the terminal cannot do it. */
line_edit *line_edit_open(void);
void line_edit_close(line_edit *e);
/* As line_read. */
char *line_edit_read(line_edit *e, const char *prompt, size_t *bytes);

#endif
