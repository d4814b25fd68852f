/* Tensor names of checkpoints in Hugging Face's form and of GGUF, with roles and shapes. */
#ifndef TVK_LOADER_NAMES_H
#define TVK_LOADER_NAMES_H

#include <stdbool.h>
#include <stdint.h>

typedef enum tvk_role {
    TVK_ROLE_NORM,
    TVK_ROLE_LINEAR,
    TVK_ROLE_EMBEDDING,
    TVK_ROLE_OTHER /* kept as it is */
} tvk_role;

/* Sizes that shapes are made of. */
typedef enum tvk_dim {
    TVK_DIM_ONE,
    TVK_DIM_HIDDEN,
    TVK_DIM_FFN,
    TVK_DIM_VOCAB,
    TVK_DIM_Q,  /* heads * head size */
    TVK_DIM_KV, /* KV heads * head size */
    TVK_DIM_COUNT
} tvk_dim;

typedef struct tvk_name_row {
    const char *hf,
        *hf_other;    /* without "model.layers.N." for those of a layer; other: 1bitLLM's */
    const char *gguf; /* without "blk.N." */
    tvk_role role;
    tvk_dim n, k; /* [n, k]; a norm is [k] */
    bool sub_norm;
    bool not_b1;     /* BitNet b1 has no such tensor */
    bool columns;    /* b1's weight groups are slabs of columns, else of rows */
    bool head;       /* the output matrix: absent in models that share the embedding */
    uint32_t fused;  /* tensors that the device has in one matrix: 1 Q, K, V; 2 gate, up; 0: no */
    tvk_dim permute; /* Q or KV: rows belong to heads, of which RoPE pairs some; ONE: no */
} tvk_name_row;

/* Tables end with a row whose hf is NULL. */
extern const tvk_name_row tvk_names_model[];
extern const tvk_name_row tvk_names_layer[];

/* Role of a GGUF tensor by its name; false when it is none of a model that ternvk knows. */
bool tvk_names_role(const char *gguf, tvk_role *role);

#endif
