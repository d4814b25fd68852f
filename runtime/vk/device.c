#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vk/internal.h"

static uint64_t heap_available(const tvk_memory_heap *h)
{
    uint64_t left = h->bytes;
    if (h->budget_bytes > 0) {
        left = h->budget_bytes > h->used_bytes ? h->budget_bytes - h->used_bytes : 0;
        if (left > h->bytes) left = h->bytes;
    }
    return left;
}

static void fill_info(const tvk_caps *c, const tvk_plan *p, uint32_t index, tvk_device_info *out)
{
    const tvk_memory_heap *heap = NULL;
    memset(out, 0, sizeof *out);
    out->index = index;
    snprintf(out->name, sizeof out->name, "%s", c->name);
    snprintf(out->driver, sizeof out->driver, "%.120s%s%.120s", c->driver_name,
             c->driver_info[0] ? " " : "", c->driver_info);
    out->api_version = c->api_version;
    out->vendor_id = c->vendor_id;
    out->device_id = c->device_id;
    out->type = c->type;
    memcpy(out->driver_uuid, c->driver_uuid, sizeof out->driver_uuid);
    out->clamps = c->clamps;
    out->usable = p->usable;
    snprintf(out->why, sizeof out->why, "%s", p->why);
    out->unified_memory = p->unified;
    if (p->usable) {
        heap = &c->heaps[c->types[p->device_type].heap];
    } else {
        for (uint32_t i = 0; i < c->heap_count; i++)
            if (c->heaps[i].device_local && (!heap || c->heaps[i].bytes > heap->bytes))
                heap = &c->heaps[i];
    }
    if (heap) {
        out->device_bytes = heap->bytes;
        out->available_bytes = heap_available(heap);
    }
    out->max_storage_bytes = p->usable ? p->max_storage_bytes : c->max_storage_bytes;
    out->subgroup_size = c->subgroup_size;
    out->subgroup_min = c->subgroup_min;
    out->subgroup_max = c->subgroup_max;
    out->subgroup_fixed = p->subgroup_fixed;
    out->max_invocations = c->max_invocations;
    out->max_shared_bytes = c->max_shared_bytes;
    out->fp16 = c->fp16;
    out->int8 = c->int8;
    out->storage8 = c->storage8;
    out->storage16 = c->storage16;
    out->dot_signed = c->dot && c->dot_signed;
    out->dot_mixed = c->dot && c->dot_mixed;
    out->cooperative_matrix = p->coopmat_subgroup != 0;
    out->submit_ms = p->submit_ms;
    out->timestamp_period_ns = p->timestamps ? c->timestamp_period_ns : 0;
    snprintf(out->quirks, sizeof out->quirks, "%s", p->quirks);
}

/* ---- choice ---------------------------------------------------------------------------------- */

