/* Norm and float mat-vec of one row in one dispatch, with a residual or a gated unit. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_case_size size;
    uint32_t n, k;
    bool norm, add;
    uint32_t gate;
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

/* 64 (F32) and 128 (F16) values are one round of the 16 partial sums. */
static const shape shapes[] = {
    {TINY, 1, 4, true, false, TVK_GATE_NONE},
    {TINY, 9, 132, false, false, TVK_GATE_NONE},
    {TINY, 66, 132, true, false, TVK_GATE_RELU2},
    {TINY, 70, 192, true, true, TVK_GATE_NONE},
    {TINY, 126, 260, false, false, TVK_GATE_SILU},
    {SMALL, 65, 2732, true, true, TVK_GATE_NONE},
    {SMALL, 130, 2560, true, false, TVK_GATE_SILU},
    {SMALL, 12300, 128, true, false, TVK_GATE_RELU2},
    {REAL, 3072, 512, true, false, TVK_GATE_SILU},
    {REAL, 9600, 3200, true, false, TVK_GATE_NONE},
    {REAL, 3200, 3200, false, true, TVK_GATE_NONE},
    {REAL, 17280, 3200, true, false, TVK_GATE_SILU},
    {REAL, 3200, 8640, false, true, TVK_GATE_NONE},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))

static const struct kind {
    tvk_op op;
    tvk_layout layout;
} kinds[] = {
    {TVK_OP_norm_gemv_f32, TVK_LAYOUT_F32},
    {TVK_OP_norm_gemv_f16, TVK_LAYOUT_F16},
};
#define KINDS ((uint32_t)(sizeof kinds / sizeof *kinds))

static const float eps = 1e-5f;

typedef struct own {
    const shape *shape;
    tvk_matrix w;
    tvk_array *weights, *gain, *x, *y;
} own;

static uint32_t count(void)
{
    return SHAPES * KINDS;
}

static void describe_as(const struct kind *kind, const shape *s, tvk_case *out)
{
    static const char *const gates[] = {"", " relu2", " silu"};
    out->op = kind->op;
    out->size = s->size;
    out->shape[0] = s->n;
    out->shape[1] = s->k;
    out->shape[2] = 1;
    snprintf(out->name, sizeof out->name, "N %u K %u%s%s%s", s->n, s->k, s->norm ? "" : " no norm",
             s->add ? " add" : "", gates[s->gate]);
}

static void describe(uint32_t index, tvk_case *out)
{
    describe_as(&kinds[index / SHAPES], &shapes[index % SHAPES], out);
}

static tvk_status want(tvk_rig *rig, own *o, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = o->shape;
    const uint32_t *words = o->weights->words;
    const float *x = tvk_rig_floats(o->x->words);
    float *normed = tvk_arena_alloc(&rig->arena, s->k, sizeof *normed);
    float *both = tvk_arena_alloc(&rig->arena, s->n, sizeof *both);
    float *y = s->gate == TVK_GATE_NONE ? tvk_rig_floats(o->y->want) : both;
    TVK_TRY_ALLOC(normed && both ? o : NULL);
    if (s->norm) {
        tvk_ref_rmsnorm(x, tvk_rig_floats(o->gain->words), eps, s->k, normed);
        x = normed;
    }
    if (o->w.layout == TVK_LAYOUT_F32)
        tvk_ref_gemv_f32((const float *)words, x, s->n, s->k, s->add, y);
    else
        tvk_ref_gemv_f16(words, x, s->n, s->k, s->add, y);
    if (s->gate != TVK_GATE_NONE)
        tvk_ref_glu(both, s->n / 2, s->gate == TVK_GATE_RELU2, tvk_rig_floats(o->y->want));
fail:
    return st;
}

static uint32_t weight_word(tvk_layout layout, uint32_t n, uint32_t i)
{
    if (layout == TVK_LAYOUT_F32) return tvk_f32_bits(tvk_rig_float(n, i));
    return (tvk_rig_hash(n, i) & 0x9fff9fffu) | 0x20002000u; /* exponents 8 .. 15: up to 2 */
}

