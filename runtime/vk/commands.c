#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "vk/internal.h"

#define COMPUTE VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT
#define TRANSFER VK_PIPELINE_STAGE_TRANSFER_BIT
#define INDIRECT VK_PIPELINE_STAGE_DRAW_INDIRECT_BIT
#define HOST VK_PIPELINE_STAGE_HOST_BIT
#define SHADER_RW (VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT)
#define TRANSFER_RW (VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT)
#define ALL_WRITES (VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT)

static void release(tvk_device *dev, tvk_garbage *g)
{
    tvk_commands *c = (tvk_commands *)g;
    dev->vk.DestroyQueryPool(dev->handle, c->queries, NULL);
    dev->vk.DestroyDescriptorPool(dev->handle, c->descriptors, NULL);
    dev->vk.DestroyCommandPool(dev->handle, c->pool, NULL);
    free(c);
}

tvk_status tvk_commands_create(tvk_device *device, uint32_t max_dispatches, uint32_t max_bindings,
                               uint32_t max_timestamps, const char *name, tvk_commands **out,
                               tvk_error *err)
{
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .queueFamilyIndex = device->plan.family};
    VkCommandBufferAllocateInfo buffer = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                          .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                          .commandBufferCount = 1};
    VkDescriptorPoolSize size = {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                 .descriptorCount = max_bindings > 0 ? max_bindings : 1};
    VkDescriptorPoolCreateInfo sets = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                       .maxSets = max_dispatches,
                                       .poolSizeCount = 1,
                                       .pPoolSizes = &size};
    VkQueryPoolCreateInfo queries = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                     .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                     .queryCount = max_timestamps};
    tvk_commands *c = NULL;
    tvk_status st = TVK_OK;
    *out = NULL;
    TVK_TRY(tvk_device_alive(device, err));
    c = calloc(1, sizeof *c);
    TVK_TRY_ALLOC(c);
    c->device = device;
    c->max_dispatches = max_dispatches;
    c->max_bindings = max_bindings;
    c->max_timestamps = max_timestamps;
    snprintf(c->name, sizeof c->name, "%s", name ? name : "unnamed");
    TVK_VK(device, device->vk.CreateCommandPool(device->handle, &pool, NULL, &c->pool));
    TVK_NAME(device, COMMAND_POOL, c->pool, c->name);
    buffer.commandPool = c->pool;
    TVK_VK(device, device->vk.AllocateCommandBuffers(device->handle, &buffer, &c->handle));
    TVK_NAME(device, COMMAND_BUFFER, (uintptr_t)c->handle, c->name);
    if (max_dispatches > 0) {
        TVK_VK(device,
               device->vk.CreateDescriptorPool(device->handle, &sets, NULL, &c->descriptors));
        TVK_NAME(device, DESCRIPTOR_POOL, c->descriptors, c->name);
    }
    if (max_timestamps > 0 && device->plan.timestamps) {
        TVK_VK(device, device->vk.CreateQueryPool(device->handle, &queries, NULL, &c->queries));
        TVK_NAME(device, QUERY_POOL, c->queries, c->name);
    }
    *out = c;
    c = NULL;
fail:
    if (c) release(device, &c->garbage);
    return st;
}

void tvk_commands_destroy(tvk_commands **commands)
{
    if (!commands || !*commands) return;
    tvk_garbage_put((*commands)->device, &(*commands)->garbage, release);
    *commands = NULL;
}

/* ---- recording ------------------------------------------------------------------------------- */

static void barrier(tvk_commands *c, VkPipelineStageFlags src, VkAccessFlags writes,
                    VkPipelineStageFlags dst, VkAccessFlags reads)
{
    VkMemoryBarrier b = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = writes, .dstAccessMask = reads};
    c->device->vk.CmdPipelineBarrier(c->handle, src, dst, 0, 1, &b, 0, NULL, 0, NULL);
}

/* Keeps the first failure: the calls that cannot return one leave it to tvk_commands_end. */
static tvk_status keep(tvk_commands *c, tvk_status status, const tvk_error *why)
{
    if (status != TVK_OK && c->error.status == TVK_OK) {
        c->error = *why;
        c->error.status = status;
    }
    return status;
}

static tvk_status recording(tvk_commands *c, const char *what, tvk_error *err)
{
    if (c->state == TVK_COMMANDS_RECORDING) return TVK_OK;
    return tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__,
                         "commands '%s': %s expected between begin and end", c->name, what);
}

