/* Host memory that is freed at once: objects of a model or a graph live in one arena. */
#ifndef TVK_BASE_ARENA_H
#define TVK_BASE_ARENA_H

#include <stddef.h>

typedef struct tvk_arena_block tvk_arena_block;
typedef struct tvk_arena {
    tvk_arena_block *head;
} tvk_arena;

/* Zeroed, aligned for any type; NULL when malloc fails or the size is absurd. */
void *tvk_arena_alloc(tvk_arena *arena, size_t count, size_t elem_bytes);
char *tvk_arena_strdup(tvk_arena *arena, const char *s, size_t len);
void tvk_arena_free(tvk_arena *arena);

#endif
