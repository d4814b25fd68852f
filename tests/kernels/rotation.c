#include "tests/kernels/rotation.h"

#include <stdlib.h>
#include <string.h>

#define MOST_COPIES 1024u

/* Inputs as large as the largest but for an order: the weights, in pieces or not. Others were
 * written a moment ago in a model too. */
static uint32_t large_inputs(const tvk_rig *rig, const tvk_array *out[TVK_RIG_ARRAYS],
                             uint64_t *bytes)
{
    uint64_t largest = 0;
    uint32_t count = 0;
    *bytes = 0;
    for (uint32_t i = 0; i < rig->array_count; i++)
        if (!rig->arrays[i].want && rig->arrays[i].count > largest) largest = rig->arrays[i].count;
    for (uint32_t i = 0; i < rig->array_count; i++) {
        const tvk_array *a = &rig->arrays[i];
        if (a->want || a->count < largest / 8) continue;
        out[count++] = a;
        *bytes += a->span.bytes;
    }
    return count;
}

/* A buffer with the contents of the array's. */
static tvk_status copy_array(const tvk_rig *rig, const tvk_array *a, tvk_buffer **out,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_span from = tvk_buffer_span(a->buffer);
    tvk_commands *c = NULL;
    TVK_TRY(tvk_buffer_create(rig->device, TVK_PURPOSE_SCRATCH, TVK_MEMORY_DEVICE, from.bytes,
                              a->name, out, err));
    TVK_TRY(tvk_commands_create(rig->device, 0, 0, 0, "copy of a case", &c, err));
    TVK_TRY(tvk_commands_begin(c, err));
    tvk_commands_copy(c, from, tvk_buffer_span(*out));
    TVK_TRY(tvk_commands_end(c, err));
    TVK_TRY(tvk_gpu_submit(rig->device, &c, 1, NULL, err));
    TVK_TRY(tvk_gpu_wait_idle(rig->device, err));
fail:
    tvk_commands_destroy(&c);
    return st;
}

/* The rig's dispatches. */
static tvk_status copy_list(const tvk_rig *rig, tvk_dispatch_list *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const size_t bytes = rig->list.count * sizeof *rig->list.items;
    out->items = malloc(bytes);
    TVK_TRY_ALLOC(out->items);
    memcpy(out->items, rig->list.items, bytes);
    out->count = out->capacity = rig->list.count;
fail:
    return st;
}

/* What was bound of one buffer is bound of the other. */
static void rebind(tvk_dispatch_list *list, const tvk_buffer *from, tvk_buffer *to)
{
    for (uint32_t i = 0; i < list->count; i++) {
        tvk_dispatch *d = &list->items[i];
        for (uint32_t b = 0; b < d->binding_count; b++)
            if (d->bindings[b].buffer == from) d->bindings[b].buffer = to;
    }
}

tvk_status tvk_rotation_create(const tvk_rig *rig, uint64_t bytes, tvk_rotation *out,
                               tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_array *inputs[TVK_RIG_ARRAYS];
    uint64_t each, count = 1;
    const uint32_t input_count = large_inputs(rig, inputs, &each);
    if (each) count = (bytes + each - 1) / each;
    count = count < 1 ? 1 : count > MOST_COPIES ? MOST_COPIES : count;
    *out = (tvk_rotation){.count = (uint32_t)count};
    out->lists = calloc(count, sizeof *out->lists);
    out->buffers = calloc(count * input_count + 1, sizeof *out->buffers);
    TVK_TRY_ALLOC(out->lists ? out->buffers : NULL);
    out->lists[0] = rig->list;
    for (uint32_t i = 1; i < count; i++) {
        TVK_TRY(copy_list(rig, &out->lists[i], err));
        for (uint32_t k = 0; k < input_count; k++) {
            tvk_buffer **copy = &out->buffers[out->buffer_count];
            out->buffer_count++;
            TVK_TRY(copy_array(rig, inputs[k], copy, err));
            rebind(&out->lists[i], inputs[k]->buffer, *copy);
        }
    }
fail:
    return st;
}

void tvk_rotation_free(tvk_rotation *r)
{
    for (uint32_t i = 0; i < r->buffer_count; i++) tvk_buffer_destroy(&r->buffers[i]);
    for (uint32_t i = 1; r->lists && i < r->count; i++) tvk_dispatch_list_free(&r->lists[i]);
    free(r->lists);
    free(r->buffers);
    *r = (tvk_rotation){0};
}
