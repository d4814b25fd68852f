/* What tokenizer.c shares with its two algorithms, bpe.c and spm.c. */
#ifndef TVK_LOADER_TOKENIZER_H
#define TVK_LOADER_TOKENIZER_H

#include "file.h"

/* tokenizer.ggml.token_type */
enum {
    TVK_TOKEN_NORMAL = 1,
    TVK_TOKEN_UNKNOWN = 2,
    TVK_TOKEN_CONTROL = 3,
    TVK_TOKEN_USER_DEFINED = 4,
    TVK_TOKEN_UNUSED = 5,
    TVK_TOKEN_BYTE = 6
};

typedef struct tvk_token {
    const char *text;  /* as in the vocabulary */
    const char *bytes; /* as in a text */
    uint32_t text_bytes, byte_count;
    float score;
    int32_t type;
} tvk_token;

typedef struct tvk_ids {
    int32_t *ids;
    size_t count, room;
} tvk_ids;
tvk_status tvk_ids_push(tvk_ids *ids, int32_t id, tvk_error *err);
/* Hands the array over: *ids is the caller's, never NULL, and *from is empty. */
tvk_status tvk_ids_give(tvk_ids *from, int32_t **ids, uint32_t *count, tvk_error *err);

/* Longest text that is tokenized at once: offsets of SPM's escaped text fit 32 bits, and what is
 * kept of each byte fits the address space. */
#define TVK_TEXT_BYTES_MAX (SIZE_MAX / 256 < 1u << 30 ? SIZE_MAX / 256 : (size_t)1 << 30)

typedef struct tvk_bpe tvk_bpe;

/* specials.c: texts in order; at[c] .. at[c + 1] begin with byte c. */
typedef struct tvk_special {
    uint32_t id;
    int32_t up; /* index of the longest other one that this one begins with; -1: none */
} tvk_special;
typedef struct tvk_specials {
    tvk_special *list; /* in the tokenizer's arena */
    uint32_t at[257];
} tvk_specials;

struct tvk_tokenizer {
    tvk_arena arena;
    tvk_token *tokens; /* [V] */
    uint32_t vocab;
    tvk_map by_text; /* every token, the first where two have one text */
    int32_t bos, eos, unk;
    int32_t eot, eom; /* end of a turn, end of a message; -1: none */
    bool add_bos, add_eos, add_space_prefix;
    int32_t byte_ids[256];        /* token of each byte; -1: none */
    tvk_bpe *bpe;                 /* NULL: SPM */
    bool space_begins;            /* SPM: no token has a space behind another character */
    tvk_specials users, specials; /* tokens whose text is looked for: user-defined ones, all */
};

/* -1: absent */
int32_t tvk_token_find(const tvk_tokenizer *t, const char *text, size_t bytes);

/* Which tokens are looked for by their text before anything is cut or merged. */
typedef enum tvk_parse {
    TVK_PARSE_NONE,
    TVK_PARSE_USER, /* user-defined ones: they count in any text */
    TVK_PARSE_ALL   /* control tokens too */
} tvk_parse;
/* Of the tokens with a text for which listed() holds; of equal texts the first. */
tvk_status tvk_specials_init(tvk_tokenizer *t, bool (*listed)(const tvk_token *token),
                             tvk_specials *out, tvk_error *err);
/* The longest one that stands at the beginning of text, which is not empty; -1: none. */
int32_t tvk_specials_find(const tvk_tokenizer *t, const tvk_specials *s, const char *text,
                          size_t bytes);
/* The longest token to look for that stands at s; -1: none. */
int32_t tvk_special_at(const tvk_tokenizer *t, const char *s, size_t bytes, tvk_parse parse);
/* Appends the tokens of a text. */
tvk_status tvk_encode(const tvk_tokenizer *t, const char *text, size_t bytes, tvk_parse parse,
                      tvk_ids *out, tvk_error *err);

/* Byte-level BPE: fills token bytes, byte_ids and t->bpe from the file's merges and pre key. */
tvk_status tvk_bpe_init(tvk_tokenizer *t, const tvk_file *file, tvk_error *err);
void tvk_bpe_destroy(tvk_bpe **bpe);
/* Appends the tokens of a text without special tokens. */
tvk_status tvk_bpe_encode(const tvk_tokenizer *t, const char *text, size_t bytes, tvk_ids *out,
                          tvk_error *err);

/* Whether merging may make the token: texts never turn into control or byte tokens by themselves.
 */
static inline bool tvk_token_mergeable(const tvk_token *token)
{
    return token->type == TVK_TOKEN_NORMAL || token->type == TVK_TOKEN_USER_DEFINED ||
           token->type == TVK_TOKEN_UNUSED;
}

/* SentencePiece's score-merging BPE: fills token bytes, byte_ids and space_begins. */
tvk_status tvk_spm_init(tvk_tokenizer *t, tvk_error *err);
/* `prefix`: put a space in front, as SentencePiece does at the start of a text. */
tvk_status tvk_spm_encode(const tvk_tokenizer *t, const char *text, size_t bytes, bool prefix,
                          tvk_ids *out, tvk_error *err);

/* One pair of neighbours that can be merged. Both algorithms take the smallest key first (rank, or
 * the ordered bits of a negated score), the leftmost among equals. */
typedef struct tvk_merge {
    uint32_t key, left, right;
    uint32_t
        size; /* length of both when it was queued: differs later if one was merged elsewhere */
    int32_t token;
} tvk_merge;
typedef struct tvk_merge_heap {
    tvk_merge *items;
    size_t count, room;
} tvk_merge_heap;
tvk_status tvk_merge_push(tvk_merge_heap *heap, tvk_merge merge, tvk_error *err);
tvk_merge tvk_merge_pop(tvk_merge_heap *heap);

/* A piece of the text: a doubly linked list in an array. */
typedef struct tvk_symbol {
    uint32_t at, bytes;  /* bytes 0: merged into its left neighbour */
    uint32_t prev, next; /* TVK_NO_SYMBOL at the ends */
    int32_t token;       /* -1: none */
} tvk_symbol;
#define TVK_NO_SYMBOL UINT32_MAX

/* Merges until no pair is left. pair(): fills key and token of a merge of two neighbours. */
tvk_status tvk_merge_all(tvk_symbol *symbols, uint32_t count, tvk_merge_heap *heap,
                         bool (*pair)(const void *user, const tvk_symbol *left,
                                      const tvk_symbol *right, tvk_merge *merge),
                         const void *user, tvk_error *err);

#endif
