#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 * 1024)

/* The strictest alignment of what is kept here; Microsoft's C library has no max_align_t. */
typedef union strictest {
    long long integer;
    long double number;
    void *pointer;
    void (*function)(void);
} strictest;

struct tvk_arena_block {
    tvk_arena_block *next;
    size_t used, size;
    alignas(strictest) unsigned char data[];
};

void *tvk_arena_alloc(tvk_arena *arena, size_t count, size_t elem_bytes)
{
    const size_t align = alignof(strictest);
    tvk_arena_block *b = arena->head;
    size_t bytes;
    if (elem_bytes != 0 && count > (SIZE_MAX / 2) / elem_bytes) return NULL;
    bytes = (count * elem_bytes + align - 1) / align * align;
    if (bytes == 0) bytes = align;
    if (!b || b->size - b->used < bytes) {
        size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        b = calloc(1, sizeof *b + size);
        if (!b) return NULL;
        b->size = size;
        b->next = arena->head;
        arena->head = b;
    }
    b->used += bytes;
    return b->data + b->used - bytes;
}

char *tvk_arena_strdup(tvk_arena *arena, const char *s, size_t len)
{
    char *copy = tvk_arena_alloc(arena, len + 1, 1);
    if (copy) memcpy(copy, s, len);
    return copy;
}

void tvk_arena_free(tvk_arena *arena)
{
    while (arena->head) {
        tvk_arena_block *next = arena->head->next;
        free(arena->head);
        arena->head = next;
    }
}
