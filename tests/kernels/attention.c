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
    {REAL, 8, 8, 64, 1, 1, 1, 128, 1.0f},
    {REAL, 8, 8, 64, 1, 1, 1, 1024, 1.0f},
    {REAL, 20, 5, 128, 1, 1, 1, 128, 1.0f},
    {REAL, 20, 5, 128, 1, 1, 1, 512, 1.0f},
    {REAL, 20, 5, 128, 1, 1, 1, 1024, 1.0f},
    {REAL, 20, 5, 128, 1, 1, 1, 2048, 1.0f},
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
    {REAL, 8, 8, 64, 512, 512, 1, 512, 1.0f},
    {REAL, 20, 5, 128, 512, 512, 1, 512, 1.0f},
    {REAL, 20, 5, 128, 512, 512, 1, 2048, 1.0f},
    {REAL, 20, 5, 128, 16, 16, 16, 1024, 1.0f},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))
#define SINGLES 16u /* shapes of one row; they stand first */
#define MULTIS (SHAPES - SINGLES)

typedef struct own {
    const shape *shape;
    tvk_cache_types types;
    struct tvk_attention_params params;
    tvk_array *q, *pool, *partials, *out; /* q: rows of qkv, or query records */
    bool side_by_side;                    /* chunks of a row, in place of one after the other */
    float *wide;                          /* K and V of a KV head up to a depth: levels */
} own;

/* Groups of cases in turn: an op with the types of K, V and Q, over the shapes of one row or of
 * many.
 */
static const struct {
    tvk_op op;
    tvk_cache_types types;
    bool many; /* a kernel of single rows with many of them */
} groups[] = {
    {TVK_OP_attn_chunk_f32, {TVK_CACHE_F32, TVK_CACHE_F32, TVK_QUERY_F32}, false},
    {TVK_OP_attn_chunk_f16, {TVK_CACHE_F16, TVK_CACHE_F16, TVK_QUERY_F32}, false},
    {TVK_OP_attn_chunk_f16, {TVK_CACHE_F16, TVK_CACHE_F16, TVK_QUERY_F32}, true},
    {TVK_OP_attn_merge, {TVK_CACHE_F32, TVK_CACHE_F32, TVK_QUERY_F32}, false},
    {TVK_OP_attn_chunk_q, {TVK_CACHE_Q8, TVK_CACHE_Q8, TVK_QUERY_F32}, false},
    {TVK_OP_attn_chunk_q, {TVK_CACHE_Q4, TVK_CACHE_Q4, TVK_QUERY_F32}, false},
    {TVK_OP_attn_chunk_q, {TVK_CACHE_Q3, TVK_CACHE_Q3, TVK_QUERY_F32}, false},
    {TVK_OP_attn_chunk_q, {TVK_CACHE_F16, TVK_CACHE_Q3, TVK_QUERY_F32}, false},
    {TVK_OP_attn_chunk_qi, {TVK_CACHE_Q4, TVK_CACHE_Q4, TVK_QUERY_Q4}, false},
    {TVK_OP_attn_chunk_qi, {TVK_CACHE_Q3, TVK_CACHE_Q3, TVK_QUERY_Q4}, false},
    {TVK_OP_attn_rows_f32, {TVK_CACHE_F32, TVK_CACHE_F32, TVK_QUERY_F32}, false},
    {TVK_OP_attn_rows_f16, {TVK_CACHE_F16, TVK_CACHE_F16, TVK_QUERY_F32}, false},
    {TVK_OP_attn_rows_q, {TVK_CACHE_Q8, TVK_CACHE_Q8, TVK_QUERY_F32}, false},
    {TVK_OP_attn_rows_q, {TVK_CACHE_Q4, TVK_CACHE_Q4, TVK_QUERY_F32}, false},
    {TVK_OP_attn_rows_q, {TVK_CACHE_Q3, TVK_CACHE_Q3, TVK_QUERY_F32}, false},
    {TVK_OP_attn_rows_q, {TVK_CACHE_Q3, TVK_CACHE_F32, TVK_QUERY_F32}, false},
    {TVK_OP_attn_rows_qi, {TVK_CACHE_F16, TVK_CACHE_Q4, TVK_QUERY_Q4}, false},
    {TVK_OP_attn_rows_qi, {TVK_CACHE_Q8, TVK_CACHE_Q8, TVK_QUERY_Q8}, false},
};
#define GROUPS ((uint32_t)(sizeof groups / sizeof *groups))

static bool side_by_side(uint32_t group)
{
    return groups[group].op != TVK_OP_attn_rows_f32 && groups[group].op != TVK_OP_attn_rows_f16 &&
           groups[group].op != TVK_OP_attn_rows_q && groups[group].op != TVK_OP_attn_rows_qi;
}

