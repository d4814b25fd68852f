/* RMSNorm to f32, and activation records of every format, of plain rows and after the norm. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef enum fill {
    MIXED,
    ZEROS,     /* under the floor of the absmax */
    SATURATED, /* +-the same magnitude everywhere, codes +-127 */
    TIES,      /* plain rows whose codes stand half-way between two integers, if 127/max is exact */
    STEPS,     /* few magnitudes: those of the border of the larger half lie on both sides of it */
    HOLES,     /* most values are 0, as after ReLU */
    ONE,       /* all but one are */
    DENORMALS, /* and zeros, and in every third row normal values; without the f32 kernel, whose
                * results would be denormal */
    SPREAD     /* magnitudes of 12 and 40 octaves */
} fill;

static const char *const fill_names[] = {"",       " zeros", " saturated", " ties",  " steps",
                                         " holes", " one",   " denormals", " spread"};

typedef struct shape {
    tvk_case_size size;
    uint32_t k, t, capacity;
    fill fill;
    bool outs; /* f32 only: gathers the output rows, which are every second one */
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    {TINY, 4, 1, 1, MIXED, false},          {TINY, 8, 3, 3, MIXED, false},
    {TINY, 124, 1, 1, MIXED, false},        {TINY, 128, 2, 4, MIXED, false},
    {TINY, 132, 1, 1, MIXED, false},        {TINY, 192, 5, 16, MIXED, true},
    {TINY, 192, 2, 2, ZEROS, false},        {TINY, 132, 2, 2, SATURATED, false},
    {TINY, 512, 16, 16, TIES, false},       {SMALL, 508, 1, 1, MIXED, false},
    {SMALL, 512, 16, 16, MIXED, false},     {SMALL, 516, 1, 1, MIXED, false},
    {SMALL, 1028, 7, 16, MIXED, true},      {SMALL, 1280, 2, 2, MIXED, false},
    {SMALL, 2560, 5, 5, MIXED, false},      {SMALL, 3200, 1, 1, MIXED, false},
    {SMALL, 5460, 2, 2, MIXED, false},      {SMALL, 6912, 37, 37, MIXED, false},
    {SMALL, 8640, 1, 1, MIXED, false},      {SMALL, 6912, 1, 1, SATURATED, false},
    {TINY, 64, 3, 4, STEPS, false},         {TINY, 1028, 3, 3, STEPS, false},
    {SMALL, 6912, 5, 8, STEPS, false},      {SMALL, 32768, 2, 2, MIXED, false},
    {SMALL, 32768, 2, 2, STEPS, false},     {SMALL, 32768, 1, 1, ZEROS, false},
    {TINY, 132, 2, 2, HOLES, false},        {TINY, 1280, 1, 2, HOLES, false},
    {TINY, 516, 1, 1, ONE, false},          {SMALL, 6912, 3, 3, HOLES, false},
    {TINY, 64, 2, 2, MIXED, false},         {TINY, 64, 1, 1, ZEROS, false},
    {TINY, 68, 2, 2, SATURATED, false},     {TINY, 256, 3, 3, DENORMALS, false},
    {TINY, 516, 4, 4, SPREAD, false},       {SMALL, 4100, 2, 2, STEPS, false},
    {SMALL, 4096, 2, 2, SPREAD, false},     {SMALL, 32768, 1, 1, SATURATED, false},
    {SMALL, 32768, 3, 3, DENORMALS, false}, {SMALL, 32768, 2, 2, SPREAD, false},
    {TINY, 2052, 2, 2, MIXED, false},       {TINY, 4100, 1, 1, MIXED, false},
    {REAL, 512, 1, 1, MIXED, false},        {REAL, 1280, 1, 1, MIXED, false},
    {REAL, 2560, 1, 1, MIXED, false},       {REAL, 6912, 1, 1, MIXED, false},
    {REAL, 1536, 1, 1, MIXED, false},       {REAL, 4096, 1, 1, MIXED, false},
    {REAL, 11008, 1, 1, MIXED, false},      {REAL, 2560, 32, 32, MIXED, false},
    {REAL, 2560, 512, 512, MIXED, false},   {REAL, 6912, 512, 512, MIXED, false},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))

