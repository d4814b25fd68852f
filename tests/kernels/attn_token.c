/* Attention of rows of different sessions from the projections on: RoPE, KV append, chunks and
 * their merge in one dispatch. Positions behind a row's own are NaN in the pool, pages lie out of
 * order. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

#define MAX_DEPTH 16640

typedef struct shape {
    tvk_case_size size;
    uint32_t heads, kv_heads, d, rotary;
    bool interleaved;
    uint32_t position; /* the deepest, of row 0 */
    float sharp;
    uint32_t more, capacity; /* rows beside it; that the step has room for, 0: those that it has */
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    {TINY, 1, 1, 8, 8, false, 0, 1.0f, 0, 0},
    {TINY, 2, 1, 32, 32, true, 126, 1.0f, 0, 0},
    {TINY, 4, 1, 48, 24, false, 127, 4.0f, 0, 0},
    {TINY, 3, 3, 64, 64, false, 128, 1.0f, 0, 0},
    {TINY, 2, 2, 64, 0, false, 129, 1.0f, 0, 0},
    {TINY, 4, 2, 16, 16, false, 300, 1.0f, 2, 5},
    {TINY, 4, 1, 32, 32, true, 130, 4.0f, 6, 0},
    {SMALL, 4, 2, 64, 64, true, 499, 1.0f, 0, 0},
    {SMALL, 2, 2, 96, 96, false, 256, 8.0f, 0, 0},
    {SMALL, 4, 4, 100, 100, false, 130, 1.0f, 0, 0},
    {SMALL, 8, 2, 128, 128, false, 299, 40.0f, 0, 0},
    {SMALL, 2, 1, 256, 64, true, 131, 1.0f, 0, 0},
    {SMALL, 1, 1, 8, 8, false, 16500, 1.0f, 0, 0},
    {SMALL, 2, 1, 8, 8, false, 15500, 1.0f, 0, 0},
    {SMALL, 8, 1, 32, 32, false, 1663, 4.0f, 0, 0},
    {SMALL, 6, 2, 16, 16, true, 1600, 1.0f, 0, 0},
    {SMALL, 4, 2, 64, 64, false, 290, 1.0f, 2, 32},
    {SMALL, 4, 1, 64, 64, true, 900, 1.0f, 0, 0},
    {SMALL, 4, 1, 64, 64, false, 290, 4.0f, 0, 0},
    {REAL, 8, 8, 64, 64, false, 127, 1.0f, 0, 0},
    {REAL, 20, 5, 128, 128, false, 127, 1.0f, 0, 0},
    {REAL, 20, 5, 128, 128, false, 1023, 1.0f, 0, 0},
    {REAL, 20, 5, 128, 128, false, 4095, 1.0f, 0, 0},
    {REAL, 20, 5, 128, 128, false, 127, 1.0f, 31, 0},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))

static const struct {
    tvk_op op;
    tvk_cache_types types;
} groups[] = {
    {TVK_OP_attn_token_f32, {TVK_CACHE_F32, TVK_CACHE_F32, TVK_QUERY_F32}},
    {TVK_OP_attn_token_f16, {TVK_CACHE_F16, TVK_CACHE_F16, TVK_QUERY_F32}},
};
#define GROUPS ((uint32_t)(sizeof groups / sizeof *groups))

typedef struct own {
    const shape *shape;
    tvk_cache_types types;
    struct tvk_attn_token_params params;
    tvk_array *table, *pool, *work;
    float *cached; /* K and V of a KV head at every position, as the cache has them */
    uint32_t count;
    tvk_rig_row rows[TVK_FEW_ROWS];
} own;

static uint32_t count(void)
{
    return GROUPS * SHAPES;
}

static uint32_t capacity(const shape *s)
{
    return s->capacity ? s->capacity : 1 + s->more;
}

