#include "base/log.h"
#include "model/blocks.h"
#include "model/model.h"
#include "model/pace.h"
#include "model/rope_table.h"

#include <stdlib.h>
#include <string.h>

#define MOST_ROUNDS 3

static tvk_status build_graph(tvk_model *m, const tvk_config *config, tvk_step *step,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_block_context c = {.kernels = m->kernels,
                           .graph = &step->graph,
                           .config = config,
                           .weights = &m->weights,
                           .kv = &m->kv,
                           .layout = &m->layout,
                           .state = tvk_buffer_span(m->state),
                           .rope = tvk_buffer_span(m->rope),
                           .logits = tvk_buffer_span(m->logits),
                           .results = tvk_buffer_span(m->results),
                           .skip = m->info.skip,
                           .rows = step->rows,
                           .apart = step->apart,
                           .outs = step->outs};
    tvk_block block;
    if (m->counters) c.counters = tvk_buffer_span(m->counters);
    tvk_graph_init(&step->graph, m->params.keep_activations);
    step->graph.list.exact = step->exact;
    for (uint32_t i = 0; config->arch->block(config, i, &block); i++) {
        TVK_TRY(tvk_block_build(&c, &block, err));
    }
    TVK_TRY(tvk_graph_plan(&step->graph, tvk_gpu_plan(m->device)->storage_align, err));
    TVK_TRY(tvk_graph_rules(&step->graph, step->rows, &step->rules, err));
fail:
    return st;
}

static tvk_status make_begin(tvk_model *m, tvk_step *step, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_state_layout *l = &m->layout;
    const struct tvk_begin_params p = {.ring_entries = TVK_RING_ENTRIES,
                                       .ring_entry_words = l->request_words,
                                       .batch = step->rows,
                                       .max_outs = step->outs,
                                       .slots_word = l->slots_word,
                                       .history_word = l->history_word,
                                       .outs_word = l->outs_word,
                                       .context = l->context,
                                       .rule_count = step->rules.count};
    uint64_t bytes = (uint64_t)step->rules.count * 32 + 32;
    tvk_span rules;
    TVK_TRY(tvk_buffer_create(m->device, TVK_PURPOSE_STATE, TVK_MEMORY_DEVICE, bytes, "step rules",
                              &step->rules_buffer, err));
    rules = tvk_buffer_span(step->rules_buffer);
    /* the arguments behind the rules are zero at first */
    TVK_TRY(tvk_gpu_write(m->device, tvk_span_sub(rules, 0, (uint64_t)step->rules.count * 32 + 32),
                          step->rules.words, err));
    step->begin.label = "begin";
    TVK_TRY(tvk_op_begin(m->kernels, &step->begin, tvk_buffer_span(m->requests),
                         tvk_buffer_span(m->state), rules, &p, err));
fail:
    return st;
}

tvk_status tvk_step_build(tvk_model *m, const tvk_config *config, uint32_t rows, uint32_t outs,
                          tvk_step *step, tvk_error *err)
{
    tvk_status st = TVK_OK;
    step->rows = rows;
    step->apart = step->apart || rows == 1;
    step->outs = outs;
    TVK_TRY(build_graph(m, config, step, err));
    TVK_TRY(make_begin(m, step, err));
fail:
    return st;
}

tvk_status tvk_step_record(tvk_model *m, tvk_step *step, tvk_span scratch, tvk_stamps stamps,
                           tvk_commands ***list, uint32_t *count, tvk_error *err)
{
    const tvk_record_params p = {.name = step->rows == 1              ? "decode"
                                         : step->apart                ? "sessions"
                                         : step->rows == TVK_FEW_ROWS ? "few"
                                                                      : "batch",
                                 .before = &step->begin,
                                 .rules = &step->rules,
                                 .rules_span = tvk_buffer_span(step->rules_buffer),
                                 .scratch = scratch,
                                 .rows = step->rows,
                                 .ns = stamps ? NULL : step->ns,
                                 .most_ns = tvk_pace_most_ns(m),
                                 .stamps = stamps};
    return tvk_graph_record(&step->graph, m->device, &p, list, count, err);
}

