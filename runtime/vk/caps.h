/* Facts of one physical device as plain data: read once (snapshot), may be invented by tests, may
 * be lowered by a clamp text. Nothing in here decides anything; plan.h does. */
#ifndef TVK_VK_CAPS_H
#define TVK_VK_CAPS_H

#include "ternvk/device.h"

#define TVK_MAX_HEAPS 16
#define TVK_MAX_MEMORY_TYPES 32
#define TVK_MAX_QUEUE_FAMILIES 16
#define TVK_MAX_COOPMAT 32

typedef enum tvk_subgroup_ops {
    TVK_SUBGROUP_BASIC = 1 << 0,
    TVK_SUBGROUP_VOTE = 1 << 1,
    TVK_SUBGROUP_ARITHMETIC = 1 << 2,
    TVK_SUBGROUP_BALLOT = 1 << 3,
    TVK_SUBGROUP_SHUFFLE = 1 << 4,
    TVK_SUBGROUP_SHUFFLE_RELATIVE = 1 << 5,
    TVK_SUBGROUP_CLUSTERED = 1 << 6
} tvk_subgroup_ops;

typedef struct tvk_memory_heap {
    uint64_t bytes, budget_bytes, used_bytes; /* budget 0: the driver does not tell */
    bool device_local;
} tvk_memory_heap;

typedef struct tvk_memory_type {
    uint32_t heap;
    bool device_local, host_visible, host_coherent, host_cached;
} tvk_memory_type;

typedef struct tvk_queue_family {
    uint32_t count;
    bool compute, graphics, transfer;
    uint32_t timestamp_bits;
} tvk_queue_family;

/* Element types of cooperative matrices that kernels may want; the rest is OTHER. */
typedef enum tvk_coopmat_type {
    TVK_COOPMAT_OTHER = 0,
    TVK_COOPMAT_F16 = 1,
    TVK_COOPMAT_F32 = 2,
    TVK_COOPMAT_BF16 = 3,
    TVK_COOPMAT_S8 = 4,
    TVK_COOPMAT_U8 = 5,
    TVK_COOPMAT_S32 = 6,
    TVK_COOPMAT_U32 = 7
} tvk_coopmat_type;

typedef struct tvk_coopmat_shape {
    uint32_t m, n, k;
    uint8_t a, b, c, result; /* tvk_coopmat_type */
    bool saturating, subgroup_scope;
} tvk_coopmat_shape;

/* What a clamp text may make fail: rows of faults.def. */
typedef enum tvk_fault {
#define TVK_FAULT(key, call, result) TVK_FAULT_##call,
#include "vk/faults.def"
    TVK_FAULT_COUNT
} tvk_fault;

typedef struct tvk_caps {
    char name[256], driver_name[256], driver_info[256];
    uint32_t api_version, driver_version, driver_id, vendor_id, device_id;
    tvk_device_type type;
    uint8_t driver_uuid[16], device_uuid[16];
    /* limits */
    uint32_t max_invocations, max_group_size[3], max_group_count[3];
    uint32_t max_shared_bytes, max_push_bytes, max_storage_buffers;
    uint64_t max_storage_bytes, storage_align, max_alloc_bytes;
    uint32_t max_alloc_count;
    double timestamp_period_ns;
    /* subgroups */
    uint32_t subgroup_size, subgroup_min, subgroup_max, subgroup_ops;
    bool subgroup_compute, subgroup_size_control, subgroup_full, subgroup_required_in_compute;
    uint32_t max_subgroups_per_group;
    /* features */
    bool int8, fp16, storage8, storage16;
    bool dot, dot_signed, dot_mixed; /* extension there; 4x8 packed flags */
    bool cooperative_matrix, memory_model;
    bool memory_budget, host_memory, memory_priority, float_controls, executable_properties,
        portability_subset;
    bool push_all;     /* by a quirk only: programs are not made with parameters */
    bool hide_unified; /* by a clamp only: plan as if no device memory were host-visible */
    uint64_t clamps;   /* of what clamps asked for, a hash; 0: nothing */
    uint32_t faults[TVK_FAULT_COUNT]; /* by a clamp only: calls until it fails, 1: the next one
                                       * does; 0: never */
    uint32_t coopmat_count;
    tvk_coopmat_shape coopmat[TVK_MAX_COOPMAT];
    /* memory and queues */
    uint32_t heap_count, type_count, family_count;
    tvk_memory_heap heaps[TVK_MAX_HEAPS];
    tvk_memory_type types[TVK_MAX_MEMORY_TYPES];
    tvk_queue_family families[TVK_MAX_QUEUE_FAMILIES];
} tvk_caps;

#endif
