/* List of dispatches -> command buffers: barriers where a range is written and then touched. */
#include "graph/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct recorder {
    const tvk_graph *graph;
    const tvk_record_params *params;
    tvk_device *device;
    tvk_commands *commands;
    tvk_hazards hazards;
    bool args_fresh; /* arguments were written since the last barrier that covers their reading */
    uint32_t stamps;
} recorder;

static tvk_span resolve(const recorder *r, tvk_span span)
{
    if (span.tensor != 0) {
        span.buffer = r->params->scratch.buffer;
        span.offset += r->params->scratch.offset + r->graph->tensors[span.tensor - 1].offset;
    }
    return span;
}

static void barrier(recorder *r, tvk_barrier kind)
{
    tvk_commands_barrier(r->commands, kind);
    tvk_hazards_clear(&r->hazards);
}

/* Group counts known on the host: rows of a one-row step are 1. */
static void fixed_groups(const tvk_groups *g, uint32_t rows, uint32_t out[3])
{
    for (int axis = 0; axis < 3; axis++) {
        out[axis] = g->kind[axis] == TVK_AXIS_ROWS ? (rows + g->value[axis] - 1) / g->value[axis]
                                                   : g->value[axis];
    }
}

static void add_copy(recorder *r, const tvk_dispatch *d)
{
    tvk_span src = resolve(r, d->bindings[0]), dst = resolve(r, d->bindings[1]);
    /* copies are for kept activations only: full barriers on both sides keep them simple */
    barrier(r, TVK_BARRIER_TRANSFER);
    tvk_commands_copy(r->commands, src, dst);
    barrier(r, TVK_BARRIER_TRANSFER);
}

static tvk_status add_dispatch(recorder *r, const tvk_dispatch *d, uint32_t rule, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const char *access = tvk_op_access(d->op);
    tvk_span bound[TVK_MAX_BINDINGS];
    bool conflict = false, indirect = rule != UINT32_MAX;
    for (uint32_t b = 0; b < d->binding_count; b++) {
        bound[b] = resolve(r, d->bindings[b]);
        conflict |= tvk_hazards_conflict(&r->hazards, &bound[b], access[b] != 'r');
    }
    if (indirect && r->args_fresh) {
        barrier(r, TVK_BARRIER_INDIRECT);
        r->args_fresh = false;
    } else if (conflict) {
        barrier(r, TVK_BARRIER_COMPUTE);
    }
    for (uint32_t b = 0; b < d->binding_count; b++) {
        if (!tvk_hazards_add(&r->hazards, &bound[b], access[b] != 'r')) {
            TVK_FAIL(TVK_ERR_HOST_MEMORY, "out of host memory");
        }
    }
    if (indirect) {
        tvk_span args = tvk_span_sub(r->params->rules_span,
                                     (uint64_t)16 * (r->params->rules->count + rule), 12);
        TVK_TRY(
            tvk_commands_dispatch_indirect(r->commands, d->program, bound, d->params, args, err));
    } else {
        uint32_t groups[3];
        fixed_groups(&d->groups, r->params->rows, groups);
        TVK_TRY(tvk_commands_dispatch(r->commands, d->program, bound, d->params, groups, err));
    }
fail:
    return st;
}

static tvk_status record_part(recorder *r, uint32_t begin, uint32_t end, bool first, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_dispatch_list *before = first ? r->params->before : NULL;
    uint32_t before_count = before ? before->count : 0;
    uint32_t dispatches = end - begin + before_count;
    const tvk_stamps kind = r->params->stamps;
    uint32_t stamps = kind == TVK_STAMPS_EACH ? dispatches + 1 : kind == TVK_STAMPS_ENDS ? 2 : 0;
    char name[96];
    snprintf(name, sizeof name, "%s [%u, %u)", r->params->name, begin, end);
    TVK_TRY(tvk_commands_create(r->device, dispatches + 1, (dispatches + 1) * TVK_MAX_BINDINGS,
                                stamps, name, &r->commands, err));
    TVK_TRY(tvk_commands_begin(r->commands, err));
    tvk_hazards_clear(&r->hazards);
    r->stamps = 0;
    if (stamps) tvk_commands_timestamp(r->commands, r->stamps++);
    for (uint32_t i = 0; i < before_count; i++) {
        TVK_TRY(add_dispatch(r, &before->items[i], UINT32_MAX, err));
        r->args_fresh = true;
        if (kind == TVK_STAMPS_EACH) tvk_commands_timestamp(r->commands, r->stamps++);
    }
    for (uint32_t n = begin; n < end; n++) {
        const tvk_dispatch *d = &r->graph->list.items[n];
        if (d->program) {
            TVK_TRY(add_dispatch(r, d, r->params->rules->of_node[n], err));
        } else {
            add_copy(r, d);
        }
        if (kind == TVK_STAMPS_EACH) tvk_commands_timestamp(r->commands, r->stamps++);
    }
    if (kind == TVK_STAMPS_ENDS) tvk_commands_timestamp(r->commands, r->stamps++);
    tvk_commands_barrier(r->commands, TVK_BARRIER_HOST);
    TVK_TRY(tvk_commands_end(r->commands, err));
fail:
    return st;
}

/* Where the command buffer that starts with dispatch `begin` ends: before one that would make it
 * take too long, but not before its first. */
static uint32_t part_end(const tvk_graph *graph, const tvk_record_params *params, uint32_t begin)
{
    uint32_t end = begin;
    double ns = 0;
    if (!params->ns) return graph->list.count;
    while (end < graph->list.count && (end == begin || ns + params->ns[end] <= params->most_ns))
        ns += params->ns[end++];
    return end;
}

tvk_status tvk_graph_record(const tvk_graph *graph, tvk_device *device,
                            const tvk_record_params *params, tvk_commands ***out, uint32_t *count,
                            tvk_error *err)
{
    tvk_status st = TVK_OK;
    recorder r = {.graph = graph, .params = params, .device = device};
    tvk_commands **list = calloc((size_t)graph->list.count + 1, sizeof *list);
    uint32_t n = 0, begin = 0;
    *out = NULL;
    *count = 0;
    TVK_TRY_ALLOC(list);
    do {
        uint32_t end = part_end(graph, params, begin);
        r.commands = NULL;
        st = record_part(&r, begin, end, begin == 0, err);
        list[n++] = r.commands;
        if (st != TVK_OK) goto fail;
        /* a command buffer begins with a full barrier, but that does not cover indirect reads */
        begin = end;
    } while (begin < graph->list.count);
    *out = list;
    *count = n;
    list = NULL;
fail:
    tvk_hazards_free(&r.hazards);
    if (list) tvk_commands_list_destroy(&list, &n);
    return st;
}

void tvk_commands_list_destroy(tvk_commands ***list, uint32_t *count)
{
    if (*list) {
        for (uint32_t i = 0; i < *count; i++) tvk_commands_destroy(&(*list)[i]);
        free(*list);
    }
    *list = NULL;
    *count = 0;
}
