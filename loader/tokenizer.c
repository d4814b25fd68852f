/* Vocabulary and special tokens; bpe.c and spm.c do the text between special tokens. */
#include "tokenizer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

tvk_status tvk_ids_push(tvk_ids *ids, int32_t id, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (ids->count == ids->room) {
        size_t room = ids->room ? ids->room * 2 : 64;
        int32_t *more = realloc(ids->ids, room * sizeof *more);
        TVK_TRY_ALLOC(more);
        ids->ids = more;
        ids->room = room;
    }
    ids->ids[ids->count++] = id;
fail:
    return st;
}

int32_t tvk_token_find(const tvk_tokenizer *t, const char *text, size_t bytes)
{
    const uint32_t *id = tvk_map_find(&t->by_text, text, bytes);
    return id ? (int32_t)*id : -1;
}

/* ---- reading the file's keys ---- */

static bool is_array(const tvk_gguf_kv *kv, tvk_gguf_type elem)
{
    return kv && kv->type == TVK_GGUF_ARRAY && kv->elem == elem;
}

static tvk_status read_tokens(tvk_tokenizer *t, const tvk_file *file, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_gguf_kv *texts = tvk_file_find(file, "tokenizer.ggml.tokens");
    const tvk_gguf_kv *scores = tvk_file_find(file, "tokenizer.ggml.scores");
    const tvk_gguf_kv *types = tvk_file_find(file, "tokenizer.ggml.token_type");
    const unsigned char *at;
    char found[40];
    tvk_gguf_type_text(texts, found, sizeof found);
    if (!is_array(texts, TVK_GGUF_STRING) || texts->count == 0 || texts->count > INT32_MAX)
        TVK_FAIL(TVK_ERR_FORMAT, "tokenizer.ggml.tokens: string[1 to %d] expected, %s found",
                 INT32_MAX, found);
    tvk_gguf_type_text(scores, found, sizeof found);
    if (scores && !(is_array(scores, TVK_GGUF_F32) && scores->count == texts->count))
        TVK_FAIL(TVK_ERR_FORMAT, "tokenizer.ggml.scores: f32[%" PRIu64 "] expected, %s found",
                 texts->count, found);
    tvk_gguf_type_text(types, found, sizeof found);
    if (types && !((is_array(types, TVK_GGUF_I32) || is_array(types, TVK_GGUF_U32)) &&
                   types->count == texts->count))
        TVK_FAIL(TVK_ERR_FORMAT, "tokenizer.ggml.token_type: i32[%" PRIu64 "] expected, %s found",
                 texts->count, found);
    t->vocab = (uint32_t)texts->count;
    t->tokens = tvk_arena_alloc(&t->arena, t->vocab, sizeof *t->tokens);
    TVK_TRY_ALLOC(t->tokens);
    TVK_TRY_ALLOC(tvk_map_init(&t->by_text, t->vocab));
    at = texts->data;
    for (uint32_t id = 0; id < t->vocab; id++) {
        tvk_token *token = &t->tokens[id];
        size_t bytes;
        const char *s = tvk_gguf_next_str(&at, &bytes);
        if (bytes > UINT32_MAX / 4)
            TVK_FAIL(TVK_ERR_FORMAT, "tokenizer: token %u: at most %u bytes expected, %zu found",
                     id, UINT32_MAX / 4, bytes);
        token->text = tvk_arena_strdup(&t->arena, s, bytes);
        TVK_TRY_ALLOC(token->text);
        token->text_bytes = (uint32_t)bytes;
        token->score = scores ? tvk_load_f32(scores->data + 4 * (size_t)id) : 0.0f;
        token->type =
            types ? (int32_t)tvk_load_u32(types->data + 4 * (size_t)id) : TVK_TOKEN_NORMAL;
        tvk_map_add(&t->by_text, token->text, bytes, id); /* of equal texts the first counts */
    }
fail:
    return st;
}

/* *id keeps its default when the key is absent. */
static tvk_status read_id(const tvk_tokenizer *t, const tvk_file *file, const char *key,
                          int32_t *id, tvk_error *err)
{
    const tvk_gguf_kv *kv = tvk_file_find(file, key);
    uint64_t v = 0;
    if (kv && !tvk_gguf_u64(kv->type, kv->data, &v))
        return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                             "%s: a whole number from 0 on expected, %s found", key,
                             tvk_gguf_type_name(kv->type));
    if (kv && v >= t->vocab)
        return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                             "%s: a token of the vocabulary of %" PRIu32 " expected, %" PRIu64
                             " found",
                             key, t->vocab, v);
    if (kv) *id = (int32_t)v;
    if (*id >= 0 && (uint32_t)*id >= t->vocab) *id = -1;
    return TVK_OK;
}

