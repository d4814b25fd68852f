/* Norm, codes and ternary mat-vec of one row in one dispatch, with the gated unit or the residual
 * behind it. */
#include "kernels/internal.h"

static const tvk_op ops[] = {
    [TVK_FORMAT_I8] = TVK_OP_norm_gemv_i8,
    [TVK_FORMAT_TOPK] = TVK_OP_COUNT, /* choosing takes longer than a dispatch */
    [TVK_FORMAT_I4] = TVK_OP_norm_gemv_i4,
    [TVK_FORMAT_FP4] = TVK_OP_norm_gemv_fp4,
};

/* Units of 16 bytes that an invocation loads together, and groups of four values of the row that it
 * keeps: registers hold them. */
#define MOST_AHEAD 20u
#define MOST_HELD 22u
/* Below this a workgroup's start takes longer than its rows: small groups start sooner. */
#define SMALL_BYTES (512u << 10)
#define SMALL_GROUP 128u
/* Workgroups that fill a large GPU once: two rounds take twice as long as one. */
#define WANTED_GROUPS 128u
#define LEAST_LANES 8u
#define MOST_LANES 32u

/* Shared memory that 128 invocations with 8 rows each take beside the codes. */
#define LEAST_SHARED_BESIDE (4 * (128 * 8 + 32) + 16 * 128)

typedef struct cut {
    uint32_t constants[11];
    uint32_t rows, groups; /* weight rows a block; workgroups */
} cut;

static uint32_t units(const tvk_matrix *w)
{
    return w->row_words / 4;
}

/* Rows side by side with which a workgroup has its share of n, `rows` an invocation. */
static uint32_t sets_wanted(uint32_t n, uint32_t rows)
{
    return tvk_div_up(tvk_div_up(n, rows), WANTED_GROUPS);
}

/* What registers hold, in units and in groups of four values. */
static uint32_t most_ahead(const tvk_plan *plan)
{
    return tvk_may_keep(plan, 4 * MOST_AHEAD) / 4;
}

static uint32_t most_held(const tvk_plan *plan)
{
    return tvk_may_keep(plan, 4 * MOST_HELD) / 4;
}

/* The default on GPUs: as many lanes as leave each workgroup its share of the rows, more rows an
 * invocation where there are many. */
static void adapt(const tvk_plan *plan, tvk_config *c, const tvk_matrix *w)
{
    const uint32_t most = c->group / LEAST_LANES,
                   most_rows = most_ahead(plan) < 4 ? most_ahead(plan) : 4;
    uint32_t sets;
    if ((uint64_t)w->n * w->row_words * 4 < SMALL_BYTES && c->group > SMALL_GROUP) {
        c->group = SMALL_GROUP;
        c->tile[1] = 2;
        return;
    }
    while ((sets = sets_wanted(w->n, c->tile[1])) > most && c->tile[1] < most_rows) c->tile[1] *= 2;
    if (sets > most) sets = most;
    /* as few lanes as take no more turns */
    c->tile[0] = tvk_div_up(units(w), tvk_div_up(units(w), c->group / sets));
    if (c->tile[0] > MOST_LANES) c->tile[0] = MOST_LANES;
    if (c->tile[1] > c->tile[0]) c->tile[1] = c->tile[0]; /* each result has an invocation */
}

static uint32_t shared_bytes(const tvk_config *c, const tvk_matrix *w, tvk_format format)
{
    uint32_t codes = 64 * units(w), sums = 4 * (c->group * c->tile[1] + c->tile[0]);
    uint32_t wide = 4 * c->group * tvk_div_up(16 * units(w), c->group);
    if (c->group <= TVK_NORM_PARTIALS) return codes + sums + 16 * c->group;
    return codes + sums + 20 * c->group + (format == TVK_FORMAT_I4 ? 2 : 1) * wide;
}

/* A configuration for this matrix: the given one, or with fewer invocations where the device's
 * shared memory asks for that, or where a large group could not keep its values. */
static tvk_config fitted(const tvk_plan *plan, const tvk_config *given, bool first,
                         const tvk_matrix *w, tvk_format format, uint32_t gate)
{
    tvk_config c = *given;
    if (gate != TVK_GATE_NONE && c.tile[1] < 2) c.tile[1] = 2;
    if (first && !c.cpu) adapt(plan, &c, w);
    while (c.group > TVK_NORM_PARTIALS && (!tvk_held(16 * units(w), c.group, most_held(plan)) ||
                                           shared_bytes(&c, w, format) > plan->max_shared_bytes))
        c.group /= 2;
    return c;
}

