/* Byte-level BPE (GPT-2, Llama 3, Falcon): regexes cut the text into words, every byte of a word is
 * a symbol, neighbours are merged by the rank of their pair. */
#include "bpe.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "utf8.h"

#define MAX_REGEXES 4
#define BYTE_CHARS 512 /* the alphabet of byte characters ends below U+0200 */

/* Unicode's White_Space. PCRE2's own \s has U+180E in it too. */
#define WS                                                                                         \
    "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}"       \
    "\\x{3000}"
#define GPT2                                                                                       \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" WS "\\p{L}\\p{N}]+|[" WS "]+(?![^" WS       \
    "])|[" WS "]+"
#define LLAMA3                                                                                     \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"                       \
    "| ?[^" WS "\\p{L}\\p{N}]+[\\r\\n]*|[" WS "]*[\\r\\n]+|[" WS "]+(?![^" WS "])|[" WS "]+"
#define PUNCTUATION(more) "[\\p{P}$+<=>^~|" more "]+"

typedef struct pre_row {
    const char *name;
    bool ignore_merges;
    const char *regexes[MAX_REGEXES];
} pre_row;
static const pre_row pre_rows[] = {
#define TVK_PRE(name, ignore_merges, ...) {name, ignore_merges, {__VA_ARGS__}},
#include "pretokenizers.def"
#undef TVK_PRE
};

#define TVK_PRE(name, ...) " " name
static const char pre_names[] =
#include "pretokenizers.def"
    ;
#undef TVK_PRE

typedef struct pair_slot {
    uint64_t key; /* left token << 32 | right token, + 1; 0: free */
    uint32_t rank;
    int32_t token;
} pair_slot;

struct tvk_bpe {
    pcre2_code *regexes[MAX_REGEXES];
    uint32_t regex_count;
    pcre2_match_context *limits;
    bool ignore_merges;
    pair_slot *pairs;
    size_t pair_mask;
};

/* ---- bytes and their characters ---- */

/* GPT-2's alphabet: printable Latin-1 bytes stand for themselves, the others for U+0100 and up, in
 * order. */
static uint32_t char_of_byte(unsigned byte)
{
    uint32_t next = 0x100;
    for (unsigned b = 0; b < 256; b++) {
        bool printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        if (b == byte) return printable ? b : next;
        if (!printable) next++;
    }
    return 0;
}

size_t tvk_bpe_byte_text(unsigned char byte, char *out)
{
    return (size_t)tvk_utf8_encode(char_of_byte(byte), out);
}

/* The bytes that a token's text stands for; characters outside the alphabet stand for themselves.
 */
static tvk_status fill_bytes(tvk_tokenizer *t, const int16_t *byte_of, tvk_token *token,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    char *bytes;
    uint32_t n = 0;
    token->bytes = token->text;
    token->byte_count = token->text_bytes;
    if (token->type != TVK_TOKEN_NORMAL && token->type != TVK_TOKEN_UNUSED) return TVK_OK;
    bytes = tvk_arena_alloc(&t->arena, token->text_bytes + (size_t)1, 1);
    TVK_TRY_ALLOC(bytes);
    for (uint32_t i = 0; i < token->text_bytes;) {
        int length = tvk_utf8_length(token->text + i, token->text_bytes - i);
        uint32_t code = length > 0 ? tvk_utf8_decode(token->text + i, length) : BYTE_CHARS;
        if (length < 1) length = 1;
        if (code < BYTE_CHARS && byte_of[code] >= 0) {
            bytes[n++] = (char)(unsigned char)byte_of[code];
        } else {
            memcpy(bytes + n, token->text + i, (size_t)length);
            n += (uint32_t)length;
        }
        i += (uint32_t)length;
    }
    token->bytes = bytes;
    token->byte_count = n;
fail:
    return st;
}

static tvk_status fill_alphabet(tvk_tokenizer *t, tvk_error *err)
{
    tvk_status st = TVK_OK;
    int16_t byte_of[BYTE_CHARS];
    for (unsigned i = 0; i < BYTE_CHARS; i++) byte_of[i] = -1;
    for (unsigned b = 0; b < 256; b++) {
        char text[4];
        byte_of[char_of_byte(b)] = (int16_t)b;
        t->byte_ids[b] = tvk_token_find(t, text, tvk_bpe_byte_text((unsigned char)b, text));
        if (t->byte_ids[b] >= 0 && t->tokens[t->byte_ids[b]].type == TVK_TOKEN_CONTROL)
            t->byte_ids[b] = -1;
    }
    for (uint32_t id = 0; id < t->vocab; id++) TVK_TRY(fill_bytes(t, byte_of, &t->tokens[id], err));
fail:
    return st;
}

