/* Rows of the embedding table by the tokens of the row table. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_case_size size;
    uint32_t vocab, k, t, capacity, pieces;
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

/* Each shape for each layout; where K fits no whole blocks, the next one that does. */
static const shape shapes[] = {
    {TINY, 1, 4, 1, 1, 1},           {TINY, 5, 36, 3, 3, 1},       {TINY, 7, 124, 5, 16, 2},
    {TINY, 64, 192, 16, 16, 3},      {SMALL, 255, 512, 37, 37, 1}, {SMALL, 257, 1280, 2, 5, 5},
    {SMALL, 300, 2560, 7, 7, 1},     {SMALL, 31, 5460, 5, 5, 1},   {REAL, 4096, 512, 1, 1, 1},
    {REAL, 4096, 2560, 512, 512, 1},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))

static const tvk_op ops[] = {TVK_OP_embed_f32, TVK_OP_embed_f16, TVK_OP_embed_q8, TVK_OP_embed_q6,
                             TVK_OP_embed_q4};
static const tvk_layout layouts[] = {TVK_LAYOUT_F32, TVK_LAYOUT_F16, TVK_LAYOUT_Q8, TVK_LAYOUT_Q6,
                                     TVK_LAYOUT_Q4};
static const uint32_t blocks[] = {4, 4, 32, 256, 32};
#define LAYOUTS ((uint32_t)(sizeof layouts / sizeof *layouts))

typedef struct own {
    const shape *shape;
    tvk_matrix table;
    tvk_array *x;
} own;

static uint32_t count(void)
{
    return SHAPES * LAYOUTS;
}

static uint32_t width(const shape *s, uint32_t layout)
{
    return (s->k + blocks[layout] - 1) / blocks[layout] * blocks[layout];
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index % SHAPES];
    uint32_t k = width(s, index / SHAPES);
    out->op = ops[index / SHAPES];
    out->size = s->size;
    out->shape[0] = s->vocab;
    out->shape[1] = k;
    out->shape[2] = s->t;
    snprintf(out->name, sizeof out->name, "V %u K %u T %u of %u%s", s->vocab, k, s->t, s->capacity,
             s->pieces > 1 ? " pieces" : "");
}

static uint32_t token(const shape *s, uint32_t t)
{
    return t == 0 ? s->vocab - 1 : t == 1 ? 0 : tvk_rig_hash(8, t) % s->vocab;
}

static void want_rows(const own *o, const tvk_array *words, const tvk_array *scales, uint32_t first,
                      uint32_t rows)
{
    const uint32_t k = o->table.k;
    const uint64_t row_scales = tvk_layout_row_scales(o->table.layout, k);
    for (uint32_t t = 0; t < o->shape->t; t++) {
        uint32_t row = token(o->shape, t) - first;
        float *x = tvk_rig_floats(o->x->want) + (uint64_t)t * k;
        const uint32_t *w = words->words + (uint64_t)row * o->table.row_words;
        if (token(o->shape, t) < first || row >= rows) continue;
        if (o->table.layout == TVK_LAYOUT_F32)
            memcpy(x, w, k * sizeof *x);
        else if (o->table.layout == TVK_LAYOUT_F16)
            tvk_ref_embed_f16(w, k, x);
        else if (o->table.layout == TVK_LAYOUT_Q8)
            tvk_ref_embed_q8(w, tvk_rig_floats(scales->words) + row * row_scales, k, x);
        else if (o->table.layout == TVK_LAYOUT_Q6)
            tvk_ref_embed_q6(w, scales->words + row * row_scales, k, x);
        else
            tvk_ref_embed_q4(w, tvk_rig_floats(scales->words) + row * row_scales, k, x);
    }
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index % SHAPES];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    tvk_rig_row rows[TVK_RIG_ROWS] = {0};
    tvk_rig_layout layout = {s->capacity, 1, 1, 4, 1, 0, 0, 0, 0, 0};
    tvk_matrix *m;
    uint32_t row_scales;
    TVK_TRY_ALLOC(o);
    o->shape = s;
    rig->own = o;
    m = &o->table;
    m->layout = layouts[index / SHAPES];
    m->n = s->vocab;
    m->k = width(s, index / SHAPES);
    m->row_words = tvk_layout_row_words(m->layout, m->k);
    row_scales = tvk_layout_row_scales(m->layout, m->k);
    for (uint32_t t = 0; t < s->t; t++) rows[t].token = token(s, t);
    TVK_TRY(tvk_rig_state(rig, &layout, rows, s->t, false, err));
    TVK_TRY(tvk_rig_array(rig, "x", (uint64_t)s->capacity * m->k, m->k, true, &o->x, err));
    for (uint32_t p = 0; p < s->pieces; p++) {
        tvk_array *words, *scales = NULL;
        uint32_t first = s->vocab * p / s->pieces, n = s->vocab * (p + 1) / s->pieces - first;
        TVK_TRY(tvk_rig_array(rig, "table", (uint64_t)n * m->row_words, m->row_words, false, &words,
                              err));
        for (uint64_t i = 0; i < words->count; i++) {
            uint32_t bits = tvk_rig_hash(first, (uint32_t)i);
            words->words[i] = m->layout == TVK_LAYOUT_F32
                                  ? tvk_f32_bits(tvk_rig_float(first, (uint32_t)i))
                              : m->layout == TVK_LAYOUT_F16 ? (bits & 0xbfffbfffu) /* finite */
                                                            : bits;
        }
        if (row_scales) {
            TVK_TRY(tvk_rig_array(rig, "scales", (uint64_t)n * row_scales, row_scales, false,
                                  &scales, err));
            tvk_rig_fill(scales->words, scales->count, 6, 0.01f);
            for (uint32_t i = 0; m->layout == TVK_LAYOUT_Q6 && i < scales->count; i++)
                if (i % 5 != 4) scales->words[i] = tvk_rig_hash(6, i); /* four int8 */
        }
        m->piece[p].words = words->span;
        m->piece[p].scales = scales ? scales->span : words->span;
        m->piece[p].first = first;
        m->piece[p].rows = n;
        m->piece_count++;
        want_rows(o, words, scales, first, n);
    }
    rig->bytes = 4.0 * s->t * (m->row_words + m->k);
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    return tvk_op_embed(rig->kernels, &rig->list, &o->table, rig->state->span, o->x->span,
                        o->shape->capacity, err);
}

const tvk_family tvk_family_embed = {count, describe, setup, append, NULL, NULL};
