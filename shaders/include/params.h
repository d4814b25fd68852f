/* Parameters and buffer layouts shared by C and GLSL: the only header that both include.
 * Only 32-bit scalars, so that the C layout and std430 are the same. Sizes in elements unless the
 * name says words (32 bits) or vec4 (16 bytes). Shape letters: T rows (tokens), K inputs,
 * N outputs, H heads, G KV heads, D head size. */
#ifndef TVK_SHADERS_PARAMS_H
#define TVK_SHADERS_PARAMS_H

#ifdef GL_core_profile
#define TVK_U32 uint
#define TVK_I32 int
#define TVK_F32_T float
#else
#include <stdint.h>
#define TVK_U32 uint32_t
#define TVK_I32 int32_t
#define TVK_F32_T float
#endif

/* ---- fixed numbers of the numeric contract (docs/architecture.md, "the same bits") ---- */
#define TVK_CHUNK 128u           /* KV positions a page and an attention chunk */
#define TVK_NORM_PARTIALS 128u   /* strided partial sums of a sum of squares */
#define TVK_DOT_PARTIALS 16u     /* strided partial sums of a float dot product */
#define TVK_ACT_HEADER_WORDS 4u  /* d (f32 bits), sum of codes (i32), entries of the list, 0 */
#define TVK_LIST_ALIGN 16u       /* lists are padded with zero entries to a multiple of this */
#define TVK_KMAJOR_ALIGN 64u     /* outputs of a K-major matrix are padded to this many codes */
#define TVK_ROWS_HEADER_WORDS 4u /* before a list of rows: count, 0, 0, 0 */
#define TVK_T2_ROW_ALIGN 128u    /* ternary rows are padded to this many codes */
#define TVK_COUNTER_WORDS 4u     /* zeros and rows, 64 bits each, low word first */
#define TVK_HADAMARD_MAX 32768u  /* widest row of the transform */
#define TVK_CANDIDATES 256u
#define TVK_PEAK_CHAINS 12u /* side by side in an invocation that measures arithmetic */
#define TVK_PEAK_TURN 8u    /* steps of them in a turn of its loop */
#define TVK_NO_OUTPUT 0xffffffffu
#define TVK_FIXED_ID 16    /* specialization constant of the first word of fixed parameters */
#define TVK_FIXED_WORDS 12 /* most of them; the constant behind says whether they count */
#define TVK_CONSTANTS (TVK_FIXED_ID + TVK_FIXED_WORDS + 1)

/* ---- the KV cache (docs/formats.md, "KV page"): types of K and of V, sizes in words ---- */
#define TVK_CACHE_F16 0u
#define TVK_CACHE_F32 1u
#define TVK_CACHE_Q8 2u
#define TVK_CACHE_Q4 3u
#define TVK_CACHE_Q3 4u
#define TVK_CACHE_CLIPS 16u /* clip ratios that a q4 or q3 row tries */
#define TVK_CACHE_PACKED(type) ((type) >= TVK_CACHE_Q8)
/* a row of D values; q3: a plane of two bits, then one of one bit */
#define TVK_CACHE_ROW_WORDS(type, d)                                                               \
    ((type) == TVK_CACHE_F32   ? (d)                                                               \
     : (type) == TVK_CACHE_F16 ? (d) / 2u                                                          \
     : (type) == TVK_CACHE_Q8  ? (d) / 4u                                                          \
     : (type) == TVK_CACHE_Q4  ? ((d) + 7u) / 8u                                                   \
                               : ((d) + 15u) / 16u + ((d) + 31u) / 32u)
#define TVK_CACHE_PART_WORDS(type, g, d) ((g)*TVK_CHUNK * TVK_CACHE_ROW_WORDS(type, d))
/* first word in a page of V, of the scales, of K's rows of position 0, of V's */
#define TVK_CACHE_V(kt, g, d) TVK_CACHE_PART_WORDS(kt, g, d)
#define TVK_CACHE_SCALES(kt, vt, g, d) (TVK_CACHE_V(kt, g, d) + TVK_CACHE_PART_WORDS(vt, g, d))
#define TVK_CACHE_FIRST_K(kt, vt, g, d)                                                            \
    (TVK_CACHE_SCALES(kt, vt, g, d) +                                                              \
     (TVK_CACHE_PACKED(kt) || TVK_CACHE_PACKED(vt) ? (g)*TVK_CHUNK : 0u))
#define TVK_CACHE_FIRST_WORDS(type, g, d)                                                          \
    ((type) == TVK_CACHE_Q3 ? (g)*TVK_CACHE_ROW_WORDS(TVK_CACHE_Q4, d) : 0u)
