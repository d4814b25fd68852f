/* y [rows, N] (+)= act W^T for every layout: mat-vec for one row, mat-mat for more, a dispatch a
 * piece of the matrix. */
#include "kernels/internal.h"

#include <string.h>

/* {of more rows, of one row}; whole: a row of a multiple of so many values has whole units only */
static const struct {
    tvk_op ops[2];
    uint32_t whole;
} other_ops[] = {
    [TVK_LAYOUT_F32] = {{TVK_OP_gemm_f32, TVK_OP_gemv_f32}, 4},
    [TVK_LAYOUT_F16] = {{TVK_OP_gemm_f16, TVK_OP_gemv_f16}, 8},
    [TVK_LAYOUT_Q8] = {{TVK_OP_gemm_q8, TVK_OP_gemv_q8}, 16},
    [TVK_LAYOUT_T1] = {{TVK_OP_gemm_t1_i8, TVK_OP_gemv_t1_i8}, 1},
    [TVK_LAYOUT_Q6] = {{TVK_OP_gemm_q6, TVK_OP_gemv_q6}, 256},
    [TVK_LAYOUT_Q4] = {{TVK_OP_gemm_q4, TVK_OP_gemv_q4}, 256},
    [TVK_LAYOUT_T2_F32] = {{TVK_OP_gemm_t2_f32, TVK_OP_gemv_t2_f32}, 16},
};
static const tvk_op t2_ops[][2] = {
    [TVK_FORMAT_I8] = {TVK_OP_gemm_t2_i8, TVK_OP_gemv_t2_i8},
    [TVK_FORMAT_TOPK] = {TVK_OP_gemm_t2_i8, TVK_OP_gemv_t2_i8},
    [TVK_FORMAT_I4] = {TVK_OP_gemm_t2_i4, TVK_OP_gemv_t2_i4},
    [TVK_FORMAT_FP4] = {TVK_OP_gemm_t2_fp4, TVK_OP_gemv_t2_fp4},
};

static tvk_op op_of(const tvk_matrix *w, tvk_format format, uint32_t rows)
{
    return w->layout == TVK_LAYOUT_T2 ? t2_ops[format][rows == 1]
                                      : other_ops[w->layout].ops[rows == 1];
}

typedef struct cut {
    uint32_t constants[15], count;
    uint32_t rows; /* weight rows a workgroup */
    uint32_t tm;   /* activation rows a workgroup */
} cut;

/* A ternary mat-vec. */
static cut vec_cut(const tvk_kernels *k, tvk_choice choice, const tvk_matrix *w)
{
    const tvk_vec_cut v = tvk_kernels_vec_cut(k, choice, w, w->n);
    cut r = {.count = TVK_VEC_CONSTANTS, .rows = v.rows, .tm = 1};
    memcpy(r.constants, v.constants, sizeof v.constants);
    return r;
}

static cut make_cut(const tvk_config *c, const tvk_matrix *w, bool one, bool staged)
{
    cut r = {{c->group, 1, 1, c->tile[0], c->tile[1], c->tile[2]}, 0, 0, 1};
    if (tvk_layout_coded(w->layout)) { /* TM, TILE, ROWS */
        r.count = 6;
        r.tm = c->tile[0];
        r.rows = c->group * c->tile[2];
    } else if (staged) { /* ROWS, TM -> WIDE, ROWS, TM */
        r.constants[3] = w->k % other_ops[w->layout].whole == 0;
        r.constants[4] = c->tile[0];
        r.constants[5] = c->tile[1];
        r.count = 6;
        r.tm = c->tile[1];
        r.rows = c->group / TVK_DOT_PARTIALS * c->tile[0];
    } else { /* LANES, ROWS, TM -> LANES, WIDE, ROWS, TM */
        r.constants[4] = w->k % other_ops[w->layout].whole == 0;
        r.constants[5] = c->tile[1];
        r.constants[6] = c->tile[2];
        r.count = one ? 6 : 7;
        r.tm = one ? 1 : c->tile[2];
        r.rows = c->group / c->tile[0] * c->tile[1];
    }
    return r;
}

/* BM, BN, BK, WM, WN, STAGES, AHEAD */
static cut matrix_cut(const tvk_config *c, const tvk_plan *plan, uint32_t gate)
{
    const tvk_coopmat_shape *s = &plan->coopmat_i8;
    const uint32_t subgroup = plan->coopmat_subgroup;
    cut r = {
        {c->group / 32 * subgroup, 1, 1, s->m, s->n, s->k, subgroup}, 15, c->tile[1], c->tile[0]};
    memcpy(&r.constants[7], c->tile, 7 * sizeof c->tile[0]);
    r.constants[14] = gate;
    return r;
}

/* BM, BN, BK, WM, WN */
static cut halves_cut(const tvk_config *c, const tvk_plan *plan)
{
    const tvk_coopmat_shape *s = &plan->coopmat_f16;
    const uint32_t subgroup = plan->coopmat_subgroup;
    cut r = {
        {c->group / 32 * subgroup, 1, 1, s->m, s->n, s->k, subgroup}, 12, c->tile[1], c->tile[0]};
    memcpy(&r.constants[7], c->tile, 5 * sizeof c->tile[0]);
    return r;
}

