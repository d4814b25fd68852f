#include "writer.h"

#include <stdio.h>

#include "out.h"

#define PIECE 64 /* a token is a few bytes; longer ones go in pieces */

void writer_put(writer *w, const char *bytes, size_t count, bool flush)
{
    char text[3 * (PIECE + 4)];
    do {
        size_t piece = count < PIECE ? count : PIECE;
        size_t n = tvk_utf8_push(&w->utf8, bytes, piece, flush && piece == count, text);
        fwrite(text, 1, n, stdout);
        bytes += piece;
        count -= piece;
    } while (count > 0);
    fflush(stdout);
}

void writer_token(writer *w, int32_t token)
{
    const char *bytes;
    size_t count;
    w->last_ms = out_now_ms();
    if (w->tokens++ == 0) w->first_ms = w->last_ms;
    tvk_token_bytes(w->tokenizer, token, w->at_start, false, &bytes, &count);
    if (count == 0) return; /* control tokens have no text */
    writer_put(w, bytes, count, false);
    w->at_start = false;
}

double writer_speed(const writer *w)
{
    if (w->tokens < 2 || w->last_ms <= w->first_ms) return 0;
    return (w->tokens - 1) / (w->last_ms - w->first_ms) * 1e3;
}
