/* Weights of floats and of codes times f32 activations: mat-vec and mat-mat. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_case_size size;
    uint32_t n, k, t, capacity, pieces;
    bool add;
    uint32_t layouts; /* bit i: tvk_layout i */
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL
#define FLOATS (1u << TVK_LAYOUT_F32 | 1u << TVK_LAYOUT_F16)
#define ALL (FLOATS | 1u << TVK_LAYOUT_Q8)
#define HALVES (1u << TVK_LAYOUT_F16 | 1u << TVK_LAYOUT_Q8) /* by matrices */
#define NARROW (1u << TVK_LAYOUT_F16 | 1u << TVK_LAYOUT_Q8 | 1u << TVK_LAYOUT_Q6)
#define T2 (1u << TVK_LAYOUT_T2_F32)
#define Q4 (1u << TVK_LAYOUT_Q4)
#define Q6 (1u << TVK_LAYOUT_Q6)

/* K of Q8 and Q4 must be a multiple of 32, of Q6 of 256. 64 (F32), 128 (F16) and 256 (codes) values
 * are one round of the 16 partial sums. */
static const shape shapes[] = {
    {TINY, 1, 4, 1, 1, 1, false, FLOATS},
    {TINY, 3, 12, 1, 1, 1, true, FLOATS},
    {TINY, 7, 60, 1, 1, 1, false, FLOATS},
    {TINY, 5, 64, 1, 1, 1, false, ALL},
    {TINY, 9, 68, 1, 1, 1, false, FLOATS},
    {TINY, 17, 32, 1, 1, 1, true, ALL},
    {TINY, 16, 128, 1, 1, 1, false, ALL},
    {TINY, 33, 192, 1, 1, 3, true, ALL},
    {TINY, 13, 260, 1, 1, 1, false, FLOATS},
    {TINY, 3, 12, 1, 1, 1, true, T2},
    {TINY, 9, 300, 1, 1, 1, false, T2},
    {TINY, 17, 32, 1, 1, 1, true, Q4},
    {TINY, 5, 288, 1, 1, 1, false, Q4},
    {TINY, 9, 256, 1, 1, 3, true, T2 | Q4 | Q6},
    {SMALL, 65, 1280, 1, 1, 1, false, T2 | Q4 | Q6},
    {SMALL, 31, 5460, 1, 1, 1, false, T2},
    {SMALL, 63, 6912, 1, 1, 4, true, T2 | Q4 | Q6},
    {SMALL, 300, 256, 1, 1, 1, false, ALL},
    {SMALL, 64, 288, 1, 1, 1, false, ALL},
    {SMALL, 512, 512, 1, 1, 1, true, ALL},
    {SMALL, 127, 1280, 1, 1, 1, false, ALL},
    {SMALL, 257, 2560, 1, 1, 4, false, ALL},
    {SMALL, 64, 3200, 1, 1, 1, false, ALL},
    {SMALL, 31, 5460, 1, 1, 1, false, FLOATS},
    {SMALL, 63, 6912, 1, 1, 1, true, ALL},
    {SMALL, 7, 8640, 1, 1, 1, false, ALL},
    {REAL, 4096, 512, 1, 1, 1, false, ALL},
    {REAL, 2560, 2560, 1, 1, 1, false, ALL | T2 | Q4 | Q6},
    {REAL, 128256, 2560, 1, 1, 4, false, NARROW},
    {REAL, 32000, 4096, 1, 1, 1, false, NARROW},
    {REAL, 12288, 512, 1, 1, 1, false, NARROW},
    {TINY, 1, 4, 2, 2, 1, false, FLOATS},
    {TINY, 7, 64, 5, 5, 1, true, ALL},
    {TINY, 17, 100, 3, 16, 1, false, FLOATS},
    {TINY, 33, 192, 17, 17, 2, false, ALL},
    {TINY, 7, 300, 5, 5, 1, true, T2},
    {TINY, 17, 96, 3, 16, 1, false, Q4},
    {TINY, 9, 512, 17, 17, 2, false, T2 | Q4 | Q6},
    {TINY, 36, 192, 20, 20, 1, true, HALVES},
    {SMALL, 17, 5460, 9, 9, 1, false, T2},
    {SMALL, 65, 2560, 5, 5, 1, true, T2 | Q4 | Q6},
    {SMALL, 65, 256, 37, 37, 1, false, ALL},
    {SMALL, 129, 512, 16, 16, 1, true, ALL},
    {SMALL, 64, 1280, 7, 16, 1, false, ALL},
    {SMALL, 64, 2560, 5, 5, 1, false, ALL},
    {SMALL, 17, 5460, 9, 9, 1, false, FLOATS},
    {SMALL, 31, 6912, 8, 8, 3, false, ALL},
    {SMALL, 260, 352, 130, 130, 1, false, HALVES}, /* whole tiles of 64 by 256, and the rest */
    {SMALL, 260, 352, 130, 130, 1, true, HALVES},
    {REAL, 4096, 512, 16, 16, 1, false, ALL},
    {REAL, 2560, 2560, 128, 128, 1, false, ALL | T2 | Q4 | Q6},
};