tvk_status tvk_commands_begin(tvk_commands *c, tvk_error *err)
{
    VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                     .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT};
    tvk_device *dev = c->device;
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_device_alive(dev, err));
    /* What is being executed may not be recorded again. */
    TVK_TRY(tvk_gpu_wait(dev, c->ticket, err));
    c->state = TVK_COMMANDS_NEW;
    c->ticket = 0;
    TVK_VK(dev, dev->vk.ResetCommandPool(dev->handle, c->pool, 0));
    if (c->descriptors) TVK_VK(dev, dev->vk.ResetDescriptorPool(dev->handle, c->descriptors, 0));
    TVK_VK(dev, dev->vk.BeginCommandBuffer(c->handle, &info));
    c->dispatches = c->bindings = 0;
    c->bound = VK_NULL_HANDLE;
    memset(&c->error, 0, sizeof c->error);
    c->state = TVK_COMMANDS_RECORDING;
    if (c->queries) dev->vk.CmdResetQueryPool(c->handle, c->queries, 0, c->max_timestamps);
    /* Named stages, not ALL_COMMANDS: that one made a decode step 1.5 times slower on an H100. */
    barrier(c, COMPUTE | TRANSFER | INDIRECT, ALL_WRITES, COMPUTE | TRANSFER | INDIRECT,
            SHADER_RW | TRANSFER_RW | VK_ACCESS_INDIRECT_COMMAND_READ_BIT);
fail:
    return st;
}

tvk_status tvk_commands_end(tvk_commands *c, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(recording(c, "end", err));
    c->state = TVK_COMMANDS_NEW;
    /* On unified memory any buffer may be read by the host once the fence has passed. */
    if (c->device->plan.unified)
        barrier(c, COMPUTE | TRANSFER, ALL_WRITES, HOST, VK_ACCESS_HOST_READ_BIT);
    TVK_VK(c->device, c->device->vk.EndCommandBuffer(c->handle));
    if (c->error.status != TVK_OK) {
        if (err) *err = c->error;
        return c->error.status;
    }
    c->state = TVK_COMMANDS_READY;
fail:
    return st;
}

/* Bytes to bind: whole words, the buffer's size is rounded up for that. */
static uint64_t bound_bytes(const tvk_device *dev, const tvk_span *s)
{
    uint64_t bytes = tvk_round_up(s->bytes, 4);
    return bytes <= dev->plan.max_storage_bytes ? bytes : s->bytes;
}

static tvk_status check_span(const tvk_commands *c, const tvk_program *p, uint32_t index,
                             const tvk_span *s, tvk_error *err)
{
    const tvk_device *dev = c->device;
    tvk_status st = TVK_OK;
    if (!s->buffer || s->buffer->device != dev)
        TVK_FAIL(TVK_ERR_ARG, "program '%s', binding %u: a buffer of this device needed, %s found",
                 p->name, index, s->buffer ? "another device's" : "none");
    if (s->bytes == 0 || s->bytes > s->buffer->bytes || s->offset > s->buffer->bytes - s->bytes)
        TVK_FAIL(TVK_ERR_ARG,
                 "program '%s', binding %u: a range inside %llu bytes needed, %llu at "
                 "%llu found",
                 p->name, index, (unsigned long long)s->buffer->bytes, (unsigned long long)s->bytes,
                 (unsigned long long)s->offset);
    if (s->bytes > dev->plan.max_storage_bytes)
        TVK_FAIL(TVK_ERR_ARG,
                 "program '%s', binding %u: at most %llu bytes (the device's storage "
                 "range) allowed, %llu found",
                 p->name, index, (unsigned long long)dev->plan.max_storage_bytes,
                 (unsigned long long)s->bytes);
    if (s->offset % dev->plan.storage_align != 0)
        TVK_FAIL(TVK_ERR_ARG,
                 "program '%s', binding %u: offset expected to be a multiple of %llu, "
                 "%llu found",
                 p->name, index, (unsigned long long)dev->plan.storage_align,
                 (unsigned long long)s->offset);
fail:
    return st;
}

/* All bytes for the first program, then those that are others; layouts have the same range. */
static void push_changes(tvk_commands *c, const tvk_program *p, const void *push)
{
    const bool first = c->bound == VK_NULL_HANDLE;
    if (first) memset(c->pushed, 0, sizeof c->pushed);
    if (!first && (p->push_bytes == 0 || !memcmp(c->pushed, push, p->push_bytes))) return;
    if (p->push_bytes > 0) memcpy(c->pushed, push, p->push_bytes);
    c->device->vk.CmdPushConstants(c->handle, p->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                                   first ? TVK_MAX_PUSH_BYTES : p->push_bytes, c->pushed);
}

