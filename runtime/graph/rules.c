/* Group counts that the device computes: each distinct rule once. */
#include "graph/graph.h"

#include <string.h>

static bool needs_device(const tvk_groups *g, uint32_t rows)
{
    for (int axis = 0; axis < 3; axis++) {
        if (g->kind[axis] == TVK_AXIS_FIXED) continue;
        if (g->kind[axis] == TVK_AXIS_ROWS && rows == 1) continue;
        return true;
    }
    return false;
}

tvk_status tvk_graph_rules(tvk_graph *graph, uint32_t rows, tvk_rules *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t nodes = graph->list.count;
    memset(out, 0, sizeof *out);
    out->words = tvk_arena_alloc(&graph->arena, (size_t)nodes * 8 + 8, sizeof *out->words);
    out->of_node = tvk_arena_alloc(&graph->arena, nodes + 1, sizeof *out->of_node);
    TVK_TRY_ALLOC(out->words);
    TVK_TRY_ALLOC(out->of_node);
    for (uint32_t n = 0; n < nodes; n++) {
        const tvk_groups *g = &graph->list.items[n].groups;
        uint32_t rule[4] = {g->kind[0] | (uint32_t)g->kind[1] << 8 | (uint32_t)g->kind[2] << 16,
                            g->value[0], g->value[1], g->value[2]};
        uint32_t i = 0;
        out->of_node[n] = UINT32_MAX;
        if (!graph->list.items[n].program || !needs_device(g, rows)) continue;
        while (i < out->count && memcmp(&out->words[i * 4], rule, sizeof rule) != 0) i++;
        if (i == out->count) memcpy(&out->words[out->count++ * 4], rule, sizeof rule);
        out->of_node[n] = i;
    }
fail:
    return st;
}