static const struct {
    tvk_layout layout;
    tvk_op vec, mat;
} layouts[] = {{TVK_LAYOUT_F32, TVK_OP_gemv_f32, TVK_OP_gemm_f32},
               {TVK_LAYOUT_F16, TVK_OP_gemv_f16, TVK_OP_gemm_f16},
               {TVK_LAYOUT_Q8, TVK_OP_gemv_q8, TVK_OP_gemm_q8},
               {TVK_LAYOUT_Q6, TVK_OP_gemv_q6, TVK_OP_gemm_q6},
               {TVK_LAYOUT_Q4, TVK_OP_gemv_q4, TVK_OP_gemm_q4},
               {TVK_LAYOUT_T2_F32, TVK_OP_gemv_t2_f32, TVK_OP_gemm_t2_f32}};
#define LAYOUTS (sizeof layouts / sizeof *layouts)
#define SHAPES (sizeof shapes / sizeof *shapes)

typedef struct own {
    const shape *shape;
    tvk_matrix w;
    tvk_array *x, *y;
    tvk_rig_sample sample; /* of y */
} own;

/* The index runs over the shapes of mat-vec, then of mat-mat, layout by layout. */
static const shape *find(uint32_t index, tvk_layout *layout, tvk_op *op)
{
    for (int vec = 1; vec >= 0; vec--) {
        for (size_t l = 0; l < LAYOUTS; l++) {
            for (size_t i = 0; i < SHAPES; i++) {
                bool here = shapes[i].layouts >> layouts[l].layout & 1u;
                *layout = layouts[l].layout;
                *op = vec ? layouts[l].vec : layouts[l].mat;
                if (here && (shapes[i].capacity == 1) == vec && index-- == 0) return &shapes[i];
            }
        }
    }
    return NULL;
}

static uint32_t count(void)
{
    uint32_t n = 0;
    for (size_t i = 0; i < SHAPES; i++) {
        for (size_t l = 0; l < LAYOUTS; l++) n += shapes[i].layouts >> layouts[l].layout & 1u;
    }
    return n;
}

static void describe_as(const shape *s, tvk_case *out)
{
    char rows[32] = "";
    if (s->capacity != s->t) snprintf(rows, sizeof rows, " of %u", s->capacity);
    out->size = s->size;
    out->shape[0] = s->n;
    out->shape[1] = s->k;
    out->shape[2] = s->t;
    snprintf(out->name, sizeof out->name, "N %u K %u T %u%s%s%s", s->n, s->k, s->t, rows,
             s->pieces > 1 ? " pieces" : "", s->add ? " add" : "");
}

static void describe(uint32_t index, tvk_case *out)
{
    tvk_layout layout;
    describe_as(find(index, &layout, &out->op), out);
}

static void fill_row(tvk_layout layout, uint32_t *row, uint32_t n, uint32_t k)
{
    for (uint32_t i = 0; i < tvk_layout_row_words(layout, k); i++) {
        uint32_t bits = tvk_rig_hash(n, i);
        if (layout == TVK_LAYOUT_F32)
            row[i] = tvk_f32_bits(tvk_rig_float(n, i));
        else if (layout == TVK_LAYOUT_F16) /* exponents 8 .. 15: normal, up to 2 */
            row[i] = (bits & 0x9fff9fffu) | 0x20002000u;
        else if (layout == TVK_LAYOUT_T2_F32) /* codes 0, 1, 2: no pair has both bits */
            row[i] = bits & ~(bits >> 1 & 0x55555555u);
        else
            row[i] = bits;
    }
}