/* Everything of a dispatch but the dispatch itself. */
static tvk_status bind(tvk_commands *c, tvk_program *p, const tvk_span *spans, const void *push,
                       tvk_error *err)
{
    tvk_device *dev = c->device;
    VkDescriptorSetAllocateInfo alloc = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                         .descriptorPool = c->descriptors,
                                         .descriptorSetCount = 1,
                                         .pSetLayouts = &dev->set_layouts[p->binding_count]};
    VkDescriptorBufferInfo buffers[TVK_MAX_BINDINGS];
    VkWriteDescriptorSet writes[TVK_MAX_BINDINGS];
    VkDescriptorSet set;
    tvk_status st = TVK_OK;
    if (c->dispatches >= c->max_dispatches || p->binding_count > c->max_bindings - c->bindings)
        TVK_FAIL(TVK_ERR_ARG,
                 "commands '%s': made for %u dispatches with %u bindings, '%s' is one "
                 "more",
                 c->name, c->max_dispatches, c->max_bindings, p->name);
    if (!p->pipeline)
        TVK_FAIL(TVK_ERR_ARG, "program '%s': a compiled one needed, it is only prepared", p->name);
    if (p->push_bytes > 0 && !push)
        TVK_FAIL(TVK_ERR_ARG, "program '%s': %u bytes of push constants needed, none found",
                 p->name, p->push_bytes);
    for (uint32_t i = 0; i < p->binding_count; i++) TVK_TRY(check_span(c, p, i, &spans[i], err));
    push_changes(c, p, push);
    if (c->bound != p->pipeline)
        dev->vk.CmdBindPipeline(c->handle, VK_PIPELINE_BIND_POINT_COMPUTE, p->pipeline);
    c->bound = p->pipeline;
    if (p->binding_count > 0) {
        TVK_VK(dev, dev->vk.AllocateDescriptorSets(dev->handle, &alloc, &set));
        memset(writes, 0, sizeof writes);
        for (uint32_t i = 0; i < p->binding_count; i++) {
            buffers[i] = (VkDescriptorBufferInfo){.buffer = spans[i].buffer->handle,
                                                  .offset = spans[i].offset,
                                                  .range = bound_bytes(dev, &spans[i])};
            writes[i].sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
            writes[i].dstSet = set;
            writes[i].dstBinding = i;
            writes[i].descriptorCount = 1;
            writes[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
            writes[i].pBufferInfo = &buffers[i];
        }
        dev->vk.UpdateDescriptorSets(dev->handle, p->binding_count, writes, 0, NULL);
        dev->vk.CmdBindDescriptorSets(c->handle, VK_PIPELINE_BIND_POINT_COMPUTE, p->layout, 0, 1,
                                      &set, 0, NULL);
    }
    c->dispatches++;
    c->bindings += p->binding_count;
fail:
    return st;
}

tvk_status tvk_commands_dispatch(tvk_commands *c, tvk_program *program, const tvk_span *bindings,
                                 const void *push, const uint32_t groups[3], tvk_error *err)
{
    const uint32_t *most = c->device->caps.max_group_count;
    tvk_status st = TVK_OK;
    tvk_error local = {0}, *caller = err;
    err = &local;
    TVK_TRY(recording(c, "dispatch", err));
    for (int i = 0; i < 3; i++)
        if (groups[i] > most[i])
            TVK_FAIL(TVK_ERR_ARG,
                     "program '%s': at most %u x %u x %u workgroups allowed, "
                     "%u x %u x %u found",
                     program->name, most[0], most[1], most[2], groups[0], groups[1], groups[2]);
    TVK_TRY(bind(c, program, bindings, push, err));
    c->device->vk.CmdDispatch(c->handle, groups[0], groups[1], groups[2]);
fail:
    if (st != TVK_OK && caller) *caller = local;
    return keep(c, st, &local);
}

tvk_status tvk_commands_dispatch_indirect(tvk_commands *c, tvk_program *program,
                                          const tvk_span *bindings, const void *push, tvk_span args,
                                          tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_error local = {0}, *caller = err;
    err = &local;
    TVK_TRY(recording(c, "dispatch", err));
    if (!args.buffer || args.buffer->device != c->device || args.bytes != 12 ||
        args.offset % 4 != 0 || args.buffer->bytes < 12 || args.offset > args.buffer->bytes - 12)
        TVK_FAIL(TVK_ERR_ARG,
                 "program '%s': indirect arguments: 12 bytes at a multiple of 4 "
                 "inside a buffer needed, %llu at %llu found",
                 program->name, (unsigned long long)args.bytes, (unsigned long long)args.offset);
    TVK_TRY(bind(c, program, bindings, push, err));
    c->device->vk.CmdDispatchIndirect(c->handle, args.buffer->handle, args.offset);
fail:
    if (st != TVK_OK && caller) *caller = local;
    return keep(c, st, &local);
}

