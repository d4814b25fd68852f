#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crew.h"
#include "base/thread.h"
#include "vk/internal.h"

#define SPIRV_MAGIC 0x07230203u
#define COMPILE "CreateComputePipelines"

static void release(tvk_device *dev, tvk_garbage *g)
{
    tvk_program *p = (tvk_program *)g;
    dev->vk.DestroyShaderModule(dev->handle, p->module, NULL);
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
    if (size[0] % d->subgroup != 0)
        TVK_FAIL(TVK_ERR_ARG,
                 "program '%s': a workgroup width that is a multiple of the subgroup "
                 "size %u needed, %u found",
                 d->name, d->subgroup, size[0]);
    /* The limit counts only where a size is required. */
    if (plan->subgroup_require && dev->caps.max_subgroups_per_group > 0 &&
        total > (uint64_t)d->subgroup * dev->caps.max_subgroups_per_group)
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "program '%s': workgroup of %llu at subgroup size %u needed, "
                 "%u subgroups allowed",
                 d->name, (unsigned long long)total, d->subgroup,
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
        d->push_bytes % 4 != 0 || d->constant_count > TVK_MAX_CONSTANTS ||
        d->fixed_count > TVK_MAX_FIXED)
        TVK_FAIL(TVK_ERR_ARG,
                 "program '%s': at most %d bindings, %d push bytes in words, %d constants and %d "
                 "fixed words expected, %u, %u, %u and %u found",
                 d->name, TVK_MAX_BINDINGS, TVK_MAX_PUSH_BYTES, TVK_MAX_CONSTANTS, TVK_MAX_FIXED,
                 d->binding_count, d->push_bytes, d->constant_count, d->fixed_count);
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

/* The part that takes time. Of what is shared it reads only what stays as it is while programs are
 * made, but for the pipeline cache, which the driver guards. */
static VkResult compile(tvk_device *dev, tvk_program *p)
{
    VkSpecializationMapEntry entries[TVK_MAX_CONSTANTS + TVK_MAX_FIXED];
    VkSpecializationInfo constants = {.mapEntryCount = p->constant_count + p->fixed_count,
                                      .pMapEntries = entries,
                                      .dataSize = sizeof p->constants,
                                      .pData = p->constants};
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = p->subgroup};
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = p->module,
                  .pName = "main",
                  .pSpecializationInfo = constants.mapEntryCount > 0 ? &constants : NULL},
        .layout = p->layout};
    VkResult result;
    uint64_t start = tvk_clock_ns();
    if (dev->inspect)
        info.flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR |
                     VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
    for (uint32_t i = 0; i < constants.mapEntryCount; i++) {
        const uint32_t id = i < p->constant_count ? i : TVK_MAX_CONSTANTS + i - p->constant_count;
        entries[i] = (VkSpecializationMapEntry){
            .constantID = id, .offset = id * (uint32_t)sizeof(uint32_t), .size = sizeof(uint32_t)};
    }
    if (p->subgroup && dev->plan.subgroup_require) info.stage.pNext = &size;
    /* Where the size never varies and the feature is missing, workgroup widths that are multiples
     * of it (checked) give full subgroups. */
    if (p->subgroup && dev->caps.subgroup_full)
        info.stage.flags |= VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
    result = dev->vk.CreateComputePipelines(dev->handle, dev->pipeline_cache, 1, &info, NULL,
                                            &p->pipeline);
    p->compile_ns = tvk_clock_ns() - start;
    return result;
}

/* What follows a compilation, on the device's thread. */
static tvk_status finish(tvk_device *dev, tvk_program *p, VkResult result, tvk_error *err)
{
    tvk_error why = {0};
    if (result != VK_SUCCESS) {
        tvk_status st = tvk_vk_error(dev, result, COMPILE, __FILE__, __LINE__, &why);
        return tvk_error_set(err, st, why.file, why.line, "program '%s': %s", p->name, why.text);
    }
    TVK_NAME(dev, PIPELINE, p->pipeline, p->name);
    dev->vk.DestroyShaderModule(dev->handle, p->module, NULL);
    p->module = VK_NULL_HANDLE;
    tvk_log_print(&dev->log, TVK_LOG_DEBUG, "program '%s': %.1f ms", p->name,
                  (double)p->compile_ns * 1e-6);
    return TVK_OK;
}

