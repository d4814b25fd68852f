/* Statistics of a model: zeros counted on the device, what they mean for parameters and bytes. */
#include "model/stats.h"

#include "model/model.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(tvk_layer_stats) == TVK_COUNT_KINDS * sizeof(tvk_count), "tvk_count_kind");

uint32_t tvk_stats_counter(uint32_t layer, tvk_count_kind kind)
{
    return layer * TVK_COUNT_KINDS + (uint32_t)kind;
}

static uint64_t counter_bytes(const tvk_model *m)
{
    return (uint64_t)m->config.layers * TVK_COUNT_KINDS * TVK_COUNTER_WORDS * 4;
}

tvk_status tvk_stats_create(tvk_model *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (!m->params.stats) return TVK_OK;
    TVK_TRY(tvk_buffer_create(m->device, TVK_PURPOSE_STATE, TVK_MEMORY_DEVICE, counter_bytes(m),
                              "counters", &m->counters, err));
    TVK_TRY(tvk_model_stats_reset(m, err));
fail:
    return st;
}

static tvk_status check_counting(const tvk_model *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (!m->counters) TVK_FAIL(TVK_ERR_ARG, "the model was not made with params.stats");
fail:
    return st;
}

tvk_status tvk_model_stats_reset(tvk_model *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    void *zeros = NULL;
    TVK_TRY(check_counting(m, err));
    zeros = calloc(1, (size_t)counter_bytes(m));
    TVK_TRY_ALLOC(zeros);
    TVK_TRY(tvk_gpu_write(m->device, tvk_buffer_span(m->counters), zeros, err));
fail:
    free(zeros);
    return st;
}

/* Values of a counted row of each kind: rows with column slabs are counted slab by slab. */
static uint32_t width_of(const tvk_config *c, tvk_count_kind kind)
{
    switch (kind) {
    case TVK_COUNT_QKV:
    case TVK_COUNT_GATE_UP:
        return c->hidden;
    case TVK_COUNT_OUT:
        return c->heads * c->head_size / c->weight_groups;
    case TVK_COUNT_GATES:
        return c->ffn;
    case TVK_COUNT_DOWN:
        return c->ffn / c->weight_groups;
    case TVK_COUNT_KINDS:
        break;
    }
    return 0;
}

tvk_status tvk_model_stats_layers(tvk_model *m, tvk_layer_stats *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t *words = NULL;
    TVK_TRY(check_counting(m, err));
    words = malloc((size_t)counter_bytes(m));
    TVK_TRY_ALLOC(words);
    TVK_TRY(tvk_gpu_read(m->device, tvk_buffer_span(m->counters), words, err));
    for (uint32_t l = 0; l < m->config.layers; l++) {
        tvk_count counts[TVK_COUNT_KINDS];
        for (uint32_t kind = 0; kind < TVK_COUNT_KINDS; kind++) {
            const uint32_t *w =
                words + TVK_COUNTER_WORDS * tvk_stats_counter(l, (tvk_count_kind)kind);
            uint64_t rows = w[2] | (uint64_t)w[3] << 32;
            counts[kind].zeros = w[0] | (uint64_t)w[1] << 32;
            counts[kind].values = rows * width_of(&m->config, (tvk_count_kind)kind);
        }
        memcpy(&out[l], counts, sizeof counts);
    }
fail:
    free(words);
    return st;
}

static double share(tvk_count c)
{
    return c.values ? (double)c.zeros / (double)c.values : 0;
}

/* Shares of zeros of a layer, and the weights they stand against. */
static void linears_of(const tvk_config *c, const tvk_layer_stats *l, double zeros[],
                       uint64_t parameters[])
{
    uint64_t q = (uint64_t)c->heads * c->head_size, kv = (uint64_t)c->kv_heads * c->head_size;
    zeros[TVK_LINEAR_QKV] = share(l->qkv);
    zeros[TVK_LINEAR_OUT] = share(l->out);
    zeros[TVK_LINEAR_UP] = 1 - (1 - share(l->gate_up)) * (1 - share(l->gates));
    zeros[TVK_LINEAR_GATE] = share(l->gate_up);
    zeros[TVK_LINEAR_DOWN] = share(l->down);
    parameters[TVK_LINEAR_QKV] = (q + 2 * kv) * c->hidden;
    parameters[TVK_LINEAR_OUT] = q * c->hidden;
    parameters[TVK_LINEAR_UP] = (uint64_t)c->ffn * c->hidden;
    parameters[TVK_LINEAR_GATE] = c->glu == TVK_GLU_GELU ? 0 : parameters[TVK_LINEAR_UP];
    parameters[TVK_LINEAR_DOWN] = parameters[TVK_LINEAR_UP];
}

