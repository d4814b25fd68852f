/* Work that is recorded, submitted once and forgotten: uploads, tests. */
#ifndef TVK_GRAPH_ONCE_H
#define TVK_GRAPH_ONCE_H

#include "kernels/kernel.h"

/* Dispatches of the list in order with a barrier before each, every axis counted on the host (no
 * rules). Returns at once; *ticket (may be NULL) says when it is done. The list may be freed. */
tvk_status tvk_once_dispatch(tvk_device *device, const tvk_dispatch_list *list, uint64_t *ticket,
                             tvk_error *err);
tvk_status tvk_once_copy(tvk_device *device, tvk_span src, tvk_span dst, uint64_t *ticket,
                         tvk_error *err);

#endif
