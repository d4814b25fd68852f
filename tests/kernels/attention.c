/* Attention over pages: one row (chunks and merge) and many rows. Positions behind a row's own are
 * NaN in the pool, pages lie out of order. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

#define MAX_DEPTH 4096
#define ROWS_OF_A_REAL_CASE 3 /* that are checked */

typedef struct shape {
    tvk_case_size size;
    uint32_t heads, kv_heads, d;
    uint32_t t, capacity, slots;
    uint32_t depth; /* positions of the first row; the others stand at other depths */
    float sharp;
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    {TINY, 1, 1, 8, 1, 1, 1, 1, 1.0f},
    {TINY, 2, 1, 32, 1, 1, 2, 127, 1.0f},
    {TINY, 4, 1, 48, 1, 1, 1, 128, 4.0f},
    {TINY, 3, 3, 64, 1, 1, 1, 129, 1.0f},
    {SMALL, 4, 2, 64, 1, 1, 2, 500, 1.0f},
    {SMALL, 2, 2, 96, 1, 1, 1, 257, 8.0f},
    {SMALL, 4, 4, 100, 1, 1, 2, 129, 1.0f},
    {SMALL, 8, 2, 128, 1, 1, 1, 300, 40.0f},
    {SMALL, 2, 1, 256, 1, 1, 1, 130, 1.0f},
    {REAL, 8, 4, 64, 1, 1, 1, 128, 1.0f},
    {REAL, 8, 4, 64, 1, 1, 1, 1024, 1.0f},
    {REAL, 20, 5, 128, 1, 1, 1, 128, 1.0f},
    {REAL, 20, 5, 128, 1, 1, 1, 1024, 1.0f},
    {REAL, 20, 5, 128, 1, 1, 1, 4096, 1.0f},
    /* many rows */
    {TINY, 2, 1, 8, 2, 2, 1, 2, 1.0f},
    {TINY, 4, 1, 32, 3, 16, 2, 129, 1.0f},
    {TINY, 2, 2, 48, 5, 5, 2, 128, 8.0f},
    {SMALL, 4, 2, 64, 16, 16, 3, 300, 1.0f},
    {SMALL, 2, 2, 96, 5, 5, 1, 127, 1.0f},
    {SMALL, 4, 4, 100, 5, 8, 2, 129, 1.0f},
    {SMALL, 4, 1, 128, 7, 7, 2, 500, 40.0f},
    {SMALL, 2, 1, 256, 3, 3, 1, 257, 1.0f},
    {REAL, 8, 4, 64, 128, 128, 1, 512, 1.0f},
    {REAL, 20, 5, 128, 512, 512, 1, 512, 1.0f},
    {REAL, 20, 5, 128, 16, 16, 16, 1024, 1.0f},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))
#define SINGLES 14u /* shapes of one row; they stand first */
#define MULTIS (SHAPES - SINGLES)

typedef struct own {
    const shape *shape;
    bool f16;
    struct tvk_attention_params params;
    tvk_array *qkv, *pool, *partials, *out;
    float *wide; /* K and V of a KV head up to a depth, widened */
} own;

/* chunk f32, chunk f16, merge (over f32), rows f32, rows f16 */
static const shape *find(uint32_t index, tvk_op *op)
{
    static const tvk_op ops[] = {TVK_OP_attn_chunk_f32, TVK_OP_attn_chunk_f16, TVK_OP_attn_merge,
                                 TVK_OP_attn_rows_f32, TVK_OP_attn_rows_f16};
    if (index < 3 * SINGLES) {
        *op = ops[index / SINGLES];
        return &shapes[index % SINGLES];
    }
    index -= 3 * SINGLES;
    *op = ops[3 + index / MULTIS];
    return &shapes[SINGLES + index % MULTIS];
}

static uint32_t count(void)
{
    return 3 * SINGLES + 2 * MULTIS;
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = find(index, &out->op);
    out->size = s->size;
    out->shape[0] = s->heads;
    out->shape[1] = s->d;
    out->shape[2] = s->t;
    out->shape[3] = s->depth;
    snprintf(out->name, sizeof out->name, "H %u G %u D %u T %u of %u depth %u%s", s->heads,
             s->kv_heads, s->d, s->t, s->capacity, s->depth, s->sharp > 1.0f ? " sharp" : "");
}

