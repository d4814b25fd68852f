#include <stdlib.h>
#include <string.h>

#include "vk/internal.h"

tvk_status tvk_extensions_read(const tvk_instance *in, VkPhysicalDevice phys, uint32_t api_version,
                               tvk_extensions *listed, tvk_extensions *usable, tvk_error *err)
{
    VkExtensionProperties *list = NULL;
    tvk_status st = TVK_OK;
    VkResult result;
    uint32_t count = 0;
    memset(listed, 0, sizeof *listed);
    memset(usable, 0, sizeof *usable);
    TVK_VK(NULL, in->vk.EnumerateDeviceExtensionProperties(phys, NULL, &count, NULL));
    list = calloc(count > 0 ? count : 1, sizeof *list);
    TVK_TRY_ALLOC(list);
    result = in->vk.EnumerateDeviceExtensionProperties(phys, NULL, &count, list);
    if (result < 0) TVK_VK_RESULT(NULL, result, "EnumerateDeviceExtensionProperties");
    for (uint32_t i = 0; i < count; i++) {
#define TVK_EXTENSION(field, name, core)                                                           \
    if (!strcmp(list[i].extensionName, name)) listed->field = true;
#include "vk/extensions.def"
    }
#define TVK_EXTENSION(field, name, core) usable->field = listed->field || api_version >= (core);
#include "vk/extensions.def"
fail:
    free(list);
    return st;
}

void tvk_chain(void *head, void *link, VkStructureType type)
{
    VkBaseOutStructure *h = head, *l = link;
    l->sType = type;
    l->pNext = h->pNext;
    h->pNext = l;
}

void tvk_features_chain(tvk_features *f, const tvk_extensions *use)
{
    f->head.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    tvk_chain(&f->head, &f->storage16, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES);
    if (use->storage8)
        tvk_chain(&f->head, &f->storage8, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES);
    if (use->float16_int8)
        tvk_chain(&f->head, &f->float16_int8,
                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES);
    if (use->memory_model)
        tvk_chain(&f->head, &f->memory_model,
                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES);
    if (use->subgroup_size_control)
        tvk_chain(&f->head, &f->subgroup_size,
                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES);
    if (use->dot)
        tvk_chain(&f->head, &f->dot,
                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES);
    if (use->maintenance4)
        tvk_chain(&f->head, &f->maintenance4,
                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES);
    if (use->executable_properties)
        tvk_chain(&f->head, &f->executable,
                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR);
#ifdef VK_KHR_cooperative_matrix
    if (use->cooperative_matrix)
        tvk_chain(&f->head, &f->coopmat,
                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR);
#endif
}
