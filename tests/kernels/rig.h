/* What a family of cases is built from: arrays with poisoned contents between guard words, the
 * state buffer, input formulas. */
#ifndef TVK_TESTS_KERNELS_RIG_H
#define TVK_TESTS_KERNELS_RIG_H

#include "base/half.h"
#include "ref/ref.h"
#include "tests/kernels/cases.h"

#define TVK_POISON 0xDEADBEEFu   /* unwritten words */
#define TVK_NAN_WORD 0xFFFFFFFFu /* NaN as f32 and as two f16: unused inputs */
#define TVK_RIG_ARRAYS 80
#define TVK_RIG_ROWS 512

typedef struct tvk_array {
    const char *name;
    uint32_t *words; /* contents before the run */
    uint32_t *want;  /* contents after it; NULL: an input */
    uint8_t *skip;   /* 1: the word is not compared; NULL: all are */
    uint64_t count;
    uint32_t row;     /* words a row, for messages */
    double tolerance; /* of f32 words under an inexact row, times their size */
    double *sizes;    /* of the words; NULL: the largest wanted magnitude for all */
    tvk_buffer *buffer;
    tvk_span span; /* the words, without the guards */
} tvk_array;

typedef struct tvk_rig_row {
    uint32_t slot, position, token;
    uint32_t flags; /* TVK_REQUEST_*; OUTPUT gives the row an output index */
} tvk_rig_row;

/* Where things stand in the state buffer. */
typedef struct tvk_rig_layout {
    uint32_t batch, max_outs, slots, context, max_pages;
    uint32_t outs_word, pages_word, slots_word, history_word, words;
} tvk_rig_layout;

typedef struct tvk_rig {
    tvk_kernels *kernels;
    tvk_device *device;
    tvk_arena arena;
    tvk_array arrays[TVK_RIG_ARRAYS];
    uint32_t array_count;
    void *own; /* the family's, in the arena */
    tvk_dispatch_list list;
    /* the step, for group counts */
    uint32_t rows, outs, chunks;
    tvk_rig_layout layout;
    tvk_array *state;
    double bytes, operations;
    double checked; /* part of the results that is compared: 1 unless the family says so */
} tvk_rig;

/* N, K and T of a case that no table has. */
typedef struct tvk_rig_shape {
    tvk_op op;
    uint32_t n, k, t;
} tvk_rig_shape;

typedef struct tvk_family {
    uint32_t (*count)(void);
    void (*describe)(uint32_t index, tvk_case *out);
    /* Makes arrays with contents and wanted results. */
    tvk_status (*setup)(tvk_rig *rig, uint32_t index, tvk_error *err);
    /* Appends the op to rig->list. */
    tvk_status (*record)(tvk_rig *rig, tvk_error *err);
    /* Of families that take any shape, else NULL: is it one of theirs? And as setup. */
    bool (*describe_shape)(const tvk_rig_shape *shape, tvk_case *out);
    tvk_status (*setup_shape)(tvk_rig *rig, const tvk_rig_shape *shape, tvk_error *err);
} tvk_family;

extern const tvk_family tvk_family_step_begin, tvk_family_embed, tvk_family_norm,
    tvk_family_layernorm, tvk_family_hadamard, tvk_family_matmul_t2, tvk_family_matmul_f,
    tvk_family_rope, tvk_family_kv_append, tvk_family_attention, tvk_family_glu, tvk_family_count,
    tvk_family_sample, tvk_family_repack, tvk_family_sparse, tvk_family_peak, tvk_family_norm_gemv,
    tvk_family_norm_gemv_f, tvk_family_attn_token, tvk_family_rope_append, tvk_family_gather;

/* count > 0 words of poison; output: want is a copy of them, to be changed by the reference.
 * row: words a row, 0: all one row. */
tvk_status tvk_rig_array(tvk_rig *rig, const char *name, uint64_t count, uint32_t row, bool output,
                         tvk_array **out, tvk_error *err);
