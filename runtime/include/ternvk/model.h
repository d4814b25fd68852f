/* ternvk: a model on a device. Its weights come from a weight source: the loader makes one. */
#ifndef TERNVK_MODEL_H
#define TERNVK_MODEL_H

#include "ternvk/base.h"
#include "ternvk/device.h"
#include "ternvk/tuning.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One tensor of a file. `data` is borrowed from the source and stays until the source is closed.
 * Shape: dims[0] is the contiguous one (K, inputs), dims[1] rows (N, outputs); dim_count 1 or 2
 * for everything a model uses. */
typedef struct tvk_tensor {
    const char *name;
    tvk_dtype type;
    uint32_t dim_count;
    uint64_t dims[4];
    const void *data;
    uint64_t bytes;
} tvk_tensor;

/* Where a model's metadata and tensors come from; runtime/ declares it, loader/ implements it.
 * Metadata keys are GGUF's ("bitnet.block_count"). Every getter returns false when the key is
 * absent; a key of another type is a TVK_ERR_FORMAT through *err and also false. */
typedef struct tvk_weight_source {
    void *user;
    const char *name; /* for messages: the file's name */
    const tvk_tensor *(*tensor)(void *user, const char *name);
    uint32_t (*tensor_count)(void *user);
    const tvk_tensor *(*tensor_at)(void *user, uint32_t index);
    bool (*get_u64)(void *user, const char *key, uint64_t *out, tvk_error *err);
    bool (*get_f64)(void *user, const char *key, double *out, tvk_error *err);
    bool (*get_bool)(void *user, const char *key, bool *out, tvk_error *err);
    bool (*get_str)(void *user, const char *key, const char **out, tvk_error *err);
    uint64_t (*array_count)(void *user, const char *key); /* elements of an array key; 0: absent */
} tvk_weight_source;

/* How keys and values are kept. Q8, Q4 and Q3 have one f16 scale a (position, head) row; under Q3
 * the first position of a session has 4 bits. docs/numerics.md, "KV cache". */
typedef enum tvk_kv_type {
    TVK_KV_F16 = 0,
    TVK_KV_F32 = 1,
    TVK_KV_Q8 = 2,
    TVK_KV_Q4 = 3,
    TVK_KV_Q3 = 4
} tvk_kv_type;

/* How queries enter the scores, after RoPE: as they are, or as levels with one scale a (row, head),
 * made like rows of the KV cache. BitNet a4.8, arXiv 2411.04965, "4-bit QKV". */
typedef enum tvk_q_type { TVK_Q_F32 = 0, TVK_Q_Q8 = 2, TVK_Q_Q4 = 3 } tvk_q_type;

/* How activations enter the ternary matrices. */
typedef enum tvk_act {
    TVK_ACT_AUTO = 0, /* as the file says */
    TVK_ACT_NONE = 1, /* float activations; ternary matrices may have a scale each 256 values */
    TVK_ACT_INT8 = 2, /* INT8 absmax per row: BitNet b1.58 eq. for x, arXiv 2402.17764 */
    /* BitNet a4.8, arXiv 2411.04965: INT4 absmean into Q, K, V, gate and up, the larger half in
     * INT8 into the attention output, INT8 into down */
    TVK_ACT_A48 = 3,
    TVK_ACT_A48_FP4 = 4, /* its FP4 form: E2M1 everywhere but INT8 into down */
    /* BitNet v2, arXiv 2504.18415: a Hadamard transform before the attention output and down are
     * quantised (widths that are powers of two); INT8 absmax everywhere, or INT4 absmean */
    TVK_ACT_V2_A8 = 5,
    TVK_ACT_V2_A4 = 6
} tvk_act;

/* Zeros that a step of one row leaves out. The results are the same bits either way. */
typedef enum tvk_sparse {
    TVK_SPARSE_AUTO = 0, /* where the tuning record says that it is faster on this device */
    TVK_SPARSE_OFF = 1,
    TVK_SPARSE_ON = 2 /* wherever there is a kernel for it */
} tvk_sparse;

