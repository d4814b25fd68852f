/* A file that is there whole or not at all: written beside, then renamed over what was there. */
#ifndef TVK_CLI_REPLACE_H
#define TVK_CLI_REPLACE_H

#include <stdbool.h>
#include <stdio.h>

typedef struct replace {
    FILE *file; /* to write to; NULL: could not be opened */
    char path[4096], beside[4104];
} replace;

/* False, with a line on stderr: nothing can be written there. */
bool replace_begin(replace *r, const char *path);
/* Closes and renames. keep false, or anything that could not be written: what was there stays. */
bool replace_end(replace *r, bool keep);

#endif
