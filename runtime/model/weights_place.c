/* Where the weights lie: a buffer for each piece of a matrix, one for the scales and gains of
 * ternary layers, one for each other gain and other scales. */
#include "base/check.h"
#include "model/weights.h"

#include <stdlib.h>
#include <string.h>

typedef struct placer {
    tvk_device *device;
    tvk_weights *weights;
    tvk_span small; /* what is left of the buffer for scales and gains of layers */
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

/* Where a span that is bound by itself may begin. */
static uint64_t alignment(const placer *p)
{
    uint64_t align = tvk_gpu_plan(p->device)->storage_align;
    return align > 16 ? align : 16;
}

/* At most what the scales of a matrix of few values and its gain take. */
static uint64_t small_bytes(const placer *p, const tvk_matrix_plan *plan, const tvk_tensor *gain)
{
    uint64_t align = alignment(p);
    if (!tvk_layout_coded(plan->layout)) return 0;
    return (uint64_t)plan->n * tvk_layout_row_scales(plan->layout, plan->k) * 4 +
           TVK_MAX_PIECES * align + (gain ? tvk_round_up(gain->dims[0] * 4, align) : 0);
}

/* One buffer for the scales and gains of all layers, in the order of their use, so that a mat-vec's
 * binding of its scales reaches those of the next; where they do not fit one binding each matrix
 * has its own. */
static tvk_status place_small(placer *p, const tvk_config *config, const tvk_weights_plan *plan,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < config->layers; i++) {
        const tvk_layer_plan *l = &plan->layers[i];
        bytes += small_bytes(p, &l->qkv, l->attn_norm) + small_bytes(p, &l->gate_up, l->ffn_norm);
        for (uint32_t s = 0; s < config->weight_groups; s++)
            bytes += small_bytes(p, &l->o[s], l->attn_sub_norm) +
                     small_bytes(p, &l->down[s], l->ffn_sub_norm);
    }
    if (bytes > 0 && bytes <= tvk_gpu_plan(p->device)->max_storage_bytes)
        TVK_TRY(new_buffer(p, bytes, "scales and gains", &p->small, err));
fail:
    return st;
}

/* Scales of `bytes` bytes and, where it has a place, the gain of the norm before the matrix behind
 * them: a mat-vec that norms has both in one binding. */
static tvk_status place_scales(placer *p, const tvk_matrix_plan *plan, uint64_t bytes,
                               const tvk_tensor *gain, tvk_span *scales, tvk_span *gain_at,
                               tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t first = tvk_round_up(bytes, alignment(p));
    uint64_t all = gain ? tvk_round_up(first + gain->dims[0] * 4, alignment(p)) : first;
    tvk_span both;
    if (tvk_layout_coded(plan->layout) && all <= p->small.bytes) {
        both = tvk_span_sub(p->small, 0, all);
        p->small = tvk_span_sub(p->small, all, p->small.bytes - all);
    } else {
        TVK_TRY(new_buffer(p, all, plan->label, &both, err));
    }
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
            TVK_TRY(place_scales(p, plan, (uint64_t)count * scales * 4, i ? NULL : gain,
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
    w->qkv.soon = w->attn_sub_norm;
    w->o[slabs - 1].soon = w->ffn_norm;
    w->gate_up.soon = w->ffn_sub_norm;
fail:
    return st;
}

tvk_status tvk_weights_place(tvk_device *device, const tvk_config *config,
                             const tvk_weights_plan *plan, tvk_arena *arena, tvk_weights *out,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    placer p = {device, out, {0}};
    memset(out, 0, sizeof *out);
    out->layers = tvk_arena_alloc(arena, config->layers, sizeof *out->layers);
    TVK_TRY_ALLOC(out->layers);
    TVK_TRY(place_matrix(&p, &plan->embedding, NULL, &out->embedding, NULL, err));
    out->output = &out->embedding;
    if (!config->tied_head) {
        TVK_TRY(place_matrix(&p, &plan->output, NULL, &out->output_matrix, NULL, err));
        out->output = &out->output_matrix;
    }
    TVK_TRY(place_small(&p, config, plan, err));
    for (uint32_t i = 0; i < config->layers; i++) {
        TVK_TRY(
            place_layer(&p, &plan->layers[i], config->weight_groups, arena, &out->layers[i], err));
        if (i > 0)
            out->layers[i - 1].down[config->weight_groups - 1].soon = out->layers[i].attn_norm;
    }
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