/* Where they can be left out. */
typedef enum tvk_skip_at {
    TVK_SKIP_O = 0,    /* attention output: weights of the zeros among its inputs */
    TVK_SKIP_UP = 1,   /* up projection: rows whose gate is 0 (ReLU2) */
    TVK_SKIP_DOWN = 2, /* down projection: weights of the zeros among its inputs */
    TVK_SKIP_COUNT = 3
} tvk_skip_at;

/* What was chosen for one of them, and why. */
typedef struct tvk_skip {
    bool used;
    float zeros; /* expected fraction: of inputs, or of closed gates */
    float
        break_even; /* measured fraction from which skipping is faster; 0: not measured, 2: never */
    char why[96];
} tvk_skip;

/* All zero: defaults. */
typedef struct tvk_model_params {
    uint32_t context;       /* positions a session can hold; 0: the model's own, at most 4096 */
    uint32_t sessions;      /* sessions that can be open at once; 0: 1 */
    uint32_t batch;         /* rows of the largest step; 0: 256, on a GPU with memory up to 2048 */
    uint32_t max_outputs;   /* rows of one step that can give logits; 0: 16 (fewer if the vocabulary
                             * is so large that they would not fit one binding) */
    tvk_kv_type kv_k, kv_v; /* any pair */
    tvk_q_type q;           /* with any pair */
    tvk_act act;
    tvk_sparse sparse;
    const tvk_tuning *tuning; /* what was measured on this device (tvk_model_tune); NULL: nothing;
                               * borrowed for the call */
    bool exact;               /* only kernel rows whose bits are the same on every driver */
    bool keep_activations;    /* every intermediate tensor stays readable (tests); costs memory */
    bool stats; /* steps count zeros: tvk_model_stats_layers(); a few dispatches more a layer */
    bool fresh_scratch;    /* reserved for tests: poison transients with NaN before use */
    tvk_progress progress; /* loading: bytes of weights */
} tvk_model_params;

/* What a file describes, and what ternvk will do with it. Plain data. */
typedef struct tvk_model_info {
    char architecture[64]; /* general.architecture */
    char name[128];
    char graph[64];      /* "b1.58", "b1", "llama" */
    char activation[16]; /* "relu2", "silu" or "gelu" */
    char activation_why[160];
    char act_quant[16]; /* "int8", "a4.8", "a4.8-fp4", "v2-a8", "v2-a4", "none": what will run */
    char act_quant_file[16]; /* what the file asks for ("a4.8"); "" when it says nothing */
    bool sub_norms, tied_head;
    bool layer_norm;        /* BitNet b1: LayerNorm inside each linear, no other norms */
    uint32_t weight_groups; /* of b1; 1 else */
    bool rope_interleaved;  /* false: half-split pairs */
    uint32_t layers, hidden, ffn, heads, kv_heads, head_size, vocab, context;
    uint32_t
        batch; /* rows of the largest step; before the model is made: where none was given, 256 */
    float rope_theta, norm_eps;
    uint64_t parameters;
    uint64_t weight_bytes; /* on the device, packed */
    tvk_kv_type kv_k, kv_v;
    tvk_q_type q;
    uint64_t kv_bytes_per_position;
    uint64_t scratch_bytes; /* transients and logits of the largest step; before the model is made:
                             * an upper bound */
    tvk_skip skip[TVK_SKIP_COUNT]; /* by tvk_skip_at: what steps of one row leave out, all layers */
    char odd[512];                 /* anything unusual, "; " between remarks; "" if nothing */
} tvk_model_info;

/* Thread safety: with its device, one thread at a time. */
typedef struct tvk_model tvk_model;

/* Reads the metadata only: no device needed. params may be NULL.
 * Errors: TVK_ERR_UNSUPPORTED names the architecture, tensor type or key; TVK_ERR_FORMAT names the
 * tensor with its expected and found shape. Since: 0.1 */
