#include "stats.h"

#include <inttypes.h>
#include <stdlib.h>

#include "out.h"

int stats_take(tvk_model *model, uint32_t position, tvk_stats *out)
{
    tvk_layer_stats *layers = calloc(tvk_model_get_info(model)->layers, sizeof *layers);
    tvk_error err;
    tvk_status st;
    if (!layers) {
        out_error("no memory for statistics");
        return 1;
    }
    st = tvk_model_stats_layers(model, layers, &err);
    if (st == TVK_OK) tvk_model_stats_sum(model, layers, position, out);
    free(layers);
    return st == TVK_OK ? 0 : out_failed(&err);
}

void stats_head(FILE *to, const char *first)
{
    fprintf(
        to,
        "| %s | tokens | QKV | Out | Up | Gate | Down | overall | gates <= 0 | active parameters | "
        "weights read | KV read | KV written |\n"
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        first);
}

void stats_row(FILE *to, const char *first, const tvk_stats *s)
{
    char weights[32], kv[32], written[32];
    fprintf(to, "| %s | %" PRIu64 " |", first, s->tokens);
    for (int i = 0; i < TVK_LINEAR_COUNT; i++) fprintf(to, " %.1f |", 100 * s->zeros[i]);
    fprintf(to, " %.1f | %.1f | %.2f M of %.2f M | %s | %s | %s |\n", 100 * s->zeros_overall,
            100 * s->gates, s->active_parameters / 1e6, (double)s->parameters / 1e6,
            out_bytes((uint64_t)s->weight_bytes_read, weights, sizeof weights),
            out_bytes(s->kv_bytes_read, kv, sizeof kv),
            out_bytes(s->kv_bytes_written, written, sizeof written));
}

int stats_print(FILE *to, tvk_model *model, uint32_t position)
{
    tvk_stats s;
    char first[32];
    int status = stats_take(model, position, &s);
    if (status) return status;
    snprintf(first, sizeof first, "position %u", position);
    stats_head(to, "zeros %, bytes at");
    stats_row(to, first, &s);
    return 0;
}
