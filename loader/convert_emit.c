/* Writes one tensor of convert's output, a few rows at a time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/half.h"
#include "convert.h"
#include "pack.h"

#define TQ_CODES 256
/* So many rows hold whole I2_S blocks whatever their length, but for the matrix' last ones, which
 * end where it ends. */
#define TILE_ROWS 128
#define COPY_BYTES ((size_t)4 << 20)

typedef struct tile {
    float *row, *scales; /* [k], [rows * k / 256] */
    int8_t *codes;       /* [rows * k] */
    uint8_t *packed;     /* the output's tile */
} tile;

static void tile_free(tile *t)
{
    free(t->row);
    free(t->scales);
    free(t->codes);
    free(t->packed);
}

static tvk_status tile_alloc(tile *t, const tvk_job *job, uint64_t rows, uint64_t packed_bytes,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    size_t k = (size_t)job->k;
    t->row = malloc(k * sizeof *t->row);
    TVK_TRY_ALLOC(t->row);
    t->scales = malloc(((size_t)rows * (k / TQ_CODES) + 1) * sizeof *t->scales);
    TVK_TRY_ALLOC(t->scales);
    t->codes = malloc((size_t)rows * k);
    TVK_TRY_ALLOC(t->codes);
    t->packed = malloc((size_t)packed_bytes);
    TVK_TRY_ALLOC(t->packed);
fail:
    return st;
}

/* ---- ternary ---- */

static void pack_tq(const tvk_job *job, const tile *t, uint64_t blocks)
{
    uint32_t bytes = tvk_dtype_get(job->out)->block_bytes;
    for (uint64_t b = 0; b < blocks; b++) {
        uint16_t d = job->one_scale ? job->block_scale : tvk_f32_to_f16(t->scales[b]);
        (job->out == TVK_TQ1_0 ? tvk_pack_tq1_0 : tvk_pack_tq2_0)(t->codes + b * TQ_CODES, TQ_CODES,
                                                                  d, t->packed + b * bytes);
    }
}

static tvk_status write_codes(tvk_job *job, tvk_gguf_sink *sink, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_dtype_info *info = tvk_dtype_get(job->out);
    tile t = {0};
    uint8_t trailer[TVK_I2_S_TRAILER_BYTES];
    uint64_t most = job->n < TILE_ROWS ? job->n : TILE_ROWS;
    TVK_TRY(tile_alloc(&t, job, most, most * job->k / info->block_elems * info->block_bytes, err));
    for (uint64_t r = 0; r < job->n; r += TILE_ROWS) {
        uint64_t rows = job->n - r < most ? job->n - r : most, count = rows * job->k;
        for (uint64_t i = 0; i < rows; i++)
            tvk_job_row_codes(job, r + i, t.row, t.codes + i * job->k,
                              t.scales + i * (job->k / TQ_CODES));
        if (job->out == TVK_I2_S)
            tvk_pack_i2_s(t.codes, count, t.packed);
        else
            pack_tq(job, &t, count / TQ_CODES);
        TVK_TRY(tvk_gguf_emit(sink, t.packed,
                              (size_t)(count / info->block_elems * info->block_bytes), err));
        tvk_job_drop_rows(job, r + rows);
    }
    if (job->out == TVK_I2_S) {
        tvk_i2_s_trailer(job->scale, trailer);
        TVK_TRY(tvk_gguf_emit(sink, trailer, sizeof trailer, err));
    }
fail:
    tile_free(&t);
    return st;
}

/* ---- floats ---- */

/* A row of floats, or of codes times scales. */
static void float_row(const tvk_job *job, uint64_t r, tile *t)
{
    if (!job->ternary) {
        tvk_job_row_floats(job, r, t->row);
        return;
    }
    tvk_job_row_codes(job, r, t->row, t->codes, t->scales);
    for (uint64_t i = 0; i < job->k; i++) {
        float block = job->one_scale ? 1.0f : t->scales[i / TQ_CODES];
        t->row[i] = (float)t->codes[i] * block * job->scale;
    }
}

