#include "kv/pages.h"

#include "shaders/include/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(TVK_KV_F16 == TVK_CACHE_F16 && TVK_KV_F32 == TVK_CACHE_F32 &&
                   TVK_KV_Q8 == TVK_CACHE_Q8 && TVK_KV_Q4 == TVK_CACHE_Q4 &&
                   TVK_KV_Q3 == TVK_CACHE_Q3 && TVK_Q_F32 == TVK_QUERY_F32 &&
                   TVK_Q_Q8 == TVK_QUERY_Q8 && TVK_Q_Q4 == TVK_QUERY_Q4,
               "the types of the model are those of the kernels");

uint32_t tvk_kv_page_words(tvk_cache_types types, uint32_t kv_heads, uint32_t head_size)
{
    return TVK_CACHE_PAGE_WORDS(types.k, types.v, kv_heads, head_size);
}

tvk_status tvk_kv_pool_create(tvk_device *device, tvk_cache_types types, uint32_t layers,
                              uint32_t kv_heads, uint32_t head_size, uint32_t pages,
                              tvk_kv_pool *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t limit = tvk_gpu_plan(device)->max_storage_bytes, bytes;
    memset(out, 0, sizeof *out);
    out->types = types;
    out->page_words = tvk_kv_page_words(types, kv_heads, head_size);
    out->layer_count = layers;
    bytes = (uint64_t)pages * out->page_words * 4;
    if (bytes > limit) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "KV cache: %llu bytes a layer for %u positions, the device binds at most %llu: "
                 "use a context of at most %llu positions in all sessions together",
                 (unsigned long long)bytes, pages * TVK_CHUNK, (unsigned long long)limit,
                 (unsigned long long)(limit / (out->page_words * 4) * TVK_CHUNK));
    }
    out->layers = calloc(layers, sizeof *out->layers);
    out->free_pages = calloc(pages, sizeof *out->free_pages);
    TVK_TRY_ALLOC(out->layers);
    TVK_TRY_ALLOC(out->free_pages);
    for (uint32_t l = 0; l < layers; l++) {
        char name[32];
        snprintf(name, sizeof name, "kv.%u", l);
        TVK_TRY(tvk_buffer_create(device, TVK_PURPOSE_KV, TVK_MEMORY_DEVICE, bytes, name,
                                  &out->layers[l], err));
    }
    for (uint32_t p = 0; p < pages; p++) out->free_pages[out->free_count++] = pages - 1 - p;
fail:
    if (st != TVK_OK) tvk_kv_pool_destroy(out);
    return st;
}

void tvk_kv_pool_destroy(tvk_kv_pool *pool)
{
    if (pool->layers) {
        for (uint32_t l = 0; l < pool->layer_count; l++) tvk_buffer_destroy(&pool->layers[l]);
    }
    free(pool->layers);
    free(pool->free_pages);
    memset(pool, 0, sizeof *pool);
}

bool tvk_kv_pool_take(tvk_kv_pool *pool, uint32_t count, uint32_t *pages)
{
    if (pool->free_count < count) return false;
    for (uint32_t i = 0; i < count; i++) pages[i] = pool->free_pages[--pool->free_count];
    return true;
}

void tvk_kv_pool_give(tvk_kv_pool *pool, uint32_t count, const uint32_t *pages)
{
    for (uint32_t i = 0; i < count; i++) pool->free_pages[pool->free_count++] = pages[i];
}
