/* Ternary weights times activation records of INT8, INT4 and E2M1 codes, signs times INT8: mat-vec
 * and mat-mat. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef enum fill {
    MIXED,   /* all weights, quantized f32 rows */
    MINUS,   /* all weights -1; extreme codes */
    ZERO,    /* all weights 0; of signs every second +1 */
    PLUS,    /* all weights +1 */
    LARGEST, /* all weights -1, all codes the largest: the largest accumulator */
    RELU2,   /* as MIXED, and a gated unit of both halves of the outputs */
    SILU
} fill;

static const char *const fill_names[] = {"",         " all -1", " all 0", " all +1",
                                         " largest", " relu2",  " silu"};

typedef struct shape {
    tvk_case_size size;
    uint32_t n, k;
    uint32_t t, capacity; /* rows of the step; rows that exist in memory */
    uint32_t pieces;
    bool add, outs;
    fill fill;
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    /* mat-vec */
    {TINY, 1, 4, 1, 1, 1, false, false, MIXED},
    {TINY, 3, 4, 1, 1, 1, true, false, MIXED},
    {TINY, 7, 64, 1, 1, 1, false, false, MIXED},
    {TINY, 5, 124, 1, 1, 1, false, false, MIXED},
    {TINY, 64, 128, 1, 1, 1, true, true, MIXED},
    {TINY, 9, 132, 1, 1, 1, false, false, MIXED},
    {TINY, 33, 252, 1, 1, 1, false, false, MIXED},
    {TINY, 31, 508, 1, 1, 1, true, false, MIXED},
    {TINY, 70, 192, 1, 1, 3, true, false, MIXED},
    {TINY, 5, 4164, 1, 1, 1, false, false, MIXED},  /* 66 units: two turns of 36 lanes */
    {TINY, 8200, 132, 1, 1, 1, true, false, MIXED}, /* so many rows that lanes take eight */
    {TINY, 17, 256, 1, 1, 1, false, false, MINUS},
    {TINY, 17, 256, 1, 1, 1, false, false, ZERO},
    {TINY, 17, 256, 1, 1, 1, false, false, PLUS},
    {SMALL, 300, 192, 1, 1, 1, false, false, MIXED},
    {SMALL, 512, 512, 1, 1, 1, true, false, MIXED},
    {SMALL, 127, 1280, 1, 1, 1, false, false, MIXED},
    {SMALL, 512, 1280, 1, 1, 5, true, false, MIXED},
    {SMALL, 300, 2560, 1, 1, 1, false, false, MIXED},
    {SMALL, 2560, 512, 1, 1, 1, false, false, MIXED},
    {SMALL, 64, 3200, 1, 1, 1, false, false, MIXED},
    {SMALL, 65, 5460, 1, 1, 1, false, false, MIXED},
    {SMALL, 257, 2564, 1, 1, 1, true, false, MIXED},
    {SMALL, 129, 6912, 1, 1, 2, false, false, MIXED},
    {SMALL, 7, 8640, 1, 1, 1, false, false, MIXED},
    {SMALL, 7, 6912, 1, 1, 1, false, false, MINUS},
    {SMALL, 7, 6912, 1, 1, 1, false, false, PLUS},
    {SMALL, 7, 8640, 1, 1, 1, false, false, LARGEST},
    /* mat-mat */
    {TINY, 1, 4, 2, 2, 1, false, false, MIXED},
    {TINY, 7, 64, 5, 5, 1, true, false, MIXED},
    {TINY, 31, 132, 3, 16, 1, false, false, MIXED},
    {TINY, 64, 256, 16, 16, 1, false, true, MIXED},
    {TINY, 33, 260, 17, 17, 2, true, false, MIXED},
    {TINY, 64, 832, 32, 32, 1, true, false, MIXED},
    {TINY, 96, 68, 64, 64, 1, false, false, MIXED},
    {TINY, 17, 128, 5, 5, 1, false, false, MINUS},
    {TINY, 17, 128, 5, 5, 1, false, false, PLUS},
    {SMALL, 65, 192, 37, 37, 1, false, false, MIXED},
    {SMALL, 300, 512, 16, 16, 1, true, false, MIXED},
    {SMALL, 129, 516, 9, 37, 1, false, false, MIXED},
    {SMALL, 64, 1280, 37, 37, 1, false, false, MIXED},
    {SMALL, 127, 2560, 5, 8, 1, true, false, MIXED},
    {SMALL, 64, 3200, 7, 7, 1, false, false, MIXED},
    {SMALL, 33, 5460, 8, 8, 3, false, false, MIXED},
    {SMALL, 63, 6912, 16, 16, 1, false, false, MIXED},
    {SMALL, 7, 8640, 5, 5, 1, false, false, MIXED},
    {SMALL, 7, 8640, 2, 2, 1, false, false, LARGEST},
    {TINY, 40, 260, 33, 40, 1, false, false, SILU},
    /* tiles of 128 by 128 that are whole, and what is left of them */
    {SMALL, 260, 320, 130, 130, 1, false, false, MIXED},
    {SMALL, 260, 320, 130, 130, 1, true, false, MIXED},
    {SMALL, 264, 320, 130, 130, 1, false, false, RELU2},
    {REAL, 13824, 2560, 512, 512, 1, false, false, RELU2},
};

