#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vk/internal.h"

#define SPIRV_MAGIC 0x07230203u

static void release(tvk_device *dev, tvk_garbage *g)
{
    tvk_program *p = (tvk_program *)g;
    dev->vk.DestroyPipeline(dev->handle, p->pipeline, NULL);
    dev->vk.DestroyPipelineLayout(dev->handle, p->layout, NULL);
    free(p);
}

/* Without workgroup constants the module's own numbers hold; they cannot be checked here. */
static tvk_status check_group(const tvk_device *dev, const tvk_program_desc *d, tvk_error *err)
{
    const uint32_t *size = d->constants;
    const tvk_plan *plan = &dev->plan;
    tvk_status st = TVK_OK;
    uint64_t total = 1;
    if (d->constant_count < 3) return TVK_OK;
    for (int i = 0; i < 3; i++) {
        if (size[i] == 0 || size[i] > dev->caps.max_group_size[i])
            TVK_FAIL(TVK_ERR_UNSUPPORTED,
                     "program '%s': workgroup size %u in dimension %d needed, "
                     "1 to %u allowed",
                     d->name, size[i], i, dev->caps.max_group_size[i]);
        total *= size[i];
        if (total > plan->max_invocations)
            TVK_FAIL(TVK_ERR_UNSUPPORTED,
                     "program '%s': workgroup %u x %u x %u needed, %u "
                     "invocations allowed",
                     d->name, size[0], size[1], size[2], plan->max_invocations);
    }
    if (!d->subgroup) return TVK_OK;
    if (size[0] % plan->subgroup_fixed != 0)
        TVK_FAIL(TVK_ERR_ARG,
                 "program '%s': a workgroup width that is a multiple of the subgroup "
                 "size %u needed, %u found",
                 d->name, plan->subgroup_fixed, size[0]);
    /* The limit counts only where a size is required. */
    if (plan->subgroup_require && dev->caps.max_subgroups_per_group > 0 &&
        total > (uint64_t)plan->subgroup_fixed * dev->caps.max_subgroups_per_group)
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "program '%s': workgroup of %llu at subgroup size %u needed, "
                 "%u subgroups allowed",
                 d->name, (unsigned long long)total, plan->subgroup_fixed,
                 dev->caps.max_subgroups_per_group);
fail:
    return st;
}

static tvk_status check(const tvk_device *dev, const tvk_program_desc *d, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (!d->name || !d->spirv || d->spirv_bytes < 20 || d->spirv_bytes % 4 != 0 ||
        d->spirv[0] != SPIRV_MAGIC)
        TVK_FAIL(TVK_ERR_ARG, "program '%s': a SPIR-V module needed, %llu other bytes found",
                 d->name ? d->name : "unnamed", (unsigned long long)d->spirv_bytes);
    if (d->binding_count > TVK_MAX_BINDINGS || d->push_bytes > TVK_MAX_PUSH_BYTES ||
        d->push_bytes % 4 != 0 || d->constant_count > TVK_MAX_CONSTANTS)
        TVK_FAIL(TVK_ERR_ARG,
                 "program '%s': at most %d bindings, %d push bytes in words and %d "
                 "constants expected, %u, %u and %u found",
                 d->name, TVK_MAX_BINDINGS, TVK_MAX_PUSH_BYTES, TVK_MAX_CONSTANTS, d->binding_count,
                 d->push_bytes, d->constant_count);
    if (d->binding_count > dev->plan.max_storage_buffers)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "program '%s': %u storage buffers needed, %u allowed",
                 d->name, d->binding_count, dev->plan.max_storage_buffers);
    if (d->subgroup && dev->plan.subgroup_fixed == 0)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "program '%s': a fixed subgroup size needed, %u to %u found",
                 d->name, dev->caps.subgroup_min, dev->caps.subgroup_max);
    TVK_TRY(check_group(dev, d, err));
fail:
    return st;
}