/* ---- merges ---- */

static pair_slot *pair_at(const tvk_bpe *bpe, uint32_t left, uint32_t right)
{
    uint64_t key = ((uint64_t)left << 32 | right) + 1;
    size_t i = (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & bpe->pair_mask;
    while (bpe->pairs[i].key != 0 && bpe->pairs[i].key != key) i = (i + 1) & bpe->pair_mask;
    return &bpe->pairs[i];
}

static tvk_status add_merge(const tvk_tokenizer *t, tvk_bpe *bpe, uint32_t rank, const char *s,
                            size_t bytes, char *joined, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const char *space = bytes > 1 ? memchr(s + 1, ' ', bytes - 1) : NULL;
    int32_t left, right, both;
    size_t left_bytes;
    pair_slot *slot;
    if (!space || space == s + bytes - 1)
        TVK_FAIL(TVK_ERR_FORMAT, "tokenizer: merge %u: two words expected, '%.*s' found", rank,
                 (int)(bytes < 60 ? bytes : 60), s);
    left_bytes = (size_t)(space - s);
    memcpy(joined, s, left_bytes);
    memcpy(joined + left_bytes, space + 1, bytes - left_bytes - 1);
    left = tvk_token_find(t, s, left_bytes);
    right = tvk_token_find(t, space + 1, bytes - left_bytes - 1);
    both = tvk_token_find(t, joined, bytes - 1);
    if (left < 0 || right < 0 || both < 0)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "tokenizer: merge %u '%.*s': one of its words is not in the vocabulary", rank,
                 (int)(bytes < 60 ? bytes : 60), s);
    if (t->tokens[both].type == TVK_TOKEN_CONTROL) return TVK_OK; /* no text becomes one */
    slot = pair_at(bpe, (uint32_t)left, (uint32_t)right);
    if (slot->key == 0) /* of equal merges the first counts */
        *slot = (pair_slot){((uint64_t)(uint32_t)left << 32 | (uint32_t)right) + 1, rank, both};
fail:
    return st;
}

static tvk_status read_merges(const tvk_tokenizer *t, tvk_bpe *bpe, const tvk_file *file,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_gguf_kv *kv = tvk_file_find(file, "tokenizer.ggml.merges");
    const unsigned char *at;
    char *joined = NULL;
    size_t slots = 16;
    char found[40];
    tvk_gguf_type_text(kv, found, sizeof found);
    if (!kv || kv->type != TVK_GGUF_ARRAY || kv->elem != TVK_GGUF_STRING || kv->count > INT32_MAX)
        TVK_FAIL(TVK_ERR_FORMAT, "tokenizer.ggml.merges: string[0 to %d] expected, %s found",
                 INT32_MAX, found);
    while (slots / 2 < kv->count) slots *= 2;
    bpe->pairs = calloc(slots, sizeof *bpe->pairs);
    TVK_TRY_ALLOC(bpe->pairs);
    bpe->pair_mask = slots - 1;
    joined = malloc(kv->bytes + 1);
    TVK_TRY_ALLOC(joined);
    at = kv->data;
    for (uint32_t i = 0; i < kv->count; i++) {
        size_t bytes;
        const char *s = tvk_gguf_next_str(&at, &bytes);
        TVK_TRY(add_merge(t, bpe, i, s, bytes, joined, err));
    }
fail:
    free(joined);
    return st;
}

/* ---- pre-tokenizer ---- */

bool tvk_bpe_pre_known(const char *name, bool *ignore_merges)
{
    for (size_t i = 0; i < sizeof pre_rows / sizeof *pre_rows; i++) {
        if (strcmp(pre_rows[i].name, name) != 0) continue;
        *ignore_merges = pre_rows[i].ignore_merges;
        return true;
    }
    return false;
}