/* Positive scales of some 0.01; those of Q6: four words of int8, then d. */
static void fill_scales(tvk_layout layout, tvk_array *scales, uint32_t first)
{
    for (uint32_t i = 0; i < scales->count; i++) {
        float s = 0.01f + 0.005f * tvk_rig_float(3 + first, i);
        bool codes = layout == TVK_LAYOUT_Q6 && i % 5 != 4;
        scales->words[i] = codes ? tvk_rig_hash(3 + first, i) : tvk_f32_bits(s);
    }
}

/* Of what is added up for an output: sum |w x|, and what it is added to. */
static double size_of(tvk_layout layout, const uint32_t *words, const float *scales, const float *x,
                      uint32_t k, double old)
{
    double sum = fabs(old);
    for (uint32_t i = 0; i < k; i++) {
        const uint16_t half = (uint16_t)(words[i / 2] >> 16 * (i % 2));
        const double w = layout == TVK_LAYOUT_F16
                             ? tvk_f16_to_f32(half)
                             : (double)scales[i / 32] * (int8_t)(words[i / 4] >> 8 * (i % 4));
        sum += fabs(w * x[i]);
    }
    return sum;
}

static void want_rows(const own *o, const uint32_t *words, const uint32_t *scales, uint32_t n)
{
    const shape *s = o->shape;
    for (uint32_t t = 0; t < s->t; t++) {
        if (!tvk_rig_sampled(&o->sample, n, t)) continue;
        const float *x = tvk_rig_floats(o->x->words) + (uint64_t)t * s->k;
        uint64_t at = (uint64_t)t * s->n + n;
        float *y = tvk_rig_floats(o->y->want) + at;
        if (o->y->sizes)
            o->y->sizes[at] = size_of(o->w.layout, words, (const float *)scales, x, s->k,
                                      s->add ? (double)*y : 0);
        if (o->w.layout == TVK_LAYOUT_F32)
            tvk_ref_gemv_f32((const float *)words, x, 1, s->k, s->add, y);
        else if (o->w.layout == TVK_LAYOUT_F16)
            tvk_ref_gemv_f16(words, x, 1, s->k, s->add, y);
        else if (o->w.layout == TVK_LAYOUT_Q8)
            tvk_ref_gemv_q8(words, (const float *)scales, x, 1, s->k, s->add, y);
        else if (o->w.layout == TVK_LAYOUT_Q6)
            tvk_ref_gemv_q6(words, scales, x, 1, s->k, s->add, y);
        else if (o->w.layout == TVK_LAYOUT_Q4)
            tvk_ref_gemv_q4(words, (const float *)scales, x, 1, s->k, s->add, y);
        else
            tvk_ref_gemv_t2_f32(words, (const float *)scales, x, 1, s->k, s->add, y);
        tvk_rig_compare(o->y, at, 1);
    }
}

static tvk_status fill_weights(tvk_rig *rig, own *o, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = o->shape;
    tvk_matrix *w = &o->w;
    uint32_t row_scales = tvk_layout_row_scales(w->layout, s->k);
    uint32_t pieces = tvk_rig_pieces(rig, s->pieces, (uint64_t)s->n * w->row_words * 4);
    for (uint32_t p = 0; p < pieces; p++) {
        tvk_array *words, *scales = NULL;
        uint32_t first = s->n * p / pieces, rows = s->n * (p + 1) / pieces - first;
        TVK_TRY(tvk_rig_array(rig, "weights", (uint64_t)rows * w->row_words, w->row_words, false,
                              &words, err));
        if (row_scales) {
            TVK_TRY(tvk_rig_array(rig, "scales", (uint64_t)rows * row_scales, row_scales, false,
                                  &scales, err));
            fill_scales(w->layout, scales, first);
        }
        w->piece[p].words = words->span;
        w->piece[p].scales = scales ? scales->span : words->span;
        w->piece[p].first = first;
        w->piece[p].rows = rows;
        w->piece_count++;
        for (uint32_t r = 0; r < rows; r++) {
            const uint32_t n = first + r;
            uint32_t *row = words->words + (uint64_t)r * w->row_words;
            fill_row(w->layout, row, n, s->k);
            want_rows(o, row, scales ? scales->words + (uint64_t)r * row_scales : NULL, n);
        }
    }
fail:
    return st;
}

