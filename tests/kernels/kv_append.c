/* Keys and values of the step's rows into their pages: everything else in the pool must stay. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_case_size size;
    uint32_t heads, kv_heads, d;
    uint32_t t, capacity, slots, context;
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    {TINY, 1, 1, 8, 1, 1, 1, 128},         {TINY, 4, 2, 32, 3, 3, 2, 300},
    {TINY, 3, 3, 48, 2, 16, 1, 129},       {SMALL, 8, 4, 64, 5, 5, 3, 500},
    {SMALL, 2, 1, 96, 16, 16, 2, 256},     {SMALL, 4, 4, 100, 7, 8, 2, 300},
    {SMALL, 20, 5, 128, 37, 37, 1, 500},   {SMALL, 2, 1, 256, 3, 3, 2, 257},
    {REAL, 8, 8, 64, 1, 1, 1, 1024},       {REAL, 20, 5, 128, 1, 1, 1, 4096},
    {REAL, 20, 5, 128, 512, 512, 1, 4096},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))

/* types of K, V and Q */
static const tvk_cache_types pairs[] = {
    {TVK_CACHE_F32, TVK_CACHE_F32, TVK_QUERY_F32}, {TVK_CACHE_F16, TVK_CACHE_F16, TVK_QUERY_F32},
    {TVK_CACHE_Q8, TVK_CACHE_Q8, TVK_QUERY_F32},   {TVK_CACHE_Q4, TVK_CACHE_Q4, TVK_QUERY_F32},
    {TVK_CACHE_Q3, TVK_CACHE_Q3, TVK_QUERY_F32},   {TVK_CACHE_Q4, TVK_CACHE_F16, TVK_QUERY_F32},
    {TVK_CACHE_F32, TVK_CACHE_Q3, TVK_QUERY_F32},  {TVK_CACHE_F16, TVK_CACHE_F16, TVK_QUERY_Q4},
    {TVK_CACHE_Q3, TVK_CACHE_Q4, TVK_QUERY_Q4},    {TVK_CACHE_F32, TVK_CACHE_F32, TVK_QUERY_Q8},
};
#define PAIRS ((uint32_t)(sizeof pairs / sizeof *pairs))

typedef struct own {
    const shape *shape;
    tvk_cache_types types;
    struct tvk_kv_append_params params;
    tvk_array *qkv, *pool, *queries; /* queries: NULL where Q stays as it is */
} own;

static uint32_t count(void)
{
    return SHAPES * PAIRS;
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index % SHAPES];
    tvk_cache_types types = pairs[index / SHAPES];
    out->op = index < SHAPES       ? TVK_OP_kv_append_f32
              : index < 2 * SHAPES ? TVK_OP_kv_append_f16
              : types.q            ? TVK_OP_kv_append_qi
                                   : TVK_OP_kv_append_q;
    out->size = s->size;
    out->shape[1] = s->d;
    out->shape[2] = s->t;
    out->shape[0] = s->kv_heads;
    tvk_rig_types(types, out->types, sizeof out->types);
    snprintf(out->name, sizeof out->name, "G %u D %u T %u of %u slots %u, %s %s%s%s", s->kv_heads,
             s->d, s->t, s->capacity, s->slots, tvk_rig_cache_name(types.k),
             tvk_rig_cache_name(types.v), types.q ? " q " : "",
             types.q ? tvk_rig_cache_name(types.q) : "");
}

/* Rows of a prefill from 120 on (over a page end) in turn over the slots; the first one
 * stands at the beginning, the last one at the end of the context. */
static void row(const shape *s, uint32_t t, tvk_rig_row *out)
{
    out->slot = t % s->slots;
    out->position = t == s->t - 1 ? s->context - 1 : t == 0 ? 0 : (120 + t / s->slots) % s->context;
}

/* Values that show the rounding to f16: ties of both kinds, small, and plain ones. */
static float value(uint32_t i)
{
    switch (i % 7) {
    case 0:
        return 1.0f + 1.0f / 2048; /* half-way, down to even */
    case 1:
        return 1.0f + 3.0f / 2048; /* half-way, up to even */
    case 2:
        return -(2049.0f + 2.0f * (float)(i % 64)); /* half-way above 2048 */
    case 3:
        return 0.0001f * tvk_rig_float(1, i);
    default:
        return 8.0f * tvk_rig_float(1, i);
    }
}