static tvk_status compile(tvk_bpe *bpe, const char *name, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const pre_row *row = NULL;
    for (size_t i = 0; i < sizeof pre_rows / sizeof *pre_rows; i++)
        if (strcmp(pre_rows[i].name, name) == 0) row = &pre_rows[i];
    if (!row)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "tokenizer.ggml.pre: '%.60s' is not known (known:%s)", name,
                 pre_names);
    bpe->ignore_merges = row->ignore_merges;
    for (uint32_t i = 0; i < MAX_REGEXES && row->regexes[i]; i++) {
        int code = 0;
        PCRE2_SIZE at = 0;
        bpe->regexes[i] = pcre2_compile((PCRE2_SPTR)row->regexes[i], PCRE2_ZERO_TERMINATED,
                                        PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
        if (code == PCRE2_ERROR_HEAP_FAILED) TVK_TRY_ALLOC(bpe->regexes[i]);
        if (!bpe->regexes[i])
            TVK_FAIL(TVK_ERR_INTERNAL, "PCRE2 error %d at %zu of the regex of '%s'", code,
                     (size_t)at, name);
        /* where the system forbids code made at run time the interpreter stays in use */
        pcre2_jit_compile(bpe->regexes[i], PCRE2_JIT_COMPLETE);
        bpe->regex_count = i + 1;
    }
    bpe->limits = pcre2_match_context_create(NULL);
    TVK_TRY_ALLOC(bpe->limits);
    /* the regexes step back over one run of characters at most: a long run is no reason to stop */
    pcre2_set_match_limit(bpe->limits, UINT32_MAX);
fail:
    return st;
}

tvk_status tvk_bpe_init(tvk_tokenizer *t, const tvk_file *file, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_gguf_kv *pre = tvk_file_find(file, "tokenizer.ggml.pre");
    const tvk_gguf_kv *ignore = tvk_file_find(file, "tokenizer.ggml.ignore_merges");
    /* files of bitnet.cpp's own converter lack the key: Llama 3's vocabulary is known by its size
     */
    const char *name = t->vocab == 128256 ? "llama-bpe" : "default";
    tvk_bpe *bpe = t->bpe = calloc(1, sizeof *bpe);
    TVK_TRY_ALLOC(bpe);
    if (pre && pre->type != TVK_GGUF_STRING)
        TVK_FAIL(TVK_ERR_FORMAT, "tokenizer.ggml.pre: a string expected, %s found",
                 tvk_gguf_type_name(pre->type));
    TVK_TRY(compile(bpe, pre ? pre->str : name, err));
    t->add_bos = bpe->ignore_merges; /* Llama 3's rows: BOS unless the file says otherwise */
    if (ignore && ignore->type != TVK_GGUF_BOOL)
        TVK_FAIL(TVK_ERR_FORMAT, "tokenizer.ggml.ignore_merges: a bool expected, %s found",
                 tvk_gguf_type_name(ignore->type));
    if (ignore) bpe->ignore_merges = ignore->data[0] != 0;
    TVK_TRY(fill_alphabet(t, err));
    TVK_TRY(read_merges(t, bpe, file, err));
fail:
    return st; /* the tokenizer's destroy frees what there is */
}

void tvk_bpe_destroy(tvk_bpe **bpe)
{
    if (!*bpe) return;
    for (uint32_t i = 0; i < MAX_REGEXES; i++) pcre2_code_free((*bpe)->regexes[i]);
    pcre2_match_context_free((*bpe)->limits);
    free((*bpe)->pairs);
    free(*bpe);
    *bpe = NULL;
}

/* ---- encoding ---- */

typedef struct encoder {
    const tvk_tokenizer *t;
    tvk_ids *out;
    tvk_merge_heap heap;
    tvk_symbol *symbols;
    size_t symbol_room;
    char *key; /* a word in byte characters */
    size_t key_room;
    pcre2_match_data *match[MAX_REGEXES];
} encoder;

static bool pair(const void *user, const tvk_symbol *left, const tvk_symbol *right,
                 tvk_merge *merge)
{
    const tvk_bpe *bpe = user;
    const pair_slot *slot;
    if (left->token < 0 || right->token < 0) return false;
    slot = pair_at(bpe, (uint32_t)left->token, (uint32_t)right->token);
    if (slot->key == 0) return false;
    merge->key = slot->rank;
    merge->token = slot->token;
    return true;
}

static tvk_status make_room(encoder *e, size_t bytes, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (e->symbol_room < bytes) {
        size_t room = bytes * 2;
        tvk_symbol *symbols = realloc(e->symbols, room * sizeof *symbols);
        char *key;
        TVK_TRY_ALLOC(symbols);
        e->symbols = symbols;
        key = realloc(e->key, room * 2);
        TVK_TRY_ALLOC(key);
        e->key = key;
        e->symbol_room = room;
    }
fail:
    return st;
}

