/* Gated units, and GELU. */
#include <stdio.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_case_size size;
    uint32_t f, t;
    float gate; /* magnitude of the gates */
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    {TINY, 4, 1, 3.0f},        {TINY, 28, 2, 3.0f},      {TINY, 32, 1, 30.0f},
    {TINY, 36, 3, 120.0f},     {TINY, 192, 5, 3.0f},     {SMALL, 508, 2, 3.0f},
    {SMALL, 512, 16, 90.0f},   {SMALL, 516, 1, 1.0e4f},  {SMALL, 1280, 5, 3.0f},
    {SMALL, 5460, 2, 1.0e-6f}, {SMALL, 6912, 37, 10.0f}, {SMALL, 8640, 1, 3.0f},
    {REAL, 1536, 1, 3.0f},     {REAL, 6912, 1, 3.0f},    {REAL, 6912, 512, 3.0f},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))

static const tvk_op ops[] = {TVK_OP_glu_relu2, TVK_OP_glu_silu, TVK_OP_gelu};
#define OPS ((uint32_t)(sizeof ops / sizeof *ops))

typedef struct own {
    const shape *shape;
    tvk_op op;
    tvk_array *in, *out;
} own;

static uint32_t count(void)
{
    return SHAPES * OPS;
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index % SHAPES];
    out->op = ops[index / SHAPES];
    out->size = s->size;
    out->shape[1] = s->f;
    out->shape[2] = s->t;
    snprintf(out->name, sizeof out->name, "F %u T %u inputs to %g", s->f, s->t, (double)s->gate);
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index % SHAPES];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    uint32_t parts;
    TVK_TRY_ALLOC(o);
    o->shape = s;
    o->op = ops[index / SHAPES];
    parts = o->op == TVK_OP_gelu ? 1 : 2;
    rig->own = o;
    rig->rows = s->t;
    TVK_TRY(
        tvk_rig_array(rig, "in", (uint64_t)parts * s->t * s->f, parts * s->f, false, &o->in, err));
    TVK_TRY(tvk_rig_array(rig, "f", (uint64_t)s->t * s->f, s->f, true, &o->out, err));
    for (uint32_t t = 0; t < s->t; t++) {
        uint32_t *row = o->in->words + (uint64_t)parts * t * s->f;
        float *want = tvk_rig_floats(o->out->want) + (uint64_t)t * s->f;
        tvk_rig_fill(row, s->f, 2 * t, s->gate);
        if (parts == 2) tvk_rig_fill(row + s->f, s->f, 2 * t + 1, 4.0f);
        row[0] = 0; /* exactly zero */
        if (s->f > 4) row[4] = tvk_f32_bits(-s->gate);
        if (o->op == TVK_OP_gelu)
            tvk_ref_gelu(tvk_rig_floats(row), s->f, want);
        else
            tvk_ref_glu(tvk_rig_floats(row), s->f, o->op == TVK_OP_glu_relu2, want);
    }
    rig->bytes = 4.0 * (parts + 1) * s->t * s->f;
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    if (o->op == TVK_OP_gelu)
        return tvk_op_gelu(rig->kernels, &rig->list, o->in->span, o->out->span, o->shape->f,
                           o->shape->t, err);
    return tvk_op_glu(rig->kernels, &rig->list, o->in->span, o->out->span, o->shape->f,
                      o->op == TVK_OP_glu_relu2, o->shape->t, err);
}

const tvk_family tvk_family_glu = {count, describe, setup, append, NULL, NULL};
