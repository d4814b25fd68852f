/* What a file has that its reader should know of, though nothing is wrong with it. */
#include "base/dtype.h"
#include "model/weights.h"

#include <stdlib.h>
#include <string.h>

typedef struct used {
    const tvk_tensor **list;
    uint32_t count, room;
} used;

static void add(used *u, const tvk_tensor *t)
{
    if (t && u->count < u->room) u->list[u->count++] = t;
}

static void add_matrix(used *u, const tvk_matrix_plan *m)
{
    for (uint32_t p = 0; p < m->part_count; p++) {
        add(u, m->part[p].tensor);
        add(u, m->part[p].scale);
    }
}

static void add_all(used *u, const tvk_weights_plan *plan, const tvk_config *config)
{
    add_matrix(u, &plan->embedding);
    add_matrix(u, &plan->output);
    add(u, plan->output_norm);
    for (uint32_t i = 0; i < config->layers; i++) {
        const tvk_layer_plan *l = &plan->layers[i];
        add_matrix(u, &l->qkv);
        add_matrix(u, &l->gate_up);
        for (uint32_t s = 0; s < config->weight_groups; s++) {
            add_matrix(u, &l->o[s]);
            add_matrix(u, &l->down[s]);
        }
        add(u, l->attn_norm);
        add(u, l->attn_sub_norm);
        add(u, l->ffn_norm);
        add(u, l->ffn_sub_norm);
    }
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (const tvk_tensor *const *)a;
    uintptr_t y = (uintptr_t) * (const tvk_tensor *const *)b;
    return (x > y) - (x < y);
}

static tvk_status note_unused(const tvk_weight_source *source, const tvk_weights_plan *plan,
                              tvk_config *config, tvk_arena *arena, tvk_error *err)
{
    tvk_status st = TVK_OK;
    /* a layer has at most 7 matrices with a scale each and 4 gains, in b1 a pair a slab */
    used u = {.room = (18 + 4 * config->weight_groups) * config->layers + 8};
    const tvk_tensor *first = NULL;
    uint32_t unused = 0;
    u.list = tvk_arena_alloc(arena, u.room, sizeof *u.list);
    TVK_TRY_ALLOC(u.list);
    add_all(&u, plan, config);
    qsort(u.list, u.count, sizeof *u.list, by_address);
    for (uint32_t i = 0; i < source->tensor_count(source->user); i++) {
        const tvk_tensor *t = source->tensor_at(source->user, i);
        if (bsearch(&t, u.list, u.count, sizeof *u.list, by_address)) continue;
        if (unused++ == 0) first = t;
    }
    if (unused == 1) tvk_config_note(config, "tensor %s is not used", first->name);
    if (unused > 1)
        tvk_config_note(config, "%u tensors are not used, %s first", unused, first->name);
fail:
    return st;
}

/* Writers are known to keep the number of a type that they did not write in the end. */
static void note_file_type(const tvk_weight_source *source, const tvk_weights_plan *plan,
                           tvk_config *config)
{
    const tvk_tensor *t = plan->layers[0].gate_up.part[0].tensor;
    uint64_t number = 0;
    tvk_error err;
    if (!source->get_u64(source->user, "general.file_type", &number, &err)) return;
    if (tvk_dtype_get(t->type)->file_type < 0 ||
        number == (uint64_t)tvk_dtype_get(t->type)->file_type)
        return;
    for (int i = 0; i < TVK_DTYPE_COUNT; i++) {
        if (tvk_dtype_get((tvk_dtype)i)->file_type != (int64_t)number) continue;
        tvk_config_note(config, "general.file_type says %s, %s is %s", tvk_dtype_name((tvk_dtype)i),
                        t->name, tvk_dtype_name(t->type));
        return;
    }
}

/* Tokens without a row cannot be read; rows without a token are never meant. */
static void note_vocabulary(const tvk_weight_source *source, tvk_config *config)
{
    uint64_t tokens = source->array_count(source->user, "tokenizer.ggml.tokens");
    if (tokens != 0 && tokens != config->vocab)
        tvk_config_note(config, "the tokenizer has %llu tokens, the embedding %u rows",
                        (unsigned long long)tokens, config->vocab);
}

/* TriLM's files look like those of models with INT8 activations. */
static void note_activations(const tvk_weights_plan *plan, tvk_config *config)
{
    if (strcmp(config->arch->id, "llama") == 0 && config->act == TVK_ACT_INT8 &&
        !config->file_quant[0] && tvk_dtype_get(plan->layers[0].qkv.part[0].tensor->type)->ternary)
        tvk_config_note(config, "llama, ternary, no activation_quant: int8 assumed (--act none for "
                                "models trained without)");
}

tvk_status tvk_oddities_note(const tvk_weight_source *source, const tvk_weights_plan *plan,
                             tvk_config *config, tvk_arena *arena, tvk_error *err)
{
    tvk_status st;
    note_file_type(source, plan, config);
    note_activations(plan, config);
    TVK_TRY(note_unused(source, plan, config, arena, err));
    note_vocabulary(source, config);
fail:
    return st;
}
