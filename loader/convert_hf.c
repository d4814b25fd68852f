/* A folder in Hugging Face's form: config.json, model.safetensors, tokenizer.json,
 * tokenizer_config.json. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "hf_config.h"

typedef struct folder {
    tvk_conversion *c;
    tvk_hf_config config;
    bool sub_norms;
    const char *architecture;
    bool *used; /* [tensors of the file] */
} folder;

static const tvk_st_tensor *find(folder *f, const char *name)
{
    const uint32_t *i = tvk_map_find(&f->c->safetensors->names, name, strlen(name));
    if (!i) return NULL;
    f->used[*i] = true;
    return &f->c->safetensors->tensors[*i];
}

static uint64_t size_of(const tvk_hf_config *config, tvk_dim dim)
{
    const tvk_shape *s = &config->shape;
    switch (dim) {
    case TVK_DIM_HIDDEN:
        return s->hidden;
    case TVK_DIM_FFN:
        return s->ffn;
    case TVK_DIM_VOCAB:
        return s->vocab;
    case TVK_DIM_Q:
        return s->heads * s->head_size;
    case TVK_DIM_KV:
        return s->kv_heads * s->head_size;
    default:
        return 1;
    }
}

static void print_shape(char *out, size_t bytes, const tvk_st_tensor *t)
{
    size_t n = (size_t)snprintf(out, bytes, "%s [", tvk_st_type_name(t->type));
    for (uint32_t i = 0; i < t->dim_count; i++)
        n += (size_t)snprintf(out + n, bytes - n, "%s%" PRIu64, i ? ", " : "", t->dims[i]);
    snprintf(out + n, bytes - n, "]");
}

/* The one number of "X.weight_scale", as a multiplier. */
static tvk_status read_scale(folder *f, const char *weight, float *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    char name[160];
    const tvk_st_tensor *t;
    float v = 0;
    snprintf(name, sizeof name, "%s_scale", weight);
    t = find(f, name);
    if (!t) TVK_FAIL(TVK_ERR_FORMAT, "tensor '%s' is missing", name);
    if (t->elems != 1 || t->type == TVK_ST_U8)
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "tensor '%s': one float expected, %" PRIu64 " values of %s found", name, t->elems,
                 tvk_st_type_name(t->type));
    if (t->type == TVK_ST_F32)
        v = tvk_load_f32(t->data);
    else if (t->type == TVK_ST_F16)
        v = tvk_f16_to_f32(tvk_load_u16(t->data));
    else
        v = tvk_bf16_to_f32(tvk_load_u16(t->data));
    if (!(v > 0) || v > 1e30f)
        TVK_FAIL(TVK_ERR_FORMAT, "tensor '%s': a scale above 0 expected, %g found", name,
                 (double)v);
    *out = f->config.multiply ? v : 1.0f / v;
fail:
    return st;
}

/* modules_to_not_convert: parts of module names. */
static bool stays_float(const folder *f, const char *name)
{
    const json_t *one;
    size_t i;
    json_array_foreach(f->config.not_converted, i,
                       one) if (json_is_string(one) &&
                                strstr(name, json_string_value(one))) return true;
    return false;
}

