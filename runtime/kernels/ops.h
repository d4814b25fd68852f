/* The kernels by name: each appends its dispatches to a list. Shapes: ref/ref.h has the equations.
 * `rows`: capacity of activation rows of the step (memory exists for so many); the number that
 * takes part is in the state buffer at run time. A step with rows == 1 uses mat-vec kernels. */
#ifndef TVK_KERNELS_OPS_H
#define TVK_KERNELS_OPS_H

#include "kernels/kernel.h"

/* ---- device matrices (docs/formats.md, "device packing") ---- */

typedef enum tvk_layout {
    TVK_LAYOUT_T2 = 0, /* 16 codes w+1 a word; scales f32 [N] */
    TVK_LAYOUT_F32 = 1,
    TVK_LAYOUT_F16 = 2,   /* 2 values a word */
    TVK_LAYOUT_Q8 = 3,    /* 4 codes a word; scales f32 [N, K/32] */
    TVK_LAYOUT_T1 = 4,    /* 32 signs a word; scales f32 [N] */
    TVK_LAYOUT_Q6 = 5,    /* planes of 4 and of 2 bits; 5 words of scales each 256 values */
    TVK_LAYOUT_Q4 = 6,    /* 8 codes a word, rows padded to 256; scales f32, one each 32 values */
    TVK_LAYOUT_T2_F32 = 7 /* the words of T2 for f32 activations; scales f32 [N, ceil(K/256)] */
} tvk_layout;

#define TVK_MAX_PIECES 32

/* W [N, K]. Split by rows into pieces that each fit one binding. */
typedef struct tvk_matrix {
    tvk_layout layout;
    uint32_t n, k;
    uint32_t row_words; /* tvk_layout_row_words() */
    uint32_t piece_count;
    struct {
        tvk_span words;  /* rows * row_words words */
        tvk_span scales; /* rows of this piece; the words span again when the layout has none */
        tvk_span kmajor; /* T2: the same codes K-major, for rows of non-zero inputs; buffer NULL:
                          * not kept */
        uint32_t first, rows;
    } piece[TVK_MAX_PIECES];
    tvk_span soon; /* a gain that a dispatch behind this one reads; buffer NULL: not known */
} tvk_matrix;

/* T2 and T1: weights of few values that take act records. */
bool tvk_layout_coded(tvk_layout layout);
/* What a file tensor of a type that is neither ternary nor signs is on the device. */
tvk_layout tvk_layout_dense(tvk_dtype type);
/* Words a row takes; 0 when K does not fit the layout (T2, T1: any K; F32, F16, T2_F32: K % 4; Q8,
 * Q4: K % 32; Q6: K % 256). */
uint32_t tvk_layout_row_words(tvk_layout layout, uint32_t k);
/* Words of scales a row takes. */
uint32_t tvk_layout_row_scales(tvk_layout layout, uint32_t k);
/* The first `rows` rows of it, rows <= N. */
tvk_matrix tvk_matrix_head(const tvk_matrix *w, uint32_t rows);
/* Words that K-major codes of `rows` outputs take for each k. */
uint32_t tvk_kmajor_words(uint32_t rows);
/* How a row is quantised (docs/numerics.md) and what its record holds. */
typedef enum tvk_format {
    TVK_FORMAT_I8 = 0,   /* INT8 absmax */
    TVK_FORMAT_TOPK = 1, /* the larger half of the row, the rest zero; then INT8 absmax */
    TVK_FORMAT_I4 = 2,   /* INT4 absmean */
    TVK_FORMAT_FP4 = 3   /* E2M1 of the largest magnitude */
} tvk_format;

/* Bits that a code of a record takes: 8 or 4. */
uint32_t tvk_format_bits(tvk_format format);
/* Words an activation record of K values takes: header, codes, padding to T2 rows. */
uint32_t tvk_act_words(tvk_format format, uint32_t k);
/* Words of a list of non-zero codes behind a record of bytes. */
uint32_t tvk_list_words(uint32_t k);

/* A step of so many rows or fewer has decoded tokens of several sessions, or drafts. No row whose
 * bits differ from those of one row serves drafts, nor any attention here. */
#define TVK_FEW_ROWS 32u

/* ---- step control ---- */

