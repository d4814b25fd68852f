/* Where the weights lie: a buffer for each piece of a matrix, its scales and each gain. */
#include "base/check.h"
#include "model/weights.h"

#include <stdlib.h>
#include <string.h>

typedef struct placer {
    tvk_device *device;
    tvk_weights *weights;
} placer;

static tvk_status new_buffer(placer *p, uint64_t bytes, const char *name, tvk_span *out,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_weights *w = p->weights;
    if (w->buffer_count == w->buffer_capacity) {
        uint32_t capacity = w->buffer_capacity ? w->buffer_capacity * 2 : 64;
        tvk_buffer **buffers = realloc(w->buffers, capacity * sizeof *buffers);
        TVK_TRY_ALLOC(buffers);
        w->buffers = buffers;
        w->buffer_capacity = capacity;
    }
    w->buffers[w->buffer_count] = NULL;
    TVK_TRY(tvk_buffer_create(p->device, TVK_PURPOSE_WEIGHTS, TVK_MEMORY_DEVICE, bytes, name,
                              &w->buffers[w->buffer_count], err));
    *out = tvk_buffer_span(w->buffers[w->buffer_count]);
    w->buffer_count++;
fail:
    return st;
}

/* Pieces of equal row counts, each within one binding. */
static tvk_status place_matrix(placer *p, const tvk_matrix_plan *plan, tvk_matrix *m,
                               tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t limit = tvk_gpu_plan(p->device)->max_storage_bytes;
    uint32_t words = tvk_layout_row_words(plan->layout, plan->k);
    uint32_t scales = tvk_layout_row_scales(plan->layout, plan->k);
    uint64_t rows = limit / ((uint64_t)words * 4);
    if (plan->kmajor && (uint64_t)plan->k * tvk_kmajor_words(plan->n) * 4 > limit) {
        /* outputs of which all K-major codes fit */
        uint64_t most = limit / ((uint64_t)plan->k * 16) * TVK_KMAJOR_ALIGN;
        if (rows > most) rows = most;
    }
    memset(m, 0, sizeof *m);
    m->layout = plan->layout;
    m->n = plan->n;
    m->k = plan->k;
    m->row_words = words;
    if (rows == 0 || (plan->n + rows - 1) / rows > TVK_MAX_PIECES) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "%s: [%u, %u] needs more than %d bindings of %llu bytes on this device",
                 plan->label, plan->k, plan->n, TVK_MAX_PIECES, (unsigned long long)limit);
    }
    m->piece_count = (uint32_t)((plan->n + rows - 1) / rows);
    rows = (plan->n + m->piece_count - 1) / m->piece_count;
    for (uint32_t i = 0, first = 0; i < m->piece_count; i++, first += (uint32_t)rows) {
        uint32_t count = plan->n - first < rows ? plan->n - first : (uint32_t)rows;
        m->piece[i].first = first;
        m->piece[i].rows = count;
        TVK_TRY(new_buffer(p, (uint64_t)count * words * 4, plan->label, &m->piece[i].words, err));
        m->piece[i].scales = m->piece[i].words;
        if (plan->kmajor) {
            TVK_TRY(new_buffer(p, (uint64_t)plan->k * tvk_kmajor_words(count) * 4, plan->label,
                               &m->piece[i].kmajor, err));
        }
        if (scales > 0) {
            TVK_TRY(
                new_buffer(p, (uint64_t)count * scales * 4, plan->label, &m->piece[i].scales, err));
        }
    }
fail:
    return st;
}

static tvk_status place_gain(placer *p, const tvk_tensor *t, tvk_span *out, tvk_error *err)
{
    memset(out, 0, sizeof *out);
    return t ? new_buffer(p, t->dims[0] * 4, t->name, out, err) : TVK_OK;
}

static tvk_status place_layer(placer *p, const tvk_layer_plan *plan, uint32_t slabs,
                              tvk_arena *arena, tvk_layer_weights *w, tvk_error *err)
{
    tvk_status st = TVK_OK;
    w->o = tvk_arena_alloc(arena, slabs, sizeof *w->o);
    w->down = tvk_arena_alloc(arena, slabs, sizeof *w->down);
    TVK_TRY_ALLOC(w->o && w->down ? w : NULL);
    TVK_TRY(place_gain(p, plan->attn_norm, &w->attn_norm, err));
    TVK_TRY(place_gain(p, plan->attn_sub_norm, &w->attn_sub_norm, err));
    TVK_TRY(place_gain(p, plan->ffn_norm, &w->ffn_norm, err));
    TVK_TRY(place_gain(p, plan->ffn_sub_norm, &w->ffn_sub_norm, err));
    TVK_TRY(place_matrix(p, &plan->qkv, &w->qkv, err));
    for (uint32_t s = 0; s < slabs; s++) TVK_TRY(place_matrix(p, &plan->o[s], &w->o[s], err));
    TVK_TRY(place_matrix(p, &plan->gate_up, &w->gate_up, err));
    for (uint32_t s = 0; s < slabs; s++) TVK_TRY(place_matrix(p, &plan->down[s], &w->down[s], err));
fail:
    return st;
}

tvk_status tvk_weights_place(tvk_device *device, const tvk_config *config,
                             const tvk_weights_plan *plan, tvk_arena *arena, tvk_weights *out,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    placer p = {device, out};
    memset(out, 0, sizeof *out);
    out->layers = tvk_arena_alloc(arena, config->layers, sizeof *out->layers);
    TVK_TRY_ALLOC(out->layers);
    TVK_TRY(place_matrix(&p, &plan->embedding, &out->embedding, err));
    out->output = &out->embedding;
    if (!config->tied_head) {
        TVK_TRY(place_matrix(&p, &plan->output, &out->output_matrix, err));
        out->output = &out->output_matrix;
    }
    for (uint32_t i = 0; i < config->layers; i++)
        TVK_TRY(
            place_layer(&p, &plan->layers[i], config->weight_groups, arena, &out->layers[i], err));
    TVK_TRY(place_gain(&p, plan->output_norm, &out->output_norm, err));
    out->layer_count = config->layers;
    out->slabs = config->weight_groups;
fail:
    if (st != TVK_OK) tvk_weights_destroy(out);
    return st;
}

void tvk_weights_destroy(tvk_weights *weights)
{
    for (uint32_t i = 0; i < weights->buffer_count; i++) tvk_buffer_destroy(&weights->buffers[i]);
    free(weights->buffers);
    memset(weights, 0, sizeof *weights);
}
