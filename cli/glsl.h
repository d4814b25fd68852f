/* GLSL to SPIR-V at run time, where libshaderc is on the machine: it is opened when it is asked
 * for, so that the program neither needs it to be built nor to start. */
#ifndef TVK_CLI_GLSL_H
#define TVK_CLI_GLSL_H

#include <stddef.h>
#include <stdint.h>

/* Compiles a compute kernel as the build does (Vulkan 1.1, for speed). defines: "-DA -DB=1";
 * include: a folder, or NULL. *out is malloc'd. Returns an exit status; the compiler's messages go
 * to stderr. */
int glsl_compile(const char *path, const char *defines, const char *include, uint32_t **out,
                 size_t *bytes);

#endif
