#include "score.h"

#include <math.h>

double score_nats(const float *logits, uint32_t vocab, uint32_t token)
{
    float max = logits[0];
    double sum = 0;
    for (uint32_t v = 1; v < vocab; v++) {
        if (logits[v] > max) max = logits[v];
    }
    for (uint32_t v = 0; v < vocab; v++) sum += exp((double)logits[v] - (double)max);
    return log(sum) + ((double)max - (double)logits[token]);
}

void score_add(score *s, double nats)
{
    s->nats += nats;
    s->squares += nats * nats;
    s->count++;
}

void score_merge(score *into, const score *from)
{
    into->nats += from->nats;
    into->squares += from->squares;
    into->count += from->count;
}

double score_perplexity(const score *s)
{
    return s->count > 0 ? exp(s->nats / (double)s->count) : (double)NAN;
}

double score_error(const score *s)
{
    double n = (double)s->count, mean, variance;
    if (s->count < 2) return (double)INFINITY;
    mean = s->nats / n;
    variance = s->squares / n - mean * mean;
    /* equal nats: the difference of the two may round below zero */
    if (variance < 0) variance = 0;
    return sqrt(variance / (n - 1)) * score_perplexity(s);
}

double score_bits_per_byte(const score *s, uint64_t bytes)
{
    return s->nats / log(2.0) / (double)bytes;
}