#define TVK_CACHE_FIRST_V(kt, vt, g, d)                                                            \
    (TVK_CACHE_FIRST_K(kt, vt, g, d) + TVK_CACHE_FIRST_WORDS(kt, g, d))
#define TVK_CACHE_PAGE_WORDS(kt, vt, g, d)                                                         \
    (TVK_CACHE_FIRST_V(kt, vt, g, d) + TVK_CACHE_FIRST_WORDS(vt, g, d))

/* ---- query records (docs/formats.md, "Query record"): a head of D values as q8 or q4 levels ----
 */
#define TVK_QUERY_F32 0u /* no record: the floats themselves */
#define TVK_QUERY_Q8 TVK_CACHE_Q8
#define TVK_QUERY_Q4 TVK_CACHE_Q4
#define TVK_QUERY_HEADER 4u /* scale (f32 bits), sum of levels (i32), 0, 0 */
#define TVK_QUERY_WORDS(d) (TVK_QUERY_HEADER + ((d) + 15u) / 16u * 4u)

/* ---- the state buffer (words) ----
 * header | rows [batch] x 4 | outs [max_outs] x 2 | pages [slots][max_pages] |
 * slots [slots] x TVK_SLOT_WORDS | history [slots][context] | merge counters [rows][H] |
 * arrived workgroups of sample [max_outs] */
#define TVK_STATE_COUNT 0u  /* rows of this step                         */
#define TVK_STATE_OUTS 1u   /* rows that give logits                     */
#define TVK_STATE_CHUNKS 2u /* largest number of attention chunks of a row */
#define TVK_STATE_SEQ 3u    /* submissions so far: index into the rings  */
#define TVK_STATE_ROWS 16u  /* first row: {slot, position, token, output index or TVK_NO_OUTPUT} */
#define TVK_ROW_WORDS 4u
#define TVK_OUT_WORDS 2u /* {row, request flags} */

/* words of a slot */
#define TVK_SLOT_WORDS 64u
#define TVK_SLOT_TOKEN 0u           /* next token to feed                         */
#define TVK_SLOT_POSITION 1u        /* its position                               */
#define TVK_SLOT_STOPPED 2u         /* 1: rows that take their token from here are dropped */
#define TVK_SLOT_LEFT 3u            /* tokens that may still be sampled           */
#define TVK_SLOT_TEMPERATURE 4u     /* f32; <= 0: greedy                          */
#define TVK_SLOT_INV_TEMPERATURE 5u /* f32, host's 1 / temperature            */
#define TVK_SLOT_TOP_K 6u           /* 1 .. TVK_CANDIDATES                        */
#define TVK_SLOT_TOP_P 7u           /* f32; >= 1: off                             */
#define TVK_SLOT_MIN_P 8u           /* f32; <= 0: off                             */
#define TVK_SLOT_PENALTY 9u         /* f32; 1: off                                */
#define TVK_SLOT_INV_PENALTY 10u    /* f32, host's 1 / penalty                   */
#define TVK_SLOT_LAST_N 11u
#define TVK_SLOT_SEED_LO 12u
#define TVK_SLOT_SEED_HI 13u
#define TVK_SLOT_STOP_COUNT 14u
#define TVK_SLOT_STOPS 16u /* up to 8 token ids */
#define TVK_MAX_STOPS 8u

/* ---- request ring entry (host-visible, words): {rows, outs, 0, 0} then 4 words a row ---- */
#define TVK_REQUEST_HEADER 4u
#define TVK_REQUEST_ROW 4u       /* {slot, position, token, flags} */
#define TVK_REQUEST_FROM_SLOT 1u /* token and position come from the slot         */
#define TVK_REQUEST_OUTPUT 2u    /* logits of this row are wanted                 */
#define TVK_REQUEST_SAMPLE 4u    /* and the slot's next token is drawn from them  */
#define TVK_REQUEST_DRAFT                                                                          \
    8u /* with SAMPLE: the draw is told, slot and history stay: several                            \
        * rows of a slot may ask for it in one step */

/* ---- result ring entry (host-visible, words): {seq + 1, outs, 0, 0} then one word an output row:
 * the token that was drawn, or TVK_NO_TOKEN ---- */
#define TVK_RESULT_HEADER 4u
#define TVK_NO_TOKEN 0xffffffffu

/* ---- group rules: one uvec4 each {kind x | kind y << 8 | kind z << 16, vx, vy, vz};
 * the indirect arguments of rule i are the three words at 4 * (rule count + i) of the same buffer
 */
