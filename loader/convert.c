/* `ternvk convert`: recognises the input, lets a front end describe it, and writes the GGUF. */
#include "convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "path.h"

tvk_status tvk_convert_add(tvk_conversion *c, const char *name, tvk_role role, tvk_job **out,
                           tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_job *job;
    if (c->job_count == c->job_room) {
        uint32_t room = c->job_room * 2 + 64;
        tvk_job **more = realloc(c->jobs, room * sizeof *more);
        TVK_TRY_ALLOC(more);
        c->jobs = more;
        c->job_room = room;
    }
    job = tvk_arena_alloc(&c->arena, 1, sizeof *job);
    TVK_TRY_ALLOC(job);
    if (strlen(name) >= sizeof job->name)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "tensor '%.80s': its name is longer than %zu bytes", name,
                 sizeof job->name - 1);
    memcpy(job->name, name, strlen(name) + 1);
    job->role = role;
    c->jobs[c->job_count++] = *out = job;
fail:
    return st;
}

void tvk_convert_put_shape(tvk_conversion *c, const char *architecture, const char *name,
                           const tvk_shape *shape)
{
    tvk_gguf_writer *w = c->writer;
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {
        {"block_count", shape->layers},
        {"context_length", shape->context},
        {"embedding_length", shape->hidden},
        {"feed_forward_length", shape->ffn},
        {"attention.head_count", shape->heads},
        {"attention.head_count_kv", shape->kv_heads},
        {"attention.key_length", shape->head_size},
        {"attention.value_length", shape->head_size},
        {"rope.dimension_count", shape->head_size},
        {"vocab_size", shape->vocab},
    };
    char key[96];
    c->vocab = (uint32_t)shape->vocab;
    tvk_gguf_put_str(w, "general.architecture", architecture);
    tvk_gguf_put_str(w, "general.name", name);
    tvk_gguf_put_u32(w, "general.quantization_version", 2);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(key, sizeof key, "%s.%s", architecture, numbers[i].key);
        tvk_gguf_put_u32(w, key, (uint32_t)numbers[i].value);
    }
    snprintf(key, sizeof key, "%s.attention.layer_norm%s_epsilon", architecture,
             shape->weight_groups ? "" : "_rms");
    tvk_gguf_put_f32(w, key, (float)shape->eps);
    snprintf(key, sizeof key, "%s.rope.freq_base", architecture);
    tvk_gguf_put_f32(w, key, (float)shape->theta);
    snprintf(key, sizeof key, "%s.hidden_activation", architecture);
    tvk_gguf_put_str(w, key, shape->activation);
    if (shape->weight_groups) {
        snprintf(key, sizeof key, "%s.weight_groups", architecture);
        tvk_gguf_put_u32(w, key, shape->weight_groups);
    }
    if (shape->act_quant) {
        snprintf(key, sizeof key, "%s.activation_quant", architecture);
        tvk_gguf_put_str(w, key, shape->act_quant);
    }
}

const tvk_tokenizer_facts tvk_no_facts = {
    .bos = -1, .eos = -1, .eot = -1, .eom = -1, .add_bos = -1, .add_eos = -1};

/* A SentencePiece model begins with a piece, field 1 of a length below 128, whose text comes first.
 * llama2.c's tokenizer begins with a length as u32: its third byte is 0. */
static bool is_sentencepiece(const tvk_mapping *m)
{
    return m->size > 3 && m->data[0] == 0x0a && m->data[1] < 128 && m->data[2] == 0x0a;
}

tvk_status tvk_convert_tokenizer(tvk_conversion *c, const char *path,
                                 const tvk_tokenizer_facts *facts, tvk_error *err)
{
    tvk_status st;
    tvk_mapping text = {0};
    size_t at = 0;
    TVK_TRY(tvk_mapping_open(path, &text, err));
    while (at < text.size && strchr(" \t\r\n", text.data[at]) && text.data[at]) at++;
    if (at < text.size && text.data[at] == '{')
        TVK_TRY(tvk_convert_tokenizer_json(c, path, &text, facts, err));
    else if (is_sentencepiece(&text))
        TVK_TRY(tvk_convert_sentencepiece(c, path, &text, facts, err));
    else
        TVK_TRY(tvk_convert_tokenizer_llama2c(c, path, &text, err));
fail:
    tvk_mapping_close(&text);
    return st;
}

static tvk_status front_end(tvk_conversion *c, tvk_error *err)
{
    tvk_status st;
    tvk_mapping start = {0};
    char *config = tvk_path_join(&c->arena, c->in, "config.json");
    bool gguf;
    TVK_TRY_ALLOC(config);
    if (tvk_path_look(config) != TVK_PATH_NONE) return tvk_convert_hf(c, err);
    st = tvk_mapping_open(c->in, &start, err);
    if (st != TVK_OK) {
        tvk_error_set(err, st, __FILE__, __LINE__,
                      "%.300s: a folder with config.json, a GGUF file or a llama2.c checkpoint "
                      "expected, none of them found",
                      c->in);
        goto fail;
    }
    gguf = start.size >= 4 && memcmp(start.data, "GGUF", 4) == 0;
    tvk_mapping_close(&start);
    TVK_TRY(gguf ? tvk_convert_gguf(c, err) : tvk_convert_llama2c(c, err));
fail:
    return st;
}

