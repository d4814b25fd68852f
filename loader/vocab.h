/* A vocabulary on its way from a tokenizer's file to tokenizer.ggml.* keys. */
#ifndef TVK_LOADER_VOCAB_H
#define TVK_LOADER_VOCAB_H

#include "convert.h"

typedef struct tvk_vocab_entry {
    const char *text; /* borrowed; NULL: no token has this id */
    size_t bytes;
    float score;
    int32_t type; /* TVK_TOKEN_... */
} tvk_vocab_entry;

typedef struct tvk_vocab {
    const char *path; /* for messages */
    tvk_vocab_entry *entries;
    uint32_t count; /* rows of the embedding: ids past the file's are tokens that nothing uses */
    int64_t bos, eos, unk; /* as the tokenizer itself says; -1: it does not */
} tvk_vocab;

/* Errors: TVK_ERR_FORMAT when count is 0 or absurd. */
tvk_status tvk_vocab_init(tvk_vocab *v, const char *path, uint32_t count, tvk_error *err);
void tvk_vocab_free(tvk_vocab *v);

/* Errors: TVK_ERR_FORMAT on an id that the model has not, or that another text has. */
tvk_status tvk_vocab_set(tvk_vocab *v, int64_t id, tvk_vocab_entry entry, tvk_error *err);
/* model.vocab and added_tokens of a tokenizer.json. */
tvk_status tvk_vocab_set_json(tvk_vocab *v, const json_t *root, tvk_error *err);
/* added_tokens.json and tokenizer_config.json, whose word on a token counts more than the model's.
 */
tvk_status tvk_vocab_set_added(tvk_vocab *v, const tvk_tokenizer_facts *facts, tvk_error *err);

/* Writes tokens, types, special ids and, if asked for, scores. */
tvk_status tvk_vocab_put(const tvk_vocab *v, tvk_gguf_writer *w, bool scores,
                         const tvk_tokenizer_facts *facts, tvk_error *err);

#endif