#define TVK_AXIS_FIXED 0u   /* v groups                       */
#define TVK_AXIS_ROWS 1u    /* ceil(rows / v)                 */
#define TVK_AXIS_OUTS 2u    /* ceil(output rows / v)          */
#define TVK_AXIS_CHUNKS 3u  /* attention chunks of the step   */
#define TVK_AXIS_ONE 4u     /* one output row: v groups; else none */
#define TVK_AXIS_SEVERAL 5u /* more of them: ceil(output rows / v); else none */
#define TVK_AXIS_BLOCKS 6u  /* TVK_BLOCKS(v, rows x chunks)   */
#define TVK_AXIS_COUNT 7u
/* v = items | blocks of them << 16. While there are few chunks each item has a workgroup, so that a
 * GPU is filled; beyond, each block. */
#define TVK_FEW_CHUNKS 6u
#define TVK_BLOCKS(v, chunks) ((chunks) > TVK_FEW_CHUNKS ? (v) >> 16 : (v)&0xffffu)

/* ---- parameters of kernels: so many words from the first one on, as kernels.def says, are
 * constants that the program is made with on most GPUs: what a model decides. The others are
 * pushed: what the layout of a session's memory decides, and where a piece of a large matrix lies.
 * Of the small kernels of each layer of a decode step all are constants. ---- */

struct tvk_begin_params {
    TVK_U32 ring_entries, ring_entry_words;      /* request ring */
    TVK_U32 batch, max_outs;                     /* capacities */
    TVK_U32 slots_word, history_word, outs_word; /* offsets in the state buffer */
    TVK_U32 context;
    TVK_U32 rule_count;
};

struct tvk_embed_params {
    TVK_U32 k;                    /* row length, k % 4 == 0 */
    TVK_U32 first_row, row_count; /* rows of the table that this piece holds */
};

struct tvk_norm_params {
    TVK_U32 k;            /* row length, k % 4 == 0 */
    TVK_U32 x_stride;     /* floats from row to row of x */
    TVK_U32 y_stride;     /* floats (f32 output) or words (act record) */
    TVK_F32_T inv_k, eps; /* 1 / K rounded to f32 */
    TVK_U32 gather;       /* 1: row t of y is row outs[t] of x */
    TVK_U32 code_words;   /* words of codes in a record */
    TVK_U32 list_word;    /* of a record: where its list of non-zero codes begins; 0: none */
    TVK_U32 outs_word;
};

struct tvk_layernorm_params {
    TVK_U32 k;                 /* values that are normed together, k % 4 == 0 */
    TVK_U32 x_first, x_stride; /* floats: the first one in a row of x; from row to row */
    TVK_U32 y_stride;          /* floats (f32 output) or words (act record) */
    TVK_F32_T inv_k, eps;      /* 1 / K rounded to f32 */
    TVK_U32 gather, outs_word; /* as of tvk_norm_params */
};

struct tvk_hadamard_params {
    TVK_U32 k;            /* row length, a power of two from 4 on */
    TVK_F32_T inv_k, eps; /* of the norm */
    TVK_F32_T scale;      /* K^-1/2 */
};

struct tvk_matmul_params {
    TVK_U32 k;          /* inputs */
    TVK_U32 row_words;  /* words from weight row to weight row */
    TVK_U32 act_stride; /* words (act record) or floats from activation row to row */
    TVK_U32 n;          /* rows of this piece */
    TVK_U32 y_stride;   /* floats from row to row of y */
    TVK_U32 add;        /* 1: y += result (residual) */
    TVK_U32 rows;       /* activation rows that exist in memory (capacity) */
    TVK_U32 first_row;  /* of the piece in the whole matrix and in y; scales start at the piece */
};

/* a gated unit behind a mat-vec: f = (max(a,0)^2) b, f = (a sigmoid(a)) b */
#define TVK_GATE_NONE 0u
#define TVK_GATE_RELU2 1u
#define TVK_GATE_SILU 2u

#define TVK_STAGE_OWN 3u /* stages of a mat-mat by matrices: each subgroup has one of its own */

struct tvk_norm_gemv_params {
    TVK_U32 n, k;             /* weight rows, inputs */
    TVK_U32 gain;             /* vec4 from the scales to the gain */
    TVK_U32 add;              /* 1: y += result (residual) */
    TVK_F32_T inv_k, eps;     /* 1 / K rounded to f32 */
    TVK_U32 soon, soon_quads; /* vec4 from the scales to what the next dispatch reads, how many */
};

struct tvk_sparse_params {
    TVK_U32 n;         /* outputs of this piece */
    TVK_U32 row_words; /* K-major: words from k to k */
    TVK_U32 first_row; /* of the piece in the whole matrix: offset in y */
    TVK_U32 list_word; /* of the record: where its list begins */
    TVK_U32 add;       /* 1: y += result (residual) */
};

