/* Private to runtime/vk: the only place where Vulkan types are known. */
#ifndef TVK_VK_INTERNAL_H
#define TVK_VK_INTERNAL_H

#include <volk.h>

#include "base/error.h"
#include "base/log.h"
#include "vk/gpu.h"
#include "vk/plan.h"

/* ---- function tables: nothing global but the loader handle --------------------------------- */

typedef struct tvk_instance_functions {
#define TVK_INSTANCE_FUNCTION(name) PFN_vk##name name;
#define TVK_INSTANCE_OPTIONAL(name) PFN_vk##name name;
#include "vk/functions.def"
} tvk_instance_functions;

typedef struct tvk_device_functions {
#define TVK_DEVICE_FUNCTION(name) PFN_vk##name name;
#define TVK_DEVICE_OPTIONAL(name) PFN_vk##name name;
#include "vk/functions.def"
} tvk_device_functions;

/* ---- instance.c ----------------------------------------------------------------------------- */

/* Must not move while it lives: the messenger points at it. */
typedef struct tvk_instance {
    VkInstance handle;
    tvk_instance_functions vk;
    VkDebugUtilsMessengerEXT messenger;
    bool debug_utils;
    tvk_log log;
    uint32_t messages; /* of the validation layer */
} tvk_instance;

tvk_status tvk_instance_init(tvk_instance *in, const tvk_device_params *params, tvk_error *err);
void tvk_instance_fini(tvk_instance *in);
/* *out is malloc'd; TVK_ERR_NO_DEVICE when there is none. */
tvk_status tvk_instance_devices(const tvk_instance *in, VkPhysicalDevice **out, uint32_t *count,
                                tvk_error *err);

/* ---- snapshot.c, features.c ------------------------------------------------------------------ */

typedef struct tvk_extensions {
#define TVK_EXTENSION(field, name, core) bool field;
#include "vk/extensions.def"
} tvk_extensions;

/* Feature structs of core 1.1 to 1.3 and their extensions, to query and to enable. */
typedef struct tvk_features {
    VkPhysicalDeviceFeatures2 head;
    VkPhysicalDevice16BitStorageFeatures storage16;
    VkPhysicalDevice8BitStorageFeatures storage8;
    VkPhysicalDeviceShaderFloat16Int8Features float16_int8;
    VkPhysicalDeviceVulkanMemoryModelFeatures memory_model;
    VkPhysicalDeviceSubgroupSizeControlFeatures subgroup_size;
    VkPhysicalDeviceShaderIntegerDotProductFeatures dot;
    VkPhysicalDeviceMaintenance4Features maintenance4;
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable;
#ifdef VK_KHR_cooperative_matrix
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR coopmat;
#endif
} tvk_features;

/* Which of extensions.def may be used: `listed` by the device, or `usable` by its version too. */
tvk_status tvk_extensions_read(const tvk_instance *in, VkPhysicalDevice phys, uint32_t api_version,
                               tvk_extensions *listed, tvk_extensions *usable, tvk_error *err);
/* Links the structs that `use` allows; fills in all sType. */
void tvk_features_chain(tvk_features *f, const tvk_extensions *use);
/* Puts a struct in front of the chain behind `head` (any struct with sType and pNext). */
void tvk_chain(void *head, void *link, VkStructureType type);

tvk_status tvk_snapshot(const tvk_instance *in, VkPhysicalDevice phys, tvk_caps *out,
                        tvk_error *err);
/* Refreshes budget_bytes and used_bytes of the heaps. */
void tvk_snapshot_budget(const tvk_instance *in, VkPhysicalDevice phys, tvk_caps *caps);

/* ---- device.c -------------------------------------------------------------------------------- */

#define TVK_FENCES 16

typedef struct tvk_garbage tvk_garbage;
typedef struct tvk_staging tvk_staging;
typedef struct tvk_block tvk_block;

struct tvk_device {
    tvk_instance instance;
    VkPhysicalDevice phys;
    VkDevice handle;
    VkQueue queue;
    tvk_device_functions vk;
    tvk_caps caps;
    tvk_plan plan;
    tvk_device_info info;
    tvk_log log;
    bool lost, inspect;
    char lost_by[48]; /* the call that said so: "QueueSubmit" */
    bool faulty;      /* calls are to fail: those that caps.faults names, or */
    uint32_t fail_in; /* calls until the one that fails; 0: none does */
    VkResult fail_with;
    VkPipelineCache pipeline_cache;
    size_t pipeline_cache_bytes; /* that a caller has, or gave */
    VkDescriptorSetLayout set_layouts[TVK_MAX_BINDINGS + 1];
    /* submit.c: tickets count from 1; fence of ticket t is fences[t % TVK_FENCES] */
    VkFence fences[TVK_FENCES];
    bool fence_used[TVK_FENCES]; /* submitted since its reset */
    uint64_t submitted, completed;
    tvk_garbage *garbage_head, *garbage_tail; /* oldest first */
    /* memory.c */
    tvk_block *blocks;
    uint32_t alloc_count;
    uint64_t heap_used[TVK_MAX_HEAPS];
    tvk_memory_use use;
    tvk_staging *staging; /* made on first use */
};