tvk_status tvk_op_begin(tvk_kernels *k, tvk_dispatch_list *l, tvk_span requests, tvk_span state,
                        tvk_span rules, const struct tvk_begin_params *p, tvk_error *err);
/* leaders: tvk_sample_words words for each of the output rows, of any contents */
uint32_t tvk_sample_words(const tvk_kernels *k, uint32_t vocab);
tvk_status tvk_op_sample(tvk_kernels *k, tvk_dispatch_list *l, tvk_span logits, tvk_span state,
                         tvk_span results, tvk_span leaders, const struct tvk_sample_params *p,
                         tvk_error *err);

/* ---- the graph's kernels ---- */

/* x [rows, K] = rows of the table, by the tokens of the row table */
tvk_status tvk_op_embed(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *table,
                        tvk_span state, tvk_span x, uint32_t rows, tvk_error *err);
/* y [rows, K] f32 = RMSNorm(x). outs: y's rows are the step's output rows (gathered). */
tvk_status tvk_op_rmsnorm(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span x,
                          tvk_span gain, tvk_span y, uint32_t width, float eps, uint32_t rows,
                          bool outs, uint32_t outs_word, tvk_error *err);
/* act records of RMSNorm(x), or of x itself when gain.buffer is NULL. list: each record is followed
 * by the list of its non-zero codes (docs/formats.md; all formats but I4). */
tvk_status tvk_op_act(tvk_kernels *k, tvk_dispatch_list *l, tvk_format format, bool list,
                      tvk_span state, tvk_span x, tvk_span gain, tvk_span act, uint32_t width,
                      float eps, uint32_t rows, tvk_error *err);
/* Can a row of this width be transformed? Powers of two from 4 to TVK_HADAMARD_MAX. */
bool tvk_hadamard_fits(uint32_t width);
/* y [rows, width] = H x, or H RMSNorm(x) with a gain (gain.buffer NULL: none). */
tvk_status tvk_op_hadamard(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span x,
                           tvk_span gain, tvk_span y, uint32_t width, float eps, uint32_t rows,
                           tvk_error *err);
/* LayerNorm(x) of the values [first, first + width) of rows of `stride`: y [rows, width] f32 with a
 * gain, outs: of the step's output rows (gathered); or act records (INT8) without one. */
tvk_status tvk_op_layernorm(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span x,
                            tvk_span gain, tvk_span y, uint32_t width, float eps, uint32_t rows,
                            bool outs, uint32_t outs_word, tvk_error *err);
tvk_status tvk_op_layernorm_act(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span x,
                                tvk_span act, uint32_t first, uint32_t width, uint32_t stride,
                                float eps, uint32_t rows, tvk_error *err);
/* y [rows, N] (+)= act W^T. T2 and T1 take act records, the others f32 rows.
 * outs: the rows are output rows. */
tvk_status tvk_op_matmul(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w, tvk_span act,
                         tvk_span y, uint32_t rows, bool add, bool outs, tvk_error *err);
/* The same of a T2 matrix with records of any format (T1: of byte records); those of tvk_op_matmul
 * are byte records. */
tvk_status tvk_op_matmul_act(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w,
                             tvk_format format, tvk_span act, tvk_span y, uint32_t rows, bool add,
                             bool outs, tvk_error *err);
/* ---- one activation row: norm, codes and mat-vec in one dispatch ---- */

/* Does tvk_op_norm_gemv take this matrix? In one piece, K that fits the device's shared memory,
 * with a gate N / 2 rows of each half. T2: formats I8, I4 and FP4; a gain, where there is one
 * (buffer NULL: none), behind the scales in their buffer. */
bool tvk_norm_gemv_fits(tvk_kernels *k, const tvk_matrix *w, tvk_format format, tvk_span gain);
/* y [N] (+)= act W^T, act as tvk_op_act makes it of x [K]; of floats W RMSNorm(x), without a gain
 * W x. gate (TVK_GATE_*): y [N/2] = the gated unit of the first half of the results, gates, and the
 * second. The same bits as the kernels one by one. */
tvk_status tvk_op_norm_gemv(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w,
                            tvk_format format, tvk_span x, tvk_span gain, float eps, uint32_t gate,
                            bool add, tvk_span y, tvk_error *err);