tvk_status tvk_program_prepare(tvk_device *device, const tvk_program_desc *desc, tvk_program **out,
                               tvk_error *err)
{
    VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                            .codeSize = desc->spirv_bytes,
                                            .pCode = desc->spirv};
    /* the same of all: what was pushed for one program stays for the next */
    const VkPushConstantRange push = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                                      .size = TVK_MAX_PUSH_BYTES};
    VkDescriptorSetLayout layout;
    VkPipelineLayoutCreateInfo layout_info = {.sType =
                                                  VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                              .setLayoutCount = 1,
                                              .pSetLayouts = &layout,
                                              .pushConstantRangeCount = 1,
                                              .pPushConstantRanges = &push};
    tvk_program *p = NULL;
    tvk_status st = TVK_OK;
    *out = NULL;
    TVK_TRY(tvk_device_alive(device, err));
    TVK_TRY(check(device, desc, err));
    p = calloc(1, sizeof *p);
    TVK_TRY_ALLOC(p);
    p->device = device;
    p->binding_count = desc->binding_count;
    p->push_bytes = desc->push_bytes;
    p->subgroup = desc->subgroup;
    p->constant_count = desc->constant_count;
    p->fixed_count = desc->fixed_count;
    memcpy(p->constants, desc->constants, sizeof desc->constants);
    memcpy(p->constants + TVK_MAX_CONSTANTS, desc->fixed, sizeof desc->fixed);
    snprintf(p->name, sizeof p->name, "%s", desc->name);
    TVK_TRY(set_layout(device, desc->binding_count, &layout, err));
    TVK_VK(device, device->vk.CreatePipelineLayout(device->handle, &layout_info, NULL, &p->layout));
    TVK_NAME(device, PIPELINE_LAYOUT, p->layout, p->name);
    TVK_VK(device, device->vk.CreateShaderModule(device->handle, &module_info, NULL, &p->module));
    TVK_NAME(device, SHADER_MODULE, p->module, p->name);
    *out = p;
    p = NULL;
fail:
    if (p) release(device, &p->garbage);
    return st;
}

tvk_status tvk_program_create(tvk_device *device, const tvk_program_desc *desc, tvk_program **out,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    VkResult result;
    TVK_TRY(tvk_program_prepare(device, desc, out, err));
    result = tvk_vk_fault(device, COMPILE);
    if (result == VK_SUCCESS) result = compile(device, *out);
    TVK_TRY(finish(device, *out, result, err));
    return TVK_OK;
fail:
    tvk_program_destroy(out);
    return st;
}

/* ---- many at once ---------------------------------------------------------------------------- */

/* More threads gain little and every compiler takes some ten MB. */
#define MAX_COMPILERS 16u

struct tvk_compiling {
    tvk_device *device;
    tvk_crew *crew;
    uint64_t deadline_ns;
    uint32_t count;
    struct {
        tvk_program *program;
        VkResult result; /* VK_NOT_READY: there was no time for it */
    } items[];
};

static void compile_item(void *user, uint32_t i)
{
    tvk_compiling *c = user;
    if (c->items[i].result != VK_SUCCESS) return;
    c->items[i].result =
        tvk_clock_ns() > c->deadline_ns ? VK_NOT_READY : compile(c->device, c->items[i].program);
}

tvk_status tvk_programs_compile(tvk_device *device, tvk_program *const *list, uint32_t count,
                                uint64_t deadline_ns, tvk_compiling **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t threads = tvk_processors();
    tvk_compiling *c = calloc(1, sizeof *c + count * sizeof *c->items);
    *out = NULL;
    TVK_TRY_ALLOC(c);
    TVK_TRY(tvk_device_alive(device, err));
    c->device = device;
    c->deadline_ns = deadline_ns;
    for (uint32_t i = 0; i < count; i++) {
        if (list[i]->pipeline) continue;
        c->items[c->count].program = list[i];
        c->items[c->count].result = tvk_vk_fault(device, COMPILE);
        c->count++;
    }
    if (device->instance.messenger) {
        /* the validation layer calls back in the thread that compiles: the caller's, as promised */
        for (uint32_t i = 0; i < c->count; i++) compile_item(c, i);
    } else {
        TVK_TRY(tvk_crew_start(threads < MAX_COMPILERS ? threads : MAX_COMPILERS, c->count,
                               compile_item, c, &c->crew, err));
    }
    *out = c;
    c = NULL;
fail:
    free(c);
    return st;
}

bool tvk_programs_done_by(tvk_compiling *compiling, uint64_t until_ns)
{
    return !compiling->crew || tvk_crew_done_by(compiling->crew, until_ns);
}

tvk_status tvk_programs_wait(tvk_compiling **compiling, tvk_error *err)
{
    tvk_compiling *c = *compiling;
    tvk_status st = TVK_OK;
    if (!c) return TVK_OK;
    tvk_crew_join(&c->crew);
    for (uint32_t i = 0; i < c->count; i++) {
        tvk_status one;
        if (c->items[i].result == VK_NOT_READY) continue;
        one = finish(c->device, c->items[i].program, c->items[i].result, st == TVK_OK ? err : NULL);
        if (st == TVK_OK) st = one;
    }
    free(c);
    *compiling = NULL;
    return st;
}

bool tvk_program_compiled(const tvk_program *program)
{
    return program->pipeline != VK_NULL_HANDLE;
}

void tvk_program_destroy(tvk_program **program)
{
    if (!program || !*program) return;
    tvk_garbage_put((*program)->device, &(*program)->garbage, release);
    *program = NULL;
}
