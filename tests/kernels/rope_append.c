/* Rotary embedding of Q, and K (turned) and V into their pages in one pass. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_case_size size;
    uint32_t heads, kv_heads, d;
    uint32_t t, capacity, slots, context;
} shape;

static const shape shapes[] = {
    {TVK_CASE_TINY, 2, 1, 8, 3, 5, 2, 130},         {TVK_CASE_TINY, 4, 2, 32, 5, 5, 1, 300},
    {TVK_CASE_SMALL, 3, 3, 100, 16, 16, 2, 257},    {TVK_CASE_SMALL, 20, 5, 128, 37, 37, 1, 500},
    {TVK_CASE_REAL, 20, 5, 128, 512, 512, 1, 4096},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))
#define KINDS 4u /* f32 and f16, pairs of halves and of neighbours */

typedef struct own {
    const shape *shape;
    bool inter;
    tvk_cache_types types;
    struct tvk_rope_append_params params;
    tvk_array *table, *qkv, *pool;
} own;

static uint32_t count(void)
{
    return SHAPES * KINDS;
}

static uint32_t type_of(uint32_t index)
{
    return index / SHAPES % 2 ? TVK_CACHE_F16 : TVK_CACHE_F32;
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index % SHAPES];
    const uint32_t type = type_of(index);
    out->op = type == TVK_CACHE_F16 ? TVK_OP_rope_append_f16 : TVK_OP_rope_append_f32;
    out->size = s->size;
    out->shape[1] = s->d;
    out->shape[2] = s->t;
    out->shape[0] = s->heads;
    snprintf(out->name, sizeof out->name, "H %u G %u D %u T %u of %u slots %u%s", s->heads,
             s->kv_heads, s->d, s->t, s->capacity, s->slots,
             index / SHAPES / 2 ? " neighbours" : "");
}

/* Rows of a prefill from 120 on (over a page end) in turn over the slots; the first one stands at
 * the beginning, the last one at the end of the context. */
static void row(const shape *s, uint32_t t, tvk_rig_row *out)
{
    out->slot = t % s->slots;
    out->position = t == s->t - 1 ? s->context - 1 : t == 0 ? 0 : (120 + t / s->slots) % s->context;
}

static void want_row(const tvk_rig *rig, own *o, const tvk_rig_row *r, uint32_t t)
{
    const shape *s = o->shape;
    const uint64_t at = (uint64_t)t * o->params.stride;
    const float *table = tvk_rig_floats(o->table->words) + (uint64_t)r->position * s->d;
    uint32_t page = tvk_rig_page(&rig->layout, r->slot, r->position / TVK_CHUNK);
    for (uint32_t h = 0; h < s->heads + 2 * s->kv_heads; h++) {
        float x[TVK_RIG_HEAD];
        uint32_t words[TVK_RIG_HEAD], g = (h - s->heads) % s->kv_heads;
        uint16_t scale;
        bool v = h >= s->heads + s->kv_heads;
        memcpy(x, o->qkv->words + at + h * s->d, s->d * sizeof *x);
        if (!v) tvk_ref_rope(x, table, s->d, s->d, o->inter);
        if (h < s->heads) {
            memcpy(o->qkv->want + at + h * s->d, x, s->d * sizeof *x);
            continue;
        }
        tvk_rig_cache_pack(o->types, v, r->position, x, s->d, words, &scale);
        for (uint32_t w = 0; w < TVK_CACHE_ROW_WORDS(o->types.k, s->d); w++)
            o->pool->want[(uint64_t)page * o->params.page_words +
                          tvk_rig_cache_word(o->types, v, s->kv_heads, s->d, r->position, g, w)] =
                words[w];
    }
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index % SHAPES];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    tvk_rig_row rows[TVK_RIG_ROWS] = {0};
    uint32_t max_pages = (s->context + TVK_CHUNK - 1) / TVK_CHUNK, type = type_of(index);
    tvk_rig_layout layout = {s->capacity, 1, s->slots, s->context, max_pages, 0, 0, 0, 0, 0};
    struct tvk_rope_append_params *p;
    TVK_TRY_ALLOC(o);
    o->shape = s;
    o->inter = index / SHAPES / 2 != 0;
    o->types = (tvk_cache_types){type, type, TVK_QUERY_F32};
    rig->own = o;
    for (uint32_t t = 0; t < s->t; t++) row(s, t, &rows[t]);
    TVK_TRY(tvk_rig_state(rig, &layout, rows, s->t, false, err));
    p = &o->params;
    *p = (struct tvk_rope_append_params){.heads = s->heads,
                                         .kv_heads = s->kv_heads,
                                         .d = s->d,
                                         .stride = (s->heads + 2 * s->kv_heads) * s->d,
                                         .pages_word = rig->layout.pages_word,
                                         .max_pages = max_pages,
                                         .page_words =
                                             TVK_CACHE_PAGE_WORDS(type, type, s->kv_heads, s->d)};
    TVK_TRY(tvk_rig_array(rig, "table", (uint64_t)s->context * s->d, s->d, false, &o->table, err));
    tvk_ref_rope_table(500000.0f, s->d, s->context, tvk_rig_floats(o->table->words));
    TVK_TRY(tvk_rig_array(rig, "qkv", (uint64_t)s->capacity * p->stride, p->stride, true, &o->qkv,
                          err));
    tvk_rig_fill(o->qkv->words, (uint64_t)s->t * p->stride, 31, 5.0f);
    memcpy(o->qkv->want, o->qkv->words, (size_t)o->qkv->count * 4);
    TVK_TRY(tvk_rig_array(rig, "pool", (uint64_t)s->slots * max_pages * p->page_words, s->d, true,
                          &o->pool, err));
    for (uint32_t t = 0; t < s->t; t++) want_row(rig, o, &rows[t], t);
    rig->bytes =
        s->t * (4.0 * (p->stride + (s->heads + 1.0) * s->d) + p->page_words * 4.0 / TVK_CHUNK);
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    return tvk_op_rope_append(rig->kernels, &rig->list, rig->state->span, o->table->span,
                              o->qkv->span, o->pool->span, &o->params, o->inter, o->types,
                              o->shape->capacity, err);
}

const tvk_family tvk_family_rope_append = {count, describe, setup, append, NULL, NULL};
