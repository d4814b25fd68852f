/* Configurations: how an op's work is cut. The first of a device's class is the default, a tuner
 * may force one; tests run all that the device has room for, of matrices those of its class. Every
 * configuration fits the base limits (128 invocations, 16 KiB shared memory) unless its group is
 * larger. */
#include "kernels/internal.h"

#include <string.h>

#define CPU true
#define GPU false
/* where a matrix configuration says for which steps it is the default, behind its constants */
#define MOST_ROWS TVK_TILE_CONSTANTS
#define LEAST_TILES (TVK_TILE_CONSTANTS + 1)
#define TILE_REGISTERS (128u * 160u) /* of a workgroup of attn_tile.comp */

/* {class, group, {tile}} */
static const tvk_config single[] = {{CPU, 8, {0}}, {GPU, 128, {0}}};
static const tvk_config plain[] = {{CPU, 32, {0}}, {GPU, 128, {0}}, {GPU, 64, {0}}};
static const tvk_config norm[] = {{CPU, 8, {0}}, {CPU, 16, {0}}, {GPU, 128, {0}}, {GPU, 64, {0}}};
static const tvk_config norm_act[] = {
    {CPU, 8, {0}},  {CPU, 16, {0}},  {GPU, 128, {0}},
    {GPU, 64, {0}}, {GPU, 256, {0}}, {GPU, 512, {0}},
};
/* LANES, ROWS, most units of a row in flight */
static const tvk_config gemv_t2[] = {
    {CPU, 8, {1, 8, 1}},   {CPU, 8, {1, 4, 1}},    {CPU, 16, {1, 8, 1}},   {GPU, 128, {64, 2, 2}},
    {GPU, 64, {16, 2, 2}}, {GPU, 128, {16, 4, 1}}, {GPU, 128, {32, 4, 2}}, {GPU, 256, {64, 4, 2}},
};
/* LANES, ROWS, most workgroups: each makes the codes for itself, which few host cores feel */
static const tvk_config norm_gemv[] = {
    {CPU, 8, {1, 8, 4}},     {CPU, 8, {1, 8, 2}},      {CPU, 8, {1, 8, 16}},
    {GPU, 512, {8, 1, 400}}, {GPU, 256, {16, 1, 400}}, {GPU, 512, {32, 1, 400}},
    {GPU, 128, {8, 2, 400}},
};
/* ROWS, units of theirs in flight, most workgroups: each norms the row for itself. Host cores take
 * a row by one lane, and one after the other. */
static const tvk_config norm_gemv_f[] = {
    {CPU, 8, {1, 1, 16}},     {CPU, 8, {1, 1, 4}},     {GPU, 128, {2, 10, 600}},
    {GPU, 256, {1, 10, 600}}, {GPU, 512, {1, 5, 600}}, {GPU, 256, {2, 18, 200}},
};
/* TM, TILE, ROWS */
static const tvk_config gemm_t2[] = {
    {CPU, 32, {4, 512, 4}},  {CPU, 16, {4, 512, 8}},  {CPU, 16, {8, 256, 2}},
    {GPU, 128, {8, 256, 1}}, {GPU, 64, {16, 256, 1}}, {GPU, 128, {4, 128, 2}},
};
static const tvk_config gemm_t2_act4[] = {
    {CPU, 16, {4, 512, 8}},  {CPU, 32, {4, 512, 4}},  {CPU, 16, {8, 256, 2}},
    {GPU, 128, {8, 256, 1}}, {GPU, 64, {16, 256, 1}}, {GPU, 128, {4, 128, 2}},
};
/* LANES, ROWS */
static const tvk_config gemv_f[] = {
    {CPU, 8, {1, 1}},   {CPU, 8, {1, 4}},    {CPU, 16, {1, 1}},   {GPU, 64, {16, 2}},
    {GPU, 64, {16, 4}}, {GPU, 128, {16, 4}}, {GPU, 128, {16, 1}}, {GPU, 64, {16, 8}},
};
/* The same where codes take longer to spread than to load: rows of x are read for four at once. */
static const tvk_config gemv_f_codes[] = {
    {CPU, 8, {1, 4}},   {CPU, 8, {1, 1}},    {CPU, 16, {1, 1}},   {GPU, 64, {16, 2}},
    {GPU, 64, {16, 4}}, {GPU, 128, {16, 4}}, {GPU, 128, {16, 1}}, {GPU, 64, {16, 8}},
};
/* BM, BN, BK, WM, WN, STAGES, AHEAD, and for which steps it is the default: at most so many rows,
 * at least so many tiles; the group at 32 invocations a subgroup. CPU drivers, which make loops of
 * matrices, take minutes to compile the large ones and get none but their own. */
