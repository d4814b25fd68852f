/* The output type of one tensor. */
#include <inttypes.h>
#include <string.h>

#include "base/dtype.h"
#include "base/half.h"
#include "convert.h"

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

static bool is_ternary(tvk_dtype type)
{
    const tvk_dtype_info *info = tvk_dtype_get(type);
    return info && info->ternary;
}

static bool is_float(tvk_dtype type)
{
    return type == TVK_F32 || type == TVK_F16 || type == TVK_BF16;
}

/* The source's type; f16 in place of bfloat16 where it holds the same values, as devices take it
 * without making it longer. */
static tvk_dtype natural_float(const tvk_job *job)
{
    return job->type == TVK_BF16 && job->fits_f16 ? TVK_F16 : job->type;
}

/* The smallest type that changes nothing. */
static tvk_dtype natural_ternary(const tvk_job *job)
{
    uint64_t bytes;
    /* float activations: the matrices of one input (Q, K, V) have to be of one kind */
    if (job->recognise && !job->need_ternary && job->k % 128 != 0) return natural_float(job);
    if (!job->one_scale) return TVK_TQ2_0; /* found in blocks of 256, or read from such */
    if (tvk_dtype_bytes(TVK_I2_S, job->n, job->k, &bytes)) return TVK_I2_S;
    return job->fits_f16 ? TVK_F16 : TVK_F32;
}

static tvk_status check_shape(const tvk_job *job, tvk_error *err)
{
    uint64_t bytes = 0;
    if (tvk_dtype_bytes(job->out, tvk_job_rows(job), job->k, &bytes)) return TVK_OK;
    if (job->out == TVK_I2_S)
        return tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__,
                             "tensor '%.80s' [%" PRIu64 ", %" PRIu64
                             "]: I2_S needs rows * columns to be a multiple of 128: use --type f16 "
                             "or f32, or leave --type away",
                             job->name, job->n, job->k);
    return tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__,
                         "tensor '%.80s' [%" PRIu64 ", %" PRIu64
                         "]: %s needs columns to be a multiple of %" PRIu32 ": use %s",
                         job->name, job->n, job->k, tvk_dtype_name(job->out),
                         tvk_dtype_get(job->out)->block_elems,
                         is_ternary(job->out) ? "--type i2_s" : "--embedding-type f16");
}

/* The scale of TQ blocks is an f16; one that is not goes into a tensor beside them. */
static void place_scale(tvk_job *job)
{
    job->side_values[0] = job->given_scale;
    job->side_scale = job->given_scale != 0;
    if (!job->ternary || job->out == job->type) return; /* written as it was */
    if (!job->one_scale && is_ternary(job->out)) return;
    job->side_scale = is_ternary(job->out) && job->out != TVK_I2_S && !job->fits_f16;
    job->side_values[0] = job->scale;
    job->block_scale = tvk_f32_to_f16(job->side_scale ? 1.0f : job->scale);
}

/* Why codes cannot be written as the wanted type. */
static tvk_status check_codes(const tvk_job *job, tvk_error *err)
{
    const char *out = tvk_dtype_name(job->out), *in = tvk_dtype_name(job->type);
    if (!is_ternary(job->out) || job->out == job->type) return TVK_OK;
    if (!job->ternary)
        return tvk_error_set(err, TVK_ERR_ARG, __FILE__, __LINE__,
                             "tensor '%.80s': its weights (%s) are not ternary: %s cannot hold "
                             "them, use --type f16 or f32",
                             job->name, in, out);
    if (job->out == TVK_I2_S && !job->one_scale)
        return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__,
                             "tensor '%.80s': its blocks have different scales, %s has one a "
                             "tensor: use --type tq2_0 or tq1_0",
                             job->name, out);
    return TVK_OK;
}

static tvk_status decide_linear(tvk_conversion *c, tvk_job *job, tvk_error *err)
{
    tvk_status st = TVK_OK;
    bool wanted = c->params.type != NULL, natural = !wanted && !c->keep_types;
    if (job->sign_groups || job->type == TVK_I8) {
        if (wanted)
            TVK_FAIL(TVK_ERR_ARG, "--type: BitNet b1 has signs only, without --type, '%.40s' found",
                     c->params.type);
        job->out = TVK_I8;
        job->side_values[0] = job->given_scale;
        job->side_scale = job->sign_groups || job->given_scale != 0;
        return TVK_OK;
    }
    if (wanted && !option_type(c->params.type, job->role, &job->out))
        TVK_FAIL(TVK_ERR_ARG, "--type: i2_s, tq2_0, tq1_0, f16 or f32 expected, '%.40s' found",
                 c->params.type);
    if (!wanted && c->keep_types) job->out = job->type;
    job->recognise = job->recognise || (wanted && is_ternary(job->out));
    if (natural || job->out != job->type || job->latent || job->need_ternary)
        TVK_TRY(tvk_job_scan(c, job, natural ? job->type == TVK_BF16 : job->out == TVK_F16, err));
    if (job->need_ternary && !job->ternary)
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "tensor '%.80s': ternary weights expected by config.json's quantization_config, "
                 "%s with more sizes than one found: latent weights need quantization_mode online",
                 job->name, tvk_dtype_name(job->type));
    if (natural) job->out = job->ternary ? natural_ternary(job) : natural_float(job);
    TVK_TRY(check_codes(job, err));
    TVK_TRY(check_shape(job, err));
    place_scale(job);
fail:
    return st;
}

static tvk_status decide_embedding(tvk_conversion *c, tvk_job *job, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const char *wanted = c->params.embedding_type;
    bool natural;
    if (wanted && strcmp(wanted, "as-is") == 0) wanted = NULL;
    if (job->source == TVK_SOURCE_HF_PACKED || is_ternary(job->type))
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "tensor '%.80s': floats expected, packed codes found",
                 job->name);
    job->out = job->type;
    if (wanted && !option_type(wanted, job->role, &job->out))
        TVK_FAIL(TVK_ERR_ARG,
                 "--embedding-type: as-is, f16, f32, q8_0 or q6_k expected, '%.40s' found", wanted);
    natural = !wanted && !c->keep_types;
    if (is_float(job->type) && (natural ? job->type == TVK_BF16 : job->out == TVK_F16))
        TVK_TRY(tvk_job_scan(c, job, true, err));
    if (natural) job->out = natural_float(job);
    TVK_TRY(check_shape(job, err));
fail:
    return st;
}

tvk_status tvk_job_decide(tvk_conversion *c, tvk_job *job, tvk_error *err)
{
    tvk_status st = TVK_OK;
    switch (job->role) {
    case TVK_ROLE_NORM:
        if (!is_float(job->type))
            TVK_FAIL(TVK_ERR_FORMAT, "tensor '%.80s': floats expected", job->name);
        job->out = TVK_F32;
        break;
    case TVK_ROLE_EMBEDDING:
        TVK_TRY(decide_embedding(c, job, err));
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

void tvk_job_make_dense(tvk_job *job)
{
    job->ternary = false; /* fits_f16 says of a scale what it says of -s, 0 and s */
    job->out = natural_float(job);
    place_scale(job);
}

bool tvk_job_rounds(const tvk_job *job)
{
    if (job->out == job->type || job->sign_groups) return false;
    if (job->ternary)
        return job->out == TVK_F16 || (job->out == TVK_F32 && !job->one_scale) ? !job->fits_f16
                                                                               : false;
    if (job->out == TVK_F32 || job->role == TVK_ROLE_NORM) return false;
    return job->out != TVK_F16 || !job->fits_f16;
}