/* Floats of a row's Q, K and V. */
static uint32_t stride(const shape *s)
{
    return (s->heads + 2 * s->kv_heads) * s->d;
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index % SHAPES];
    out->op = groups[index / SHAPES].op;
    out->size = s->size;
    out->shape[0] = s->heads;
    out->shape[1] = s->d;
    out->shape[2] = 1 + s->more;
    out->shape[3] = s->position + 1;
    tvk_rig_types(groups[index / SHAPES].types, out->types, sizeof out->types);
    snprintf(out->name, sizeof out->name, "H %u G %u D %u T %u of %u depth %u rotary %u%s%s",
             s->heads, s->kv_heads, s->d, 1 + s->more, capacity(s), s->position + 1, s->rotary,
             s->interleaved ? " pairs" : "", s->sharp > 1.0f ? ", sharp" : "");
}

/* K (v: V) of row t's session at a position before it is packed; of the row itself: turned. */
static void cache_row(const own *o, uint32_t t, uint32_t position, uint32_t g, bool v, float *x)
{
    const shape *s = o->shape;
    const float *work = tvk_rig_floats(o->work->words) + (uint64_t)t * stride(s);
    if (position < o->rows[t].position) {
        for (uint32_t i = 0; i < s->d; i++)
            x[i] = tvk_rig_float(1000 * t + 10 * g + v, position * 256 + i);
        return;
    }
    memcpy(x, work + (s->heads + (v ? s->kv_heads : 0) + g) * s->d, s->d * sizeof *x);
    if (!v)
        tvk_ref_rope(x, tvk_rig_floats(o->table->words) + (uint64_t)position * s->rotary, s->d,
                     s->rotary, s->interleaved);
}

/* Position p of KV head g into page words: what was there before, or what the kernel adds. */
static void put_row(const tvk_rig *rig, own *o, uint32_t t, uint32_t p, uint32_t g, bool v,
                    uint32_t *pool)
{
    const shape *s = o->shape;
    uint32_t *page = pool + (uint64_t)o->params.page_words *
                                tvk_rig_page(&rig->layout, o->rows[t].slot, p / TVK_CHUNK);
    float x[TVK_RIG_HEAD];
    uint32_t words[TVK_RIG_HEAD], type;
    uint16_t scale;
    cache_row(o, t, p, g, v, x);
    type = tvk_rig_cache_pack(o->types, v, p, x, s->d, words, &scale);
    for (uint32_t w = 0; w < TVK_CACHE_ROW_WORDS(type, s->d); w++)
        page[tvk_rig_cache_word(o->types, v, s->kv_heads, s->d, p, g, w)] = words[w];
    tvk_ref_kv_unpack(type, words, scale, s->d, o->cached + (2ull * p + v) * s->d);
}

static void want_head(own *o, uint32_t t, uint32_t h)
{
    const shape *s = o->shape;
    static const float *k[MAX_DEPTH], *v[MAX_DEPTH];
    const tvk_ref_kv kv = {k, v, NULL, NULL};
    const uint32_t position = o->rows[t].position;
    uint64_t at = 4ull * o->params.out_vec4 + ((uint64_t)t * s->heads + h) * s->d;
    float q[TVK_RIG_HEAD];
    for (uint32_t p = 0; p <= position; p++) {
        k[p] = o->cached + 2ull * p * s->d;
        v[p] = k[p] + s->d;
    }
    memcpy(q, o->work->words + (uint64_t)t * stride(s) + (uint64_t)h * s->d, s->d * sizeof *q);
    tvk_ref_rope(q, tvk_rig_floats(o->table->words) + (uint64_t)position * s->rotary, s->d,
                 s->rotary, s->interleaved);
    tvk_ref_attention(q, 1.0f, &kv, position + 1, s->d, o->params.scale,
                      tvk_rig_floats(o->work->want) + at);
    tvk_rig_compare(o->work, at, s->d);
}