/* Rows of very different size, which meet in a tile. */
static void fill_x(const own *o)
{
    static const float sizes[] = {2.0f, 0x1p13f, 0x1p-11f, 0x1p30f, 0x1p-30f};
    const uint32_t k = o->shape->k;
    for (uint64_t i = 0; i < o->x->count; i++) o->x->words[i] = TVK_NAN_WORD;
    for (uint32_t t = 0; t < o->shape->t; t++)
        for (uint32_t i = 0; i < k; i++)
            o->x->words[(uint64_t)t * k + i] =
                tvk_f32_bits(sizes[t % 5] * tvk_rig_float(21, t * k + i));
}

static tvk_status setup_as(tvk_rig *rig, tvk_layout layout, const shape *as, tvk_error *err)
{
    tvk_status st = TVK_OK;
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    shape *s = tvk_arena_alloc(&rig->arena, 1, sizeof *s);
    TVK_TRY_ALLOC(o && s ? o : NULL);
    *s = *as;
    o->shape = s;
    o->sample = tvk_rig_sample_of(s->n, s->t, s->k);
    o->w.layout = layout;
    o->w.n = s->n;
    o->w.k = s->k;
    o->w.row_words = tvk_layout_row_words(o->w.layout, s->k);
    rig->own = o;
    rig->rows = s->t;
    TVK_TRY(tvk_rig_array(rig, "x", (uint64_t)s->capacity * s->k, s->k, false, &o->x, err));
    fill_x(o);
    TVK_TRY(tvk_rig_array(rig, "y", (uint64_t)s->capacity * s->n, s->n, true, &o->y, err));
    if (s->add) {
        tvk_rig_fill(o->y->words, o->y->count, 9, 8.0f);
        memcpy(o->y->want, o->y->words, (size_t)o->y->count * 4);
    }
    TVK_TRY(tvk_rig_skip_all(rig, o->y, err)); /* as in matmul_t2.c */
    /* by matrices of halves (docs/numerics.md): weights are exact, values of x lose 2^-22, and what
     * the sums lose has both signs. Of x as one half, 2^-12, sums of these lengths would lose more
     * than 2^-19. */
    if (s->capacity > 1 && (layout == TVK_LAYOUT_F16 || layout == TVK_LAYOUT_Q8)) {
        o->y->tolerance = 1.0 / (1 << 20);
        o->y->sizes = tvk_arena_alloc(&rig->arena, (size_t)o->y->count, sizeof *o->y->sizes);
        TVK_TRY_ALLOC(o->y->sizes);
    }
    TVK_TRY(fill_weights(rig, o, err));
    rig->bytes = (double)s->n * (o->w.row_words + tvk_layout_row_scales(o->w.layout, s->k)) * 4 +
                 (double)s->t * 4.0 * (s->k + s->n * (s->add ? 2.0 : 1.0));
    rig->operations = 2.0 * s->n * s->k * s->t;
    rig->checked = tvk_rig_sampled_part(&o->sample);
fail:
    return st;
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_layout layout;
    tvk_op op;
    const shape *s = find(index, &layout, &op);
    return setup_as(rig, layout, s, err);
}

static shape any_shape(const tvk_rig_shape *s)
{
    return (shape){REAL, s->n, s->k, s->t, s->t, 1, false, 0};
}

/* The layout whose op it is; false: none, or none with rows of so many values. */
static bool layout_of(const tvk_rig_shape *any, tvk_layout *out)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        if (any->op != (any->t == 1 ? layouts[i].vec : layouts[i].mat)) continue;
        *out = layouts[i].layout;
        return tvk_layout_row_words(*out, any->k) > 0;
    }
    return false;
}

static bool describe_shape(const tvk_rig_shape *any, tvk_case *out)
{
    const shape s = any_shape(any);
    tvk_layout layout;
    if (!layout_of(any, &layout)) return false;
    describe_as(&s, out);
    return true;
}

static tvk_status setup_shape(tvk_rig *rig, const tvk_rig_shape *any, tvk_error *err)
{
    const shape s = any_shape(any);
    tvk_layout layout = TVK_LAYOUT_F32;
    layout_of(any, &layout);
    return setup_as(rig, layout, &s, err);
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    return tvk_op_matmul(rig->kernels, &rig->list, &o->w, o->x->span, o->y->span,
                         o->shape->capacity, o->shape->add, false, err);
}

const tvk_family tvk_family_matmul_f = {count,  describe,       setup,
                                        append, describe_shape, setup_shape};
