#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vk/internal.h"
#include "vk/quirks.h"

_Static_assert(TVK_DRIVER_INTEL_MESA == VK_DRIVER_ID_INTEL_OPEN_SOURCE_MESA,
               "quirk table: driver id");
_Static_assert(TVK_DRIVER_LLVMPIPE == VK_DRIVER_ID_MESA_LLVMPIPE, "quirk table: driver id");
_Static_assert(TVK_DRIVER_TURNIP == VK_DRIVER_ID_MESA_TURNIP, "quirk table: driver id");

static void copy_text(char *dst, size_t bytes, const char *src)
{
    snprintf(dst, bytes, "%s", src);
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static tvk_device_type type_of(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return TVK_DEVICE_INTEGRATED;
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return TVK_DEVICE_DISCRETE;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return TVK_DEVICE_VIRTUAL;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return TVK_DEVICE_CPU;
    default:
        return TVK_DEVICE_OTHER;
    }
}

/* What every version reports. */
static void read_core(const tvk_instance *in, VkPhysicalDevice phys, tvk_caps *out)
{
    VkPhysicalDeviceProperties props;
    const VkPhysicalDeviceLimits *l = &props.limits;
    memset(&props, 0, sizeof props);
    in->vk.GetPhysicalDeviceProperties(phys, &props);
    copy_text(out->name, sizeof out->name, props.deviceName);
    out->api_version = props.apiVersion;
    out->driver_version = props.driverVersion;
    out->vendor_id = props.vendorID;
    out->device_id = props.deviceID;
    out->type = type_of(props.deviceType);
    out->max_invocations = l->maxComputeWorkGroupInvocations;
    for (int i = 0; i < 3; i++) {
        out->max_group_size[i] = l->maxComputeWorkGroupSize[i];
        out->max_group_count[i] = l->maxComputeWorkGroupCount[i];
    }
    out->max_shared_bytes = l->maxComputeSharedMemorySize;
    out->max_push_bytes = l->maxPushConstantsSize;
    out->max_storage_buffers =
        min_u32(l->maxPerStageDescriptorStorageBuffers, l->maxDescriptorSetStorageBuffers);
    out->max_storage_bytes = l->maxStorageBufferRange;
    out->storage_align = l->minStorageBufferOffsetAlignment;
    out->max_alloc_count = l->maxMemoryAllocationCount;
    out->timestamp_period_ns = (double)l->timestampPeriod;
}

static void read_queues(const tvk_instance *in, VkPhysicalDevice phys, tvk_caps *out)
{
    VkQueueFamilyProperties props[TVK_MAX_QUEUE_FAMILIES];
    uint32_t count = TVK_MAX_QUEUE_FAMILIES;
    memset(props, 0, sizeof props);
    in->vk.GetPhysicalDeviceQueueFamilyProperties(phys, &count, props);
    out->family_count = min_u32(count, TVK_MAX_QUEUE_FAMILIES);
    for (uint32_t i = 0; i < out->family_count; i++) {
        VkQueueFlags flags = props[i].queueFlags;
        out->families[i] = (tvk_queue_family){
            .count = props[i].queueCount,
            .compute = (flags & VK_QUEUE_COMPUTE_BIT) != 0,
            .graphics = (flags & VK_QUEUE_GRAPHICS_BIT) != 0,
            /* Compute and graphics queues copy even when they do not say so. */
            .transfer = (flags & (VK_QUEUE_TRANSFER_BIT | VK_QUEUE_COMPUTE_BIT |
                                  VK_QUEUE_GRAPHICS_BIT)) != 0,
            .timestamp_bits = props[i].timestampValidBits,
        };
    }
}

