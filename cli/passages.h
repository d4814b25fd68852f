/* A text as token sequences that are scored one by one: chunks of one length, or documents. */
#ifndef TVK_CLI_PASSAGES_H
#define TVK_CLI_PASSAGES_H

#include "score.h"
#include "ternvk/loader.h"

/* tokens[i + 1] is predicted from tokens [0, i] and scored, for i from `first` on. */
typedef struct passage {
    int32_t *tokens;
    uint32_t count, first;
    score result;
} passage;

typedef struct passages {
    passage *list;
    uint32_t count, room;
    uint32_t most;         /* set before: the text is left after so many passages; 0: all */
    uint32_t longest;      /* positions that the longest one takes: its tokens but the last */
    uint32_t cut;          /* documents that are longer than what is scored of them */
    uint64_t tokens;       /* of the text, or in all documents before the cut */
    uint64_t scored_bytes; /* bytes of text behind the tokens that are scored */
} passages;

/* llama.cpp's way: the text is tokenized as one and cut into chunks of `length` tokens (what is
 * left at the end is not used); a model that begins with BOS gets it in place of each chunk's first
 * token; the second half of a chunk is scored. All print what failed and return the exit status. */
int passages_chunks(passages *p, const tvk_tokenizer *tokenizer, const char *text, size_t bytes,
                    uint32_t length);

/* Each document by itself: the text between occurrences of `split` without white space at both
 * ends, BOS before it, EOS behind it (where the model has them), all tokens after the first one
 * scored, at most `length` of them. Empty documents are left out. */
int passages_documents(passages *p, const tvk_tokenizer *tokenizer, const char *text, size_t bytes,
                       const char *split, uint32_t length);

void passages_free(passages *p);

#endif
