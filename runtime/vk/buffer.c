#include <stdlib.h>

#include "base/check.h"
#include "vk/internal.h"

/* Kernels read whole words: the last, partial one of an odd size must exist. */
#define BUFFER_GRAIN 16u

static void release(tvk_device *dev, tvk_garbage *g)
{
    tvk_buffer *b = (tvk_buffer *)g;
    if (b->handle) dev->vk.DestroyBuffer(dev->handle, b->handle, NULL);
    tvk_memory_free(dev, &b->slice);
    if (b->counted) dev->use.by_purpose[b->purpose] -= b->bytes;
    free(b);
}

static uint32_t type_of(const tvk_plan *plan, tvk_memory_kind kind)
{
    switch (kind) {
    case TVK_MEMORY_UPLOAD:
        return plan->upload_type;
    case TVK_MEMORY_READBACK:
        return plan->readback_type;
    case TVK_MEMORY_RING:
        return plan->ring_type;
    default:
        return plan->device_type;
    }
}

tvk_status tvk_buffer_create(tvk_device *device, tvk_purpose purpose, tvk_memory_kind kind,
                             uint64_t bytes, const char *name, tvk_buffer **out, tvk_error *err)
{
    VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
    VkMemoryRequirements need;
    tvk_buffer *b = NULL;
    tvk_status st = TVK_OK;
    *out = NULL;
    if (!name) name = "unnamed";
    TVK_TRY(tvk_device_alive(device, err));
    if (bytes == 0 || (unsigned)purpose >= TVK_PURPOSE_COUNT)
        TVK_FAIL(TVK_ERR_ARG, "buffer '%s': a size above 0 and a purpose below %d needed", name,
                 TVK_PURPOSE_COUNT);
    if (bytes > device->caps.max_alloc_bytes)
        TVK_FAIL(TVK_ERR_DEVICE_MEMORY,
                 "buffer '%s' (%s): %llu bytes needed, the device allocates %llu at most", name,
                 tvk_purpose_name(purpose), (unsigned long long)bytes,
                 (unsigned long long)device->caps.max_alloc_bytes);
    tvk_garbage_collect(device, false);
    b = calloc(1, sizeof *b);
    TVK_TRY_ALLOC(b);
    b->device = device;
    b->bytes = bytes;
    b->purpose = purpose;
    b->kind = kind;
    info.size = tvk_round_up(bytes, BUFFER_GRAIN);
    TVK_VK(device, device->vk.CreateBuffer(device->handle, &info, NULL, &b->handle));
    TVK_NAME(device, BUFFER, b->handle, name);
    device->vk.GetBufferMemoryRequirements(device->handle, b->handle, &need);
    st = tvk_memory_alloc(device, type_of(&device->plan, kind), &need, name, purpose, &b->slice,
                          err);
    if (kind == TVK_MEMORY_RING && device->plan.ring_type != device->plan.upload_type &&
        (st == TVK_ERR_DEVICE_MEMORY || st == TVK_ERR_UNSUPPORTED))
        st = tvk_memory_alloc(device, device->plan.upload_type, &need, name, purpose, &b->slice,
                              err);
    TVK_TRY(st);
    TVK_VK(device, device->vk.BindBufferMemory(device->handle, b->handle,
                                               tvk_slice_memory(&b->slice), b->slice.offset));
    device->use.by_purpose[purpose] += bytes;
    b->counted = true;
    *out = b;
    b = NULL;
fail:
    if (b) release(device, &b->garbage);
    return st;
}

void tvk_buffer_destroy(tvk_buffer **buffer)
{
    if (!buffer || !*buffer) return;
    tvk_garbage_put((*buffer)->device, &(*buffer)->garbage, release);
    *buffer = NULL;
}

void *tvk_buffer_map(tvk_buffer *buffer)
{
    return tvk_slice_map(&buffer->slice);
}

uint64_t tvk_buffer_bytes(const tvk_buffer *buffer)
{
    return buffer->bytes;
}

tvk_span tvk_buffer_span(tvk_buffer *buffer)
{
    return (tvk_span){.buffer = buffer, .bytes = buffer->bytes};
}

tvk_span tvk_span_sub(tvk_span span, uint64_t offset, uint64_t bytes)
{
    span.offset += offset;
    span.bytes = bytes;
    return span;
}