static bool by_matrices(tvk_choice choice)
{
    return (tvk_shader_get(choice.row)->caps & TVK_CAP_COOPMAT_I8) != 0;
}

static bool by_stages(tvk_choice choice)
{
    return strcmp(tvk_shader_get(choice.row)->variant, "stage") == 0;
}

static tvk_status check(tvk_kernels *k, tvk_op op, const tvk_matrix *w, uint32_t act_words,
                        tvk_span act, tvk_span y, uint32_t outputs, uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t words = tvk_layout_row_words(w->layout, w->k), next = 0;
    TVK_TRY(tvk_check_value(op, w->k > 0 && words > 0, "a K that fits the layout", w->k, err));
    TVK_TRY(
        tvk_check_value(op, w->row_words == words, "the layout's words a row", w->row_words, err));
    TVK_TRY(tvk_check_value(op, rows > 0, "at least one row", rows, err));
    TVK_TRY(tvk_check_value(op, w->piece_count > 0 && w->piece_count <= TVK_MAX_PIECES,
                            "1 to 32 pieces", w->piece_count, err));
    TVK_TRY(tvk_check_span(k, op, "activations", act, 4ull * rows * act_words, err));
    TVK_TRY(tvk_check_span(k, op, "y", y, 4ull * rows * outputs, err));
    for (uint32_t i = 0; i < w->piece_count; i++) {
        uint32_t n = w->piece[i].rows;
        TVK_TRY(tvk_check_value(op, w->piece[i].first == next && n > 0 && n <= w->n - next,
                                "pieces that follow each other", w->piece[i].first, err));
        next += n;
        TVK_TRY(tvk_check_span(k, op, "weights", w->piece[i].words, 4ull * n * words, err));
        if (tvk_layout_row_scales(w->layout, w->k))
            TVK_TRY(tvk_check_span(k, op, "scales", w->piece[i].scales,
                                   4ull * n * tvk_layout_row_scales(w->layout, w->k), err));
    }
    TVK_TRY(tvk_check_value(op, next == w->n, "pieces that cover all rows", next, err));
fail:
    return st;
}

typedef struct request {
    const tvk_matrix *w;
    tvk_format format;
    tvk_span act, y;
    uint32_t rows, gate; /* TVK_GATE_* */
    bool add;
    uint8_t axis; /* TVK_AXIS_* that counts the rows */
} request;

/* What runs it, and how it is cut. */
typedef struct way {
    tvk_choice choice;
    cut cut;
} way;

static way find_way(tvk_kernels *k, const request *r, const tvk_shape *shape)
{
    const tvk_plan *plan = tvk_gpu_plan(tvk_kernels_device(k));
    tvk_choice choice = tvk_kernels_choose(k, shape);
    /* rows of F16 that do not begin at a multiple of 16 bytes */
    if (tvk_config_halves(tvk_shader_get(choice.row)) && r->w->k % 8 != 0)
        choice = (tvk_choice){tvk_select_row(plan, shape->op, true), 0, choice.shape};
    const tvk_config *c = tvk_kernels_config_of(k, choice);
    if (by_matrices(choice)) return (way){choice, matrix_cut(c, plan, r->gate)};
    if (tvk_config_halves(tvk_shader_get(choice.row))) return (way){choice, halves_cut(c, plan)};
    if (tvk_layout_coded(r->w->layout) && r->rows == 1)
        return (way){choice, vec_cut(k, choice, r->w)};
    return (way){choice, make_cut(c, r->w, r->rows == 1, by_stages(choice))};
}

/* The outputs [first, first + count) of a piece. */
static tvk_status append_rows(tvk_kernels *k, tvk_dispatch_list *l, const request *r, const way *by,
                              uint32_t piece, uint32_t first, uint32_t count, tvk_error *err)
{
    const tvk_matrix *w = r->w;
    const cut *c = &by->cut;
    const bool coded = tvk_layout_coded(w->layout);
    const uint64_t row = 4ull * w->row_words,
                   scales = 4ull * tvk_layout_row_scales(w->layout, w->k);
    const struct tvk_matmul_params p = {.n = count,
                                        .k = w->k,
                                        .row_words = w->row_words,
                                        .first_row = w->piece[piece].first + first,
                                        .act_stride = coded ? tvk_act_words(r->format, w->k) : w->k,
                                        .y_stride = r->gate == TVK_GATE_NONE ? w->n : w->n / 2,
                                        .add = r->add,
                                        .rows = r->rows};
    const uint32_t columns = tvk_div_up(p.n, c->rows);
    const bool whole = count == w->piece[piece].rows;
    tvk_groups groups = {{TVK_AXIS_FIXED, r->axis, TVK_AXIS_FIXED}, {columns, c->tm, 1}};
    tvk_span bindings[] = {w->piece[piece].words, w->piece[piece].scales, r->act, r->y};
    if (!coded && r->rows > 1)
        groups = (tvk_groups){{r->axis, TVK_AXIS_FIXED, TVK_AXIS_FIXED}, {c->tm, columns, 1}};
    if (!whole) {
        bindings[0] = tvk_span_sub(bindings[0], first * row, count * row);
        if (scales) bindings[1] = tvk_span_sub(bindings[1], first * scales, count * scales);
    }
    if (!scales) bindings[1] = bindings[0];
    return tvk_kernels_append_choice(k, l, op_of(w, r->format, r->rows), by->choice, c->constants,
                                     c->count, bindings, &p, &groups, err);
}