static tvk_status read_flag(const tvk_file *file, const char *key, bool *flag, tvk_error *err)
{
    const tvk_gguf_kv *kv = tvk_file_find(file, key);
    if (kv && kv->type != TVK_GGUF_BOOL)
        return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                             "%s: a bool expected, %s found", key, tvk_gguf_type_name(kv->type));
    if (kv) *flag = kv->data[0] != 0;
    return TVK_OK;
}

static bool is_user_defined(const tvk_token *token)
{
    return token->text_bytes > 0 && token->type == TVK_TOKEN_USER_DEFINED;
}

static bool is_special(const tvk_token *token)
{
    return is_user_defined(token) || (token->text_bytes > 0 && (token->type == TVK_TOKEN_CONTROL ||
                                                                token->type == TVK_TOKEN_UNKNOWN));
}

static tvk_status read_options(tvk_tokenizer *t, const tvk_file *file, tvk_error *err)
{
    tvk_status st;
    TVK_TRY(read_id(t, file, "tokenizer.ggml.bos_token_id", &t->bos, err));
    TVK_TRY(read_id(t, file, "tokenizer.ggml.eos_token_id", &t->eos, err));
    TVK_TRY(read_id(t, file, "tokenizer.ggml.eot_token_id", &t->eot, err));
    TVK_TRY(read_id(t, file, "tokenizer.ggml.eom_token_id", &t->eom, err));
    TVK_TRY(read_id(t, file, "tokenizer.ggml.unknown_token_id", &t->unk, err));
    TVK_TRY(read_flag(file, "tokenizer.ggml.add_bos_token", &t->add_bos, err));
    TVK_TRY(read_flag(file, "tokenizer.ggml.add_eos_token", &t->add_eos, err));
    TVK_TRY(read_flag(file, "tokenizer.ggml.add_space_prefix", &t->add_space_prefix, err));
    if (t->bos < 0) t->add_bos = false;
    if (t->eos < 0) t->add_eos = false;
fail:
    return st;
}

tvk_status tvk_tokenizer_create(const tvk_file *file, tvk_tokenizer **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_gguf_kv *model = tvk_file_find(file, "tokenizer.ggml.model");
    tvk_tokenizer *t = NULL;
    bool bpe;
    *out = NULL;
    if (!model || model->type != TVK_GGUF_STRING)
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "%.300s: the file has no tokenizer (key tokenizer.ggml.model); `ternvk convert "
                 "--tokenizer` puts one in",
                 tvk_file_source(file)->name);
    bpe = strcmp(model->str, "gpt2") == 0;
    if (!bpe && strcmp(model->str, "llama") != 0)
        TVK_FAIL(
            TVK_ERR_UNSUPPORTED,
            "tokenizer.ggml.model: gpt2 (byte-level BPE) or llama (SPM) expected, '%.60s' found",
            model->str);
    t = calloc(1, sizeof *t);
    TVK_TRY_ALLOC(t);
    for (unsigned i = 0; i < 256; i++) t->byte_ids[i] = -1;
    t->bos = bpe ? -1 : 1;
    t->eos = bpe ? -1 : 2;
    t->unk = bpe ? -1 : 0;
    t->eot = t->eom = -1;
    t->add_bos = t->add_space_prefix = !bpe;
    TVK_TRY(read_tokens(t, file, err));
    if (bpe)
        TVK_TRY(tvk_bpe_init(t, file, err));
    else
        TVK_TRY(tvk_spm_init(t, err));
    TVK_TRY(read_options(t, file, err));
    TVK_TRY(tvk_specials_init(t, is_user_defined, &t->users, err));
    TVK_TRY(tvk_specials_init(t, is_special, &t->specials, err));
    *out = t;
    t = NULL;
fail:
    tvk_tokenizer_destroy(&t);
    return st;
}

void tvk_tokenizer_destroy(tvk_tokenizer **tokenizer)
{
    tvk_tokenizer *t = *tokenizer;
    if (!t) return;
    tvk_bpe_destroy(&t->bpe);
    tvk_map_free(&t->by_text);
    tvk_arena_free(&t->arena);
    free(t);
    *tokenizer = NULL;
}

