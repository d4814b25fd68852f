#include "base/dtype.h"

#include "base/check.h"

#define I2S_TRAILER_BYTES 32

static const tvk_dtype_info infos[TVK_DTYPE_COUNT] = {
#define TVK_DTYPE(id, elems, bytes, file_type)                                                     \
    [TVK_##id] = {#id, elems, bytes, file_type,                                                    \
                  TVK_##id == TVK_TQ1_0 || TVK_##id == TVK_TQ2_0 || TVK_##id == TVK_I2_S},
#include "base/dtype.def"
#undef TVK_DTYPE
};

const tvk_dtype_info *tvk_dtype_get(tvk_dtype type)
{
    return (unsigned)type < TVK_DTYPE_COUNT ? &infos[type] : NULL;
}

const char *tvk_dtype_name(tvk_dtype type)
{
    const tvk_dtype_info *info = tvk_dtype_get(type);
    return info ? info->name : "unknown";
}

bool tvk_dtype_bytes(tvk_dtype type, uint64_t rows, uint64_t cols, uint64_t *out)
{
    const tvk_dtype_info *info = tvk_dtype_get(type);
    uint64_t elems, bytes;
    if (!info || !tvk_mul_u64(rows, cols, &elems)) return false;
    if ((type == TVK_I2_S ? elems : cols) % info->block_elems != 0) return false;
    if (!tvk_mul_u64(elems / info->block_elems, info->block_bytes, &bytes)) return false;
    if (type == TVK_I2_S && !tvk_add_u64(bytes, I2S_TRAILER_BYTES, &bytes)) return false;
    *out = bytes;
    return true;
}
