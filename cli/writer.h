/* Tokens to stdout as they come: whole UTF-8 characters, and how fast. */
#ifndef TVK_CLI_WRITER_H
#define TVK_CLI_WRITER_H

#include "ternvk/loader.h"

typedef struct writer {
    const tvk_tokenizer *tokenizer;
    tvk_utf8_stream utf8;
    bool at_start;   /* no text before the next token */
    uint32_t tokens; /* since the last writer_restart */
    double first_ms, last_ms;
} writer;

/* Text as it is; flush: also what is left of a character that never became whole. */
void writer_put(writer *w, const char *bytes, size_t count, bool flush);
void writer_token(writer *w, int32_t token);
/* Tokens a second between the first and the last one; 0: too few to say. */
double writer_speed(const writer *w);

#endif
