/* Norm and float mat-vec of one row in one dispatch, with the gated unit or the residual behind it.
 */
#include "kernels/internal.h"

static const struct {
    tvk_op op;
    uint32_t unit; /* weights that are loaded at once; 0: there is no such kernel */
} layouts[] = {
    [TVK_LAYOUT_T2] = {TVK_OP_COUNT, 0},          [TVK_LAYOUT_F32] = {TVK_OP_norm_gemv_f32, 4},
    [TVK_LAYOUT_F16] = {TVK_OP_norm_gemv_f16, 8}, [TVK_LAYOUT_Q8] = {TVK_OP_COUNT, 0},
    [TVK_LAYOUT_T1] = {TVK_OP_COUNT, 0},          [TVK_LAYOUT_Q6] = {TVK_OP_COUNT, 0},
    [TVK_LAYOUT_Q4] = {TVK_OP_COUNT, 0},          [TVK_LAYOUT_T2_F32] = {TVK_OP_COUNT, 0},
};

/* Groups of four values of the row that an invocation keeps: registers hold them. */
#define MOST_HELD 22u
/* With fewer workgroups than this, more invocations share the rows. */
#define FEW_GROUPS 300u

/* Rows of a lane for which a workgroup of host cores norms for itself. */
#define WORTH_A_NORM 32u

typedef struct cut {
    uint32_t constants[11];
    uint32_t groups;
} cut;

static bool given(tvk_span span)
{
    return span.buffer != NULL;
}

static uint32_t units(const tvk_matrix *w)
{
    return tvk_div_up(w->k, layouts[w->layout].unit);
}

/* Lanes that share a row: on host cores none do. */
static uint32_t lanes(const tvk_config *c)
{
    return c->cpu ? 1 : TVK_DOT_PARTIALS;
}

static uint32_t rows_of_block(const tvk_config *c)
{
    return c->group / lanes(c) * c->tile[0];
}

/* The row, sums, and what the norm adds up: of a large group each square by itself. */
static uint32_t shared_bytes(const tvk_config *c, const tvk_matrix *w, bool norm)
{
    uint32_t row = 4 * layouts[w->layout].unit * units(w);
    uint32_t sums = 4 * lanes(c) * (rows_of_block(c) + 1), squares = 0;
    if (norm && c->group > TVK_NORM_PARTIALS)
        squares = 4 * c->group * (tvk_div_up(w->k / 4, c->group) + 1);
    return row + sums + squares + (norm ? 12 * c->group : 0);
}

/* Groups of four values of the row that an invocation keeps. */
static uint32_t held(const tvk_plan *plan, const tvk_matrix *w, uint32_t group)
{
    return tvk_held(w->k / 4, group, tvk_may_keep(plan, 4 * MOST_HELD) / 4);
}

/* A configuration for this matrix: the given one, the default with one row an invocation where
 * there are few; with fewer invocations where the device's shared memory asks for that, or where a
 * large group could not keep its values. */
static tvk_config fitted(const tvk_plan *plan, const tvk_config *given, bool first,
                         const tvk_matrix *w, bool norm)
{
    tvk_config c = *given;
    if (first && !c.cpu && plan->max_invocations >= 2 * c.group &&
        tvk_div_up(w->n, rows_of_block(&c)) < FEW_GROUPS) {
        c.group *= 2;
        c.tile[0] = 1;
    }
    while (c.group > TVK_NORM_PARTIALS && ((norm && !held(plan, w, c.group)) ||
                                           shared_bytes(&c, w, norm) > plan->max_shared_bytes))
        c.group /= 2;
    return c;
}

/* Blocks of rows that workgroups share out among themselves; of one lane a row: what lies between
 * the rows of neighbours, an odd number. */
static uint32_t blocks_of(const tvk_config *c, const tvk_matrix *w, uint32_t gate)
{
    if (lanes(c) > 1) return tvk_div_up(w->n, rows_of_block(c));
    return tvk_div_up(gate == TVK_GATE_NONE ? w->n : w->n / 2, c->group) | 1;
}

