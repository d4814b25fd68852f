/* Small models made of formulas, written as GGUF by a writer of the tests' own. */
#ifndef TVK_TESTS_TINY_MODEL_H
#define TVK_TESTS_TINY_MODEL_H

#include "ternvk/base.h"

typedef struct tiny_spec {
    const char *name;
    const char
        *arch; /* "bitnet", "llama"; "bitnet-b1": linear TVK_I8, no norms of layers, no gate */
    uint32_t layers, hidden, ffn, heads, kv_heads, head_size, vocab, context;
    tvk_dtype linear, embedding;
    bool sub_norms, tied, relu2;
    bool scale_tensors; /* ".scale" beside ternary linears (TQ types then have d = 1) */
    uint32_t seed;
    uint32_t groups; /* of bitnet-b1's weights; 0: no key */
} tiny_spec;

/* Returns false when the file cannot be written. */
bool tiny_model_write(const tiny_spec *spec, const char *path);

#endif
