#include "vocab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "tokenizer.h"

#define MAX_VOCAB (1u << 24)

tvk_status tvk_vocab_init(tvk_vocab *v, const char *path, uint32_t count, tvk_error *err)
{
    tvk_status st = TVK_OK;
    *v = (tvk_vocab){.path = path, .count = count, .bos = -1, .eos = -1, .unk = -1};
    if (count == 0 || count > MAX_VOCAB)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "%.200s: a model with 1 to %" PRIu32 " tokens expected, %" PRIu32 " found", path,
                 MAX_VOCAB, count);
    v->entries = calloc(count, sizeof *v->entries);
    TVK_TRY_ALLOC(v->entries);
fail:
    return st;
}

void tvk_vocab_free(tvk_vocab *v)
{
    free(v->entries);
    v->entries = NULL;
}

static tvk_status check_id(const tvk_vocab *v, int64_t id, const char *text, tvk_error *err)
{
    if (id >= 0 && id < v->count) return TVK_OK;
    return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                         "%.200s: token '%.60s': an id below %" PRIu32
                         " (the rows of the model's embedding) expected, %" PRId64 " found",
                         v->path, text, v->count, id);
}

tvk_status tvk_vocab_set(tvk_vocab *v, int64_t id, tvk_vocab_entry entry, tvk_error *err)
{
    tvk_status st;
    const tvk_vocab_entry *old;
    TVK_TRY(check_id(v, id, entry.text, err));
    old = &v->entries[id];
    if (old->text && (old->bytes != entry.bytes || memcmp(old->text, entry.text, entry.bytes) != 0))
        TVK_FAIL(TVK_ERR_FORMAT, "%.200s: tokens '%.60s' and '%.60s' have one id, %" PRId64,
                 v->path, old->text, entry.text, id);
    v->entries[id] = entry;
fail:
    return st;
}

static int64_t int_of(const json_t *v)
{
    return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* A token that takes spaces beside it along, or wants to be a whole word, has no form in GGUF.
 * "normalized" says nothing here: where there is a normalizer, it leaves special tokens alone. */
static tvk_status check_added(const tvk_vocab *v, const json_t *token, tvk_error *err)
{
    static const char *const unsupported[] = {"lstrip", "rstrip", "single_word"};
    const char *text = json_string_value(json_object_get(token, "content"));
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
        if (json_is_true(json_object_get(token, unsupported[i])))
            return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                                 "%.200s: added token '%.60s': %s false expected, true found",
                                 v->path, text ? text : "", unsupported[i]);
    return TVK_OK;
}

tvk_status tvk_vocab_set_json(tvk_vocab *v, const json_t *root, tvk_error *err)
{
    tvk_status st = TVK_OK;
    json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab"), *value;
    const json_t *added = json_object_get(root, "added_tokens");
    const char *text;
    size_t i;
    if (!json_is_object(vocab))
        TVK_FAIL(TVK_ERR_FORMAT, "%.200s: model.vocab: an object expected", v->path);
    json_object_foreach(vocab, text, value)
    {
        tvk_vocab_entry e = {.text = text, .bytes = strlen(text), .type = TVK_TOKEN_NORMAL};
        TVK_TRY(tvk_vocab_set(v, int_of(value), e, err));
    }
    json_array_foreach(added, i, value)
    {
        bool special = json_is_true(json_object_get(value, "special"));
        tvk_vocab_entry e = {.type = special ? TVK_TOKEN_CONTROL : TVK_TOKEN_USER_DEFINED};
        e.text = json_string_value(json_object_get(value, "content"));
        if (!e.text)
            TVK_FAIL(TVK_ERR_FORMAT, "%.200s: added_tokens: entry %zu has no content", v->path, i);
        e.bytes = strlen(e.text);
        TVK_TRY(check_added(v, value, err));
        TVK_TRY(tvk_vocab_set(v, int_of(json_object_get(value, "id")), e, err));
    }
fail:
    return st;
}

/* ---- files beside a SentencePiece model ---- */

/* A special token is a text, or an object with one. */
static const char *token_text(const json_t *v)
{
    const char *s = json_string_value(v);
    return s ? s : json_string_value(json_object_get(v, "content"));
}

/* The texts of special_tokens_map.json. */
static bool collect_special(const json_t *special, tvk_map *texts)
{
    const char *key, *s;
    json_t *value, *one;
    size_t i, count = json_object_size(special);
    json_object_foreach((json_t *)(uintptr_t)special, key, value) count += json_array_size(value);
    if (!tvk_map_init(texts, count)) return false;
    json_object_foreach((json_t *)(uintptr_t)special, key, value)
    {
        s = token_text(value);
        if (s) tvk_map_add(texts, s, strlen(s), 0);
        json_array_foreach(value, i, one)
        {
            s = token_text(one);
            if (s) tvk_map_add(texts, s, strlen(s), 0);
        }
    }
    return true;
}

