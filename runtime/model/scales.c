/* Scales of ternary tensors, read on the host. */
#include "base/dtype.h"
#include "base/half.h"
#include "model/weights.h"

#include <math.h>
#include <string.h>

#define TQ_BLOCK 256u

static uint16_t load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static float load_f32(const uint8_t *p)
{
    return tvk_f32_from_bits((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                             (uint32_t)p[3] << 24);
}

float tvk_tensor_f32(const tvk_tensor *tensor, uint64_t i)
{
    const uint8_t *p = tensor->data;
    switch (tensor->type) {
    case TVK_F16:
        return tvk_f16_to_f32(load_u16(p + 2 * i));
    case TVK_BF16:
        return tvk_bf16_to_f32(load_u16(p + 2 * i));
    default:
        return load_f32(p + 4 * i);
    }
}

/* A block whose scale is zero stands for zeros: its codes must be zeros too, since the row's scale
 * will be applied to them. */
static bool block_is_zero(tvk_dtype type, const uint8_t *block)
{
    if (type == TVK_TQ2_0) {
        for (uint32_t i = 0; i < 64; i++) {
            if (block[i] != 0x55) return false;
        }
        return true;
    }
    for (uint32_t i = 0; i < 52; i++) {
        uint32_t q = block[i];
        for (uint32_t n = 0; n < (i < 48 ? 5u : 4u); n++) {
            if (((q & 255u) * 3u) >> 8 != 1) return false;
            q *= 3;
        }
    }
    return true;
}

static tvk_status tq_scales(const tvk_tensor *t, float *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t block_bytes = tvk_dtype_get(t->type)->block_bytes;
    uint64_t blocks = t->dims[0] / TQ_BLOCK, rows = t->dim_count > 1 ? t->dims[1] : 1;
    const uint8_t *block = t->data;
    for (uint64_t r = 0; r < rows; r++) {
        const uint8_t *row = block;
        float scale = 0;
        for (uint64_t b = 0; b < blocks; b++, block += block_bytes) {
            float d = tvk_f16_to_f32(load_u16(block + block_bytes - 2));
            if (!isfinite(d)) {
                TVK_FAIL(TVK_ERR_FORMAT, "%s: row %llu: block scale is not finite", t->name,
                         (unsigned long long)r);
            }
            if (scale == 0) scale = d;
            if (d != 0 && d != scale) {
                TVK_FAIL(TVK_ERR_UNSUPPORTED,
                         "%s: row %llu: block scales %g and %g, one scale a row expected for "
                         "quantised activations; if the model has none (TriLM), use --act none",
                         t->name, (unsigned long long)r, (double)scale, (double)d);
            }
        }
        for (uint64_t b = 0; b < blocks && scale != 0; b++) {
            const uint8_t *p = row + b * block_bytes;
            if (load_u16(p + block_bytes - 2) << 1 == 0 && !block_is_zero(t->type, p)) {
                TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: row %llu: a block of scale 0 with codes",
                         t->name, (unsigned long long)r);
            }
        }
        out[r] = scale;
    }
fail:
    return st;
}

tvk_status tvk_ternary_scales(const tvk_tensor *t, const tvk_tensor *scale, float *out,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t rows = t->dim_count > 1 ? t->dims[1] : 1;
    if (t->type == TVK_I2_S) {
        float s = load_f32((const uint8_t *)t->data + t->dims[0] * rows / 4);
        for (uint64_t r = 0; r < rows; r++) out[r] = s;
    } else if (tvk_dtype_get(t->type)->ternary) {
        TVK_TRY(tq_scales(t, out, err));
    } else {
        float s;
        TVK_TRY(tvk_ternary_float_scale(t, &s, err));
        for (uint64_t r = 0; r < rows; r++) out[r] = s;
    }
    if (scale) {
        float s = tvk_tensor_f32(scale, 0);
        for (uint64_t r = 0; r < rows; r++) out[r] *= s;
    }
    for (uint64_t r = 0; r < rows; r++) {
        if (!isfinite(out[r])) {
            TVK_FAIL(TVK_ERR_FORMAT, "%s: the scale of row %llu is not finite", t->name,
                     (unsigned long long)r);
        }
    }
fail:
    return st;
}

tvk_status tvk_ternary_block_scales(const tvk_tensor *t, const tvk_tensor *scale, float *out,
                                    tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_dtype_info *info = tvk_dtype_get(t->type);
    const uint8_t *data = t->data;
    uint64_t rows = t->dim_count > 1 ? t->dims[1] : 1;
    uint64_t count = rows * ((t->dims[0] + TQ_BLOCK - 1) / TQ_BLOCK);
    float all = scale ? tvk_tensor_f32(scale, 0) : 1.0f;
    if (t->type == TVK_I2_S) all *= load_f32(data + t->dims[0] * rows / 4);
    for (uint64_t b = 0; b < count; b++) {
        out[b] = all;
        if (t->type != TVK_I2_S)
            out[b] *= tvk_f16_to_f32(load_u16(data + (b + 1) * info->block_bytes - 2));
        if (!isfinite(out[b])) {
            TVK_FAIL(TVK_ERR_FORMAT, "%s: block %llu: its scale is not finite", t->name,
                     (unsigned long long)b);
        }
    }
fail:
    return st;
}

tvk_status tvk_ternary_float_scale(const tvk_tensor *t, float *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t count = t->dims[0] * (t->dim_count > 1 ? t->dims[1] : 1);
    float s = 0;
    for (uint64_t i = 0; i < count; i++) {
        float v = fabsf(tvk_tensor_f32(t, i));
        if (s == 0) s = v;
        if (v != 0 && v != s) {
            TVK_FAIL(TVK_ERR_UNSUPPORTED,
                     "%s: %s values with more magnitudes than one (%g, %g): ternary weights are "
                     "needed for INT8 activations; latent weights must be converted first",
                     t->name, tvk_dtype_name(t->type), (double)s, (double)v);
        }
    }
    *out = s;
fail:
    return st;
}

tvk_status tvk_sign_scales(const tvk_matrix_plan *plan, uint32_t part, float *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_tensor *scale = plan->part[part].scale;
    uint32_t rows = plan->part[part].rows, a_slab = rows / (uint32_t)scale->dims[0];
    int32_t slab = plan->part[part].slab;
    for (uint32_t r = 0; r < rows; r++) {
        out[r] = tvk_tensor_f32(scale, slab < 0 ? r / a_slab : (uint32_t)slab);
        if (!isfinite(out[r])) {
            TVK_FAIL(TVK_ERR_FORMAT, "%s: the scale of row %u is not finite", scale->name, r);
        }
    }
fail:
    return st;
}