static tvk_status setup_as(tvk_rig *rig, const struct kind *kind, const shape *as, tvk_error *err)
{
    tvk_status st = TVK_OK;
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    shape *s = tvk_arena_alloc(&rig->arena, 1, sizeof *s);
    const tvk_layout layout = kind->layout;
    const uint32_t words = tvk_layout_row_words(layout, as->k);
    TVK_TRY_ALLOC(o && s ? o : NULL);
    *s = *as;
    o->shape = s;
    rig->own = o;
    rig->rows = 1;
    o->w =
        (tvk_matrix){.layout = layout, .n = s->n, .k = s->k, .row_words = words, .piece_count = 1};
    TVK_TRY(tvk_rig_array(rig, "weights", (uint64_t)s->n * words, words, false, &o->weights, err));
    TVK_TRY(tvk_rig_array(rig, "gain", s->k, 0, false, &o->gain, err));
    TVK_TRY(tvk_rig_array(rig, "x", s->k, 0, false, &o->x, err));
    TVK_TRY(
        tvk_rig_array(rig, "y", s->gate == TVK_GATE_NONE ? s->n : s->n / 2, 0, true, &o->y, err));
    for (uint32_t n = 0; n < s->n; n++)
        for (uint32_t i = 0; i < words; i++)
            o->weights->words[(uint64_t)n * words + i] = weight_word(layout, n, i);
    for (uint32_t k = 0; k < s->k; k++) {
        o->x->words[k] = tvk_f32_bits(tvk_rig_float(77, k) * (k % 97 == 5 ? 9.0f : 1.0f));
        o->gain->words[k] = tvk_f32_bits(1.0f + 0.5f * tvk_rig_float(4, k));
    }
    if (s->add) {
        tvk_rig_fill(o->y->words, o->y->count, 9, 8.0f);
        memcpy(o->y->want, o->y->words, (size_t)o->y->count * 4);
    }
    o->w.piece[0].words = o->w.piece[0].scales = o->weights->span;
    o->w.piece[0].rows = s->n;
    if (!tvk_norm_gemv_f_takes(rig->kernels, &o->w, s->norm ? o->gain->span : (tvk_span){0}))
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "a row of %u floats does not fit into the %u bytes of a workgroup's memory", s->k,
                 tvk_gpu_plan(rig->device)->max_shared_bytes);
    TVK_TRY(want(rig, o, err));
    rig->bytes = 4.0 * s->n * words + 8.0 * s->k + 4.0 * (double)o->y->count;
    rig->operations = 2.0 * s->n * s->k;
fail:
    return st;
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    return setup_as(rig, &kinds[index / SHAPES], &shapes[index % SHAPES], err);
}

static shape any_shape(const tvk_rig_shape *s)
{
    return (shape){REAL, s->n, s->k, true, false, TVK_GATE_NONE};
}

/* The kind whose op it is, if its rows can have so many values; NULL: none. */
static const struct kind *kind_of(const tvk_rig_shape *any)
{
    for (uint32_t i = 0; i < KINDS; i++)
        if (any->op == kinds[i].op && any->t == 1 &&
            tvk_layout_row_words(kinds[i].layout, any->k) > 0)
            return &kinds[i];
    return NULL;
}

static bool describe_shape(const tvk_rig_shape *any, tvk_case *out)
{
    const shape s = any_shape(any);
    if (kind_of(any)) describe_as(kind_of(any), &s, out);
    return kind_of(any) != NULL;
}

static tvk_status setup_shape(tvk_rig *rig, const tvk_rig_shape *any, tvk_error *err)
{
    const shape s = any_shape(any);
    return setup_as(rig, kind_of(any), &s, err);
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    const shape *s = o->shape;
    const tvk_span none = {0};
    return tvk_op_norm_gemv_f(rig->kernels, &rig->list, &o->w, o->x->span,
                              s->norm ? o->gain->span : none, eps, s->gate, s->add, o->y->span,
                              err);
}

const tvk_family tvk_family_norm_gemv_f = {count,  describe,       setup,
                                           append, describe_shape, setup_shape};