uint32_t tvk_tokenizer_vocab(const tvk_tokenizer *t)
{
    return t->vocab;
}

int32_t tvk_tokenizer_bos(const tvk_tokenizer *t)
{
    return t->bos;
}

int32_t tvk_tokenizer_eos(const tvk_tokenizer *t)
{
    return t->eos;
}

bool tvk_tokenizer_adds_bos(const tvk_tokenizer *t)
{
    return t->add_bos;
}

/* ---- text to tokens ---- */

int32_t tvk_special_at(const tvk_tokenizer *t, const char *s, size_t bytes, tvk_parse parse)
{
    if (parse == TVK_PARSE_NONE) return -1;
    return tvk_specials_find(t, parse == TVK_PARSE_ALL ? &t->specials : &t->users, s, bytes);
}

tvk_status tvk_encode(const tvk_tokenizer *t, const char *text, size_t bytes, tvk_parse parse,
                      tvk_ids *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    size_t from = 0;
    for (size_t at = 0; at <= bytes;) {
        int32_t id = at < bytes ? tvk_special_at(t, text + at, bytes - at, parse) : -1;
        if (at < bytes && id < 0) {
            at++;
            continue;
        }
        if (at > from) {
            if (t->bpe)
                TVK_TRY(tvk_bpe_encode(t, text + from, at - from, out, err));
            else
                /* always at the start or behind a special token: SPM's space belongs there */
                TVK_TRY(tvk_spm_encode(t, text + from, at - from, t->add_space_prefix, out, err));
        }
        if (at == bytes) break;
        TVK_TRY(tvk_ids_push(out, id, err));
        at += t->tokens[id].text_bytes;
        from = at;
    }
fail:
    return st;
}

tvk_status tvk_ids_give(tvk_ids *from, int32_t **ids, uint32_t *count, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (from->count > UINT32_MAX) TVK_FAIL(TVK_ERR_ARG, "%zu tokens are too many", from->count);
    if (!from->ids) TVK_TRY_ALLOC(from->ids = calloc(1, sizeof *from->ids));
    *ids = from->ids;
    *count = (uint32_t)from->count;
    *from = (tvk_ids){0};
fail:
    return st;
}

tvk_status tvk_tokenize(const tvk_tokenizer *t, const char *text, size_t bytes, bool add_special,
                        bool parse_special, int32_t **ids, uint32_t *count, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_ids out = {0};
    *ids = NULL;
    *count = 0;
    if (bytes > TVK_TEXT_BYTES_MAX)
        TVK_FAIL(TVK_ERR_ARG, "a text of at most %zu bytes expected, %zu found", TVK_TEXT_BYTES_MAX,
                 bytes);
    if (add_special && t->add_bos) TVK_TRY(tvk_ids_push(&out, t->bos, err));
    TVK_TRY(tvk_encode(t, text, bytes, parse_special ? TVK_PARSE_ALL : TVK_PARSE_USER, &out, err));
    if (add_special && t->add_eos) TVK_TRY(tvk_ids_push(&out, t->eos, err));
    TVK_TRY(tvk_ids_give(&out, ids, count, err));
fail:
    free(out.ids);
    return st;
}

uint32_t tvk_tokenizer_stops(const tvk_tokenizer *t, int32_t stops[TVK_TOKENIZER_STOPS])
{
    const int32_t all[TVK_TOKENIZER_STOPS] = {t->eos, t->eot, t->eom};
    uint32_t count = 0;
    for (uint32_t i = 0; i < TVK_TOKENIZER_STOPS; i++) {
        bool known = all[i] < 0;
        for (uint32_t j = 0; j < count; j++) known = known || stops[j] == all[i];
        if (!known) stops[count++] = all[i];
    }
    return count;
}

void tvk_token_bytes(const tvk_tokenizer *t, int32_t id, bool first, bool special,
                     const char **bytes, size_t *count)
{
    const tvk_token *token;
    *bytes = "";
    *count = 0;
    if (id < 0 || (uint32_t)id >= t->vocab) return;
    token = &t->tokens[id];
    if ((token->type == TVK_TOKEN_CONTROL || token->type == TVK_TOKEN_UNKNOWN) && !special) return;
    *bytes = token->bytes;
    *count = token->byte_count;
    if (first && !t->bpe && t->add_space_prefix && *count > 0 && **bytes == ' ' &&
        token->type == TVK_TOKEN_NORMAL) {
        ++*bytes;
        --*count;
    }
}
