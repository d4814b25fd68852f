#include <stdlib.h>

#include "base/clock.h"
#include "vk/internal.h"

/* A discrete device answers in some 10 us where the system's wait takes 30. That counts only while
 * nothing else is queued, so that the device stands still until the host goes on; spinning longer
 * than this only burns a core. */
#define SPIN_NS 100000u

/* ---- deferred release ------------------------------------------------------------------------ */

void tvk_garbage_put(tvk_device *dev, tvk_garbage *g,
                     void (*release)(tvk_device *dev, tvk_garbage *self))
{
    g->release = release;
    g->ticket = dev->submitted;
    g->next = NULL;
    if (dev->garbage_tail)
        dev->garbage_tail->next = g;
    else
        dev->garbage_head = g;
    dev->garbage_tail = g;
    tvk_garbage_collect(dev, false);
}

static void poll(tvk_device *dev)
{
    while (!dev->lost && dev->completed < dev->submitted) {
        VkFence fence = dev->fences[(dev->completed + 1) % TVK_FENCES];
        VkResult result = dev->vk.GetFenceStatus(dev->handle, fence);
        if (result == VK_ERROR_DEVICE_LOST) tvk_device_lose(dev, "GetFenceStatus");
        if (result != VK_SUCCESS) return;
        dev->completed++;
    }
}

void tvk_garbage_collect(tvk_device *dev, bool all)
{
    if (dev->garbage_head && !all) poll(dev);
    while (dev->garbage_head && (all || dev->garbage_head->ticket <= dev->completed)) {
        tvk_garbage *g = dev->garbage_head;
        dev->garbage_head = g->next;
        if (!dev->garbage_head) dev->garbage_tail = NULL;
        g->release(dev, g);
    }
}

/* ---- fences ---------------------------------------------------------------------------------- */

tvk_status tvk_fences_create(tvk_device *dev, tvk_error *err)
{
    VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    tvk_status st = TVK_OK;
    for (int i = 0; i < TVK_FENCES; i++) {
        TVK_VK(dev, dev->vk.CreateFence(dev->handle, &info, NULL, &dev->fences[i]));
        TVK_NAME(dev, FENCE, dev->fences[i], "tvk submission");
    }
fail:
    return st;
}

void tvk_fences_destroy(tvk_device *dev)
{
    if (!dev->vk.DestroyFence) return;
    for (int i = 0; i < TVK_FENCES; i++) {
        dev->vk.DestroyFence(dev->handle, dev->fences[i], NULL);
        dev->fences[i] = VK_NULL_HANDLE;
    }
}

/* Waits until `ticket` has completed. Fences of a ring slot are reused every TVK_FENCES tickets, so
 * a ticket that old is known to be complete. */
static tvk_status wait_ticket(tvk_device *dev, uint64_t ticket, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const VkFence *fence = &dev->fences[ticket % TVK_FENCES];
    TVK_TRY(tvk_device_alive(dev, err));
    if (ticket <= dev->completed) return TVK_OK;
    if (dev->caps.type == TVK_DEVICE_DISCRETE && ticket == dev->submitted) {
        uint64_t end = tvk_clock_ns() + SPIN_NS;
        do {
            poll(dev);
        } while (!dev->lost && dev->completed < ticket && tvk_clock_ns() < end);
        TVK_TRY(tvk_device_alive(dev, err));
    }
    if (ticket > dev->completed) {
        TVK_VK(dev, dev->vk.WaitForFences(dev->handle, 1, fence, VK_TRUE, UINT64_MAX));
        dev->completed = ticket; /* one queue: earlier ones are done too */
    }
fail:
    return st;
}

/* ---- public ---------------------------------------------------------------------------------- */

static tvk_status check_list(const tvk_device *device, tvk_commands *const *list, uint32_t count,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (count == 0) TVK_FAIL(TVK_ERR_ARG, "submission: at least one command list expected");
    for (uint32_t i = 0; i < count; i++)
        if (list[i]->device != device || list[i]->state != TVK_COMMANDS_READY)
            TVK_FAIL(TVK_ERR_ARG,
                     "submission: commands '%s' expected to be recorded for device '%s'",
                     list[i]->name, device->info.name);
fail:
    return st;
}

/* Each list is a submission of its own, since that is what a driver's scheduler can put others in
 * between, and what its watchdog times. The last one has the fence. */
static tvk_status submit_each(tvk_device *device, tvk_commands *const *list, uint32_t count,
                              VkFence fence, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t i = 0;
    for (; i < count; i++) {
        const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                   .commandBufferCount = 1,
                                   .pCommandBuffers = &list[i]->handle};
        TVK_VK(device, device->vk.QueueSubmit(device->queue, 1, &info,
                                              i + 1 == count ? fence : VK_NULL_HANDLE));
    }
fail:
    /* those before have no ticket: nobody would wait for them */
    if (st != TVK_OK && i > 0) device->vk.DeviceWaitIdle(device->handle);
    return st;
}

tvk_status tvk_gpu_submit(tvk_device *device, tvk_commands *const *list, uint32_t count,
                          uint64_t *ticket, tvk_error *err)
{
    uint64_t next = device->submitted + 1;
    size_t slot = (size_t)(next % TVK_FENCES);
    VkFence *fence = &device->fences[slot];
    tvk_status st = TVK_OK;
    if (ticket) *ticket = 0;
    TVK_TRY(tvk_device_alive(device, err));
    TVK_TRY(check_list(device, list, count, err));
    /* Clean once it was reset, also when the submission after that failed. */
    if (device->fence_used[slot]) {
        TVK_TRY(wait_ticket(device, next - TVK_FENCES, err));
        TVK_VK(device, device->vk.WaitForFences(device->handle, 1, fence, VK_TRUE, UINT64_MAX));
        TVK_VK(device, device->vk.ResetFences(device->handle, 1, fence));
        device->fence_used[slot] = false;
    }
    TVK_TRY(submit_each(device, list, count, *fence, err));
    device->fence_used[slot] = true;
    device->submitted = next;
    for (uint32_t i = 0; i < count; i++) list[i]->ticket = next;
    if (ticket) *ticket = next;
    tvk_garbage_collect(device, false);
fail:
    return st;
}

tvk_status tvk_gpu_wait(tvk_device *device, uint64_t ticket, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_device_alive(device, err));
    if (ticket > device->submitted)
        TVK_FAIL(TVK_ERR_ARG, "wait: a ticket up to %llu expected, %llu found",
                 (unsigned long long)device->submitted, (unsigned long long)ticket);
    TVK_TRY(wait_ticket(device, ticket, err));
    tvk_garbage_collect(device, false);
fail:
    return st;
}

tvk_status tvk_gpu_wait_idle(tvk_device *device, tvk_error *err)
{
    return tvk_gpu_wait(device, device->submitted, err);
}
