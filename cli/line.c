#include "line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line_edit.h"
#include "platform.h"

struct line_reader {
    bool interactive;
    line_edit *edit; /* NULL: plain lines */
};

line_reader *line_open(void)
{
    line_reader *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->interactive = platform_is_terminal(stdin);
    if (r->interactive) r->edit = line_edit_open();
    return r;
}

void line_close(line_reader **reader)
{
    line_reader *r = *reader;
    if (!r) return;
    line_edit_close(r->edit);
    free(r);
    *reader = NULL;
}

bool line_interactive(const line_reader *r)
{
    return r->interactive;
}

static char *read_plain(size_t *bytes)
{
    char *line = NULL;
    size_t used = 0, room = 0;
    int c = getchar();
    if (c == EOF) return NULL;
    for (;; c = getchar()) {
        bool over = c == EOF || c == '\n';
        if (used + 1 >= room) {
            char *more = realloc(line, room * 2 + 256);
            if (!more) break;
            line = more;
            room = room * 2 + 256;
        }
        if (over) {
            if (used > 0 && line[used - 1] == '\r') used--;
            line[used] = '\0';
            *bytes = used;
            return line;
        }
        line[used++] = (char)c;
    }
    free(line);
    return NULL;
}

char *line_read(line_reader *r, const char *prompt, size_t *bytes)
{
    if (r->edit) return line_edit_read(r->edit, prompt, bytes);
    if (r->interactive) {
        fputs(prompt, stderr);
        fflush(stderr);
    }
    return read_plain(bytes);
}

/* *text and its size grow by the line and a line end; false: out of memory. */
static bool append(char **text, size_t *bytes, const char *line, size_t line_bytes)
{
    char *more = realloc(*text, *bytes + line_bytes + 2);
    if (!more) return false;
    memcpy(more + *bytes, line, line_bytes);
    more[*bytes + line_bytes] = '\n';
    *text = more;
    *bytes += line_bytes + 1;
    more[*bytes] = '\0';
    return true;
}

#define FENCE "\"\"\""
#define FENCE_BYTES 3

char *line_read_message(line_reader *r, size_t *bytes)
{
    char *text = NULL, *line = line_read(r, "> ", bytes);
    size_t line_bytes = *bytes;
    bool fenced = line && line_bytes >= FENCE_BYTES && memcmp(line, FENCE, FENCE_BYTES) == 0;
    size_t skip = fenced ? FENCE_BYTES : 0;
    if (!line) return NULL;
    *bytes = 0;
    for (;;) {
        size_t kept = line_bytes - skip;
        bool over = true, ok;
        if (fenced) {
            over = kept >= FENCE_BYTES &&
                   memcmp(line + line_bytes - FENCE_BYTES, FENCE, FENCE_BYTES) == 0;
            if (over) kept -= FENCE_BYTES;
        } else if (kept > 0 && line[line_bytes - 1] == '\\') {
            over = false;
            kept--;
        }
        ok = append(&text, bytes, line + skip, kept);
        free(line);
        if (!ok) break;
        line = over ? NULL : line_read(r, "… ", &line_bytes);
        if (!line) { /* whole, or the input is over */
            text[--*bytes] = '\0';
            return text;
        }
        skip = 0;
    }
    free(text);
    return NULL;
}