static tvk_status fill_rope(tvk_model *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    float *table = malloc((size_t)tvk_buffer_bytes(m->rope));
    TVK_TRY_ALLOC(table);
    tvk_rope_table_fill(m->config.rope_theta, m->config.rotary, m->layout.context, table);
    TVK_TRY(tvk_gpu_write(m->device, tvk_buffer_span(m->rope), table, err));
fail:
    free(table);
    return st;
}

static tvk_status make_buffers(tvk_model *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_state_layout *l = &m->layout;
    TVK_TRY(tvk_buffer_create(m->device, TVK_PURPOSE_STATE, TVK_MEMORY_DEVICE,
                              (uint64_t)l->total_words * 4, "state", &m->state, err));
    TVK_TRY(tvk_buffer_create(m->device, TVK_PURPOSE_STATE, TVK_MEMORY_RING,
                              (uint64_t)l->request_words * TVK_RING_ENTRIES * 4, "requests",
                              &m->requests, err));
    TVK_TRY(tvk_buffer_create(m->device, TVK_PURPOSE_STATE, TVK_MEMORY_READBACK,
                              (uint64_t)l->result_words * TVK_RING_ENTRIES * 4, "results",
                              &m->results, err));
    TVK_TRY(tvk_buffer_create(m->device, TVK_PURPOSE_SCRATCH, TVK_MEMORY_DEVICE,
                              (uint64_t)l->max_outs * m->config.vocab * 4, "logits", &m->logits,
                              err));
    TVK_TRY(tvk_buffer_create(m->device, TVK_PURPOSE_STATE, TVK_MEMORY_DEVICE,
                              (uint64_t)l->context * m->config.rotary * 4, "rope", &m->rope, err));
fail:
    return st;
}

/* Is a step whose rows are of different sessions made in another way? */
static bool sessions_differ(const tvk_model *m)
{
    return m->layout.slots > 1 && !m->params.keep_activations && tvk_attn_token_fits(m->kv.types);
}

static tvk_status build_all(tvk_model *m, tvk_step steps[TVK_STEP_COUNT], tvk_error *err)
{
    const uint32_t batch = m->layout.batch, most_outs = m->layout.max_outs;
    const uint32_t few = batch > TVK_FEW_ROWS ? TVK_FEW_ROWS : 0;
    const uint32_t sizes[] = {[TVK_STEP_DECODE] = 1,
                              [TVK_STEP_FEW] = few,
                              [TVK_STEP_SOME] = batch > TVK_SOME_ROWS ? TVK_SOME_ROWS : 0,
                              [TVK_STEP_BATCH] = batch,
                              [TVK_STEP_SESSIONS] = sessions_differ(m) ? few : 0};
    tvk_status st = TVK_OK;
    steps[TVK_STEP_SESSIONS].apart = true;
    for (int i = 0; i < TVK_STEP_COUNT; i++) {
        steps[i].exact = i != TVK_STEP_SESSIONS && sizes[i] <= TVK_FEW_ROWS;
        if (sizes[i])
            TVK_TRY(tvk_step_build(m, &m->config, sizes[i],
                                   most_outs < sizes[i] ? most_outs : sizes[i], &steps[i], err));
    }
fail:
    return st;
}

static tvk_status record_all(tvk_model *m, tvk_step steps[TVK_STEP_COUNT], tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (int i = 0; i < TVK_STEP_COUNT; i++)
        if (steps[i].rows)
            TVK_TRY(tvk_step_record(m, &steps[i], tvk_buffer_span(m->scratch), TVK_STAMPS_NONE,
                                    &steps[i].commands, &steps[i].command_count, err));
    for (int i = 0; i < TVK_STEP_COUNT; i++)
        if (steps[i].command_count > 1)
            tvk_log_print(tvk_gpu_log(m->device), TVK_LOG_INFO,
                          "a step of %u rows is %u submissions, %u dispatches", steps[i].rows,
                          steps[i].command_count, steps[i].graph.list.count);
fail:
    return st;
}

tvk_status tvk_steps_plan(tvk_model *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(make_buffers(m, err));
    TVK_TRY(build_all(m, m->steps, err));
fail:
    return st;
}

