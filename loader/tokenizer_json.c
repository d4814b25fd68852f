/* A tokenizer.json of Hugging Face's tokenizers (byte-level BPE) to tokenizer.ggml.* keys. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "bpe.h"
#include "convert.h"

#define MAX_VOCAB (1u << 24)

/* What a Split's regex means, by its text. */
static const struct {
    const char *regex, *pre;
} regexes[] = {
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     "llama-bpe"},
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", "gpt-2"},
};

typedef struct vocab_entry {
    const char *text; /* NULL: no token has this id */
    size_t bytes;
    int32_t type;
} vocab_entry;

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

static tvk_status set_entry(vocab_entry *entries, uint32_t vocab, const json_t *id,
                            const char *text, int32_t type, tvk_error *err)
{
    json_int_t i = json_is_integer(id) ? json_integer_value(id) : -1;
    if (i < 0 || i >= vocab)
        return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                             "tokenizer.json: token '%.60s': an id below %" PRIu32
                             " (the model's vocabulary) expected, %" JSON_INTEGER_FORMAT " found",
                             text, vocab, i);
    if (entries[i].text && strcmp(entries[i].text, text) != 0)
        return tvk_error_set(
            err, TVK_ERR_FORMAT, __FILE__, __LINE__,
            "tokenizer.json: tokens '%.60s' and '%.60s' have one id, %" JSON_INTEGER_FORMAT,
            entries[i].text, text, i);
    entries[i] = (vocab_entry){text, strlen(text), type};
    return TVK_OK;
}

/* A token that takes spaces beside it along, or wants to be a whole word, has no form in GGUF.
 * "normalized" says nothing here: there is no normalizer. */
static tvk_status check_added(const json_t *token, tvk_error *err)
{
    static const char *const unsupported[] = {"lstrip", "rstrip", "single_word"};
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
        if (flag(token, unsupported[i], false))
            return tvk_error_set(
                err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                "tokenizer.json: added token '%.60s': %s false expected, true found",
                str(token, "content"), unsupported[i]);
    return TVK_OK;
}

static tvk_status put_vocab(tvk_conversion *c, const json_t *root, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_gguf_writer *w = c->writer;
    json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    json_t *added = json_object_get(root, "added_tokens"), *value;
    const char *text;
    size_t i;
    vocab_entry *entries = NULL;
    int32_t *types = NULL;
    if (!json_is_object(vocab) || c->vocab == 0 || c->vocab > MAX_VOCAB)
        TVK_FAIL(TVK_ERR_FORMAT, "tokenizer.json: model.vocab: an object expected");
    entries = calloc(c->vocab, sizeof *entries);
    TVK_TRY_ALLOC(entries);
    types = calloc(c->vocab, sizeof *types);
    TVK_TRY_ALLOC(types);
    json_object_foreach(vocab, text, value)
        TVK_TRY(set_entry(entries, c->vocab, value, text, TVK_TOKEN_NORMAL, err));
    json_array_foreach(added, i, value)
    {
        bool special = flag(value, "special", false);
        TVK_TRY(check_added(value, err));
        TVK_TRY(set_entry(entries, c->vocab, json_object_get(value, "id"), str(value, "content"),
                          special ? TVK_TOKEN_CONTROL : TVK_TOKEN_USER_DEFINED, err));
    }
    tvk_gguf_begin_strings(w, "tokenizer.ggml.tokens", c->vocab);
    for (uint32_t id = 0; id < c->vocab; id++) {
        char pad[32];
        int n = snprintf(pad, sizeof pad, "[PAD%" PRIu32 "]", id);
        if (entries[id].text)
            tvk_gguf_put_element(w, entries[id].text, entries[id].bytes);
        else /* rows of the embedding that no token uses */
            tvk_gguf_put_element(w, pad, (size_t)n);
        types[id] = entries[id].text ? entries[id].type : TVK_TOKEN_UNUSED;
    }
    tvk_gguf_put_i32s(w, "tokenizer.ggml.token_type", types, c->vocab);
fail:
    free(entries);
    free(types);
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
                                      int64_t bos, int64_t eos, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_gguf_writer *w = c->writer;
    json_error_t why;
    json_t *root = json_loadb((const char *)text->data, text->size, JSON_REJECT_DUPLICATES, &why);
    const json_t *model;
    const char *pre = NULL;
    bool implied = false, ignore, known = false, adds_bos;
    if (!root)
        TVK_FAIL(TVK_ERR_FORMAT, "%.200s: line %d, column %d: %.160s", path, why.line, why.column,
                 why.text);
    model = json_object_get(root, "model");
    if (strcmp(str(model, "type"), "BPE") != 0 || flag(model, "byte_fallback", false))
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%.200s: byte-level BPE expected, %.40s%s found", path,
                 *str(model, "type") ? str(model, "type") : "no model",
                 flag(model, "byte_fallback", false) ? " with byte_fallback" : "");
    if (json_object_get(root, "normalizer") && !json_is_null(json_object_get(root, "normalizer")))
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%.200s: no normalizer expected, %.40s found", path,
                 str(json_object_get(root, "normalizer"), "type"));
    TVK_TRY(pre_name(json_object_get(root, "pre_tokenizer"), &pre, err));
    tvk_gguf_put_str(w, "tokenizer.ggml.model", "gpt2");
    tvk_gguf_put_str(w, "tokenizer.ggml.pre", pre);
    TVK_TRY(put_vocab(c, root, err));
    TVK_TRY(put_merges(c, model, err));
    ignore = flag(model, "ignore_merges", false);
    if (tvk_bpe_pre_known(pre, &implied) && implied != ignore)
        tvk_gguf_put_bool(w, "tokenizer.ggml.ignore_merges", ignore);
    adds_bos = template_adds_bos(json_object_get(root, "post_processor"), &known);
    if (bos >= 0 && bos < c->vocab)
        tvk_gguf_put_u32(w, "tokenizer.ggml.bos_token_id", (uint32_t)bos);
    if (eos >= 0 && eos < c->vocab)
        tvk_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", (uint32_t)eos);
    if (known || implied) tvk_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", adds_bos);
fail:
    json_decref(root);
    return st;
}
