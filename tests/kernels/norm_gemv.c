/* Norm, codes and ternary mat-vec of one row in one dispatch, with a residual or a gated unit. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_case_size size;
    uint32_t n, k;
    bool norm, add;
    uint32_t gate;
    bool zeros; /* a row under the floor of the scale */
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    {TINY, 9, 132, false, false, TVK_GATE_NONE, false},
    {TINY, 66, 132, true, false, TVK_GATE_RELU2, false},
    {SMALL, 65, 5460, true, true, TVK_GATE_NONE, false},
    {REAL, 3840, 2560, true, false, TVK_GATE_NONE, false},
    {REAL, 13824, 2560, true, false, TVK_GATE_RELU2, false},
    /* INT8 alone: the formats differ in the codes only */
    {TINY, 1, 4, true, false, TVK_GATE_NONE, false},
    {TINY, 70, 192, true, false, TVK_GATE_NONE, true},
    {TINY, 126, 252, false, false, TVK_GATE_SILU, false},
    {SMALL, 130, 2560, true, false, TVK_GATE_SILU, false},
    {SMALL, 12300, 128, true, false, TVK_GATE_RELU2, false}, /* several blocks a workgroup */
    {SMALL, 5, 24576, true, false, TVK_GATE_NONE, false},    /* more than a group keeps */
    {SMALL, 2600, 2560, true, true, TVK_GATE_NONE, false},   /* lanes: no power of two */
    {SMALL, 16500, 128, true, false, TVK_GATE_NONE, false},  /* as many rows as lanes */
    {REAL, 1536, 512, true, false, TVK_GATE_NONE, false},
    {REAL, 512, 512, true, true, TVK_GATE_NONE, false},
    {REAL, 12288, 4096, true, false, TVK_GATE_NONE, false},
    {REAL, 4096, 4096, true, true, TVK_GATE_NONE, false},
    {REAL, 3072, 512, true, false, TVK_GATE_RELU2, false},
    {REAL, 512, 1536, true, true, TVK_GATE_NONE, false},
    {REAL, 2560, 2560, true, true, TVK_GATE_NONE, false},
    {REAL, 2560, 6912, true, true, TVK_GATE_NONE, false},
    {REAL, 22016, 4096, true, false, TVK_GATE_RELU2, false},
    {REAL, 4096, 11008, true, true, TVK_GATE_NONE, false},
};
#define OF_EVERY_FORMAT 5u
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))

static const struct kind {
    tvk_op op;
    tvk_format format;
    tvk_ref_gemv_t2 *gemv;
} kinds[] = {
    {TVK_OP_norm_gemv_i8, TVK_FORMAT_I8, tvk_ref_gemv_t2_i8},
    {TVK_OP_norm_gemv_i4, TVK_FORMAT_I4, tvk_ref_gemv_t2_i4},
    {TVK_OP_norm_gemv_fp4, TVK_FORMAT_FP4, tvk_ref_gemv_t2_fp4},
};
#define KINDS ((uint32_t)(sizeof kinds / sizeof *kinds))

static const float eps = 1e-5f;

typedef struct own {
    const shape *shape;
    const struct kind *kind;
    tvk_matrix w;
    tvk_array *codes, *scales, *x, *y;
    tvk_span gain; /* behind the scales */
} own;

/* INT8 with all shapes, then the other formats with the first ones. */
static uint32_t count(void)
{
    return SHAPES + (KINDS - 1) * OF_EVERY_FORMAT;
}

static const shape *find(uint32_t index, const struct kind **kind)
{
    bool first = index < SHAPES;
    *kind = first ? &kinds[0] : &kinds[1 + (index - SHAPES) / OF_EVERY_FORMAT];
    return first ? &shapes[index] : &shapes[(index - SHAPES) % OF_EVERY_FORMAT];
}

static void describe_as(const struct kind *kind, const shape *s, tvk_case *out)
{
    static const char *const gates[] = {"", " relu2", " silu"};
    out->op = kind->op;
    out->size = s->size;
    out->shape[0] = s->n;
    out->shape[1] = s->k;
    out->shape[2] = 1;
    snprintf(out->name, sizeof out->name, "N %u K %u%s%s%s%s", s->n, s->k,
             s->norm ? "" : " no norm", s->add ? " add" : "", gates[s->gate],
             s->zeros ? " zeros" : "");
}

static void describe(uint32_t index, tvk_case *out)
{
    const struct kind *kind;
    const shape *s = find(index, &kind);
    describe_as(kind, s, out);
}

/* The record of x as the kernels one by one make it. */
static void make_record(const own *o, const float *x, const float *gain, float *normed,
                        uint32_t *record)
{
    const shape *s = o->shape;
    if (o->kind->format == TVK_FORMAT_I4) {
        tvk_ref_act_i4(x, gain, eps, s->k, record);
        return;
    }
    if (gain) {
        tvk_ref_rmsnorm(x, gain, eps, s->k, normed);
        x = normed;
    }
    (o->kind->format == TVK_FORMAT_I8 ? tvk_ref_act_i8 : tvk_ref_act_fp4)(x, s->k, record);
}