#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))

static const struct kind {
    tvk_op vec, mat;
    tvk_layout layout;
    tvk_format format;
    tvk_ref_gemv_t2 *gemv;
} kinds[] = {
    {TVK_OP_gemv_t2_i8, TVK_OP_gemm_t2_i8, TVK_LAYOUT_T2, TVK_FORMAT_I8, tvk_ref_gemv_t2_i8},
    {TVK_OP_gemv_t2_i4, TVK_OP_gemm_t2_i4, TVK_LAYOUT_T2, TVK_FORMAT_I4, tvk_ref_gemv_t2_i4},
    {TVK_OP_gemv_t2_fp4, TVK_OP_gemm_t2_fp4, TVK_LAYOUT_T2, TVK_FORMAT_FP4, tvk_ref_gemv_t2_fp4},
    {TVK_OP_gemv_t1_i8, TVK_OP_gemm_t1_i8, TVK_LAYOUT_T1, TVK_FORMAT_I8, tvk_ref_gemv_t1_i8},
};
#define KINDS ((uint32_t)(sizeof kinds / sizeof *kinds))

typedef struct own {
    const shape *shape;
    const struct kind *kind;
    tvk_format format;
    uint32_t act_words;
    tvk_matrix w;
    tvk_array *act, *y;
    tvk_rig_sample sample; /* of y */
    tvk_array *both;       /* gated: what rows without a unit of their own write */
} own;

static bool gated(const shape *s)
{
    return s->fill == RELU2 || s->fill == SILU;
}

static bool mixed(const shape *s)
{
    return s->fill == MIXED || gated(s);
}

/* A linear as a shape; formats but INT8, whose codes alone differ, have few. False: past the last.
 */
static bool real_shape(uint32_t kind, uint32_t index, shape *out)
{
    tvk_rig_linear l;
    if (!tvk_rig_linear_get(index, kind > 0, &l)) return false;
    *out = (shape){REAL, l.n, l.k, l.t, l.t, 1, l.add, false, MIXED};
    return true;
}

static uint32_t reals(uint32_t kind)
{
    uint32_t n = 0;
    shape s;
    while (real_shape(kind, n, &s)) n++;
    return n;
}

static uint32_t count(void)
{
    uint32_t n = 0;
    for (uint32_t kind = 0; kind < KINDS; kind++) n += SHAPES + reals(kind);
    return n;
}

/* Kind by kind the linears, by rising rows each, then the shapes of the table. */
static const struct kind *find(uint32_t index, shape *out)
{
    uint32_t kind = 0;
    while (index >= SHAPES + reals(kind)) index -= SHAPES + reals(kind++);
    if (!real_shape(kind, index, out)) *out = shapes[index - reals(kind)];
    return &kinds[kind];
}

