#include "shards.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "path.h"

#define SINGLE "model.safetensors"
#define INDEX "model.safetensors.index.json"
#define MAX_SHARDS 4096

static bool exists(const char *folder, const char *name)
{
    tvk_arena arena = {0};
    const char *path = tvk_path_join(&arena, folder, name);
    bool found = path && tvk_path_look(path) != TVK_PATH_NONE;
    tvk_arena_free(&arena);
    return found;
}

static tvk_status open_shard(const char *path, tvk_shard *shard, tvk_error *err)
{
    tvk_status st;
    tvk_error why = {0};
    TVK_TRY(tvk_mapping_open(path, &shard->mapping, err));
    st = tvk_safetensors_parse(shard->mapping.data, shard->mapping.size, &shard->file, &why);
    if (st != TVK_OK) tvk_error_set(err, st, __FILE__, __LINE__, "%.180s: %.320s", path, why.text);
fail:
    return st;
}

/* ---- the index ---- */

/* Only names of files in the folder itself: an index could point anywhere else. */
static bool plain_name(const char *name)
{
    static const char ending[] = ".safetensors";
    size_t len = strlen(name), tail = sizeof ending - 1;
    return len > tail && strcmp(name + len - tail, ending) == 0 && name[0] != '.' &&
           !strpbrk(name, "/\\:");
}

/* Files of the index in the order in which they come, each once; file_of[i] is that of entry i. */
static tvk_status list_files(tvk_shards *s, const char *folder, json_t *map, uint32_t *file_of,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_map names = {0};
    size_t entry = 0;
    const char *tensor;
    json_t *value;
    TVK_TRY_ALLOC(tvk_map_init(&names, json_object_size(map)));
    json_object_foreach(map, tensor, value)
    {
        const char *name = json_string_value(value);
        const uint32_t *known;
        if (!name || !plain_name(name))
            TVK_FAIL(TVK_ERR_FORMAT,
                     "%.200s/" INDEX ": tensor '%.80s': the name of a .safetensors file of the "
                     "folder expected, '%.80s' found",
                     folder, tensor, name ? name : "something else");
        known = tvk_map_find(&names, name, strlen(name));
        if (!known) {
            if (s->shard_count == MAX_SHARDS)
                TVK_FAIL(TVK_ERR_FORMAT, "%.200s/" INDEX ": more than %d files", folder,
                         MAX_SHARDS);
            tvk_map_add(&names, name, strlen(name), s->shard_count);
            s->shards[s->shard_count].path = tvk_path_join(&s->arena, folder, name);
            TVK_TRY_ALLOC(s->shards[s->shard_count].path);
            file_of[entry] = s->shard_count++;
        } else {
            file_of[entry] = *known;
        }
        entry++;
    }
fail:
    tvk_map_free(&names);
    return st;
}

/* Each tensor of the index is in its file, and the files hold no others. */
static tvk_status check_index(const tvk_shards *s, const char *folder, json_t *map,
                              const uint32_t *file_of, tvk_error *err)
{
    tvk_status st = TVK_OK;
    size_t entry = 0, total = 0;
    const char *tensor;
    json_t *value;
    json_object_foreach(map, tensor, value)
    {
        const tvk_shard *shard = &s->shards[file_of[entry++]];
        if (!tvk_map_find(&shard->file->names, tensor, strlen(tensor)))
            TVK_FAIL(TVK_ERR_FORMAT,
                     "%.200s: tensor '%.120s' expected, as " INDEX " says; it is not in this file",
                     shard->path, tensor);
    }
    for (uint32_t i = 0; i < s->shard_count; i++) total += s->shards[i].file->tensor_count;
    if (total == json_object_size(map)) return TVK_OK;
    for (uint32_t i = 0; i < s->shard_count; i++) {
        const tvk_safetensors *file = s->shards[i].file;
        for (uint32_t j = 0; j < file->tensor_count; j++) {
            const char *home = json_string_value(json_object_get(map, file->tensors[j].name));
            if (home && strcmp(s->shards[i].path + strlen(folder) + 1, home) == 0) continue;
            TVK_FAIL(TVK_ERR_FORMAT,
                     "%.200s: tensor '%.120s' is in this file, " INDEX " has it in %.100s",
                     s->shards[i].path, file->tensors[j].name, home ? home : "none");
        }
    }
fail:
    return st;
}