static void put_file_type(tvk_conversion *c)
{
    tvk_dtype type = TVK_F32;
    for (uint32_t i = 0; i < c->job_count; i++)
        if (c->jobs[i]->role == TVK_ROLE_LINEAR) type = c->jobs[i]->out;
    if (tvk_dtype_get(type)->file_type >= 0)
        tvk_gguf_put_u32(c->writer, "general.file_type", (uint32_t)tvk_dtype_get(type)->file_type);
}

/* A float model whose matrices turn out to be ternary takes its activations as they are. */
static void put_found(tvk_conversion *c)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < c->job_count; i++) found += c->jobs[i]->ternary;
    if (!c->act_key || !found) return;
    tvk_gguf_put_str(c->writer, c->act_key, "none");
    tvk_log_print(&c->params.log, TVK_LOG_INFO,
                  "%" PRIu32 " float matrices hold -s, 0 and s only: they are ternary, with "
                  "activations that are not quantised",
                  found);
}

static tvk_status decide_all(tvk_conversion *c, tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (uint32_t i = 0; i < c->job_count; i++) c->read_total += tvk_job_source_bytes(c->jobs[i]);
    for (uint32_t i = 0; i < c->job_count; i++) {
        uint64_t read = c->read + tvk_job_source_bytes(c->jobs[i]);
        TVK_TRY(tvk_job_decide(c, c->jobs[i], err));
        c->read = read; /* whether or not a look was needed */
        TVK_TRY(tvk_convert_read(c, 0, err));
    }
fail:
    return st;
}

static bool is_found(const tvk_job *job)
{
    return job->recognise && !job->need_ternary && tvk_dtype_get(job->out)->ternary;
}

/* Of the tensors that the device has in one matrix, all are ternary or none: where one is not,
 * those that were found to be are floats too. */
static void align_fused(tvk_conversion *c)
{
    uint32_t end;
    if (c->params.type) return;
    for (uint32_t i = 0; i < c->job_count; i = end) {
        bool dense = false;
        for (end = i; end < c->job_count && c->jobs[end]->fused == c->jobs[i]->fused; end++)
            dense = dense || !is_found(c->jobs[end]);
        for (uint32_t j = i; j < end && dense && c->jobs[i]->fused; j++)
            if (is_found(c->jobs[j])) tvk_job_make_dense(c->jobs[j]);
    }
}

static tvk_status add_tensor(tvk_conversion *c, tvk_job *job, tvk_error *err)
{
    tvk_status st;
    uint64_t dims[2] = {job->sign_groups ? (job->k + 7) / 8 : job->k, job->n};
    uint64_t scales = job->sign_groups ? job->sign_groups : 1;
    TVK_TRY(tvk_gguf_add_tensor(c->writer, job->name, job->out, job->n ? 2 : 1, dims, tvk_job_write,
                                job, err));
    if (job->side_scale) {
        char name[TVK_CONVERT_NAME_BYTES];
        size_t stem = strlen(job->name) - strlen("weight");
        snprintf(name, sizeof name, "%.*sscale", (int)stem, job->name);
        TVK_TRY(tvk_gguf_add_tensor(c->writer, name, TVK_F32, 1, &scales, tvk_job_write_scale, job,
                                    err));
    }
fail:
    return st;
}

static tvk_status add_tensors(tvk_conversion *c, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t rounded = 0, dense = 0;
    TVK_TRY(decide_all(c, err));
    align_fused(c);
    for (uint32_t i = 0; i < c->job_count; i++) {
        TVK_TRY(add_tensor(c, c->jobs[i], err));
        rounded += tvk_job_rounds(c->jobs[i]);
        dense += c->jobs[i]->ternary && !tvk_dtype_get(c->jobs[i]->out)->ternary;
    }
    if (rounded)
        tvk_log_print(&c->params.log, TVK_LOG_WARN,
                      "the wanted types are narrower than the source's: %" PRIu32
                      " tensors are rounded",
                      rounded);
    if (dense)
        tvk_log_print(&c->params.log, TVK_LOG_WARN,
                      "%" PRIu32 " ternary tensors are written as plain floats", dense);
    put_found(c);
    put_file_type(c);
fail:
    return st;
}

tvk_status tvk_convert(const char *in, const char *out, const tvk_convert_params *params,
                       tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_conversion c = {.in = in};
    if (params) c.params = *params;
    TVK_TRY(tvk_gguf_check_output(out, c.params.overwrite, err)); /* before all is read */
    c.writer = tvk_gguf_writer_create();
    TVK_TRY_ALLOC(c.writer);
    TVK_TRY(front_end(&c, err));
    TVK_TRY(add_tensors(&c, err));
    TVK_TRY(tvk_gguf_write(c.writer, out, c.params.overwrite, &c.params.progress, err));
fail:
    tvk_gguf_writer_destroy(&c.writer);
    tvk_shards_close(&c.shards);
    tvk_mapping_close(&c.mapping);
    tvk_file_close(&c.file);
    free(c.jobs);
    tvk_arena_free(&c.arena);
    return st;
}