static void describe_as(const struct kind *kind, const shape *s, tvk_case *out)
{
    char rows[32] = "";
    if (s->capacity != s->t) snprintf(rows, sizeof rows, " of %u", s->capacity);
    out->op = s->capacity == 1 ? kind->vec : kind->mat;
    out->size = s->size;
    out->shape[0] = s->n;
    out->shape[1] = s->k;
    out->shape[2] = s->t;
    snprintf(out->name, sizeof out->name, "N %u K %u T %u%s%s%s%s%s", s->n, s->k, s->t, rows,
             s->pieces > 1 ? " pieces" : "", s->add ? " add" : "", s->outs ? " outs" : "",
             fill_names[s->fill]);
}

static void describe(uint32_t index, tvk_case *out)
{
    shape s;
    const struct kind *kind = find(index, &s);
    describe_as(kind, &s, out);
}

static void fill_t2(uint32_t *row, const shape *s, uint32_t n, uint32_t row_words)
{
    static const uint32_t constant[] = {0, 0, 0x55555555u, 0xAAAAAAAAu, 0};
    for (uint32_t w = 0; w < row_words; w++)
        row[w] =
            mixed(s) ? tvk_rig_t2_word(n, w, s->k) : tvk_rig_t2_pad(constant[s->fill], w, s->k);
}

/* Signs, padding 0. */
static void fill_t1(uint32_t *row, const shape *s, uint32_t n, uint32_t row_words)
{
    static const uint32_t constant[] = {0, 0, 0x0f0f0f0fu, 0xffffffffu, 0};
    for (uint32_t w = 0; w < row_words; w++) {
        row[w] = mixed(s) ? tvk_rig_hash(n, w) : constant[s->fill];
        for (uint32_t v = 0; v < 32; v++)
            if (32 * w + v >= s->k) row[w] &= ~(1u << (8 * (v % 4) + v / 4));
    }
}

/* Four extreme codes of a format, the third one of the largest magnitude, and their integers. */
static const struct {
    uint32_t codes[4];
    int values[4];
} extremes[] = {
    [TVK_FORMAT_I8] = {{127, 129, 128, 127}, {127, -127, -128, 127}},
    [TVK_FORMAT_I4] = {{7, 9, 8, 7}, {7, -7, -8, 7}},
    [TVK_FORMAT_FP4] = {{7, 14, 15, 5}, {12, -8, -12, 6}},
};

/* Saturated codes as a record could hold them; padding zero. */
static void saturated_record(uint32_t *record, const own *o, uint32_t t)
{
    const shape *s = o->shape;
    bool half = tvk_format_bits(o->format) == 4;
    int32_t sum = 0;
    memset(record, 0, o->act_words * sizeof *record);
    for (uint32_t k = 0; k < s->k; k++) {
        uint32_t which = s->fill == LARGEST ? 2 : tvk_rig_hash(t, k) % 4;
        uint32_t code = extremes[o->format].codes[which];
        uint32_t *codes_of = record + TVK_ACT_HEADER_WORDS;
        sum += extremes[o->format].values[which];
        if (half)
            codes_of[k / 8] |= code << (8 * (k % 4) + 4 * (k / 4 % 2));
        else
            codes_of[k / 4] |= code << 8 * (k % 4);
    }
    record[0] = tvk_f32_bits(0.03125f);
    record[1] = (uint32_t)sum;
}

