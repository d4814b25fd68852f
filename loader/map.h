/* Hash table from byte strings (borrowed) to 32-bit values. */
#ifndef TVK_LOADER_MAP_H
#define TVK_LOADER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tvk_map_slot tvk_map_slot;
typedef struct tvk_map {
    tvk_map_slot *slots;
    size_t mask, used;
} tvk_map;

/* Room for `count` entries; false when malloc fails. */
bool tvk_map_init(tvk_map *map, size_t count);
void tvk_map_free(tvk_map *map);

/* NULL when absent. */
const uint32_t *tvk_map_find(const tvk_map *map, const void *key, size_t bytes);
/* False when the key is there already (its value stays). At most `count` different keys. */
bool tvk_map_add(tvk_map *map, const void *key, size_t bytes, uint32_t value);

#endif