/* The same for F32 and F16 only: whether it can be done, and whether there are cuts for devices of
 * this class besides. */
bool tvk_norm_gemv_f_takes(tvk_kernels *k, const tvk_matrix *w, tvk_span gain);
bool tvk_norm_gemv_f_fits(tvk_kernels *k, const tvk_matrix *w, tvk_span gain);
tvk_status tvk_op_norm_gemv_f(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w, tvk_span x,
                              tvk_span gain, float eps, uint32_t gate, bool add, tvk_span y,
                              tvk_error *err);

/* f [rows, N/2] = the gated unit (TVK_GATE_*) of the first half of W's outputs and of the second,
 * in the mat-mat's own epilogue; only where tvk_matmul_gates says that the shape has one. */
bool tvk_matmul_gates(tvk_kernels *k, const tvk_matrix *w, tvk_format format, uint32_t rows);
tvk_status tvk_op_matmul_gated(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w,
                               tvk_format format, tvk_span act, tvk_span f, uint32_t rows,
                               uint32_t gate, tvk_error *err);
/* ---- zeros that are skipped, one activation row ---- */

/* y [N] (+)= act W^T from W's K-major codes, which all pieces must have; act is a byte record with
 * its list. The same bits as tvk_op_matmul_act. */
tvk_status tvk_op_matmul_sparse(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w,
                                tvk_span act, tvk_span y, bool add, tvk_error *err);
/* Words of gates or products [F] and, behind them, the list of the open gates. */
uint32_t tvk_up_words(uint32_t f);
/* f [F] holds gates: lists the rows above 0, and f = 0 for the others. */
tvk_status tvk_op_relu_list(tvk_kernels *k, tvk_dispatch_list *l, tvk_span f, uint32_t width,
                            tvk_error *err);
/* f = gate^2 (act W^T) at the listed rows; row r is row up_row + r of w. */
tvk_status tvk_op_up(tvk_kernels *k, tvk_dispatch_list *l, const tvk_matrix *w, uint32_t up_row,
                     tvk_format format, tvk_span act, tvk_span f, uint32_t width, tvk_error *err);

/* Turns the first `heads` heads of each row of qkv. table: [context][rotary/2] {cos, sin}. */
tvk_status tvk_op_rope(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span table,
                       tvk_span qkv, const struct tvk_rope_params *p, bool interleaved,
                       uint32_t rows, tvk_error *err);
/* Types of K and of V: TVK_CACHE_*; of Q: TVK_QUERY_*. F32 and F16 of both with floats in Q have
 * kernels of their own; every other choice has the packed ones, specialized by the types. */
typedef struct tvk_cache_types {
    uint32_t k, v, q;
} tvk_cache_types;

/* queries: where Q has levels, records [rows][heads] of TVK_QUERY_WORDS(d) words; else unused. */
tvk_status tvk_op_kv_append(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span qkv,
                            tvk_span pool, tvk_span queries, const struct tvk_kv_append_params *p,
                            tvk_cache_types types, uint32_t rows, tvk_error *err);
/* Are RoPE and append one kernel for these types and this head? */
bool tvk_rope_appends(tvk_cache_types types, uint32_t rotary, uint32_t d);
/* tvk_op_rope of Q, and K (turned) and V into their pages; K in qkv stays as it is. Only where
 * tvk_rope_appends says so. */
tvk_status tvk_op_rope_append(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span table,
                              tvk_span qkv, tvk_span pool, const struct tvk_rope_append_params *p,
                              bool interleaved, tvk_cache_types types, uint32_t rows,
                              tvk_error *err);
/* q: rows of qkv, or the query records where Q has levels.
 * With partials, [rows][H][max_chunks][4 + D] floats: chunks side by side, then a merge, which
 * suits few rows; without, each row walks its chunks. The same bits either way but for inexact rows
 * of the manifest, which only the second way has. */
tvk_status tvk_op_attention(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span q,
                            tvk_span pool, tvk_span partials, tvk_span out,
                            const struct tvk_attention_params *p, tvk_cache_types types,
                            uint32_t rows, tvk_error *err);
