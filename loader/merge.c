/* The merge loop of both tokenizers: a binary heap of candidate pairs over a linked list of
 * symbols, O(n log n) in the length of the text. */
#include "tokenizer.h"

#include <stdlib.h>

static bool before(const tvk_merge *a, const tvk_merge *b)
{
    return a->key != b->key ? a->key < b->key : a->left < b->left;
}

tvk_status tvk_merge_push(tvk_merge_heap *heap, tvk_merge merge, tvk_error *err)
{
    tvk_status st = TVK_OK;
    size_t i;
    if (heap->count == heap->room) {
        size_t room = heap->room ? heap->room * 2 : 64;
        tvk_merge *items = realloc(heap->items, room * sizeof *items);
        TVK_TRY_ALLOC(items);
        heap->items = items;
        heap->room = room;
    }
    i = heap->count++;
    while (i > 0 && before(&merge, &heap->items[(i - 1) / 2])) {
        heap->items[i] = heap->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap->items[i] = merge;
fail:
    return st;
}

tvk_merge tvk_merge_pop(tvk_merge_heap *heap)
{
    tvk_merge top = heap->items[0];
    tvk_merge last = heap->items[--heap->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count && before(&heap->items[child + 1], &heap->items[child]))
            child++;
        if (!before(&heap->items[child], &last)) break;
        heap->items[i] = heap->items[child];
        i = child;
    }
    heap->items[i] = last;
    return top;
}

tvk_status tvk_merge_all(tvk_symbol *symbols, uint32_t count, tvk_merge_heap *heap,
                         bool (*pair)(const void *user, const tvk_symbol *left,
                                      const tvk_symbol *right, tvk_merge *merge),
                         const void *user, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_merge m = {0};
    heap->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        symbols[i].prev = i == 0 ? TVK_NO_SYMBOL : i - 1;
        symbols[i].next = i + 1 == count ? TVK_NO_SYMBOL : i + 1;
    }
    for (uint32_t i = 0; i + 1 < count; i++) {
        if (!pair(user, &symbols[i], &symbols[i + 1], &m)) continue;
        m.left = i;
        m.right = i + 1;
        m.size = symbols[i].bytes + symbols[i + 1].bytes;
        TVK_TRY(tvk_merge_push(heap, m, err));
    }
    while (heap->count > 0) {
        tvk_symbol *left, *right;
        uint32_t ends[2][2];
        m = tvk_merge_pop(heap);
        left = &symbols[m.left];
        right = &symbols[m.right];
        /* stale: one side has been merged since (then its length grew or became 0) */
        if (left->bytes == 0 || right->bytes == 0 || left->next != m.right ||
            left->bytes + right->bytes != m.size)
            continue;
        left->bytes += right->bytes;
        left->token = m.token;
        left->next = right->next;
        if (right->next != TVK_NO_SYMBOL) symbols[right->next].prev = m.left;
        right->bytes = 0;
        ends[0][0] = left->prev;
        ends[0][1] = m.left;
        ends[1][0] = m.left;
        ends[1][1] = left->next;
        for (int e = 0; e < 2; e++) {
            uint32_t a = ends[e][0], b = ends[e][1];
            if (a == TVK_NO_SYMBOL || b == TVK_NO_SYMBOL) continue;
            if (!pair(user, &symbols[a], &symbols[b], &m)) continue;
            m.left = a;
            m.right = b;
            m.size = symbols[a].bytes + symbols[b].bytes;
            TVK_TRY(tvk_merge_push(heap, m, err));
        }
    }
fail:
    return st;
}