TVK_API tvk_status tvk_model_describe(const tvk_weight_source *source,
                                      const tvk_model_params *params, tvk_model_info *out,
                                      tvk_error *err);

/* Loads the weights and builds the steps. `source` is borrowed for the call only.
 * Errors: as tvk_model_describe; TVK_ERR_DEVICE_MEMORY says, before anything is loaded, how much is
 * needed, how much there is and which context fits; TVK_ERR_CANCELLED. Since: 0.1 */
TVK_API tvk_status tvk_model_create(tvk_device *device, const tvk_weight_source *source,
                                    const tvk_model_params *params, tvk_model **out,
                                    tvk_error *err);
/* Its sessions must be gone. NULL-safe. */
TVK_API void tvk_model_destroy(tvk_model **model);
TVK_API const tvk_model_info *tvk_model_get_info(const tvk_model *model);

/* Where the time of tvk_model_create went, in ms. Kernels are compiled while weights are read. */
typedef struct tvk_load_times {
    double graphs_ms;  /* the file's description checked, memory, graphs */
    double weights_ms; /* read, packed on the device */
    double kernels_ms; /* waited for the compiler after that */
    double record_ms;  /* steps recorded, tables written */
} tvk_load_times;
TVK_API void tvk_model_get_load_times(const tvk_model *model, tvk_load_times *out);

/* Measures what the choice of TVK_SPARSE_AUTO asks about this model's shapes and *tuning does not
 * hold yet, on synthetic weights, and adds it. Takes half a second or so; what does not fit is left
 * to the next call, for which the driver may keep what was compiled. Progress ("measuring"); the
 * device's memory is free again afterwards. added (may be NULL): how many entries are new.
 * Errors: as tvk_model_describe; TVK_ERR_CANCELLED. Since: 0.1 */
TVK_API tvk_status tvk_model_tune(tvk_device *device, const tvk_weight_source *source,
                                  const tvk_model_params *params, tvk_tuning *tuning,
                                  uint32_t *added, tvk_error *err);

/* Measures which kernel row and cut is fastest for each shape of the model's steps of which *tuning
 * held nothing when it was made, in the steps themselves, adds what it finds and goes on with it.
 * Candidates whose results differ are left out, with a warning in the log.
 *
 * Up to budget_ms (0: 2,500, on a CPU driver 800), a step at most on top; what does not fit is left
 * to the next call. Kernels that are being compiled then are compiled to their end beside
 * everything else (with the validation layers before the call returns); tvk_model_destroy waits for
 * them, and tvk_device_programs_get has them all after it. A choice whose kernels are not ready by
 * then is in *tuning for the next model, this one goes on with the default. A step whose runs take
 * more than three quarters of the budget gets up to 1,250 ms, and a quarter of the budget to
 * compile, of a call that has measured nothing else; shapes whose steps take too long for that keep
 * their defaults. Nothing to do: no time at all. Before sessions are opened.
 *
 * Errors: TVK_ERR_ARG (sessions are open), TVK_ERR_CANCELLED by progress ("measuring"; may be
 * NULL), TVK_ERR_DEVICE_MEMORY: the model goes on as before. Since: 0.1 */
TVK_API tvk_status tvk_model_tune_kernels(tvk_model *model, uint32_t budget_ms,
                                          const tvk_progress *progress, tvk_tuning *tuning,
                                          uint32_t *added, tvk_error *err);

/* A step to be profiled: rows of so many sessions, at positions that follow each other. */
typedef struct tvk_profile_params {
    uint32_t sessions;
    uint32_t rows;  /* of each session */
    uint32_t depth; /* position of its first row */
    /* times are medians of so many, at most 64, after two that warm up; 0: nothing runs, times are
     * 0 */
    uint32_t runs;
} tvk_profile_params;

/* One dispatch of it. What is moved and computed follows from shapes: each byte counts once however
 * often it is read, kernels that skip zeros count as if there were none. */
