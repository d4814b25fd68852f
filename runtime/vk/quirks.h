/* Known faults and understatements of drivers: rows in quirks.def, applied by the plan. */
#ifndef TVK_VK_QUIRKS_H
#define TVK_VK_QUIRKS_H

#include "vk/caps.h"

/* VkDriverId values that rows name; snapshot.c checks them against the headers. */
#define TVK_DRIVER_INTEL_MESA 6u
#define TVK_DRIVER_LLVMPIPE 13u
#define TVK_DRIVER_TURNIP 18u

/* which plan.c names; old headers do not have them */
#define TVK_DRIVER_NVK 24u
#define TVK_DRIVER_HONEYKRISP 26u

/* What a row does to the facts before the plan looks at them. */
typedef enum tvk_quirk_action {
    TVK_QUIRK_NO_COOPMAT = 0,
    TVK_QUIRK_NO_REQUIRED_SUBGROUP = 1,
    TVK_QUIRK_DOT_FAST = 2,   /* signed and mixed forms are native whatever the flags say */
    TVK_QUIRK_GROUPS_256 = 3, /* workgroups of at most 256 invocations */
    TVK_QUIRK_PUSH_ALL = 4    /* programs are not made with parameters */
} tvk_quirk_action;

/* Changes *caps and writes what was done and why ("" when no row matches). */
void tvk_quirks_apply(tvk_caps *caps, char *text, size_t text_bytes);

#endif