/* At least `wanted` pieces, as many as the device's largest binding asks for. */
uint32_t tvk_rig_pieces(const tvk_rig *rig, uint32_t wanted, uint64_t bytes);
/* Nothing of the output is compared but the words that tvk_rig_compare_row() names (and guards). */
tvk_status tvk_rig_skip_all(tvk_rig *rig, tvk_array *array, tvk_error *err);
void tvk_rig_compare(tvk_array *array, uint64_t first, uint64_t count);

/* State buffer with these rows, sizes as in `shape` (offsets are filled in), poison elsewhere.
 * Output: the kernel writes it. */
tvk_status tvk_rig_state(tvk_rig *rig, const tvk_rig_layout *shape, const tvk_rig_row *rows,
                         uint32_t count, bool output, tvk_error *err);
/* Entry of the page table: pages of the slots in an order without order. */
uint32_t tvk_rig_page(const tvk_rig_layout *layout, uint32_t slot, uint32_t page);

/* ---- rows of the KV cache ---- */
#define TVK_RIG_HEAD 256 /* the largest head */
const char *tvk_rig_cache_name(uint32_t type);
/* "q4", "f16 q3", "q4 q4 q4": of K and V, of both alone where they agree and Q has floats */
void tvk_rig_types(tvk_cache_types types, char *text, size_t bytes);
/* Packs D values of K (v: of V) at a position of a session; returns the type that they got. */
uint32_t tvk_rig_cache_pack(tvk_cache_types types, bool v, uint32_t position, const float *x,
                            uint32_t d, uint32_t *words, uint16_t *scale);
/* Where word w of that row of KV head g stands in its page. */
uint64_t tvk_rig_cache_word(tvk_cache_types types, bool v, uint32_t kv_heads, uint32_t d,
                            uint32_t position, uint32_t g, uint32_t w);

/* ---- large shapes ---- */

/* A linear of a published model in a step of T rows. few: those of one model, at few T. False: past
 * the last one. */
typedef struct tvk_rig_linear {
    uint32_t n, k, t;
    bool add;
} tvk_rig_linear;
bool tvk_rig_linear_get(uint32_t index, bool few, tvk_rig_linear *out);
/* Which of N outputs of T rows are wanted, where each takes so many products: all of few; of many
 * so many that the CPU reference takes about a second (some 10^8 products), spread so that every
 * rectangle of 2 * step results has one, and so have tiles that the last row or output cuts. */
typedef struct tvk_rig_sample {
    uint32_t n, t;
    uint32_t step, shift; /* every step-th output of a row, from row to row `shift` before */
} tvk_rig_sample;
tvk_rig_sample tvk_rig_sample_of(uint32_t n, uint32_t t, uint64_t products);
bool tvk_rig_sampled(const tvk_rig_sample *sample, uint32_t n, uint32_t t);
/* The part of the results that is. */
double tvk_rig_sampled_part(const tvk_rig_sample *sample);

/* ---- running ---- */

/* Submits the op's dispatches (TVK_OP_COUNT: all of the list) `runs` times, a barrier after each
 * dispatch, and waits; *wait_ns (may be NULL) from submission to fence. */
tvk_status tvk_rig_run(const tvk_rig *rig, tvk_op op, uint32_t runs, double *wait_ns,
                       tvk_error *err);
/* Times what is on the list of the op by all clocks into r. */
tvk_status tvk_rig_time(const tvk_rig *rig, tvk_op op, const tvk_case_options *options,
                        tvk_case_result *r, tvk_error *err);

/* ---- formulas ---- */
uint32_t tvk_rig_hash(uint32_t seed, uint32_t i);
float tvk_rig_float(uint32_t seed, uint32_t i); /* [-1, 1), 24 bits */
void tvk_rig_fill(uint32_t *words, uint64_t count, uint32_t seed, float size);

/* Word w of a T2 row of mixed weights, with padding behind value K - 1. */
uint32_t tvk_rig_t2_word(uint32_t row, uint32_t w, uint32_t k);
/* Word w of a T2 row with the weight 0 behind value K - 1. */
uint32_t tvk_rig_t2_pad(uint32_t word, uint32_t w, uint32_t k);

static inline float *tvk_rig_floats(uint32_t *words)
{
    return (float *)words; /* what memory of the device holds is untyped words */
}

#endif
