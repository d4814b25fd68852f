/* Results as one HTML page that needs nothing else: facts, rooflines, charts and tables, devices
 * side by side. */
#ifndef TVK_CLI_KERNELS_REPORT_H
#define TVK_CLI_KERNELS_REPORT_H

#include "kernels_data.h"

/* Written beside and renamed. False, with a line on stderr: it could not be written. */
bool kernels_report(const char *path, const kernels_result *results, size_t count);

#endif