static bool same_char(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static bool contains(const char *text, const char *part)
{
    for (; *text; text++) {
        size_t i = 0;
        while (part[i] && text[i] && same_char(text[i], part[i])) i++;
        if (!part[i]) return true;
    }
    return !*part;
}

static bool selects(const char *select, uint32_t index, const char *name)
{
    size_t digits = strspn(select, "0123456789");
    if (digits > 0 && select[digits] == '\0')
        return digits < 10 && strtoul(select, NULL, 10) == index;
    return contains(name, select);
}

/* Index of the device to use: the highest rank among those that `select` names. */
static tvk_status choose(const tvk_caps *caps, uint32_t count, const char *select, uint32_t *out,
                         tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t best_rank = 0;
    uint32_t best = UINT32_MAX, first = UINT32_MAX;
    char why[sizeof((tvk_plan *)0)->why] = "";
    for (uint32_t i = 0; i < count; i++) {
        tvk_plan plan;
        uint64_t rank;
        if (select && !selects(select, i, caps[i].name)) continue;
        tvk_plan_make(&caps[i], &plan);
        rank = tvk_plan_rank(&caps[i], &plan);
        if (first == UINT32_MAX) {
            first = i;
            snprintf(why, sizeof why, "%s", plan.why);
        }
        if (rank > best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    if (first == UINT32_MAX)
        TVK_FAIL(
            TVK_ERR_NO_DEVICE,
            "device '%.60s': a number below %u or a part of a name needed; device 0 is '%.120s'",
            select, count, caps[0].name);
    if (best == UINT32_MAX)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "device %u '%.120s': %s", first, caps[first].name, why);
    *out = best;
fail:
    return st;
}

/* ---- list ------------------------------------------------------------------------------------ */

static void describe(const tvk_instance *in, VkPhysicalDevice phys, uint32_t index,
                     const tvk_device_params *params, tvk_device_info *out)
{
    tvk_caps caps;
    tvk_plan plan;
    tvk_error why = {0};
    tvk_status st = tvk_snapshot(in, phys, &caps, &why);
    if (st == TVK_OK && params && params->clamps)
        st = tvk_caps_clamp(&caps, params->clamps, params->clamps_name, &why);
    if (st == TVK_OK) {
        tvk_plan_make(&caps, &plan);
    } else {
        memset(&plan, 0, sizeof plan);
        snprintf(plan.why, sizeof plan.why, "%.250s", why.text);
    }
    fill_info(&caps, &plan, index, out);
}

tvk_status tvk_device_list(const tvk_device_params *params, tvk_device_info **out, uint32_t *count,
                           tvk_error *err)
{
    tvk_instance in;
    VkPhysicalDevice *phys = NULL;
    tvk_device_info *list = NULL;
    tvk_status st = TVK_OK;
    uint32_t n = 0;
    *out = NULL;
    *count = 0;
    TVK_TRY(tvk_instance_init(&in, params, err));
    TVK_TRY(tvk_instance_devices(&in, &phys, &n, err));
    list = calloc(n, sizeof *list);
    TVK_TRY_ALLOC(list);
    for (uint32_t i = 0; i < n; i++) describe(&in, phys[i], i, params, &list[i]);
    *out = list;
    *count = n;
fail:
    free(phys);
    tvk_instance_fini(&in);
    return st;
}

/* ---- create ---------------------------------------------------------------------------------- */

static tvk_status pick(tvk_device *dev, const tvk_device_params *params, uint32_t *index,
                       tvk_error *err)
{
    VkPhysicalDevice *phys = NULL;
    tvk_caps *caps = NULL;
    tvk_status st = TVK_OK;
    uint32_t n = 0;
    TVK_TRY(tvk_instance_devices(&dev->instance, &phys, &n, err));
    caps = calloc(n, sizeof *caps);
    TVK_TRY_ALLOC(caps);
    for (uint32_t i = 0; i < n; i++) {
        tvk_error why = {0};
        if (tvk_snapshot(&dev->instance, phys[i], &caps[i], &why) == TVK_OK) continue;
        /* A broken driver must not take the others with it: with no version it is refused. */
        tvk_log_print(&dev->log, TVK_LOG_WARN, "device %u: %s", i, why.text);
        caps[i].api_version = 0;
    }
    /* Chosen by what the devices are, clamped afterwards: a clamp that the chosen one does not
     * satisfy is an error, not a silent move to another device. */
    TVK_TRY(choose(caps, n, params->select, index, err));
    dev->phys = phys[*index];
    dev->caps = caps[*index];
    if (params->clamps)
        TVK_TRY(tvk_caps_clamp(&dev->caps, params->clamps, params->clamps_name, err));
    tvk_plan_make(&dev->caps, &dev->plan);
    if (params->submit_ms)
        dev->plan.submit_ms = params->submit_ms == TVK_SUBMIT_ANY ? 0 : params->submit_ms;
    fill_info(&dev->caps, &dev->plan, *index, &dev->info);
    if (!dev->plan.usable)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "device %u '%.120s': %s", *index, dev->caps.name,
                 dev->plan.why);
fail:
    free(caps);
    free(phys);
    return st;
}

tvk_status tvk_device_create(const tvk_device_params *params, tvk_device **out, tvk_error *err)
{
    static const tvk_device_params none;
    tvk_device *dev = NULL;
    tvk_status st = TVK_OK;
    uint32_t index = 0;
    if (!params) params = &none;
    *out = NULL;
    dev = calloc(1, sizeof *dev);
    TVK_TRY_ALLOC(dev);
    dev->log = params->log;
    TVK_TRY(tvk_instance_init(&dev->instance, params, err));
    TVK_TRY(pick(dev, params, &index, err));
    tvk_faults_arm(dev);
    dev->inspect = params->inspect && dev->caps.executable_properties;
    TVK_TRY(tvk_device_open(dev, err));
    TVK_TRY(tvk_fences_create(dev, err));
    TVK_TRY(tvk_pipeline_cache_create(dev, err));
    tvk_log_print(&dev->log, TVK_LOG_DEBUG, "device %u '%s', driver %s, subgroup %u%s%s", index,
                  dev->info.name, dev->info.driver, dev->plan.subgroup_fixed,
                  dev->plan.unified ? ", unified memory" : "",
                  dev->plan.quirks[0] ? ", quirks: " : "");
    if (dev->plan.quirks[0])
        tvk_log_print(&dev->log, TVK_LOG_DEBUG, "quirks: %s", dev->plan.quirks);
    *out = dev;
    dev = NULL;
fail:
    tvk_device_destroy(&dev);
    return st;
}

void tvk_device_destroy(tvk_device **device)
{
    tvk_device *dev = device ? *device : NULL;
    if (!dev) return;
    if (dev->vk.DeviceWaitIdle) dev->vk.DeviceWaitIdle(dev->handle);
    tvk_staging_destroy(dev);
    tvk_garbage_collect(dev, true);
    tvk_fences_destroy(dev);
    if (dev->use.blocks > 0)
        tvk_log_print(&dev->log, TVK_LOG_WARN, "device destroyed with %llu bytes still in buffers",
                      (unsigned long long)dev->use.blocks);
    if (dev->vk.DestroyPipelineCache)
        dev->vk.DestroyPipelineCache(dev->handle, dev->pipeline_cache, NULL);
    if (dev->vk.DestroyDescriptorSetLayout)
        for (int i = 0; i <= TVK_MAX_BINDINGS; i++)
            dev->vk.DestroyDescriptorSetLayout(dev->handle, dev->set_layouts[i], NULL);
    if (dev->handle && dev->vk.DestroyDevice) dev->vk.DestroyDevice(dev->handle, NULL);
    tvk_instance_fini(&dev->instance);
    free(dev);
    *device = NULL;
}

/* ---- small answers --------------------------------------------------------------------------- */

tvk_status tvk_device_alive(const tvk_device *dev, tvk_error *err)
{
    if (!dev->lost) return TVK_OK;
    return tvk_error_set(err, TVK_ERR_DEVICE_LOST, __FILE__, __LINE__,
                         "device '%s' was lost (vk%s: VK_ERROR_DEVICE_LOST)", dev->info.name,
                         dev->lost_by);
}

void tvk_device_lose(tvk_device *dev, const char *call)
{
    int length;
    const char *name = tvk_vk_call_name(call, &length);
    if (!dev->lost) snprintf(dev->lost_by, sizeof dev->lost_by, "%.*s", length, name);
    dev->lost = true;
}

void tvk_device_name(tvk_device *dev, VkObjectType type, uint64_t object, const char *name)
{
    VkDebugUtilsObjectNameInfoEXT info = {.sType =
                                              VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
                                          .objectType = type,
                                          .objectHandle = object,
                                          .pObjectName = name};
    if (!dev->instance.debug_utils || !dev->instance.vk.SetDebugUtilsObjectNameEXT || !name) return;
    (void)dev->instance.vk.SetDebugUtilsObjectNameEXT(dev->handle, &info);
}

const tvk_device_info *tvk_device_get_info(const tvk_device *device)
{
    return &device->info;
}

void tvk_device_memory(const tvk_device *device, tvk_memory_use *out)
{
    *out = device->use;
}

uint32_t tvk_device_validation_messages(const tvk_device *device)
{
    return device->instance.messages;
}

const tvk_plan *tvk_gpu_plan(const tvk_device *device)
{
    return &device->plan;
}

const tvk_log *tvk_gpu_log(const tvk_device *device)
{
    return &device->log;
}
