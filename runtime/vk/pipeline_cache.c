/* The driver's compiled programs as bytes that a caller keeps between runs. Drivers trust what they
 * are given, so a header of ours with a checksum stands in front, and the driver's own is read. */
#include <stdlib.h>
#include <string.h>

#include "vk/internal.h"

#define MAGIC "TVKPIPE1"
#define DRIVER_HEADER 32u /* bytes of VkPipelineCacheHeaderVersionOne, written byte by byte */

/* All members fill it without padding; numbers as this machine has them. */
typedef struct header {
    char magic[8];
    uint64_t checksum; /* of all that follows */
    uint64_t bytes;    /* behind the header */
    uint64_t tag;      /* the caller's */
    uint32_t vendor_id, device_id, driver_version, pointer_bytes;
    uint8_t driver_uuid[16], device_uuid[16];
} header;

_Static_assert(sizeof(header) == 80, "no padding");

/* FNV-1a over words of 8 bytes, the last one filled with zeros */
static uint64_t checksum(const unsigned char *bytes, size_t count)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < count; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, count - i < 8 ? count - i : 8);
        hash = (hash ^ word) * 1099511628211u;
        hash ^= hash >> 29;
    }
    return hash;
}

static header make_header(const tvk_device *dev, uint64_t tag, uint64_t bytes)
{
    header h = {.bytes = bytes,
                .tag = tag,
                .vendor_id = dev->caps.vendor_id,
                .device_id = dev->caps.device_id,
                .driver_version = dev->caps.driver_version,
                .pointer_bytes = sizeof(void *)};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    memcpy(h.driver_uuid, dev->caps.driver_uuid, sizeof h.driver_uuid);
    memcpy(h.device_uuid, dev->caps.device_uuid, sizeof h.device_uuid);
    return h;
}

#define SUMMED_FROM offsetof(header, bytes)

/* Vulkan specification, "Pipeline Cache Header": length, version 1, vendor, device, UUID. */
static bool driver_header_fits(const tvk_device *dev, const unsigned char *blob)
{
    VkPhysicalDeviceProperties p;
    uint32_t words[4];
    memcpy(words, blob, sizeof words);
    dev->instance.vk.GetPhysicalDeviceProperties(dev->phys, &p);
    return words[0] == DRIVER_HEADER && words[1] == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
           words[2] == p.vendorID && words[3] == p.deviceID &&
           !memcmp(blob + sizeof words, p.pipelineCacheUUID, VK_UUID_SIZE);
}

/* Why the bytes cannot be used; NULL: they can. */
static const char *unusable(const tvk_device *dev, const unsigned char *bytes, size_t size,
                            uint64_t tag)
{
    header h, want;
    if (size < sizeof h) return "too short";
    memcpy(&h, bytes, sizeof h);
    if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0) return "not a file of compiled kernels";
    if (h.bytes != size - sizeof h) return "cut, or longer than it says";
    want = make_header(dev, tag, h.bytes);
    want.checksum = h.checksum;
    if (memcmp(&h, &want, sizeof h) != 0)
        return "for another device, driver or version of the kernels";
    if (h.checksum != checksum(bytes + SUMMED_FROM, size - SUMMED_FROM)) return "damaged";
    if (h.bytes < DRIVER_HEADER || !driver_header_fits(dev, bytes + sizeof h))
        return "not what this driver wrote";
    return NULL;
}

static tvk_status create(tvk_device *dev, const void *blob, size_t bytes, tvk_error *err)
{
    VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                      .initialDataSize = bytes,
                                      .pInitialData = blob};
    VkPipelineCache cache = VK_NULL_HANDLE;
    tvk_status st = TVK_OK;
    size_t held = 0;
    TVK_VK(dev, dev->vk.CreatePipelineCache(dev->handle, &info, NULL, &cache));
    /* what the driver took of it, which may be nothing */
    if (blob) TVK_VK(dev, dev->vk.GetPipelineCacheData(dev->handle, cache, &held, NULL));
    dev->vk.DestroyPipelineCache(dev->handle, dev->pipeline_cache, NULL);
    dev->pipeline_cache = cache;
    dev->pipeline_cache_bytes = held;
    cache = VK_NULL_HANDLE;
fail:
    dev->vk.DestroyPipelineCache(dev->handle, cache, NULL);
    return st;
}

tvk_status tvk_pipeline_cache_create(tvk_device *dev, tvk_error *err)
{
    return create(dev, NULL, 0, err);
}

tvk_status tvk_device_programs_put(tvk_device *device, const void *bytes, size_t size, uint64_t tag,
                                   tvk_error *err)
{
    tvk_status st = TVK_OK;
    const char *why;
    TVK_TRY(tvk_device_alive(device, err));
    why = unusable(device, bytes, size, tag);
    if (why)
        TVK_FAIL(TVK_ERR_FORMAT, "compiled kernels of %llu bytes are not used: %s",
                 (unsigned long long)size, why);
    TVK_TRY(
        create(device, (const unsigned char *)bytes + sizeof(header), size - sizeof(header), err));
fail:
    return st;
}

tvk_status tvk_device_programs_get(tvk_device *device, uint64_t tag, void **out, size_t *size,
                                   tvk_error *err)
{
    tvk_status st = TVK_OK;
    unsigned char *bytes = NULL;
    size_t held = 0;
    VkResult result;
    header h;
    *out = NULL;
    *size = 0;
    TVK_TRY(tvk_device_alive(device, err));
    do { /* again when a program was added meanwhile */
        free(bytes);
        bytes = NULL;
        TVK_VK(device, device->vk.GetPipelineCacheData(device->handle, device->pipeline_cache,
                                                       &held, NULL));
        if (held <= device->pipeline_cache_bytes) return TVK_OK;
        bytes = calloc(1, sizeof h + held);
        TVK_TRY_ALLOC(bytes);
        result = device->vk.GetPipelineCacheData(device->handle, device->pipeline_cache, &held,
                                                 bytes + sizeof h);
    } while (result == VK_INCOMPLETE);
    TVK_VK(device, result);
    h = make_header(device, tag, held);
    memcpy(bytes, &h, sizeof h);
    h.checksum = checksum(bytes + SUMMED_FROM, sizeof h - SUMMED_FROM + held);
    memcpy(bytes, &h, sizeof h);
    device->pipeline_cache_bytes = held;
    *out = bytes;
    *size = sizeof h + held;
    bytes = NULL;
fail:
    free(bytes);
    return st;
}
