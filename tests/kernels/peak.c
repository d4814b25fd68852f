/* The kernels that measure a device. */
#include <stdio.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_case_size size;
    tvk_op op;
    uint32_t n, groups; /* items or turns */
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    {TINY, TVK_OP_peak_read, 1, 1},      {TINY, TVK_OP_peak_read, 1000, 3},
    {SMALL, TVK_OP_peak_read, 70001, 7}, {REAL, TVK_OP_peak_read, 4u << 20, 1024},
    {TINY, TVK_OP_peak_copy, 1, 2},      {TINY, TVK_OP_peak_copy, 1000, 3},
    {SMALL, TVK_OP_peak_copy, 70001, 7}, {REAL, TVK_OP_peak_copy, 4u << 20, 1024},
    {TINY, TVK_OP_peak_int, 0, 1},       {TINY, TVK_OP_peak_int, 8, 2},
    {SMALL, TVK_OP_peak_int, 304, 3},    {REAL, TVK_OP_peak_int, 1024, 4096},
    {TINY, TVK_OP_peak_matrix, 0, 1},    {TINY, TVK_OP_peak_matrix, 8, 2},
    {SMALL, TVK_OP_peak_matrix, 304, 3}, {REAL, TVK_OP_peak_matrix, 1024, 1024},
    {TINY, TVK_OP_peak_half, 0, 1},      {TINY, TVK_OP_peak_half, 8, 2},
    {SMALL, TVK_OP_peak_half, 304, 3},   {REAL, TVK_OP_peak_half, 1024, 1024},
    {TINY, TVK_OP_peak_f32, 0, 1},       {TINY, TVK_OP_peak_f32, 8, 2},
    {SMALL, TVK_OP_peak_f32, 304, 3},    {REAL, TVK_OP_peak_f32, 1024, 4096},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))
#define MOST_INVOCATIONS 1024u /* a group */

static const struct tvk_peak_params int_step = {.a = 0x02FD0103u, .b = 7};
static const float float_a = 1.0009765625f, float_b = 0.3f;
static const float half_a = 0.5f, half_b = -1.5f; /* sums of their products are exact */

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
    out->op = s->op;
    out->size = s->size;
    out->shape[0] = s->n;
    snprintf(out->name, sizeof out->name, "N %u groups %u", s->n, s->groups);
}

static bool memory(tvk_op op)
{
    return op == TVK_OP_peak_read || op == TVK_OP_peak_copy;
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    TVK_TRY_ALLOC(o);
    o->shape = s;
    rig->own = o;
    if (memory(s->op)) {
        TVK_TRY(tvk_rig_array(rig, "x", 4ull * s->n, 4, false, &o->x, err));
        for (uint32_t i = 0; i < 4 * s->n; i++) o->x->words[i] = tvk_rig_hash(1, i);
    }
    TVK_TRY(tvk_rig_array(
        rig, "y", s->op == TVK_OP_peak_copy ? 4ull * s->n : (uint64_t)s->groups * MOST_INVOCATIONS,
        0, true, &o->y, err));
fail:
    return st;
}

/* What is wanted depends on the row and on the size of a group. */
static uint32_t want_word(const tvk_rig *rig, const shape *s)
{
    const uint32_t caps = tvk_peak_row(rig->kernels, s->op)->caps;
    if (caps & TVK_CAP_COOPMAT_F16)
        return tvk_f32_bits(
            tvk_ref_peak_half(s->n, half_a, half_b, tvk_gpu_plan(rig->device)->coopmat_f16.k));
    if (s->op == TVK_OP_peak_half) return tvk_f32_bits(tvk_ref_peak_f32(s->n, half_a, half_b));
    if (s->op == TVK_OP_peak_f32) return tvk_f32_bits(tvk_ref_peak_f32(s->n, float_a, float_b));
    if (caps & TVK_CAP_COOPMAT_I8)
        return tvk_ref_peak_matrix(s->n, int_step.a, int_step.b,
                                   tvk_gpu_plan(rig->device)->coopmat_i8.k);
    return tvk_ref_peak_int(s->n, int_step.a, int_step.b, caps & TVK_CAP_DOT);
}

static void want(tvk_rig *rig, uint32_t invocations)
{
    const own *o = rig->own;
    const shape *s = o->shape;
    uint32_t word;
    for (uint64_t i = 0; i < o->y->count; i++) o->y->want[i] = TVK_POISON;
    if (s->op == TVK_OP_peak_copy) {
        for (uint32_t i = 0; i < 4 * s->n; i++) o->y->want[i] = o->x->words[i];
        return;
    }
    if (s->op == TVK_OP_peak_read) {
        tvk_ref_peak_read(o->x->words, s->n, s->groups, invocations / s->groups, o->y->want);
        return;
    }
    word = want_word(rig, s);
    for (uint32_t i = 0; i < invocations; i++) o->y->want[i] = word;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    const shape *s = o->shape;
    const uint32_t invocations = tvk_peak_invocations(rig->kernels, s->op, s->groups);
    struct tvk_peak_params p = int_step;
    want(rig, invocations);
    if (memory(s->op)) {
        rig->bytes = 16.0 * s->n * (s->op == TVK_OP_peak_copy ? 2 : 1);
        return tvk_op_peak_memory(rig->kernels, &rig->list, s->op == TVK_OP_peak_copy, o->x->span,
                                  o->y->span, s->n, s->groups, err);
    }
    rig->operations = (double)invocations * s->n * tvk_peak_ops(rig->kernels, s->op);
    if (s->op == TVK_OP_peak_f32) {
        p.a = tvk_f32_bits(float_a);
        p.b = tvk_f32_bits(float_b);
    }
    if (s->op == TVK_OP_peak_half) {
        p.a = tvk_f32_bits(half_a);
        p.b = tvk_f32_bits(half_b);
    }
    p.n = s->n;
    return tvk_op_peak_math(rig->kernels, &rig->list, s->op, o->y->span, &p, s->groups, err);
}

const tvk_family tvk_family_peak = {count, describe, setup, append, NULL, NULL};
