#include <stdlib.h>
#include <string.h>

#include "vk/internal.h"

#define LAYER "VK_LAYER_KHRONOS_validation"

#if defined(_WIN32)
#define INSTALL_LOADER "vulkan-1.dll: install the graphics driver of your device"
#elif defined(__APPLE__)
#define INSTALL_LOADER "libvulkan.dylib: install vulkan-loader and molten-vk"
#else
#define INSTALL_LOADER                                                                             \
    "libvulkan.so.1: install libvulkan1 and mesa-vulkan-drivers (Debian, Ubuntu), vulkan-loader "  \
    "and mesa-vulkan-drivers (Fedora), vulkan-icd-loader (Arch), or the device's own driver"
#endif
#define INSTALL_DRIVER                                                                             \
    "install mesa-vulkan-drivers (Debian, Ubuntu, Fedora), vulkan-radeon, vulkan-intel or "        \
    "vulkan-swrast (Arch), or the device's own driver"

/* Layers of 2026 (seen in 1.4.363) take strides and offsets of matrices of bytes in arrays of words
 * for bytes: 20 words were no multiple of 8, 24 were. SPIR-V counts elements of the array. */
#define MATRIX_ALIGNMENT "VUID-RuntimeSpirv-OpCooperativeMatrixLoadKHR-08986"

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT types,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data,
                                                 void *user)
{
    tvk_instance *in = user;
    (void)severity;
    (void)types;
    if (data->pMessageIdName && !strcmp(data->pMessageIdName, MATRIX_ALIGNMENT)) return VK_FALSE;
    in->messages++;
    tvk_log_print(&in->log, TVK_LOG_ERROR, "validation: %s", data->pMessage);
    return VK_FALSE;
}

static bool has_name(const VkExtensionProperties *list, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(list[i].extensionName, name)) return true;
    return false;
}

/* Is an instance extension there, in the loader and drivers (layer NULL) or in a layer? */
static bool has_extension(const char *layer, const char *name)
{
    VkExtensionProperties *list = NULL;
    uint32_t count = 0;
    bool found = false;
    if (vkEnumerateInstanceExtensionProperties(layer, &count, NULL) != VK_SUCCESS || count == 0)
        return false;
    list = calloc(count, sizeof *list);
    if (list && vkEnumerateInstanceExtensionProperties(layer, &count, list) >= VK_SUCCESS)
        found = has_name(list, count, name);
    free(list);
    return found;
}

static bool has_layer(const char *name)
{
    VkLayerProperties *list = NULL;
    uint32_t count = 0;
    bool found = false;
    if (vkEnumerateInstanceLayerProperties(&count, NULL) != VK_SUCCESS || count == 0) return false;
    list = calloc(count, sizeof *list);
    if (list && vkEnumerateInstanceLayerProperties(&count, list) >= VK_SUCCESS)
        for (uint32_t i = 0; i < count && !found; i++) found = !strcmp(list[i].layerName, name);
    free(list);
    return found;
}