static bool single(uint32_t group)
{
    return side_by_side(group) && !groups[group].many;
}

static const shape *find(uint32_t index, uint32_t *group)
{
    for (*group = 0;; ++*group) {
        uint32_t n = single(*group) ? SINGLES : MULTIS;
        if (index < n) return &shapes[single(*group) ? index : SINGLES + index];
        index -= n;
    }
}

static uint32_t count(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < GROUPS; i++) n += single(i) ? SINGLES : MULTIS;
    return n;
}

static void describe(uint32_t index, tvk_case *out)
{
    uint32_t group;
    const shape *s = find(index, &group);
    tvk_cache_types types = groups[group].types;
    out->op = groups[group].op;
    out->size = s->size;
    out->shape[0] = s->heads;
    out->shape[1] = s->d;
    out->shape[2] = s->t;
    out->shape[3] = s->depth;
    tvk_rig_types(types, out->types, sizeof out->types);
    snprintf(out->name, sizeof out->name, "H %u G %u D %u T %u of %u depth %u, %s %s%s%s%s",
             s->heads, s->kv_heads, s->d, s->t, s->capacity, s->depth, tvk_rig_cache_name(types.k),
             tvk_rig_cache_name(types.v), types.q ? " q " : "",
             types.q ? tvk_rig_cache_name(types.q) : "", s->sharp > 1.0f ? ", sharp" : "");
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

/* K (v: V) of a KV head at a position, packed; returns the type. */
static uint32_t pack(const own *o, uint32_t slot, uint32_t position, uint32_t g, bool v,
                     uint32_t *words, uint16_t *scale)
{
    float x[TVK_RIG_HEAD];
    for (uint32_t i = 0; i < o->shape->d; i++)
        x[i] = tvk_rig_float(1000 * slot + 10 * g + v, position * 256 + i);
    return tvk_rig_cache_pack(o->types, v, position, x, o->shape->d, words, scale);
}

static void fill_pool(const tvk_rig *rig, own *o, uint32_t slot, uint32_t depth)
{
    const shape *s = o->shape;
    tvk_cache_types c = o->types;
    bool scaled = TVK_CACHE_PACKED(c.k) || TVK_CACHE_PACKED(c.v);
    for (uint32_t p = 0; p < depth; p++) {
        uint32_t *page = o->pool->words + (uint64_t)o->params.page_words *
                                              tvk_rig_page(&rig->layout, slot, p / TVK_CHUNK);
        uint32_t *scales = page + TVK_CACHE_SCALES(c.k, c.v, s->kv_heads, s->d) + p % TVK_CHUNK;
        for (uint32_t row = 0; row < 2 * s->kv_heads; row++) {
            uint32_t g = row / 2, words[TVK_RIG_HEAD];
            bool v = row % 2;
            uint16_t scale;
            uint32_t type = pack(o, slot, p, g, v, words, &scale);
            for (uint32_t w = 0; w < TVK_CACHE_ROW_WORDS(type, s->d); w++)
                page[tvk_rig_cache_word(c, v, s->kv_heads, s->d, p, g, w)] = words[w];
            if (scaled)
                scales[g * TVK_CHUNK] =
                    v ? (scales[g * TVK_CHUNK] & 0xffffu) | (uint32_t)scale << 16 : scale;
        }
    }
}

/* Words of a head in q. */
static uint32_t head_words(const own *o)
{
    return o->types.q ? TVK_QUERY_WORDS(o->shape->d) : o->shape->d;
}

static void want_head(const own *o, const tvk_rig_row *r, uint32_t t, uint32_t h)
{
    const shape *s = o->shape;
    static const float *k[MAX_DEPTH], *v[MAX_DEPTH];
    static float k_scale[MAX_DEPTH], v_scale[MAX_DEPTH];
    const tvk_ref_kv rows = {k, v, k_scale, v_scale};
    uint32_t g = h / (s->heads / s->kv_heads), positions = r->position + 1;
    uint64_t at = (uint64_t)t * o->params.o_stride + h * s->d;
    uint64_t q_at = (uint64_t)t * o->params.q_stride + h * head_words(o);
    float q[TVK_RIG_HEAD], q_scale = 1.0f;
    if (o->types.q)
        q_scale = tvk_ref_query_unpack(o->q->words + q_at, s->d, q);
    else
        memcpy(q, o->q->words + q_at, s->d * sizeof *q);
    for (uint32_t p = 0; p < positions; p++) {
        float *row = o->wide + 2ull * p * s->d;
        uint32_t words[TVK_RIG_HEAD], type;
        uint16_t scale;
        k[p] = row;
        v[p] = row + s->d;
        type = pack(o, r->slot, p, g, false, words, &scale);
        k_scale[p] = tvk_ref_kv_unpack(type, words, scale, s->d, row);
        type = pack(o, r->slot, p, g, true, words, &scale);
        v_scale[p] = tvk_ref_kv_unpack(type, words, scale, s->d, row + s->d);
    }
    tvk_ref_attention(q, q_scale, &rows, positions, s->d, o->params.scale,
                      tvk_rig_floats(o->out->want) + at);
    tvk_rig_compare(o->out, at, s->d);
}

/* K and V of a row are read from the pool only: NaN beside the query. */
static void fill_query(const own *o)
{
    const shape *s = o->shape;
    for (uint64_t i = 0; i < o->q->count; i++) o->q->words[i] = TVK_NAN_WORD;
    for (uint32_t t = 0; t < s->t; t++) {
        for (uint32_t h = 0; h < s->heads; h++) {
            uint32_t *to = o->q->words + (uint64_t)t * o->params.q_stride + h * head_words(o);
            float x[TVK_RIG_HEAD];
            for (uint32_t i = 0; i < s->d; i++)
                x[i] = s->sharp * tvk_rig_float(41, (t * s->heads + h) * 256 + i);
            if (o->types.q)
                tvk_ref_query_pack(o->types.q, x, s->d, to);
            else
                memcpy(to, x, s->d * sizeof *x);
        }
    }
}

static tvk_status make_arrays(tvk_rig *rig, own *o, uint32_t max_pages, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = o->shape;
    struct tvk_attention_params *p = &o->params;
    p->heads = s->heads;
    p->kv_heads = s->kv_heads;
    p->d = s->d;
    p->q_stride = o->types.q ? s->heads * head_words(o) : (s->heads + 2 * s->kv_heads) * s->d;
    p->o_stride = s->heads * s->d;
    p->pages_word = rig->layout.pages_word;
    p->max_pages = max_pages;
    p->page_words = TVK_CACHE_PAGE_WORDS(o->types.k, o->types.v, s->kv_heads, s->d);
    p->scale = tvk_ref_rsqrt((float)s->d);
    p->max_chunks = max_pages;
    TVK_TRY(tvk_rig_array(rig, "q", (uint64_t)s->capacity * p->q_stride, p->q_stride, false, &o->q,
                          err));
    fill_query(o);
    TVK_TRY(tvk_rig_array(rig, "pool", (uint64_t)s->slots * max_pages * p->page_words,
                          p->page_words, false, &o->pool, err));
    for (uint64_t i = 0; i < o->pool->count; i++) o->pool->words[i] = TVK_NAN_WORD;
    TVK_TRY(tvk_rig_array(rig, "partials",
                          (uint64_t)s->capacity * s->heads * max_pages * (4 + s->d), 4 + s->d, true,
                          &o->partials, err));
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
    uint32_t group;
    const shape *s = find(index, &group);
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    uint32_t depths[TVK_RIG_ROWS] = {0}, max_pages = (s->depth + TVK_CHUNK - 1) / TVK_CHUNK;
    tvk_rig_layout layout = {s->capacity, 1, s->slots, 4, max_pages, 0, 0, 0, 0, 0};
    tvk_rig_row rows[TVK_RIG_ROWS] = {0};
    double positions = 0, kv_bytes;
    TVK_TRY_ALLOC(o);
    o->shape = s;
    o->types = groups[group].types;
    o->side_by_side = side_by_side(group);
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
    rig->checked = 0;
    for (uint32_t t = 0; t < s->t; t++) {
        uint32_t step = s->size == REAL && s->t > 1 ? s->t / ROWS_OF_A_REAL_CASE + 1 : 1;
        if (t % step && t != s->t - 1) continue;
        rig->checked += 1.0 / s->t;
        for (uint32_t h = 0; h < s->heads; h++) want_head(o, &rows[t], t, h);
    }
    if (groups[group].op == TVK_OP_attn_merge) {
        rig->bytes = 4.0 * s->heads * (rig->chunks * (4.0 + s->d) + s->d);
        return TVK_OK;
    }
    kv_bytes = 4.0 * o->params.page_words / TVK_CHUNK;
    for (uint32_t slot = 0; slot < s->slots; slot++) rig->bytes += depths[slot] * kv_bytes;
    rig->bytes += 8.0 * s->t * s->heads * s->d;
    rig->operations = 4.0 * positions * s->heads * s->d;
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    const tvk_span partials = o->side_by_side ? o->partials->span : (tvk_span){0};
    return tvk_op_attention(rig->kernels, &rig->list, rig->state->span, o->q->span, o->pool->span,
                            partials, o->out->span, &o->params, o->types, o->shape->capacity, err);
}

const tvk_family tvk_family_attention = {count, describe, setup, append, NULL, NULL};
