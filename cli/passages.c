#include "passages.h"

#include <stdlib.h>
#include <string.h>

#include "out.h"

static int no_memory(void)
{
    out_error("perplexity: no memory for the tokens of the text");
    return 1;
}

/* Takes the tokens over, also when it fails. */
static int add(passages *p, const tvk_tokenizer *tokenizer, int32_t *tokens, uint32_t count,
               uint32_t first)
{
    if (p->count == p->room) {
        uint32_t room = p->room ? 2 * p->room : 64;
        passage *list = realloc(p->list, room * sizeof *list);
        if (!list) {
            free(tokens);
            return no_memory();
        }
        p->list = list;
        p->room = room;
    }
    p->list[p->count++] = (passage){.tokens = tokens, .count = count, .first = first};
    if (count - 1 > p->longest) p->longest = count - 1;
    for (uint32_t i = first + 1; i < count; i++) {
        const char *text;
        size_t n;
        tvk_token_bytes(tokenizer, tokens[i], i == 1, false, &text, &n);
        p->scored_bytes += n;
    }
    return 0;
}

static bool full(const passages *p)
{
    return p->most && p->count == p->most;
}

int passages_chunks(passages *p, const tvk_tokenizer *tokenizer, const char *text, size_t bytes,
                    uint32_t length)
{
    int32_t *ids = NULL, bos = tvk_tokenizer_bos(tokenizer);
    uint32_t count = 0;
    tvk_error err;
    int status = 0;
    if (length < 4) {
        out_error("perplexity: chunks of at least 4 tokens expected (-c), %u found", length);
        return 2;
    }
    if (tvk_tokenize(tokenizer, text, bytes, true, true, &ids, &count, &err) != TVK_OK)
        return out_failed(&err);
    p->tokens = count;
    if (count < length) {
        out_error("perplexity: a chunk of %u tokens is needed, the text has %u (smaller -c, more "
                  "text, or --split)",
                  length, count);
        status = 1;
    }
    for (uint32_t at = 0; !status && !full(p) && count - at >= length; at += length) {
        int32_t *tokens = malloc(length * sizeof *tokens);
        if (!tokens) {
            status = no_memory();
            break;
        }
        memcpy(tokens, ids + at, length * sizeof *tokens);
        if (tvk_tokenizer_adds_bos(tokenizer) && bos >= 0) tokens[0] = bos;
        status = add(p, tokenizer, tokens, length, length / 2);
    }
    free(ids);
    return status;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int document(passages *p, const tvk_tokenizer *tokenizer, const char *text, size_t bytes,
                    uint32_t length)
{
    const int32_t bos = tvk_tokenizer_bos(tokenizer), eos = tvk_tokenizer_eos(tokenizer);
    int32_t *ids = NULL, *tokens;
    uint32_t count = 0, n = 0;
    tvk_error err;
    while (bytes > 0 && is_space(text[0])) text++, bytes--;
    while (bytes > 0 && is_space(text[bytes - 1])) bytes--;
    if (bytes == 0) return 0;
    if (tvk_tokenize(tokenizer, text, bytes, false, true, &ids, &count, &err) != TVK_OK)
        return out_failed(&err);
    tokens = malloc(((size_t)count + 2) * sizeof *tokens);
    if (!tokens) {
        free(ids);
        return no_memory();
    }
    if (bos >= 0) tokens[n++] = bos;
    if (count > 0) memcpy(tokens + n, ids, count * sizeof *tokens);
    n += count;
    if (eos >= 0) tokens[n++] = eos;
    free(ids);
    p->tokens += count;
    if (n - 1 > length) {
        p->cut++;
        n = length + 1;
    }
    if (n < 2) { /* one token, and nothing to predict it from */
        free(tokens);
        return 0;
    }
    return add(p, tokenizer, tokens, n, 0);
}

/* Where `what` begins in [text, end); end when nowhere. The text may hold zeros. */
static const char *find(const char *text, const char *end, const char *what, size_t bytes)
{
    for (; (size_t)(end - text) >= bytes; text++) {
        text = memchr(text, what[0], (size_t)(end - text) - bytes + 1);
        if (!text) return end;
        if (!memcmp(text, what, bytes)) return text;
    }
    return end;
}

int passages_documents(passages *p, const tvk_tokenizer *tokenizer, const char *text, size_t bytes,
                       const char *split, uint32_t length)
{
    const char *end = text + bytes;
    size_t split_bytes = strlen(split);
    for (;;) {
        const char *next = find(text, end, split, split_bytes);
        int status = document(p, tokenizer, text, (size_t)(next - text), length);
        if (status) return status;
        if (next == end || full(p)) break;
        text = next + split_bytes;
    }
    if (p->count == 0) {
        out_error("perplexity: the text has no document: nothing but white space and '%s'", split);
        return 1;
    }
    return 0;
}

void passages_free(passages *p)
{
    for (uint32_t i = 0; i < p->count; i++) free(p->list[i].tokens);
    free(p->list);
    *p = (passages){0};
}