/* rows of one op stand together */
static const struct {
    tvk_op op;
    bool norm;
    tvk_format format; /* of rmsnorm_f32: none */
    bool list;
} ops[] = {{TVK_OP_rmsnorm_f32, true, TVK_FORMAT_I8, false},
           {TVK_OP_rmsnorm_i8, true, TVK_FORMAT_I8, false},
           {TVK_OP_rmsnorm_i8, true, TVK_FORMAT_I8, true},
           {TVK_OP_quant_i8, false, TVK_FORMAT_I8, false},
           {TVK_OP_quant_i8, false, TVK_FORMAT_I8, true},
           {TVK_OP_rmsnorm_topk, true, TVK_FORMAT_TOPK, false},
           {TVK_OP_rmsnorm_topk, true, TVK_FORMAT_TOPK, true},
           {TVK_OP_quant_topk, false, TVK_FORMAT_TOPK, false},
           {TVK_OP_quant_topk, false, TVK_FORMAT_TOPK, true},
           {TVK_OP_rmsnorm_i4, true, TVK_FORMAT_I4, false},
           {TVK_OP_quant_i4, false, TVK_FORMAT_I4, false},
           {TVK_OP_rmsnorm_fp4, true, TVK_FORMAT_FP4, false},
           {TVK_OP_quant_fp4, false, TVK_FORMAT_FP4, false}};
#define OPS ((uint32_t)(sizeof ops / sizeof *ops))
static const float eps = 1e-5f;

typedef struct own {
    const shape *shape;
    tvk_op op;
    tvk_format format;
    bool norm, list;
    tvk_array *x, *gain, *y;
} own;

static fill fill_of(const shape *s, tvk_op op)
{
    return s->fill == DENORMALS && op == TVK_OP_rmsnorm_f32 ? MIXED : s->fill;
}

static uint32_t count(void)
{
    return SHAPES * OPS;
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index % SHAPES];
    out->op = ops[index / SHAPES].op;
    out->size = s->size;
    out->shape[1] = s->k;
    out->shape[2] = s->t;
    snprintf(out->name, sizeof out->name, "K %u T %u of %u%s%s%s", s->k, s->t, s->capacity,
             s->outs && out->op == TVK_OP_rmsnorm_f32 ? " outs" : "",
             fill_names[fill_of(s, out->op)], ops[index / SHAPES].list ? " list" : "");
}

static float value(fill f, uint32_t t, uint32_t k)
{
    if (f == ZEROS) return 0.0f;
    if (f == SATURATED) return tvk_rig_hash(t, k) & 1u ? 3.5f : -3.5f;
    if (f == TIES) {
        float top = t == 0 ? 127.0f : 1.5f + tvk_rig_float(60, t);
        float half = (float)(k % 127) + 0.5f;
        return (k % 128 == 127 ? top : half * top / 127.0f) * (k & 1u ? 1.0f : -1.0f);
    }
    if (f == DENORMALS) {
        uint32_t h = tvk_rig_hash(t + 1, k);
        float v = t % 3 == 2 && h % 3 == 0 ? 0.01f * (float)(h % 64) : 1e-42f * (float)(h % 5);
        return h & 64u ? v : -v;
    }
    if (f == SPREAD)
        return ldexpf(tvk_rig_float(t, k), -(int)(tvk_rig_hash(t, k) % (t % 2 ? 12u : 40u)));
    if (f == STEPS) return (float)(tvk_rig_hash(t, k) % 5u) * (k & 1u ? 0.75f : -0.75f);
    if (f == HOLES && tvk_rig_hash(t + 7, k) % 5u) return 0.0f;
    if (f == ONE) return k == 300 ? -2.0f : 0.0f;
    /* rows of very different size, and one outlier a row */
    return tvk_rig_float(t, k) *
           (t % 3 == 1   ? 1000.0f
            : t % 3 == 2 ? 0.001f
                         : 1.0f) *
           (k % 97 == 5 ? 9.0f : 1.0f);
}

