#include "prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/disk.h"
#include "out.h"

char *prompt_read_file(const char *path, size_t *bytes)
{
    FILE *f = strcmp(path, "-") ? tvk_disk_open(path, TVK_DISK_READ) : stdin;
    char *text = NULL;
    size_t used = 0, room = 0, got = 0;
    if (!f) return NULL;
    do {
        used += got;
        if (room - used < 4096) {
            char *more = realloc(text, room * 2 + 8192);
            if (!more) break;
            text = more;
            room = room * 2 + 8192;
        }
        got = fread(text + used, 1, room - used - 1, f);
    } while (got > 0);
    if (got > 0 || ferror(f)) {
        free(text);
        text = NULL;
    } else {
        text[used] = '\0';
        *bytes = used;
    }
    if (f != stdin) fclose(f);
    return text;
}

int prompt_read(prompt_source *p)
{
    if ((p->word != NULL) + (p->text != NULL) + (p->file != NULL) > 1) {
        out_error("one prompt expected: TEXT, -p TEXT or -f FILE");
        return 2;
    }
    if (p->file) {
        p->owned = prompt_read_file(p->file, &p->bytes);
        if (!p->owned) {
            out_error("%s cannot be read", p->file);
            return 1;
        }
        p->data = p->owned;
        return 0;
    }
    p->data = p->word ? p->word : p->text ? p->text : "";
    p->bytes = strlen(p->data);
    return 0;
}

void prompt_free(prompt_source *p)
{
    free(p->owned);
    p->owned = NULL;
}
