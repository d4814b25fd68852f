/* How ternary mat-vecs are cut (gemv_t2_i8.comp). */
#include "kernels/internal.h"

/* Units of 16 bytes that an invocation has in flight, weight rows that it takes, and how many of
 * the matrix ask for one more of those. */
#define MOST_UNITS 16u
#define MOST_ROWS 8u
#define ROWS_A_LANE 2048u
#define LEAST_LANES 8u

/* The default on GPUs: as few lanes, in fours, as take no more turns than all of them, as many sets
 * of them as the group has room for and no idle ones; more rows an invocation where there are many;
 * of both what registers hold. */
static tvk_config adapted(const tvk_plan *plan, tvk_config c, uint32_t units, uint32_t n)
{
    const uint32_t most = tvk_may_keep(plan, 4 * MOST_UNITS) / 4,
                   most_rows = most < MOST_ROWS ? most : MOST_ROWS,
                   turns = tvk_div_up(units, c.tile[0]),
                   lanes = 4 * tvk_div_up(tvk_div_up(units, turns), 4);
    c.tile[0] = lanes < LEAST_LANES ? LEAST_LANES : lanes;
    c.group = c.group / c.tile[0] * c.tile[0];
    while (c.tile[1] * ROWS_A_LANE <= n && 2 * c.tile[1] <= most_rows) c.tile[1] *= 2;
    if (c.tile[1] * c.tile[2] > most) c.tile[2] = c.tile[1] < most ? most / c.tile[1] : 1;
    return c;
}

tvk_vec_cut tvk_vec_cut_of(const tvk_plan *plan, tvk_config c, bool adapts, uint32_t units,
                           uint32_t n)
{
    uint32_t turns;
    if (adapts && !c.cpu) c = adapted(plan, c, units, n);
    turns = tvk_div_up(units, c.tile[0]);
    return (tvk_vec_cut){
        {c.group, 1, 1, c.tile[0], c.tile[1], c.tile[2] < turns ? c.tile[2] : turns},
        c.group / c.tile[0] * c.tile[1]};
}

tvk_vec_cut tvk_kernels_vec_cut(const tvk_kernels *kernels, tvk_choice choice, const tvk_matrix *w,
                                uint32_t n)
{
    return tvk_vec_cut_of(tvk_gpu_plan(tvk_kernels_device(kernels)),
                          *tvk_kernels_config_of(kernels, choice),
                          tvk_kernels_adapts(kernels, choice), w->row_words / 4, n);
}