static tvk_status fill_act(tvk_rig *rig, own *o, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = o->shape;
    uint32_t words = o->act_words;
    float *x = tvk_arena_alloc(&rig->arena, s->k, sizeof *x);
    TVK_TRY_ALLOC(x);
    TVK_TRY(tvk_rig_array(rig, "act", (uint64_t)s->capacity * words, words, false, &o->act, err));
    for (uint32_t t = 0; t < s->t; t++) {
        for (uint32_t k = 0; k < s->k; k++) x[k] = 4.0f * tvk_rig_float(77 + t, k);
        uint32_t *record = o->act->words + (uint64_t)t * words;
        if (!mixed(s) && s->fill != ZERO)
            saturated_record(record, o, t);
        else if (o->format == TVK_FORMAT_I4)
            tvk_ref_act_i4(x, NULL, 0, s->k, record);
        else if (o->format == TVK_FORMAT_FP4)
            tvk_ref_act_fp4(x, s->k, record);
        else
            tvk_ref_act_i8(x, s->k, record);
    }
fail:
    return st;
}

static void want_outputs(const own *o, const tvk_array *codes, const tvk_array *scales,
                         uint32_t first, uint32_t rows)
{
    const shape *s = o->shape;
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t t = 0; t < s->t; t++) {
            if (!tvk_rig_sampled(&o->sample, first + r, t)) continue;
            uint64_t at = (uint64_t)t * s->n + first + r;
            o->kind->gemv(codes->words + (uint64_t)r * o->w.row_words,
                          tvk_rig_floats(scales->words) + r,
                          o->act->words + (uint64_t)t * o->act_words, 1, s->k, s->add,
                          tvk_rig_floats(o->y->want) + at);
            tvk_rig_compare(o->y, at, 1);
        }
    }
}

static void want_units(const own *o, const tvk_array *codes, const tvk_array *scales)
{
    const shape *s = o->shape;
    const uint32_t width = s->n / 2;
    for (uint32_t n = 0; n < width; n++) {
        for (uint32_t t = 0; t < s->t; t++) {
            if (!tvk_rig_sampled(&o->sample, n, t)) continue;
            uint64_t at = (uint64_t)t * width + n;
            float pair[2];
            for (uint32_t i = 0; i < 2; i++)
                o->kind->gemv(codes->words + ((uint64_t)i * width + n) * o->w.row_words,
                              tvk_rig_floats(scales->words) + i * width + n,
                              o->act->words + (uint64_t)t * o->act_words, 1, s->k, false, &pair[i]);
            tvk_ref_glu(pair, 1, s->fill == RELU2, tvk_rig_floats(o->y->want) + at);
            tvk_rig_compare(o->y, at, 1);
        }
    }
}

static tvk_status fill_weights(tvk_rig *rig, own *o, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = o->shape;
    tvk_matrix *w = &o->w;
    uint32_t pieces;
    w->layout = o->kind->layout;
    w->n = s->n;
    w->k = s->k;
    w->row_words = tvk_layout_row_words(w->layout, s->k);
    pieces = tvk_rig_pieces(rig, s->pieces, (uint64_t)s->n * w->row_words * 4);
    for (uint32_t p = 0; p < pieces; p++) {
        tvk_array *codes, *scales;
        uint32_t first = s->n * p / pieces, rows = s->n * (p + 1) / pieces - first;
        TVK_TRY(tvk_rig_array(rig, "codes", (uint64_t)rows * w->row_words, w->row_words, false,
                              &codes, err));
        TVK_TRY(tvk_rig_array(rig, "scales", rows, 0, false, &scales, err));
        for (uint32_t r = 0; r < rows; r++) {
            (w->layout == TVK_LAYOUT_T1 ? fill_t1 : fill_t2)(
                codes->words + (uint64_t)r * w->row_words, s, first + r, w->row_words);
            scales->words[r] = tvk_f32_bits(0.02f + 0.01f * tvk_rig_float(5, first + r));
        }
        w->piece[p].words = codes->span;
        w->piece[p].scales = scales->span;
        w->piece[p].first = first;
        w->piece[p].rows = rows;
        w->piece_count++;
        if (!gated(s)) want_outputs(o, codes, scales, first, rows);
        if (gated(s)) want_units(o, codes, scales);
    }
fail:
    return st;
}

