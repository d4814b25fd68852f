/* A tokenizer.json of Hugging Face's tokenizers (byte-level BPE) to tokenizer.ggml.* keys. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpe.h"
#include "convert.h"
#include "json.h"
#include "vocab.h"

/* What a Split's regex means, by its text. */
static const struct {
    const char *regex, *pre;
} regexes[] = {
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     "llama-bpe"},
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", "gpt-2"},
};

static const char *str(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

static bool flag(const json_t *object, const char *key, bool absent)
{
    const json_t *v = json_object_get(object, key);
    return json_is_boolean(v) ? json_is_true(v) : absent;
}

static tvk_status split_name(const json_t *split, const char **pre, tvk_error *err)
{
    const char *regex = str(json_object_get(split, "pattern"), "Regex");
    for (size_t i = 0; i < sizeof regexes / sizeof *regexes; i++) {
        if (strcmp(regexes[i].regex, regex) != 0) continue;
        *pre = regexes[i].pre;
        return TVK_OK;
    }
    return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                         "tokenizer.json: the pre-tokenizer's regex is not known: %.380s",
                         *regex ? regex : "(none)");
}

/* Falcon: punctuation, GPT-2's regex, digits, groups of three digits. */
static bool is_falcon(const json_t *list)
{
    static const char *const kinds[4] = {"Punctuation", "ByteLevel", "Digits", "Split"};
    if (json_array_size(list) != 4) return false;
    for (size_t i = 0; i < 4; i++)
        if (strcmp(str(json_array_get(list, i), "type"), kinds[i]) != 0) return false;
    return strcmp(str(json_object_get(json_array_get(list, 3), "pattern"), "Regex"),
                  "[0-9][0-9][0-9]") == 0;
}

static tvk_status pre_name(const json_t *pre, const char **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const json_t *list = json_object_get(pre, "pretokenizers"), *last;
    const char *type = str(pre, "type");
    if (strcmp(type, "ByteLevel") == 0) {
        if (flag(pre, "add_prefix_space", true) || !flag(pre, "use_regex", true))
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "tokenizer.json: ByteLevel without add_prefix_space and "
                                          "with use_regex expected");
        *out = "gpt-2";
        return TVK_OK;
    }
    if (strcmp(type, "Sequence") != 0)
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "tokenizer.json: pre-tokenizer ByteLevel or Sequence expected, '%.40s' found",
                 type);
    if (is_falcon(list)) {
        *out = "falcon";
        return TVK_OK;
    }
    last = json_array_get(list, 1);
    if (json_array_size(list) != 2 || strcmp(str(json_array_get(list, 0), "type"), "Split") != 0 ||
        strcmp(str(last, "type"), "ByteLevel") != 0 || flag(last, "add_prefix_space", true) ||
        flag(last, "use_regex", true))
        TVK_FAIL(
            TVK_ERR_UNSUPPORTED,
            "tokenizer.json: a pre-tokenizer of Split and ByteLevel expected, another sequence "
            "of %zu found",
            json_array_size(list));
    TVK_TRY(split_name(json_array_get(list, 0), out, err));
fail:
    return st;
}

/* GGUF has no place for a normalizer. NFC, which GPT-NeoX's tokenizer has (TriLM's), leaves nearly
 * all texts as they are. */
static tvk_status check_normalizer(const tvk_conversion *c, const char *path,
                                   const json_t *normalizer, tvk_error *err)
{
    const char *type = str(normalizer, "type");
    if (!normalizer || json_is_null(normalizer)) return TVK_OK;
    if (strcmp(type, "NFC") != 0)
        return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                             "%.200s: no normalizer, or NFC, expected, %.40s found", path,
                             *type ? type : "something else");
    tvk_log_print(&c->params.log, TVK_LOG_INFO,
                  "%.200s: text is brought to NFC there, here it is taken as it is: letters with "
                  "accents that are written as two characters give other tokens",
                  path);
    return TVK_OK;
}

static tvk_status put_vocab(tvk_conversion *c, const char *path, const json_t *root,
                            const tvk_tokenizer_facts *facts, tvk_error *err)
{
    tvk_status st;
    tvk_vocab v = {0};
    TVK_TRY(tvk_vocab_init(&v, path, c->vocab, err));
    TVK_TRY(tvk_vocab_set_json(&v, root, err));
    TVK_TRY(tvk_vocab_put(&v, c->writer, false, facts, err));
fail:
    tvk_vocab_free(&v);
    return st;
}

