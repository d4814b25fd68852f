/* UTF-8, strict (no overlong forms, no surrogates, nothing above U+10FFFF). */
#ifndef TVK_LOADER_UTF8_H
#define TVK_LOADER_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at s, 1 to 4; 0: not a character; -1: `bytes` ends inside of it. */
int tvk_utf8_length(const char *s, size_t bytes);
/* Code point of the `length` bytes at s, checked before. */
uint32_t tvk_utf8_decode(const char *s, int length);
/* Writes the character's 1 to 4 bytes and returns how many. */
int tvk_utf8_encode(uint32_t code, char *out);

#endif
