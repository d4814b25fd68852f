#include "graph/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tvk_graph_init(tvk_graph *graph, bool keep)
{
    memset(graph, 0, sizeof *graph);
    graph->keep = keep;
}

void tvk_graph_free(tvk_graph *graph)
{
    tvk_dispatch_list_free(&graph->list);
    free(graph->tensors);
    free(graph->cuts);
    tvk_arena_free(&graph->arena);
    memset(graph, 0, sizeof *graph);
}

static const char *text_v(tvk_graph *graph, const char *fmt, va_list args)
{
    char text[128];
    int n = vsnprintf(text, sizeof text, fmt, args);
    if (n < 0) return NULL;
    return tvk_arena_strdup(&graph->arena, text, strlen(text));
}

const char *tvk_graph_text(tvk_graph *graph, const char *fmt, ...)
{
    va_list args;
    const char *text;
    va_start(args, fmt);
    text = text_v(graph, fmt, args);
    va_end(args);
    return text;
}

tvk_status tvk_graph_tensor(tvk_graph *graph, uint64_t bytes, tvk_span *out, tvk_error *err,
                            const char *name_fmt, ...)
{
    tvk_status st = TVK_OK;
    tvk_graph_tensor_info *t;
    va_list args;
    memset(out, 0, sizeof *out);
    if (graph->tensor_count == graph->tensor_capacity) {
        uint32_t capacity = graph->tensor_capacity ? graph->tensor_capacity * 2 : 64;
        t = realloc(graph->tensors, capacity * sizeof *t);
        TVK_TRY_ALLOC(t);
        graph->tensors = t;
        graph->tensor_capacity = capacity;
    }
    t = &graph->tensors[graph->tensor_count];
    memset(t, 0, sizeof *t);
    va_start(args, name_fmt);
    t->name = text_v(graph, name_fmt, args);
    va_end(args);
    TVK_TRY_ALLOC(t->name);
    t->bytes = bytes;
    graph->tensor_count++;
    out->bytes = bytes;
    out->tensor = graph->tensor_count;
fail:
    return st;
}

tvk_status tvk_graph_copy(tvk_graph *graph, tvk_span src, tvk_span dst, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_dispatch *d;
    if (src.bytes != dst.bytes) {
        TVK_FAIL(TVK_ERR_INTERNAL, "graph copy: %llu bytes to %llu", (unsigned long long)src.bytes,
                 (unsigned long long)dst.bytes);
    }
    if (graph->list.count == graph->list.capacity) {
        uint32_t capacity = graph->list.capacity ? graph->list.capacity * 2 : 64;
        d = realloc(graph->list.items, capacity * sizeof *d);
        TVK_TRY_ALLOC(d);
        graph->list.items = d;
        graph->list.capacity = capacity;
    }
    d = &graph->list.items[graph->list.count++];
    memset(d, 0, sizeof *d);
    d->label = "copy";
    d->program_name = "copy";
    d->bindings[0] = src;
    d->bindings[1] = dst;
    d->binding_count = 2;
fail:
    return st;
}

tvk_status tvk_graph_cut(tvk_graph *graph, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (graph->cut_count == graph->cut_capacity) {
        uint32_t capacity = graph->cut_capacity ? graph->cut_capacity * 2 : 64;
        uint32_t *cuts = realloc(graph->cuts, capacity * sizeof *cuts);
        TVK_TRY_ALLOC(cuts);
        graph->cuts = cuts;
        graph->cut_capacity = capacity;
    }
    graph->cuts[graph->cut_count++] = graph->list.count;
fail:
    return st;
}

const tvk_graph_tensor_info *tvk_graph_find(const tvk_graph *graph, const char *name)
{
    for (uint32_t i = 0; i < graph->tensor_count; i++) {
        if (strcmp(graph->tensors[i].name, name) == 0) return &graph->tensors[i];
    }
    return NULL;
}
