/* Weights of a model: first a plan (which tensors make which device matrix; checked, no device),
 * then the upload (raw file blocks through the staging ring, repacked on the device). */
#ifndef TVK_MODEL_WEIGHTS_H
#define TVK_MODEL_WEIGHTS_H

#include "base/arena.h"
#include "kernels/ops.h"
#include "model/config.h"

#define TVK_MAX_PARTS 3

/* Tensors that lie one under the other in one device matrix (Q, K, V; gate, up). */
typedef struct tvk_matrix_plan {
    const char *label; /* "blk.3.attn_qkv" */
    tvk_layout layout;
    uint32_t n, k, part_count;
    bool kmajor; /* T2: a second copy of the codes, K-major */
    struct {
        const tvk_tensor *tensor;
        const tvk_tensor *scale; /* F32 [1] multiplier beside a ternary tensor; NULL: none.
                                  * T1: F32 [weight groups] */
        uint32_t first, rows;
        uint32_t first_col; /* T1: of a column slab */
        int32_t slab;       /* T1: which scale all rows have; -1: one a row slab */
    } part[TVK_MAX_PARTS];
} tvk_matrix_plan;

typedef struct tvk_layer_plan {
    tvk_matrix_plan qkv, gate_up; /* b1: up alone */
    tvk_matrix_plan *o, *down;    /* [column slabs]: one but in b1 */
    const tvk_tensor *attn_norm, *attn_sub_norm, *ffn_norm,
        *ffn_sub_norm; /* sub-norms may be NULL; b1: all are */
} tvk_layer_plan;

typedef struct tvk_weights_plan {
    tvk_layer_plan *layers;
    tvk_matrix_plan embedding, output; /* output.n == 0: tied */
    const tvk_tensor *output_norm;
    uint64_t file_bytes;   /* of the tensors that are used */
    uint64_t device_bytes; /* packed */
    uint64_t parameters;
} tvk_weights_plan;

/* skip: which matrices are kept K-major too. */
tvk_status tvk_weights_plan_make(const tvk_weight_source *source, const tvk_config *config,
                                 const tvk_skip skip[TVK_SKIP_COUNT], tvk_arena *arena,
                                 tvk_weights_plan *out, tvk_error *err);

/* Remarks for inspect: tensors that no matrix or gain is made of, a file type that is not so, a
 * tokenizer of another size. The plan is config's. */
tvk_status tvk_oddities_note(const tvk_weight_source *source, const tvk_weights_plan *plan,
                             tvk_config *config, tvk_arena *arena, tvk_error *err);

typedef struct tvk_layer_weights {
    tvk_matrix qkv, gate_up;
    tvk_matrix *o, *down;                                      /* [column slabs], in the arena */
    tvk_span attn_norm, attn_sub_norm, ffn_norm, ffn_sub_norm; /* buffer NULL: not there */
} tvk_layer_weights;

typedef struct tvk_weights {
    tvk_layer_weights *layers; /* in the arena */
    uint32_t layer_count, slabs;
    tvk_matrix embedding, output_matrix;
    const tvk_matrix *output; /* the embedding when tied */
    tvk_span output_norm;
    tvk_buffer **buffers; /* all of the above; malloc'd */
    uint32_t buffer_count, buffer_capacity;
} tvk_weights;

/* Memory for all of it, contents undefined. *out is empty unless TVK_OK.
 * Errors: TVK_ERR_DEVICE_MEMORY, TVK_ERR_UNSUPPORTED (a matrix in more pieces than there may be).
 */
tvk_status tvk_weights_place(tvk_device *device, const tvk_config *config,
                             const tvk_weights_plan *plan, tvk_arena *arena, tvk_weights *out,
                             tvk_error *err);
/* The contents. Errors: TVK_ERR_CANCELLED, TVK_ERR_UNSUPPORTED (under quantised activations: scales
 * that differ inside a row, float weights that are not ternary). */
tvk_status tvk_weights_load(tvk_kernels *kernels, const tvk_weights_plan *plan,
                            const tvk_progress *progress, tvk_weights *weights, tvk_error *err);
void tvk_weights_destroy(tvk_weights *weights);

/* scales.c: row scales of a ternary tensor -> out [rows]. */
tvk_status tvk_ternary_scales(const tvk_tensor *tensor, const tvk_tensor *scale, float *out,
                              tvk_error *err);
/* Scales of the blocks of 256 values of a tensor of a ternary type -> out [rows, ceil(K/256)]. */
tvk_status tvk_ternary_block_scales(const tvk_tensor *tensor, const tvk_tensor *scale, float *out,
                                    tvk_error *err);
/* The row scale of a float tensor whose values are all -s, 0 or s: *out = s. */
tvk_status tvk_ternary_float_scale(const tvk_tensor *tensor, float *out, tvk_error *err);
/* Row scales of part `part` of a T1 matrix -> out [rows]. */
tvk_status tvk_sign_scales(const tvk_matrix_plan *plan, uint32_t part, float *out, tvk_error *err);
/* Value i of an F32, F16 or BF16 tensor. */
float tvk_tensor_f32(const tvk_tensor *tensor, uint64_t i);

#endif
