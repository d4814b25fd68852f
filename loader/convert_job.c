/* One tensor from its source type to its output type. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/half.h"
#include "convert.h"
#include "pack.h"

static const struct {
    const char *name;
    tvk_dtype type;
    bool linear, embedding; /* what may be written so */
} type_options[] = {
    {"i2_s", TVK_I2_S, true, false},   {"tq2_0", TVK_TQ2_0, true, false},
    {"tq1_0", TVK_TQ1_0, true, false}, {"f16", TVK_F16, true, true},
    {"f32", TVK_F32, true, true},      {"q8_0", TVK_Q8_0, false, true},
    {"q6_k", TVK_Q6_K, false, true},
};

static bool option_type(const char *name, tvk_role role, tvk_dtype *out)
{
    for (size_t i = 0; i < sizeof type_options / sizeof *type_options; i++) {
        if (strcmp(type_options[i].name, name) != 0) continue;
        if (role == TVK_ROLE_LINEAR ? !type_options[i].linear : !type_options[i].embedding)
            return false;
        *out = type_options[i].type;
        return true;
    }
    return false;
}

static uint64_t rows_of(const tvk_job *job)
{
    return job->n ? job->n : 1;
}

static bool is_ternary(tvk_dtype type)
{
    const tvk_dtype_info *info = tvk_dtype_get(type);
    return info && info->ternary;
}

/* ---- reading the source ---- */

/* Row of the source that becomes row r: [h][2][D/2] -> [h][D/2][2], from half-split pairs to
 * neighbours. */
static uint64_t source_row(const tvk_job *job, uint64_t r)
{
    uint64_t d = job->head_size, in_head;
    if (d == 0) return r;
    in_head = r % d;
    return r - in_head + in_head % 2 * (d / 2) + in_head / 2;
}

/* Row r of a source that is not ternary. */
static void read_row(const tvk_job *job, uint64_t r, float *out)
{
    uint64_t bytes = 0;
    const unsigned char *p;
    (void)tvk_dtype_bytes(job->type, 1, job->k, &bytes);
    p = job->data + source_row(job, r) * bytes;
    switch (job->type) {
    case TVK_F32:
        for (uint64_t i = 0; i < job->k; i++) out[i] = tvk_load_f32(p + 4 * i);
        break;
    case TVK_F16:
        for (uint64_t i = 0; i < job->k; i++) out[i] = tvk_f16_to_f32(tvk_load_u16(p + 2 * i));
        break;
    case TVK_BF16:
        for (uint64_t i = 0; i < job->k; i++) out[i] = tvk_bf16_to_f32(tvk_load_u16(p + 2 * i));
        break;
    case TVK_Q4_0:
        tvk_unpack_q4_0(p, job->k, out);
        break;
    case TVK_Q6_K:
        tvk_unpack_q6_k(p, job->k, out);
        break;
    default:
        tvk_unpack_q8_0(p, job->k, out);
        break;
    }
}

/* One scale for all blocks. A block of zeros may have any scale. */
static tvk_status common_scale(const tvk_job *job, const int8_t *codes, const uint16_t *scales,
                               float *out, tvk_error *err)
{
    uint64_t blocks = job->n * job->k / 256;
    bool known = false;
    uint16_t common = tvk_f32_to_f16(1.0f);
    for (uint64_t b = 0; b < blocks; b++) {
        bool zero = true;
        for (unsigned i = 0; i < 256 && zero; i++) zero = codes[b * 256 + i] == 0;
        if (zero) continue;
        if (known && scales[b] != common)
            return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                                 "tensor '%.80s': its blocks have different scales, %s has one a "
                                 "tensor: keep %s",
                                 job->name, tvk_dtype_name(job->out), tvk_dtype_name(job->type));
        common = scales[b];
        known = true;
    }
    *out = tvk_f16_to_f32(common);
    return TVK_OK;
}

