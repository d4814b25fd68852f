#include "texts.h"

#include <string.h>

#include "texts.inc" /* made by texts.cmake */

const char *text_find(const char *name, size_t *bytes)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].name, name) != 0) continue;
        *bytes = texts[i].size;
        return (const char *)texts[i].bytes;
    }
    return NULL;
}
