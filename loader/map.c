#include "map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct tvk_map_slot {
    const void *key; /* NULL: free */
    size_t bytes;
    uint32_t hash, value;
};

/* FNV-1a, begun at the table's address: a file cannot choose keys that meet in one slot. Nothing
 * depends on the order. */
static uint32_t hash_bytes(const tvk_map *map, const void *key, size_t bytes)
{
    const unsigned char *p = key;
    uint64_t h = 1469598103934665603u ^ ((uint64_t)(uintptr_t)map->slots >> 4);
    for (size_t i = 0; i < bytes; i++) h = (h ^ p[i]) * 1099511628211u;
    h ^= h >> 32;
    return (uint32_t)(h * 0x9E3779B97F4A7C15u >> 32);
}

bool tvk_map_init(tvk_map *map, size_t count)
{
    size_t size = 16;
    while (size / 2 < count) {
        if (size > SIZE_MAX / 2 / sizeof(tvk_map_slot)) return false;
        size *= 2;
    }
    map->slots = calloc(size, sizeof *map->slots);
    map->mask = size - 1;
    map->used = 0;
    return map->slots != NULL;
}

void tvk_map_free(tvk_map *map)
{
    free(map->slots);
    memset(map, 0, sizeof *map);
}

/* The key's slot, or the free one where it belongs. */
static tvk_map_slot *slot_of(const tvk_map *map, const void *key, size_t bytes, uint32_t hash)
{
    size_t i = hash & map->mask;
    for (;; i = (i + 1) & map->mask) {
        tvk_map_slot *s = &map->slots[i];
        if (!s->key) return s;
        if (s->hash == hash && s->bytes == bytes && memcmp(s->key, key, bytes) == 0) return s;
    }
}

const uint32_t *tvk_map_find(const tvk_map *map, const void *key, size_t bytes)
{
    const tvk_map_slot *s;
    if (!map->slots) return NULL;
    s = slot_of(map, key, bytes, hash_bytes(map, key, bytes));
    return s->key ? &s->value : NULL;
}

bool tvk_map_add(tvk_map *map, const void *key, size_t bytes, uint32_t value)
{
    uint32_t hash = hash_bytes(map, key, bytes);
    tvk_map_slot *s = slot_of(map, key, bytes, hash);
    if (s->key) return false;
    assert(map->used <= map->mask / 2);
    map->used++;
    *s = (tvk_map_slot){key, bytes, hash, value};
    return true;
}