/* Codes in the source's row order, and the scale. */
static tvk_status read_codes(tvk_job *job, int8_t *codes, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t count = job->n * job->k;
    float scale = job->scale, own = 1.0f;
    float *w = NULL;
    uint16_t *scales = NULL;
    if (job->source == TVK_SOURCE_HF_PACKED) {
        tvk_unpack_hf(job->data, job->n, job->k, codes);
    } else if (job->type == TVK_I2_S) {
        tvk_unpack_i2_s(job->data, count, codes, &own);
    } else if (job->type == TVK_TQ1_0 || job->type == TVK_TQ2_0) {
        scales = malloc((size_t)(count / 256 + 1) * sizeof *scales);
        TVK_TRY_ALLOC(scales);
        if (job->type == TVK_TQ1_0)
            tvk_unpack_tq1_0(job->data, count, codes, scales);
        else
            tvk_unpack_tq2_0(job->data, count, codes, scales);
        TVK_TRY(common_scale(job, codes, scales, &own, err));
    } else {
        tvk_job plain = *job;
        plain.head_size = 0;
        w = malloc((size_t)count * sizeof *w);
        TVK_TRY_ALLOC(w);
        for (uint64_t r = 0; r < job->n; r++) read_row(&plain, r, w + r * job->k);
        own = tvk_quantize_absmean(w, count, codes);
    }
    job->scale = scale == 0 ? own : scale * own; /* packed: own is 1 */
    if (!isfinite(job->scale) || !(job->scale > 0))
        TVK_FAIL(TVK_ERR_FORMAT, "tensor '%.80s': a scale above 0 expected, %g found", job->name,
                 (double)job->scale);
fail:
    free(w);
    free(scales);
    return st;
}

/* Fills job->codes in the output's row order. */
static tvk_status load_codes(tvk_job *job, tvk_error *err)
{
    tvk_status st;
    size_t count = (size_t)(job->n * job->k);
    int8_t *moved = NULL, *codes = malloc(count);
    TVK_TRY_ALLOC(codes);
    TVK_TRY(read_codes(job, codes, err));
    if (job->head_size) {
        moved = malloc(count);
        TVK_TRY_ALLOC(moved);
        for (uint64_t r = 0; r < job->n; r++)
            memcpy(moved + r * job->k, codes + source_row(job, r) * job->k, (size_t)job->k);
        free(codes);
        codes = moved;
    }
    job->codes = codes;
    return TVK_OK;
fail:
    free(codes);
    return st;
}

/* ---- choosing the output type ---- */

/* bfloat16 keeps its values in f16 only where exponent and mantissa allow. */
static bool fits_f16(const tvk_job *job)
{
    uint64_t count = rows_of(job) * job->k;
    for (uint64_t i = 0; i < count; i++) {
        float v = tvk_bf16_to_f32(tvk_load_u16(job->data + 2 * i));
        if (tvk_f32_bits(tvk_f16_to_f32(tvk_f32_to_f16(v))) != tvk_f32_bits(v)) return false;
    }
    return true;
}

bool tvk_job_rounds(const tvk_job *job)
{
    if (job->out == job->type || job->out == TVK_F32 || job->sign_groups) return false;
    if (job->ternary) return job->out == TVK_F16;
    return !(job->type == TVK_BF16 && job->out == TVK_F16 && fits_f16(job));
}

static tvk_dtype natural_float(const tvk_conversion *c, const tvk_job *job)
{
    if (c->keep_types || job->type != TVK_BF16) return job->type;
    return fits_f16(job) ? TVK_F16 : TVK_F32;
}

static tvk_status check_shape(const tvk_job *job, tvk_error *err)
{
    uint64_t bytes = 0;
    if (tvk_dtype_bytes(job->out, rows_of(job), job->k, &bytes)) return TVK_OK;
    if (job->out == TVK_I2_S)
        return tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__,
                             "tensor '%.80s' [%" PRIu64 ", %" PRIu64
                             "]: I2_S needs rows * columns to be a multiple of 128: use --type f16 "
                             "or f32",
                             job->name, job->n, job->k);
    return tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__,
                         "tensor '%.80s' [%" PRIu64 ", %" PRIu64
                         "]: %s needs columns to be a multiple of %" PRIu32 ": use %s",
                         job->name, job->n, job->k, tvk_dtype_name(job->out),
                         tvk_dtype_get(job->out)->block_elems,
                         is_ternary(job->out) ? "--type i2_s" : "--embedding-type f16");
}