/* Has tvk_op_attn_token a kernel of these types? */
bool tvk_attn_token_fits(tvk_cache_types types);
/* RoPE, KV append and attention of rows of different sessions in one dispatch; the bits of
 * tvk_op_rope, tvk_op_kv_append and tvk_op_attention. work: Q, K, V [rows][(H + 2 G) D], at
 * p->out_vec4 the output [rows][H D], at p->partials_vec4 room for [rows][H][max_chunks][4 + D].
 * The counters [rows][H] of the state buffer at p->merge_word are 0 before and after. */
tvk_status tvk_op_attn_token(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span table,
                             tvk_span pool, tvk_span work, const struct tvk_attn_token_params *p,
                             bool interleaved, tvk_cache_types types, uint32_t rows,
                             tvk_error *err);
tvk_status tvk_op_glu(tvk_kernels *k, tvk_dispatch_list *l, tvk_span gate_up, tvk_span f,
                      uint32_t width, bool relu2, uint32_t rows, tvk_error *err);
/* y [outs, width] = those rows of x [rows, width] that the step wants logits of. width % 4 == 0 */
tvk_status tvk_op_gather(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span x,
                         tvk_span y, uint32_t width, uint32_t rows, uint32_t outs,
                         uint32_t outs_word, tvk_error *err);
/* f [rows, width] = GELU(x [rows, width]) */
tvk_status tvk_op_gelu(tvk_kernels *k, tvk_dispatch_list *l, tvk_span x, tvk_span f, uint32_t width,
                       uint32_t rows, tvk_error *err);

/* ---- statistics ---- */

/* counters[counter] += {zeros, 1} of each row of the step: zero codes of act records. */
tvk_status tvk_op_count_codes(tvk_kernels *k, tvk_dispatch_list *l, tvk_format format,
                              tvk_span state, tvk_span act, tvk_span counters, uint32_t counter,
                              uint32_t width, uint32_t rows, tvk_error *err);
/* The same of f32 rows [rows, stride], the first `width` values of each: zeros, or not_positive:
 * values <= 0. */
tvk_status tvk_op_count_floats(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span x,
                               tvk_span counters, uint32_t counter, uint32_t width, uint32_t stride,
                               bool not_positive, uint32_t rows, tvk_error *err);

/* ---- what a device reaches (ref/peak.c) ---- */

/* The row that is in force for one of these ops, and what follows from it: invocations of so many
 * groups, multiplications and additions of a turn of one of them. */
const tvk_shader_info *tvk_peak_row(const tvk_kernels *k, tvk_op op);
uint32_t tvk_peak_invocations(const tvk_kernels *k, tvk_op op, uint32_t groups);
double tvk_peak_ops(const tvk_kernels *k, tvk_op op);
/* y = x, or y [invocations] = sums of x; x [items, 4] words. */
tvk_status tvk_op_peak_memory(tvk_kernels *k, tvk_dispatch_list *l, bool copy, tvk_span x,
                              tvk_span y, uint32_t items, uint32_t groups, tvk_error *err);
/* y [invocations]: sums of chains of products; op: peak_int, peak_f32, peak_matrix or peak_half. */
tvk_status tvk_op_peak_math(tvk_kernels *k, tvk_dispatch_list *l, tvk_op op, tvk_span y,
                            const struct tvk_peak_params *p, uint32_t groups, tvk_error *err);

/* ---- weights ---- */

/* Window of file rows of a ternary type (I2_S, TQ1_0, TQ2_0) -> T2 rows from first_row on. */
tvk_status tvk_op_repack_t2(tvk_kernels *k, tvk_dispatch_list *l, tvk_dtype type, tvk_span window,
                            tvk_span words, const struct tvk_repack_params *p, tvk_error *err);
/* T2 rows [rows, K] -> the same codes K-major. */
tvk_status tvk_op_repack_kmajor(tvk_kernels *k, tvk_dispatch_list *l, tvk_span words,
                                tvk_span kmajor, uint32_t rows, uint32_t inputs, tvk_error *err);
/* Window of file rows of Q8_0, Q6_K or Q4_0 -> rows of their layout from first_row on. */
tvk_status tvk_op_repack_q(tvk_kernels *k, tvk_dispatch_list *l, tvk_dtype type, tvk_span window,
                           tvk_span words, tvk_span scales, const struct tvk_repack_params *p,
                           tvk_error *err);

#endif