/* K or V of a head at the row's position: its words and its half of the word of scales. */
static void want_head(const own *o, const tvk_rig_row *r, const float *x, uint32_t page, uint32_t g,
                      bool v)
{
    const shape *s = o->shape;
    uint32_t words[TVK_RIG_HEAD], count;
    uint16_t scale;
    uint32_t type = tvk_rig_cache_pack(o->types, v, r->position, x, s->d, words, &scale);
    uint32_t *to = o->pool->want + (uint64_t)page * o->params.page_words;
    count = TVK_CACHE_ROW_WORDS(type, s->d);
    for (uint32_t w = 0; w < count; w++)
        to[tvk_rig_cache_word(o->types, v, s->kv_heads, s->d, r->position, g, w)] = words[w];
    if (TVK_CACHE_PACKED(o->types.k) || TVK_CACHE_PACKED(o->types.v)) {
        to += TVK_CACHE_SCALES(o->types.k, o->types.v, s->kv_heads, s->d) + g * TVK_CHUNK +
              r->position % TVK_CHUNK;
        *to = v ? (*to & 0xffffu) | (uint32_t)scale << 16 : scale;
    }
}

static void want_row(const tvk_rig *rig, const own *o, const tvk_rig_row *r, uint32_t t)
{
    const shape *s = o->shape;
    const float *x = tvk_rig_floats(o->qkv->words) + (uint64_t)t * o->params.stride;
    uint32_t page = tvk_rig_page(&rig->layout, r->slot, r->position / TVK_CHUNK);
    for (uint32_t g = 0; g < s->kv_heads; g++) {
        want_head(o, r, x + o->params.k_offset + g * s->d, page, g, false);
        want_head(o, r, x + o->params.v_offset + g * s->d, page, g, true);
    }
    for (uint32_t h = 0; o->queries && h < s->heads; h++)
        tvk_ref_query_pack(o->types.q, x + h * s->d, s->d,
                           o->queries->want + (t * s->heads + h) * TVK_QUERY_WORDS(s->d));
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index % SHAPES];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    tvk_rig_row rows[TVK_RIG_ROWS] = {0};
    uint32_t max_pages = (s->context + TVK_CHUNK - 1) / TVK_CHUNK;
    tvk_rig_layout layout = {s->capacity, 1, s->slots, s->context, max_pages, 0, 0, 0, 0, 0};
    struct tvk_kv_append_params *p;
    TVK_TRY_ALLOC(o);
    o->shape = s;
    o->types = pairs[index / SHAPES];
    rig->own = o;
    for (uint32_t t = 0; t < s->t; t++) row(s, t, &rows[t]);
    TVK_TRY(tvk_rig_state(rig, &layout, rows, s->t, false, err));
    p = &o->params;
    p->heads = s->heads;
    p->kv_heads = s->kv_heads;
    p->d = s->d;
    p->stride = (s->heads + 2 * s->kv_heads) * s->d;
    p->k_offset = s->heads * s->d;
    p->v_offset = p->k_offset + s->kv_heads * s->d;
    p->pages_word = rig->layout.pages_word;
    p->max_pages = max_pages;
    p->page_words = TVK_CACHE_PAGE_WORDS(o->types.k, o->types.v, s->kv_heads, s->d);
    TVK_TRY(tvk_rig_array(rig, "qkv", (uint64_t)s->capacity * p->stride, p->stride, false, &o->qkv,
                          err));
    for (uint64_t i = 0; i < (uint64_t)s->t * p->stride; i++)
        o->qkv->words[i] = tvk_f32_bits(value((uint32_t)i));
    TVK_TRY(tvk_rig_array(rig, "pool", (uint64_t)s->slots * max_pages * p->page_words, s->d, true,
                          &o->pool, err));
    if (o->types.q) {
        uint32_t words = s->heads * TVK_QUERY_WORDS(s->d);
        TVK_TRY(tvk_rig_array(rig, "queries", (uint64_t)s->capacity * words, words, true,
                              &o->queries, err));
        rig->bytes += s->t * (4.0 * s->heads * s->d + 4.0 * words);
    }
    for (uint32_t t = 0; t < s->t; t++) want_row(rig, o, &rows[t], t);
    rig->bytes += s->t * (8.0 * s->kv_heads * s->d + p->page_words * 4.0 / TVK_CHUNK);
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    return tvk_op_kv_append(rig->kernels, &rig->list, rig->state->span, o->qkv->span, o->pool->span,
                            o->queries ? o->queries->span : o->qkv->span, &o->params, o->types,
                            o->shape->capacity, err);
}

const tvk_family tvk_family_kv_append = {count, describe, setup, append, NULL, NULL};
