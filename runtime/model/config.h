/* What a model is: numbers and choices read from a file's metadata, checked; no weights yet. */
#ifndef TVK_MODEL_CONFIG_H
#define TVK_MODEL_CONFIG_H

#include "base/error.h"
#include "ternvk/model.h"

/* GELU: no gate, up alone. */
typedef enum tvk_glu { TVK_GLU_SILU = 0, TVK_GLU_RELU2 = 1, TVK_GLU_GELU = 2 } tvk_glu;

#define TVK_MAX_WEIGHT_GROUPS 16

typedef struct tvk_arch tvk_arch;

typedef struct tvk_config {
    const tvk_arch *arch;
    char name[128];
    uint32_t layers, hidden, ffn, heads, kv_heads, head_size, rotary, vocab;
    uint32_t trained_context;
    float rope_theta, norm_eps;
    tvk_glu glu;
    char glu_why[160];
    bool sub_norms, tied_head, rope_interleaved;
    /* b1: Q, K, V and up have so many row slabs, O and down so many column slabs, each quantised by
     * itself; else 1 */
    uint32_t weight_groups;
    tvk_act act;                 /* what enters the linears; never TVK_ACT_AUTO */
    char file_quant[16];         /* ARCH.activation_quant of the file, "" when absent */
    float zeros[TVK_SKIP_COUNT]; /* fraction expected, by tvk_skip_at; skip.c */
    char odd[512];               /* tvk_config_note */
} tvk_config;

/* One row of archs.def: an architecture string of GGUF files and its graph. */
typedef enum tvk_block_kind {
    TVK_BLOCK_EMBED,
    TVK_BLOCK_ATTENTION, /* norm, Q K V, RoPE, attention, sub-norm, output, residual */
    TVK_BLOCK_FFN,       /* norm, gate and up, GLU, sub-norm, down, residual */
    TVK_BLOCK_HEAD       /* norm of the output rows, logits */
} tvk_block_kind;

typedef struct tvk_block {
    tvk_block_kind kind;
    uint32_t layer;
} tvk_block;

struct tvk_arch {
    const char *id;    /* general.architecture */
    const char *graph; /* family name for people */
    bool rope_interleaved;
    bool relu2_for_llama3_vocab; /* official 2B4T files have no activation key */
    bool b1; /* sign weights, LayerNorm inside each linear, FFN of two matrices with GELU */
    /* Block i of a model of this architecture; false past the last. */
    bool (*block)(const tvk_config *config, uint32_t index, tvk_block *out);
};

/* Adds a remark to config->odd; what does not fit is cut. */
void tvk_config_note(tvk_config *config, const char *fmt, ...) TVK_PRINTF(2, 3);

const tvk_arch *tvk_arch_find(const char *id);

/* "int8", "a4.8": the word of an activation scheme in files and on the command line. */
const char *tvk_act_name(tvk_act act);
/* BitNet v2: a Hadamard transform before O and down. */
bool tvk_act_transforms(tvk_act act);

/* Errors: TVK_ERR_UNSUPPORTED (architecture, scaling, activation by name), TVK_ERR_FORMAT. */
tvk_status tvk_config_read(const tvk_weight_source *source, tvk_act act, tvk_config *out,
                           tvk_error *err);

/* skip.c */
/* Fills config->zeros from the file's ARCH.sparsity.* keys, or from what is published for models
 * with these activations. Errors: TVK_ERR_FORMAT (not a fraction). */
tvk_status tvk_skip_read(const tvk_weight_source *source, tvk_config *config, tvk_error *err);
/* What steps of one row leave out, and why. */
void tvk_skip_choose(const tvk_config *config, tvk_sparse sparse, const tvk_tuning *tuning,
                     tvk_skip out[TVK_SKIP_COUNT]);
/* What has to be measured for the choice at `at`; false: nothing, whatever was measured. */
bool tvk_skip_shape(const tvk_config *config, tvk_skip_at at, tvk_tuning_entry *out);

#endif
