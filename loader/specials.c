/* Tokens that are looked for by their text: which is the longest that stands at a place. Sorted
 * texts, each with the longest other one that it begins with: whatever begins the input and is
 * listed is on the way from the greatest text not above the input to its beginnings. So a place
 * takes a binary search, however many texts begin alike. */
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

static int compare_texts(const tvk_token *a, const tvk_token *b)
{
    uint32_t n = a->text_bytes < b->text_bytes ? a->text_bytes : b->text_bytes;
    int order = memcmp(a->text, b->text, n);
    return order ? order : (a->text_bytes > b->text_bytes) - (a->text_bytes < b->text_bytes);
}

typedef struct row {
    const tvk_token *token;
    uint32_t id;
} row;

static int compare_rows(const void *a, const void *b)
{
    const row *x = a, *y = b;
    int order = compare_texts(x->token, y->token);
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

static bool begins_with(const tvk_token *token, const tvk_token *with)
{
    return with->text_bytes <= token->text_bytes &&
           memcmp(token->text, with->text, with->text_bytes) == 0;
}

static void link_rows(const tvk_tokenizer *t, tvk_specials *s, const row *rows, uint32_t count)
{
    uint32_t n = 0, c = 0;
    for (uint32_t i = 0; i < count; i++) {
        const tvk_token *token = rows[i].token;
        int32_t up = (int32_t)n - 1;
        if (i > 0 && compare_texts(rows[i - 1].token, token) == 0) continue; /* the first counts */
        while (up >= 0 && !begins_with(token, &t->tokens[s->list[up].id])) up = s->list[up].up;
        while (c <= (unsigned char)token->text[0]) s->at[c++] = n;
        s->list[n++] = (tvk_special){rows[i].id, up};
    }
    while (c <= 256) s->at[c++] = n;
}

tvk_status tvk_specials_init(tvk_tokenizer *t, bool (*listed)(const tvk_token *token),
                             tvk_specials *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    row *rows = NULL;
    uint32_t count = 0, n = 0;
    for (uint32_t id = 0; id < t->vocab; id++) count += listed(&t->tokens[id]);
    rows = malloc((count + (size_t)1) * sizeof *rows);
    TVK_TRY_ALLOC(rows);
    out->list = tvk_arena_alloc(&t->arena, count + (size_t)1, sizeof *out->list);
    TVK_TRY_ALLOC(out->list);
    for (uint32_t id = 0; id < t->vocab; id++)
        if (listed(&t->tokens[id])) rows[n++] = (row){&t->tokens[id], id};
    qsort(rows, count, sizeof *rows, compare_rows);
    link_rows(t, out, rows, count);
fail:
    free(rows);
    return st;
}

int32_t tvk_specials_find(const tvk_tokenizer *t, const tvk_specials *s, const char *text,
                          size_t bytes)
{
    const tvk_token here = {.text = text,
                            .text_bytes = (uint32_t)(bytes < UINT32_MAX ? bytes : UINT32_MAX)};
    uint32_t lo = s->at[(unsigned char)text[0]], hi = s->at[(unsigned char)text[0] + 1];
    uint32_t first = lo, same = 0;
    int32_t i;
    while (lo < hi) { /* first one above the input */
        uint32_t mid = lo + (hi - lo) / 2;
        if (compare_texts(&t->tokens[s->list[mid].id], &here) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == first) return -1;
    i = (int32_t)lo - 1;
    {
        const tvk_token *token = &t->tokens[s->list[i].id];
        while (same < token->text_bytes && same < bytes && token->text[same] == text[same]) same++;
    }
    while (i >= 0 && t->tokens[s->list[i].id].text_bytes > same) i = s->list[i].up;
    return i < 0 ? -1 : (int32_t)s->list[i].id;
}
