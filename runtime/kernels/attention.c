/* Attention over the KV pages: for few rows their chunks side by side and a merge, for more rows
 * each row walks its chunks. */
#include "kernels/internal.h"

#include <string.h>

#define MAX_D 256
#define TILE_ROWS 16u /* of attn_tile.comp */

/* Groups of four dimensions that a turn of the score loop takes: a loop turn costs CPU drivers
 * about as much as one of them, and on GPUs the loads of a turn are on their way together. */
static uint32_t step(const tvk_config *c, uint32_t quads)
{
    static const uint32_t steps[] = {16, 8, 4, 5, 2};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i] <= c->tile[1] && quads % steps[i] == 0) return steps[i];
    }
    return 1;
}

/* Words of a head of the query. */
static uint32_t head_words(tvk_cache_types types, uint32_t d)
{
    return types.q == TVK_QUERY_F32 ? d : TVK_QUERY_WORDS(d);
}

static tvk_status check(tvk_kernels *k, tvk_op op, tvk_span state, tvk_span q, tvk_span pool,
                        const struct tvk_attention_params *p, tvk_cache_types types, uint32_t rows,
                        tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_check_value(op, p->d > 0 && p->d % 4 == 0 && p->d <= MAX_D,
                            "a head size that is a multiple of 4 up to 256", p->d, err));
    TVK_TRY(tvk_check_value(op, p->kv_heads > 0 && p->heads % p->kv_heads == 0,
                            "heads that are a multiple of the KV heads", p->heads, err));
    TVK_TRY(tvk_check_value(
        op, p->q_stride % 4 == 0 && (uint64_t)p->heads * head_words(types, p->d) <= p->q_stride,
        "a row stride that holds the heads", p->q_stride, err));
    TVK_TRY(tvk_check_value(op, p->o_stride % 4 == 0 && (uint64_t)p->heads * p->d <= p->o_stride,
                            "an output stride that holds the heads", p->o_stride, err));
    TVK_TRY(tvk_check_page(op, types, p->kv_heads, p->d, p->page_words, err));
    TVK_TRY(tvk_check_span(k, op, "state", state, 4ull * p->pages_word, err));
    TVK_TRY(tvk_check_span(k, op, "q", q, 4ull * rows * p->q_stride, err));
    TVK_TRY(tvk_check_span(k, op, "pool", pool, 4ull * p->page_words, err));
fail:
    return st;
}

/* The kernels of one pair of types have no constants for them. */
static uint32_t constant_count(tvk_op op)
{
    bool one = op == TVK_OP_attn_chunk_f32 || op == TVK_OP_attn_chunk_f16 ||
               op == TVK_OP_attn_rows_f32 || op == TVK_OP_attn_rows_f16;
    return one ? 5 : 7;
}

static tvk_status side_by_side(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span q,
                               tvk_span pool, tvk_span partials, tvk_span out,
                               const struct tvk_attention_params *p, tvk_cache_types types,
                               uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = tvk_cache_op(types, TVK_OP_attn_chunk_f32, TVK_OP_attn_chunk_f16,
                                   TVK_OP_attn_chunk_q, TVK_OP_attn_chunk_qi);
    const tvk_config *c = tvk_kernels_active(k, op);
    const tvk_config *m = tvk_kernels_active(k, TVK_OP_attn_merge);
    const uint32_t chunk_constants[] = {c->group,          1,       1,      c->tile[0],
                                        step(c, p->d / 4), types.k, types.v};
    const uint32_t merge_constants[] = {m->group, 1, 1};
    const tvk_span chunk_bindings[] = {state, q, pool, partials};
    const tvk_span merge_bindings[] = {state, partials, out};
    const tvk_groups chunk_groups = {{TVK_AXIS_CHUNKS, TVK_AXIS_FIXED, TVK_AXIS_ROWS},
                                     {1, p->heads, 1}};
    const tvk_groups merge_groups = {{TVK_AXIS_FIXED, TVK_AXIS_ROWS, TVK_AXIS_FIXED},
                                     {p->heads, 1, 1}};
    TVK_TRY(tvk_check_value(op, p->max_chunks > 0, "room for at least one chunk", 0, err));
    TVK_TRY(tvk_check_span(k, op, "partials", partials,
                           4ull * rows * p->heads * p->max_chunks * (4 + p->d), err));
    TVK_TRY(tvk_kernels_append(k, l, op, chunk_constants, constant_count(op), chunk_bindings, p,
                               &chunk_groups, err));
    TVK_TRY(tvk_kernels_append(k, l, TVK_OP_attn_merge, merge_constants, 3, merge_bindings, p,
                               &merge_groups, err));
fail:
    return st;
}

