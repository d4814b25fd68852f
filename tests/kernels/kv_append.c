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
    {REAL, 8, 4, 64, 1, 1, 1, 1024},       {REAL, 20, 5, 128, 1, 1, 1, 4096},
    {REAL, 20, 5, 128, 512, 512, 1, 4096},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))

typedef struct own {
    const shape *shape;
    bool f16;
    struct tvk_kv_append_params params;
    tvk_array *qkv, *pool;
} own;

static uint32_t count(void)
{
    return SHAPES * 2;
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index % SHAPES];
    out->op = index < SHAPES ? TVK_OP_kv_append_f32 : TVK_OP_kv_append_f16;
    out->size = s->size;
    out->shape[1] = s->d;
    out->shape[2] = s->t;
    out->shape[3] = s->kv_heads;
    snprintf(out->name, sizeof out->name, "G %u D %u T %u of %u slots %u", s->kv_heads, s->d, s->t,
             s->capacity, s->slots);
}

/* Rows of a prefill from 120 on (over a page end) in turn over the slots; the last one stands at
 * the end of the context. */
static void row(const shape *s, uint32_t t, tvk_rig_row *out)
{
    out->slot = t % s->slots;
    out->position = t == s->t - 1 ? s->context - 1 : (120 + t / s->slots) % s->context;
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

static void put(const own *o, uint64_t at, float v)
{
    uint32_t *word;
    if (!o->f16) {
        o->pool->want[at] = tvk_f32_bits(v);
        return;
    }
    word = &o->pool->want[at / 2];
    *word = at % 2 ? (*word & 0xffffu) | (uint32_t)tvk_ref_f32_to_f16(v) << 16
                   : (*word & 0xffff0000u) | tvk_ref_f32_to_f16(v);
}

static void want_row(const tvk_rig *rig, const own *o, const tvk_rig_row *r, uint32_t t)
{
    const shape *s = o->shape;
    const uint32_t *x = o->qkv->words + (uint64_t)t * o->params.stride;
    uint32_t page = tvk_rig_page(&rig->layout, r->slot, r->position / TVK_CHUNK);
    uint64_t first = (uint64_t)page * o->params.page_words * (o->f16 ? 2 : 1);
    for (uint32_t g = 0; g < s->kv_heads; g++) {
        for (uint32_t i = 0; i < s->d; i++) {
            uint64_t at = first + ((uint64_t)g * TVK_CHUNK + r->position % TVK_CHUNK) * s->d + i;
            uint64_t values = (uint64_t)s->kv_heads * TVK_CHUNK * s->d;
            put(o, at, tvk_f32_from_bits(x[o->params.k_offset + g * s->d + i]));
            put(o, at + values, tvk_f32_from_bits(x[o->params.v_offset + g * s->d + i]));
        }
    }
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
    o->f16 = index >= SHAPES;
    rig->own = o;
    for (uint32_t t = 0; t < s->t; t++) row(s, t, &rows[t]);
    TVK_TRY(tvk_rig_state(rig, &layout, rows, s->t, false, err));
    p = &o->params;
    p->kv_heads = s->kv_heads;
    p->d = s->d;
    p->stride = (s->heads + 2 * s->kv_heads) * s->d;
    p->k_offset = s->heads * s->d;
    p->v_offset = p->k_offset + s->kv_heads * s->d;
    p->pages_word = rig->layout.pages_word;
    p->max_pages = max_pages;
    p->page_words = 2 * s->kv_heads * TVK_CHUNK * s->d / (o->f16 ? 2 : 1);
    TVK_TRY(tvk_rig_array(rig, "qkv", (uint64_t)s->capacity * p->stride, p->stride, false, &o->qkv,
                          err));
    for (uint64_t i = 0; i < (uint64_t)s->t * p->stride; i++)
        o->qkv->words[i] = tvk_f32_bits(value((uint32_t)i));
    TVK_TRY(tvk_rig_array(rig, "pool", (uint64_t)s->slots * max_pages * p->page_words,
                          o->f16 ? s->d / 2 : s->d, true, &o->pool, err));
    for (uint32_t t = 0; t < s->t; t++) want_row(rig, o, &rows[t], t);
    rig->bytes = 2.0 * s->t * s->kv_heads * s->d * (o->f16 ? 6.0 : 8.0);
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    return tvk_op_kv_append(rig->kernels, &rig->list, rig->state->span, o->qkv->span, o->pool->span,
                            &o->params, o->f16, o->shape->capacity, err);
}

const tvk_family tvk_family_kv_append = {count, describe, setup, append};
