/* Zeros that are skipped. Mat-vecs are compared with the dense reference: the same bits. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_op op;
    tvk_case_size size;
    uint32_t n, k;   /* relu_list: k alone, the gates */
    uint32_t parts;  /* of 100, about: non-zero codes, open gates; ONE, LARGEST */
    uint32_t pieces; /* up: of gate and up together */
    bool add;
} shape;

#define ONE 101u     /* a single one, the last */
#define LARGEST 102u /* all codes -128, all weights -1: the largest accumulator */

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL
#define GEMV TVK_OP_gemv_t2_sparse
#define LIST TVK_OP_relu_list
#define UP8 TVK_OP_up_t2_i8
#define UP4 TVK_OP_up_t2_i4
#define UPF TVK_OP_up_t2_fp4
#define PACK TVK_OP_repack_kmajor

static const shape shapes[] = {
    {GEMV, TINY, 1, 4, 100, 1, false},
    {GEMV, TINY, 7, 64, 50, 1, true},
    {GEMV, TINY, 64, 128, 100, 1, false},
    {GEMV, TINY, 65, 132, 20, 1, false},
    {GEMV, TINY, 40, 128, 0, 1, true},
    {GEMV, TINY, 40, 132, ONE, 1, false},
    {GEMV, TINY, 200, 192, 50, 3, true},
    {GEMV, TINY, 17, 512, LARGEST, 1, false},
    {GEMV, SMALL, 300, 508, 50, 1, false},
    {GEMV, SMALL, 512, 512, 50, 1, true},
    {GEMV, SMALL, 512, 1280, 20, 1, true},
    {GEMV, SMALL, 512, 1280, 0, 1, true},
    {GEMV, SMALL, 129, 2564, ONE, 1, false},
    {GEMV, SMALL, 1000, 3200, 100, 2, false},
    {GEMV, SMALL, 2560, 5460, 20, 5, true},
    {GEMV, SMALL, 70, 32768, 100, 1, false},
    {GEMV, SMALL, 70, 32768, LARGEST, 1, false},
    {GEMV, SMALL, 70, 32768, 20, 1, true},
    {GEMV, REAL, 512, 512, 50, 1, true},
    {GEMV, REAL, 512, 1280, 20, 1, true},
    {GEMV, REAL, 512, 1280, 50, 1, true},
    {GEMV, REAL, 512, 1280, 100, 1, true},
    {GEMV, REAL, 2560, 2560, 50, 1, true},
    {GEMV, REAL, 2560, 6912, 10, 1, true},
    {GEMV, REAL, 2560, 6912, 20, 1, true},
    {GEMV, REAL, 2560, 6912, 50, 1, true},
    {GEMV, REAL, 2560, 6912, 100, 1, true},
    {GEMV, REAL, 4096, 11008, 20, 1, true},
    {GEMV, REAL, 4096, 11008, 50, 1, true},
    {GEMV, REAL, 8192, 28672, 20, 1, true},
    {GEMV, REAL, 8192, 28672, 50, 1, true},
    {LIST, TINY, 0, 4, 50, 1, false},
    {LIST, TINY, 0, 28, 100, 1, false},
    {LIST, TINY, 0, 132, 0, 1, false},
    {LIST, TINY, 0, 192, ONE, 1, false},
    {LIST, TINY, 0, 1280, 40, 1, false},
    {LIST, SMALL, 0, 5460, 20, 1, false},
    {LIST, SMALL, 0, 6912, 50, 1, false},
    {LIST, SMALL, 0, 32768, 100, 1, false},
    {LIST, REAL, 0, 1280, 40, 1, false},
    {LIST, REAL, 0, 6912, 40, 1, false},
    {LIST, REAL, 0, 28672, 40, 1, false},
    {UP8, TINY, 4, 4, 100, 1, false},
    {UP8, TINY, 36, 64, 50, 1, false},
    {UP8, TINY, 132, 132, 20, 1, false},
    {UP8, TINY, 64, 128, 0, 1, false},
    {UP8, TINY, 64, 260, ONE, 1, false},
    {UP8, TINY, 100, 192, 50, 3, false},
    {UP8, TINY, 36, 4164, 50, 1, false}, /* 66 units: two turns of 36 lanes */
    {UP8, SMALL, 1280, 512, 40, 1, false},
    {UP8, SMALL, 516, 1280, 100, 5, false},
    {UP8, SMALL, 260, 6912, 20, 1, false},
    {UP8, REAL, 1280, 512, 40, 1, false},
    {UP8, REAL, 6912, 2560, 40, 1, false},
    {UP8, REAL, 6912, 2560, 100, 1, false},
    {UP4, TINY, 4, 4, 100, 1, false},
    {UP4, TINY, 36, 64, 50, 1, false},
    {UP4, TINY, 132, 132, 20, 1, false},
    {UP4, TINY, 64, 128, 0, 1, false},
    {UP4, TINY, 64, 260, ONE, 1, false},
    {UP4, TINY, 100, 192, 50, 3, false},
    {UP4, SMALL, 1280, 512, 40, 1, false},
    {UP4, SMALL, 516, 1280, 100, 5, false},
    {UP4, SMALL, 260, 6912, 20, 1, false},
    {UP4, REAL, 1280, 512, 40, 1, false},
    {UP4, REAL, 6912, 2560, 40, 1, false},
    {UP4, REAL, 6912, 2560, 100, 1, false},
    {UPF, TINY, 4, 4, 100, 1, false},
    {UPF, TINY, 36, 64, 50, 1, false},
    {UPF, TINY, 132, 132, 20, 1, false},
    {UPF, TINY, 64, 128, 0, 1, false},
    {UPF, TINY, 64, 260, ONE, 1, false},
    {UPF, TINY, 100, 192, 50, 3, false},
    {UPF, SMALL, 1280, 512, 40, 1, false},
    {UPF, SMALL, 516, 1280, 100, 5, false},
    {UPF, SMALL, 260, 6912, 20, 1, false},
    {UPF, REAL, 1280, 512, 40, 1, false},
    {UPF, REAL, 6912, 2560, 40, 1, false},
    {UPF, REAL, 6912, 2560, 100, 1, false},
    {PACK, TINY, 1, 4, 0, 1, false},
    {PACK, TINY, 16, 16, 0, 1, false},
    {PACK, TINY, 65, 132, 0, 1, false},
    {PACK, TINY, 128, 260, 0, 1, false},
    {PACK, SMALL, 300, 508, 0, 1, false},
    {PACK, SMALL, 512, 1280, 0, 1, false},
    {PACK, SMALL, 33, 6912, 0, 1, false},
    {PACK, REAL, 512, 1280, 0, 1, false},
    {PACK, REAL, 2560, 6912, 0, 1, false},
};

