/* Lines from a person or a script. A person can edit the line and call earlier ones back. */
#ifndef TVK_CLI_LINE_H
#define TVK_CLI_LINE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct line_reader line_reader;

/* Reads stdin; prompts and echo go to stderr. NULL: out of memory. */
line_reader *line_open(void);
void line_close(line_reader **reader);
/* Whether a person types: prompts are shown then. */
bool line_interactive(const line_reader *r);

/* A line without its end, malloc'd, with a zero behind its *bytes bytes; NULL: the input is over,
 * or Ctrl-C. Interactive: the prompt is shown first. */
char *line_read(line_reader *r, const char *prompt, size_t *bytes);

/* One line, or several: those that end in a backslash and the one behind them, or those between
 * triple quotes. malloc'd; NULL as line_read. */
char *line_read_message(line_reader *r, size_t *bytes);

#endif
