/* A folder in Hugging Face's form: config.json and safetensors; hf_tokenizer.c reads its tokenizer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "hf_config.h"
#include "json.h"
#include "path.h"

typedef struct folder {
    tvk_conversion *c;
    tvk_hf_config config;
    bool sub_norms;
    const char *architecture;
    bool *used; /* [tensors of all shards] */
} folder;

static const tvk_st_tensor *find(folder *f, const char *name)
{
    const uint32_t *i = tvk_shards_find(f->c->shards, name);
    if (!i) return NULL;
    f->used[*i] = true;
    return f->c->shards->tensors[*i];
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

/* What the floats of a linear mean. */
static tvk_status fill_float(folder *f, const char *name, tvk_job *job, tvk_error *err)
{
    tvk_status st = TVK_OK;
    char scale[160];
    job->sign_groups = f->config.shape.weight_groups;
    job->latent = !f->config.b1 && (f->config.bitnet || f->config.online);
    job->recognise = !f->config.b1 && !job->latent;
    job->need_ternary = f->config.quantized && job->recognise;
    if (f->config.quantized && stays_float(f, name))
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "tensor '%.120s': modules_to_not_convert leaves it dense in a quantised model",
                 name);
    snprintf(scale, sizeof scale, "%s_scale", name);
    if (find(f, scale))
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "tensor '%.120s': U8 expected beside a weight_scale, %s found", name,
                 tvk_dtype_name(job->type));
fail:
    return st;
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
        TVK_TRY(read_scale(f, name, &job->given_scale, err));
    } else {
        job->type = types[t->type];
        job->columns = row->columns;
        if (row->role == TVK_ROLE_LINEAR) TVK_TRY(fill_float(f, name, job, err));
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
    if (row->fused) job->fused = (uint32_t)(layer * 2) + row->fused;
fail:
    return st;
}

/* Biases, other norms: leaving them out would change the results. */
static tvk_status check_unused(const folder *f, tvk_error *err)
{
    static const char inv_freq[] = "rotary_emb.inv_freq"; /* follows from rope_theta */
    for (uint32_t i = 0; i < f->c->shards->tensor_count; i++) {
        const char *name = f->c->shards->tensors[i]->name;
        size_t len = strlen(name), tail = sizeof inv_freq - 1;
        if (f->used[i] || (len >= tail && strcmp(name + len - tail, inv_freq) == 0)) continue;
        return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                             "tensor '%.120s': no part of this architecture that ternvk knows",
                             name);
    }
    return TVK_OK;
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

tvk_status tvk_convert_hf(tvk_conversion *c, tvk_error *err)
{
    tvk_status st = TVK_OK;
    folder f = {.c = c};
    json_t *root = NULL;
    char name[128];
    char *path = tvk_path_join(&c->arena, c->in, "config.json");
    TVK_TRY_ALLOC(path);
    TVK_TRY(tvk_json_open(path, &root, err));
    TVK_TRY(tvk_hf_config_read(root, &c->params.log, &f.config, err));
    TVK_TRY(tvk_shards_open(c->in, &c->shards, err));
    f.used = calloc(c->shards->tensor_count + (size_t)1, sizeof *f.used);
    TVK_TRY_ALLOC(f.used);
    /* the BitNet classes have them always, LLaMA never */
    f.sub_norms = f.config.bitnet ||
                  (!f.config.b1 && find(&f, "model.layers.0.self_attn.attn_sub_norm.weight"));
    f.architecture = f.config.b1 ? "bitnet-b1" : f.sub_norms ? "bitnet" : "llama";
    model_name(c->in, name, sizeof name);
    tvk_convert_put_shape(c, f.architecture, name, &f.config.shape);
    if (!f.config.shape.act_quant) c->act_key = "llama.activation_quant";
    for (const tvk_name_row *row = tvk_names_model; row->hf; row++)
        TVK_TRY(add_row(&f, row, -1, err));
    for (uint64_t l = 0; l < f.config.shape.layers; l++)
        for (const tvk_name_row *row = tvk_names_layer; row->hf; row++)
            TVK_TRY(add_row(&f, row, (int64_t)l, err));
    TVK_TRY(check_unused(&f, err));
    TVK_TRY(tvk_convert_hf_tokenizer(c, f.config.bos, f.config.eos, err));
fail:
    free(f.used);
    json_decref(root);
    return st;
}
