/* caps -> plan: what of a device is used. A pure function, tested with invented devices. */
#ifndef TVK_VK_PLAN_H
#define TVK_VK_PLAN_H

#include "base/error.h"
#include "vk/caps.h"

/* Capability bits that a row of shaders/manifest.def may ask for (column 4) and that a plan grants.
 */
typedef enum tvk_cap {
    TVK_CAP_NONE = 0,
    TVK_CAP_DOT = 1 << 0,      /* packed 4x8 integer dot product instruction set may be used     */
    TVK_CAP_SUBGROUP = 1 << 1, /* a fixed subgroup size, full subgroups, shuffle and arithmetic */
    TVK_CAP_FP16 = 1 << 2,     /* 16-bit float arithmetic */
    TVK_CAP_INT8 = 1 << 3,
    TVK_CAP_STORAGE16 = 1 << 4,
    TVK_CAP_STORAGE8 = 1 << 5,
    TVK_CAP_COOPMAT_I8 = 1 << 6,  /* cooperative matrices of s8 with sums in s32: coopmat_i8   */
    TVK_CAP_COOPMAT_F16 = 1 << 7, /* the same of f16 with sums in f32: coopmat_f16 */
    TVK_CAP_INEXACT = 1 << 16 /* not a device capability: results differ from ref/ in the last bits;
                               * never granted under --exact */
} tvk_cap;

typedef struct tvk_plan {
    bool usable;
    char why[256];   /* why not: requirement, needed, found */
    uint32_t family; /* compute queue family */
    uint32_t caps;   /* tvk_cap bits that kernels may rely on */
    uint32_t prefer; /* of those, the ones the device accelerates (dot flags, ...) */
    bool dot_signed_fast, dot_mixed_fast;
    uint32_t subgroup_fixed; /* size kernels may rely on (specialization constant); 0: none */
    bool subgroup_require;   /* a size must be asked for at pipeline creation */
    uint32_t registers;      /* words that an invocation keeps in registers, in the largest subgroup
                              * that programs get; 0: as many as any kernel asks for */
    tvk_coopmat_shape coopmat_i8, coopmat_f16; /* shapes to use, of those that are listed */
    uint32_t coopmat_subgroup;                 /* subgroup size of programs that use them */
    uint32_t max_invocations, max_shared_bytes, max_storage_buffers;
    uint64_t max_storage_bytes, storage_align;
    uint32_t device_type, upload_type, readback_type; /* memory type indices */
    uint32_t ring_type;   /* of a small buffer that the host writes and kernels read step by step */
    bool unified;         /* device_type is host-visible: staging is not needed */
    uint64_t block_bytes; /* size of one memory block */
    bool timestamps;
    bool cpu;           /* executes on host cores: lane-per-row kernels suit it */
    bool fixes;         /* programs are made with what a model decides of their parameters */
    uint32_t submit_ms; /* longest that a submission of a step should take; 0: no matter */
    char quirks[256];
} tvk_plan;

void tvk_plan_make(const tvk_caps *caps, tvk_plan *out);

/* Rank for the default choice of a device: higher is better; 0 = unusable. Type first (discrete,
 * integrated, virtual, other, CPU), then device memory. */
uint64_t tvk_plan_rank(const tvk_caps *caps, const tvk_plan *plan);

/* Lowers limits and hides features as a text says ("max_invocations 128" a line, '#' comments).
 * Unknown keys, values above the device's own, and bad numbers are errors that name the line. */
tvk_status tvk_caps_clamp(tvk_caps *caps, const char *text, const char *name, tvk_error *err);

#endif