static tvk_status set_layout(tvk_device *dev, uint32_t count, VkDescriptorSetLayout *out,
                             tvk_error *err)
{
    VkDescriptorSetLayoutBinding bindings[TVK_MAX_BINDINGS];
    VkDescriptorSetLayoutCreateInfo info = {.sType =
                                                VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                            .bindingCount = count,
                                            .pBindings = bindings};
    tvk_status st = TVK_OK;
    if (!dev->set_layouts[count]) {
        memset(bindings, 0, sizeof bindings);
        for (uint32_t i = 0; i < count; i++) {
            bindings[i].binding = i;
            bindings[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
            bindings[i].descriptorCount = 1;
            bindings[i].stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
        }
        TVK_VK(dev, dev->vk.CreateDescriptorSetLayout(dev->handle, &info, NULL,
                                                      &dev->set_layouts[count]));
        TVK_NAME(dev, DESCRIPTOR_SET_LAYOUT, dev->set_layouts[count], "tvk storage buffers");
    }
    *out = dev->set_layouts[count];
fail:
    return st;
}

static tvk_status create_pipeline(tvk_device *dev, const tvk_program_desc *d, VkShaderModule module,
                                  tvk_program *p, tvk_error *err)
{
    VkSpecializationMapEntry entries[TVK_MAX_CONSTANTS];
    VkSpecializationInfo constants = {.mapEntryCount = d->constant_count,
                                      .pMapEntries = entries,
                                      .dataSize = d->constant_count * sizeof(uint32_t),
                                      .pData = d->constants};
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = dev->plan.subgroup_fixed};
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = d->constant_count > 0 ? &constants : NULL},
        .layout = p->layout};
    tvk_status st = TVK_OK;
    for (uint32_t i = 0; i < d->constant_count; i++)
        entries[i] = (VkSpecializationMapEntry){
            .constantID = i, .offset = i * (uint32_t)sizeof(uint32_t), .size = sizeof(uint32_t)};
    if (d->subgroup && dev->plan.subgroup_require) info.stage.pNext = &size;
    /* Where the size never varies and the feature is missing, workgroup widths that are multiples
     * of it (checked) give full subgroups. */
    if (d->subgroup && dev->caps.subgroup_full)
        info.stage.flags |= VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
    TVK_VK(dev, dev->vk.CreateComputePipelines(dev->handle, dev->pipeline_cache, 1, &info, NULL,
                                               &p->pipeline));
    TVK_NAME(dev, PIPELINE, p->pipeline, d->name);
fail:
    return st;
}

tvk_status tvk_program_create(tvk_device *device, const tvk_program_desc *desc, tvk_program **out,
                              tvk_error *err)
{
    VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                            .codeSize = desc->spirv_bytes,
                                            .pCode = desc->spirv};
    VkPushConstantRange push = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                                .size = desc->push_bytes};
    VkDescriptorSetLayout layout;
    VkPipelineLayoutCreateInfo layout_info = {.sType =
                                                  VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                              .setLayoutCount = 1,
                                              .pSetLayouts = &layout,
                                              .pushConstantRangeCount = desc->push_bytes > 0,
                                              .pPushConstantRanges = &push};
    VkShaderModule module = VK_NULL_HANDLE;
    tvk_program *p = NULL;
    tvk_status st = TVK_OK;
    uint64_t start = tvk_clock_ns();
    *out = NULL;
    TVK_TRY(tvk_device_alive(device, err));
    TVK_TRY(check(device, desc, err));
    p = calloc(1, sizeof *p);
    TVK_TRY_ALLOC(p);
    p->device = device;
    p->binding_count = desc->binding_count;
    p->push_bytes = desc->push_bytes;
    snprintf(p->name, sizeof p->name, "%s", desc->name);
    TVK_TRY(set_layout(device, desc->binding_count, &layout, err));
    TVK_VK(device, device->vk.CreatePipelineLayout(device->handle, &layout_info, NULL, &p->layout));
    TVK_NAME(device, PIPELINE_LAYOUT, p->layout, p->name);
    TVK_VK(device, device->vk.CreateShaderModule(device->handle, &module_info, NULL, &module));
    TVK_NAME(device, SHADER_MODULE, module, p->name);
    TVK_TRY(create_pipeline(device, desc, module, p, err));
    tvk_log_print(&device->log, TVK_LOG_DEBUG, "program '%s': %.1f ms", p->name,
                  (double)(tvk_clock_ns() - start) * 1e-6);
    *out = p;
    p = NULL;
fail:
    if (module) device->vk.DestroyShaderModule(device->handle, module, NULL);
    if (p) release(device, &p->garbage);
    return st;
}

void tvk_program_destroy(tvk_program **program)
{
    if (!program || !*program) return;
    tvk_garbage_put((*program)->device, &(*program)->garbage, release);
    *program = NULL;
}