static const tvk_config gemm_matrix[] = {
    {CPU, 128, {32, 16, 64, 16, 16, 2, 1}},
    {CPU, 128, {16, 16, 64, 8, 16, TVK_STAGE_OWN, 2}},
    {CPU, 64, {32, 16, 64, 16, 16, 1, 1}}, /* no inputs shared: whole tiles leave from registers */
    {GPU, 256, {16, 32, 256, 16, 32, 2, 1, [MOST_ROWS] = 16}},
    {GPU, 256, {32, 64, 256, 32, 32, 1, 2, [MOST_ROWS] = 32, [LEAST_TILES] = 128}},
    {GPU, 256, {32, 32, 64, 32, 32, TVK_STAGE_OWN, 2, [MOST_ROWS] = 32}},
    {GPU, 128, {32, 32, 256, 32, 32, 2, 1, [MOST_ROWS] = 32}},
    {GPU, 128, {128, 128, 128, 64, 64, 1, 1, [MOST_ROWS] = UINT32_MAX, [LEAST_TILES] = 256}},
    {GPU, 128, {64, 64, 128, 32, 32, 1, 1, [MOST_ROWS] = UINT32_MAX}},
    {GPU, 256, {128, 128, 128, 64, 32, 1, 1}},
    {GPU, 128, {64, 128, 128, 32, 64, 1, 1}},
    {GPU, 128, {64, 96, 128, 32, 48, 1, 1}},
    {GPU, 128, {128, 80, 128, 32, 80, 1, 1}},
    {GPU, 64, {32, 32, 128, 16, 32, 1, 1}}, /* fits the least device */
    {GPU, 512, {32, 64, 64, 8, 16, 1, 1}},  /* and the one with the fewest registers */
};
/* BM, BN, BK, WM, WN, and for which steps it is the default, as above */
static const tvk_config gemm_halves[] = {
    {CPU, 64, {16, 32, 32, 16, 16}},
    {CPU, 64, {16, 16, 64, 8, 16}},
    {GPU, 128, {32, 256, 64, 32, 64, [MOST_ROWS] = 32, [LEAST_TILES] = 256}},
    {GPU, 256, {32, 256, 64, 32, 32, [MOST_ROWS] = 32, [LEAST_TILES] = 256}}, /* few registers */
    {GPU, 128, {32, 64, 128, 16, 32, [MOST_ROWS] = 32}},
    {GPU, 128, {64, 128, 64, 32, 64, [MOST_ROWS] = UINT32_MAX}},
    {GPU, 256, {64, 128, 64, 32, 32, [MOST_ROWS] = UINT32_MAX}}, /* likewise */
    {GPU, 128, {32, 32, 128, 16, 16}},
    {GPU, 64, {32, 32, 32, 16, 32}}, /* fits the least device */
};
/* LANES, ROWS, TM */
static const tvk_config gemm_f[] = {
    {CPU, 8, {1, 4, 4}},    {CPU, 16, {1, 2, 4}},  {CPU, 8, {1, 1, 2}},    {GPU, 128, {16, 4, 8}},
    {GPU, 128, {16, 2, 8}}, {GPU, 64, {16, 4, 4}}, {GPU, 128, {16, 1, 4}},
};
/* ROWS, TM */
static const tvk_config gemm_stage[] = {
    {GPU, 128, {4, 8}}, {GPU, 256, {4, 16}}, {GPU, 256, {4, 8}}, {GPU, 128, {8, 4}}};