static uint64_t row_bytes(const tvk_matrix *w)
{
    return 4 * ((uint64_t)w->row_words + tvk_layout_row_scales(w->layout, w->k));
}

/* Bytes of a matrix that a decode step reads: mat-vecs read it whole, but for the zeros that the
 * model's steps leave out. */
static double matrix_read(const tvk_model *m, const tvk_layer_stats *s, uint32_t layer,
                          const tvk_matrix *w)
{
    const tvk_layer_weights *l = &m->weights.layers[layer];
    const tvk_skip *skip = m->info.skip;
    const double all = (double)(row_bytes(w) * w->n);
    const double kmajor = 4.0 * w->k * tvk_kmajor_words(w->n), scales = 4.0 * w->n;
    if (w == l->o && skip[TVK_SKIP_O].used) return kmajor * (1 - share(s->out)) + scales;
    if (w == l->down && skip[TVK_SKIP_DOWN].used) return kmajor * (1 - share(s->down)) + scales;
    if (w == &l->gate_up && skip[TVK_SKIP_UP].used) return all * (1 - 0.5 * share(s->gates));
    return all;
}

static double weights_read(const tvk_model *m, const tvk_layer_stats *layers)
{
    const tvk_config *c = &m->config;
    double bytes = (double)(row_bytes(m->weights.output) * m->weights.output->n) +
                   (double)row_bytes(&m->weights.embedding) + 4.0 * c->hidden;
    for (uint32_t i = 0; i < c->layers; i++) {
        const tvk_layer_weights *l = &m->weights.layers[i];
        const tvk_matrix *matrices[2 + 2 * TVK_MAX_WEIGHT_GROUPS] = {&l->qkv, &l->gate_up};
        uint32_t count = 2;
        const tvk_span gains[] = {l->attn_norm, l->attn_sub_norm, l->ffn_norm, l->ffn_sub_norm};
        for (uint32_t s = 0; s < c->weight_groups; s++) {
            matrices[count++] = &l->o[s];
            matrices[count++] = &l->down[s];
        }
        for (uint32_t j = 0; j < count; j++) {
            bytes += matrix_read(m, &layers[i], i, matrices[j]);
        }
        for (size_t j = 0; j < sizeof gains / sizeof *gains; j++)
            if (gains[j].buffer) bytes += (double)gains[j].bytes;
    }
    return bytes;
}

void tvk_model_stats_sum(const tvk_model *m, const tvk_layer_stats *layers, uint32_t position,
                         tvk_stats *out)
{
    const tvk_config *c = &m->config;
    double zero_parameters = 0;
    memset(out, 0, sizeof *out);
    out->tokens = layers[0].qkv.values / c->hidden;
    for (uint32_t i = 0; i < c->layers; i++) {
        double zeros[TVK_LINEAR_COUNT];
        uint64_t parameters[TVK_LINEAR_COUNT];
        linears_of(c, &layers[i], zeros, parameters);
        out->gates += share(layers[i].gates) / c->layers;
        for (int j = 0; j < TVK_LINEAR_COUNT; j++) {
            out->zeros[j] += zeros[j] / c->layers;
            out->parameters += parameters[j];
            zero_parameters += (double)parameters[j] * zeros[j];
        }
    }
    out->zeros_overall = zero_parameters / (double)out->parameters;
    out->active_parameters = (double)out->parameters - zero_parameters;
    out->weight_bytes_read = weights_read(m, layers);
    out->kv_bytes_read = m->info.kv_bytes_per_position * ((uint64_t)position + 1);
    out->kv_bytes_written = m->info.kv_bytes_per_position;
}
