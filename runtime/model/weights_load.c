/* Upload: file rows go through windows of the staging ring; blocks are repacked by the device,
 * floats are laid out by the host and copied. Nothing of a file is held twice in memory. */
#include "base/check.h"
#include "base/crew.h"
#include "base/dtype.h"
#include "base/half.h"
#include "graph/once.h"
#include "model/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define I2S_BLOCK 128u
/* Work of the host on a window, in pieces of so many bytes, which several threads take. */
#define HOST_PIECE_BYTES (512u << 10)

typedef struct loader {
    tvk_kernels *kernels;
    tvk_device *device;
    const tvk_progress *progress;
    uint64_t done, total;
} loader;

static tvk_status report(loader *l, uint64_t bytes, tvk_error *err)
{
    tvk_status st = TVK_OK;
    l->done += bytes;
    if (l->progress && l->progress->fn &&
        !l->progress->fn(l->progress->user, "loading", l->done, l->total)) {
        TVK_FAIL(TVK_ERR_CANCELLED, "loading was cancelled");
    }
fail:
    return st;
}

typedef struct window_rows {
    const tvk_tensor *tensor;
    tvk_matrix *matrix;
    uint32_t piece;
    uint32_t source_row; /* in the tensor */
    uint32_t piece_row;  /* in the piece  */
    uint32_t rows;
    uint32_t first_col; /* T1: in the tensor */
} window_rows;

/* File bytes that hold rows [row, row + rows) of a tensor, and how many elements come before them.
 */
static void file_range(const tvk_tensor *t, uint32_t row, uint32_t rows, uint64_t *begin,
                       uint64_t *bytes, uint32_t *skip)
{
    uint64_t k = t->dims[0];
    const tvk_dtype_info *info = tvk_dtype_get(t->type);
    if (t->type == TVK_I2_S) {
        uint64_t e0 = row * k, e1 = (row + (uint64_t)rows) * k;
        uint64_t b0 = e0 / I2S_BLOCK, b1 = (e1 + I2S_BLOCK - 1) / I2S_BLOCK;
        *begin = b0 * info->block_bytes;
        *bytes = (b1 - b0) * info->block_bytes;
        *skip = (uint32_t)(e0 - b0 * I2S_BLOCK);
    } else {
        uint64_t row_bytes = k / info->block_elems * info->block_bytes;
        *begin = row * row_bytes;
        *bytes = rows * row_bytes;
        *skip = 0;
    }
}

typedef struct copy_work {
    uint8_t *to;
    const uint8_t *from;
    uint64_t bytes;
} copy_work;

static void copy_piece(void *user, uint32_t i)
{
    const copy_work *c = user;
    const uint64_t at = (uint64_t)i * HOST_PIECE_BYTES, left = c->bytes - at;
    memcpy(c->to + at, c->from + at, left < HOST_PIECE_BYTES ? left : HOST_PIECE_BYTES);
}

static void copy_wide(void *to, const void *from, uint64_t bytes)
{
    copy_work c = {to, from, bytes};
    tvk_crew_run((uint32_t)((bytes + HOST_PIECE_BYTES - 1) / HOST_PIECE_BYTES), copy_piece, &c);
}

static tvk_status load_blocks(loader *l, const window_rows *w, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_matrix *m = w->matrix;
    tvk_dispatch_list list = {.label = "repack"};
    tvk_span window = {0};
    struct tvk_repack_params params = {
        .n = w->rows, .k = m->k, .row_words = m->row_words, .first_row = w->piece_row};
    uint64_t begin, bytes, ticket = 0;
    void *host;
    file_range(w->tensor, w->source_row, w->rows, &begin, &bytes, &params.skip);
    TVK_TRY(tvk_staging_acquire(l->device, tvk_round_up(bytes, 4), &window, &host, err));
    copy_wide(host, (const uint8_t *)w->tensor->data + begin, bytes);
    if (tvk_dtype_get(w->tensor->type)->ternary) {
        TVK_TRY(tvk_op_repack_t2(l->kernels, &list, w->tensor->type, window,
                                 m->piece[w->piece].words, &params, err));
    } else {
        TVK_TRY(tvk_op_repack_q(l->kernels, &list, w->tensor->type, window,
                                m->piece[w->piece].words, m->piece[w->piece].scales, &params, err));
    }
    TVK_TRY(tvk_once_dispatch(l->device, &list, &ticket, err));
    TVK_TRY(report(l, bytes, err));
fail:
    if (window.buffer) tvk_staging_release(l->device, window, ticket);
    tvk_dispatch_list_free(&list);
    return st;
}