typedef struct own {
    const shape *shape;
    tvk_matrix w;
    tvk_format format;
    tvk_array *act, *y;
} own;

static uint32_t count(void)
{
    return (uint32_t)(sizeof shapes / sizeof *shapes);
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index];
    char what[32] = "";
    out->op = s->op;
    out->size = s->size;
    out->shape[0] = s->n;
    out->shape[1] = s->k;
    out->shape[2] = 1;
    if (s->op != PACK && s->parts <= 100)
        snprintf(what, sizeof what, " %u %% %s", s->parts, s->op == GEMV ? "non-zero" : "open");
    if (s->op == LIST)
        snprintf(out->name, sizeof out->name, "F %u%s%s", s->k, what,
                 s->parts == ONE ? " one open" : "");
    else
        snprintf(out->name, sizeof out->name, "N %u K %u%s%s%s%s", s->n, s->k, what,
                 s->parts == ONE       ? " one"
                 : s->parts == LARGEST ? " largest"
                                       : "",
                 s->pieces > 1 ? " pieces" : "", s->add ? " add" : "");
}

/* Is entry i of `count` one of those that are not skipped? */
static bool taken(const shape *s, uint32_t i, uint32_t of)
{
    return s->parts == ONE ? i == of - 1 : tvk_rig_hash(3, i) % 100 < s->parts;
}

static void fill_codes(uint32_t *words, const shape *s, uint32_t rows, uint32_t row_words)
{
    for (uint32_t i = 0; i < rows * row_words; i++) {
        uint32_t w = 0;
        for (uint32_t c = 0; c < 16; c++)
            w |= (s->parts == LARGEST             ? 0u
                  : i % row_words * 16 + c < s->k ? tvk_rig_hash(s->n, i * 16 + c) % 3u
                                                  : 1u)
                 << 2 * c;
        words[i] = w;
    }
}

/* The record of a row of which about s->parts of 100 are not zero. */
static void fill_record(const own *o, uint32_t *record, float *x, uint32_t k)
{
    const shape *s = o->shape;
    bool some = s->op == GEMV;
    for (uint32_t i = 0; i < k; i++) {
        float v = tvk_rig_float(11, i);
        /* away from 0, so that the code is not 0 either */
        x[i] = some && !taken(s, i, k) ? 0.0f : v < 0 ? v - 0.25f : v + 0.25f;
    }
    if (o->format == TVK_FORMAT_I4)
        tvk_ref_act_i4(x, NULL, 0, k, record);
    else if (o->format == TVK_FORMAT_FP4)
        tvk_ref_act_fp4(x, k, record);
    else
        tvk_ref_act_i8(x, k, record);
    if (s->parts == LARGEST) {
        for (uint32_t i = 0; i < tvk_ref_act_words(k) - TVK_ACT_HEADER_WORDS; i++)
            record[TVK_ACT_HEADER_WORDS + i] = 4 * i < k ? 0x80808080u : 0;
        record[1] = (uint32_t)(-128 * (int32_t)k);
    }
    if (some) tvk_ref_list(record, k);
}

