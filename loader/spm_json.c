/* A tokenizer.json that was made of a SentencePiece BPE model (Llama 2 and its like) to the keys of
 * such a model. The file has merges where the model has scores: a piece gets the rank of the first
 * merge that makes it, negated, so that higher scores go before as earlier merges do. That is the
 * same only if the merges are all the ways in which two pieces make a third, as the converters
 * write them; it is checked. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer.h"
#include "utf8.h"
#include "vocab.h"

#define SPACE "\xe2\x96\x81" /* U+2581 stands for a space */
#define NEVER_SCORE (-1e9f)  /* behind all merges */
#define MAX_TOKEN_BYTES 512  /* looking at all splits takes the square of it */

static const char *str(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

bool tvk_json_is_spm(const json_t *root)
{
    const json_t *model = json_object_get(root, "model");
    return strcmp(str(model, "type"), "BPE") == 0 && is_true(model, "byte_fallback");
}

/* ---- normalizer and pre-tokenizer ---- */

static bool replaces_spaces(const json_t *part)
{
    return strcmp(str(part, "type"), "Replace") == 0 &&
           strcmp(str(json_object_get(part, "pattern"), "String"), " ") == 0 &&
           strcmp(str(part, "content"), SPACE) == 0;
}

static bool prepends_space(const json_t *part)
{
    return strcmp(str(part, "type"), "Prepend") == 0 && strcmp(str(part, "prepend"), SPACE) == 0;
}

/* Prepend and Replace, or Replace alone. */
static bool read_normalizer(const json_t *normalizer, bool *prefix)
{
    const json_t *list = json_object_get(normalizer, "normalizers");
    size_t count = json_array_size(list);
    *prefix = false;
    if (replaces_spaces(normalizer)) return true;
    if (strcmp(str(normalizer, "type"), "Sequence") != 0 || count < 1 || count > 2) return false;
    *prefix = count == 2 && prepends_space(json_array_get(list, 0));
    return (count == 1 || *prefix) && replaces_spaces(json_array_get(list, count - 1));
}

/* Metaspace over the whole text: split, which it is unless told otherwise, would cut merges. */
static bool read_metaspace(const json_t *pre, bool *prefix)
{
    const char *scheme = str(pre, "prepend_scheme");
    const json_t *split = json_object_get(pre, "split");
    *prefix = strcmp(scheme, "first") == 0 || strcmp(scheme, "always") == 0;
    return strcmp(str(pre, "type"), "Metaspace") == 0 &&
           strcmp(str(pre, "replacement"), SPACE) == 0 && json_is_false(split) &&
           (*prefix || strcmp(scheme, "never") == 0);
}

static tvk_status read_spaces(const tvk_conversion *c, const char *path, const json_t *root,
                              bool *prefix, tvk_error *err)
{
    const json_t *normalizer = json_object_get(root, "normalizer");
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    bool no_normalizer = !normalizer || json_is_null(normalizer);
    bool no_pre = !pre || json_is_null(pre);
    if (no_pre && read_normalizer(normalizer, prefix)) return TVK_OK;
    if (no_normalizer && read_metaspace(pre, prefix)) {
        if (strcmp(str(pre, "prepend_scheme"), "first") == 0)
            tvk_log_print(&c->params.log, TVK_LOG_INFO,
                          "%.200s: text behind a special token gets no space in front there, here "
                          "it gets one",
                          path);
        return TVK_OK;
    }
    return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                         "%.200s: BPE with byte_fallback: a normalizer that puts U+2581 for spaces "
                         "and no pre-tokenizer, or a Metaspace that does not split, expected, "
                         "%.40s and %.40s found",
                         path, no_normalizer ? "none" : str(normalizer, "type"),
                         no_pre ? "none" : str(pre, "type"));
}

/* ---- merges to scores ---- */

typedef struct scores {
    tvk_vocab *vocab;
    tvk_map ids;      /* of the model's own tokens by text */
    uint32_t *merges; /* [V]: ways to make a token */
} scores;

/* The two halves of a merge: "a b", or a list of two. */
static bool halves(const json_t *merge, const char **a, size_t *a_bytes, const char **b)
{
    const char *text = json_string_value(merge), *space;
    if (!text) {
        *a = json_string_value(json_array_get(merge, 0));
        *b = json_string_value(json_array_get(merge, 1));
        *a_bytes = *a ? strlen(*a) : 0;
        return *a && *b && json_array_size(merge) == 2;
    }
    space = strchr(text, ' ');
    if (!space || space == text) return false;
    *a = text;
    *a_bytes = (size_t)(space - text);
    *b = space + 1;
    return **b != 0;
}

static tvk_status score_merges(scores *s, const json_t *merges, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const json_t *merge;
    size_t i;
    char *joined = NULL;
    json_array_foreach(merges, i, merge)
    {
        const char *a, *b;
        const uint32_t *id;
        size_t a_bytes = 0, bytes;
        if (!halves(merge, &a, &a_bytes, &b))
            TVK_FAIL(TVK_ERR_FORMAT, "%.200s: merge %zu: two strings expected", s->vocab->path, i);
        bytes = a_bytes + strlen(b);
        free(joined);
        joined = malloc(bytes + 1);
        TVK_TRY_ALLOC(joined);
        memcpy(joined, a, a_bytes);
        memcpy(joined + a_bytes, b, strlen(b) + 1);
        id = tvk_map_find(&s->ids, joined, bytes);
        if (!id)
            TVK_FAIL(TVK_ERR_FORMAT, "%.200s: merge %zu makes '%.60s', which is no token",
                     s->vocab->path, i, joined);
        if (s->merges[*id]++ == 0) s->vocab->entries[*id].score = -(float)i;
    }
fail:
    free(joined);
    return st;
}

