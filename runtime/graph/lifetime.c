/* Memory of transients: two of them may share bytes when no dispatch needs both. */
#include "base/check.h"
#include "graph/graph.h"

#include <stdlib.h>

static void find_uses(tvk_graph *graph)
{
    for (uint32_t i = 0; i < graph->tensor_count; i++) {
        graph->tensors[i].first = UINT32_MAX;
        graph->tensors[i].last = 0;
    }
    for (uint32_t n = 0; n < graph->list.count; n++) {
        const tvk_dispatch *d = &graph->list.items[n];
        for (uint32_t b = 0; b < d->binding_count; b++) {
            uint32_t id = d->bindings[b].tensor;
            if (id == 0) continue;
            if (graph->tensors[id - 1].first == UINT32_MAX) graph->tensors[id - 1].first = n;
            graph->tensors[id - 1].last = n;
        }
    }
}

static bool overlap_in_time(const tvk_graph_tensor_info *a, const tvk_graph_tensor_info *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Lowest offset at which t meets no placed tensor that lives at the same time. */
static uint64_t place(const tvk_graph *graph, const uint32_t *placed, uint32_t placed_count,
                      const tvk_graph_tensor_info *t, uint64_t align)
{
    uint64_t offset = 0;
    bool moved = true;
    while (moved) {
        moved = false;
        for (uint32_t i = 0; i < placed_count; i++) {
            const tvk_graph_tensor_info *p = &graph->tensors[placed[i]];
            if (!graph->keep && !overlap_in_time(p, t)) continue;
            if (offset < p->offset + p->bytes && p->offset < offset + t->bytes) {
                offset = tvk_round_up(p->offset + p->bytes, align);
                moved = true;
            }
        }
    }
    return offset;
}

tvk_status tvk_graph_plan(tvk_graph *graph, uint64_t align, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t *placed = malloc((graph->tensor_count + 1) * sizeof *placed);
    uint32_t count = 0;
    TVK_TRY_ALLOC(placed);
    if (align < 16) align = 16;
    find_uses(graph);
    graph->scratch_bytes = align;
    for (uint32_t i = 0; i < graph->tensor_count; i++) {
        tvk_graph_tensor_info *t = &graph->tensors[i];
        if (t->first > t->last) continue;
        t->offset = place(graph, placed, count, t, align);
        placed[count++] = i;
        if (t->offset + t->bytes > graph->scratch_bytes) {
            graph->scratch_bytes = t->offset + t->bytes;
        }
    }
fail:
    free(placed);
    return st;
}