static tvk_status make_act(tvk_rig *rig, own *o, uint32_t k, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t words = tvk_act_words(o->format, k);
    float *x = tvk_arena_alloc(&rig->arena, k, sizeof *x);
    TVK_TRY_ALLOC(x);
    TVK_TRY(tvk_rig_array(rig, "act", words + (o->shape->op == GEMV ? tvk_list_words(k) : 0), 0,
                          false, &o->act, err));
    fill_record(o, o->act->words, x, k);
fail:
    return st;
}

static tvk_status make_scales(tvk_rig *rig, uint32_t first, uint32_t rows, tvk_array **out,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_rig_array(rig, "scales", rows, 0, false, out, err));
    for (uint32_t r = 0; r < rows; r++)
        (*out)->words[r] = tvk_f32_bits(0.02f + 0.01f * tvk_rig_float(5, first + r));
fail:
    return st;
}

static tvk_status setup_gemv(tvk_rig *rig, own *o, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = o->shape;
    tvk_matrix *w = &o->w;
    uint32_t row_words = tvk_layout_row_words(TVK_LAYOUT_T2, s->k);
    uint32_t pieces = tvk_rig_pieces(rig, s->pieces, (uint64_t)s->n * row_words * 4);
    uint32_t step = (uint32_t)((uint64_t)s->n * s->k / 50000000u) + 1;
    TVK_TRY(make_act(rig, o, s->k, err));
    TVK_TRY(tvk_rig_array(rig, "y", s->n, 0, true, &o->y, err));
    if (s->add) {
        tvk_rig_fill(o->y->words, o->y->count, 9, 8.0f);
        memcpy(o->y->want, o->y->words, (size_t)o->y->count * 4);
    }
    TVK_TRY(tvk_rig_skip_all(rig, o->y, err));
    *w = (tvk_matrix){.layout = TVK_LAYOUT_T2, .n = s->n, .k = s->k, .row_words = row_words};
    for (uint32_t p = 0; p < pieces; p++) {
        uint32_t first = s->n * p / pieces, rows = s->n * (p + 1) / pieces - first;
        uint32_t *codes = tvk_arena_alloc(&rig->arena, (size_t)rows * row_words, 4);
        tvk_array *kmajor, *scales;
        TVK_TRY_ALLOC(codes);
        fill_codes(codes, s, rows, row_words);
        TVK_TRY(tvk_rig_array(rig, "K-major", (uint64_t)s->k * tvk_kmajor_words(rows),
                              tvk_kmajor_words(rows), false, &kmajor, err));
        tvk_ref_repack_kmajor(codes, rows, s->k, kmajor->words);
        TVK_TRY(make_scales(rig, first, rows, &scales, err));
        w->piece[p].kmajor = kmajor->span;
        w->piece[p].scales = scales->span;
        w->piece[p].first = first;
        w->piece[p].rows = rows;
        w->piece_count++;
        for (uint32_t r = 0; r < rows; r += step) {
            tvk_ref_gemv_t2_i8(codes + (size_t)r * row_words, tvk_rig_floats(scales->words) + r,
                               o->act->words, 1, s->k, s->add,
                               tvk_rig_floats(o->y->want) + first + r);
            tvk_rig_compare(o->y, first + r, 1);
        }
    }
    rig->bytes =
        4.0 * o->act->words[2] * (tvk_kmajor_words(s->n) + 1) + s->n * (s->add ? 12.0 : 8.0);
    rig->operations = 2.0 * s->n * o->act->words[2];
fail:
    return st;
}

/* Gates in f, with their list if `listed`. Returns how many are open. */
static uint32_t fill_gates(const shape *s, uint32_t width, bool listed, uint32_t *f)
{
    for (uint32_t r = 0; r < width; r++) {
        float v = tvk_rig_float(21, r);
        v = v < 0 ? -v : v;
        f[r] = tvk_f32_bits(taken(s, r, width) ? v + 0.5f : r % 3 ? -v : r % 2 ? 0.0f : -0.0f);
    }
    if (!listed) return 0;
    tvk_ref_relu_list(f, width);
    return f[width];
}

static tvk_status setup_list(tvk_rig *rig, own *o, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = o->shape;
    TVK_TRY(tvk_rig_array(rig, "f", tvk_up_words(s->k), 0, true, &o->y, err));
    fill_gates(s, s->k, false, o->y->words);
    memcpy(o->y->want, o->y->words, (size_t)o->y->count * 4);
    tvk_ref_relu_list(o->y->want, s->k);
    rig->bytes = 4.0 * (s->k + 2.0 * o->y->want[s->k]);
fail:
    return st;
}