static tvk_status decide_linear(const tvk_conversion *c, tvk_job *job, tvk_error *err)
{
    tvk_status st = TVK_OK;
    bool wanted = c->params.type != NULL;
    if (job->sign_groups || job->type == TVK_I8) {
        if (wanted)
            TVK_FAIL(TVK_ERR_ARG, "--type: BitNet b1 has signs only, without --type, '%.40s' found",
                     c->params.type);
        job->out = TVK_I8;
        job->side_scale = job->sign_groups || job->scale != 0;
        return TVK_OK;
    }
    job->out = TVK_I2_S;
    if (c->keep_types || !job->ternary) job->out = natural_float(c, job);
    if (wanted && !option_type(c->params.type, job->role, &job->out))
        TVK_FAIL(TVK_ERR_ARG, "--type: i2_s, tq2_0, tq1_0, f16 or f32 expected, '%.40s' found",
                 c->params.type);
    if (is_ternary(job->out) && !job->ternary)
        TVK_FAIL(
            TVK_ERR_ARG,
            "tensor '%.80s': its weights (%s) are not ternary: %s cannot hold them, use --type "
            "f16 or f32",
            job->name, tvk_dtype_name(job->type), tvk_dtype_name(job->out));
    TVK_TRY(check_shape(job, err));
    if (job->out == job->type) job->side_scale = job->scale != 0; /* copied with its own */
    if (job->ternary && job->out != job->type) {
        /* the scale must be known before the file is begun */
        if (job->source != TVK_SOURCE_HF_PACKED) TVK_TRY(load_codes(job, err));
        free(job->codes);
        job->codes = NULL;
        job->block_scale = tvk_f32_to_f16(job->scale);
        if ((job->out == TVK_TQ1_0 || job->out == TVK_TQ2_0) &&
            tvk_f16_to_f32(job->block_scale) != job->scale) {
            job->side_scale = true;
            job->block_scale = tvk_f32_to_f16(1.0f);
        }
    }
fail:
    return st;
}

tvk_status tvk_job_decide(const tvk_conversion *c, tvk_job *job, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const char *embedding = c->params.embedding_type;
    job->ternary = job->quantize || job->source == TVK_SOURCE_HF_PACKED || is_ternary(job->type);
    switch (job->role) {
    case TVK_ROLE_NORM:
        if (job->ternary) TVK_FAIL(TVK_ERR_FORMAT, "tensor '%.80s': floats expected", job->name);
        job->out = TVK_F32;
        break;
    case TVK_ROLE_EMBEDDING:
        if (job->ternary)
            TVK_FAIL(TVK_ERR_UNSUPPORTED, "tensor '%.80s': floats expected, packed codes found",
                     job->name);
        job->out = natural_float(c, job);
        if (embedding && strcmp(embedding, "as-is") != 0 &&
            !option_type(embedding, job->role, &job->out))
            TVK_FAIL(TVK_ERR_ARG,
                     "--embedding-type: as-is, f16, f32, q8_0 or q6_k expected, '%.40s' found",
                     embedding);
        TVK_TRY(check_shape(job, err));
        break;
    case TVK_ROLE_LINEAR:
        TVK_TRY(decide_linear(c, job, err));
        break;
    case TVK_ROLE_OTHER:
        job->out = job->type;
        break;
    }
    if (job->type == TVK_I8 && job->out != TVK_I8)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "tensor '%.80s': floats expected, I8 found", job->name);
fail:
    return st;
}

/* ---- writing ---- */

static tvk_status write_codes(const tvk_job *job, tvk_gguf_sink *sink, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t count = job->n * job->k, bytes = 0;
    uint8_t *packed;
    (void)tvk_dtype_bytes(job->out, job->n, job->k, &bytes);
    packed = malloc((size_t)bytes);
    TVK_TRY_ALLOC(packed);
    if (job->out == TVK_I2_S)
        tvk_pack_i2_s(job->codes, count, job->scale, packed);
    else if (job->out == TVK_TQ1_0)
        tvk_pack_tq1_0(job->codes, count, job->block_scale, packed);
    else
        tvk_pack_tq2_0(job->codes, count, job->block_scale, packed);
    st = tvk_gguf_emit(sink, packed, (size_t)bytes, err);
fail:
    free(packed);
    return st;
}

