/* Measures kernels on a device: each checked against the CPU reference, then timed. */
#ifndef TVK_CLI_KERNELS_RUN_H
#define TVK_CLI_KERNELS_RUN_H

#include "kernels_data.h"
#include "kernels_request.h"
#include "ternvk/device.h"

/* The device's facts and its measured peaks. Returns an exit status. */
int kernels_setup_of(tvk_device *device, const kernels_request *request, kernels_setup *out);
/* Adds row after row to `out`, whose setup is there; after each one on_row (false: stop) is called.
 * Returns an exit status: 1 when a result was wrong, something failed or Ctrl-C ended it. */
typedef bool kernels_on_row(void *user, const kernels_result *so_far);
int kernels_measure(tvk_device *device, const kernels_request *request, kernels_result *out,
                    kernels_on_row *on_row, void *user);

#endif