static void t2_row(const tvk_tensor *t, uint64_t first, uint32_t k, uint32_t words, uint32_t *out)
{
    for (uint32_t w = 0; w < words; w++) {
        uint32_t word = 0;
        for (uint32_t e = 0; e < 16; e++) {
            uint32_t i = w * 16 + e, code = 1;
            if (i < k) {
                float v = tvk_tensor_f32(t, first + i);
                code = v > 0 ? 2 : v < 0 ? 0 : 1;
            }
            word |= code << (8 * (e % 4) + 2 * (e / 4));
        }
        out[w] = word;
    }
}

/* Bits of the file, value k at bit k mod 8 of byte k / 8, as the device has them: four values to a
 * step of bytes (docs/formats.md). first is a multiple of 4; past K and the file's row zeros. */
static void t1_row(const uint8_t *bits, uint64_t bytes, uint32_t first, uint32_t k, uint32_t words,
                   uint32_t *out)
{
    for (uint32_t w = 0; w < words; w++) {
        uint32_t word = 0;
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t at = 32 * w + 4 * i, from = first + at, four;
            if (at >= k || from / 8 >= bytes) break;
            four = (uint32_t)bits[from / 8] >> from % 8 & 15u;
            word |= (four * 0x00204081u & 0x01010101u) << i; /* bit j of the four to bit 8 j */
        }
        out[w] = word;
    }
}

/* One row of a tensor that is not in blocks as the device holds it. */
static void host_row(const window_rows *w, uint32_t row, uint32_t *out)
{
    const tvk_tensor *t = w->tensor;
    const tvk_matrix *m = w->matrix;
    uint64_t first = (uint64_t)row * m->k;
    switch (m->layout) {
    case TVK_LAYOUT_T2:
        t2_row(t, first, m->k, m->row_words, out);
        break;
    case TVK_LAYOUT_T1:
        t1_row((const uint8_t *)t->data + (uint64_t)row * t->dims[0], t->dims[0], w->first_col,
               m->k, m->row_words, out);
        break;
    case TVK_LAYOUT_F16:
        memset(out, 0, (size_t)m->row_words * 4);
        memcpy(out, (const uint8_t *)t->data + 2 * first, (size_t)m->k * 2);
        break;
    default:
        for (uint32_t i = 0; i < m->row_words; i++) {
            out[i] = i < m->k ? tvk_f32_bits(tvk_tensor_f32(t, first + i)) : 0;
        }
        break;
    }
}

typedef struct rows_work {
    const window_rows *w;
    uint32_t *to;
    uint32_t rows; /* a piece */
} rows_work;

static void rows_piece(void *user, uint32_t i)
{
    const rows_work *c = user;
    const uint32_t first = i * c->rows, left = c->w->rows - first;
    for (uint32_t r = first; r < first + (left < c->rows ? left : c->rows); r++)
        host_row(c->w, c->w->source_row + r, c->to + (size_t)r * c->w->matrix->row_words);
}

static void rows_wide(const window_rows *w, uint32_t *to)
{
    rows_work c = {w, to, HOST_PIECE_BYTES / (4 * w->matrix->row_words) + 1};
    tvk_crew_run(tvk_div_up(w->rows, c.rows), rows_piece, &c);
}