/* Memory of transients, enough for each of the steps. */
static tvk_status make_scratch(tvk_model *m, const tvk_step steps[TVK_STEP_COUNT], tvk_error *err)
{
    uint64_t most = 0;
    for (int i = 0; i < TVK_STEP_COUNT; i++)
        if (steps[i].graph.scratch_bytes > most) most = steps[i].graph.scratch_bytes;
    return tvk_buffer_create(m->device, TVK_PURPOSE_SCRATCH, TVK_MEMORY_DEVICE, most, "scratch",
                             &m->scratch, err);
}

static void note_scratch(tvk_model *m)
{
    m->info.scratch_bytes = tvk_buffer_bytes(m->scratch) + tvk_buffer_bytes(m->logits);
}

/* Built with programs that are compiled. */
static tvk_status build_compiled(tvk_model *m, tvk_step steps[TVK_STEP_COUNT], tvk_error *err)
{
    tvk_status st;
    tvk_kernels_collect(m->kernels);
    st = build_all(m, steps, err);
    if (st == TVK_OK) return tvk_kernels_compiled(m->kernels, err);
    tvk_kernels_compiled(m->kernels, NULL); /* what was collected is not left behind */
    return st;
}

/* Memory to work in, and, where submissions are to be short, what each dispatch takes: those that
 * take too long are spread, which may make others out of them, so it is done more than once. The
 * last steps are always measured ones. */
static tvk_status settle(tvk_model *m, tvk_step steps[TVK_STEP_COUNT], tvk_error *err)
{
    tvk_status st = TVK_OK;
    const bool bounded = tvk_gpu_plan(m->device)->submit_ms > 0;
    TVK_TRY(make_scratch(m, steps, err));
    for (int round = 0; bounded; round++) {
        TVK_TRY(tvk_pace_measure(m, steps, err));
        if (round == MOST_ROUNDS || !tvk_pace_shorten(m, steps)) break;
        for (int i = 0; i < TVK_STEP_COUNT; i++) tvk_step_destroy(&steps[i]);
        memset(steps, 0, TVK_STEP_COUNT * sizeof *steps);
        TVK_TRY(build_compiled(m, steps, err));
        tvk_buffer_destroy(&m->scratch);
        TVK_TRY(make_scratch(m, steps, err));
    }
fail:
    return st;
}

tvk_status tvk_steps_record(tvk_model *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_gpu_fill(m->device, m->state, 0, err));
    TVK_TRY(fill_rope(m, err));
    TVK_TRY(settle(m, m->steps, err));
    note_scratch(m);
    if (m->params.fresh_scratch) {
        TVK_TRY(tvk_gpu_fill(m->device, m->scratch, 0xffffffffu, err));
        for (uint32_t l = 0; l < m->kv.layer_count; l++) {
            TVK_TRY(tvk_gpu_fill(m->device, m->kv.layers[l], 0xffffffffu, err));
        }
    }
    TVK_TRY(record_all(m, m->steps, err));
fail:
    return st;
}

tvk_status tvk_steps_remake(tvk_model *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_step steps[TVK_STEP_COUNT];
    tvk_buffer *before = m->scratch;
    memset(steps, 0, sizeof steps);
    m->scratch = NULL;
    st = build_compiled(m, steps, err);
    if (st == TVK_OK) st = settle(m, steps, err);
    if (st == TVK_OK) st = record_all(m, steps, err);
    for (int i = 0; i < TVK_STEP_COUNT; i++) { /* those that stay, and those that go */
        tvk_step other = st == TVK_OK ? m->steps[i] : steps[i];
        if (st == TVK_OK) m->steps[i] = steps[i];
        tvk_step_destroy(&other);
    }
    m->last_step = NULL;
    tvk_buffer_destroy(st == TVK_OK ? &before : &m->scratch);
    if (st != TVK_OK) m->scratch = before;
    note_scratch(m);
    return st;
}

void tvk_step_destroy(tvk_step *step)
{
    tvk_commands_list_destroy(&step->commands, &step->command_count);
    tvk_buffer_destroy(&step->rules_buffer);
    tvk_dispatch_list_free(&step->begin);
    tvk_graph_free(&step->graph);
    free(step->ns);
}

