/* Rotary embedding in place. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_case_size size;
    uint32_t heads, d, rotary, extra; /* extra: floats of a row behind the turned heads */
    uint32_t t, capacity, context;
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    {TINY, 1, 8, 8, 0, 1, 1, 2},
    {TINY, 3, 32, 32, 32, 2, 2, 130},
    {TINY, 2, 48, 48, 4, 3, 16, 5},
    {TINY, 12, 64, 64, 256, 5, 5, 129},
    {SMALL, 5, 96, 64, 96, 2, 2, 300},
    {SMALL, 64, 100, 100, 3200, 5, 8, 500},
    {SMALL, 25, 128, 128, 640, 16, 16, 501},
    {SMALL, 3, 256, 256, 256, 37, 37, 128},
    {REAL, 12, 64, 64, 256, 1, 1, 1024},
    {REAL, 25, 128, 128, 640, 1, 1, 4096},
    {REAL, 25, 128, 128, 640, 512, 512, 4096},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))

typedef struct own {
    const shape *shape;
    bool inter;
    tvk_array *table, *qkv;
} own;

static uint32_t count(void)
{
    return SHAPES * 2;
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index % SHAPES];
    out->op = index < SHAPES ? TVK_OP_rope_half : TVK_OP_rope_inter;
    out->size = s->size;
    out->shape[1] = s->d;
    out->shape[2] = s->t;
    out->shape[0] = s->heads;
    snprintf(out->name, sizeof out->name, "H %u D %u rotary %u T %u of %u", s->heads, s->d,
             s->rotary, s->t, s->capacity);
}

/* First the last position, then position 0, then some. */
static uint32_t position(const shape *s, uint32_t t)
{
    return t == 0 ? s->context - 1 : t == 1 ? 0 : tvk_rig_hash(2, t) % s->context;
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index % SHAPES];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    tvk_rig_row rows[TVK_RIG_ROWS] = {0};
    tvk_rig_layout layout = {s->capacity, 1, 1, s->context, 1, 0, 0, 0, 0, 0};
    uint32_t stride = s->heads * s->d + s->extra;
    TVK_TRY_ALLOC(o);
    o->shape = s;
    o->inter = index >= SHAPES;
    rig->own = o;
    for (uint32_t t = 0; t < s->t; t++) rows[t].position = position(s, t);
    TVK_TRY(tvk_rig_state(rig, &layout, rows, s->t, false, err));
    TVK_TRY(tvk_rig_array(rig, "table", (uint64_t)s->context * s->rotary, s->rotary, false,
                          &o->table, err));
    tvk_ref_rope_table(500000.0f, s->rotary, s->context, tvk_rig_floats(o->table->words));
    TVK_TRY(tvk_rig_array(rig, "qkv", (uint64_t)s->capacity * stride, stride, true, &o->qkv, err));
    tvk_rig_fill(o->qkv->words, (uint64_t)s->t * stride, 31, 5.0f);
    memcpy(o->qkv->want, o->qkv->words, (size_t)o->qkv->count * 4);
    for (uint32_t t = 0; t < s->t; t++) {
        for (uint32_t h = 0; h < s->heads; h++)
            tvk_ref_rope(tvk_rig_floats(o->qkv->want) + (uint64_t)t * stride + h * s->d,
                         tvk_rig_floats(o->table->words) + (uint64_t)position(s, t) * s->rotary,
                         s->d, s->rotary, o->inter);
    }
    rig->bytes = 4.0 * s->t * (2.0 * s->heads * s->rotary + s->rotary);
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    const shape *s = o->shape;
    const struct tvk_rope_params p = {s->heads, s->d, s->heads * s->d + s->extra, s->rotary};
    return tvk_op_rope(rig->kernels, &rig->list, rig->state->span, o->table->span, o->qkv->span, &p,
                       o->inter, s->capacity, err);
}

const tvk_family tvk_family_rope = {count, describe, setup, append, NULL, NULL};
