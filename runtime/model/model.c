#include "model/model.h"

#include "base/check.h"
#include "base/clock.h"
#include "model/blocks.h"
#include "model/stats.h"
#include "tune/tune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BATCH 256u
#define MOST_DEFAULT_BATCH 2048u
#define DEFAULT_OUTPUTS 16u
#define DEFAULT_CONTEXT 4096u
#define MAX_CONTEXT (1u << 20)
#define MAX_SESSIONS 1024u

static tvk_status fill_params(const tvk_model_params *params, const tvk_config *config,
                              tvk_model_params *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    memset(out, 0, sizeof *out);
    if (params) *out = *params;
    if (out->sessions == 0) out->sessions = 1;
    if (out->context == 0) {
        out->context =
            config->trained_context < DEFAULT_CONTEXT ? config->trained_context : DEFAULT_CONTEXT;
    }
    if (out->batch == 0) out->batch = DEFAULT_BATCH;
    if (out->max_outputs == 0) out->max_outputs = DEFAULT_OUTPUTS;
    if (out->context > MAX_CONTEXT || out->sessions > MAX_SESSIONS || out->batch > 4096 ||
        (unsigned)out->kv_k > TVK_KV_Q3 || (unsigned)out->kv_v > TVK_KV_Q3 ||
        (out->q != TVK_Q_F32 && out->q != TVK_Q_Q8 && out->q != TVK_Q_Q4) ||
        (unsigned)out->act > TVK_ACT_V2_A4 || (unsigned)out->sparse > TVK_SPARSE_ON) {
        TVK_FAIL(TVK_ERR_ARG,
                 "context %u (at most %u), sessions %u (at most %u), batch %u (at most 4096), "
                 "types k %d, v %d, q %d, activations %d",
                 out->context, MAX_CONTEXT, out->sessions, MAX_SESSIONS, out->batch, (int)out->kv_k,
                 (int)out->kv_v, (int)out->q, (int)out->act);
    }
    /* a step takes at least one row of every session */
    if (out->batch < out->sessions) out->batch = out->sessions;
    if (out->max_outputs < out->sessions) out->max_outputs = out->sessions;
    if (out->max_outputs > out->batch) out->max_outputs = out->batch;
fail:
    return st;
}

/* Upper bound of the transients and logits of the largest step. */
static uint64_t scratch_bound(const tvk_config *c, const tvk_model_params *p)
{
    uint64_t width = (uint64_t)c->hidden * 2 + 3 * (uint64_t)c->ffn +
                     ((uint64_t)c->heads * 2 + c->kv_heads * 2) * c->head_size +
                     (p->q ? (uint64_t)c->heads * TVK_QUERY_WORDS(c->head_size) : 0);
    return p->batch * width * 4 + TVK_MOST_PARTIALS + (uint64_t)p->max_outputs * c->vocab * 4;
}

static tvk_cache_types kv_types(const tvk_model_params *p)
{
    return (tvk_cache_types){(uint32_t)p->kv_k, (uint32_t)p->kv_v, (uint32_t)p->q};
}

static void fill_info(const tvk_config *c, const tvk_model_params *p, const tvk_weights_plan *plan,
                      const tvk_skip *skip, tvk_model_info *info)
{
    memset(info, 0, sizeof *info);
    memcpy(info->skip, skip, sizeof info->skip);
    snprintf(info->architecture, sizeof info->architecture, "%s", c->arch->id);
    snprintf(info->graph, sizeof info->graph, "%s", c->arch->graph);
    snprintf(info->name, sizeof info->name, "%s", c->name);
    snprintf(info->activation, sizeof info->activation, "%s",
             c->glu == TVK_GLU_GELU    ? "gelu"
             : c->glu == TVK_GLU_RELU2 ? "relu2"
                                       : "silu");
    snprintf(info->activation_why, sizeof info->activation_why, "%s", c->glu_why);
    snprintf(info->act_quant, sizeof info->act_quant, "%s", tvk_act_name(c->act));
    snprintf(info->act_quant_file, sizeof info->act_quant_file, "%s", c->file_quant);
    snprintf(info->odd, sizeof info->odd, "%s", c->odd);
    info->sub_norms = c->sub_norms;
    info->layer_norm = c->arch->b1;
    info->weight_groups = c->weight_groups;
    info->tied_head = c->tied_head;
    info->rope_interleaved = c->rope_interleaved;
    info->layers = c->layers;
    info->hidden = c->hidden;
    info->ffn = c->ffn;
    info->heads = c->heads;
    info->kv_heads = c->kv_heads;
    info->head_size = c->head_size;
    info->vocab = c->vocab;
    info->context = p->context;
    info->batch = p->batch;
    info->rope_theta = c->rope_theta;
    info->norm_eps = c->norm_eps;
    info->parameters = plan->parameters;
    info->weight_bytes = plan->device_bytes;
    info->scratch_bytes = scratch_bound(c, p);
    info->kv_k = p->kv_k;
    info->kv_v = p->kv_v;
    info->q = p->q;
    info->kv_bytes_per_position =
        ((uint64_t)c->layers * tvk_kv_page_words(kv_types(p), c->kv_heads, c->head_size) * 4 +
         TVK_CHUNK - 1) /
        TVK_CHUNK;
}

