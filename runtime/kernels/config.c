/* Configurations: how an op's work is cut. The first of a device's class is the default; tests run
 * all of them, a tuner may force one. Every configuration fits the base limits (128 invocations,
 * 16 KiB shared memory) unless its group is larger. */
#include "kernels/internal.h"

#define CPU true
#define GPU false

/* {class, group, {tile}} */
static const tvk_config single[] = {{CPU, 8, {0}}, {GPU, 128, {0}}};
static const tvk_config plain[] = {{CPU, 32, {0}}, {GPU, 128, {0}}, {GPU, 64, {0}}};
static const tvk_config norm[] = {{CPU, 8, {0}}, {CPU, 16, {0}}, {GPU, 128, {0}}, {GPU, 64, {0}}};
/* LANES, ROWS */
static const tvk_config gemv_t2[] = {
    {CPU, 8, {1, 8}},   {CPU, 8, {1, 4}},    {CPU, 16, {1, 8}},   {GPU, 64, {16, 2}},
    {GPU, 128, {8, 1}}, {GPU, 128, {16, 4}}, {GPU, 128, {32, 4}},
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
    {CPU, 8, {1, 4}}, {CPU, 8, {1, 2}}, {CPU, 16, {1, 1}}, {GPU, 64, {16, 2}}, {GPU, 128, {16, 1}},
};
/* LANES, ROWS, TM */
static const tvk_config gemm_f[] = {
    {CPU, 8, {1, 4, 4}},    {CPU, 16, {1, 2, 4}},  {CPU, 8, {1, 1, 2}},
    {GPU, 128, {16, 1, 4}}, {GPU, 64, {16, 2, 8}},
};
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
static const tvk_config sample[] = {
    {CPU, 32, {0}}, {CPU, 16, {0}}, {GPU, 1024, {0}}, {GPU, 256, {0}}, {GPU, 128, {0}}};

#define TABLE(t)                                                                                   \
    *count = (uint32_t)(sizeof t / sizeof t[0]);                                                   \
    return t

const tvk_config *tvk_config_table(tvk_op op, uint32_t *count)
{
    switch (op) {
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
    case TVK_OP_gemv_q6:
    case TVK_OP_gemv_q4:
    case TVK_OP_gemv_t2_f32:
        TABLE(gemv_f);
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

const tvk_config *tvk_config_get(const tvk_plan *plan, tvk_op op, uint32_t index)
{
    uint32_t count, seen = 0;
    const tvk_config *table = tvk_config_table(op, &count);
    for (int own = 1; own >= 0; own--) {
        for (uint32_t i = 0; i < count; i++) {
            if ((table[i].cpu == plan->cpu) != (own == 1)) continue;
            if (table[i].group > plan->max_invocations) continue;
            if (seen++ == index) return &table[i];
        }
    }
    return NULL;
}