/* Row by row through f32. */
static tvk_status write_floats(const tvk_job *job, tvk_gguf_sink *sink, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t row_bytes = 0;
    float *row = NULL;
    unsigned char *out = NULL;
    (void)tvk_dtype_bytes(job->out, 1, job->k, &row_bytes);
    row = malloc((size_t)job->k * sizeof *row);
    TVK_TRY_ALLOC(row);
    out = malloc((size_t)row_bytes);
    TVK_TRY_ALLOC(out);
    for (uint64_t r = 0; r < rows_of(job); r++) {
        if (job->codes)
            for (uint64_t i = 0; i < job->k; i++)
                row[i] = (float)job->codes[r * job->k + i] * job->scale;
        else
            read_row(job, r, row);
        if (job->out == TVK_Q8_0)
            tvk_pack_q8_0(row, job->k, out);
        else if (job->out == TVK_Q6_K)
            tvk_pack_q6_k(row, job->k, out);
        else if (job->out == TVK_F16)
            for (uint64_t i = 0; i < job->k; i++)
                tvk_store_u16(out + 2 * i, tvk_f32_to_f16(row[i]));
        else
            for (uint64_t i = 0; i < job->k; i++) tvk_store_f32(out + 4 * i, row[i]);
        TVK_TRY(tvk_gguf_emit(sink, out, (size_t)row_bytes, err));
    }
fail:
    free(row);
    free(out);
    return st;
}

/* b1: the signs of latent weights. */
static tvk_status write_signs(tvk_job *job, tvk_gguf_sink *sink, tvk_error *err)
{
    tvk_status st = TVK_OK;
    size_t bytes = (size_t)(job->n * ((job->k + 7) / 8));
    float *w = malloc((size_t)(job->n * job->k) * sizeof *w);
    uint8_t *bits = malloc(bytes);
    TVK_TRY_ALLOC(w && bits ? w : NULL);
    for (uint64_t r = 0; r < job->n; r++) read_row(job, r, w + r * job->k);
    tvk_quantize_signs(w, job->n, job->k, job->sign_groups, job->columns, bits, job->sign_scales);
    for (uint32_t g = 0; g < job->sign_groups; g++)
        if (!isfinite(job->sign_scales[g]))
            TVK_FAIL(TVK_ERR_FORMAT, "tensor '%.80s': a weight that is not finite", job->name);
    TVK_TRY(tvk_gguf_emit(sink, bits, bytes, err));
fail:
    free(w);
    free(bits);
    return st;
}

tvk_status tvk_job_write(void *user, tvk_gguf_sink *sink, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_job *job = user;
    uint64_t bytes = 0;
    if (job->sign_groups) return write_signs(job, sink, err);
    if (job->source == TVK_SOURCE_GGUF && job->out == job->type && !job->quantize &&
        !job->head_size) {
        (void)tvk_dtype_bytes(job->out, rows_of(job), job->k, &bytes);
        return tvk_gguf_emit(sink, job->data, (size_t)bytes, err);
    }
    if (job->ternary) {
        float scale = job->scale; /* load_codes combines it with the source's own again */
        if (job->source == TVK_SOURCE_GGUF) job->scale = 0;
        TVK_TRY(load_codes(job, err));
        job->scale = scale;
        if (is_ternary(job->out))
            TVK_TRY(write_codes(job, sink, err));
        else
            TVK_TRY(write_floats(job, sink, err));
    } else {
        TVK_TRY(write_floats(job, sink, err));
    }
fail:
    free(job->codes);
    job->codes = NULL;
    return st;
}

tvk_status tvk_job_write_scale(void *user, tvk_gguf_sink *sink, tvk_error *err)
{
    const tvk_job *job = user;
    unsigned char b[4 * TVK_CONVERT_MAX_GROUPS];
    uint32_t count = job->sign_groups ? job->sign_groups : 1;
    for (uint32_t i = 0; i < count; i++)
        tvk_store_f32(b + 4 * i, job->sign_groups ? job->sign_scales[i] : job->scale);
    return tvk_gguf_emit(sink, b, 4 * count, err);
}
