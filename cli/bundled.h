/* Where the bundled model is. */
#ifndef TVK_CLI_BUNDLED_H
#define TVK_CLI_BUNDLED_H

#include <stdbool.h>
#include <stddef.h>

/* Looks in TERNVK_MODELS, else in models/ beside the program and beside its folder. False: path is
 * the last place that was looked at. */
bool bundled_model(char *path, size_t bytes);

#endif
