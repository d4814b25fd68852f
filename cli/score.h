/* How well logits predict tokens: perplexity, its error, bits per byte. Only arithmetic. */
#ifndef TVK_CLI_SCORE_H
#define TVK_CLI_SCORE_H

#include <stdint.h>

/* Sums over scored tokens; zeroed = none yet. */
typedef struct score {
    double nats, squares; /* of -ln p of each token */
    uint64_t count;
} score;

/* -ln p(token) = ln sum_v exp(logits[v]) - logits[token], in double; NaN when the logits hold a NaN
 * or an infinity that leaves nothing to compare with. */
double score_nats(const float *logits, uint32_t vocab, uint32_t token);

void score_add(score *s, double nats);
void score_merge(score *into, const score *from);

/* exp of the mean of the nats; NaN when nothing is scored. */
double score_perplexity(const score *s);
/* Standard error of it, as llama.cpp gives it: that of the mean of the nats times the perplexity
 * (first order). Infinite for fewer than two tokens. */
double score_error(const score *s);
/* The nats in bits, over the bytes of the text that was predicted. */
double score_bits_per_byte(const score *s, uint64_t bytes);

#endif
