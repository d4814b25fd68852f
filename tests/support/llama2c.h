/* llama2.c's checkpoint (.bin, version 0) and tokenizer (.bin) read by themselves: the oracle of
 * converted llama2.c models. Shares no code with the runtime or the loader.
 * Source: the format as llama2.c's export.py writes it and its run.c reads it. */
#ifndef TVK_TESTS_LLAMA2C_H
#define TVK_TESTS_LLAMA2C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct llama2c llama2c;

typedef struct llama2c_config {
    uint32_t dim, hidden, layers, heads, kv_heads, vocab, context;
    bool shared_head; /* the head is the embedding */
} llama2c_config;

/* Both files at once. NULL: why (at least 1 byte) says what was wrong. */
llama2c *llama2c_open(const char *model_path, const char *tokenizer_path, char *why,
                      size_t why_bytes);
void llama2c_close(llama2c *model); /* NULL-safe */
const llama2c_config *llama2c_get_config(const llama2c *model);

/* Logits [V] after `token` at `position`; positions come in order from 0 (0 starts afresh). The
 * weights are the file's floats, everything else is double: far closer to the model's true logits
 * than any evaluation in float. */
void llama2c_forward(llama2c *model, int32_t token, uint32_t position, double *logits);

/* Highest logit, the first where two are equal. */
int32_t llama2c_best(const double *logits, uint32_t count);

/* Greedy tokens after BOS (id 1): out[0] follows it. Stops early only when BOS or the end of the
 * context comes. Returns how many. margin, if not NULL: the smallest distance between the best and
 * the second logit met on the way. */
uint32_t llama2c_greedy(llama2c *model, int32_t *out, uint32_t count, double *margin);

/* Bytes of `token` after `before` as run.c prints them: after BOS one leading space goes, "<0xHH>"
 * is a byte. Returns how many were written to out (at most llama2c_max_bytes). */
size_t llama2c_bytes(const llama2c *model, int32_t before, int32_t token, char *out);
size_t llama2c_max_bytes(const llama2c *model);

#endif