static tvk_status load_floats(loader *l, const window_rows *w, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_matrix *m = w->matrix;
    uint64_t row_bytes = (uint64_t)m->row_words * 4, ticket = 0;
    uint64_t source_bytes =
        m->layout == TVK_LAYOUT_T1 ? m->k / 8 : w->tensor->bytes / w->tensor->dims[1];
    tvk_span window = {0};
    void *host;
    TVK_TRY(tvk_staging_acquire(l->device, w->rows * row_bytes, &window, &host, err));
    rows_wide(w, host);
    TVK_TRY(tvk_once_copy(
        l->device, tvk_span_sub(window, 0, w->rows * row_bytes),
        tvk_span_sub(m->piece[w->piece].words, w->piece_row * row_bytes, w->rows * row_bytes),
        &ticket, err));
    TVK_TRY(report(l, w->rows * source_bytes, err));
fail:
    if (window.buffer) tvk_staging_release(l->device, window, ticket);
    return st;
}

static tvk_status load_part(loader *l, const tvk_matrix_plan *plan, uint32_t part, tvk_matrix *m,
                            tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_tensor *t = plan->part[part].tensor;
    bool blocks = tvk_dtype_get(t->type)->block_elems > 1;
    uint64_t limit = tvk_gpu_staging_max(l->device);
    /* two more I2_S blocks than the rows need when blocks straddle them */
    uint64_t row_bytes = blocks ? t->bytes / t->dims[1] + 1 : (uint64_t)m->row_words * 4;
    uint64_t window = limit > 128 ? (limit - 128) / row_bytes : 0;
    if (window == 0) {
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: a row of %llu bytes is larger than the staging window",
                 t->name, (unsigned long long)row_bytes);
    }
    for (uint32_t row = 0; row < plan->part[part].rows;) {
        uint32_t target = plan->part[part].first + row, piece = 0, left;
        window_rows w = {
            .tensor = t, .matrix = m, .source_row = row, .first_col = plan->part[part].first_col};
        while (target >= m->piece[piece].first + m->piece[piece].rows) piece++;
        left = m->piece[piece].first + m->piece[piece].rows - target;
        w.piece = piece;
        w.piece_row = target - m->piece[piece].first;
        w.rows = plan->part[part].rows - row;
        if (w.rows > left) w.rows = left;
        if (w.rows > window) w.rows = (uint32_t)window;
        TVK_TRY(blocks ? load_blocks(l, &w, err) : load_floats(l, &w, err));
        row += w.rows;
    }
fail:
    return st;
}

/* Scales that the host finds: of ternary and of sign matrices. */
static tvk_status load_scales(loader *l, const tvk_matrix_plan *plan, tvk_matrix *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const size_t row = tvk_layout_row_scales(m->layout, m->k);
    float *scales = NULL;
    if (!tvk_layout_coded(m->layout) && m->layout != TVK_LAYOUT_T2_F32) return TVK_OK;
    scales = malloc((size_t)plan->n * row * sizeof *scales);
    TVK_TRY_ALLOC(scales);
    for (uint32_t p = 0; p < plan->part_count; p++) {
        float *to = scales + plan->part[p].first * row;
        const tvk_tensor *t = plan->part[p].tensor, *scale = plan->part[p].scale;
        if (m->layout == TVK_LAYOUT_T1)
            TVK_TRY(tvk_sign_scales(plan, p, to, err));
        else if (m->layout == TVK_LAYOUT_T2)
            TVK_TRY(tvk_ternary_scales(t, scale, to, err));
        else
            TVK_TRY(tvk_ternary_block_scales(t, scale, to, err));
    }
    for (uint32_t i = 0; i < m->piece_count; i++) {
        TVK_TRY(tvk_gpu_send(l->device, m->piece[i].scales, scales + m->piece[i].first * row, err));
    }
fail:
    free(scales);
    return st;
}

