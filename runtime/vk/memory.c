/* Blocks of device memory and their sub-allocation. A block holds a list of free ranges sorted by
 * offset; allocation is first fit, freeing merges with the neighbours. The runtime has a handful
 * of long-lived buffers, so lists stay short. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "vk/internal.h"

typedef struct free_range free_range;
struct free_range {
    free_range *next;
    uint64_t offset, bytes;
};

struct tvk_block {
    tvk_block *next;
    VkDeviceMemory memory;
    void *map;
    uint32_t type;
    uint64_t bytes;
    uint32_t slices; /* live ones */
    bool shared;     /* more than one buffer may live here */
    free_range *ranges;
};

const char *tvk_purpose_name(tvk_purpose purpose)
{
    static const char *const names[] = {"weights", "KV", "scratch", "state", "staging"};
    return (size_t)purpose < sizeof names / sizeof *names ? names[purpose] : "unknown";
}

VkDeviceMemory tvk_slice_memory(const tvk_slice *slice)
{
    return slice->block->memory;
}

void *tvk_slice_map(const tvk_slice *slice)
{
    if (!slice->block || !slice->block->map) return NULL;
    return (unsigned char *)slice->block->map + slice->offset;
}

uint64_t tvk_memory_available(tvk_device *dev, uint32_t heap)
{
    const tvk_memory_heap *h = &dev->caps.heaps[heap];
    uint64_t used = dev->heap_used[heap];
    uint64_t left = h->bytes > used ? h->bytes - used : 0;
    if (dev->caps.memory_budget) {
        uint64_t budget;
        tvk_snapshot_budget(&dev->instance, dev->phys, &dev->caps);
        budget = h->budget_bytes > h->used_bytes ? h->budget_bytes - h->used_bytes : 0;
        if (h->budget_bytes > 0 && budget < left) left = budget;
    }
    return left;
}

bool tvk_gpu_fits(tvk_device *device, uint64_t bytes, uint64_t *available)
{
    uint64_t left = tvk_memory_available(device, device->caps.types[device->plan.device_type].heap);
    if (available) *available = left;
    return bytes <= left;
}

/* ---- free ranges ------------------------------------------------------------------------------
 */

static void remove_range(free_range **link)
{
    free_range *r = *link;
    *link = r->next;
    free(r);
}

/* The part of `r` in front of an aligned slice stays free; so does the part behind it. Needs a new
 * node when both remain; false when malloc fails. */
static bool carve(free_range **link, uint64_t offset, uint64_t bytes)
{
    free_range *r = *link;
    uint64_t front = offset - r->offset, back = r->bytes - front - bytes;
    if (front > 0 && back > 0) {
        free_range *tail = malloc(sizeof *tail);
        if (!tail) return false;
        *tail = (free_range){.next = r->next, .offset = offset + bytes, .bytes = back};
        r->next = tail;
        r->bytes = front;
    } else if (front > 0) {
        r->bytes = front;
    } else if (back > 0) {
        r->offset = offset + bytes;
        r->bytes = back;
    } else {
        remove_range(link);
    }
    return true;
}

static bool take(tvk_block *b, uint64_t bytes, uint64_t align, uint64_t *offset)
{
    for (free_range **link = &b->ranges; *link; link = &(*link)->next) {
        uint64_t at = tvk_round_up((*link)->offset, align);
        uint64_t skipped = at - (*link)->offset;
        if ((*link)->bytes < skipped || (*link)->bytes - skipped < bytes) continue;
        if (!carve(link, at, bytes)) return false;
        *offset = at;
        return true;
    }
    return false;
}

/* Without a node to spare the range is lost until the block goes, which it does when empty. */
static void give(tvk_block *b, uint64_t offset, uint64_t bytes)
{
    free_range **link = &b->ranges, *prev = NULL, *next;
    while (*link && (*link)->offset < offset) {
        prev = *link;
        link = &(*link)->next;
    }
    next = *link;
    if (prev && prev->offset + prev->bytes == offset) {
        prev->bytes += bytes;
        if (next && prev->offset + prev->bytes == next->offset) {
            prev->bytes += next->bytes;
            remove_range(&prev->next);
        }
    } else if (next && offset + bytes == next->offset) {
        next->offset = offset;
        next->bytes += bytes;
    } else {
        free_range *r = malloc(sizeof *r);
        if (!r) return;
        *r = (free_range){.next = next, .offset = offset, .bytes = bytes};
        *link = r;
    }
}

/* ---- blocks -----------------------------------------------------------------------------------
 */

static void destroy_block(tvk_device *dev, tvk_block *b)
{
    if (!b) return;
    if (b->memory) {
        dev->vk.FreeMemory(dev->handle, b->memory, NULL);
        dev->alloc_count--;
        dev->heap_used[dev->caps.types[b->type].heap] -= b->bytes;
        dev->use.blocks -= b->bytes;
    }
    while (b->ranges) remove_range(&b->ranges);
    free(b);
}

