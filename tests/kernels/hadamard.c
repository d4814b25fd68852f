/* Hadamard transform of plain rows and behind RMSNorm. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_case_size size;
    uint32_t k, t, capacity;
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    {TINY, 4, 1, 1},     {TINY, 8, 3, 4},      {TINY, 16, 2, 2},       {TINY, 32, 1, 1},
    {TINY, 64, 5, 5},    {TINY, 256, 2, 16},   {TINY, 2048, 2, 2},     {TINY, 4096, 1, 1},
    {SMALL, 128, 7, 8},  {SMALL, 512, 3, 3},   {SMALL, 1024, 2, 2},    {SMALL, 4096, 3, 4},
    {SMALL, 8192, 2, 2}, {SMALL, 16384, 2, 2}, {SMALL, 32768, 2, 3},   {REAL, 2048, 1, 1},
    {REAL, 8192, 1, 1},  {REAL, 16384, 1, 1},  {REAL, 8192, 512, 512},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))
static const float eps = 1e-5f;

typedef struct own {
    const shape *shape;
    bool norm;
    tvk_array *x, *gain, *y;
} own;

static uint32_t count(void)
{
    return 2 * SHAPES;
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index % SHAPES];
    out->op = index < SHAPES ? TVK_OP_hadamard : TVK_OP_rmsnorm_hadamard;
    out->size = s->size;
    out->shape[1] = s->k;
    out->shape[2] = s->t;
    snprintf(out->name, sizeof out->name, "K %u T %u of %u", s->k, s->t, s->capacity);
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index % SHAPES];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    tvk_rig_row rows[TVK_RIG_ROWS] = {0};
    tvk_rig_layout layout = {s->capacity, s->capacity, 1, 4, 1, 0, 0, 0, 0, 0};
    TVK_TRY_ALLOC(o);
    o->shape = s;
    o->norm = index >= SHAPES;
    rig->own = o;
    TVK_TRY(tvk_rig_state(rig, &layout, rows, s->t, false, err));
    TVK_TRY(tvk_rig_array(rig, "x", (uint64_t)s->capacity * s->k, s->k, false, &o->x, err));
    TVK_TRY(tvk_rig_array(rig, "gain", s->k, 0, false, &o->gain, err));
    TVK_TRY(tvk_rig_array(rig, "y", (uint64_t)s->capacity * s->k, s->k, true, &o->y, err));
    for (uint32_t k = 0; k < s->k; k++)
        o->gain->words[k] = tvk_f32_bits(1.0f + 0.5f * tvk_rig_float(4, k));
    for (uint32_t t = 0; t < s->t; t++) {
        float *x = tvk_rig_floats(o->x->words) + (uint64_t)t * s->k;
        float *y = tvk_rig_floats(o->y->want) + (uint64_t)t * s->k;
        for (uint32_t k = 0; k < s->k; k++)
            x[k] =
                tvk_rig_float(t, k) * (t % 3 == 1 ? 1000.0f : 1.0f) * (k % 97 == 5 ? 9.0f : 1.0f);
        if (o->norm)
            tvk_ref_rmsnorm(x, tvk_rig_floats(o->gain->words), eps, s->k, y);
        else
            memcpy(y, x, s->k * sizeof *y);
        tvk_ref_hadamard(y, s->k);
    }
    rig->bytes = 8.0 * s->t * s->k;
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    const tvk_span none = {0};
    return tvk_op_hadamard(rig->kernels, &rig->list, rig->state->span, o->x->span,
                           o->norm ? o->gain->span : none, o->y->span, o->shape->k, eps,
                           o->shape->capacity, err);
}

const tvk_family tvk_family_hadamard = {count, describe, setup, append, NULL, NULL};