/* TVK_OK, or TVK_ERR_DEVICE_LOST at once when the device was lost before. */
tvk_status tvk_device_alive(const tvk_device *dev, tvk_error *err);
/* The call, as TVK_VK has it, told that the device is lost; the first one is remembered. */
void tvk_device_lose(tvk_device *dev, const char *call);
void tvk_device_name(tvk_device *dev, VkObjectType type, uint64_t object, const char *name);
#define TVK_NAME(dev, type, handle, name)                                                          \
    tvk_device_name((dev), VK_OBJECT_TYPE_##type, (uint64_t)(handle), (name))

/* enable.c: vkCreateDevice with exactly what the plan uses. */
tvk_status tvk_device_open(tvk_device *dev, tvk_error *err);

/* pipeline_cache.c: an empty one. */
tvk_status tvk_pipeline_cache_create(tvk_device *dev, tvk_error *err);

/* ---- vkerr.c --------------------------------------------------------------------------------- */

const char *tvk_vk_result_name(VkResult result);
/* Fills *err from a failed call; dev (may be NULL) turns lost when the result says so. */
tvk_status tvk_vk_error(tvk_device *dev, VkResult result, const char *call, const char *file,
                        int line, tvk_error *err);

/* "dev->vk.CreateBuffer(...)": its "CreateBuffer". */
const char *tvk_vk_call_name(const char *call, int *length);

/* fault.c: whether caps.faults asks for something. */
void tvk_faults_arm(tvk_device *dev);
/* What this call shall fail with, else VK_SUCCESS. */
VkResult tvk_vk_fault(tvk_device *dev, const char *call);

/* Every fallible Vulkan call passes here. Uses `st`, `err` and `fail:` as TVK_TRY does. */
#define TVK_VK_RESULT(dev, result, call)                                                           \
    do {                                                                                           \
        VkResult vk_result_ = (result);                                                            \
        if (vk_result_ != VK_SUCCESS) {                                                            \
            st = tvk_vk_error((dev), vk_result_, (call), __FILE__, __LINE__, err);                 \
            goto fail;                                                                             \
        }                                                                                          \
    } while (0)
#define TVK_VK(dev, call)                                                                          \
    do {                                                                                           \
        VkResult vk_fault_ = tvk_vk_fault(dev, #call);                                             \
        TVK_VK_RESULT(dev, vk_fault_ == VK_SUCCESS ? (call) : vk_fault_, #call);                   \
    } while (0)

/* ---- memory.c -------------------------------------------------------------------------------- */

typedef struct tvk_slice {
    tvk_block *block; /* NULL: nothing allocated */
    uint64_t offset, bytes;
} tvk_slice;

tvk_status tvk_memory_alloc(tvk_device *dev, uint32_t type, const VkMemoryRequirements *need,
                            const char *what, tvk_purpose purpose, tvk_slice *out, tvk_error *err);
void tvk_memory_free(tvk_device *dev, tvk_slice *slice);
VkDeviceMemory tvk_slice_memory(const tvk_slice *slice);
void *tvk_slice_map(const tvk_slice *slice);
/* Bytes that may still be allocated from a heap. */
uint64_t tvk_memory_available(tvk_device *dev, uint32_t heap);
const char *tvk_purpose_name(tvk_purpose purpose);

/* ---- submit.c -------------------------------------------------------------------------------- */

/* First member of every object whose release waits for the device. */
struct tvk_garbage {
    tvk_garbage *next;
    uint64_t ticket;
    void (*release)(tvk_device *dev, tvk_garbage *self);
};

/* Releases now when the device is idle, else when all that is submitted so far has completed. */
void tvk_garbage_put(tvk_device *dev, tvk_garbage *g,
                     void (*release)(tvk_device *dev, tvk_garbage *self));
void tvk_garbage_collect(tvk_device *dev, bool all);
tvk_status tvk_fences_create(tvk_device *dev, tvk_error *err);
void tvk_fences_destroy(tvk_device *dev);

/* ---- objects --------------------------------------------------------------------------------- */

struct tvk_buffer {
    tvk_garbage garbage;
    tvk_device *device;
    VkBuffer handle;
    tvk_slice slice;
    uint64_t bytes;
    tvk_purpose purpose;
    tvk_memory_kind kind;
    bool counted;
};

struct tvk_program {
    tvk_garbage garbage;
    tvk_device *device;
    VkPipelineLayout layout;
    VkPipeline pipeline;
    VkShaderModule module; /* until it is compiled */
    uint32_t binding_count, push_bytes;
    uint32_t constant_count, fixed_count;
    uint32_t constants[TVK_MAX_CONSTANTS + TVK_MAX_FIXED]; /* the fixed ones behind all others */
    uint32_t subgroup;                                     /* size asked for; 0: any */
    uint64_t compile_ns;
    char name[64];
};

struct tvk_commands {
    tvk_garbage garbage;
    tvk_device *device;
    VkCommandPool pool;
    VkCommandBuffer handle;
    VkDescriptorPool descriptors;
    VkQueryPool queries;
    uint32_t max_dispatches, max_bindings, max_timestamps;
    uint32_t dispatches, bindings; /* recorded so far */
    enum { TVK_COMMANDS_NEW, TVK_COMMANDS_RECORDING, TVK_COMMANDS_READY } state;
    VkPipeline bound;
    unsigned char pushed[TVK_MAX_PUSH_BYTES]; /* if anything is `bound` */
    uint64_t ticket;                          /* of the last submission */
    tvk_error error;                          /* first failure while recording; end returns it */
    char name[64];
};

void tvk_staging_destroy(tvk_device *dev);

#endif