/* LANES, WORDS */
static const tvk_config gemv_sparse[] = {
    {CPU, 8, {1, 2}},      {CPU, 8, {1, 1}},    {CPU, 16, {1, 1}},   {GPU, 512, {64, 1}},
    {GPU, 1024, {128, 1}}, {GPU, 256, {32, 1}}, {GPU, 128, {32, 1}}, {GPU, 128, {16, 1}},
};
/* QUADS */
static const tvk_config relu_list[] = {
    {CPU, 8, {4}}, {CPU, 16, {2}}, {GPU, 1024, {1}}, {GPU, 256, {2}}, {GPU, 128, {4}}};
static const tvk_config kmajor[] = {{CPU, 8, {0}}, {GPU, 64, {0}}};
/* SPLIT, most groups of four dimensions a turn */
static const tvk_config attention[] = {
    {CPU, 8, {1, 5}}, {CPU, 16, {4, 5}}, {GPU, 128, {4, 16}}, {GPU, 64, {1, 8}}};
/* most heads of a workgroup, most groups of four dimensions a turn */
static const tvk_config attention_heads[] = {{GPU, 512, {4, 8}}, {GPU, 256, {4, 8}}};
/* vec4 of shared memory for K, Q and V, beside 10,000 bytes of weights and other things */
static const tvk_config attention_tile[] = {
    {GPU, 128, {1160}}, {GPU, 128, {290}}, {GPU, 256, {1160}}, {GPU, 256, {290}}};
/* positions a turn, FM, ACROSS; the group at 32 invocations a subgroup */
static const tvk_config attention_matrix[] = {
    {CPU, 64, {16, 1, 1}},  {CPU, 64, {16, 2, 2}}, {GPU, 128, {64, 2, 2}}, {GPU, 128, {64, 1, 1}},
    {GPU, 128, {32, 1, 1}}, {GPU, 64, {64, 1, 1}}, {GPU, 64, {32, 1, 1}},  {GPU, 128, {64, 1, 2}},
};
/* most workgroups a row */
static const tvk_config sample[] = {
    {CPU, 32, {4}}, {CPU, 16, {1}}, {GPU, 512, {16}}, {GPU, 1024, {8}}, {GPU, 128, {16}}};

bool tvk_config_halves(const tvk_shader_info *row)
{
    return (row->caps & TVK_CAP_COOPMAT_F16) &&
           (row->op == TVK_OP_gemm_f16 || row->op == TVK_OP_gemm_q8);
}

#define TABLE(t)                                                                                   \
    *count = (uint32_t)(sizeof t / sizeof t[0]);                                                   \
    return t