/* Outputs a dispatch where the matrix is spread over `parts`: whole workgroups, and rows that begin
 * where a buffer can be bound. */
static uint32_t part_rows(const tvk_kernels *k, const tvk_matrix *w, const cut *c, uint32_t parts)
{
    const uint64_t align = tvk_gpu_plan(tvk_kernels_device(k))->storage_align;
    const uint32_t scales = tvk_layout_row_scales(w->layout, w->k);
    uint32_t unit = c->rows;
    if (parts <= 1) return w->n;
    while (4ull * unit * w->row_words % align || 4ull * unit * scales % align || unit % 4)
        unit += c->rows;
    return tvk_div_up(tvk_div_up(w->n, parts), unit) * unit;
}

static tvk_status append(tvk_kernels *k, tvk_dispatch_list *l, const request *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_matrix *w = r->w;
    const tvk_op op = op_of(w, r->format, r->rows);
    const uint32_t act_words = tvk_layout_coded(w->layout) ? tvk_act_words(r->format, w->k) : w->k;
    const uint32_t outputs = r->gate == TVK_GATE_NONE ? w->n : w->n / 2;
    const tvk_shape shape = {op, w->n, w->k, r->rows, l->exact};
    const way by = find_way(k, r, &shape);
    const uint32_t most = part_rows(k, w, &by.cut, tvk_kernels_parts(k, &shape));
    TVK_TRY(check(k, op, w, act_words, r->act, r->y, outputs, r->rows, err));
    for (uint32_t i = 0; i < w->piece_count; i++)
        for (uint32_t at = 0; at < w->piece[i].rows; at += most) {
            const uint32_t left = w->piece[i].rows - at;
            TVK_TRY(append_rows(k, l, r, &by, i, at, left < most ? left : most, err));
        }
fail:
    return st;
}

tvk_status tvk_op_matmul(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w, tvk_span act,
                         tvk_span y, uint32_t rows, bool add, bool outs, tvk_error *err)
{
    tvk_status st = TVK_OK;
    /* mostly one output row is wanted of a step that has room for several: a mat-vec stands beside
     * the mat-mat, and one of the two gets no workgroups */
    const request one = {w, TVK_FORMAT_I8, act, y, 1, TVK_GATE_NONE, add, TVK_AXIS_ONE};
    const request several = {w, TVK_FORMAT_I8, act, y, rows, TVK_GATE_NONE, add, TVK_AXIS_SEVERAL};
    if (!outs || rows == 1)
        return tvk_op_matmul_act(k, l, w, TVK_FORMAT_I8, act, y, rows, add, outs, err);
    TVK_TRY(append(k, l, &one, err));
    TVK_TRY(append(k, l, &several, err));
fail:
    return st;
}

tvk_status tvk_op_matmul_act(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w,
                             tvk_format format, tvk_span act, tvk_span y, uint32_t rows, bool add,
                             bool outs, tvk_error *err)
{
    const uint8_t axis = outs ? TVK_AXIS_OUTS : TVK_AXIS_ROWS;
    const request r = {w, format, act, y, rows, TVK_GATE_NONE, add, axis};
    return append(k, l, &r, err);
}

bool tvk_matmul_gates(tvk_kernels *k, const tvk_matrix *w, tvk_format format, uint32_t rows)
{
    const uint32_t wn = 4, columns = tvk_gpu_plan(tvk_kernels_device(k))->coopmat_i8.n;
    const tvk_shape shape = {op_of(w, format, rows), w->n, w->k, rows, false};
    tvk_choice choice;
    if (w->layout != TVK_LAYOUT_T2 || w->piece_count != 1 || w->n % 2 != 0 || rows == 1 ||
        tvk_kernels_parts(k, &shape) > 1)
        return false;
    choice = tvk_kernels_choose(k, &shape);
    /* every subgroup has columns of both halves */
    return by_matrices(choice) && tvk_kernels_config_of(k, choice)->tile[wn] % (2 * columns) == 0;
}

tvk_status tvk_op_matmul_gated(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w,
                               tvk_format format, tvk_span act, tvk_span f, uint32_t rows,
                               uint32_t gate, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const request r = {w, format, act, f, rows, gate, false, TVK_AXIS_ROWS};
    TVK_TRY(tvk_check_value(op_of(w, format, rows), tvk_matmul_gates(k, w, format, rows),
                            "a matrix that is taken by matrices, in one piece", w->piece_count,
                            err));
    TVK_TRY(append(k, l, &r, err));
fail:
    return st;
}
