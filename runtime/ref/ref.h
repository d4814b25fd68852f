/* CPU reference of every kernel: plain loops, the equation as code, in the order of additions that
 * makes the bits the same everywhere (docs/numerics.md). Built with -ffp-contract=off. No Vulkan,
 * no allocation; all arrays are the caller's. Row-major, last index contiguous. */
#ifndef TVK_REF_REF_H
#define TVK_REF_REF_H

#include <stdbool.h>
#include <stdint.h>

#include "shaders/include/params.h"

/* ---- bit-defined scalars (ref/math.c; shaders/include/exact.glsl) ---- */
float tvk_ref_rcp(float x);   /* 1 / x for normal positive x, four Newton steps             */
float tvk_ref_rsqrt(float x); /* 1 / sqrt(x), likewise                                      */
float tvk_ref_div(float a, float b); /* a / b, b > 0: quotient corrected by its exact residual */
float tvk_ref_exp(float x); /* e^x; below -60: 0, above 60: e^60                           */
float tvk_ref_sum_tree(float *v, uint32_t n); /* n a power of two: v[i] += v[i+n/2], ...       */
float tvk_ref_dot4(const float *a, const float *b); /* (a0b0 + a1b1) + (a2b2 + a3b3) */

/* ---- rows ---- */
/* r = rsqrt(sumsq(x)/K + eps); y = (x*g)*r */
void tvk_ref_rmsnorm(const float *x, const float *gain, float eps, uint32_t k, float *y);
/* the r of the norm */
float tvk_ref_rms(const float *x, float eps, uint32_t k);
/* mean = sum(x)/K, u = x - mean, r = rsqrt(sumsq(u)/K + eps); y = (u*g)*r (gain NULL: u*r) */
void tvk_ref_layernorm(const float *x, const float *gain, float eps, uint32_t k, float *y);
/* x [k] = H x in place, k = 2^m: butterflies of step 1, 2, 4 .. k/2, then times the scale k^-1/2 */
void tvk_ref_hadamard(float *x, uint32_t k);
float tvk_ref_hadamard_scale(uint32_t k);
/* gamma = max|x|; q = roundEven(x * 127/max(gamma,1e-5)); record: d = max(gamma,1e-5)/127, sum(q),
 * 0, 0, then the codes four a word, zero padded to tvk_act_words */
void tvk_ref_act_i8(const float *x, uint32_t k, uint32_t *record);
/* the same with q = 0 but for the ceil(K/2) largest |x|, the lower index first among equal ones */
void tvk_ref_act_topk(const float *x, uint32_t k, uint32_t *record);
/* u = x*g (gain NULL: x), y = u*r (gain NULL: x); m = max(mean|u|*r, 1e-5);
 * q = roundEven(y * sqrt(7)/m) in -8 .. 7, d = m/sqrt(7); the record holds eight codes a word,
 * value 8 w + 4 h + j at bit 8 j + 4 h of word w */
void tvk_ref_act_i4(const float *x, const float *gain, float eps, uint32_t k, uint32_t *record);
/* m = max(max|x|, 1e-5); q = the nearest of 0 1 2 3 4 6 8 12 to |x| * 12/m with x's sign: FP4 E2M1
 * doubled; d = m/12. Eight codes a word as above: bit 3 the sign, the others the index into
 * tvk_ref_fp4; zero has no sign. The record's sum is that of the integers q */
void tvk_ref_act_fp4(const float *x, uint32_t k, uint32_t *record);
/* Appends to a byte record the list of its non-zero codes, {k << 8 | code byte} by ascending k,
 * zero entries to a multiple of TVK_LIST_ALIGN; their number goes into word 2. Returns it. */
uint32_t tvk_ref_list(uint32_t *record, uint32_t k);
uint32_t tvk_ref_act_words(uint32_t k);
uint32_t tvk_ref_act4_words(uint32_t k); /* of codes of four bits */
extern const int32_t tvk_ref_fp4[8];     /* 0 1 2 3 4 6 8 12 */
/* zeros among K codes of a record, code_bits 8 or 4 */
uint32_t tvk_ref_count_codes(const uint32_t *record, uint32_t k, uint32_t code_bits);
/* zeros, either sign, among K floats; not_positive: values <= 0. NaN is neither. */
uint32_t tvk_ref_count_floats(const float *x, uint32_t k, bool not_positive);
/* Chains and sums of the kernels that measure a device: shaders/peak. */
void tvk_ref_peak_read(const uint32_t *x, uint32_t items, uint32_t groups, uint32_t group,
                       uint32_t *y);