static tvk_status set_added(tvk_vocab *v, int64_t id, const char *text, bool special,
                            tvk_error *err)
{
    tvk_status st;
    tvk_vocab_entry *e;
    bool same;
    TVK_TRY(check_id(v, id, text, err));
    e = &v->entries[id];
    same = e->text && e->bytes == strlen(text) && memcmp(e->text, text, e->bytes) == 0;
    /* the model's unknown and byte tokens stay what they are, whatever the list calls them */
    if (same && e->type != TVK_TOKEN_NORMAL && e->type != TVK_TOKEN_UNUSED) return TVK_OK;
    *e = (tvk_vocab_entry){text, strlen(text), 0,
                           special ? TVK_TOKEN_CONTROL : TVK_TOKEN_USER_DEFINED};
fail:
    return st;
}

tvk_status tvk_vocab_set_added(tvk_vocab *v, const tvk_tokenizer_facts *facts, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_map special = {0}; /* texts */
    json_t *decoder = json_object_get(facts->config, "added_tokens_decoder"), *value;
    const char *key;
    TVK_TRY_ALLOC(collect_special(facts->special, &special));
    json_object_foreach((json_t *)(uintptr_t)facts->added, key, value) TVK_TRY(
        set_added(v, int_of(value), key, tvk_map_find(&special, key, strlen(key)) != NULL, err));
    json_object_foreach(decoder, key, value)
    {
        const char *text = token_text(value);
        char *end;
        long long id = strtoll(key, &end, 10);
        if (!text || end == key || *end)
            TVK_FAIL(TVK_ERR_FORMAT,
                     "tokenizer_config.json: added_tokens_decoder: an id and a token expected, "
                     "'%.60s' found",
                     key);
        TVK_TRY(set_added(v, id, text,
                          json_is_true(json_object_get(value, "special")) ||
                              tvk_map_find(&special, text, strlen(text)),
                          err));
    }
fail:
    tvk_map_free(&special);
    return st;
}

/* ---- writing ---- */

static int64_t find_text(const tvk_vocab *v, const json_t *token)
{
    const char *text = token_text(token);
    for (uint32_t id = 0; text && id < v->count; id++) {
        const tvk_vocab_entry *e = &v->entries[id];
        if (e->text && e->bytes == strlen(text) && memcmp(e->text, text, e->bytes) == 0) return id;
    }
    return -1;
}

/* The first that is said: by a number in a config, by name, by the tokenizer's model. */
static void put_special(const tvk_vocab *v, tvk_gguf_writer *w, const char *key, int64_t said,
                        const tvk_tokenizer_facts *facts, const char *name, int64_t own)
{
    int64_t id = said;
    if (id < 0 && name) id = find_text(v, json_object_get(facts->config, name));
    if (id < 0 && name) id = find_text(v, json_object_get(facts->special, name));
    if (id < 0) id = own;
    if (id >= 0 && id < v->count) tvk_gguf_put_u32(w, key, (uint32_t)id);
}

tvk_status tvk_vocab_put(const tvk_vocab *v, tvk_gguf_writer *w, bool scores,
                         const tvk_tokenizer_facts *facts, tvk_error *err)
{
    tvk_status st = TVK_OK;
    float *score = calloc(v->count, sizeof *score);
    int32_t *types = calloc(v->count, sizeof *types);
    TVK_TRY_ALLOC(score && types ? score : NULL);
    tvk_gguf_begin_strings(w, "tokenizer.ggml.tokens", v->count);
    for (uint32_t id = 0; id < v->count; id++) {
        const tvk_vocab_entry *e = &v->entries[id];
        char pad[32];
        int n = snprintf(pad, sizeof pad, "[PAD%" PRIu32 "]", id);
        if (e->text)
            tvk_gguf_put_element(w, e->text, e->bytes);
        else /* rows of the embedding that no token uses */
            tvk_gguf_put_element(w, pad, (size_t)n);
        types[id] = e->text ? e->type : TVK_TOKEN_UNUSED;
        score[id] = e->score;
    }
    tvk_gguf_put_i32s(w, "tokenizer.ggml.token_type", types, v->count);
    if (scores) tvk_gguf_put_f32s(w, "tokenizer.ggml.scores", score, v->count);
    put_special(v, w, "tokenizer.ggml.bos_token_id", facts->bos, facts, "bos_token", v->bos);
    put_special(v, w, "tokenizer.ggml.eos_token_id", facts->eos, facts, "eos_token", v->eos);
    put_special(v, w, "tokenizer.ggml.eot_token_id", facts->eot, facts, NULL, -1);
    put_special(v, w, "tokenizer.ggml.eom_token_id", facts->eom, facts, NULL, -1);
    put_special(v, w, "tokenizer.ggml.unknown_token_id", v->unk, facts, NULL, -1);
fail:
    free(score);
    free(types);
    return st;
}