static cut make_cut(const tvk_plan *plan, tvk_config c, const tvk_matrix *w, bool norm,
                    uint32_t gate)
{
    const uint32_t rows = c.tile[0], per_lane = tvk_div_up(units(w), lanes(&c));
    const uint32_t in_flight = tvk_may_keep(plan, 4 * c.tile[1]) / 4; /* units of four words */
    const uint32_t ahead = in_flight > rows ? in_flight / rows : 1;
    const uint32_t turns = tvk_div_up(per_lane, ahead);
    const uint32_t blocks = blocks_of(&c, w, gate);
    const uint32_t most = lanes(&c) > 1 ? c.tile[2] : tvk_div_up(blocks, WORTH_A_NORM);
    const uint32_t rounds = tvk_div_up(blocks, most < c.tile[2] ? most : c.tile[2]);
    /* turns and workgroups of equal length */
    return (cut){{c.group, 1, 1, units(w), w->k % layouts[w->layout].unit == 0, rows,
                  tvk_div_up(per_lane, turns), norm, gate, c.cpu ? 0 : held(plan, w, c.group),
                  lanes(&c)},
                 tvk_div_up(blocks, rounds)};
}

bool tvk_norm_gemv_f_takes(tvk_kernels *k, const tvk_matrix *w, tvk_span gain)
{
    const tvk_plan *plan = tvk_gpu_plan(tvk_kernels_device(k));
    const tvk_config least = {.group = TVK_NORM_PARTIALS, .tile = {2}};
    return layouts[w->layout].unit > 0 && w->piece_count == 1 && w->k % 4 == 0 &&
           tvk_kernels_parts(k, &(tvk_shape){layouts[w->layout].op, w->n, w->k, 1, false}) == 1 &&
           shared_bytes(&least, w, given(gain)) <= plan->max_shared_bytes;
}

bool tvk_norm_gemv_f_fits(tvk_kernels *k, const tvk_matrix *w, tvk_span gain)
{
    return tvk_norm_gemv_f_takes(k, w, gain) &&
           tvk_kernels_own_configs(k, tvk_kernels_default(k, layouts[w->layout].op)) > 0;
}

tvk_status tvk_op_norm_gemv_f(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w, tvk_span x,
                              tvk_span gain, float eps, uint32_t gate, bool add, tvk_span y,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_plan *plan = tvk_gpu_plan(tvk_kernels_device(k));
    const tvk_op op = layouts[w->layout].op;
    const bool norm = given(gain);
    const uint32_t outputs = gate == TVK_GATE_NONE ? w->n : w->n / 2;
    const struct tvk_norm_gemv_params p = {
        .n = w->n, .k = w->k, .add = add, .inv_k = 1.0f / (float)w->k, .eps = eps};
    const tvk_span bindings[] = {w->piece[0].words, norm ? gain : w->piece[0].words, x, y};
    tvk_groups groups = {{TVK_AXIS_FIXED, TVK_AXIS_ROWS, TVK_AXIS_FIXED}, {1, 1, 1}};
    tvk_choice choice;
    cut c;
    if (!tvk_norm_gemv_f_takes(k, w, gain))
        TVK_FAIL(TVK_ERR_ARG, "mat-vec with a norm: a matrix of floats in one piece expected");
    choice = tvk_kernels_choose(k, &(tvk_shape){op, w->n, w->k, 1, false});
    c = make_cut(
        plan,
        fitted(plan, tvk_kernels_config_of(k, choice), tvk_kernels_adapts(k, choice), w, norm), w,
        norm, gate);
    TVK_TRY(
        tvk_check_value(op, gate == TVK_GATE_NONE || w->n % 2 == 0, "pairs of rows", w->n, err));
    TVK_TRY(tvk_check_span(k, op, "weights", bindings[0], 4ull * w->n * w->row_words, err));
    TVK_TRY(tvk_check_span(k, op, "x", x, 4ull * w->k, err));
    TVK_TRY(tvk_check_span(k, op, "y", y, 4ull * outputs, err));
    if (norm) TVK_TRY(tvk_check_span(k, op, "gain", gain, 4ull * w->k, err));
    groups.value[0] = c.groups;
    TVK_TRY(
        tvk_kernels_append_choice(k, l, op, choice, c.constants, 11, bindings, &p, &groups, err));
fail:
    return st;
}