uint32_t tvk_ref_peak_int(uint32_t n, uint32_t a, uint32_t b, bool dot);
uint32_t tvk_ref_peak_matrix(uint32_t n, uint32_t a, uint32_t b, uint32_t k);
/* a, b: such that all sums are exact. */
float tvk_ref_peak_half(uint32_t n, float a, float b, uint32_t k);
float tvk_ref_peak_f32(uint32_t n, float a, float b);
void tvk_ref_glu(const float *gate_up, uint32_t f, bool relu2, float *out);
/* y = x Phi(x), Phi the normal distribution function */
void tvk_ref_gelu(const float *x, uint32_t f, float *out);
/* table [positions][rotary/2] {cos, sin} */
void tvk_ref_rope_table(float theta, uint32_t rotary, uint32_t positions, float *table);
void tvk_ref_rope(float *head, const float *cos_sin, uint32_t d, uint32_t rotary, bool interleaved);

/* ---- mat-vec: y[n] (+)= ... ---- */
/* words [N][row_words] T2; scales [N] */
typedef void tvk_ref_gemv_t2(const uint32_t *words, const float *scales, const uint32_t *record,
                             uint32_t n, uint32_t k, bool add, float *y);
void tvk_ref_gemv_t2_i8(const uint32_t *words, const float *scales, const uint32_t *record,
                        uint32_t n, uint32_t k, bool add, float *y);
/* the same with an INT4 record, with an E2M1 record */
void tvk_ref_gemv_t2_i4(const uint32_t *words, const float *scales, const uint32_t *record,
                        uint32_t n, uint32_t k, bool add, float *y);
void tvk_ref_gemv_t2_fp4(const uint32_t *words, const float *scales, const uint32_t *record,
                         uint32_t n, uint32_t k, bool add, float *y);
/* the same from K-major codes [K][kmajor words], of the record's list only */
void tvk_ref_gemv_t2_sparse(const uint32_t *kmajor, const float *scales, const uint32_t *record,
                            uint32_t n, uint32_t k, bool add, float *y);
/* f [F] gates -> 0 where they are not above 0; {count, 0, 0, 0} and the other rows behind them */
void tvk_ref_relu_list(uint32_t *f, uint32_t width);
/* f[r] = gate^2 * (row r of words times the record) at the listed rows; gemv: one of those
 * above, for the record */
void tvk_ref_up(const uint32_t *words, const float *scales, const uint32_t *record,
                tvk_ref_gemv_t2 *gemv, uint32_t k, uint32_t width, uint32_t *f);
/* words [N][row_words] T1: weights -1 and +1 */
void tvk_ref_gemv_t1_i8(const uint32_t *words, const float *scales, const uint32_t *record,
                        uint32_t n, uint32_t k, bool add, float *y);
void tvk_ref_gemv_f32(const float *w, const float *x, uint32_t n, uint32_t k, bool add, float *y);
void tvk_ref_gemv_f16(const uint32_t *words, const float *x, uint32_t n, uint32_t k, bool add,
                      float *y);
void tvk_ref_gemv_q8(const uint32_t *words, const float *scales, const float *x, uint32_t n,
                     uint32_t k, bool add, float *y);
/* words and scales: rows of the device packing */
void tvk_ref_gemv_q6(const uint32_t *words, const uint32_t *scales, const float *x, uint32_t n,
                     uint32_t k, bool add, float *y);
void tvk_ref_gemv_q4(const uint32_t *words, const float *scales, const float *x, uint32_t n,
                     uint32_t k, bool add, float *y);
void tvk_ref_gemv_t2_f32(const uint32_t *words, const float *scales, const float *x, uint32_t n,
                         uint32_t k, bool add, float *y);
void tvk_ref_embed_f16(const uint32_t *row_words, uint32_t k, float *x);
void tvk_ref_embed_q8(const uint32_t *row_words, const float *row_scales, uint32_t k, float *x);
void tvk_ref_embed_q6(const uint32_t *row, const uint32_t *scales, uint32_t k, float *x);
void tvk_ref_embed_q4(const uint32_t *row, const float *scales, uint32_t k, float *x);

