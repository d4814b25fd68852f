/* Devices that are no complete Vulkan (MoltenVK on macOS): a loader hides them unless it is asked
 * for them, and they want their extension enabled where they list it. Loader and driver are
 * invented; each keeps what it was created with and then says no. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vk/internal.h"

#define ENUMERATION "VK_KHR_portability_enumeration"
#define SUBSET "VK_KHR_portability_subset"
#define MOST 8

typedef struct created {
    uint32_t count;
    char names[MOST][VK_MAX_EXTENSION_NAME_SIZE];
    VkInstanceCreateFlags flags;
} created;

static created seen;             /* the last instance or device */
static const char *listed[MOST]; /* extensions of the loader or the device, up to a NULL */

static VkResult list_extensions(uint32_t *count, VkExtensionProperties *out)
{
    uint32_t n = 0;
    for (; listed[n]; n++)
        if (out) snprintf(out[n].extensionName, sizeof out[n].extensionName, "%s", listed[n]);
    *count = n;
    return VK_SUCCESS;
}

static void keep(const char *const *names, uint32_t count)
{
    assert_true(count <= MOST);
    memset(&seen, 0, sizeof seen);
    seen.count = count;
    for (uint32_t i = 0; i < count; i++)
        snprintf(seen.names[i], sizeof seen.names[i], "%s", names[i]);
}

/* ---- a loader ---- */

static VkResult VKAPI_CALL instance_version(uint32_t *version)
{
    *version = VK_API_VERSION_1_3;
    return VK_SUCCESS;
}

static VkResult VKAPI_CALL instance_extensions(const char *layer, uint32_t *count,
                                               VkExtensionProperties *out)
{
    assert_null(layer);
    return list_extensions(count, out);
}

static VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                           const VkAllocationCallbacks *allocator, VkInstance *out)
{
    (void)allocator;
    (void)out;
    keep(info->ppEnabledExtensionNames, info->enabledExtensionCount);
    seen.flags = info->flags;
    return VK_ERROR_INCOMPATIBLE_DRIVER;
}

static PFN_vkVoidFunction VKAPI_CALL loader(VkInstance instance, const char *name)
{
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } functions[] = {
        {"vkEnumerateInstanceVersion", (PFN_vkVoidFunction)instance_version},
        {"vkEnumerateInstanceExtensionProperties", (PFN_vkVoidFunction)instance_extensions},
        {"vkCreateInstance", (PFN_vkVoidFunction)create_instance},
    };
    (void)instance;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i].name, name)) return functions[i].function;
    return NULL;
}

static void asks_the_loader_for_all_devices(void **state)
{
    tvk_instance in;
    tvk_error err;
    (void)state;
    volkInitializeCustom(loader);
    listed[0] = "VK_KHR_surface", listed[1] = ENUMERATION, listed[2] = NULL;
    assert_int_equal(tvk_instance_init(&in, NULL, &err), TVK_ERR_NO_DEVICE);
    assert_non_null(strstr(err.text, "no Vulkan driver"));
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.names[0], ENUMERATION);
    assert_int_equal(seen.flags, VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR);
}

static void older_loader_is_not_asked(void **state)
{
    tvk_instance in;
    tvk_error err;
    (void)state;
    volkInitializeCustom(loader);
    listed[0] = "VK_KHR_surface", listed[1] = NULL;
    assert_int_equal(tvk_instance_init(&in, NULL, &err), TVK_ERR_NO_DEVICE);
    assert_int_equal(seen.count, 0);
    assert_int_equal(seen.flags, 0);
}

/* ---- a driver ---- */

static VkResult VKAPI_CALL device_extensions(VkPhysicalDevice device, const char *layer,
                                             uint32_t *count, VkExtensionProperties *out)
{
    (void)device;
    assert_null(layer);
    return list_extensions(count, out);
}

static VkResult VKAPI_CALL create_device(VkPhysicalDevice phys, const VkDeviceCreateInfo *info,
                                         const VkAllocationCallbacks *allocator, VkDevice *out)
{
    (void)phys;
    (void)allocator;
    (void)out;
    keep(info->ppEnabledExtensionNames, info->enabledExtensionCount);
    return VK_ERROR_INITIALIZATION_FAILED;
}

/* Opens a device with these extensions and without any feature. */
static void open_device(void)
{
    tvk_device dev;
    tvk_extensions all, usable;
    tvk_error err;
    memset(&dev, 0, sizeof dev);
    dev.instance.vk.EnumerateDeviceExtensionProperties = device_extensions;
    dev.instance.vk.CreateDevice = create_device;
    dev.caps.api_version = VK_API_VERSION_1_2;
    assert_int_equal(
        tvk_extensions_read(&dev.instance, NULL, dev.caps.api_version, &all, &usable, &err),
        TVK_OK);
    dev.caps.portability_subset = usable.portability_subset; /* as tvk_snapshot does */
    assert_int_not_equal(tvk_device_open(&dev, &err), TVK_OK);
}

static void subset_is_enabled_where_it_is_listed(void **state)
{
    (void)state;
    listed[0] = "VK_KHR_swapchain", listed[1] = SUBSET, listed[2] = NULL;
    open_device();
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.names[0], SUBSET);
}

static void subset_is_left_alone_elsewhere(void **state)
{
    (void)state;
    listed[0] = "VK_KHR_swapchain", listed[1] = NULL;
    open_device();
    assert_int_equal(seen.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_the_loader_for_all_devices),
        cmocka_unit_test(older_loader_is_not_asked),
        cmocka_unit_test(subset_is_enabled_where_it_is_listed),
        cmocka_unit_test(subset_is_left_alone_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