/* The K-major copies, on the device, once the rows are there. */
static tvk_status make_kmajor(loader *l, tvk_matrix *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_dispatch_list list = {.label = "repack"};
    for (uint32_t i = 0; i < m->piece_count; i++) {
        TVK_TRY(tvk_op_repack_kmajor(l->kernels, &list, m->piece[i].words, m->piece[i].kmajor,
                                     m->piece[i].rows, m->k, err));
    }
    TVK_TRY(tvk_once_dispatch(l->device, &list, NULL, err));
fail:
    tvk_dispatch_list_free(&list);
    return st;
}

static tvk_status load_rows(loader *l, const tvk_matrix_plan *plan, tvk_matrix *m, tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (uint32_t p = 0; p < plan->part_count; p++) TVK_TRY(load_part(l, plan, p, m, err));
    if (plan->kmajor) TVK_TRY(make_kmajor(l, m, err));
fail:
    return st;
}

static tvk_status load_gain(loader *l, const tvk_tensor *t, tvk_span gain, tvk_error *err)
{
    tvk_status st = TVK_OK;
    float *values = NULL;
    if (!t) return TVK_OK;
    values = malloc((size_t)t->dims[0] * sizeof *values);
    TVK_TRY_ALLOC(values);
    for (uint64_t i = 0; i < t->dims[0]; i++) values[i] = tvk_tensor_f32(t, i);
    TVK_TRY(tvk_gpu_send(l->device, gain, values, err));
    TVK_TRY(report(l, t->bytes, err));
fail:
    free(values);
    return st;
}

/* fn for every matrix. */
static tvk_status each_matrix(loader *l, const tvk_weights_plan *plan, tvk_weights *w,
                              tvk_status (*fn)(loader *l, const tvk_matrix_plan *plan,
                                               tvk_matrix *m, tvk_error *err),
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(fn(l, &plan->embedding, &w->embedding, err));
    if (w->output != &w->embedding) TVK_TRY(fn(l, &plan->output, &w->output_matrix, err));
    for (uint32_t i = 0; i < w->layer_count; i++) {
        const tvk_layer_plan *from = &plan->layers[i];
        tvk_layer_weights *to = &w->layers[i];
        TVK_TRY(fn(l, &from->qkv, &to->qkv, err));
        for (uint32_t s = 0; s < w->slabs; s++) TVK_TRY(fn(l, &from->o[s], &to->o[s], err));
        TVK_TRY(fn(l, &from->gate_up, &to->gate_up, err));
        for (uint32_t s = 0; s < w->slabs; s++) TVK_TRY(fn(l, &from->down[s], &to->down[s], err));
    }
fail:
    return st;
}

static tvk_status load_gains(loader *l, const tvk_weights_plan *plan, const tvk_weights *w,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (uint32_t i = 0; i < w->layer_count; i++) {
        const tvk_layer_plan *from = &plan->layers[i];
        const tvk_layer_weights *to = &w->layers[i];
        TVK_TRY(load_gain(l, from->attn_norm, to->attn_norm, err));
        TVK_TRY(load_gain(l, from->attn_sub_norm, to->attn_sub_norm, err));
        TVK_TRY(load_gain(l, from->ffn_norm, to->ffn_norm, err));
        TVK_TRY(load_gain(l, from->ffn_sub_norm, to->ffn_sub_norm, err));
    }
    TVK_TRY(load_gain(l, plan->output_norm, w->output_norm, err));
fail:
    return st;
}

tvk_status tvk_weights_load(tvk_kernels *kernels, const tvk_weights_plan *plan,
                            const tvk_progress *progress, tvk_weights *weights, tvk_error *err)
{
    tvk_status st = TVK_OK;
    loader l = {.kernels = kernels,
                .device = tvk_kernels_device(kernels),
                .progress = progress,
                .total = plan->file_bytes};
    /* what is small first: between large windows it would keep the ring from filling */
    TVK_TRY(load_gains(&l, plan, weights, err));
    TVK_TRY(each_matrix(&l, plan, weights, load_scales, err));
    TVK_TRY(each_matrix(&l, plan, weights, load_rows, err));
    TVK_TRY(tvk_gpu_wait_idle(l.device, err));
fail:
    return st;
}