static void want_row(const own *o, const float *x, uint32_t y_row, uint32_t stride, float *normed)
{
    uint32_t *y = o->y->want + (uint64_t)y_row * stride;
    const float *source = x;
    const float *gain = o->norm ? tvk_rig_floats(o->gain->words) : NULL;
    uint32_t k = o->shape->k;
    if (gain) {
        tvk_ref_rmsnorm(x, gain, eps, k, normed);
        source = normed;
    }
    if (o->op == TVK_OP_rmsnorm_f32)
        memcpy(y, normed, k * sizeof *normed);
    else if (o->format == TVK_FORMAT_I8)
        tvk_ref_act_i8(source, k, y);
    else if (o->format == TVK_FORMAT_TOPK)
        tvk_ref_act_topk(source, k, y);
    else if (o->format == TVK_FORMAT_I4)
        tvk_ref_act_i4(x, gain, eps, k, y);
    else
        tvk_ref_act_fp4(source, k, y);
    if (o->list) tvk_ref_list(y, k);
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index % SHAPES];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    float *normed = tvk_arena_alloc(&rig->arena, s->k, sizeof *normed);
    tvk_rig_row rows[TVK_RIG_ROWS] = {0};
    tvk_rig_layout layout = {s->capacity, s->capacity, 1, 4, 1, 0, 0, 0, 0, 0};
    uint32_t stride;
    bool outs;
    TVK_TRY_ALLOC(o && normed ? o : NULL);
    o->shape = s;
    o->op = ops[index / SHAPES].op;
    o->format = ops[index / SHAPES].format;
    o->norm = ops[index / SHAPES].norm;
    o->list = ops[index / SHAPES].list;
    rig->own = o;
    outs = s->outs && o->op == TVK_OP_rmsnorm_f32;
    stride = o->op == TVK_OP_rmsnorm_f32 ? s->k : tvk_act_words(o->format, s->k);
    if (o->list) stride += tvk_list_words(s->k);
    for (uint32_t t = 0; t < s->t; t++) rows[t].flags = t % 2 ? TVK_REQUEST_OUTPUT : 0;
    TVK_TRY(tvk_rig_state(rig, &layout, rows, s->t, false, err));
    TVK_TRY(tvk_rig_array(rig, "x", (uint64_t)s->capacity * s->k, s->k, false, &o->x, err));
    TVK_TRY(tvk_rig_array(rig, "gain", s->k, 0, false, &o->gain, err));
    TVK_TRY(tvk_rig_array(rig, "y", (uint64_t)s->capacity * stride, stride, true, &o->y, err));
    for (uint32_t k = 0; k < s->k; k++)
        o->gain->words[k] =
            tvk_f32_bits(s->fill == SATURATED ? 0.75f : 1.0f + 0.5f * tvk_rig_float(4, k));
    for (uint32_t t = 0; t < s->t; t++) {
        uint32_t *x = o->x->words + (uint64_t)t * s->k;
        for (uint32_t k = 0; k < s->k; k++) x[k] = tvk_f32_bits(value(fill_of(s, o->op), t, k));
        if (!outs)
            want_row(o, tvk_rig_floats(x), t, stride, normed);
        else if (t % 2)
            want_row(o, tvk_rig_floats(x), t / 2, stride, normed);
    }
    rig->bytes = 4.0 * s->t * (s->k + stride) + (o->norm ? 4.0 * s->k : 0.0);
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    const shape *s = o->shape;
    const tvk_span none = {0};
    if (o->op == TVK_OP_rmsnorm_f32)
        return tvk_op_rmsnorm(rig->kernels, &rig->list, rig->state->span, o->x->span, o->gain->span,
                              o->y->span, s->k, eps, s->capacity, s->outs, rig->layout.outs_word,
                              err);
    return tvk_op_act(rig->kernels, &rig->list, o->format, o->list, rig->state->span, o->x->span,
                      o->norm ? o->gain->span : none, o->y->span, s->k, eps, s->capacity, err);
}

const tvk_family tvk_family_norm = {count, describe, setup, append, NULL, NULL};