tvk_status tvk_model_describe(const tvk_weight_source *source, const tvk_model_params *params,
                              tvk_model_info *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_config config;
    tvk_model_params filled;
    tvk_weights_plan plan;
    tvk_skip skip[TVK_SKIP_COUNT];
    tvk_arena arena = {0};
    memset(out, 0, sizeof *out);
    TVK_TRY(tvk_config_read(source, params ? params->act : TVK_ACT_AUTO, &config, err));
    TVK_TRY(fill_params(params, &config, &filled, err));
    tvk_skip_choose(&config, filled.sparse, filled.tuning, skip);
    TVK_TRY(tvk_weights_plan_make(source, &config, skip, &arena, &plan, err));
    TVK_TRY(tvk_oddities_note(source, &plan, &config, &arena, err));
    fill_info(&config, &filled, &plan, skip, out);
fail:
    tvk_arena_free(&arena);
    return st;
}

/* Said before anything is loaded. */
static tvk_status check_memory(tvk_model *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint64_t positions = (uint64_t)m->params.sessions * m->layout.max_pages * TVK_CHUNK;
    const uint64_t kv = positions * m->info.kv_bytes_per_position;
    /* of 128 positions of all sessions: with their rows of the table for RoPE */
    const uint64_t page = TVK_CHUNK * (m->info.kv_bytes_per_position * m->params.sessions +
                                       m->config.rotary * (uint64_t)sizeof(float));
    const uint64_t scratch = m->info.scratch_bytes + (uint64_t)m->layout.total_words * 4 +
                             tvk_gpu_staging_bytes(m->device);
    const uint64_t rest = m->info.weight_bytes + scratch, need = rest + page * m->layout.max_pages;
    uint64_t available = 0, fits = 0;
    char help[64] = "no context fits";
    if (tvk_gpu_fits(m->device, need, &available)) return TVK_OK;
    if (available > rest) fits = (available - rest) / page * TVK_CHUNK;
    if (fits > 0) snprintf(help, sizeof help, "a context of %llu fits", (unsigned long long)fits);
    TVK_FAIL(TVK_ERR_DEVICE_MEMORY,
             "%llu MiB needed (weights %llu, KV cache of %u positions %llu, scratch %llu), "
             "%llu MiB available on the device: %s",
             (unsigned long long)(need >> 20), (unsigned long long)(m->info.weight_bytes >> 20),
             m->params.context * m->params.sessions, (unsigned long long)(kv >> 20),
             (unsigned long long)(scratch >> 20), (unsigned long long)(available >> 20), help);
fail:
    return st;
}

/* A GPU wants more rows in a step than the least default: as many as take a small part of its
 * memory, and whose widest transient fits one binding. */
static void grow_batch(tvk_model *m)
{
    const tvk_plan *plan = tvk_gpu_plan(m->device);
    const uint64_t widest = 8ull * m->config.ffn; /* gate and up of a row */
    uint64_t available = 0;
    tvk_model_params larger = m->params;
    if (plan->cpu) return;
    tvk_gpu_fits(m->device, 0, &available);
    for (larger.batch *= 2; larger.batch <= MOST_DEFAULT_BATCH; larger.batch *= 2) {
        if (scratch_bound(&m->config, &larger) > available / 32) return;
        if (larger.batch * widest > plan->max_storage_bytes) return;
        m->params.batch = larger.batch;
    }
}

/* Logits of all output rows must fit one binding. */
static void bound_outputs(tvk_model *m)
{
    uint64_t limit = tvk_gpu_plan(m->device)->max_storage_bytes / ((uint64_t)m->config.vocab * 4);
    if (limit < 1) limit = 1;
    if (m->params.max_outputs > limit) m->params.max_outputs = (uint32_t)limit;
    if (m->params.sessions > m->params.max_outputs) m->params.sessions = m->params.max_outputs;
}