static tvk_status put_merges(tvk_conversion *c, const json_t *model, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const json_t *merges = json_object_get(model, "merges"), *merge;
    char *pair = NULL;
    size_t i;
    if (!json_is_array(merges))
        TVK_FAIL(TVK_ERR_FORMAT, "tokenizer.json: model.merges: an array expected");
    tvk_gguf_begin_strings(c->writer, "tokenizer.ggml.merges", json_array_size(merges));
    json_array_foreach(merges, i, merge)
    {
        const char *a = json_string_value(json_array_get(merge, 0));
        const char *b = json_string_value(json_array_get(merge, 1));
        size_t bytes;
        if (json_is_string(merge)) {
            tvk_gguf_put_element(c->writer, json_string_value(merge), json_string_length(merge));
            continue;
        }
        if (!a || !b || json_array_size(merge) != 2)
            TVK_FAIL(TVK_ERR_FORMAT, "tokenizer.json: merge %zu: two strings expected", i);
        bytes = strlen(a) + 1 + strlen(b);
        free(pair);
        pair = malloc(bytes + 1);
        TVK_TRY_ALLOC(pair);
        memcpy(pair, a, strlen(a));
        pair[strlen(a)] = ' ';
        memcpy(pair + strlen(a) + 1, b, strlen(b) + 1);
        tvk_gguf_put_element(c->writer, pair, bytes);
    }
fail:
    free(pair);
    return st;
}

/* Whether the post-processor puts a special token in front; false also where it does not say. */
static bool template_adds_bos(const json_t *post, bool *known)
{
    const json_t *list = json_object_get(post, "processors"), *single, *part;
    size_t i;
    json_array_foreach(list, i, part) if (template_adds_bos(part, known)) return true;
    if (strcmp(str(post, "type"), "TemplateProcessing") != 0) return false;
    single = json_object_get(post, "single");
    *known = true;
    return json_object_get(json_array_get(single, 0), "SpecialToken") != NULL;
}

tvk_status tvk_convert_tokenizer_json(tvk_conversion *c, const char *path, const tvk_mapping *text,
                                      const tvk_tokenizer_facts *facts, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_gguf_writer *w = c->writer;
    json_t *root = NULL;
    const json_t *model;
    const char *pre = NULL;
    bool implied = false, ignore, known = false, adds_bos;
    TVK_TRY(tvk_json_parse(text->data, text->size, path, &root, err));
    model = json_object_get(root, "model");
    if (tvk_json_is_spm(root)) {
        st = tvk_convert_spm_json(c, path, root, facts, err);
        goto fail;
    }
    if (strcmp(str(model, "type"), "BPE") != 0 || flag(model, "byte_fallback", false))
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%.200s: byte-level BPE expected, %.40s%s found", path,
                 *str(model, "type") ? str(model, "type") : "no model",
                 flag(model, "byte_fallback", false) ? " with byte_fallback" : "");
    TVK_TRY(check_normalizer(c, path, json_object_get(root, "normalizer"), err));
    TVK_TRY(pre_name(json_object_get(root, "pre_tokenizer"), &pre, err));
    tvk_gguf_put_str(w, "tokenizer.ggml.model", "gpt2");
    tvk_gguf_put_str(w, "tokenizer.ggml.pre", pre);
    TVK_TRY(put_vocab(c, path, root, facts, err));
    TVK_TRY(put_merges(c, model, err));
    ignore = flag(model, "ignore_merges", false);
    if (tvk_bpe_pre_known(pre, &implied) && implied != ignore)
        tvk_gguf_put_bool(w, "tokenizer.ggml.ignore_merges", ignore);
    adds_bos = template_adds_bos(json_object_get(root, "post_processor"), &known);
    if (facts->add_bos >= 0 && (facts->config_decides || !known)) {
        adds_bos = facts->add_bos;
        known = true;
    }
    if (known || implied) tvk_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", adds_bos);
fail:
    json_decref(root);
    return st;
}
