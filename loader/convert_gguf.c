/* GGUF to GGUF: all metadata, tensors in other types where they are asked for. */
#include <string.h>

#include "convert.h"
#include "file.h"

static void copy_metadata(tvk_conversion *c)
{
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

static float scale_of(const tvk_weight_source *s, const char *weight)
{
    char name[TVK_CONVERT_NAME_BYTES];
    size_t len = strlen(weight), stem = len - strlen("weight");
    const tvk_tensor *t;
    if (len < 7 || len >= sizeof name || strcmp(weight + stem, "weight") != 0) return 0;
    memcpy(name, weight, stem);
    memcpy(name + stem, "scale", sizeof "scale");
    t = s->tensor(s->user, name);
    return t && t->type == TVK_F32 && t->bytes == 4 ? tvk_load_f32(t->data) : 0;
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
    for (uint32_t i = 0; i < s->tensor_count(s->user); i++) {
        const tvk_tensor *t = s->tensor_at(s->user, i);
        tvk_role role = TVK_ROLE_OTHER;
        if (t->dim_count > 2)
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "tensor '%.80s': 1 or 2 dimensions expected, %u found",
                     t->name, t->dim_count);
        if (scaled_tensor(s, t)) continue;
        (void)tvk_names_role(t->name, &role);
        TVK_TRY(tvk_convert_add(c, t->name, role, &job, err));
        job->k = t->dims[0];
        job->n = t->dim_count == 2 ? t->dims[1] : 0;
        job->data = t->data;
        job->type = t->type;
        if (role == TVK_ROLE_LINEAR) job->given_scale = scale_of(s, t->name);
        if (strcmp(t->name, "token_embd.weight") == 0) c->vocab = (uint32_t)t->dims[1];
    }
    if (c->params.tokenizer)
        TVK_TRY(tvk_convert_tokenizer(c, c->params.tokenizer, &tvk_no_facts, err));
fail:
    return st;
}
