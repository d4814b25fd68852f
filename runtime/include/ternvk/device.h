/* ternvk: Vulkan devices, without a Vulkan type in sight. */
#ifndef TERNVK_DEVICE_H
#define TERNVK_DEVICE_H

#include "ternvk/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tvk_device_type {
    TVK_DEVICE_OTHER = 0,
    TVK_DEVICE_INTEGRATED = 1,
    TVK_DEVICE_DISCRETE = 2,
    TVK_DEVICE_VIRTUAL = 3,
    TVK_DEVICE_CPU = 4
} tvk_device_type;

/* What a device is and what ternvk will use of it. Plain data. A limit of 0: not supported. */
typedef struct tvk_device_info {
    uint32_t index; /* as --device takes it; order of enumeration */
    char name[256];
    char driver[256];     /* driver name and its version text */
    uint32_t api_version; /* VK_MAKE_API_VERSION encoding */
    uint32_t vendor_id, device_id;
    tvk_device_type type;
    uint8_t driver_uuid[16];
    uint64_t clamps; /* names what clamps asked for, line by line; 0: nothing */
    bool usable;     /* false: `why` says what is missing */
    char why[256];
    bool unified_memory;        /* device memory is host memory: no staging */
    uint64_t device_bytes;      /* size of the device-local heap */
    uint64_t available_bytes;   /* budget minus use where the driver tells, else the heap */
    uint64_t max_storage_bytes; /* largest range one kernel binding may have */
    uint32_t subgroup_size, subgroup_min, subgroup_max;
    uint32_t subgroup_fixed; /* size that kernels may rely on; 0: none */
    uint32_t max_invocations, max_shared_bytes;
    bool fp16, int8, storage8, storage16;
    bool dot_signed, dot_mixed; /* 4x8 packed dot product, fast by the device's own word */
    bool cooperative_matrix;
    double timestamp_period_ns; /* 0: no timestamps */
    uint32_t submit_ms;         /* a submission of a step is to take no longer; 0: no matter */
    char quirks[256];           /* what the quirk table changed, and why; "" mostly */
} tvk_device_info;

#define TVK_SUBMIT_ANY UINT32_MAX

/* All zero: the best device, nothing clamped, no log. */
typedef struct tvk_device_params {
    const char *select;      /* device number, or a part of its name (any case); NULL: the best
                              * one: discrete, integrated, virtual, other, CPU; borrowed for the
                              * call */
    const char *clamps;      /* text that lowers limits and hides features (docs/formats.md,
                              * "clamp file"); NULL: none; borrowed for the call */
    const char *clamps_name; /* name for messages about it; NULL: "clamps" */
    uint32_t submit_ms;      /* longest time of a submission, 1 to 10000 ms: steps are measured when
                              * a model is made, and cut. 0: 100 ms on devices that may share the
                              * display's queue (neither discrete nor CPU), else as TVK_SUBMIT_ANY:
                              * a step is one submission */
    tvk_log log;             /* copied */
    bool validate; /* turn on the Khronos validation layer where it is installed; its messages reach
                    * the log as errors and are counted */
    bool validate_device; /* with it: the layer's checks inside of kernels (GPU-assisted: every
                           * access of a buffer), in place of those on the host */
    bool inspect; /* have the driver keep what its compiler made of each kernel, where it can: for
                   * looking at kernels, not for speed */
} tvk_device_params;

/* Thread safety: one thread at a time, with all models and sessions made on it. */
typedef struct tvk_device tvk_device;

/* Every Vulkan device of the machine, usable or not; *out is malloc'd, release with free().
 * Errors: TVK_ERR_NO_DEVICE when there is no Vulkan loader or no driver. Since: 0.1 */
TVK_API tvk_status tvk_device_list(const tvk_device_params *params, tvk_device_info **out,
                                   uint32_t *count, tvk_error *err);

/* Errors: TVK_ERR_NO_DEVICE (nothing there, nothing matches), TVK_ERR_UNSUPPORTED (there, but
 * refused: the text says which requirement fails), TVK_ERR_ARG (clamps text). Since: 0.1 */
TVK_API tvk_status tvk_device_create(const tvk_device_params *params, tvk_device **out,
                                     tvk_error *err);
/* Waits for the device, frees everything. Models must be gone, sessions too, or be detached.
 * NULL-safe; of a lost device too. */
TVK_API void tvk_device_destroy(tvk_device **device);

/* Lives as long as the device. Since: 0.1 */
TVK_API const tvk_device_info *tvk_device_get_info(const tvk_device *device);

/* Purposes that device memory is counted by. */
typedef enum tvk_purpose {
    TVK_PURPOSE_WEIGHTS = 0,
    TVK_PURPOSE_KV = 1,
    TVK_PURPOSE_SCRATCH = 2,
    TVK_PURPOSE_STATE = 3,
    TVK_PURPOSE_STAGING = 4,
    TVK_PURPOSE_COUNT
} tvk_purpose;

/* Bytes now held by buffers of each purpose, and of the blocks that hold them all. Since: 0.1 */
typedef struct tvk_memory_use {
    uint64_t by_purpose[TVK_PURPOSE_COUNT];
    uint64_t blocks;
} tvk_memory_use;
TVK_API void tvk_device_memory(const tvk_device *device, tvk_memory_use *out);

/* ---- compiled kernels, for a caller who keeps them between runs ---- */

/* Gives a device, while there is no model on it, what tvk_device_programs_get returned in an
 * earlier run, so that its driver compiles less. tag: the caller's, of what the bytes are for
 * (tvk_tuning_version() names the kernels); bytes are copied.
 * Errors: TVK_ERR_FORMAT, with the reason, for bytes that are cut, damaged, or of another device,
 * driver or tag: the device is as before and may be used. Since: 0.1 */
TVK_API tvk_status tvk_device_programs_put(tvk_device *device, const void *bytes, size_t size,
                                           uint64_t tag, tvk_error *err);
/* All that the driver has compiled: *out is malloc'd, release with free(); NULL and 0 when nothing
 * came to what was put in or last returned. After tvk_model_destroy, to have those too that
 * tvk_model_tune_kernels did not wait for. Since: 0.1 */
TVK_API tvk_status tvk_device_programs_get(tvk_device *device, uint64_t tag, void **out,
                                           size_t *size, tvk_error *err);

/* Messages of the validation layer so far (0 when it is off). Since: 0.1 */
TVK_API uint32_t tvk_device_validation_messages(const tvk_device *device);

#ifdef __cplusplus
}
#endif
#endif