/* Rows of one slot stand at following positions that end at the depth (a prefill); with several
 * slots every row has its own depth. */
static void place(const shape *s, uint32_t t, tvk_rig_row *row)
{
    row->slot = t % s->slots;
    if (s->slots == 1)
        row->position = s->depth > s->t ? s->depth - s->t + t : t % s->depth;
    else
        row->position = t == 0 ? s->depth - 1 : tvk_rig_hash(13, t) % s->depth;
}

/* Value i of K (v: of V) at a position of a KV head. */
static float kv(const own *o, uint32_t slot, uint32_t position, uint32_t g, uint32_t i, bool v)
{
    float x = tvk_rig_float(1000 * slot + 10 * g + v, position * 256 + i);
    return o->f16 ? tvk_ref_f16_to_f32(tvk_ref_f32_to_f16(x)) : x;
}

static void fill_pool(const tvk_rig *rig, own *o, uint32_t slot, uint32_t depth)
{
    const shape *s = o->shape;
    for (uint32_t p = 0; p < depth; p++) {
        uint64_t page = tvk_rig_page(&rig->layout, slot, p / TVK_CHUNK);
        for (uint32_t row = 0; row < 2 * s->kv_heads; row++) { /* K heads, then V heads */
            uint64_t at = (row * TVK_CHUNK + p % TVK_CHUNK) * s->d;
            for (uint32_t i = 0; i < s->d; i++, at++) {
                float x = kv(o, slot, p, row % s->kv_heads, i, row >= s->kv_heads);
                uint32_t *word = o->pool->words + page * o->params.page_words;
                if (!o->f16)
                    word[at] = tvk_f32_bits(x);
                else
                    word[at / 2] = (word[at / 2] & (at % 2 ? 0xffffu : 0xffff0000u)) |
                                   (uint32_t)tvk_ref_f32_to_f16(x) << 16 * (at % 2);
            }
        }
    }
}

static void want_head(const own *o, const tvk_rig_row *r, uint32_t t, uint32_t h)
{
    const shape *s = o->shape;
    static const float *k[MAX_DEPTH], *v[MAX_DEPTH];
    uint32_t g = h / (s->heads / s->kv_heads), positions = r->position + 1;
    uint64_t at = (uint64_t)t * o->params.o_stride + h * s->d;
    for (uint32_t p = 0; p < positions; p++) {
        float *row = o->wide + 2ull * p * s->d;
        k[p] = row;
        v[p] = row + s->d;
        for (uint32_t i = 0; i < s->d; i++) {
            row[i] = kv(o, r->slot, p, g, i, false);
            row[s->d + i] = kv(o, r->slot, p, g, i, true);
        }
    }
    tvk_ref_attention(tvk_rig_floats(o->qkv->words) + (uint64_t)t * o->params.q_stride + h * s->d,
                      k, v, positions, s->d, o->params.scale, tvk_rig_floats(o->out->want) + at);
    tvk_rig_compare(o->out, at, s->d);
}