/* Milliseconds since *start, which moves on to now. */
static double lap(uint64_t *start)
{
    const uint64_t now = tvk_clock_ns(), before = *start;
    *start = now;
    return (double)(now - before) * 1e-6;
}

tvk_status tvk_model_plan(tvk_device *device, const tvk_weight_source *source,
                          const tvk_model_params *params, tvk_weights_plan *plan, tvk_model **out,
                          tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_model *m = calloc(1, sizeof *m);
    tvk_skip skip[TVK_SKIP_COUNT];
    *out = NULL;
    TVK_TRY_ALLOC(m);
    m->device = device;
    TVK_TRY(tvk_config_read(source, params ? params->act : TVK_ACT_AUTO, &m->config, err));
    TVK_TRY(fill_params(params, &m->config, &m->params, err));
    tvk_skip_choose(&m->config, m->params.sparse, m->params.tuning, skip);
    TVK_TRY(tvk_weights_plan_make(source, &m->config, skip, &m->arena, plan, err));
    if (!params || params->batch == 0) grow_batch(m);
    bound_outputs(m);
    m->layout = tvk_state_layout_make(m->params.batch, m->params.max_outputs, m->params.sessions,
                                      m->params.context, m->config.heads);
    fill_info(&m->config, &m->params, plan, skip, &m->info);
    TVK_TRY(check_memory(m, err));
    m->slot_used = calloc(m->params.sessions, sizeof *m->slot_used);
    TVK_TRY_ALLOC(m->slot_used);
    TVK_TRY(tvk_kernels_create(device, m->params.exact, &m->kernels, err));
    tvk_tuning_apply(m->params.tuning, m->params.exact, m->kernels);
    m->params.tuning = NULL; /* the caller's */
    TVK_TRY(tvk_kv_pool_create(device, kv_types(&m->params), m->config.layers, m->config.kv_heads,
                               m->config.head_size, m->params.sessions * m->layout.max_pages,
                               &m->kv, err));
    TVK_TRY(tvk_weights_place(device, &m->config, plan, &m->arena, &m->weights, err));
    TVK_TRY(tvk_stats_create(m, err));
    tvk_kernels_collect(m->kernels);
    TVK_TRY(tvk_steps_plan(m, err));
    *out = m;
    m = NULL;
fail:
    tvk_model_destroy(&m);
    return st;
}

tvk_status tvk_model_create(tvk_device *device, const tvk_weight_source *source,
                            const tvk_model_params *params, tvk_model **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_model *m = NULL;
    tvk_weights_plan plan;
    uint64_t start = tvk_clock_ns();
    *out = NULL;
    TVK_TRY(tvk_model_plan(device, source, params, &plan, &m, err));
    /* programs are compiled while the weights are read */
    TVK_TRY(tvk_kernels_compile(m->kernels, err));
    m->times.graphs_ms = lap(&start);
    TVK_TRY(tvk_weights_load(m->kernels, &plan, &m->params.progress, &m->weights, err));
    m->times.weights_ms = lap(&start);
    TVK_TRY(tvk_kernels_compiled(m->kernels, err));
    m->times.kernels_ms = lap(&start);
    TVK_TRY(tvk_steps_record(m, err));
    m->times.record_ms = lap(&start);
    *out = m;
    m = NULL;
fail:
    tvk_model_destroy(&m);
    return st;
}

void tvk_model_destroy(tvk_model **model)
{
    tvk_model *m = *model;
    if (!m) return;
    for (int i = 0; i < TVK_STEP_COUNT; i++) tvk_step_destroy(&m->steps[i]);
    tvk_buffer_destroy(&m->state);
    tvk_buffer_destroy(&m->requests);
    tvk_buffer_destroy(&m->results);
    tvk_buffer_destroy(&m->logits);
    tvk_buffer_destroy(&m->rope);
    tvk_buffer_destroy(&m->scratch);
    tvk_buffer_destroy(&m->counters);
    tvk_weights_destroy(&m->weights);
    tvk_kv_pool_destroy(&m->kv);
    tvk_kernels_destroy(&m->kernels);
    free(m->slot_used);
    tvk_arena_free(&m->arena);
    free(m);
    *model = NULL;
}

const tvk_model_info *tvk_model_get_info(const tvk_model *model)
{
    return &model->info;
}

void tvk_model_get_load_times(const tvk_model *model, tvk_load_times *out)
{
    *out = model->times;
}