static void pack_floats(const tvk_job *job, const float *row, uint8_t *out)
{
    switch (job->out) {
    case TVK_Q8_0:
        tvk_pack_q8_0(row, job->k, out);
        break;
    case TVK_Q6_K:
        tvk_pack_q6_k(row, job->k, out);
        break;
    case TVK_F16:
        for (uint64_t i = 0; i < job->k; i++) tvk_store_u16(out + 2 * i, tvk_f32_to_f16(row[i]));
        break;
    case TVK_BF16: /* the source's own values, in another order of rows */
        for (uint64_t i = 0; i < job->k; i++)
            tvk_store_u16(out + 2 * i, (uint16_t)(tvk_f32_bits(row[i]) >> 16));
        break;
    default:
        for (uint64_t i = 0; i < job->k; i++) tvk_store_f32(out + 4 * i, row[i]);
        break;
    }
}

static tvk_status write_floats(tvk_job *job, tvk_gguf_sink *sink, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t row_bytes = 0;
    tile t = {0};
    (void)tvk_dtype_bytes(job->out, 1, job->k, &row_bytes);
    TVK_TRY(tile_alloc(&t, job, 1, row_bytes, err));
    for (uint64_t r = 0; r < tvk_job_rows(job); r++) {
        float_row(job, r, &t);
        pack_floats(job, t.row, t.packed);
        TVK_TRY(tvk_gguf_emit(sink, t.packed, (size_t)row_bytes, err));
        tvk_job_drop_rows(job, r + 1);
    }
fail:
    tile_free(&t);
    return st;
}

/* ---- BitNet b1 ---- */

/* The signs of latent weights. A slab may be of columns: the matrix is held as floats. */
static tvk_status write_signs(tvk_job *job, tvk_gguf_sink *sink, tvk_error *err)
{
    tvk_status st = TVK_OK;
    size_t bytes = (size_t)(job->n * ((job->k + 7) / 8));
    float *w = malloc((size_t)(job->n * job->k) * sizeof *w);
    uint8_t *bits = malloc(bytes);
    TVK_TRY_ALLOC(w && bits ? w : NULL);
    for (uint64_t r = 0; r < job->n; r++) tvk_job_row_floats(job, r, w + r * job->k);
    tvk_quantize_signs(w, job->n, job->k, job->sign_groups, job->columns, bits, job->side_values);
    for (uint32_t g = 0; g < job->sign_groups; g++)
        if (!isfinite(job->side_values[g]))
            TVK_FAIL(TVK_ERR_FORMAT, "tensor '%.80s': a weight that is not finite", job->name);
    TVK_TRY(tvk_gguf_emit(sink, bits, bytes, err));
fail:
    free(w);
    free(bits);
    return st;
}

/* ---- all ---- */

static tvk_status copy(const tvk_job *job, tvk_gguf_sink *sink, tvk_error *err)
{
    tvk_status st = TVK_OK;
    size_t bytes = (size_t)tvk_job_source_bytes(job);
    for (size_t at = 0; at < bytes; at += COPY_BYTES) {
        size_t count = bytes - at < COPY_BYTES ? bytes - at : COPY_BYTES;
        TVK_TRY(tvk_gguf_emit(sink, job->data + at, count, err));
        tvk_mapping_drop(job->data + at, count);
    }
fail:
    return st;
}

tvk_status tvk_job_write(void *user, tvk_gguf_sink *sink, tvk_error *err)
{
    tvk_job *job = user;
    bool moved = job->head_size != 0, packed = job->source == TVK_SOURCE_HF_PACKED;
    if (job->sign_groups) return write_signs(job, sink, err);
    if (job->out == job->type && !job->latent && !moved && !packed) return copy(job, sink, err);
    if (tvk_dtype_get(job->out)->ternary) return write_codes(job, sink, err);
    return write_floats(job, sink, err);
}

tvk_status tvk_job_write_scale(void *user, tvk_gguf_sink *sink, tvk_error *err)
{
    const tvk_job *job = user;
    unsigned char b[4 * TVK_CONVERT_MAX_GROUPS];
    uint32_t count = job->sign_groups ? job->sign_groups : 1;
    for (uint32_t i = 0; i < count; i++) tvk_store_f32(b + 4 * i, job->side_values[i]);
    return tvk_gguf_emit(sink, b, 4 * count, err);
}
