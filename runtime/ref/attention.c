/* out = softmax(q K^T * scale) V for one head of one row, over chunks of 128 positions that are
 * merged in order. */
#include "ref/ref.h"

#include <stddef.h>

#define MAX_D 256

void tvk_ref_attention_chunk(const float *q, float q_scale, const tvk_ref_kv *kv, uint32_t first,
                             uint32_t count, uint32_t d, float scale, float *m, float *l, float *o)
{
    float p[TVK_CHUNK] = {0}, w[TVK_CHUNK];
    float best;
    for (uint32_t j = 0; j < count; j++) {
        const float *k = kv->k[first + j];
        float a[4] = {0}, k_scale = kv->k_scale ? kv->k_scale[first + j] : 1.0f;
        for (uint32_t i = 0; i < d; i++) a[i % 4] = a[i % 4] + q[i] * k[i];
        p[j] = ((((a[0] + a[1]) + (a[2] + a[3])) * q_scale) * k_scale) * scale;
    }
    best = p[0];
    for (uint32_t j = 1; j < count; j++) best = p[j] > best ? p[j] : best;
    for (uint32_t j = 0; j < TVK_CHUNK; j++) p[j] = j < count ? tvk_ref_exp(p[j] - best) : 0.0f;
    for (uint32_t j = 0; j < count; j++)
        w[j] = p[j] * (kv->v_scale ? kv->v_scale[first + j] : 1.0f);
    for (uint32_t i = 0; i < d; i++) {
        float acc[4] = {0};
        for (uint32_t j = 0; j < count; j++) acc[j % 4] = acc[j % 4] + w[j] * kv->v[first + j][i];
        o[i] = (acc[0] + acc[1]) + (acc[2] + acc[3]);
    }
    *m = best;
    *l = tvk_ref_sum_tree(p, TVK_CHUNK);
}

/* One step of the merge: (M, L, O) takes up (m, l, o). */
static void merge_one(float *M, float *L, float *O, float m, float l, const float *o, uint32_t d)
{
    float top = m > *M ? m : *M;
    float alpha = tvk_ref_exp(*M - top);
    float beta = tvk_ref_exp(m - top);
    *L = *L * alpha + l * beta;
    for (uint32_t i = 0; i < d; i++) O[i] = O[i] * alpha + o[i] * beta;
    *M = top;
}

static void finish(float *out, float l, uint32_t d)
{
    float inv = tvk_ref_rcp(l);
    for (uint32_t i = 0; i < d; i++) out[i] = out[i] * inv;
}

void tvk_ref_attention_merge(const float *m, const float *l, const float *o, uint32_t chunks,
                             uint32_t d, float *out)
{
    float M = m[0], L = l[0];
    for (uint32_t i = 0; i < d; i++) out[i] = o[i];
    for (uint32_t c = 1; c < chunks; c++) merge_one(&M, &L, out, m[c], l[c], o + (size_t)c * d, d);
    finish(out, L, d);
}

void tvk_ref_attention(const float *q, float q_scale, const tvk_ref_kv *kv, uint32_t positions,
                       uint32_t d, float scale, float *out)
{
    float M = 0.0f, L = 0.0f;
    for (uint32_t first = 0; first < positions; first += TVK_CHUNK) {
        uint32_t count = positions - first < TVK_CHUNK ? positions - first : TVK_CHUNK;
        float o[MAX_D], m, l;
        tvk_ref_attention_chunk(q, q_scale, kv, first, count, d, scale, &m, &l, o);
        if (first == 0) {
            M = m;
            L = l;
            for (uint32_t i = 0; i < d; i++) out[i] = o[i];
        } else {
            merge_one(&M, &L, out, m, l, o, d);
        }
    }
    finish(out, L, d);
}
