/* Which manifest row an op gets: capabilities decide what is eligible, the order in the manifest
 * which of those is the default. */
#include "kernels/internal.h"

#include <string.h>

static const struct {
    uint32_t cap;
    const char *missing;
} reasons[] = {
    {TVK_CAP_DOT, "no packed integer dot product"},
    {TVK_CAP_SUBGROUP, "no fixed subgroup size with shuffle and arithmetic"},
    {TVK_CAP_FP16, "no 16-bit floats"},
    {TVK_CAP_INT8, "no 8-bit integers"},
    {TVK_CAP_STORAGE16, "no 16-bit storage"},
    {TVK_CAP_STORAGE8, "no 8-bit storage"},
    {TVK_CAP_COOPMAT_I8, "no cooperative matrices of bytes in a shape that is used"},
    {TVK_CAP_COOPMAT_F16, "no cooperative matrices of f16 in a shape that is used"},
};

const char *tvk_select_reason(const tvk_plan *plan, const tvk_shader_info *row, bool exact)
{
    uint32_t missing = row->caps & ~plan->caps & ~(uint32_t)TVK_CAP_INEXACT;
    if (*row->spirv_bytes == 0) return "the shader compiler of this build lacks the extension";
    if (exact && (row->caps & TVK_CAP_INEXACT)) return "not exact, and exact results are asked for";
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (missing & reasons[i].cap) return reasons[i].missing;
    if (missing) return "an unknown capability is missing";
    return tvk_config_get(plan, row, 0) ? NULL : "its workgroups are too large";
}

uint32_t tvk_select_subgroup(const tvk_plan *plan, const tvk_shader_info *row)
{
    if (row->caps & (TVK_CAP_COOPMAT_I8 | TVK_CAP_COOPMAT_F16)) return plan->coopmat_subgroup;
    return row->caps & TVK_CAP_SUBGROUP ? plan->subgroup_fixed : 0;
}

/* What the driver only emulates is slower than the plain row. */
static bool wanted(const tvk_plan *plan, const tvk_shader_info *row)
{
    if (!strcmp(row->variant, "dp4")) return plan->dot_signed_fast;
    if (!strcmp(row->variant, "mix")) return plan->dot_mixed_fast;
    if (!strcmp(row->variant, "sub")) return plan->dot_mixed_fast && !plan->cpu;
    if (!strcmp(row->variant, "tile") || !strcmp(row->variant, "heads") ||
        !strcmp(row->variant, "stage"))
        return !plan->cpu;
    /* a CPU driver makes loops of matrices */
    if (row->caps & (TVK_CAP_COOPMAT_I8 | TVK_CAP_COOPMAT_F16)) return !plan->cpu;
    return true;
}

bool tvk_select_worth(const tvk_plan *plan, const tvk_shader_info *row, bool exact)
{
    return !tvk_select_reason(plan, row, exact) && wanted(plan, row);
}

uint32_t tvk_select_base(tvk_op op)
{
    uint32_t row = 0;
    while (tvk_shader_get(row)->op != op) row++;
    return row;
}

uint32_t tvk_select_row(const tvk_plan *plan, tvk_op op, bool exact)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < tvk_shader_count(); i++) {
        const tvk_shader_info *row = tvk_shader_get(i);
        if (row->op == op && tvk_select_worth(plan, row, exact)) best = i;
    }
    return best;
}
