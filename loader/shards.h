/* The safetensors of a Hugging Face folder: one model.safetensors, or the shards that
 * model.safetensors.index.json names. */
#ifndef TVK_LOADER_SHARDS_H
#define TVK_LOADER_SHARDS_H

#include "base/disk.h"
#include "safetensors.h"

typedef struct tvk_shard {
    char *path;
    tvk_mapping mapping;
    tvk_safetensors *file;
} tvk_shard;

typedef struct tvk_shards {
    tvk_arena arena;
    tvk_shard *shards;
    uint32_t shard_count;
    const tvk_st_tensor **tensors; /* of all shards */
    uint32_t tensor_count;
    tvk_map names;
} tvk_shards;

/* Maps and checks every shard: all are there, each holds exactly the tensors that the index gives
 * it. Errors: TVK_ERR_IO (a file, by name), TVK_ERR_FORMAT, TVK_ERR_UNSUPPORTED (a folder with
 * shards but no index, or with weights in another form). */
tvk_status tvk_shards_open(const char *folder, tvk_shards **out, tvk_error *err);
void tvk_shards_close(tvk_shards **shards);

/* Index into tensors; NULL when absent. */
const uint32_t *tvk_shards_find(const tvk_shards *shards, const char *name);

#endif
