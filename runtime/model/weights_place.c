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

/* Scales of `bytes` bytes and, where it has a place, the gain of the norm before the matrix behind
 * them: a mat-vec that norms has both in one binding. */
static tvk_status place_scales(placer *p, uint64_t bytes, const char *label, const tvk_tensor *gain,
                               tvk_span *scales, tvk_span *gain_at, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t align = tvk_gpu_plan(p->device)->storage_align;
    uint64_t first = tvk_round_up(bytes, align > 16 ? align : 16);
    tvk_span both;
    TVK_TRY(new_buffer(p, gain ? first + gain->dims[0] * 4 : bytes, label, &both, err));
    *scales = tvk_span_sub(both, 0, bytes);
    if (gain) *gain_at = tvk_span_sub(both, first, gain->dims[0] * 4);
fail:
    return st;
}

/* Pieces of equal row counts, each within one binding. gain: of the norm before it; NULL: none, or
 * it lies elsewhere. */
static tvk_status place_matrix(placer *p, const tvk_matrix_plan *plan, const tvk_tensor *gain,
                               tvk_matrix *m, tvk_span *gain_at, tvk_error *err)
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
            TVK_TRY(place_scales(p, (uint64_t)count * scales * 4, plan->label, i ? NULL : gain,
                                 &m->piece[i].scales, gain_at, err));
        }
    }
    if (gain && scales == 0) TVK_TRY(new_buffer(p, gain->dims[0] * 4, gain->name, gain_at, err));
fail:
    return st;
}

static tvk_status place_layer(placer *p, const tvk_layer_plan *plan, uint32_t slabs,
                              tvk_arena *arena, tvk_layer_weights *w, tvk_error *err)
{
    tvk_status st = TVK_OK;
    w->o = tvk_arena_alloc(arena, slabs, sizeof *w->o);
    w->down = tvk_arena_alloc(arena, slabs, sizeof *w->down);
    TVK_TRY_ALLOC(w->o && w->down ? w : NULL);
    w->attn_norm = w->attn_sub_norm = w->ffn_norm = w->ffn_sub_norm = (tvk_span){0};
    TVK_TRY(place_matrix(p, &plan->qkv, plan->attn_norm, &w->qkv, &w->attn_norm, err));
    for (uint32_t s = 0; s < slabs; s++)
        TVK_TRY(place_matrix(p, &plan->o[s], s ? NULL : plan->attn_sub_norm, &w->o[s],
                             &w->attn_sub_norm, err));
    TVK_TRY(place_matrix(p, &plan->gate_up, plan->ffn_norm, &w->gate_up, &w->ffn_norm, err));
    for (uint32_t s = 0; s < slabs; s++)
        TVK_TRY(place_matrix(p, &plan->down[s], s ? NULL : plan->ffn_sub_norm, &w->down[s],
                             &w->ffn_sub_norm, err));
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
    TVK_TRY(place_matrix(&p, &plan->embedding, NULL, &out->embedding, NULL, err));
    out->output = &out->embedding;
    if (!config->tied_head) {
        TVK_TRY(place_matrix(&p, &plan->output, NULL, &out->output_matrix, NULL, err));
        out->output = &out->output_matrix;
    }
    for (uint32_t i = 0; i < config->layers; i++)
        TVK_TRY(
            place_layer(&p, &plan->layers[i], config->weight_groups, arena, &out->layers[i], err));
    TVK_TRY(new_buffer(&p, plan->output_norm->dims[0] * 4, plan->output_norm->name,
                       &out->output_norm, err));
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