static tvk_status fill_job(folder *f, const tvk_name_row *row, const char *name,
                           const tvk_st_tensor *t, tvk_job *job, tvk_error *err)
{
    static const tvk_dtype types[] = {TVK_F32, TVK_F16, TVK_BF16};
    tvk_status st = TVK_OK;
    uint64_t n = row->role == TVK_ROLE_NORM ? 0 : size_of(&f->config, row->n);
    uint64_t k = size_of(&f->config, row->k);
    bool packed = t->type == TVK_ST_U8 && row->role == TVK_ROLE_LINEAR && !f->config.b1;
    uint64_t stored = packed ? n / 4 : n;
    bool fits = n ? t->dim_count == 2 && t->dims[0] == stored && t->dims[1] == k
                  : t->dim_count == 1 && t->dims[0] == k;
    if (!fits || (packed && n % 4 != 0) || (t->type == TVK_ST_U8 && !packed)) {
        char found[160], expected[96];
        print_shape(found, sizeof found, t);
        if (n)
            snprintf(expected, sizeof expected, "%s [%" PRIu64 ", %" PRIu64 "]",
                     packed ? "U8" : "float", stored, k);
        else
            snprintf(expected, sizeof expected, "float [%" PRIu64 "]", k);
        TVK_FAIL(TVK_ERR_FORMAT, "tensor '%s': %s expected, %s found", name, expected, found);
    }
    if (packed && !f->config.quantized)
        TVK_FAIL(
            TVK_ERR_UNSUPPORTED,
            "tensor '%s': floats expected, as config.json has no quantization_config, U8 found",
            name);
    job->n = n;
    job->k = k;
    job->data = t->data;
    if (packed) {
        job->source = TVK_SOURCE_HF_PACKED;
        job->type = TVK_DTYPE_COUNT;
        TVK_TRY(read_scale(f, name, &job->scale, err));
    } else {
        job->type = types[t->type];
        if (row->role == TVK_ROLE_LINEAR) job->sign_groups = f->config.shape.weight_groups;
        job->columns = row->columns;
        job->quantize = row->role == TVK_ROLE_LINEAR && (f->config.bitnet || f->config.online) &&
                        !stays_float(f, name);
    }
    if (row->permute != TVK_DIM_ONE && strcmp(f->architecture, "llama") == 0)
        job->head_size = (uint32_t)f->config.shape.head_size;
fail:
    return st;
}

static tvk_status add_row(folder *f, const tvk_name_row *row, int64_t layer, tvk_error *err)
{
    tvk_status st = TVK_OK;
    char hf[128], gguf[96];
    const tvk_st_tensor *t = NULL;
    tvk_job *job = NULL;
    if ((row->sub_norm && !f->sub_norms) || (row->not_b1 && f->config.b1)) return TVK_OK;
    for (int i = 0; i < 2 && !t; i++) {
        const char *name = i ? row->hf_other : row->hf;
        if (!name) break;
        if (layer < 0)
            snprintf(hf, sizeof hf, "%s", name);
        else
            snprintf(hf, sizeof hf, "model.layers.%" PRId64 ".%s", layer, name);
        t = find(f, hf);
    }
    if (row->head && f->config.tied) {
        if (t)
            tvk_log_print(&f->c->params.log, TVK_LOG_INFO,
                          "%s is left out: the model shares its embedding", hf);
        return TVK_OK;
    }
    if (!t) {
        if (layer < 0) TVK_FAIL(TVK_ERR_FORMAT, "tensor '%s' is missing", row->hf);
        TVK_FAIL(TVK_ERR_FORMAT, "tensor 'model.layers.%" PRId64 ".%s' is missing", layer, row->hf);
    }
    if (layer < 0)
        snprintf(gguf, sizeof gguf, "%s", row->gguf);
    else
        snprintf(gguf, sizeof gguf, "blk.%" PRId64 ".%s", layer, row->gguf);
    TVK_TRY(tvk_convert_add(f->c, gguf, row->role, &job, err));
    TVK_TRY(fill_job(f, row, hf, t, job, err));
fail:
    return st;
}

/* Biases, other norms: leaving them out would change the results. */
static tvk_status check_unused(const folder *f, tvk_error *err)
{
    static const char inv_freq[] = "rotary_emb.inv_freq"; /* follows from rope_theta */
    for (uint32_t i = 0; i < f->c->safetensors->tensor_count; i++) {
        const char *name = f->c->safetensors->tensors[i].name;
        size_t len = strlen(name), tail = sizeof inv_freq - 1;
        if (f->used[i] || (len >= tail && strcmp(name + len - tail, inv_freq) == 0)) continue;
        return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                             "tensor '%.120s': no part of this architecture that ternvk knows",
                             name);
    }
    return TVK_OK;
}

