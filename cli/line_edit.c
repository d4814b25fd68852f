#include "line_edit.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <histedit.h>

#define REMEMBERED 1000

struct line_edit {
    EditLine *editor;
    History *history;
    const char *prompt;
};

static const char *get_prompt(EditLine *editor)
{
    line_edit *e = NULL;
    el_get(editor, EL_CLIENTDATA, &e);
    return e->prompt;
}

static unsigned char leave(EditLine *editor, int character)
{
    (void)editor;
    (void)character;
    return CC_EOF;
}

line_edit *line_edit_open(void)
{
    line_edit *e = calloc(1, sizeof *e);
    HistEvent event;
    if (!e) return NULL;
    setlocale(LC_CTYPE, ""); /* the terminal's characters; numbers keep their form */
    e->editor = el_init("ternvk", stdin, stderr, stderr);
    e->history = history_init();
    if (!e->editor || !e->history) {
        line_edit_close(e);
        return NULL;
    }
    history(e->history, &event, H_SETSIZE, REMEMBERED);
    history(e->history, &event, H_SETUNIQUE, 1);
    el_set(e->editor, EL_CLIENTDATA, e);
    el_set(e->editor, EL_PROMPT, get_prompt);
    el_set(e->editor, EL_EDITOR, "emacs");
    el_set(e->editor, EL_HIST, history, e->history);
    el_set(e->editor, EL_SIGNAL,
           1); /* sizes of the window; the terminal as it was on the way out */
    el_set(e->editor, EL_ADDFN, "leave", "end the input", leave);
    el_set(e->editor, EL_SETTY, "-d", "-isig", NULL); /* Ctrl-C arrives as a character */
    el_set(e->editor, EL_BIND, "^C", "leave", NULL);
    el_set(e->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    return e;
}

void line_edit_close(line_edit *e)
{
    if (!e) return;
    if (e->editor) el_end(e->editor);
    if (e->history) history_end(e->history);
    free(e);
}

char *line_edit_read(line_edit *e, const char *prompt, size_t *bytes)
{
    HistEvent event;
    int count = 0;
    const char *text;
    char *copy;
    e->prompt = prompt;
    text = el_gets(e->editor, &count);
    if (!text || count <= 0) {
        fputc('\n', stderr);
        return NULL;
    }
    if (strspn(text, " \r\n") < strlen(text)) history(e->history, &event, H_ENTER, text);
    *bytes = strcspn(text, "\r\n");
    copy = malloc(*bytes + 1);
    if (!copy) return NULL;
    memcpy(copy, text, *bytes);
    copy[*bytes] = '\0';
    return copy;
}