static tvk_status setup_as(tvk_rig *rig, const struct kind *kind, const shape *as, tvk_error *err)
{
    tvk_status st = TVK_OK;
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    shape *s = tvk_arena_alloc(&rig->arena, 1, sizeof *s);
    uint32_t width;
    TVK_TRY_ALLOC(o && s ? o : NULL);
    *s = *as;
    o->shape = s;
    o->kind = kind;
    o->format = o->kind->format;
    o->act_words = tvk_act_words(o->format, s->k);
    rig->own = o;
    rig->rows = rig->outs = s->t;
    if (s->outs) rig->rows = 1; /* the output rows alone count */
    TVK_TRY(fill_act(rig, o, err));
    width = gated(s) ? s->n / 2 : s->n;
    o->sample = tvk_rig_sample_of(width, s->t, (uint64_t)(s->n / width) * s->k);
    TVK_TRY(tvk_rig_array(rig, "y", (uint64_t)s->capacity * width, width, true, &o->y, err));
    if (gated(s))
        TVK_TRY(
            tvk_rig_array(rig, "both", (uint64_t)s->capacity * s->n, s->n, false, &o->both, err));
    if (s->add) {
        tvk_rig_fill(o->y->words, o->y->count, 9, 8.0f);
        memcpy(o->y->want, o->y->words, (size_t)o->y->count * 4);
    }
    /* Rows between the step's and the capacity are not the kernel's to keep: it may compute whole
     * tiles. */
    TVK_TRY(tvk_rig_skip_all(rig, o->y, err));
    TVK_TRY(fill_weights(rig, o, err));
    rig->bytes = (double)s->n * o->w.row_words * 4 + 4.0 * s->n +
                 (double)s->t * (o->act_words * 4.0 + s->n * (s->add ? 8.0 : 4.0));
    rig->operations = 2.0 * s->n * s->k * s->t;
    rig->checked = tvk_rig_sampled_part(&o->sample);
fail:
    return st;
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    shape s;
    const struct kind *kind = find(index, &s);
    return setup_as(rig, kind, &s, err);
}

/* The kind whose op it is; NULL: none. */
static const struct kind *kind_of(const tvk_rig_shape *any)
{
    for (uint32_t i = 0; i < KINDS; i++)
        if (any->op == (any->t == 1 ? kinds[i].vec : kinds[i].mat)) return &kinds[i];
    return NULL;
}

static shape any_shape(const tvk_rig_shape *s)
{
    return (shape){REAL, s->n, s->k, s->t, s->t, 1, false, false, MIXED};
}

static bool describe_shape(const tvk_rig_shape *any, tvk_case *out)
{
    const struct kind *kind = kind_of(any);
    const shape s = any_shape(any);
    if (kind) describe_as(kind, &s, out);
    return kind != NULL;
}

static tvk_status setup_shape(tvk_rig *rig, const tvk_rig_shape *any, tvk_error *err)
{
    const shape s = any_shape(any);
    return setup_as(rig, kind_of(any), &s, err);
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const own *o = rig->own;
    const shape *s = o->shape;
    tvk_kernels *k = rig->kernels;
    if (!gated(s))
        return tvk_op_matmul_act(k, &rig->list, &o->w, o->format, o->act->span, o->y->span,
                                 s->capacity, s->add, s->outs, err);
    if (tvk_matmul_gates(k, &o->w, o->format, s->capacity))
        return tvk_op_matmul_gated(k, &rig->list, &o->w, o->format, o->act->span, o->y->span,
                                   s->capacity, s->fill == RELU2 ? TVK_GATE_RELU2 : TVK_GATE_SILU,
                                   err);
    TVK_TRY(tvk_op_matmul_act(k, &rig->list, &o->w, o->format, o->act->span, o->both->span,
                              s->capacity, false, false, err));
    TVK_TRY(tvk_op_glu(k, &rig->list, o->both->span, o->y->span, s->n / 2, s->fill == RELU2,
                       s->capacity, err));
fail:
    return st;
}

const tvk_family tvk_family_matmul_t2 = {count,  describe,       setup,
                                         append, describe_shape, setup_shape};