const tvk_config *tvk_config_table(const tvk_shader_info *row, uint32_t *count)
{
    if (row->caps & TVK_CAP_COOPMAT_I8) {
        TABLE(gemm_matrix);
    }
    if (tvk_config_halves(row)) {
        TABLE(gemm_halves);
    }
    if (row->caps & TVK_CAP_COOPMAT_F16) {
        TABLE(attention_matrix);
    }
    if (!strcmp(row->variant, "tile")) {
        TABLE(attention_tile);
    }
    if (!strcmp(row->variant, "heads")) {
        TABLE(attention_heads);
    }
    if (!strcmp(row->variant, "stage")) {
        TABLE(gemm_stage);
    }
    switch (row->op) {
    case TVK_OP_step_begin:
        TABLE(single);
    case TVK_OP_rmsnorm_f32:
    case TVK_OP_rmsnorm_i8:
    case TVK_OP_quant_i8:
    case TVK_OP_rmsnorm_topk:
    case TVK_OP_quant_topk:
    case TVK_OP_rmsnorm_i4:
    case TVK_OP_quant_i4:
    case TVK_OP_rmsnorm_fp4:
    case TVK_OP_quant_fp4:
        TABLE(norm_act);
    case TVK_OP_layernorm_f32:
    case TVK_OP_layernorm_i8:
    case TVK_OP_hadamard:
    case TVK_OP_rmsnorm_hadamard:
        TABLE(norm);
    case TVK_OP_gemv_t2_i8:
    case TVK_OP_gemv_t2_i4:
    case TVK_OP_gemv_t1_i8:
    case TVK_OP_up_t2_i8:
    case TVK_OP_gemv_t2_fp4:
    case TVK_OP_up_t2_i4:
    case TVK_OP_up_t2_fp4:
        TABLE(gemv_t2);
    case TVK_OP_norm_gemv_i8:
    case TVK_OP_norm_gemv_i4:
    case TVK_OP_norm_gemv_fp4:
        TABLE(norm_gemv);
    case TVK_OP_norm_gemv_f32:
    case TVK_OP_norm_gemv_f16:
        TABLE(norm_gemv_f);
    case TVK_OP_gemv_t2_sparse:
        TABLE(gemv_sparse);
    case TVK_OP_relu_list:
        TABLE(relu_list);
    case TVK_OP_repack_kmajor:
        TABLE(kmajor);
    case TVK_OP_gemm_t1_i8:
    case TVK_OP_gemm_t2_i8:
        TABLE(gemm_t2);
    case TVK_OP_gemm_t2_i4:
    case TVK_OP_gemm_t2_fp4:
        TABLE(gemm_t2_act4);
    case TVK_OP_gemv_f32:
    case TVK_OP_gemv_f16:
    case TVK_OP_gemv_q8:
    case TVK_OP_gemv_q4:
        TABLE(gemv_f);
    case TVK_OP_gemv_q6:
    case TVK_OP_gemv_t2_f32:
        TABLE(gemv_f_codes);
    case TVK_OP_gemm_f32:
    case TVK_OP_gemm_f16:
    case TVK_OP_gemm_q8:
    case TVK_OP_gemm_q6:
    case TVK_OP_gemm_q4:
    case TVK_OP_gemm_t2_f32:
        TABLE(gemm_f);
    case TVK_OP_attn_chunk_f32:
    case TVK_OP_attn_chunk_f16:
    case TVK_OP_attn_chunk_q:
    case TVK_OP_attn_chunk_qi:
    case TVK_OP_attn_token_f32:
    case TVK_OP_attn_token_f16:
    case TVK_OP_attn_rows_f32:
    case TVK_OP_attn_rows_f16:
    case TVK_OP_attn_rows_q:
    case TVK_OP_attn_rows_qi:
        TABLE(attention);
    case TVK_OP_sample:
        TABLE(sample);
    default:
        TABLE(plain);
    }
}

/* Do matrices of so many words take no more than their share of a subgroup's registers? */
static bool kept(const tvk_plan *plan, uint32_t words, uint32_t share)
{
    return !plan->registers || words * share <= plan->registers * plan->subgroup_fixed;
}

/* A configuration of matrices: does the shared memory reach? */
static bool matrices_fit(const tvk_plan *plan, const tvk_config *c)
{
    const tvk_coopmat_shape *s = &plan->coopmat_i8;
    const uint32_t *t = c->tile, down = t[0] / t[3], across = t[1] / t[4];
    const uint32_t subgroups = c->group / 32, along = subgroups / (down * across);
    const bool own = t[5] == TVK_STAGE_OWN;
    const uint32_t rows = own ? subgroups * (t[3] + t[4]) : t[5] * (t[0] + t[1]);
    const uint32_t staged = rows * (t[2] + 16), sums = along * down * s->m * (t[1] + 4) * 4;
    return c->cpu == plan->cpu && kept(plan, t[3] * t[4], 4) &&
           t[2] % (own ? s->k : s->k * along) == 0 && t[3] % s->m == 0 && t[4] % s->n == 0 &&
           c->group / 32 * plan->coopmat_subgroup <= plan->max_invocations &&
           (staged > sums ? staged : sums) + t[0] * 8 + t[1] * 4 + 16 <= plan->max_shared_bytes;
}

/* The same of gemm_f_cm.comp: sums, and a block of x in two parts. */
static bool halves_fit(const tvk_plan *plan, const tvk_config *c)
{
    const tvk_coopmat_shape *s = &plan->coopmat_f16;
    const uint32_t *t = c->tile, block = 32;
    const uint32_t staged = (2 * t[0] + t[1]) * (t[2] / 2 + 4);
    const uint32_t strip = t[0] / t[3] * s->m * t[1]; /* of sums on their way out */
    const uint32_t words = (staged > strip ? staged : strip) + t[2] / block * t[1] + t[0];
    return c->cpu == plan->cpu && kept(plan, t[3] * (t[4] + block), 3) && t[3] % s->m == 0 &&
           t[4] % s->n == 0 && block % s->k == 0 && plan->coopmat_subgroup % (t[2] / 8) == 0 &&
           c->group / 32 * plan->coopmat_subgroup <= plan->max_invocations &&
           4 * words <= plan->max_shared_bytes;
}

