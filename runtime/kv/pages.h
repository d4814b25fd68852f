/* KV cache: pages of 128 positions, one pool a layer, pages handed to session slots. */
#ifndef TVK_KV_PAGES_H
#define TVK_KV_PAGES_H

#include "base/error.h"
#include "kernels/ops.h"
#include "ternvk/model.h"
#include "vk/gpu.h"

/* Words of one page of one layer (docs/formats.md). */
uint32_t tvk_kv_page_words(tvk_cache_types types, uint32_t kv_heads, uint32_t head_size);

typedef struct tvk_kv_pool {
    tvk_buffer **layers; /* [layer_count], page p of a layer at p * page_words */
    uint32_t layer_count;
    tvk_cache_types types;
    uint32_t page_words;
    uint32_t *free_pages; /* stack */
    uint32_t free_count;
} tvk_kv_pool;

/* Errors: TVK_ERR_UNSUPPORTED when a layer's pool is larger than one binding of the device may be.
 */
tvk_status tvk_kv_pool_create(tvk_device *device, tvk_cache_types types, uint32_t layers,
                              uint32_t kv_heads, uint32_t head_size, uint32_t pages,
                              tvk_kv_pool *out, tvk_error *err);
void tvk_kv_pool_destroy(tvk_kv_pool *pool);
/* count pages, all or none. */
bool tvk_kv_pool_take(tvk_kv_pool *pool, uint32_t count, uint32_t *pages);
void tvk_kv_pool_give(tvk_kv_pool *pool, uint32_t count, const uint32_t *pages);

#endif