/* Rows of a block that an invocation sums values for: attn_tile.comp has the rule. */
static uint32_t span(uint32_t group, uint32_t d)
{
    uint32_t rows = 1;
    while (TILE_ROWS / rows * (d / 4) > group) rows *= 2;
    return rows;
}

/* How a row of the manifest is dispatched. */
typedef struct cut {
    uint32_t constants[11], count;
    uint32_t rows; /* a workgroup */
} cut;

static cut alone(const tvk_config *c, tvk_op op, uint32_t d, tvk_cache_types types)
{
    return (cut){
        {c->group, 1, 1, c->tile[0], step(c, d / 4), types.k, types.v}, constant_count(op), 1};
}

static cut tiled(const tvk_config *c, uint32_t d)
{
    return (cut){{c->group, 1, 1, span(c->group, d), c->tile[0]}, 5, TILE_ROWS};
}

/* rows == 0: this head size does not suit, or shared memory does not hold what attn_cm.comp wants.
 */
static cut by_matrices(const tvk_config *c, const tvk_plan *plan, uint32_t d)
{
    const tvk_coopmat_shape *s = &plan->coopmat_f16;
    const uint32_t subgroup = plan->coopmat_subgroup, subgroups = c->group / 32;
    const uint32_t turn = c->tile[0], fm = c->tile[1], across = c->tile[2];
    const uint32_t rows = subgroups / across * fm * s->m, staged = rows > turn ? rows : turn;
    const uint32_t words = staged * (d / 2 + 4) + rows * (turn + 4 + 3);
    /* CPU drivers take long to compile the large ones */
    const bool good = d % 16 == 0 && d % s->k == 0 && d % (across * s->n) == 0 &&
                      turn % s->k == 0 && turn % (across * s->n) == 0 &&
                      d <= (plan->cpu ? 48u : 128u) && 4 * words <= plan->max_shared_bytes;
    return (cut){{subgroups * subgroup, 1, 1, s->m, s->n, s->k, subgroup, d, turn, fm, across},
                 11,
                 good ? rows : 0};
}

/* Each row walks its chunks: by itself, or the rows of a tile together. */
static tvk_status walk(tvk_kernels *k, tvk_dispatch_list *l, tvk_op op, const tvk_span *bindings,
                       const struct tvk_attention_params *p, tvk_cache_types types, uint32_t rows,
                       tvk_error *err)
{
    const tvk_plan *plan = tvk_gpu_plan(tvk_kernels_device(k));
    tvk_choice choice = tvk_kernels_choose(k, &(tvk_shape){op, p->heads * p->d, p->d, rows, false});
    cut c = {.rows = 0};
    tvk_groups groups = {{TVK_AXIS_FIXED, TVK_AXIS_ROWS, TVK_AXIS_FIXED}, {p->heads, 1, 1}};
    if (tvk_shader_get(choice.row)->caps & TVK_CAP_COOPMAT_F16) {
        /* steps of few rows are decoded tokens and drafts, whose bits are those of one row */
        if (rows > TVK_FEW_ROWS) c = by_matrices(tvk_kernels_config_of(k, choice), plan, p->d);
        if (c.rows == 0) {
            choice.row = tvk_select_row(plan, op, true);
            choice.config = 0;
        }
    }
    if (c.rows == 0)
        c = strcmp(tvk_shader_get(choice.row)->variant, "tile") == 0
                ? tiled(tvk_kernels_config_of(k, choice), p->d)
                : alone(tvk_kernels_config_of(k, choice), op, p->d, types);
    groups.value[1] = c.rows;
    return tvk_kernels_append_choice(k, l, op, choice, c.constants, c.count, bindings, p, &groups,
                                     err);
}

tvk_status tvk_op_attention(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span q,
                            tvk_span pool, tvk_span partials, tvk_span out,
                            const struct tvk_attention_params *p, tvk_cache_types types,
                            uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = tvk_cache_op(types, TVK_OP_attn_rows_f32, TVK_OP_attn_rows_f16,
                                   TVK_OP_attn_rows_q, TVK_OP_attn_rows_qi);
    const tvk_span bindings[] = {state, q, pool, out};
    TVK_TRY(check(k, op, state, q, pool, p, types, rows, err));
    TVK_TRY(tvk_check_span(k, op, "out", out, 4ull * rows * p->o_stride, err));
    if (partials.buffer || partials.tensor)
        return side_by_side(k, l, state, q, pool, partials, out, p, types, rows, err);
    TVK_TRY(walk(k, l, op, bindings, p, types, rows, err));
fail:
    return st;
}