static tvk_status setup_up(tvk_rig *rig, own *o, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = o->shape;
    tvk_matrix *w = &o->w;
    uint32_t row_words = tvk_layout_row_words(TVK_LAYOUT_T2, s->k), open;
    uint32_t *codes = tvk_arena_alloc(&rig->arena, 2 * (size_t)s->n * row_words, 4);
    float *scales = tvk_arena_alloc(&rig->arena, 2 * (size_t)s->n, sizeof *scales);
    uint32_t pieces = tvk_rig_pieces(rig, s->pieces, 2ull * s->n * row_words * 4);
    TVK_TRY_ALLOC(codes && scales ? codes : NULL);
    o->format = s->op == UP4 ? TVK_FORMAT_I4 : s->op == UPF ? TVK_FORMAT_FP4 : TVK_FORMAT_I8;
    TVK_TRY(make_act(rig, o, s->k, err));
    TVK_TRY(tvk_rig_array(rig, "f", tvk_up_words(s->n), 0, true, &o->y, err));
    open = fill_gates(s, s->n, true, o->y->words);
    memcpy(o->y->want, o->y->words, (size_t)o->y->count * 4);
    fill_codes(codes, s, 2 * s->n, row_words);
    *w = (tvk_matrix){.layout = TVK_LAYOUT_T2, .n = 2 * s->n, .k = s->k, .row_words = row_words};
    for (uint32_t p = 0; p < pieces; p++) {
        uint32_t first = 2 * s->n * p / pieces, rows = 2 * s->n * (p + 1) / pieces - first;
        tvk_array *words, *part;
        TVK_TRY(
            tvk_rig_array(rig, "codes", (uint64_t)rows * row_words, row_words, false, &words, err));
        memcpy(words->words, codes + (size_t)first * row_words, (size_t)rows * row_words * 4);
        TVK_TRY(make_scales(rig, first, rows, &part, err));
        memcpy(scales + first, part->words, rows * sizeof *scales);
        w->piece[p].words = words->span;
        w->piece[p].scales = part->span;
        w->piece[p].first = first;
        w->piece[p].rows = rows;
        w->piece_count++;
    }
    tvk_ref_up(codes + (size_t)s->n * row_words, scales + s->n, o->act->words,
               s->op == UP4   ? tvk_ref_gemv_t2_i4
               : s->op == UPF ? tvk_ref_gemv_t2_fp4
                              : tvk_ref_gemv_t2_i8,
               s->k, s->n, o->y->want);
    rig->bytes = (double)open * (row_words * 4 + 12.0) + 4.0 * (double)o->act->count;
    rig->operations = 2.0 * open * s->k;
fail:
    return st;
}

static tvk_status setup_pack(tvk_rig *rig, own *o, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = o->shape;
    uint32_t row_words = tvk_layout_row_words(TVK_LAYOUT_T2, s->k);
    TVK_TRY(
        tvk_rig_array(rig, "codes", (uint64_t)s->n * row_words, row_words, false, &o->act, err));
    TVK_TRY(tvk_rig_array(rig, "K-major", (uint64_t)s->k * tvk_kmajor_words(s->n),
                          tvk_kmajor_words(s->n), true, &o->y, err));
    fill_codes(o->act->words, s, s->n, row_words);
    tvk_ref_repack_kmajor(o->act->words, s->n, s->k, o->y->want);
    rig->bytes = 4.0 * (double)(o->act->count + o->y->count);
fail:
    return st;
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    TVK_TRY_ALLOC(o);
    o->shape = &shapes[index];
    rig->own = o;
    rig->rows = 1;
    switch (o->shape->op) {
    case GEMV:
        return setup_gemv(rig, o, err);
    case LIST:
        return setup_list(rig, o, err);
    case PACK:
        return setup_pack(rig, o, err);
    default:
        return setup_up(rig, o, err);
    }
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    const shape *s = o->shape;
    switch (s->op) {
    case GEMV:
        return tvk_op_matmul_sparse(rig->kernels, &rig->list, &o->w, o->act->span, o->y->span,
                                    s->add, err);
    case LIST:
        return tvk_op_relu_list(rig->kernels, &rig->list, o->y->span, s->k, err);
    case PACK:
        return tvk_op_repack_kmajor(rig->kernels, &rig->list, o->act->span, o->y->span, s->n, s->k,
                                    err);
    default:
        return tvk_op_up(rig->kernels, &rig->list, &o->w, s->n, o->format, o->act->span, o->y->span,
                         s->n, err);
    }
}

const tvk_family tvk_family_sparse = {count, describe, setup, append, NULL, NULL};
