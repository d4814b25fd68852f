/* What the driver's compiler made of a program: VK_KHR_pipeline_executable_properties. */
#include <stdlib.h>
#include <string.h>

#include "vk/internal.h"

#define TEXT_BYTES (64u << 20) /* no disassembly is that long */

typedef struct reader {
    tvk_device *dev;
    VkPipelineExecutableInfoKHR which;
    uint32_t subgroup;
    void (*fn)(void *user, const tvk_program_fact *fact);
    void *user;
} reader;

static void tell(const reader *r, const char *name, double value, const char *text)
{
    const tvk_program_fact fact = {.executable = r->which.executableIndex,
                                   .subgroup = r->subgroup,
                                   .name = name,
                                   .value = value,
                                   .text = text};
    r->fn(r->user, &fact);
}

static double number(const VkPipelineExecutableStatisticKHR *s)
{
    switch (s->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
        return s->value.b32 ? 1 : 0;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR:
        return (double)s->value.i64;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR:
        return s->value.f64;
    default:
        return (double)s->value.u64;
    }
}

static tvk_status numbers(const reader *r, tvk_error *err)
{
    tvk_device *dev = r->dev;
    tvk_status st = TVK_OK;
    VkPipelineExecutableStatisticKHR *list = NULL;
    uint32_t count = 0;
    TVK_VK(dev, dev->vk.GetPipelineExecutableStatisticsKHR(dev->handle, &r->which, &count, NULL));
    list = calloc(count > 0 ? count : 1, sizeof *list);
    TVK_TRY_ALLOC(list);
    for (uint32_t i = 0; i < count; i++)
        list[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    TVK_VK(dev, dev->vk.GetPipelineExecutableStatisticsKHR(dev->handle, &r->which, &count, list));
    for (uint32_t i = 0; i < count; i++) tell(r, list[i].name, number(&list[i]), NULL);
fail:
    free(list);
    return st;
}

/* First how many texts and how long they are, then the texts. */
static tvk_status texts(const reader *r, tvk_error *err)
{
    tvk_device *dev = r->dev;
    tvk_status st = TVK_OK;
    VkPipelineExecutableInternalRepresentationKHR *list = NULL;
    uint32_t count = 0, made = 0;
    TVK_VK(dev, dev->vk.GetPipelineExecutableInternalRepresentationsKHR(dev->handle, &r->which,
                                                                        &count, NULL));
    list = calloc(count > 0 ? count : 1, sizeof *list);
    TVK_TRY_ALLOC(list);
    made = count;
    for (uint32_t i = 0; i < count; i++)
        list[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
    TVK_VK(dev, dev->vk.GetPipelineExecutableInternalRepresentationsKHR(dev->handle, &r->which,
                                                                        &count, list));
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].dataSize > TEXT_BYTES) list[i].dataSize = TEXT_BYTES;
        list[i].pData = calloc(1, list[i].dataSize + 1);
        TVK_TRY_ALLOC(list[i].pData);
    }
    TVK_VK(dev, dev->vk.GetPipelineExecutableInternalRepresentationsKHR(dev->handle, &r->which,
                                                                        &count, list));
    for (uint32_t i = 0; i < count; i++)
        if (list[i].isText) tell(r, list[i].name, 0, list[i].pData);
fail:
    for (uint32_t i = 0; list && i < made; i++) free(list[i].pData);
    free(list);
    return st;
}

tvk_status tvk_program_inspect(tvk_program *program,
                               void (*fn)(void *user, const tvk_program_fact *fact), void *user,
                               tvk_error *err)
{
    tvk_device *dev = program->device;
    const VkPipelineInfoKHR pipeline = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR,
                                        .pipeline = program->pipeline};
    VkPipelineExecutablePropertiesKHR *list = NULL;
    tvk_status st = TVK_OK;
    uint32_t count = 0;
    if (!dev->inspect || !program->pipeline) return TVK_OK;
    TVK_VK(dev, dev->vk.GetPipelineExecutablePropertiesKHR(dev->handle, &pipeline, &count, NULL));
    list = calloc(count > 0 ? count : 1, sizeof *list);
    TVK_TRY_ALLOC(list);
    for (uint32_t i = 0; i < count; i++)
        list[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR;
    TVK_VK(dev, dev->vk.GetPipelineExecutablePropertiesKHR(dev->handle, &pipeline, &count, list));
    for (uint32_t i = 0; i < count; i++) {
        const reader r = {.dev = dev,
                          .which = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                    .pipeline = program->pipeline,
                                    .executableIndex = i},
                          .subgroup = list[i].subgroupSize,
                          .fn = fn,
                          .user = user};
        TVK_TRY(numbers(&r, err));
        TVK_TRY(texts(&r, err));
    }
fail:
    free(list);
    return st;
}