static tvk_status make_arrays(tvk_rig *rig, own *o, uint32_t max_pages, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = o->shape;
    struct tvk_attention_params *p = &o->params;
    p->heads = s->heads;
    p->kv_heads = s->kv_heads;
    p->d = s->d;
    p->q_stride = (s->heads + 2 * s->kv_heads) * s->d;
    p->o_stride = s->heads * s->d;
    p->pages_word = rig->layout.pages_word;
    p->max_pages = max_pages;
    p->page_words = 2 * s->kv_heads * TVK_CHUNK * s->d / (o->f16 ? 2 : 1);
    p->scale = tvk_ref_rsqrt((float)s->d);
    p->max_chunks = max_pages;
    TVK_TRY(tvk_rig_array(rig, "qkv", (uint64_t)s->capacity * p->q_stride, p->q_stride, false,
                          &o->qkv, err));
    for (uint64_t i = 0; i < o->qkv->count; i++) {
        bool query = i / p->q_stride < s->t && i % p->q_stride < p->o_stride;
        o->qkv->words[i] = query ? tvk_f32_bits(s->sharp * tvk_rig_float(41, (uint32_t)i))
                                 : TVK_NAN_WORD; /* K and V of a row are read from the pool only */
    }
    TVK_TRY(tvk_rig_array(rig, "pool", (uint64_t)s->slots * max_pages * p->page_words,
                          p->page_words, false, &o->pool, err));
    for (uint64_t i = 0; i < o->pool->count; i++) o->pool->words[i] = TVK_NAN_WORD;
    TVK_TRY(tvk_rig_array(rig, "partials", (uint64_t)s->heads * max_pages * (4 + s->d), 4 + s->d,
                          true, &o->partials, err));
    TVK_TRY(tvk_rig_skip_all(rig, o->partials, err)); /* a place between two kernels */
    TVK_TRY(tvk_rig_array(rig, "out", (uint64_t)s->capacity * p->o_stride, p->o_stride, true,
                          &o->out, err));
    /* f16 scores and weights: 11 bits each, on outputs that are means of values */
    o->out->tolerance = 16.0 / 2048;
fail:
    return st;
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_op op;
    const shape *s = find(index, &op);
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    uint32_t depths[TVK_RIG_ROWS] = {0}, max_pages = (s->depth + TVK_CHUNK - 1) / TVK_CHUNK;
    tvk_rig_layout layout = {s->capacity, 1, s->slots, 4, max_pages, 0, 0, 0, 0, 0};
    tvk_rig_row rows[TVK_RIG_ROWS] = {0};
    double positions = 0, kv_bytes;
    TVK_TRY_ALLOC(o);
    o->shape = s;
    o->f16 = op == TVK_OP_attn_chunk_f16 || op == TVK_OP_attn_rows_f16;
    rig->own = o;
    for (uint32_t t = 0; t < s->t; t++) {
        place(s, t, &rows[t]);
        positions += rows[t].position + 1.0;
        if (rows[t].position >= depths[rows[t].slot]) depths[rows[t].slot] = rows[t].position + 1;
    }
    TVK_TRY(tvk_rig_state(rig, &layout, rows, s->t, false, err));
    TVK_TRY(make_arrays(rig, o, max_pages, err));
    for (uint32_t slot = 0; slot < s->slots; slot++) fill_pool(rig, o, slot, depths[slot]);
    o->wide = tvk_arena_alloc(&rig->arena, 2ull * s->depth * s->d, sizeof *o->wide);
    TVK_TRY_ALLOC(o->wide);
    if (s->size == REAL) TVK_TRY(tvk_rig_skip_all(rig, o->out, err));
    for (uint32_t t = 0; t < s->t; t++) {
        uint32_t step = s->size == REAL && s->t > 1 ? s->t / ROWS_OF_A_REAL_CASE + 1 : 1;
        if (t % step && t != s->t - 1) continue;
        for (uint32_t h = 0; h < s->heads; h++) want_head(o, &rows[t], t, h);
    }
    if (op == TVK_OP_attn_merge) {
        rig->bytes = 4.0 * s->heads * (rig->chunks * (4.0 + s->d) + s->d);
        return TVK_OK;
    }
    kv_bytes = 2.0 * s->kv_heads * s->d * (o->f16 ? 2.0 : 4.0);
    for (uint32_t slot = 0; slot < s->slots; slot++) rig->bytes += depths[slot] * kv_bytes;
    rig->bytes += 8.0 * s->t * s->heads * s->d;
    rig->operations = 4.0 * positions * s->heads * s->d;
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    return tvk_op_attention(rig->kernels, &rig->list, rig->state->span, o->qkv->span, o->pool->span,
                            o->partials->span, o->out->span, &o->params, o->f16, o->shape->capacity,
                            err);
}

const tvk_family tvk_family_attention = {count, describe, setup, append};
