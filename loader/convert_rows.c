/* Rows of a tensor of convert's source, decoded one at a time: no tensor is ever held expanded. */
#include <math.h>

#include "base/dtype.h"
#include "base/half.h"
#include "convert.h"
#include "pack.h"

#define TQ_CODES 256
/* Read pages are given back in steps of this size: few system calls, little memory. */
#define DROP_BYTES ((uint64_t)16 << 20)

uint64_t tvk_job_rows(const tvk_job *job)
{
    return job->n ? job->n : 1;
}

uint64_t tvk_job_source_bytes(const tvk_job *job)
{
    uint64_t bytes = 0;
    if (job->source == TVK_SOURCE_HF_PACKED) return job->n / 4 * job->k;
    (void)tvk_dtype_bytes(job->type, tvk_job_rows(job), job->k, &bytes);
    return bytes;
}

/* Row of the source that becomes row r: [h][2][D/2] -> [h][D/2][2], from half-split pairs to
 * neighbours. */
static uint64_t source_row(const tvk_job *job, uint64_t r)
{
    uint64_t d = job->head_size, in_head;
    if (d == 0) return r;
    in_head = r % d;
    return r - in_head + in_head % 2 * (d / 2) + in_head / 2;
}

/* A row of whole blocks: not of I2_S, not packed. */
static const unsigned char *row_data(const tvk_job *job, uint64_t row)
{
    uint64_t bytes = 0;
    (void)tvk_dtype_bytes(job->type, 1, job->k, &bytes);
    return job->data + row * bytes;
}

/* Of a source that is not in codes. */
static void read_floats(const tvk_job *job, uint64_t row, float *out)
{
    const unsigned char *p = row_data(job, row);
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

static void read_tq(const tvk_job *job, uint64_t row, int8_t *codes, float *scales)
{
    uint32_t bytes = tvk_dtype_get(job->type)->block_bytes;
    const unsigned char *p = row_data(job, row);
    for (uint64_t b = 0; b < job->k / TQ_CODES; b++, p += bytes, codes += TQ_CODES) {
        uint16_t d = 0;
        (job->type == TVK_TQ1_0 ? tvk_unpack_tq1_0 : tvk_unpack_tq2_0)(p, TQ_CODES, codes, &d);
        if (scales) scales[b] = tvk_f16_to_f32(d);
    }
}

/* Floats whose values are -s, 0 and s in each block. */
static void signs_of(const float *row, uint64_t k, int8_t *codes, float *scales)
{
    for (uint64_t i = 0; i < k; i++) codes[i] = (int8_t)((row[i] > 0) - (row[i] < 0));
    for (uint64_t b = 0; scales && b < k / TQ_CODES; b++) {
        scales[b] = 0;
        for (uint64_t i = b * TQ_CODES; i < (b + 1) * TQ_CODES; i++)
            scales[b] = fmaxf(scales[b], fabsf(row[i]));
    }
}

void tvk_job_row_codes(const tvk_job *job, uint64_t r, float *row, int8_t *codes, float *scales)
{
    uint64_t from = source_row(job, r);
    if (job->source == TVK_SOURCE_HF_PACKED) {
        tvk_unpack_hf_row(job->data, job->n, job->k, from, codes);
    } else if (job->type == TVK_I2_S) {
        tvk_unpack_i2_s(job->data, from * job->k, job->k, codes);
    } else if (job->type == TVK_TQ1_0 || job->type == TVK_TQ2_0) {
        read_tq(job, from, codes, scales);
    } else {
        read_floats(job, from, row);
        if (job->latent)
            tvk_absmean_codes(row, job->k, job->absmean, codes);
        else
            signs_of(row, job->k, codes, scales);
    }
}

void tvk_job_row_floats(const tvk_job *job, uint64_t r, float *row)
{
    read_floats(job, source_row(job, r), row);
}

void tvk_job_drop_rows(tvk_job *job, uint64_t r)
{
    uint64_t bytes = tvk_job_source_bytes(job), rows = tvk_job_rows(job), row = bytes / rows;
    bool end = r == rows;
    /* a packed byte holds four rows that are far apart: it is read to the end first */
    if (!end && (job->source == TVK_SOURCE_HF_PACKED || (r - job->dropped) * row < DROP_BYTES))
        return;
    tvk_mapping_drop(job->data + job->dropped * row,
                     (size_t)((end ? bytes : r * row) - job->dropped * row));
    job->dropped = end ? 0 : r;
}
