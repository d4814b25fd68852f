/* GGUF to GGUF: all metadata, tensors in other types where they are asked for. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "convert.h"
#include "file.h"

#define MAX_WIDTH (1 << 24)

/* Other readers do not know the rules by which ours tells the activation of a file without the key.
 */
static void put_activation(tvk_conversion *c)
{
    const tvk_weight_source *s = tvk_file_source(c->file);
    tvk_model_info info;
    char key[96];
    if (tvk_model_describe(s, NULL, &info, NULL) != TVK_OK) return; /* no model that we know */
    snprintf(key, sizeof key, "%.64s.hidden_activation", info.architecture);
    if (tvk_file_find(c->file, key)) return;
    tvk_gguf_put_str(c->writer, key, info.activation);
    tvk_log_print(&c->params.log, TVK_LOG_INFO, "%s: %s (%s)", key, info.activation,
                  info.activation_why);
}

static void copy_metadata(tvk_conversion *c)
{
    if (c->params.tokenizer && tvk_file_find(c->file, "tokenizer.chat_template"))
        tvk_log_print(&c->params.log, TVK_LOG_WARN,
                      "the chat template goes with the tokenizer that is replaced");
    for (uint32_t i = 0; i < tvk_file_kv_count(c->file); i++) {
        const tvk_gguf_kv *kv = tvk_file_kv(c->file, i);
        bool tokenizer = strncmp(kv->key, "tokenizer.", 10) == 0;
        if (strcmp(kv->key, "general.file_type") == 0 ||
            strcmp(kv->key, "general.alignment") == 0 || strncmp(kv->key, "split.", 6) == 0 ||
            (tokenizer && c->params.tokenizer))
            continue;
        tvk_gguf_put_raw(c->writer, kv->key, kv->type, kv->elem, kv->count, kv->data, kv->bytes);
    }
}

/* The tensor "X.weight" that "X.scale" belongs to; NULL: t is no such scale. */
static const tvk_tensor *scaled_tensor(const tvk_weight_source *s, const tvk_tensor *t)
{
    char name[TVK_CONVERT_NAME_BYTES];
    size_t len = strlen(t->name), stem;
    if (len < 6 || len + 1 >= sizeof name || strcmp(t->name + len - 6, ".scale") != 0) return NULL;
    if (t->type != TVK_F32 || t->bytes != 4) return NULL;
    stem = len - strlen("scale");
    memcpy(name, t->name, stem);
    memcpy(name + stem, "weight", sizeof "weight");
    return s->tensor(s->user, name);
}

/* 0 where the tensor has no scale beside it. */
static tvk_status read_scale(const tvk_weight_source *s, const char *weight, float *out,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    char name[TVK_CONVERT_NAME_BYTES];
    size_t len = strlen(weight), stem = len - strlen("weight");
    const tvk_tensor *t;
    *out = 0;
    if (len < 7 || len >= sizeof name || strcmp(weight + stem, "weight") != 0) return TVK_OK;
    memcpy(name, weight, stem);
    memcpy(name + stem, "scale", sizeof "scale");
    t = s->tensor(s->user, name);
    if (!t || t->type != TVK_F32 || t->bytes != 4) return TVK_OK;
    *out = tvk_load_f32(t->data);
    if (!isfinite(*out) || !(*out > 0))
        TVK_FAIL(TVK_ERR_FORMAT, "tensor '%.80s': a scale above 0 expected, %g found", t->name,
                 (double)*out);
fail:
    return st;
}

/* Rows are decoded one at a time: no product of sizes below overflows a size_t of 32 bits. */
static tvk_status check_matrix(const tvk_tensor *t, tvk_error *err)
{
    if (t->dim_count == 2 && t->dims[0] <= MAX_WIDTH && t->dims[1] <= INT32_MAX) return TVK_OK;
    if (t->dim_count != 2)
        return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                             "tensor '%.80s': 2 dimensions expected, %" PRIu32 " found", t->name,
                             t->dim_count);
    return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                         "tensor '%.80s': at most %d columns and %d rows expected, %" PRIu64
                         " and %" PRIu64 " found",
                         t->name, MAX_WIDTH, INT32_MAX, t->dims[0], t->dims[1]);
}

tvk_status tvk_convert_gguf(tvk_conversion *c, tvk_error *err)
{
    tvk_status st;
    const tvk_weight_source *s;
    tvk_job *job = NULL;
    TVK_TRY(tvk_file_open(c->in, &c->file, err));
    s = tvk_file_source(c->file);
    c->keep_types = true;
    copy_metadata(c);
    put_activation(c);
    for (uint32_t i = 0; i < s->tensor_count(s->user); i++) {
        const tvk_tensor *t = s->tensor_at(s->user, i), *weight;
        tvk_role role = TVK_ROLE_OTHER;
        if (t->dim_count > 2)
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "tensor '%.80s': 1 or 2 dimensions expected, %u found",
                     t->name, t->dim_count);
        weight = scaled_tensor(s, t);
        if (weight && tvk_names_role(weight->name, &role) && role == TVK_ROLE_LINEAR) continue;
        role = TVK_ROLE_OTHER;
        (void)tvk_names_role(t->name, &role);
        if (role == TVK_ROLE_LINEAR || role == TVK_ROLE_EMBEDDING) TVK_TRY(check_matrix(t, err));
        TVK_TRY(tvk_convert_add(c, t->name, role, &job, err));
        job->k = t->dims[0];
        job->n = t->dim_count == 2 ? t->dims[1] : 0;
        job->data = t->data;
        job->type = t->type;
        if (role == TVK_ROLE_LINEAR) TVK_TRY(read_scale(s, t->name, &job->given_scale, err));
        if (strcmp(t->name, "token_embd.weight") == 0) c->vocab = (uint32_t)t->dims[1];
    }
    if (c->params.tokenizer)
        TVK_TRY(tvk_convert_tokenizer(c, c->params.tokenizer, &tvk_no_facts, err));
fail:
    return st;
}