static tvk_status encode_word(encoder *e, const char *s, size_t bytes, tvk_error *err)
{
    tvk_status st;
    const tvk_tokenizer *t = e->t;
    TVK_TRY(make_room(e, bytes, err));
    if (t->bpe->ignore_merges) {
        size_t n = 0;
        int32_t id;
        for (size_t i = 0; i < bytes; i++) {
            int32_t byte = t->byte_ids[(unsigned char)s[i]];
            if (byte < 0) {
                n = 0;
                break;
            }
            memcpy(e->key + n, t->tokens[byte].text, t->tokens[byte].text_bytes);
            n += t->tokens[byte].text_bytes;
        }
        id = n > 0 ? tvk_token_find(t, e->key, n) : -1;
        if (id >= 0 && tvk_token_mergeable(&t->tokens[id])) {
            st = tvk_ids_push(e->out, id, err);
            goto fail;
        }
    }
    for (size_t i = 0; i < bytes; i++)
        e->symbols[i] =
            (tvk_symbol){.at = (uint32_t)i, .bytes = 1, .token = t->byte_ids[(unsigned char)s[i]]};
    TVK_TRY(tvk_merge_all(e->symbols, (uint32_t)bytes, &e->heap, pair, t->bpe, err));
    for (size_t i = 0; i < bytes; i++) {
        int32_t id = e->symbols[i].token;
        if (e->symbols[i].bytes == 0) continue;
        if (id < 0) id = t->unk; /* a byte that this vocabulary lacks */
        if (id >= 0) TVK_TRY(tvk_ids_push(e->out, id, err));
    }
fail:
    return st;
}

/* Cuts valid UTF-8 by regex number `level` and the following ones, and encodes the pieces. */
static tvk_status split(encoder *e, uint32_t level, const char *s, size_t bytes, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_bpe *bpe = e->t->bpe;
    size_t at = 0, from, to;
    if (bytes == 0) return TVK_OK;
    if (level >= bpe->regex_count || level >= MAX_REGEXES) return encode_word(e, s, bytes, err);
    while (at < bytes) {
        int n = pcre2_match(bpe->regexes[level], (PCRE2_SPTR)s, bytes, at,
                            PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, e->match[level], bpe->limits);
        if (n == PCRE2_ERROR_NOMATCH) break;
        if (n == PCRE2_ERROR_NOMEMORY) TVK_FAIL(TVK_ERR_HOST_MEMORY, "out of host memory");
        if (n < 0) TVK_FAIL(TVK_ERR_INTERNAL, "PCRE2 error %d while splitting the text", n);
        from = pcre2_get_ovector_pointer(e->match[level])[0];
        to = pcre2_get_ovector_pointer(e->match[level])[1];
        TVK_TRY(split(e, level + 1, s + at, from - at, err));
        TVK_TRY(split(e, level + 1, s + from, to - from, err));
        at = to;
    }
    TVK_TRY(split(e, level + 1, s + at, bytes - at, err));
fail:
    return st;
}

tvk_status tvk_bpe_encode(const tvk_tokenizer *t, const char *text, size_t bytes, tvk_ids *out,
                          tvk_error *err)
{
    tvk_status st = TVK_OK;
    encoder e = {.t = t, .out = out};
    size_t from = 0, at = 0;
    for (uint32_t i = 0; i < t->bpe->regex_count; i++) {
        e.match[i] = pcre2_match_data_create(1, NULL);
        TVK_TRY_ALLOC(e.match[i]);
    }
    /* bytes that are not UTF-8 cut the text and are words of their own: nothing is lost */
    while (at < bytes) {
        int length = tvk_utf8_length(text + at, bytes - at);
        if (length > 0) {
            at += (size_t)length;
            continue;
        }
        TVK_TRY(split(&e, 0, text + from, at - from, err));
        TVK_TRY(encode_word(&e, text + at, 1, err));
        from = ++at;
    }
    TVK_TRY(split(&e, 0, text + from, at - from, err));
fail:
    for (uint32_t i = 0; i < MAX_REGEXES; i++) pcre2_match_data_free(e.match[i]);
    free(e.heap.items);
    free(e.symbols);
    free(e.key);
    return st;
}
