// Parameters of a kernel (params.h). The first ones, as many as kernels.def says, are constants that its
// program is made with on most GPUs: word i of the struct is constant TVK_FIXED_ID + i. Push constants are read
// anew by every dispatch, which is some of the time that a small one takes, and a compiler that knows K and
// the strides makes better loops. Where FIXED is false all words are pushed.
//   TVK_PUSHED(9);
//   tvk_norm_params p = TVK_NORM_PARAMS;
#ifndef TVK_FIXED_GLSL
#define TVK_FIXED_GLSL

layout(constant_id = TVK_FIXED_ID) const uint FIXED_0 = 0u;
layout(constant_id = TVK_FIXED_ID + 1) const uint FIXED_1 = 0u;
layout(constant_id = TVK_FIXED_ID + 2) const uint FIXED_2 = 0u;
layout(constant_id = TVK_FIXED_ID + 3) const uint FIXED_3 = 0u;
layout(constant_id = TVK_FIXED_ID + 4) const uint FIXED_4 = 0u;
layout(constant_id = TVK_FIXED_ID + 5) const uint FIXED_5 = 0u;
layout(constant_id = TVK_FIXED_ID + 6) const uint FIXED_6 = 0u;
layout(constant_id = TVK_FIXED_ID + 7) const uint FIXED_7 = 0u;
layout(constant_id = TVK_FIXED_ID + 8) const uint FIXED_8 = 0u;
layout(constant_id = TVK_FIXED_ID + 9) const uint FIXED_9 = 0u;
layout(constant_id = TVK_FIXED_ID + 10) const uint FIXED_10 = 0u;
layout(constant_id = TVK_FIXED_ID + 11) const uint FIXED_11 = 0u;
layout(constant_id = TVK_FIXED_ID + TVK_FIXED_WORDS) const bool FIXED = false;

#define TVK_PUSHED(words) layout(push_constant) uniform Push { uint pushed[words]; }
#define WORD(i) (FIXED ? FIXED_##i : pushed[i])

#define TVK_NORM_GEMV_PARAMS                                                                       \
    tvk_norm_gemv_params(WORD(0), WORD(1), WORD(2), WORD(3), uintBitsToFloat(WORD(4)),             \
                         uintBitsToFloat(WORD(5)), WORD(6), WORD(7))
#define TVK_SPARSE_PARAMS tvk_sparse_params(WORD(0), WORD(1), WORD(2), WORD(3), WORD(4))
#define TVK_RELU_LIST_PARAMS tvk_relu_list_params(WORD(0))
#define TVK_UP_PARAMS tvk_up_params(WORD(0), WORD(1), WORD(2), WORD(3), WORD(4))
#define TVK_ATTN_TOKEN_PARAMS                                                                      \
    tvk_attn_token_params(WORD(0), WORD(1), WORD(2), WORD(3), WORD(4), uintBitsToFloat(WORD(5)),   \
                          WORD(6), WORD(7), WORD(8), WORD(9), WORD(10), WORD(11))
#define TVK_EMBED_PARAMS tvk_embed_params(WORD(0), pushed[1], pushed[2])
#define TVK_NORM_PARAMS                                                                            \
    tvk_norm_params(WORD(0), WORD(1), WORD(2), uintBitsToFloat(WORD(3)),                           \
                    uintBitsToFloat(WORD(4)), WORD(5), WORD(6), WORD(7), pushed[8])
#define TVK_LAYERNORM_PARAMS                                                                       \
    tvk_layernorm_params(WORD(0), WORD(1), WORD(2), WORD(3), uintBitsToFloat(WORD(4)),             \
                         uintBitsToFloat(WORD(5)), WORD(6), pushed[7])
#define TVK_HADAMARD_PARAMS                                                                        \
    tvk_hadamard_params(WORD(0), uintBitsToFloat(WORD(1)), uintBitsToFloat(WORD(2)),               \
                        uintBitsToFloat(WORD(3)))
#define TVK_ROPE_PARAMS tvk_rope_params(WORD(0), WORD(1), WORD(2), WORD(3))
#define TVK_ROPE_APPEND_PARAMS                                                                     \
    tvk_rope_append_params(WORD(0), WORD(1), WORD(2), WORD(3), WORD(4), pushed[5], pushed[6])
#define TVK_KV_APPEND_PARAMS                                                                       \
    tvk_kv_append_params(WORD(0), WORD(1), WORD(2), WORD(3), WORD(4), WORD(5), WORD(6),            \
                         pushed[7], pushed[8])
#define TVK_ATTENTION_PARAMS                                                                       \
    tvk_attention_params(WORD(0), WORD(1), WORD(2), WORD(3), WORD(4), WORD(5),                     \
                         uintBitsToFloat(WORD(6)), pushed[7], pushed[8], pushed[9])
#define TVK_GLU_PARAMS tvk_glu_params(WORD(0), WORD(1), WORD(2))
#define TVK_GATHER_PARAMS tvk_gather_params(WORD(0), pushed[1])
#define TVK_SAMPLE_PARAMS                                                                          \
    tvk_sample_params(WORD(0), WORD(1), WORD(2), WORD(3), pushed[4], pushed[5], pushed[6],         \
                      pushed[7], pushed[8], pushed[9], pushed[10])
#define TVK_MATVEC_PARAMS                                                                          \
    tvk_matmul_params(WORD(0), WORD(1), WORD(2), WORD(3), WORD(4), WORD(5), WORD(6), WORD(7))
#define TVK_MATMUL_PARAMS                                                                          \
    tvk_matmul_params(WORD(0), WORD(1), WORD(2), WORD(3), WORD(4), WORD(5), pushed[6],             \
                      pushed[7])

#endif
