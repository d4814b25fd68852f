/* Rows whose logits are wanted, one after the other. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_case_size size;
    uint32_t k, t, capacity;
    uint32_t every; /* so many rows have one output row among them, the last one */
} shape;

static const shape shapes[] = {
    {TVK_CASE_TINY, 4, 1, 1, 1},     {TVK_CASE_TINY, 192, 5, 16, 2},
    {TVK_CASE_TINY, 516, 7, 7, 7},   {TVK_CASE_TINY, 132, 3, 4, 4}, /* none */
    {TVK_CASE_SMALL, 2560, 9, 9, 1}, {TVK_CASE_REAL, 2560, 512, 512, 512},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))

typedef struct own {
    const shape *shape;
    tvk_array *x, *y;
} own;

static uint32_t count(void)
{
    return SHAPES;
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index];
    out->op = TVK_OP_gather;
    out->size = s->size;
    out->shape[1] = s->k;
    out->shape[2] = s->t;
    snprintf(out->name, sizeof out->name, "K %u T %u of %u, each %uth", s->k, s->t, s->capacity,
             s->every);
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    tvk_rig_row rows[TVK_RIG_ROWS] = {0};
    tvk_rig_layout layout = {s->capacity, s->capacity, 1, 4, 1, 0, 0, 0, 0, 0};
    uint32_t outs = 0;
    TVK_TRY_ALLOC(o);
    o->shape = s;
    rig->own = o;
    for (uint32_t t = 0; t < s->t; t++) rows[t].flags = (t + 1) % s->every ? 0 : TVK_REQUEST_OUTPUT;
    TVK_TRY(tvk_rig_state(rig, &layout, rows, s->t, false, err));
    TVK_TRY(tvk_rig_array(rig, "x", (uint64_t)s->capacity * s->k, s->k, false, &o->x, err));
    TVK_TRY(tvk_rig_array(rig, "y", (uint64_t)s->capacity * s->k, s->k, true, &o->y, err));
    for (uint32_t t = 0; t < s->t; t++) {
        uint32_t *x = o->x->words + (uint64_t)t * s->k;
        tvk_rig_fill(x, s->k, t, 3.0f);
        if (rows[t].flags) memcpy(o->y->want + (uint64_t)outs++ * s->k, x, 4ull * s->k);
    }
    rig->bytes = 8.0 * outs * s->k;
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    return tvk_op_gather(rig->kernels, &rig->list, rig->state->span, o->x->span, o->y->span,
                         o->shape->k, o->shape->capacity, o->shape->capacity, rig->layout.outs_word,
                         err);
}

const tvk_family tvk_family_gather = {count, describe, setup, append, NULL, NULL};
