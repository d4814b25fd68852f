/* Small models made of formulas, written as GGUF by a writer of the tests' own. */
#ifndef TVK_TESTS_TINY_MODEL_H
#define TVK_TESTS_TINY_MODEL_H

#include "ternvk/base.h"

/* Where ternary linears have their scales. */
typedef enum tiny_scales {
    TINY_SCALES_TYPE = 0,      /* one, in the type's place */
    TINY_SCALES_TENSORS = 1,   /* in ".scale" beside them; TQ types then have d = 1 */
    TINY_SCALES_BLOCKS = 2,    /* TQ types: blocks of a row differ, as in TriLM */
    TINY_SCALES_BLOCKS_A16 = 3 /* and the file says activation_quant none */
} tiny_scales;

typedef struct tiny_spec {
    const char *name;
    const char
        *arch; /* "bitnet", "llama"; "bitnet-b1": linear TVK_I8, no norms of layers, no gate */
    uint32_t layers, hidden, ffn, heads, kv_heads, head_size, vocab, context;
    tvk_dtype linear, embedding;
    bool sub_norms, tied, relu2;
    tiny_scales scales;
    uint32_t seed;
    uint32_t groups; /* of bitnet-b1's weights; 0: no key */
} tiny_spec;

/* Returns false when the file cannot be written. */
bool tiny_model_write(const tiny_spec *spec, const char *path);

#endif
