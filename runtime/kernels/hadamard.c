/* Hadamard transform of f32 rows, of plain ones or behind an RMSNorm. */
#include "kernels/internal.h"

bool tvk_hadamard_fits(uint32_t width)
{
    return width >= 4 && width <= TVK_HADAMARD_MAX && (width & (width - 1)) == 0;
}

/* width^-1/2: exact for even powers of two, else a power of two times 1/sqrt(2) */
static float scale_of(uint32_t width)
{
    float scale = 1.0f;
    for (; width >= 4; width /= 4) scale *= 0.5f;
    return width == 2 ? scale * 0.70710677f : scale;
}

tvk_status tvk_op_hadamard(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span x,
                           tvk_span gain, tvk_span y, uint32_t width, float eps, uint32_t rows,
                           tvk_error *err)
{
    tvk_status st = TVK_OK;
    const bool norm = gain.buffer || gain.tensor;
    const tvk_op op = norm ? TVK_OP_rmsnorm_hadamard : TVK_OP_hadamard;
    const uint32_t constants[] = {tvk_kernels_active(k, op)->group, 1, 1};
    const tvk_span bindings[] = {state, x, norm ? gain : x, y};
    const struct tvk_hadamard_params p = {width, 1.0f / (float)width, eps, scale_of(width)};
    const tvk_groups groups = {{TVK_AXIS_ROWS, TVK_AXIS_FIXED, TVK_AXIS_FIXED}, {1, 1, 1}};
    TVK_TRY(tvk_check_value(op, tvk_hadamard_fits(width), "a power of two from 4 to 32768", width,
                            err));
    TVK_TRY(tvk_check_span(k, op, "state", state,
                           4ull * (TVK_STATE_ROWS + (uint64_t)TVK_ROW_WORDS * rows), err));
    TVK_TRY(tvk_check_span(k, op, "x", x, 4ull * rows * width, err));
    if (norm) TVK_TRY(tvk_check_span(k, op, "gain", gain, 4ull * width, err));
    TVK_TRY(tvk_check_span(k, op, "y", y, 4ull * rows * width, err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, &p, &groups, err));
fail:
    return st;
}
