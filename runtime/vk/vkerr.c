#include <string.h>

#include "vk/internal.h"

#define ROWS(X)                                                                                    \
    X(VK_NOT_READY, TVK_ERR_INTERNAL)                                                              \
    X(VK_TIMEOUT, TVK_ERR_INTERNAL)                                                                \
    X(VK_INCOMPLETE, TVK_ERR_INTERNAL)                                                             \
    X(VK_ERROR_OUT_OF_HOST_MEMORY, TVK_ERR_HOST_MEMORY)                                            \
    X(VK_ERROR_OUT_OF_DEVICE_MEMORY, TVK_ERR_DEVICE_MEMORY)                                        \
    X(VK_ERROR_INITIALIZATION_FAILED, TVK_ERR_INTERNAL)                                            \
    X(VK_ERROR_DEVICE_LOST, TVK_ERR_DEVICE_LOST)                                                   \
    X(VK_ERROR_MEMORY_MAP_FAILED, TVK_ERR_HOST_MEMORY)                                             \
    X(VK_ERROR_LAYER_NOT_PRESENT, TVK_ERR_UNSUPPORTED)                                             \
    X(VK_ERROR_EXTENSION_NOT_PRESENT, TVK_ERR_UNSUPPORTED)                                         \
    X(VK_ERROR_FEATURE_NOT_PRESENT, TVK_ERR_UNSUPPORTED)                                           \
    X(VK_ERROR_INCOMPATIBLE_DRIVER, TVK_ERR_NO_DEVICE)                                             \
    X(VK_ERROR_TOO_MANY_OBJECTS, TVK_ERR_DEVICE_MEMORY)                                            \
    X(VK_ERROR_FRAGMENTED_POOL, TVK_ERR_INTERNAL)                                                  \
    X(VK_ERROR_OUT_OF_POOL_MEMORY, TVK_ERR_INTERNAL)                                               \
    X(VK_ERROR_FRAGMENTATION, TVK_ERR_DEVICE_MEMORY)                                               \
    X(VK_ERROR_INVALID_EXTERNAL_HANDLE, TVK_ERR_INTERNAL)                                          \
    X(VK_ERROR_INVALID_SHADER_NV, TVK_ERR_INTERNAL)                                                \
    X(VK_ERROR_UNKNOWN, TVK_ERR_INTERNAL)

static const struct result_row {
    VkResult result;
    tvk_status status;
    const char *name;
} rows[] = {
#define ROW(result, status) {result, status, #result},
    ROWS(ROW)
#undef ROW
};

static const struct result_row *find(VkResult result)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].result == result) return &rows[i];
    return NULL;
}

const char *tvk_vk_result_name(VkResult result)
{
    const struct result_row *row = find(result);
    return row ? row->name : "unknown VkResult";
}

const char *tvk_vk_call_name(const char *call, int *length)
{
    size_t end = strcspn(call, "(");
    const char *name = call + end;
    while (name > call && name[-1] != '.' && name[-1] != '>') name--;
    *length = (int)(call + end - name);
    return name;
}

tvk_status tvk_vk_error(tvk_device *dev, VkResult result, const char *call, const char *file,
                        int line, tvk_error *err)
{
    const struct result_row *row = find(result);
    tvk_status status = row ? row->status : TVK_ERR_INTERNAL;
    int length;
    const char *name = tvk_vk_call_name(call, &length);
    if (result == VK_ERROR_DEVICE_LOST && dev) {
        tvk_device_lose(dev, call);
        return tvk_device_alive(dev, err);
    }
    return tvk_error_set(err, status, file, line, "vk%.*s: VK_SUCCESS expected, %s (%d) found",
                         length, name, tvk_vk_result_name(result), (int)result);
}