static tvk_status open_weights(tvk_conversion *c, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_error why = {0};
    char *path = tvk_convert_path(c, c->in, "model.safetensors");
    char *index = tvk_convert_path(c, c->in, "model.safetensors.index.json");
    TVK_TRY_ALLOC(path);
    TVK_TRY_ALLOC(index);
    if (!tvk_convert_exists(path) && tvk_convert_exists(index))
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "%.200s: one model.safetensors expected, a model in several files found", c->in);
    TVK_TRY(tvk_mapping_open(path, &c->mapping, err));
    st = tvk_safetensors_parse(c->mapping.data, c->mapping.size, &c->safetensors, &why);
    if (st != TVK_OK) tvk_error_set(err, st, __FILE__, __LINE__, "%.180s: %.320s", path, why.text);
fail:
    return st;
}

/* The folder's last name: a model has no other. */
static void model_name(const char *path, char *out, size_t bytes)
{
    size_t end = strlen(path), begin;
    while (end > 0 && path[end - 1] == '/') end--;
    begin = end;
    while (begin > 0 && path[begin - 1] != '/') begin--;
    snprintf(out, bytes, "%.*s", (int)(end - begin), path + begin);
}

/* The chat template, where the folder keeps it in its usual place. */
static tvk_status add_chat_template(tvk_conversion *c, tvk_error *err)
{
    tvk_status st = TVK_OK;
    json_error_t why;
    json_t *root = NULL;
    const char *template;
    char *path = tvk_convert_path(c, c->in, "tokenizer_config.json");
    TVK_TRY_ALLOC(path);
    if (!tvk_convert_exists(path)) return TVK_OK;
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        TVK_FAIL(TVK_ERR_FORMAT, "%.200s: line %d, column %d: %.160s", path, why.line, why.column,
                 why.text);
    template = json_string_value(json_object_get(root, "chat_template"));
    if (template) tvk_gguf_put_str(c->writer, "tokenizer.chat_template", template);
fail:
    json_decref(root);
    return st;
}

static tvk_status add_tokenizer(const folder *f, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_conversion *c = f->c;
    const char *path = c->params.tokenizer;
    if (!path) {
        path = tvk_convert_path(c, c->in, "tokenizer.json");
        TVK_TRY_ALLOC(path);
        if (!tvk_convert_exists(path)) {
            tvk_log_print(
                &c->params.log, TVK_LOG_WARN,
                "the folder has no tokenizer.json: the output can not read or write text");
            return TVK_OK;
        }
    }
    TVK_TRY(tvk_convert_tokenizer(c, path, f->config.bos, f->config.eos, err));
    TVK_TRY(add_chat_template(c, err));
fail:
    return st;
}

tvk_status tvk_convert_hf(tvk_conversion *c, tvk_error *err)
{
    tvk_status st = TVK_OK;
    folder f = {.c = c};
    json_t *root = NULL;
    json_error_t why;
    char name[128];
    char *path = tvk_convert_path(c, c->in, "config.json");
    TVK_TRY_ALLOC(path);
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        TVK_FAIL(TVK_ERR_FORMAT, "%.200s: line %d, column %d: %.160s", path, why.line, why.column,
                 why.text);
    TVK_TRY(tvk_hf_config_read(root, &c->params.log, &f.config, err));
    TVK_TRY(open_weights(c, err));
    f.used = calloc(c->safetensors->tensor_count + (size_t)1, sizeof *f.used);
    TVK_TRY_ALLOC(f.used);
    f.sub_norms = !f.config.b1 && (find(&f, "model.layers.0.self_attn.attn_sub_norm.weight") ||
                                   find(&f, "model.layers.0.self_attn.inner_attn_ln.weight"));
    f.architecture = f.config.b1 ? "bitnet-b1" : f.sub_norms ? "bitnet" : "llama";
    model_name(c->in, name, sizeof name);
    tvk_convert_put_shape(c, f.architecture, name, &f.config.shape);
    for (const tvk_name_row *row = tvk_names_model; row->hf; row++)
        TVK_TRY(add_row(&f, row, -1, err));
    for (uint64_t l = 0; l < f.config.shape.layers; l++)
        for (const tvk_name_row *row = tvk_names_layer; row->hf; row++)
            TVK_TRY(add_row(&f, row, (int64_t)l, err));
    TVK_TRY(check_unused(&f, err));
    TVK_TRY(add_tokenizer(&f, err));
fail:
    free(f.used);
    json_decref(root);
    return st;
}