typedef struct tvk_profile_entry {
    const char *name;    /* where: "l3.attn" */
    const char *program; /* manifest row and configuration: "gemv_t2_i8_dp4[64,16,2]" */
    double ns;           /* between two time stamps, each of which drains the queue */
    double bytes;
    double int_ops, float_ops;   /* multiplications and additions */
    double matrix_ops, half_ops; /* those of cooperative matrices, of bytes and of f16 */
} tvk_profile_entry;

/* Device time of each kernel of one step, measured by time stamps: calls fn once per dispatch in
 * order. step_ns (may be NULL): of the whole step without stamps in between, which is less than
 * their sum. Overwrites the first pages of the KV cache: no session may be open.
 * Errors: TVK_ERR_ARG; TVK_ERR_UNSUPPORTED where something runs on a device without time stamps.
 * Since: 0.1 */
TVK_API tvk_status tvk_model_profile(tvk_model *model, const tvk_profile_params *params,
                                     void (*fn)(void *user, const tvk_profile_entry *entry),
                                     void *user, double *step_ns, tvk_error *err);

/* ---- what the linears use: a model made with params.stats ---- */

/* Values that were looked at, and how many of them were zero. */
typedef struct tvk_count {
    uint64_t values, zeros;
} tvk_count;

/* Of a layer, over all rows (prefill and decode) since the last reset. What enters a linear is
 * codes where activations are quantised, floats else (zeros of either sign). */
typedef struct tvk_layer_stats {
    tvk_count qkv, out; /* inputs of Q, K and V; of the attention output */
    tvk_count gate_up;  /* inputs of gate and of up */
    tvk_count gates;    /* gates; zeros: those <= 0, for which ReLU^2 needs no row of up. Without
                         * ReLU^2 none is looked at */
    tvk_count down;
} tvk_layer_stats;

/* The columns of BitNet a4.8's table of sparsity, arXiv 2411.04965. */
typedef enum tvk_linear {
    TVK_LINEAR_QKV = 0,
    TVK_LINEAR_OUT = 1,
    TVK_LINEAR_UP = 2, /* 1 - (1 - zeros of its inputs) (1 - gates <= 0) of each layer */
    TVK_LINEAR_GATE = 3,
    TVK_LINEAR_DOWN = 4
} tvk_linear;
#define TVK_LINEAR_COUNT 5

typedef struct tvk_stats {
    uint64_t tokens;                /* rows that were counted */
    double zeros[TVK_LINEAR_COUNT]; /* share of zeros, 0 .. 1, mean of the layers */
    double gates;                   /* share of gates <= 0, mean of the layers */
    double zeros_overall;           /* weighted by parameters */
    uint64_t parameters;            /* of the linears: neither embedding, head nor norms */
    double active_parameters;       /* sum of parameters (1 - zeros) */
    /* Bytes that decoding one token moves: packed weights with their scales, norms, head, one row
     * of the embedding; keys and values of the positions up to this one. Not activations. */
    double weight_bytes_read;
    uint64_t kv_bytes_read, kv_bytes_written;
} tvk_stats;

/* Counts of every layer so far, out [layers]. Waits for the steps that were submitted.
 * Errors: TVK_ERR_ARG for a model without params.stats. Since: 0.1 */
TVK_API tvk_status tvk_model_stats_layers(tvk_model *model, tvk_layer_stats *out, tvk_error *err);
/* Counts from 0 on. Errors: as above. Since: 0.1 */
TVK_API tvk_status tvk_model_stats_reset(tvk_model *model, tvk_error *err);
/* What counts mean. layers [layers]: of tvk_model_stats_layers(), or zeroed (then only parameters
 * and bytes say something). position: of the decoded token. Since: 0.1 */
TVK_API void tvk_model_stats_sum(const tvk_model *model, const tvk_layer_stats *layers,
                                 uint32_t position, tvk_stats *out);

#ifdef __cplusplus
}
#endif
#endif
