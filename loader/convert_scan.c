/* What a source tensor is, from all of its values: the mean of latent weights, whether floats are
 * ternary already, whether f16 holds them. */
#include <math.h>
#include <stdlib.h>

#include "base/dtype.h"
#include "base/half.h"
#include "convert.h"
#include "pack.h"

#define TQ_CODES 256

tvk_status tvk_convert_read(tvk_conversion *c, uint64_t bytes, tvk_error *err)
{
    const tvk_progress *p = &c->params.progress;
    c->read += bytes;
    if (!p->fn || p->fn(p->user, "reading", c->read, c->read_total)) return TVK_OK;
    return tvk_error_set(err, TVK_ERR_CANCELLED, __FILE__, __LINE__, "cancelled");
}

static bool is_f16(float v)
{
    uint32_t bits = tvk_f32_bits(v), exponent = bits >> 23 & 255;
    if (exponent >= 127 - 14 && exponent <= 127 + 15) return (bits & 0x1fff) == 0;
    return tvk_f32_bits(tvk_f16_to_f32(tvk_f32_to_f16(v))) == bits;
}

/* What is still possible after the values that were seen. */
typedef struct tally {
    bool f16;    /* every value is one of f16 */
    bool one;    /* all values that are not 0 have the size `size` */
    bool blocks; /* the same of each block of 256, with sizes of f16 */
    float size;  /* 0: none yet */
    double sum;  /* of sizes */
} tally;

static void see_block(tally *t, const float *row, uint64_t count)
{
    float size = 0;
    for (uint64_t i = 0; i < count; i++) {
        float v = fabsf(row[i]);
        if (v == 0) continue;
        if (size == 0) size = v;
        t->blocks = t->blocks && v == size;
        if (t->size == 0) t->size = v;
        t->one = t->one && v == t->size;
    }
    t->blocks = t->blocks && is_f16(size);
}

static void see_row(tally *t, const tvk_job *job, const float *row)
{
    if (job->latent)
        for (uint64_t i = 0; i < job->k; i++) t->sum += fabs((double)row[i]);
    for (uint64_t i = 0; i < job->k && (t->one || t->blocks); i += TQ_CODES)
        see_block(t, row + i, job->k - i < TQ_CODES ? job->k - i : TQ_CODES);
    for (uint64_t i = 0; i < job->k && t->f16; i++) t->f16 = is_f16(row[i]);
}

static tvk_status scan_floats(tvk_conversion *c, tvk_job *job, bool f16, tvk_error *err)
{
    tvk_status st = TVK_OK;
    bool look = job->recognise && !job->latent;
    uint64_t rows = tvk_job_rows(job), row_bytes = tvk_job_source_bytes(job) / rows;
    tally t = {.f16 = f16 && !job->latent && job->type != TVK_F16,
               .one = look,
               .blocks = look && job->k % TQ_CODES == 0};
    float *row = malloc((size_t)job->k * sizeof *row);
    TVK_TRY_ALLOC(row);
    for (uint64_t r = 0; r < rows && (job->latent || t.f16 || t.one || t.blocks); r++) {
        tvk_job_row_floats(job, r, row);
        see_row(&t, job, row);
        tvk_job_drop_rows(job, r + 1);
        TVK_TRY(tvk_convert_read(c, row_bytes, err));
    }
    job->fits_f16 = t.f16 || job->type == TVK_F16;
    if (job->latent) {
        job->absmean = tvk_absmean(t.sum, job->n * job->k);
        job->scale = 1.0f / job->absmean;
    } else {
        /* a matrix of zeros is left to be floats: it says nothing */
        job->one_scale = t.one && t.size > 0;
        job->ternary = t.size > 0 && (t.one || t.blocks);
        job->scale = job->one_scale ? t.size : 1.0f;
    }
fail:
    free(row);
    return st;
}

/* One scale for all blocks? A block of zeros may have any. */
static tvk_status scan_blocks(tvk_conversion *c, tvk_job *job, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t blocks = job->k / TQ_CODES, row_bytes = tvk_job_source_bytes(job) / job->n;
    bool known = false;
    int8_t *codes = malloc((size_t)job->k);
    float *scales = malloc((size_t)blocks * sizeof *scales);
    TVK_TRY_ALLOC(codes);
    TVK_TRY_ALLOC(scales);
    job->one_scale = true;
    job->scale = 1.0f;
    for (uint64_t r = 0; r < job->n && job->one_scale; r++) {
        tvk_job_row_codes(job, r, NULL, codes, scales);
        for (uint64_t b = 0; b < blocks; b++) {
            bool zero = true;
            for (unsigned i = 0; i < TQ_CODES && zero; i++) zero = codes[b * TQ_CODES + i] == 0;
            if (zero) continue;
            if (known && scales[b] != job->scale) job->one_scale = false;
            job->scale = scales[b];
            known = true;
        }
        tvk_job_drop_rows(job, r + 1);
        TVK_TRY(tvk_convert_read(c, row_bytes, err));
    }
    if (!job->one_scale) job->scale = 1.0f;
fail:
    free(codes);
    free(scales);
    return st;
}

tvk_status tvk_job_scan(tvk_conversion *c, tvk_job *job, bool f16, tvk_error *err)
{
    tvk_status st = TVK_OK;
    bool packed = job->source == TVK_SOURCE_HF_PACKED;
    const tvk_dtype_info *info = tvk_dtype_get(job->type);
    job->ternary = job->latent || packed || info->ternary;
    job->one_scale = job->ternary;
    job->scale = 1.0f;
    if (packed)
        ; /* given_scale is all there is */
    else if (job->type == TVK_I2_S)
        job->scale = tvk_i2_s_scale(job->data, job->n * job->k);
    else if (job->ternary && !job->latent)
        TVK_TRY(scan_blocks(c, job, err));
    else
        TVK_TRY(scan_floats(c, job, f16, err));
    job->dropped = 0; /* a look may have ended early */
    if (!job->ternary) return TVK_OK;
    if (job->given_scale != 0) job->scale *= job->given_scale;
    job->fits_f16 = job->one_scale ? is_f16(job->scale) : job->given_scale == 0;
    if (!isfinite(job->scale) || !(job->scale > 0))
        TVK_FAIL(TVK_ERR_FORMAT, "tensor '%.80s': a scale above 0 expected, %g found", job->name,
                 (double)job->scale);
fail:
    return st;
}