static void write_request(tvk_model *m, const tvk_request_row *rows, uint32_t count)
{
    uint32_t *entry = (uint32_t *)tvk_buffer_map(m->requests) +
                      (size_t)(m->seq % TVK_RING_ENTRIES) * m->layout.request_words;
    uint32_t outs = 0;
    for (uint32_t i = 0; i < count; i++) outs += (rows[i].flags & TVK_REQUEST_OUTPUT) != 0;
    entry[0] = count;
    entry[1] = outs;
    entry[2] = entry[3] = 0;
    memcpy(entry + TVK_REQUEST_HEADER, rows, count * sizeof *rows);
}

static bool apart(const tvk_request_row *rows, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (rows[i].slot == rows[j].slot) return false;
    return true;
}

tvk_step *tvk_step_for(tvk_model *m, const tvk_request_row *rows, uint32_t count)
{
    tvk_step *sessions = &m->steps[TVK_STEP_SESSIONS];
    int i = TVK_STEP_DECODE;
    while (i < TVK_STEP_BATCH && m->steps[i].rows < count) i++;
    return i == TVK_STEP_FEW && sessions->rows && apart(rows, count) ? sessions : &m->steps[i];
}

tvk_status tvk_step_submit(tvk_model *m, const tvk_step *step, tvk_commands *const *list,
                           uint32_t list_count, const tvk_request_row *rows, uint32_t count,
                           uint32_t *seq, uint64_t *ticket, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (count == 0 || count > step->rows) {
        TVK_FAIL(TVK_ERR_INTERNAL, "a step of %u rows, capacity %u", count, step->rows);
    }
    write_request(m, rows, count);
    /* The first part makes the device go on to the next request, whatever becomes of the others. */
    TVK_TRY(tvk_gpu_submit(m->device, list, 1, ticket, err));
    m->last_step = step;
    *seq = m->seq++;
    if (list_count > 1) TVK_TRY(tvk_gpu_submit(m->device, list + 1, list_count - 1, ticket, err));
fail:
    return st;
}

tvk_status tvk_model_submit(tvk_model *m, const tvk_request_row *rows, uint32_t count,
                            uint32_t *seq, uint64_t *ticket, tvk_error *err)
{
    const tvk_step *step = tvk_step_for(m, rows, count);
    return tvk_step_submit(m, step, step->commands, step->command_count, rows, count, seq, ticket,
                           err);
}

const uint32_t *tvk_model_result(const tvk_model *m, uint32_t seq)
{
    return (const uint32_t *)tvk_buffer_map(m->results) +
           (size_t)(seq % TVK_RING_ENTRIES) * m->layout.result_words + TVK_RESULT_HEADER;
}

tvk_status tvk_model_logits(tvk_model *m, uint32_t out_row, float *out, tvk_error *err)
{
    uint64_t bytes = (uint64_t)m->config.vocab * 4;
    return tvk_gpu_read(m->device, tvk_span_sub(tvk_buffer_span(m->logits), out_row * bytes, bytes),
                        out, err);
}

tvk_status tvk_model_read(tvk_model *m, const char *tensor, void *out, uint64_t bytes,
                          tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_graph_tensor_info *t;
    if (!m->params.keep_activations || !m->last_step) {
        TVK_FAIL(TVK_ERR_ARG, "%s: the model was not made with keep_activations, or has not run",
                 tensor);
    }
    t = tvk_graph_find(&m->last_step->graph, tensor);
    if (!t || bytes > t->bytes) {
        char names[384] = "";
        size_t used = 0;
        for (uint32_t i = 0; i < m->last_step->graph.tensor_count && used < sizeof names - 32;
             i++) {
            const char *name = m->last_step->graph.tensors[i].name;
            size_t n = strlen(name);
            if (used + n + 2 >= sizeof names) break;
            memcpy(names + used, name, n);
            used += n;
            names[used++] = ' ';
            names[used] = 0;
        }
        TVK_FAIL(TVK_ERR_ARG, "%s: %s; tensors are: %s", tensor,
                 t ? "more bytes asked for than it has" : "no such tensor", names);
    }
    TVK_TRY(tvk_gpu_read(m->device, tvk_span_sub(tvk_buffer_span(m->scratch), t->offset, bytes),
                         out, err));
fail:
    return st;
}