static cut make_cut(const tvk_plan *plan, tvk_config c, const tvk_matrix *w, bool norm,
                    uint32_t gate)
{
    uint32_t lanes = c.tile[0], rows = c.tile[1], per_lane = tvk_div_up(units(w), lanes), ahead = 1;
    uint32_t blocks, rounds;
    cut r;
    if (!c.cpu && most_ahead(plan) / rows > 1) ahead = most_ahead(plan) / rows;
    if (ahead > per_lane) ahead = per_lane;
    r.rows = c.group / lanes * rows;
    blocks = tvk_div_up(w->n, r.rows);
    rounds = tvk_div_up(blocks, c.tile[2]); /* the same for all workgroups */
    r.groups = tvk_div_up(blocks, rounds);
    r.constants[0] = c.group;
    r.constants[1] = r.constants[2] = 1;
    r.constants[3] = lanes;
    r.constants[4] = rows;
    r.constants[5] = ahead;
    r.constants[6] = units(w);
    r.constants[7] = norm;
    r.constants[8] = gate;
    r.constants[9] = c.cpu ? 0 : tvk_held(16 * units(w), c.group, most_held(plan));
    r.constants[10] = plan->subgroup_fixed;
    return r;
}

static bool given(tvk_span span)
{
    return span.buffer != NULL;
}

/* Vectors of four floats from the scales to the gain; UINT32_MAX: it lies elsewhere. */
static uint32_t gain_at(const tvk_matrix *w, tvk_span gain)
{
    tvk_span scales = w->piece[0].scales;
    uint64_t apart = gain.offset - scales.offset;
    if (!given(gain)) return 0;
    if (gain.buffer != scales.buffer || gain.offset < scales.offset || apart % 16)
        return UINT32_MAX;
    return (uint32_t)(apart / 16);
}

bool tvk_norm_gemv_fits(tvk_kernels *k, const tvk_matrix *w, tvk_format format, tvk_span gain)
{
    if (!tvk_layout_coded(w->layout)) return tvk_norm_gemv_f_fits(k, w, gain);
    if (w->layout != TVK_LAYOUT_T2 || w->piece_count != 1 || ops[format] == TVK_OP_COUNT ||
        w->k % 4 || gain_at(w, gain) == UINT32_MAX ||
        tvk_kernels_parts(k, &(tvk_shape){ops[format], w->n, w->k, 1, false}) > 1)
        return false;
    return 64 * units(w) + LEAST_SHARED_BESIDE <=
           tvk_gpu_plan(tvk_kernels_device(k))->max_shared_bytes;
}

tvk_status tvk_op_norm_gemv(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w,
                            tvk_format format, tvk_span x, tvk_span gain, float eps, uint32_t gate,
                            bool add, tvk_span y, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_plan *plan = tvk_gpu_plan(tvk_kernels_device(k));
    const tvk_op op = ops[format];
    const uint32_t outputs = gate == TVK_GATE_NONE ? w->n : w->n / 2;
    const uint32_t soon = gain_at(w, w->soon);
    const uint64_t reach = w->soon.offset + w->soon.bytes - w->piece[0].scales.offset;
    const bool brings = given(w->soon) && soon != UINT32_MAX && reach <= plan->max_storage_bytes;
    const struct tvk_norm_gemv_params p = {.n = w->n,
                                           .k = w->k,
                                           .gain = gain_at(w, gain),
                                           .add = add,
                                           .inv_k = 1.0f / (float)w->k,
                                           .eps = eps,
                                           .soon = soon,
                                           .soon_quads =
                                               brings ? (uint32_t)(w->soon.bytes / 16) : 0};
    tvk_span bindings[] = {w->piece[0].words, w->piece[0].scales, x, y};
    tvk_choice choice;
    cut c;
    tvk_groups groups = {{TVK_AXIS_FIXED, TVK_AXIS_FIXED, TVK_AXIS_FIXED}, {1, 1, 1}};
    if (!tvk_layout_coded(w->layout))
        return tvk_op_norm_gemv_f(k, l, w, x, gain, eps, gate, add, y, err);
    if (!tvk_norm_gemv_fits(k, w, format, gain))
        TVK_FAIL(TVK_ERR_ARG, "mat-vec with a norm: a ternary matrix in one piece with its gain "
                              "behind its scales expected");
    choice = tvk_kernels_choose(k, &(tvk_shape){op, w->n, w->k, 1, false});
    c = make_cut(plan,
                 fitted(plan, tvk_kernels_config_of(k, choice), tvk_kernels_adapts(k, choice), w,
                        format, gate),
                 w, given(gain), gate);
    TVK_TRY(
        tvk_check_value(op, gate == TVK_GATE_NONE || w->n % 2 == 0, "pairs of rows", w->n, err));
    TVK_TRY(tvk_check_span(k, op, "weights", bindings[0], 4ull * w->n * w->row_words, err));
    TVK_TRY(tvk_check_span(k, op, "scales", bindings[1], 4ull * w->n, err));
    TVK_TRY(tvk_check_span(k, op, "x", x, 4ull * w->k, err));
    TVK_TRY(tvk_check_span(k, op, "y", y, 4ull * outputs, err));
    if (given(gain)) {
        TVK_TRY(tvk_check_span(k, op, "gain", gain, 4ull * w->k, err));
        bindings[1].bytes = gain.offset + gain.bytes - bindings[1].offset;
    }
    if (brings) bindings[1].bytes = reach;
    groups.value[0] = c.groups;
    TVK_TRY(
        tvk_kernels_append_choice(k, l, op, choice, c.constants, 11, bindings, &p, &groups, err));
fail:
    return st;
}