/* ---- the KV cache: rows of D values of one head at one position ---- */
/* type: TVK_CACHE_*. words: TVK_CACHE_ROW_WORDS of them; *scale: f16, 0 for F16 and F32. */
void tvk_ref_kv_pack(uint32_t type, const float *x, uint32_t d, uint32_t *words, uint16_t *scale);
/* The levels that the codes stand for; returns their scale (1 for F16 and F32). */
float tvk_ref_kv_unpack(uint32_t type, const uint32_t *words, uint16_t scale, uint32_t d,
                        float *levels);

/* A head of the query as a record (TVK_QUERY_WORDS(d) words) of the levels and the scale that
 * tvk_ref_kv_pack() gives the row; type: TVK_QUERY_Q8 or _Q4. */
void tvk_ref_query_pack(uint32_t type, const float *x, uint32_t d, uint32_t *record);
/* Its levels; returns their scale. */
float tvk_ref_query_unpack(const uint32_t *record, uint32_t d, float *levels);

/* ---- attention of one head of one row ---- */
/* K and V of position j: rows of D levels, times a scale each. Chunks of 128 positions: {m, l,
 * o[D]}; then merged in order; out = o / l. */
typedef struct tvk_ref_kv {
    const float *const *k, *const *v;
    const float *k_scale, *v_scale; /* NULL: all 1 */
} tvk_ref_kv;

/* q: D levels, times q_scale (floats: 1) */
void tvk_ref_attention_chunk(const float *q, float q_scale, const tvk_ref_kv *kv, uint32_t first,
                             uint32_t count, uint32_t d, float scale, float *m, float *l, float *o);
void tvk_ref_attention_merge(const float *m, const float *l, const float *o, uint32_t chunks,
                             uint32_t d, float *out);
void tvk_ref_attention(const float *q, float q_scale, const tvk_ref_kv *kv, uint32_t positions,
                       uint32_t d, float scale, float *out);
uint16_t tvk_ref_f32_to_f16(float x);
float tvk_ref_f16_to_f32(uint16_t h);

/* ---- step control ---- */
/* As the step_begin kernel: request entry + state -> state and arguments. */
void tvk_ref_begin(const uint32_t *requests, uint32_t *state, uint32_t *rules,
                   const struct tvk_begin_params *p);
/* philox4x32-10 (Salmon et al., SC 2011): counter and key -> four words */
void tvk_ref_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* The token drawn for `position`. slot: TVK_SLOT_WORDS words; recent: the history window of the
 * penalty. */
uint32_t tvk_ref_sample(const float *logits, uint32_t vocab, const uint32_t *slot,
                        const uint32_t *recent, uint32_t recent_count, uint32_t position);
/* As the sample kernel: draws for every output row with TVK_REQUEST_SAMPLE, moves its slot on and
 * fills the result ring entry of this step. */
void tvk_ref_sample_rows(const float *logits, uint32_t *state, uint32_t *results,
                         const struct tvk_sample_params *p);

/* ---- weights: file blocks -> device packing ---- */
void tvk_ref_repack_i2s(const uint8_t *blocks, uint32_t skip, uint32_t n, uint32_t k,
                        uint32_t *words);
void tvk_ref_repack_tq1(const uint8_t *blocks, uint32_t n, uint32_t k, uint32_t *words);
void tvk_ref_repack_tq2(const uint8_t *blocks, uint32_t n, uint32_t k, uint32_t *words);
/* T2 rows [N][..] -> for each k the codes of N outputs, 16 a word, padded with code 1 to a multiple
 * of TVK_KMAJOR_ALIGN outputs */
void tvk_ref_repack_kmajor(const uint32_t *words, uint32_t n, uint32_t k, uint32_t *kmajor);
uint32_t tvk_ref_kmajor_words(uint32_t n); /* a k */
void tvk_ref_repack_q8(const uint8_t *blocks, uint32_t n, uint32_t k, uint32_t *words,
                       float *scales);
void tvk_ref_repack_q6(const uint8_t *blocks, uint32_t n, uint32_t k, uint32_t *words,
                       uint32_t *scales);
void tvk_ref_repack_q4(const uint8_t *blocks, uint32_t n, uint32_t k, uint32_t *words,
                       float *scales);

#endif
