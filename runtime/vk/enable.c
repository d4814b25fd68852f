#include <string.h>

#include "vk/internal.h"

/* Exactly the features that the plan uses: a driver may well report one that it cannot create a
 * device with, and an enabled one can cost speed. */
static void want(const tvk_device *dev, tvk_features *f, tvk_extensions *use)
{
    const tvk_plan *plan = &dev->plan;
    const tvk_caps *caps = &dev->caps;
    f->storage16.storageBuffer16BitAccess = (plan->caps & TVK_CAP_STORAGE16) != 0;
    f->storage8.storageBuffer8BitAccess = (plan->caps & TVK_CAP_STORAGE8) != 0;
    f->float16_int8.shaderInt8 = (plan->caps & TVK_CAP_INT8) != 0;
    f->float16_int8.shaderFloat16 = (plan->caps & TVK_CAP_FP16) != 0;
    f->dot.shaderIntegerDotProduct = (plan->caps & TVK_CAP_DOT) != 0;
    f->subgroup_size.subgroupSizeControl = plan->subgroup_require;
    f->subgroup_size.computeFullSubgroups = plan->subgroup_fixed != 0 && caps->subgroup_full;
    use->storage8 = f->storage8.storageBuffer8BitAccess;
    use->float16_int8 = f->float16_int8.shaderInt8 || f->float16_int8.shaderFloat16;
    use->dot = f->dot.shaderIntegerDotProduct;
    use->subgroup_size_control =
        f->subgroup_size.subgroupSizeControl || f->subgroup_size.computeFullSubgroups;
#ifdef VK_KHR_cooperative_matrix
    f->coopmat.cooperativeMatrix = (plan->caps & (TVK_CAP_COOPMAT_I8 | TVK_CAP_COOPMAT_F16)) != 0;
    use->cooperative_matrix = f->coopmat.cooperativeMatrix;
    f->memory_model.vulkanMemoryModel = use->cooperative_matrix;
    /* atomics of GLSL modules have device scope, which the model allows only with this one */
    f->memory_model.vulkanMemoryModelDeviceScope = use->cooperative_matrix;
    use->memory_model = use->cooperative_matrix;
#endif
    f->executable.pipelineExecutableInfo = dev->inspect;
    use->executable_properties = dev->inspect;
    use->memory_budget = caps->memory_budget;
    use->portability_subset = caps->portability_subset;
}

static tvk_status load_functions(tvk_device *dev, tvk_error *err)
{
    tvk_status st = TVK_OK;
#define TVK_DEVICE_FUNCTION(fn)                                                                    \
    dev->vk.fn = (PFN_vk##fn)dev->instance.vk.GetDeviceProcAddr(dev->handle, "vk" #fn);            \
    if (!dev->vk.fn)                                                                               \
        TVK_FAIL(TVK_ERR_INTERNAL, "%s: vk" #fn " expected, not found", dev->caps.name);
#define TVK_DEVICE_OPTIONAL(fn)                                                                    \
    dev->vk.fn = (PFN_vk##fn)dev->instance.vk.GetDeviceProcAddr(dev->handle, "vk" #fn);
#include "vk/functions.def"
fail:
    return st;
}

tvk_status tvk_device_open(tvk_device *dev, tvk_error *err)
{
    tvk_extensions listed, usable, use;
    tvk_features f;
    const float priority = 1.0f;
    const char *names[sizeof(tvk_extensions) / sizeof(bool)];
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueFamilyIndex = dev->plan.family,
                                     .queueCount = 1,
                                     .pQueuePriorities = &priority};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = &f,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue,
                               .ppEnabledExtensionNames = names};
    tvk_status st = TVK_OK;
    VkResult result;
    memset(&f, 0, sizeof f);
    memset(&use, 0, sizeof use);
    TVK_TRY(tvk_extensions_read(&dev->instance, dev->phys, dev->caps.api_version, &listed, &usable,
                                err));
    want(dev, &f, &use);
    tvk_features_chain(&f, &use);
    /* What is core needs no name; a clamped version still lists the extension. */
#define TVK_EXTENSION(field, name, core)                                                           \
    if (use.field && listed.field) names[info.enabledExtensionCount++] = name;
#include "vk/extensions.def"
    result = dev->instance.vk.CreateDevice(dev->phys, &info, NULL, &dev->handle);
    if (result != VK_SUCCESS) {
        dev->handle = NULL;
        TVK_VK_RESULT(NULL, result, "CreateDevice");
    }
    TVK_TRY(load_functions(dev, err));
    dev->vk.GetDeviceQueue(dev->handle, dev->plan.family, 0, &dev->queue);
fail:
    return st;
}