static void read_memory(const tvk_instance *in, VkPhysicalDevice phys, tvk_caps *out)
{
    /* Types with any other property (protected, lazily allocated, uncached, ...) need care or
     * features of their own: they stay in the list without a use. */
    const VkMemoryPropertyFlags plain =
        VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
        VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    VkPhysicalDeviceMemoryProperties props;
    memset(&props, 0, sizeof props);
    in->vk.GetPhysicalDeviceMemoryProperties(phys, &props);
    out->heap_count = min_u32(props.memoryHeapCount, TVK_MAX_HEAPS);
    for (uint32_t i = 0; i < out->heap_count; i++) {
        out->heaps[i].bytes = props.memoryHeaps[i].size;
        out->heaps[i].device_local =
            (props.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0;
    }
    out->type_count = min_u32(props.memoryTypeCount, TVK_MAX_MEMORY_TYPES);
    for (uint32_t i = 0; i < out->type_count; i++) {
        VkMemoryPropertyFlags flags = props.memoryTypes[i].propertyFlags;
        out->types[i].heap = props.memoryTypes[i].heapIndex;
        if ((flags & ~plain) != 0) continue;
        out->types[i].device_local = (flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT) != 0;
        out->types[i].host_visible = (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) != 0;
        out->types[i].host_coherent = (flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != 0;
        out->types[i].host_cached = (flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT) != 0;
    }
}

void tvk_snapshot_budget(const tvk_instance *in, VkPhysicalDevice phys, tvk_caps *caps)
{
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget;
    VkPhysicalDeviceMemoryProperties2 props;
    if (!caps->memory_budget) return;
    memset(&budget, 0, sizeof budget);
    memset(&props, 0, sizeof props);
    props.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
    tvk_chain(&props, &budget, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT);
    in->vk.GetPhysicalDeviceMemoryProperties2(phys, &props);
    for (uint32_t i = 0; i < caps->heap_count; i++) {
        caps->heaps[i].budget_bytes = budget.heapBudget[i];
        caps->heaps[i].used_bytes = budget.heapUsage[i];
    }
}

static void read_features(const tvk_instance *in, VkPhysicalDevice phys, const tvk_extensions *use,
                          tvk_caps *out)
{
    tvk_features f;
    memset(&f, 0, sizeof f);
    tvk_features_chain(&f, use);
    in->vk.GetPhysicalDeviceFeatures2(phys, &f.head);
    out->storage16 = f.storage16.storageBuffer16BitAccess;
    out->storage8 = f.storage8.storageBuffer8BitAccess;
    out->int8 = f.float16_int8.shaderInt8;
    out->fp16 = f.float16_int8.shaderFloat16;
    out->memory_model =
        f.memory_model.vulkanMemoryModel && f.memory_model.vulkanMemoryModelDeviceScope;
    out->subgroup_size_control = f.subgroup_size.subgroupSizeControl;
    out->subgroup_full = f.subgroup_size.computeFullSubgroups;
    out->dot = f.dot.shaderIntegerDotProduct;
#ifdef VK_KHR_cooperative_matrix
    out->cooperative_matrix = f.coopmat.cooperativeMatrix;
#endif
    out->memory_budget = use->memory_budget;
    out->memory_priority = use->memory_priority;
    out->host_memory = use->host_memory;
    out->float_controls = use->float_controls;
    out->executable_properties = f.executable.pipelineExecutableInfo;
    out->portability_subset = use->portability_subset;
}

static void read_properties(const tvk_instance *in, VkPhysicalDevice phys,
                            const tvk_extensions *use, tvk_caps *out)
{
    struct {
        VkPhysicalDeviceProperties2 head;
        VkPhysicalDeviceIDProperties id;
        VkPhysicalDeviceSubgroupProperties subgroup;
        VkPhysicalDeviceMaintenance3Properties maintenance3;
        VkPhysicalDeviceMaintenance4Properties maintenance4;
        VkPhysicalDeviceDriverProperties driver;
        VkPhysicalDeviceSubgroupSizeControlProperties size;
        VkPhysicalDeviceShaderIntegerDotProductProperties dot;
    } p;
    memset(&p, 0, sizeof p);
    p.head.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
    tvk_chain(&p.head, &p.id, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES);
    tvk_chain(&p.head, &p.subgroup, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES);
    tvk_chain(&p.head, &p.maintenance3, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES);
    if (use->maintenance4)
        tvk_chain(&p.head, &p.maintenance4,
                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES);
    if (use->driver_properties)
        tvk_chain(&p.head, &p.driver, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES);
    if (use->subgroup_size_control)
        tvk_chain(&p.head, &p.size,
                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES);
    if (use->dot)
        tvk_chain(&p.head, &p.dot,
                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES);
    in->vk.GetPhysicalDeviceProperties2(phys, &p.head);

    memcpy(out->driver_uuid, p.id.driverUUID, sizeof out->driver_uuid);
    memcpy(out->device_uuid, p.id.deviceUUID, sizeof out->device_uuid);
    out->driver_id = (uint32_t)p.driver.driverID;
    copy_text(out->driver_name, sizeof out->driver_name, p.driver.driverName);
    copy_text(out->driver_info, sizeof out->driver_info, p.driver.driverInfo);
    out->max_alloc_bytes = p.maintenance3.maxMemoryAllocationSize;
    if (p.maintenance4.maxBufferSize > 0 && p.maintenance4.maxBufferSize < out->max_alloc_bytes)
        out->max_alloc_bytes = p.maintenance4.maxBufferSize;
    out->subgroup_size = p.subgroup.subgroupSize;
    out->subgroup_ops = p.subgroup.supportedOperations; /* same bits as tvk_subgroup_ops */
    out->subgroup_compute = (p.subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0;
    /* Without the size control properties nothing but the one size is known. */
    out->subgroup_min = p.size.minSubgroupSize > 0 ? p.size.minSubgroupSize : out->subgroup_size;
    out->subgroup_max = p.size.maxSubgroupSize > 0 ? p.size.maxSubgroupSize : out->subgroup_size;
    out->subgroup_required_in_compute =
        (p.size.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0;
    out->max_subgroups_per_group = p.size.maxComputeWorkgroupSubgroups;
    out->dot_signed = p.dot.integerDotProduct4x8BitPackedSignedAccelerated;
    out->dot_mixed = p.dot.integerDotProduct4x8BitPackedMixedSignednessAccelerated;
}

#ifdef VK_KHR_cooperative_matrix
static uint8_t coopmat_type(VkComponentTypeKHR type)
{
    /* As numbers: bfloat16 came later than the extension. */
    switch ((int)type) {
    case 0:
        return TVK_COOPMAT_F16;
    case 1:
        return TVK_COOPMAT_F32;
    case 3:
        return TVK_COOPMAT_S8;
    case 5:
        return TVK_COOPMAT_S32;
    case 7:
        return TVK_COOPMAT_U8;
    case 9:
        return TVK_COOPMAT_U32;
    case 1000141000:
        return TVK_COOPMAT_BF16;
    default:
        return TVK_COOPMAT_OTHER;
    }
}

static tvk_status read_coopmat(const tvk_instance *in, VkPhysicalDevice phys, tvk_caps *out,
                               tvk_error *err)
{
    VkCooperativeMatrixPropertiesKHR *list = NULL;
    tvk_status st = TVK_OK;
    VkResult result;
    uint32_t count = 0;
    if (!out->cooperative_matrix || !in->vk.GetPhysicalDeviceCooperativeMatrixPropertiesKHR)
        return TVK_OK;
    TVK_VK(NULL, in->vk.GetPhysicalDeviceCooperativeMatrixPropertiesKHR(phys, &count, NULL));
    list = calloc(count > 0 ? count : 1, sizeof *list);
    TVK_TRY_ALLOC(list);
    for (uint32_t i = 0; i < count; i++)
        list[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
    result = in->vk.GetPhysicalDeviceCooperativeMatrixPropertiesKHR(phys, &count, list);
    if (result < 0) TVK_VK_RESULT(NULL, result, "GetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    for (uint32_t i = 0; i < count && out->coopmat_count < TVK_MAX_COOPMAT; i++) {
        tvk_coopmat_shape s = {
            .m = list[i].MSize,
            .n = list[i].NSize,
            .k = list[i].KSize,
            .a = coopmat_type(list[i].AType),
            .b = coopmat_type(list[i].BType),
            .c = coopmat_type(list[i].CType),
            .result = coopmat_type(list[i].ResultType),
            .saturating = list[i].saturatingAccumulation,
            .subgroup_scope = list[i].scope == VK_SCOPE_SUBGROUP_KHR,
        };
        /* Long tables are mostly types that no kernel uses; keep room for those that one does. */
        if (s.a != TVK_COOPMAT_OTHER && s.b != TVK_COOPMAT_OTHER && s.c != TVK_COOPMAT_OTHER &&
            s.result != TVK_COOPMAT_OTHER)
            out->coopmat[out->coopmat_count++] = s;
    }
fail:
    free(list);
    return st;
}
#endif

tvk_status tvk_snapshot(const tvk_instance *in, VkPhysicalDevice phys, tvk_caps *out,
                        tvk_error *err)
{
    tvk_extensions listed, usable;
    tvk_status st = TVK_OK;
    memset(out, 0, sizeof *out);
    read_core(in, phys, out);
    read_queues(in, phys, out);
    read_memory(in, phys, out);
    /* The "2" queries may not be called on a 1.0 device; the plan refuses it anyway. */
    if (out->api_version < VK_API_VERSION_1_1) return TVK_OK;
    TVK_TRY(tvk_extensions_read(in, phys, out->api_version, &listed, &usable, err));
    read_features(in, phys, &usable, out);
    read_properties(in, phys, &usable, out);
#ifdef VK_KHR_cooperative_matrix
    TVK_TRY(read_coopmat(in, phys, out, err));
#endif
    tvk_snapshot_budget(in, phys, out);
fail:
    return st;
}