static tvk_status make_arrays(tvk_rig *rig, own *o, uint32_t pages, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = o->shape;
    const uint32_t room = capacity(s), qkv = room * stride(s), out = room * s->heads * s->d;
    struct tvk_attn_token_params *p = &o->params;
    *p = (struct tvk_attn_token_params){.heads = s->heads,
                                        .kv_heads = s->kv_heads,
                                        .d = s->d,
                                        .rotary = s->rotary,
                                        .pages_word = rig->layout.pages_word,
                                        .max_pages = pages,
                                        .scale = tvk_ref_rsqrt((float)s->d),
                                        .max_chunks = pages,
                                        .merge_word = rig->layout.history_word,
                                        .out_vec4 = qkv / 4,
                                        .partials_vec4 = (qkv + out) / 4};
    p->page_words = TVK_CACHE_PAGE_WORDS(o->types.k, o->types.v, s->kv_heads, s->d);
    TVK_TRY(tvk_rig_array(rig, "table", (uint64_t)(s->position + 1) * s->rotary + 4, 0, false,
                          &o->table, err));
    TVK_TRY(tvk_rig_array(rig, "pool", (uint64_t)o->count * pages * p->page_words, p->page_words,
                          true, &o->pool, err));
    TVK_TRY(tvk_rig_array(rig, "work", qkv + out + (uint64_t)room * s->heads * pages * (4 + s->d),
                          0, true, &o->work, err));
    for (uint64_t i = 0; i < o->pool->count; i++) o->pool->words[i] = TVK_NAN_WORD;
    tvk_ref_rope_table(10000.0f, s->rotary, s->position + 1, tvk_rig_floats(o->table->words));
    for (uint32_t i = 0; i < qkv; i++)
        o->work->words[i] = tvk_f32_bits((i % stride(s) < s->heads * s->d ? s->sharp : 1.0f) *
                                         tvk_rig_float(41, i));
    TVK_TRY(tvk_rig_skip_all(rig, o->work, err)); /* but the output */
fail:
    return st;
}

/* What row t finds in the pool, and what is there and in the output afterwards. */
static void want_row(const tvk_rig *rig, own *o, uint32_t t)
{
    const shape *s = o->shape;
    const uint32_t group = s->heads / s->kv_heads, positions = o->rows[t].position + 1;
    for (uint32_t g = 0; g < s->kv_heads; g++) {
        for (uint32_t i = 0; i < 2 * positions; i++) {
            put_row(rig, o, t, i / 2, g, i % 2, o->pool->want);
            if (i / 2 + 1 < positions) put_row(rig, o, t, i / 2, g, i % 2, o->pool->words);
        }
        for (uint32_t h = 0; h < group; h++) want_head(o, t, g * group + h);
    }
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index % SHAPES];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    uint32_t pages = s->position / TVK_CHUNK + 1;
    /* the history stands for the counters; a step of fewer rows than slots leaves some alone */
    tvk_rig_layout layout = {capacity(s), 1, 1 + s->more, capacity(s) * s->heads, pages, 0, 0, 0,
                             0,           0};
    TVK_TRY_ALLOC(o);
    o->shape = s;
    o->types = groups[index / SHAPES].types;
    o->count = 1 + s->more;
    for (uint32_t t = 0; t < o->count; t++)
        o->rows[t] =
            (tvk_rig_row){.slot = o->count - 1 - t,
                          .position = t ? tvk_rig_hash(17, t) % (s->position + 1) : s->position};
    rig->own = o;
    TVK_TRY(tvk_rig_state(rig, &layout, o->rows, o->count, true, err));
    for (uint32_t i = 0; i < layout.context; i++)
        rig->state->words[rig->layout.history_word + i] =
            rig->state->want[rig->layout.history_word + i] = 0;
    TVK_TRY(make_arrays(rig, o, pages, err));
    o->cached = tvk_arena_alloc(&rig->arena, 2ull * (s->position + 1) * s->d, sizeof *o->cached);
    TVK_TRY_ALLOC(o->cached);
    memcpy(o->pool->want, o->pool->words, (size_t)o->pool->count * 4);
    for (uint32_t t = 0; t < o->count; t++) {
        want_row(rig, o, t);
        rig->bytes += 4.0 * o->params.page_words / TVK_CHUNK * (o->rows[t].position + 1);
        rig->operations += 4.0 * (o->rows[t].position + 1) * s->heads * s->d;
    }
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    return tvk_op_attn_token(rig->kernels, &rig->list, rig->state->span, o->table->span,
                             o->pool->span, o->work->span, &o->params, o->shape->interleaved,
                             o->types, capacity(o->shape), err);
}

const tvk_family tvk_family_attn_token = {count, describe, setup, append, NULL, NULL};