/* Shared memory of gemm_f_stage.comp at four groups of four values a unit, the most. */
static uint32_t stage_bytes(const tvk_config *c)
{
    const uint32_t rows = c->tile[1], lanes = TVK_DOT_PARTIALS;
    return rows * 4 * lanes * 16 + rows * (c->group / lanes) * (lanes + 1) * 4;
}

/* Sums that an invocation of these mat-mats keeps. */
static uint32_t sums(const tvk_config *table, const tvk_config *c)
{
    if (table == gemm_f) return c->tile[1] * c->tile[2];
    return table == gemm_stage ? c->tile[0] * c->tile[1] : 0;
}

static bool fits(const tvk_plan *plan, const tvk_shader_info *row, const tvk_config *table,
                 const tvk_config *c)
{
    if (row->caps & ~plan->caps & ~(uint32_t)TVK_CAP_INEXACT) return false;
    if (row->caps & TVK_CAP_COOPMAT_I8) return matrices_fit(plan, c);
    if (tvk_config_halves(row)) return halves_fit(plan, c);
    if (row->caps & TVK_CAP_COOPMAT_F16) {
        const uint32_t rows = c->tile[1] * plan->coopmat_f16.m; /* of heads of 128: sums, Q */
        return c->cpu == plan->cpu && kept(plan, rows * (128 / c->tile[2] + 64), 3) &&
               plan->coopmat_subgroup * c->tile[2] % (c->tile[1] * plan->coopmat_f16.m) == 0 &&
               c->group / 32 * plan->coopmat_subgroup <= plan->max_invocations;
    }
    if (sums(table, c) > tvk_may_keep(plan, UINT32_MAX)) return false;
    if (!strcmp(row->variant, "stage") && stage_bytes(c) > plan->max_shared_bytes) return false;
    if (!strcmp(row->variant, "tile") &&
        (c->tile[0] * 16 + 10000 > plan->max_shared_bytes ||
         (plan->registers && c->group * plan->registers < TILE_REGISTERS)))
        return false;
    /* whole subgroups, which hold 128 elements with at most sixteen an invocation */
    if ((row->caps & TVK_CAP_SUBGROUP) &&
        (c->group % plan->subgroup_fixed != 0 || plan->subgroup_fixed < 8))
        return false;
    return c->group <= plan->max_invocations;
}

const tvk_config *tvk_config_get(const tvk_plan *plan, const tvk_shader_info *row, uint32_t index)
{
    uint32_t count, seen = 0;
    const tvk_config *table = tvk_config_table(row, &count);
    for (int own = 1; own >= 0; own--) {
        for (uint32_t i = 0; i < count; i++) {
            if ((table[i].cpu == plan->cpu) != (own == 1)) continue;
            if (!fits(plan, row, table, &table[i])) continue;
            if (seen++ == index) return &table[i];
        }
    }
    return NULL;
}

uint32_t tvk_config_for(const tvk_plan *plan, const tvk_shader_info *row, uint32_t n, uint32_t rows)
{
    const tvk_config *c;
    if (!(row->caps & TVK_CAP_COOPMAT_I8) && !tvk_config_halves(row)) return 0;
    for (uint32_t i = 0; (c = tvk_config_get(plan, row, i)) != NULL; i++) {
        const uint32_t tiles = tvk_div_up(n, c->tile[1]) * tvk_div_up(rows, c->tile[0]);
        if (rows <= c->tile[MOST_ROWS] && tiles >= c->tile[LEAST_TILES]) return i;
    }
    return 0;
}

uint32_t tvk_may_keep(const tvk_plan *plan, uint32_t most)
{
    const uint32_t own = plan->registers / 6;
    return plan->registers && own < most ? own : most;
}

uint32_t tvk_held(uint32_t quads, uint32_t group, uint32_t most)
{
    const uint32_t own = tvk_div_up(quads, group);
    return own <= most ? own : 0;
}