void tvk_commands_barrier(tvk_commands *c, tvk_barrier kind)
{
    tvk_error why = {0};
    if (keep(c, recording(c, "barrier", &why), &why) != TVK_OK) return;
    switch (kind) {
    case TVK_BARRIER_COMPUTE:
        barrier(c, COMPUTE, VK_ACCESS_SHADER_WRITE_BIT, COMPUTE, SHADER_RW);
        break;
    case TVK_BARRIER_INDIRECT:
        /* INDIRECT on the left too: a kernel may write the arguments that were just read. */
        barrier(c, COMPUTE | INDIRECT, VK_ACCESS_SHADER_WRITE_BIT, COMPUTE | INDIRECT,
                SHADER_RW | VK_ACCESS_INDIRECT_COMMAND_READ_BIT);
        break;
    case TVK_BARRIER_TRANSFER:
        barrier(c, COMPUTE | TRANSFER, ALL_WRITES, COMPUTE | TRANSFER, SHADER_RW | TRANSFER_RW);
        break;
    case TVK_BARRIER_HOST:
        barrier(c, COMPUTE | TRANSFER, ALL_WRITES, HOST, VK_ACCESS_HOST_READ_BIT);
        break;
    }
}

static bool inside(const tvk_device *dev, const tvk_span *s)
{
    return s->buffer && s->buffer->device == dev && s->bytes > 0 && s->bytes <= s->buffer->bytes &&
           s->offset <= s->buffer->bytes - s->bytes;
}

void tvk_commands_copy(tvk_commands *c, tvk_span src, tvk_span dst)
{
    VkBufferCopy region = {.srcOffset = src.offset, .dstOffset = dst.offset, .size = src.bytes};
    tvk_status st = TVK_OK;
    tvk_error why = {0}, *err = &why;
    TVK_TRY(recording(c, "copy", err));
    if (!inside(c->device, &src) || !inside(c->device, &dst) || src.bytes != dst.bytes)
        TVK_FAIL(TVK_ERR_ARG,
                 "commands '%s': copy: equal ranges inside buffers needed, %llu at "
                 "%llu to %llu at %llu found",
                 c->name, (unsigned long long)src.bytes, (unsigned long long)src.offset,
                 (unsigned long long)dst.bytes, (unsigned long long)dst.offset);
    c->device->vk.CmdCopyBuffer(c->handle, src.buffer->handle, dst.buffer->handle, 1, &region);
fail:
    keep(c, st, &why);
}

/* ---- time stamps ------------------------------------------------------------------------------
 */

void tvk_commands_timestamp(tvk_commands *c, uint32_t index)
{
    tvk_status st = TVK_OK;
    tvk_error why = {0}, *err = &why;
    TVK_TRY(recording(c, "time stamp", err));
    if (index >= c->max_timestamps)
        TVK_FAIL(TVK_ERR_ARG, "commands '%s': time stamp below %u expected, %u found", c->name,
                 c->max_timestamps, index);
    /* No pool: the device has no clock, and reading the times says so. */
    if (c->queries)
        c->device->vk.CmdWriteTimestamp(c->handle, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, c->queries,
                                        index);
fail:
    keep(c, st, &why);
}

tvk_status tvk_commands_times(tvk_commands *c, uint32_t count, double *ns, tvk_error *err)
{
    tvk_device *dev = c->device;
    uint64_t *ticks = NULL;
    uint32_t bits = dev->caps.families[dev->plan.family].timestamp_bits;
    uint64_t mask = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    tvk_status st = TVK_OK;
    VkResult result;
    TVK_TRY(tvk_device_alive(dev, err));
    if (!dev->plan.timestamps)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "device '%s' has no time stamps", dev->info.name);
    if (count == 0 || count > c->max_timestamps || c->ticket == 0)
        TVK_FAIL(TVK_ERR_ARG, "commands '%s': 1 to %u time stamps of a submission expected, %u %s",
                 c->name, c->max_timestamps, count, c->ticket == 0 ? "of none asked" : "asked");
    TVK_TRY(tvk_gpu_wait(dev, c->ticket, err));
    ticks = calloc(count, sizeof *ticks);
    TVK_TRY_ALLOC(ticks);
    result = dev->vk.GetQueryPoolResults(dev->handle, c->queries, 0, count, count * sizeof *ticks,
                                         ticks, sizeof *ticks, VK_QUERY_RESULT_64_BIT);
    if (result == VK_NOT_READY)
        TVK_FAIL(TVK_ERR_ARG, "commands '%s': %u time stamps expected, not all were recorded",
                 c->name, count);
    TVK_VK_RESULT(dev, result, "GetQueryPoolResults");
    /* Subtracted before masking: a counter of few bits may have wrapped in between. */
    for (uint32_t i = 0; i < count; i++)
        ns[i] = (double)((ticks[i] - ticks[0]) & mask) * dev->caps.timestamp_period_ns;
fail:
    free(ticks);
    return st;
}