/* Shared memory of attn_heads.comp: tile, scratch, weights, what is reduced. */
static uint32_t heads_bytes(uint32_t quads, uint32_t heads)
{
    const uint32_t stride = (quads + 1) / 2 | 1, row = stride > heads ? stride : heads;
    const uint32_t scores = quads + TVK_CHUNK / 4, scratch = 4 * quads;
    return TVK_CHUNK * row * 16 +
           heads * (16 * ((scratch > scores ? scratch : scores) + 4 * 10 + 2 + 2) + 8) + 4;
}

/* Heads a workgroup: blocks that a KV head has a whole number of. rows == 0: more dimensions than
 * the invocations have sums for, or shared memory does not hold a chunk. */
static cut by_heads(const tvk_config *c, const tvk_plan *plan,
                    const struct tvk_attn_token_params *p, bool interleaved)
{
    const uint32_t group = p->heads / p->kv_heads, quads = p->d / 4;
    uint32_t heads = group < c->tile[0] ? group : c->tile[0];
    while (group % heads) heads--;
    return (cut){{c->group, 1, 1, quads, heads, interleaved, group / heads, step(c, quads)},
                 8,
                 2 * p->d <= c->group && heads_bytes(quads, heads) <= plan->max_shared_bytes};
}

tvk_status tvk_op_attn_token(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span table,
                             tvk_span pool, tvk_span work, const struct tvk_attn_token_params *p,
                             bool interleaved, tvk_cache_types types, uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = types.k == TVK_CACHE_F32 ? TVK_OP_attn_token_f32 : TVK_OP_attn_token_f16;
    const tvk_span bindings[] = {state, table, pool, work};
    tvk_groups groups = {{TVK_AXIS_CHUNKS, TVK_AXIS_FIXED, TVK_AXIS_ROWS}, {1, p->heads, 1}};
    tvk_choice choice = k->choices[op];
    const tvk_config *config = tvk_kernels_config_of(k, choice);
    cut c = {.rows = 0};
    TVK_TRY(tvk_check_value(op, tvk_attn_token_fits(types), "f32 or f16 of K and V, floats in Q",
                            types.k, err));
    TVK_TRY(tvk_check_value(op, p->d > 0 && p->d % 4 == 0 && p->d <= MAX_D,
                            "a head size that is a multiple of 4 up to 256", p->d, err));
    TVK_TRY(tvk_check_value(op, p->kv_heads > 0 && p->heads % p->kv_heads == 0,
                            "heads that are a multiple of the KV heads", p->heads, err));
    TVK_TRY(tvk_check_value(op, p->heads <= UINT16_MAX, "fewer heads", p->heads, err));
    TVK_TRY(tvk_check_value(op, p->rotary <= p->d && p->rotary % 2 == 0,
                            "an even number of dimensions of a head", p->rotary, err));
    TVK_TRY(tvk_check_value(op, p->max_chunks > 0, "room for at least one chunk", 0, err));
    TVK_TRY(tvk_check_page(op, types, p->kv_heads, p->d, p->page_words, err));
    TVK_TRY(tvk_check_span(k, op, "state", state,
                           4ull * (p->merge_word + (uint64_t)rows * p->heads), err));
    TVK_TRY(tvk_check_span(k, op, "table", table, 4ull * p->rotary, err));
    TVK_TRY(tvk_check_span(k, op, "pool", pool, 4ull * p->page_words, err));
    TVK_TRY(tvk_check_span(
        k, op, "work", work,
        16ull * p->partials_vec4 + 4ull * rows * p->heads * p->max_chunks * (4 + p->d), err));
    if (strcmp(tvk_shader_get(choice.row)->variant, "heads") == 0) {
        c = by_heads(config, tvk_gpu_plan(tvk_kernels_device(k)), p, interleaved);
        if (c.rows == 0) choice = (tvk_choice){tvk_select_base(op), 0, 0};
    }
    if (c.rows > 0) {
        groups.kind[1] = TVK_AXIS_BLOCKS;
        groups.value[1] |= p->heads / c.constants[4] << 16;
    } else {
        config = tvk_kernels_config_of(k, choice);
        c = (cut){
            {config->group, 1, 1, config->tile[0], step(config, p->d / 4), interleaved}, 6, 1};
    }
    TVK_TRY(tvk_kernels_append_choice(k, l, op, choice, c.constants, c.count, bindings, p, &groups,
                                      err));
fail:
    return st;
}

bool tvk_attn_token_fits(tvk_cache_types types)
{
    return types.k == types.v && types.q == TVK_QUERY_F32 && !TVK_CACHE_PACKED(types.k);
}
