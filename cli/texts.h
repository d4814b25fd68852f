/* Files that the program carries: what kernels include, the style of the report. */
#ifndef TVK_CLI_TEXTS_H
#define TVK_CLI_TEXTS_H

#include <stddef.h>

/* The text of a file by its name without folders, a zero behind it; NULL: not carried. */
const char *text_find(const char *name, size_t *bytes);

#endif