struct tvk_kmajor_params {
    TVK_U32 n, k;      /* rows of the piece, inputs */
    TVK_U32 row_words; /* T2: words from row to row */
    TVK_U32 out_words; /* K-major: words from k to k */
};

struct tvk_relu_list_params {
    TVK_U32 f; /* gates, f % 4 == 0; the list's header stands behind them */
};

struct tvk_up_params {
    TVK_U32 n;         /* rows of this piece */
    TVK_U32 row_words; /* words from weight row to weight row */
    TVK_U32 first_row; /* of the piece in the whole matrix */
    TVK_U32 up_row;    /* row of the matrix that row 0 of the list stands for */
    TVK_U32 f;         /* gates, then products; the list's header stands behind them */
};

struct tvk_rope_params {
    TVK_U32 heads;  /* rotated heads of a row: H + G, they lie one behind the other */
    TVK_U32 d;      /* head size */
    TVK_U32 stride; /* floats from row to row */
    TVK_U32 rotary; /* dimensions that turn, <= d, even */
};

struct tvk_rope_append_params {
    TVK_U32 heads, kv_heads, d;
    TVK_U32 stride;     /* floats from row to row of qkv: Q, K, V */
    TVK_U32 page_words; /* TVK_CACHE_PAGE_WORDS */
    TVK_U32 pages_word, max_pages;
};

struct tvk_kv_append_params {
    TVK_U32 kv_heads, d;
    TVK_U32 stride;             /* floats from row to row of qkv */
    TVK_U32 k_offset, v_offset; /* floats from the start of a row */
    TVK_U32 page_words;         /* TVK_CACHE_PAGE_WORDS */
    TVK_U32 heads;              /* of Q, first in a row; used where it gets records [T, heads] */
    TVK_U32 pages_word, max_pages;
};

struct tvk_attention_params {
    TVK_U32 heads, kv_heads, d;
    TVK_U32 q_stride; /* words from row to row of qkv, Q first, or of the query records */
    TVK_U32 o_stride; /* floats from row to row of the output */
    TVK_U32 page_words;
    TVK_F32_T scale; /* 1 / sqrt(D) */
    TVK_U32 pages_word, max_pages;
    TVK_U32 max_chunks; /* capacity of the partial buffer, chunks a (row, head) */
};

struct tvk_attn_token_params {
    TVK_U32 heads, kv_heads, d, rotary;
    TVK_U32 page_words;
    TVK_F32_T scale; /* 1 / sqrt(D) */
    TVK_U32 pages_word, max_pages;
    TVK_U32 max_chunks; /* capacity of the partials, chunks of a head of a row */
    TVK_U32 merge_word; /* counters [rows, H] in the state buffer */
    TVK_U32 out_vec4;   /* in the work binding, behind Q K V: the output */
    TVK_U32 partials_vec4;
};

struct tvk_glu_params {
    TVK_U32 f;         /* width */
    TVK_U32 in_stride; /* floats: row holds gate [f] then up [f]; gelu: x [f] */
    TVK_U32 out_stride;
};

struct tvk_gather_params {
    TVK_U32 k;         /* row length, k % 4 == 0 */
    TVK_U32 outs_word; /* of the state buffer: which rows */
};

struct tvk_count_params {
    TVK_U32 k;            /* values of a row */
    TVK_U32 stride;       /* words from row to row */
    TVK_U32 code_bits;    /* 8 or 4, of records; 0: floats */
    TVK_U32 not_positive; /* floats: 1 counts values <= 0, not only zeros */
    TVK_U32 word;         /* first of the TVK_COUNTER_WORDS that are added to */
};

struct tvk_sample_params {
    TVK_U32 vocab, logits_stride;
    TVK_U32 blocks, quads; /* workgroups a row, groups of four logits an invocation: the op's */
    TVK_U32 outs_word, slots_word, history_word, context;
    TVK_U32 ring_entries, ring_entry_words; /* result ring */
    TVK_U32 arrived_word;                   /* counters [outs] in the state buffer */
};

struct tvk_peak_params {
    TVK_U32 n;    /* items of four words, or turns of the chains */
    TVK_U32 a, b; /* bits of what each turn multiplies with and adds */
};

struct tvk_repack_params {
    TVK_U32 n, k;      /* rows in this window, inputs */
    TVK_U32 row_words; /* words a row of the output */
    TVK_U32 first_row; /* output row of the window's first row */
    TVK_U32 skip;      /* elements in the window before its first row (I2_S blocks straddle rows) */
    TVK_U32 scale_word; /* of codes with scales: first word of row 0's in the scale binding */
};

#endif
