/* SentencePiece BPE: neighbours whose concatenation is a token are merged, the highest score first,
 * the leftmost among equals; characters without a token become byte tokens. */
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "utf8.h"

#define SPACE "\xe2\x96\x81" /* U+2581 stands for a space in the vocabulary */
#define SPACE_BYTES 3

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

/* The byte of "<0x0A>"; -1: another text. */
static int byte_of(const tvk_token *token)
{
    const char *s = token->text;
    if (token->text_bytes != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>' || hex_digit(s[3]) < 0 ||
        hex_digit(s[4]) < 0)
        return -1;
    return hex_digit(s[3]) * 16 + hex_digit(s[4]);
}

tvk_status tvk_spm_init(tvk_tokenizer *t, tvk_error *err)
{
    tvk_status st = TVK_OK;
    t->space_begins = true;
    for (uint32_t id = 0; id < t->vocab; id++) {
        tvk_token *token = &t->tokens[id];
        char *bytes;
        uint32_t n = 0;
        token->bytes = token->text;
        token->byte_count = token->text_bytes;
        if (token->type == TVK_TOKEN_BYTE) {
            int byte = byte_of(token);
            if (byte < 0)
                TVK_FAIL(
                    TVK_ERR_FORMAT,
                    "tokenizer: token %u has type byte: '<0x00>' to '<0xFF>' expected, '%.40s' "
                    "found",
                    id, token->text);
            bytes = tvk_arena_alloc(&t->arena, 2, 1);
            TVK_TRY_ALLOC(bytes);
            bytes[0] = (char)(unsigned char)byte;
            token->bytes = bytes;
            token->byte_count = 1;
            if (t->byte_ids[byte] < 0) t->byte_ids[byte] = (int32_t)id;
            continue;
        }
        if (token->type == TVK_TOKEN_CONTROL || !strstr(token->text, SPACE)) continue;
        bytes = tvk_arena_alloc(&t->arena, token->text_bytes + (size_t)1, 1);
        TVK_TRY_ALLOC(bytes);
        for (uint32_t i = 0; i < token->text_bytes;) {
            bool space = token->text_bytes - i >= SPACE_BYTES &&
                         memcmp(token->text + i, SPACE, SPACE_BYTES) == 0;
            if (space && n > 0 && bytes[n - 1] != ' ' && tvk_token_mergeable(token))
                t->space_begins = false;
            bytes[n++] = space ? ' ' : token->text[i];
            i += space ? SPACE_BYTES : 1;
        }
        token->bytes = bytes;
        token->byte_count = n;
    }
fail:
    return st;
}

typedef struct pair_context {
    const tvk_tokenizer *t;
    const char *text;
} pair_context;

/* A smaller key for a higher score. */
static uint32_t score_key(float score)
{
    uint32_t bits = tvk_f32_bits(score + 0.0f); /* -0 equals +0 */
    return bits & 0x80000000u ? bits : 0x7fffffffu - bits;
}

static bool pair(const void *user, const tvk_symbol *left, const tvk_symbol *right,
                 tvk_merge *merge)
{
    const pair_context *c = user;
    int32_t id = tvk_token_find(c->t, c->text + left->at, left->bytes + right->bytes);
    if (id < 0 || !tvk_token_mergeable(&c->t->tokens[id])) return false;
    merge->token = id;
    merge->key = score_key(c->t->tokens[id].score);
    return true;
}

/* Spaces become U+2581; *bytes is the new length. */
static char *escape(const char *text, size_t *bytes, bool prefix)
{
    char *out = malloc((*bytes + 1) * SPACE_BYTES + 1);
    size_t n = 0;
    if (!out) return NULL;
    if (prefix) {
        memcpy(out, SPACE, SPACE_BYTES);
        n = SPACE_BYTES;
    }
    for (size_t i = 0; i < *bytes; i++) {
        if (text[i] == ' ') {
            memcpy(out + n, SPACE, SPACE_BYTES);
            n += SPACE_BYTES;
        } else {
            out[n++] = text[i];
        }
    }
    *bytes = n;
    return out;
}

