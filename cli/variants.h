/* Which rows of the shader manifest a device gets, and why not the others. */
#ifndef TVK_CLI_VARIANTS_H
#define TVK_CLI_VARIANTS_H

#include <jansson.h>

#include "ternvk/device.h"

/* Opens the device that params select. all: every row, else only those that are not base. */
void variants_print(const tvk_device_params *params, bool all);
/* [{"op", "row", "default", "eligible", "why"}] */
json_t *variants_json(const tvk_device_params *params);

#endif
