/* LayerNorm to f32 rows with a gain, and to INT8 records of a part of each row. */
#include <stdio.h>

#include "tests/kernels/rig.h"

typedef enum fill {
    MIXED,
    EQUAL,  /* no variance: the floor of the absmax */
    OFFSET, /* a mean far larger than the deviation */
    SIGNS   /* +-the same magnitude, as many of each: codes +-127 */
} fill;

static const char *const fill_names[] = {"", " equal", " offset", " signs"};

typedef struct shape {
    tvk_case_size size;
    uint32_t k, t, capacity;
    uint32_t first, stride; /* INT8: of the part in a row of x */
    fill fill;
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    {TINY, 4, 1, 1, 0, 4, MIXED},           {TINY, 8, 3, 4, 8, 24, MIXED},
    {TINY, 124, 1, 1, 0, 124, MIXED},       {TINY, 128, 2, 4, 128, 256, MIXED},
    {TINY, 132, 5, 5, 4, 140, OFFSET},      {TINY, 192, 5, 16, 384, 576, MIXED},
    {TINY, 192, 2, 2, 0, 192, EQUAL},       {TINY, 132, 2, 2, 0, 132, SIGNS},
    {SMALL, 508, 1, 1, 0, 508, MIXED},      {SMALL, 512, 16, 16, 0, 512, MIXED},
    {SMALL, 516, 3, 3, 0, 516, OFFSET},     {SMALL, 1280, 2, 2, 1280, 2560, MIXED},
    {SMALL, 2560, 5, 5, 0, 2560, MIXED},    {SMALL, 6912, 3, 3, 0, 6912, OFFSET},
    {SMALL, 8640, 1, 1, 0, 8640, MIXED},    {SMALL, 32768, 2, 2, 0, 32768, MIXED},
    {REAL, 768, 1, 1, 0, 768, MIXED},       {REAL, 3072, 1, 1, 0, 3072, MIXED},
    {REAL, 3072, 512, 512, 0, 3072, MIXED},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))
static const float eps = 1e-5f;

typedef struct own {
    const shape *shape;
    bool i8;
    tvk_array *x, *gain, *y;
} own;

static uint32_t count(void)
{
    return 2 * SHAPES;
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index % SHAPES];
    out->op = index < SHAPES ? TVK_OP_layernorm_i8 : TVK_OP_layernorm_f32;
    out->size = s->size;
    out->shape[1] = s->k;
    out->shape[2] = s->t;
    snprintf(out->name, sizeof out->name, "K %u at %u of %u T %u of %u%s", s->k, s->first,
             s->stride, s->t, s->capacity, fill_names[s->fill]);
}

static float value(fill f, uint32_t t, uint32_t k)
{
    float v = tvk_rig_float(t, k);
    if (f == EQUAL) return 2.75f;
    if (f == OFFSET) return 300.0f + v;
    if (f == SIGNS) return k & 1u ? 3.5f : -3.5f;
    return v *
               (t % 3 == 1   ? 1000.0f
                : t % 3 == 2 ? 0.001f
                             : 1.0f) *
               (k % 97 == 5 ? 9.0f : 1.0f) +
           0.25f;
}

/* The f32 form takes whole rows: those of the output rows, which are every second one. */
static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index % SHAPES];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    float *normed = tvk_arena_alloc(&rig->arena, s->k, sizeof *normed);
    tvk_rig_row rows[TVK_RIG_ROWS] = {0};
    tvk_rig_layout layout = {s->capacity, s->capacity, 1, 4, 1, 0, 0, 0, 0, 0};
    uint32_t stride, x_stride, first;
    TVK_TRY_ALLOC(o && normed ? o : NULL);
    o->shape = s;
    o->i8 = index < SHAPES;
    rig->own = o;
    stride = o->i8 ? tvk_act_words(TVK_FORMAT_I8, s->k) : s->k;
    x_stride = o->i8 ? s->stride : s->k;
    first = o->i8 ? s->first : 0;
    for (uint32_t t = 0; t < s->t; t++) rows[t].flags = t % 2 ? 0 : TVK_REQUEST_OUTPUT;
    TVK_TRY(tvk_rig_state(rig, &layout, rows, s->t, false, err));
    TVK_TRY(tvk_rig_array(rig, "x", (uint64_t)s->capacity * x_stride, x_stride, false, &o->x, err));
    TVK_TRY(tvk_rig_array(rig, "gain", s->k, 0, false, &o->gain, err));
    TVK_TRY(tvk_rig_array(rig, "y", (uint64_t)s->capacity * stride, stride, true, &o->y, err));
    for (uint32_t k = 0; k < s->k; k++)
        o->gain->words[k] = tvk_f32_bits(1.0f + 0.5f * tvk_rig_float(4, k));
    for (uint32_t t = 0; t < s->t; t++) {
        uint32_t *x = o->x->words + (uint64_t)t * x_stride + first;
        for (uint32_t k = 0; k < s->k; k++) x[k] = tvk_f32_bits(value(s->fill, t, k));
        if (o->i8) {
            tvk_ref_layernorm(tvk_rig_floats(x), NULL, eps, s->k, normed);
            tvk_ref_act_i8(normed, s->k, o->y->want + (uint64_t)t * stride);
        } else if (t % 2 == 0) {
            tvk_ref_layernorm(tvk_rig_floats(x), tvk_rig_floats(o->gain->words), eps, s->k,
                              tvk_rig_floats(o->y->want) + (uint64_t)(t / 2) * stride);
        }
    }
    rig->bytes = 4.0 * s->t * (s->k + stride);
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    const shape *s = o->shape;
    if (o->i8)
        return tvk_op_layernorm_act(rig->kernels, &rig->list, rig->state->span, o->x->span,
                                    o->y->span, s->first, s->k, s->stride, eps, s->capacity, err);
    return tvk_op_layernorm(rig->kernels, &rig->list, rig->state->span, o->x->span, o->gain->span,
                            o->y->span, s->k, eps, s->capacity, true, rig->layout.outs_word, err);
}

const tvk_family tvk_family_layernorm = {count, describe, setup, append, NULL, NULL};