typedef struct encoder {
    const tvk_tokenizer *t;
    tvk_ids *out;
    tvk_merge_heap heap;
    tvk_symbol *symbols; /* of a word */
    size_t symbol_room;
    bool after_unknown;
} encoder;

/* A character that is no token: its bytes, or one unknown token for all such neighbours. */
static tvk_status push_bytes(encoder *e, const char *s, size_t bytes, tvk_error *err)
{
    const tvk_tokenizer *t = e->t;
    tvk_status st = TVK_OK;
    bool known = true;
    for (size_t i = 0; i < bytes; i++) known = known && t->byte_ids[(unsigned char)s[i]] >= 0;
    if (!known) {
        if (t->unk >= 0 && !e->after_unknown) st = tvk_ids_push(e->out, t->unk, err);
        e->after_unknown = true;
        return st;
    }
    e->after_unknown = false;
    for (size_t i = 0; i < bytes && st == TVK_OK; i++)
        st = tvk_ids_push(e->out, t->byte_ids[(unsigned char)s[i]], err);
    return st;
}

static tvk_status encode_word(encoder *e, const char *s, size_t bytes, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_tokenizer *t = e->t;
    tvk_symbol *symbols = e->symbols;
    pair_context context = {t, s};
    uint32_t count = 0;
    if (bytes > e->symbol_room) {
        symbols = realloc(e->symbols, 2 * bytes * sizeof *symbols);
        TVK_TRY_ALLOC(symbols);
        e->symbols = symbols;
        e->symbol_room = 2 * bytes;
    }
    for (size_t at = 0; at < bytes;) {
        int length = tvk_utf8_length(s + at, bytes - at);
        if (length < 1) length = 1; /* an invalid byte is a symbol: it becomes its byte token */
        symbols[count++] = (tvk_symbol){.at = (uint32_t)at, .bytes = (uint32_t)length, .token = -1};
        at += (size_t)length;
    }
    for (uint32_t i = 0; i < count; i++) {
        int32_t id = tvk_token_find(t, s + symbols[i].at, symbols[i].bytes);
        if (id >= 0 && tvk_token_mergeable(&t->tokens[id])) symbols[i].token = id;
    }
    TVK_TRY(tvk_merge_all(symbols, count, &e->heap, pair, &context, err));
    for (uint32_t i = 0; i < count; i++) {
        if (symbols[i].bytes == 0) continue;
        if (symbols[i].token >= 0) {
            TVK_TRY(tvk_ids_push(e->out, symbols[i].token, err));
            e->after_unknown = false;
        } else {
            TVK_TRY(push_bytes(e, s + symbols[i].at, symbols[i].bytes, err));
        }
    }
fail:
    return st;
}

static bool space_at(const char *s, size_t bytes)
{
    return bytes >= SPACE_BYTES && memcmp(s, SPACE, SPACE_BYTES) == 0;
}

/* End of the word at `from`: where no token can join what is left and right of it. */
static size_t word_end(const tvk_tokenizer *t, const char *s, size_t from, size_t bytes)
{
    size_t at = from;
    if (!t->space_begins) return bytes;
    while (space_at(s + at, bytes - at)) at += SPACE_BYTES;
    while (at < bytes && !space_at(s + at, bytes - at)) at++;
    return at;
}

tvk_status tvk_spm_encode(const tvk_tokenizer *t, const char *text, size_t bytes, bool prefix,
                          tvk_ids *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    encoder e = {.t = t, .out = out};
    size_t size = bytes;
    char *escaped = escape(text, &size, prefix);
    TVK_TRY_ALLOC(escaped);
    for (size_t at = 0; at < size;) {
        size_t end = word_end(t, escaped, at, size);
        TVK_TRY(encode_word(&e, escaped + at, end - at, err));
        at = end;
    }
fail:
    free(e.heap.items);
    free(e.symbols);
    free(escaped);
    return st;
}