static tvk_status open_index(tvk_shards *s, const char *folder, tvk_error *err)
{
    tvk_status st = TVK_OK;
    json_t *root = NULL, *map;
    uint32_t *file_of = NULL;
    size_t count;
    const char *path = tvk_path_join(&s->arena, folder, INDEX);
    TVK_TRY_ALLOC(path);
    TVK_TRY(tvk_json_open(path, &root, err));
    map = json_object_get(root, "weight_map");
    count = json_object_size(map); /* 0 of what is no object */
    if (count == 0)
        TVK_FAIL(TVK_ERR_FORMAT, "%.200s: weight_map: an object of tensors and files expected",
                 path);
    file_of = calloc(count, sizeof *file_of);
    TVK_TRY_ALLOC(file_of);
    s->shards =
        tvk_arena_alloc(&s->arena, count < MAX_SHARDS ? count : MAX_SHARDS, sizeof *s->shards);
    TVK_TRY_ALLOC(s->shards);
    TVK_TRY(list_files(s, folder, map, file_of, err));
    for (uint32_t i = 0; i < s->shard_count; i++)
        TVK_TRY(open_shard(s->shards[i].path, &s->shards[i], err));
    TVK_TRY(check_index(s, folder, map, file_of, err));
fail:
    free(file_of);
    json_decref(root);
    return st;
}

/* ---- the folder ---- */

static tvk_status no_weights(const char *folder, tvk_error *err)
{
    char name[64];
    for (uint32_t count = 1; count <= MAX_SHARDS; count++) {
        snprintf(name, sizeof name, "model-00001-of-%05" PRIu32 ".safetensors", count);
        if (exists(folder, name))
            return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                                 "%.200s: %s is there, but no " INDEX ", which says what the "
                                 "shards hold",
                                 folder, name);
    }
    if (exists(folder, "pytorch_model.bin") || exists(folder, "pytorch_model.bin.index.json"))
        return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                             "%.200s: " SINGLE " expected, pytorch_model.bin found: a pickle can "
                             "run code and is not read, save the model as safetensors",
                             folder);
    return tvk_error_set(err, TVK_ERR_IO, __FILE__, __LINE__,
                         "%.200s: " SINGLE " or " INDEX " expected, neither found", folder);
}

static tvk_status open_single(tvk_shards *s, const char *folder, tvk_error *err)
{
    tvk_status st;
    s->shards = tvk_arena_alloc(&s->arena, 1, sizeof *s->shards);
    TVK_TRY_ALLOC(s->shards);
    s->shards[0].path = tvk_path_join(&s->arena, folder, SINGLE);
    TVK_TRY_ALLOC(s->shards[0].path);
    s->shard_count = 1;
    TVK_TRY(open_shard(s->shards[0].path, &s->shards[0], err));
fail:
    return st;
}

static tvk_status collect(tvk_shards *s, tvk_error *err)
{
    tvk_status st = TVK_OK;
    size_t total = 0;
    for (uint32_t i = 0; i < s->shard_count; i++) total += s->shards[i].file->tensor_count;
    if (total > UINT32_MAX) TVK_FAIL(TVK_ERR_FORMAT, "%zu tensors are too many", total);
    s->tensors = tvk_arena_alloc(&s->arena, total + 1, sizeof *s->tensors);
    TVK_TRY_ALLOC(s->tensors);
    TVK_TRY_ALLOC(tvk_map_init(&s->names, total));
    for (uint32_t i = 0; i < s->shard_count; i++) {
        const tvk_safetensors *file = s->shards[i].file;
        for (uint32_t j = 0; j < file->tensor_count; j++) {
            const char *name = file->tensors[j].name;
            tvk_map_add(&s->names, name, strlen(name), s->tensor_count);
            s->tensors[s->tensor_count++] = &file->tensors[j];
        }
    }
fail:
    return st;
}

tvk_status tvk_shards_open(const char *folder, tvk_shards **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_shards *s;
    *out = NULL;
    s = calloc(1, sizeof *s);
    TVK_TRY_ALLOC(s);
    if (exists(folder, SINGLE))
        TVK_TRY(open_single(s, folder, err));
    else if (exists(folder, INDEX))
        TVK_TRY(open_index(s, folder, err));
    else
        TVK_TRY(no_weights(folder, err));
    TVK_TRY(collect(s, err));
    *out = s;
    s = NULL;
fail:
    tvk_shards_close(&s);
    return st;
}

void tvk_shards_close(tvk_shards **shards)
{
    tvk_shards *s = *shards;
    if (!s) return;
    for (uint32_t i = 0; i < s->shard_count; i++) {
        tvk_safetensors_destroy(&s->shards[i].file);
        tvk_mapping_close(&s->shards[i].mapping);
    }
    tvk_map_free(&s->names);
    tvk_arena_free(&s->arena);
    free(s);
    *shards = NULL;
}

const uint32_t *tvk_shards_find(const tvk_shards *shards, const char *name)
{
    return tvk_map_find(&shards->names, name, strlen(name));
}
