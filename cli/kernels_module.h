/* A kernel of the user's own that stands in for a row of the manifest: compiled at run time by
 * libshaderc, and looked through before a driver sees it. */
#ifndef TVK_CLI_KERNELS_MODULE_H
#define TVK_CLI_KERNELS_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/kernels/cases.h"

typedef struct kernels_module {
    char name[64];   /* of the file */
    uint32_t row;    /* of the manifest */
    uint32_t *words; /* malloc'd SPIR-V */
    size_t bytes;
} kernels_module;

/* path: GLSL with the bindings, push constants and specialization constants of `row` (a module's
 * name; NULL: the file's name without its suffix), compiled with that row's macros. Includes are
 * looked for beside the file, then in `include`, then among the program's own. Returns an exit
 * status, with what was expected on stderr. */
int kernels_module_compile(const char *path, const char *row, const char *include,
                           kernels_module *out);
/* Does it ask for no more than its row's pipelines have and this device can do? Else a line on
 * stderr. */
bool kernels_module_fits(const kernels_module *module, const tvk_kernels *kernels);
void kernels_module_free(kernels_module *module);

#endif
