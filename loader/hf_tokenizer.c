/* Tokenizer and chat template of a folder in Hugging Face's form: which of its files there are, and
 * what they say of each other. */
#include <string.h>

#include "convert.h"
#include "json.h"
#include "path.h"

typedef struct folder {
    tvk_conversion *c;
    json_t *config, *generation, *added, *special;
    tvk_tokenizer_facts facts;
} folder;

/* NULL when the folder has no such file. */
static tvk_status load_optional(tvk_conversion *c, const char *name, json_t **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    char *path = tvk_path_join(&c->arena, c->in, name);
    TVK_TRY_ALLOC(path);
    if (tvk_path_look(path) != TVK_PATH_NONE) TVK_TRY(tvk_json_open(path, out, err));
fail:
    return st;
}

static int flag(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_boolean(v) ? json_is_true(v) : -1;
}

/* eos_token_id is one number or several. The first ends a text, the others a turn or a message. */
static void read_ends(tvk_tokenizer_facts *facts, const json_t *ends)
{
    int64_t *const places[3] = {&facts->eos, &facts->eot, &facts->eom};
    size_t count = json_is_array(ends) ? json_array_size(ends) : json_is_integer(ends);
    for (size_t i = 0; i < count && i < 3; i++) {
        const json_t *one = json_is_array(ends) ? json_array_get(ends, i) : ends;
        if (json_is_integer(one)) *places[i] = json_integer_value(one);
    }
}

static tvk_status read_facts(folder *f, int64_t bos, const json_t *eos, tvk_error *err)
{
    tvk_status st;
    tvk_tokenizer_facts *facts = &f->facts;
    const char *class;
    *facts = tvk_no_facts;
    TVK_TRY(load_optional(f->c, "tokenizer_config.json", &f->config, err));
    TVK_TRY(load_optional(f->c, "generation_config.json", &f->generation, err));
    TVK_TRY(load_optional(f->c, "added_tokens.json", &f->added, err));
    TVK_TRY(load_optional(f->c, "special_tokens_map.json", &f->special, err));
    facts->bos = bos;
    read_ends(facts, eos);
    /* what ends a generated text, where that is told apart from the model's own end */
    read_ends(facts, json_object_get(f->generation, "eos_token_id"));
    facts->config = f->config;
    facts->added = f->added;
    facts->special = f->special;
    facts->add_bos = flag(f->config, "add_bos_token");
    facts->add_eos = flag(f->config, "add_eos_token");
    class = json_string_value(json_object_get(f->config, "tokenizer_class"));
    facts->config_decides = class && strncmp(class, "LlamaTokenizer", 14) == 0;
fail:
    return st;
}

/* The one for chats, of a template or of several with names. */
static const char *template_of(const json_t *v)
{
    const json_t *one;
    const char *first = json_string_value(v);
    size_t i;
    json_array_foreach(v, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        const char *text = json_string_value(json_object_get(one, "template"));
        if (text && name && strcmp(name, "default") == 0) return text;
        if (!first) first = text;
    }
    return first;
}

/* chat_template.jinja goes before tokenizer_config.json. */
static tvk_status put_template(const folder *f, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_conversion *c = f->c;
    tvk_mapping text = {0};
    const char *template = template_of(json_object_get(f->config, "chat_template"));
    char *path = tvk_path_join(&c->arena, c->in, "chat_template.jinja");
    TVK_TRY_ALLOC(path);
    if (tvk_path_look(path) != TVK_PATH_NONE) {
        TVK_TRY(tvk_mapping_open(path, &text, err));
        tvk_gguf_put_raw(c->writer, "tokenizer.chat_template", TVK_GGUF_STRING, TVK_GGUF_U8, 0,
                         text.data, text.size);
    } else if (template) {
        tvk_gguf_put_str(c->writer, "tokenizer.chat_template", template);
    }
fail:
    tvk_mapping_close(&text);
    return st;
}

/* tokenizer.json; but a SentencePiece model itself where the folder has both. NULL: none. */
static tvk_status find_tokenizer(tvk_conversion *c, const char **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    json_t *root = NULL;
    char *json = tvk_path_join(&c->arena, c->in, "tokenizer.json");
    char *model = tvk_path_join(&c->arena, c->in, "tokenizer.model");
    TVK_TRY_ALLOC(json);
    TVK_TRY_ALLOC(model);
    *out = tvk_path_look(json) != TVK_PATH_NONE ? json : NULL;
    if (tvk_path_look(model) == TVK_PATH_NONE) return TVK_OK;
    if (*out) TVK_TRY(tvk_json_open(json, &root, err));
    if (!*out || tvk_json_is_spm(root)) *out = model;
fail:
    json_decref(root);
    return st;
}

tvk_status tvk_convert_hf_tokenizer(tvk_conversion *c, int64_t bos, const json_t *eos,
                                    tvk_error *err)
{
    tvk_status st;
    folder f = {.c = c};
    const char *path = c->params.tokenizer;
    if (!path) TVK_TRY(find_tokenizer(c, &path, err));
    if (!path) {
        tvk_log_print(&c->params.log, TVK_LOG_WARN,
                      "the folder has no tokenizer.json or tokenizer.model: the output can not "
                      "read or write text");
        return TVK_OK;
    }
    TVK_TRY(read_facts(&f, bos, eos, err));
    TVK_TRY(tvk_convert_tokenizer(c, path, &f.facts, err));
    TVK_TRY(put_template(&f, err));
fail:
    json_decref(f.config);
    json_decref(f.generation);
    json_decref(f.added);
    json_decref(f.special);
    return st;
}
