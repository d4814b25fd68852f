/* Failures on demand: what a driver does once in a year, as often as a test needs it. */
#include <string.h>

#include "vk/internal.h"

static const struct fault {
    const char *call;
    VkResult result;
} faults[TVK_FAULT_COUNT] = {
#define TVK_FAULT(key, call, result) {#call, VK_ERROR_##result},
#include "vk/faults.def"
};

void tvk_faults_arm(tvk_device *dev)
{
    dev->faulty = dev->fail_in > 0;
    for (int i = 0; i < TVK_FAULT_COUNT; i++) dev->faulty = dev->faulty || dev->caps.faults[i] > 0;
}

bool tvk_gpu_fail_at(tvk_device *device, uint32_t n, tvk_status status)
{
    const bool met = device->fail_in == 0;
    device->fail_in = n;
    device->fail_with = status == TVK_ERR_DEVICE_LOST     ? VK_ERROR_DEVICE_LOST
                        : status == TVK_ERR_DEVICE_MEMORY ? VK_ERROR_OUT_OF_DEVICE_MEMORY
                                                          : VK_ERROR_OUT_OF_HOST_MEMORY;
    if (n == 0) {
        memset(device->caps.faults, 0, sizeof device->caps.faults);
        device->lost = false;
    }
    tvk_faults_arm(device);
    return met;
}

void tvk_gpu_fail_after(tvk_device *device, tvk_fault fault, uint32_t calls)
{
    device->caps.faults[fault] = calls + 1;
    tvk_faults_arm(device);
}

/* Of all calls: the one that tvk_gpu_fail_at chose. */
static VkResult chosen(tvk_device *dev)
{
    if (dev->fail_in == 0 || --dev->fail_in > 0) return VK_SUCCESS;
    return dev->fail_with;
}

VkResult tvk_vk_fault(tvk_device *dev, const char *call)
{
    const char *name;
    int length;
    if (!dev || !dev->faulty) return VK_SUCCESS;
    name = tvk_vk_call_name(call, &length);
    for (int i = 0; i < TVK_FAULT_COUNT; i++) {
        uint32_t *left = &dev->caps.faults[i]; /* 1: no call more */
        if (*left == 0 || strlen(faults[i].call) != (size_t)length ||
            memcmp(faults[i].call, name, (size_t)length) != 0)
            continue;
        if (*left == 1) return faults[i].result;
        --*left;
    }
    return chosen(dev);
}
