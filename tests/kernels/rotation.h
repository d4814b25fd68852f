/* Copies of what a case reads most of, taken in turn: a model comes back to a matrix when others
 * have taken its place in the caches. */
#ifndef TVK_TESTS_KERNELS_ROTATION_H
#define TVK_TESTS_KERNELS_ROTATION_H

#include "tests/kernels/rig.h"

typedef struct tvk_rotation {
    tvk_dispatch_list *lists; /* [count]; the first is the rig's own */
    uint32_t count;
    tvk_buffer **buffers; /* [(count - 1) * inputs] */
    uint32_t buffer_count;
} tvk_rotation;

/* As many copies as it takes to come to so many bytes; 0: only what the rig has. */
tvk_status tvk_rotation_create(const tvk_rig *rig, uint64_t bytes, tvk_rotation *out,
                               tvk_error *err);
void tvk_rotation_free(tvk_rotation *r);

#endif
