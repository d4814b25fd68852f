/* Texts that come from files on their way to a reader. */
#ifndef TVK_BASE_TEXT_H
#define TVK_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Control characters (C0, DEL, and C1 in UTF-8) let a file drive the terminal that shows them, or
 * break a message of one line. */
bool tvk_text_has_control(const char *text, size_t bytes);
/* Each of their bytes becomes '.'. */
void tvk_text_clean(char *text);

#endif