static tvk_status load_functions(tvk_instance *in, tvk_error *err)
{
    tvk_status st = TVK_OK;
#define TVK_INSTANCE_OPTIONAL(name)                                                                \
    in->vk.name = (PFN_vk##name)vkGetInstanceProcAddr(in->handle, "vk" #name);
#define TVK_INSTANCE_FUNCTION(name)                                                                \
    TVK_INSTANCE_OPTIONAL(name)                                                                    \
    if (!in->vk.name)                                                                              \
        TVK_FAIL(TVK_ERR_NO_DEVICE, "Vulkan loader: vk" #name " expected, not "                    \
                                    "found");
#include "vk/functions.def"
fail:
    return st;
}

/* Room for what the instance may be created with. */
#define MAX_EXTENSIONS 4

/* What of the layer is turned on besides its defaults. Synchronization validation is off by default
 * and what a runtime with hand-made barriers needs most; newer layers look at the accesses of
 * shaders only when told so. Checks on the device take so long that those of the host are left out.
 */
#ifdef VK_EXT_layer_settings
static const VkBool32 on = VK_TRUE, off = VK_FALSE;
#define SWITCH(name, to)                                                                           \
    {                                                                                              \
        LAYER, name, VK_LAYER_SETTING_TYPE_BOOL32_EXT, 1, &(to)                                    \
    }
static const VkLayerSettingEXT host_settings[] = {SWITCH("validate_sync", on),
                                                  SWITCH("syncval_shader_accesses_heuristic", on)},
                               device_settings[] = {SWITCH("gpuav_enable", on),
                                                    SWITCH("gpuav_safe_mode", on),
                                                    SWITCH("validate_core", off)};
#endif
static const VkValidationFeatureEnableEXT
    host_features[] = {VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT},
    device_features[] = {VK_VALIDATION_FEATURE_ENABLE_GPU_ASSISTED_EXT,
                         VK_VALIDATION_FEATURE_ENABLE_GPU_ASSISTED_RESERVE_BINDING_SLOT_EXT};
#define COUNT(list) (uint32_t)(sizeof(list) / sizeof *(list))

typedef struct validation_checks {
    VkValidationFeaturesEXT features;
#ifdef VK_EXT_layer_settings
    VkLayerSettingsCreateInfoEXT create;
#endif
} validation_checks;

static void add_checks(validation_checks *c, bool device, VkInstanceCreateInfo *info,
                       const char **extensions)
{
    memset(c, 0, sizeof *c);
#ifdef VK_EXT_layer_settings
    if (has_extension(LAYER, VK_EXT_LAYER_SETTINGS_EXTENSION_NAME)) {
        c->create.sType = VK_STRUCTURE_TYPE_LAYER_SETTINGS_CREATE_INFO_EXT;
        c->create.pNext = info->pNext;
        c->create.settingCount = device ? COUNT(device_settings) : COUNT(host_settings);
        c->create.pSettings = device ? device_settings : host_settings;
        info->pNext = &c->create;
        /* Not enabled by name: the layer reads the struct anyway, and loaders older than the
         * extension (1.3.239) refuse to create the instance with it. */
        return;
    }
#endif
    if (!has_extension(LAYER, VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME)) return;
    c->features.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT;
    c->features.pNext = info->pNext;
    c->features.enabledValidationFeatureCount =
        device ? COUNT(device_features) : COUNT(host_features);
    c->features.pEnabledValidationFeatures = device ? device_features : host_features;
    info->pNext = &c->features;
    extensions[info->enabledExtensionCount++] = VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME;
}

tvk_status tvk_instance_init(tvk_instance *in, const tvk_device_params *params, tvk_error *err)
{
    validation_checks checks;
    VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = on_message,
        .pUserData = in};
    VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                             .pApplicationName = "ternvk",
                             .pEngineName = "ternvk",
                             .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .pApplicationInfo = &app};
    const char *layers[1], *extensions[MAX_EXTENSIONS];
    uint32_t version;
    VkResult result;
    tvk_status st = TVK_OK;
    memset(in, 0, sizeof *in);
    if (params) in->log = params->log;
    /* volk keeps the loader handle; a second initialisation would only open it again. */
    if (volkGetInstanceVersion() == 0 && volkInitialize() != VK_SUCCESS)
        TVK_FAIL(TVK_ERR_NO_DEVICE, "no Vulkan loader: " INSTALL_LOADER);
    version = volkGetInstanceVersion();
    if (version < VK_API_VERSION_1_1)
        TVK_FAIL(TVK_ERR_NO_DEVICE, "Vulkan loader: 1.1 needed, %u.%u found",
                 VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version));
    info.ppEnabledLayerNames = layers;
    info.ppEnabledExtensionNames = extensions;
    if (has_extension(NULL, "VK_KHR_portability_enumeration")) {
        extensions[info.enabledExtensionCount++] = "VK_KHR_portability_enumeration";
        info.flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    }
    if (params && params->validate) {
        bool layer = has_layer(LAYER);
        if (layer) layers[info.enabledLayerCount++] = LAYER;
        in->debug_utils = layer && (has_extension(NULL, VK_EXT_DEBUG_UTILS_EXTENSION_NAME) ||
                                    has_extension(LAYER, VK_EXT_DEBUG_UTILS_EXTENSION_NAME));
        if (in->debug_utils) {
            extensions[info.enabledExtensionCount++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
            info.pNext = &messenger;
        } else {
            tvk_log_print(&in->log, TVK_LOG_WARN,
                          "validation asked for, but " LAYER " is not installed");
        }
        if (layer) add_checks(&checks, params->validate_device, &info, extensions);
    }
    /* there, warnings tell of features that the layer takes for itself */
    if (params && params->validate_device)
        messenger.messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
    result = vkCreateInstance(&info, NULL, &in->handle);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        TVK_FAIL(TVK_ERR_NO_DEVICE, "no Vulkan driver: " INSTALL_DRIVER);
    if (result != VK_SUCCESS) {
        in->handle = NULL;
        TVK_VK_RESULT(NULL, result, "CreateInstance");
    }
    TVK_TRY(load_functions(in, err));
    if (in->debug_utils && in->vk.CreateDebugUtilsMessengerEXT &&
        in->vk.DestroyDebugUtilsMessengerEXT)
        TVK_VK(NULL,
               in->vk.CreateDebugUtilsMessengerEXT(in->handle, &messenger, NULL, &in->messenger));
fail:
    if (st != TVK_OK) tvk_instance_fini(in);
    return st;
}

void tvk_instance_fini(tvk_instance *in)
{
    if (in->messenger) in->vk.DestroyDebugUtilsMessengerEXT(in->handle, in->messenger, NULL);
    in->messenger = VK_NULL_HANDLE;
    if (in->handle && in->vk.DestroyInstance) in->vk.DestroyInstance(in->handle, NULL);
    in->handle = NULL;
}

tvk_status tvk_instance_devices(const tvk_instance *in, VkPhysicalDevice **out, uint32_t *count,
                                tvk_error *err)
{
    VkPhysicalDevice *list = NULL;
    tvk_status st = TVK_OK;
    VkResult result;
    uint32_t n = 0;
    *out = NULL;
    *count = 0;
    result = in->vk.EnumeratePhysicalDevices(in->handle, &n, NULL);
    /* The loader answers so when drivers are installed but none of them finds a device. */
    if (n == 0 || result == VK_ERROR_INITIALIZATION_FAILED)
        TVK_FAIL(TVK_ERR_NO_DEVICE, "no Vulkan device: " INSTALL_DRIVER);
    if (result < 0) TVK_VK_RESULT(NULL, result, "EnumeratePhysicalDevices");
    list = calloc(n, sizeof *list);
    TVK_TRY_ALLOC(list);
    result = in->vk.EnumeratePhysicalDevices(in->handle, &n, list);
    if (result < 0) TVK_VK_RESULT(NULL, result, "EnumeratePhysicalDevices");
    *out = list;
    *count = n;
    list = NULL;
fail:
    free(list);
    return st;
}