static tvk_status want(tvk_rig *rig, own *o, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = o->shape;
    const float *scales = tvk_rig_floats(o->scales->words);
    const float *gain = s->norm ? scales + o->gain.offset / 4 : NULL;
    float *normed = tvk_arena_alloc(&rig->arena, s->k, sizeof *normed);
    float *both = tvk_arena_alloc(&rig->arena, s->n, sizeof *both);
    uint32_t *record = tvk_arena_alloc(&rig->arena, tvk_ref_act_words(s->k), sizeof *record);
    TVK_TRY_ALLOC(normed && both && record ? o : NULL);
    make_record(o, tvk_rig_floats(o->x->words), gain, normed, record);
    if (s->gate == TVK_GATE_NONE) {
        o->kind->gemv(o->codes->words, scales, record, s->n, s->k, s->add,
                      tvk_rig_floats(o->y->want));
    } else {
        o->kind->gemv(o->codes->words, scales, record, s->n, s->k, false, both);
        tvk_ref_glu(both, s->n / 2, s->gate == TVK_GATE_RELU2, tvk_rig_floats(o->y->want));
    }
fail:
    return st;
}

static tvk_status setup_as(tvk_rig *rig, const struct kind *kind, const shape *as, tvk_error *err)
{
    tvk_status st = TVK_OK;
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    shape *s = tvk_arena_alloc(&rig->arena, 1, sizeof *s);
    const uint32_t at = (as->n + 63) / 64 * 64; /* an offset that every device may bind */
    const uint32_t outputs = as->gate == TVK_GATE_NONE ? as->n : as->n / 2;
    TVK_TRY_ALLOC(o && s ? o : NULL);
    *s = *as;
    o->shape = s;
    o->kind = kind;
    rig->own = o;
    rig->rows = 1;
    o->w = (tvk_matrix){.layout = TVK_LAYOUT_T2, .n = s->n, .k = s->k, .piece_count = 1};
    o->w.row_words = tvk_layout_row_words(TVK_LAYOUT_T2, s->k);
    TVK_TRY(tvk_rig_array(rig, "codes", (uint64_t)s->n * o->w.row_words, o->w.row_words, false,
                          &o->codes, err));
    TVK_TRY(tvk_rig_array(rig, "scales", at + s->k, 0, false, &o->scales, err));
    TVK_TRY(tvk_rig_array(rig, "x", s->k, 0, false, &o->x, err));
    TVK_TRY(tvk_rig_array(rig, "y", outputs, 0, true, &o->y, err));
    for (uint32_t n = 0; n < s->n; n++) {
        for (uint32_t w = 0; w < o->w.row_words; w++)
            o->codes->words[(uint64_t)n * o->w.row_words + w] = tvk_rig_t2_word(n, w, s->k);
        o->scales->words[n] = tvk_f32_bits(0.02f + 0.01f * tvk_rig_float(5, n));
    }
    for (uint32_t k = 0; k < s->k; k++) {
        float x = s->zeros ? 0.0f : tvk_rig_float(77, k) * (k % 97 == 5 ? 9.0f : 1.0f);
        o->x->words[k] = tvk_f32_bits(x);
        o->scales->words[at + k] = tvk_f32_bits(1.0f + 0.5f * tvk_rig_float(4, k));
    }
    if (s->add) {
        tvk_rig_fill(o->y->words, o->y->count, 9, 8.0f);
        memcpy(o->y->want, o->y->words, (size_t)o->y->count * 4);
    }
    o->gain = tvk_span_sub(o->scales->span, 4ull * at, 4ull * s->k);
    o->gain.offset -= o->scales->span.offset;
    TVK_TRY(want(rig, o, err));
    o->gain.offset += o->scales->span.offset;
    o->w.piece[0].words = o->codes->span;
    o->w.piece[0].scales = tvk_span_sub(o->scales->span, 0, 4ull * s->n);
    o->w.piece[0].rows = s->n;
    if (!tvk_norm_gemv_fits(rig->kernels, &o->w, kind->format, s->norm ? o->gain : (tvk_span){0}))
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "the codes of %u values do not fit into the %u bytes of a workgroup's memory",
                 s->k, tvk_gpu_plan(rig->device)->max_shared_bytes);
    rig->bytes = (double)s->n * o->w.row_words * 4 + 4.0 * s->n + 8.0 * s->k;
    rig->operations = 2.0 * s->n * s->k;
fail:
    return st;
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    const struct kind *kind;
    const shape *s = find(index, &kind);
    return setup_as(rig, kind, s, err);
}

static shape any_shape(const tvk_rig_shape *s)
{
    return (shape){REAL, s->n, s->k, true, false, TVK_GATE_NONE, false};
}

static const struct kind *kind_of(const tvk_rig_shape *any)
{
    for (uint32_t i = 0; i < KINDS; i++)
        if (any->op == kinds[i].op && any->t == 1) return &kinds[i];
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
    return tvk_op_norm_gemv(rig->kernels, &rig->list, &o->w, o->kind->format, o->x->span,
                            s->norm ? o->gain : none, eps, s->gate, s->add, o->y->span, err);
}

const tvk_family tvk_family_norm_gemv = {count,  describe,       setup,
                                         append, describe_shape, setup_shape};
