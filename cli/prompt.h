/* Text given as a word, with -p, or in a file. */
#ifndef TVK_CLI_PROMPT_H
#define TVK_CLI_PROMPT_H

#include <stddef.h>

typedef struct prompt_source {
    const char *word, *text, *file; /* at most one of them */
    char *owned;
    const char *data; /* after prompt_read: the text, "" when none was given */
    size_t bytes;
} prompt_source;

/* Returns the exit status, 0 when done. */
int prompt_read(prompt_source *p);
void prompt_free(prompt_source *p);

/* A whole file ("-": standard input), with a zero behind it; NULL when it cannot be read. */
char *prompt_read_file(const char *path, size_t *bytes);

#endif
