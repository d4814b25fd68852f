#include "base/text.h"

#include <string.h>

/* Bytes of the control character at s; 0: none. */
static size_t control_at(const char *s, size_t bytes)
{
    unsigned char c = (unsigned char)s[0];
    if (c < 32 || c == 127) return 1;
    if (c != 0xc2 || bytes < 2) return 0; /* U+0080 to U+009F are c2 80 to c2 9f */
    c = (unsigned char)s[1];
    return c >= 0x80 && c <= 0x9f ? 2 : 0;
}

bool tvk_text_has_control(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (control_at(text + i, bytes - i)) return true;
    return false;
}

void tvk_text_clean(char *text)
{
    size_t bytes = strlen(text);
    for (size_t i = 0; i < bytes; i++) {
        size_t n = control_at(text + i, bytes - i);
        memset(text + i, '.', n);
    }
}
