/* The console of Windows edits lines and remembers them itself; it is read in UTF-16, since its
 * UTF-8 loses what is not ASCII. */
#define WIN32_LEAN_AND_MEAN
#include "line_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

#define CTRL_Z 0x1a /* ends the input at the start of a line */

struct line_edit {
    HANDLE console;
};

line_edit *line_edit_open(void)
{
    line_edit *e = malloc(sizeof *e);
    if (e) e->console = GetStdHandle(STD_INPUT_HANDLE);
    return e;
}

void line_edit_close(line_edit *e)
{
    free(e);
}

/* A whole line with its end, malloc'd, *count units; NULL: the input is over, or Ctrl-C. */
static wchar_t *read_wide(HANDLE console, size_t *count)
{
    wchar_t *line = NULL;
    size_t used = 0, room = 0;
    for (;;) {
        DWORD got = 0;
        if (room - used < 256) {
            wchar_t *more = realloc(line, (room * 2 + 1024) * sizeof *line);
            if (!more) break;
            line = more;
            room = room * 2 + 1024;
        }
        if (!ReadConsoleW(console, line + used, (DWORD)(room - used), &got, NULL) || got == 0)
            break;
        if (used == 0 && line[0] == CTRL_Z) break;
        used += got;
        if (line[used - 1] == L'\n') {
            *count = used;
            return line;
        }
    }
    free(line);
    return NULL;
}

char *line_edit_read(line_edit *e, const char *prompt, size_t *bytes)
{
    size_t units = 0;
    wchar_t *wide;
    char *text = NULL;
    fputs(prompt, stderr);
    fflush(stderr);
    wide = read_wide(e->console, &units);
    while (wide && units > 0 && (wide[units - 1] == L'\n' || wide[units - 1] == L'\r')) units--;
    if (wide) text = malloc(units * 3 + 1); /* a unit is at most three bytes of UTF-8 */
    if (text) {
        *bytes = units == 0 ? 0
                            : (size_t)WideCharToMultiByte(CP_UTF8, 0, wide, (int)units, text,
                                                          (int)units * 3, NULL, NULL);
        text[*bytes] = '\0';
    } else {
        fputc('\n', stderr);
    }
    free(wide);
    return text;
}