/* Ways in which two tokens make this one. */
static uint32_t count_splits(const scores *s, const tvk_vocab_entry *e)
{
    uint32_t count = 0;
    for (size_t at = 0; at < e->bytes;) {
        int length = tvk_utf8_length(e->text + at, e->bytes - at);
        at += length < 1 ? 1 : (size_t)length;
        if (at < e->bytes && tvk_map_find(&s->ids, e->text, at) &&
            tvk_map_find(&s->ids, e->text + at, e->bytes - at))
            count++;
    }
    return count;
}

/* A few pieces have other merges in files of real models: converters leave out a score of 0. */
static tvk_status check_merges(const tvk_conversion *c, const scores *s, tvk_error *err)
{
    uint32_t merged = 0, others = 0;
    for (uint32_t id = 0; id < s->vocab->count; id++) {
        const tvk_vocab_entry *e = &s->vocab->entries[id];
        uint32_t splits = e->text && e->type == TVK_TOKEN_NORMAL ? count_splits(s, e) : 0;
        merged += splits > 0;
        others += splits != s->merges[id];
    }
    if (others > merged / 100)
        return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                             "%.200s: merges of a SentencePiece model expected (all pairs that "
                             "make a token); %" PRIu32 " of %" PRIu32 " tokens have others",
                             s->vocab->path, others, merged);
    if (others)
        tvk_log_print(&c->params.log, TVK_LOG_WARN,
                      "%.200s: %" PRIu32 " tokens have other merges than SentencePiece would make: "
                      "text may be split differently there",
                      s->vocab->path, others);
    return TVK_OK;
}

static tvk_status set_scores(const tvk_conversion *c, tvk_vocab *v, const json_t *model,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    scores s = {.vocab = v};
    TVK_TRY_ALLOC(tvk_map_init(&s.ids, v->count));
    s.merges = calloc(v->count, sizeof *s.merges);
    TVK_TRY_ALLOC(s.merges);
    for (uint32_t id = 0; id < v->count; id++) {
        tvk_vocab_entry *e = &v->entries[id];
        if (!e->text || e->type != TVK_TOKEN_NORMAL) continue;
        if (e->bytes > MAX_TOKEN_BYTES)
            TVK_FAIL(TVK_ERR_UNSUPPORTED,
                     "%.200s: token %" PRIu32 ": at most %d bytes expected, %zu found", v->path, id,
                     MAX_TOKEN_BYTES, e->bytes);
        e->score = NEVER_SCORE;
        tvk_map_add(&s.ids, e->text, e->bytes, id);
    }
    if (!json_is_array(json_object_get(model, "merges")))
        TVK_FAIL(TVK_ERR_FORMAT, "%.200s: model.merges: an array expected", v->path);
    TVK_TRY(score_merges(&s, json_object_get(model, "merges"), err));
    TVK_TRY(check_merges(c, &s, err));
fail:
    tvk_map_free(&s.ids);
    free(s.merges);
    return st;
}

/* ---- all ---- */

static bool is_byte(const char *text)
{
    return strlen(text) == 6 && strncmp(text, "<0x", 3) == 0 && text[5] == '>' &&
           strspn(text + 3, "0123456789ABCDEF") == 2;
}

static void set_types(tvk_vocab *v, const json_t *model)
{
    const char *unk = str(model, "unk_token");
    for (uint32_t id = 0; id < v->count; id++) {
        tvk_vocab_entry *e = &v->entries[id];
        if (!e->text) continue;
        if (strcmp(e->text, unk) == 0) {
            e->type = TVK_TOKEN_UNKNOWN;
            v->unk = id;
        } else if (is_byte(e->text)) {
            e->type = TVK_TOKEN_BYTE;
        }
    }
}

/* What the post-processor puts in front of a text and behind it. */
static bool template_has(const json_t *post, bool front)
{
    const json_t *list = json_object_get(post, "processors"), *single, *part;
    size_t i, count;
    json_array_foreach(list, i, part) if (template_has(part, front)) return true;
    single = json_object_get(post, "single");
    count = json_array_size(single);
    /* at least the text itself stands beside it */
    return count > 1 &&
           json_object_get(json_array_get(single, front ? 0 : count - 1), "SpecialToken") != NULL;
}

tvk_status tvk_convert_spm_json(tvk_conversion *c, const char *path, const json_t *root,
                                const tvk_tokenizer_facts *facts, tvk_error *err)
{
    tvk_status st;
    tvk_gguf_writer *w = c->writer;
    const json_t *model = json_object_get(root, "model");
    const json_t *post = json_object_get(root, "post_processor");
    bool prefix = false, bos = template_has(post, true), eos = template_has(post, false);
    tvk_vocab v = {0};
    if (facts->config_decides && facts->add_bos >= 0) bos = facts->add_bos;
    if (facts->config_decides && facts->add_eos >= 0) eos = facts->add_eos;
    TVK_TRY(read_spaces(c, path, root, &prefix, err));
    TVK_TRY(tvk_vocab_init(&v, path, c->vocab, err));
    TVK_TRY(tvk_vocab_set_json(&v, root, err));
    set_types(&v, model);
    TVK_TRY(set_scores(c, &v, model, err));
    tvk_gguf_put_str(w, "tokenizer.ggml.model", "llama");
    tvk_gguf_put_str(w, "tokenizer.ggml.pre", "default");
    TVK_TRY(tvk_vocab_put(&v, w, true, facts, err));
    tvk_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", bos);
    tvk_gguf_put_bool(w, "tokenizer.ggml.add_eos_token", eos);
    tvk_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", prefix);
fail:
    tvk_vocab_free(&v);
    return st;
}