static tvk_status create_block(tvk_device *dev, uint32_t type, uint64_t bytes, bool shared,
                               tvk_block **out, tvk_error *err)
{
    VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .allocationSize = bytes,
                                 .memoryTypeIndex = type};
    tvk_status st = TVK_OK;
    tvk_block *b = calloc(1, sizeof *b);
    *out = NULL;
    TVK_TRY_ALLOC(b);
    b->type = type;
    b->shared = shared;
    b->ranges = calloc(1, sizeof *b->ranges);
    TVK_TRY_ALLOC(b->ranges);
    b->ranges->bytes = bytes;
    TVK_VK(dev, dev->vk.AllocateMemory(dev->handle, &info, NULL, &b->memory));
    b->bytes = bytes;
    dev->alloc_count++;
    dev->heap_used[dev->caps.types[type].heap] += bytes;
    dev->use.blocks += bytes;
    TVK_NAME(dev, DEVICE_MEMORY, b->memory, shared ? "tvk block" : "tvk block of one buffer");
    if (dev->caps.types[type].host_visible)
        TVK_VK(dev, dev->vk.MapMemory(dev->handle, b->memory, 0, VK_WHOLE_SIZE, 0, &b->map));
    *out = b;
    b = NULL;
fail:
    destroy_block(dev, b);
    return st;
}

/* The window into a discrete device's memory may be small, and one ring is all that lives there. */
static bool ring_alone(const tvk_plan *plan, uint32_t type)
{
    return type == plan->ring_type && type != plan->device_type && type != plan->upload_type &&
           type != plan->readback_type;
}

/* First a block that is there, then a new one, then, where a whole block is too much, a block of
 * the size of the request. */
static tvk_status find_block(tvk_device *dev, uint32_t type, const VkMemoryRequirements *need,
                             const char *what, tvk_purpose purpose, tvk_slice *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_block *b = NULL;
    uint64_t block_bytes = dev->plan.block_bytes, left;
    bool shared = need->size < block_bytes / 2 && !ring_alone(&dev->plan, type);
    if (shared)
        for (b = dev->blocks; b; b = b->next)
            if (b->shared && b->type == type && take(b, need->size, need->alignment, &out->offset))
                break;
    if (b) {
        out->block = b;
        return TVK_OK;
    }
    left = tvk_memory_available(dev, dev->caps.types[type].heap);
    if (need->size > left)
        TVK_FAIL(TVK_ERR_DEVICE_MEMORY,
                 "buffer '%s' (%s): %llu bytes needed, %llu available of %llu", what,
                 tvk_purpose_name(purpose), (unsigned long long)need->size,
                 (unsigned long long)left,
                 (unsigned long long)dev->caps.heaps[dev->caps.types[type].heap].bytes);
    if (dev->caps.max_alloc_bytes > 0 && need->size > dev->caps.max_alloc_bytes)
        TVK_FAIL(TVK_ERR_DEVICE_MEMORY,
                 "buffer '%s' (%s): %llu bytes needed, the device allocates %llu at most", what,
                 tvk_purpose_name(purpose), (unsigned long long)need->size,
                 (unsigned long long)dev->caps.max_alloc_bytes);
    if (dev->alloc_count >= dev->caps.max_alloc_count)
        TVK_FAIL(TVK_ERR_DEVICE_MEMORY,
                 "buffer '%s' (%s): one more allocation needed, the device allows %u", what,
                 tvk_purpose_name(purpose), dev->caps.max_alloc_count);
    if (shared && block_bytes <= left) st = create_block(dev, type, block_bytes, true, &b, err);
    if (!b && !dev->lost) st = create_block(dev, type, need->size, false, &b, err);
    if (st == TVK_ERR_DEVICE_MEMORY)
        TVK_FAIL(TVK_ERR_DEVICE_MEMORY,
                 "buffer '%s' (%s): %llu bytes needed, the driver refused; %llu seemed available",
                 what, tvk_purpose_name(purpose), (unsigned long long)need->size,
                 (unsigned long long)left);
    TVK_TRY(st);
    b->next = dev->blocks;
    dev->blocks = b;
    /* Offset 0 of an empty block suits any alignment, and one range needs no new node but one. */
    if (!take(b, need->size, need->alignment, &out->offset)) {
        dev->blocks = b->next;
        destroy_block(dev, b);
        TVK_FAIL(TVK_ERR_HOST_MEMORY, "out of host memory");
    }
    out->block = b;
fail:
    return st;
}

tvk_status tvk_memory_alloc(tvk_device *dev, uint32_t type, const VkMemoryRequirements *need,
                            const char *what, tvk_purpose purpose, tvk_slice *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    memset(out, 0, sizeof *out);
    if ((need->memoryTypeBits & (UINT32_C(1) << type)) == 0)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "buffer '%s': memory type %u needed, types 0x%x allowed",
                 what, type, need->memoryTypeBits);
    TVK_TRY(find_block(dev, type, need, what, purpose, out, err));
    out->bytes = need->size;
    out->block->slices++;
fail:
    return st;
}

void tvk_memory_free(tvk_device *dev, tvk_slice *slice)
{
    tvk_block *b = slice->block, **link;
    if (!b) return;
    give(b, slice->offset, slice->bytes);
    memset(slice, 0, sizeof *slice);
    if (--b->slices > 0) return;
    for (link = &dev->blocks; *link != b; link = &(*link)->next) {
    }
    *link = b->next;
    destroy_block(dev, b);
}
