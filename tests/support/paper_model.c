#include "support/paper_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* W [n, k], dequantised: code times scale. */
typedef struct matrix {
    uint32_t n, k;
    double *w;
} matrix;

typedef struct layer {
    matrix q, k, v, o, gate, up, down; /* b1: no gate */
    double *attn_norm, *attn_sub_norm, *ffn_norm, *ffn_sub_norm;
    double *keys, *values; /* [context, kv_heads * head_size] */
} layer;

struct paper_model {
    tvk_model_info info;
    const tvk_weight_source *source;
    bool ok, b1;
    layer *layers;
    matrix embedding, head;
    double *norm;
    uint32_t position;
};

static void *room(paper_model *m, size_t count, size_t bytes)
{
    void *p = calloc(count ? count : 1, bytes);
    if (!p) m->ok = false;
    return p;
}

static double f16(const uint8_t *p)
{
    int bits = p[0] | p[1] << 8, e = bits >> 10 & 31, f = bits & 1023;
    double v = e ? ldexp(1024 + f, e - 25) : ldexp(f, -24);
    return bits >> 15 ? -v : v;
}

static double f32(const uint8_t *p)
{
    float v;
    memcpy(&v, p, sizeof v);
    return (double)v;
}

static const tvk_tensor *tensor(paper_model *m, const char *stem, const char *part)
{
    char name[128];
    const tvk_tensor *t;
    snprintf(name, sizeof name, "%s.%s", stem, part);
    t = m->source->tensor(m->source->user, name);
    if (!t) m->ok = false;
    return t;
}

/* Value i of a tensor without its scale. */
static double value(paper_model *m, const tvk_tensor *t, uint64_t i)
{
    const uint8_t *p = t->data;
    switch (t->type) {
    case TVK_F32:
        return f32(p + 4 * i);
    case TVK_F16:
        return f16(p + 2 * i);
    case TVK_Q8_0:
        return f16(p + i / 32 * 34) * (double)(int8_t)p[i / 32 * 34 + 2 + i % 32];
    case TVK_I2_S:
        return (p[i / 128 * 32 + i % 32] >> (6 - 2 * (i % 128 / 32)) & 3) - 1;
    default:
        m->ok = false;
        return 0;
    }
}

/* columns: the groups of b1's weights are slabs of columns. */
static matrix read_matrix(paper_model *m, const char *stem, uint32_t n, uint32_t k, bool columns)
{
    matrix out = {n, k, NULL};
    const tvk_tensor *t = tensor(m, stem, "weight");
    bool signs = t && t->type == TVK_I8;
    const tvk_tensor *scale = signs ? tensor(m, stem, "scale") : NULL;
    uint32_t groups = scale ? (uint32_t)scale->dims[0] : 1;
    double own = 1;
    out.w = room(m, (size_t)n * k, sizeof *out.w);
    if (!m->ok) return out;
    if (t->type == TVK_I2_S) own = f32((const uint8_t *)t->data + (uint64_t)n * k / 4);
    for (uint32_t r = 0; r < n; r++) {
        for (uint32_t c = 0; c < k; c++) {
            double *to = &out.w[(size_t)r * k + c];
            if (signs) {
                const uint8_t *row = (const uint8_t *)t->data + (size_t)r * t->dims[0];
                uint32_t g = columns ? c / (k / groups) : r / (n / groups);
                *to = (row[c / 8] >> c % 8 & 1 ? 1 : -1) *
                      f32((const uint8_t *)scale->data + 4 * (size_t)g);
            } else {
                *to = own * value(m, t, (uint64_t)r * k + c);
            }
        }
    }
    return out;
}

static double *read_gain(paper_model *m, const char *stem, uint32_t n)
{
    const tvk_tensor *t = tensor(m, stem, "weight");
    double *g = room(m, n, sizeof *g);
    for (uint32_t i = 0; m->ok && i < n; i++) g[i] = value(m, t, i);
    return g;
}

static void read_layer(paper_model *m, uint32_t l, layer *y)
{
    const tvk_model_info *i = &m->info;
    uint32_t q = i->heads * i->head_size, kv = i->kv_heads * i->head_size;
    char stem[64];
#define MATRIX(field, name, n, k, columns)                                                         \
    snprintf(stem, sizeof stem, "blk.%u." name, l);                                                \
    y->field = read_matrix(m, stem, n, k, columns)
#define GAIN(field, n)                                                                             \
    snprintf(stem, sizeof stem, "blk.%u." #field, l);                                              \
    y->field = read_gain(m, stem, n)
    MATRIX(q, "attn_q", q, i->hidden, false);
    MATRIX(k, "attn_k", kv, i->hidden, false);
    MATRIX(v, "attn_v", kv, i->hidden, false);
    MATRIX(o, "attn_output", i->hidden, q, true);
    MATRIX(up, "ffn_up", i->ffn, i->hidden, false);
    MATRIX(down, "ffn_down", i->hidden, i->ffn, true);
    if (!m->b1) {
        MATRIX(gate, "ffn_gate", i->ffn, i->hidden, false);
        GAIN(attn_norm, i->hidden);
        GAIN(attn_sub_norm, q);
        GAIN(ffn_norm, i->hidden);
        GAIN(ffn_sub_norm, i->ffn);
    }
    y->keys = room(m, (size_t)i->context * kv, sizeof *y->keys);
    y->values = room(m, (size_t)i->context * kv, sizeof *y->values);
}

paper_model *paper_model_open(const tvk_weight_source *source, const tvk_model_info *info)
{
    paper_model *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->info = *info;
    m->source = source;
    m->ok = true;
    m->b1 = strcmp(info->architecture, "bitnet-b1") == 0;
    m->layers = room(m, info->layers, sizeof *m->layers);
    m->embedding = read_matrix(m, "token_embd", info->vocab, info->hidden, false);
    if (!info->tied_head) m->head = read_matrix(m, "output", info->vocab, info->hidden, false);
    m->norm = read_gain(m, "output_norm", info->hidden);
    for (uint32_t l = 0; m->ok && l < info->layers; l++) read_layer(m, l, &m->layers[l]);
    if (m->ok) return m;
    paper_model_close(m);
    return NULL;
}

void paper_model_close(paper_model *m)
{
    if (!m) return;
    for (uint32_t l = 0; m->layers && l < m->info.layers; l++) {
        layer *y = &m->layers[l];
        double *all[] = {y->q.w,          y->k.w,    y->v.w,       y->o.w,           y->gate.w,
                         y->up.w,         y->down.w, y->attn_norm, y->attn_sub_norm, y->ffn_norm,
                         y->ffn_sub_norm, y->keys,   y->values};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    }
    free(m->layers);
    free(m->embedding.w);
    free(m->head.w);
    free(m->norm);
    free(m);
}

/* ---- the formulas ---- */

static double mean_of(const double *x, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += x[i];
    return sum / n;
}

/* LN(x) = (x - E[x]) / sqrt(Var[x] + eps) */
static void layer_norm(const double *x, uint32_t n, double eps, double *y)
{
    double mean = mean_of(x, n), var = 0;
    for (uint32_t i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean);
    for (uint32_t i = 0; i < n; i++) y[i] = (x[i] - mean) / sqrt(var / n + eps);
}

static void rms_norm(const double *x, const double *g, uint32_t n, double eps, double *y)
{
    double square = 0;
    for (uint32_t i = 0; i < n; i++) square += x[i] * x[i];
    for (uint32_t i = 0; i < n; i++) y[i] = x[i] / sqrt(square / n + eps) * g[i];
}

static double clip(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

/* What the integers stand for: codes times the step. low: -127 (b1) or -128. */
static void int8_absmax(double *x, uint32_t n, double low)
{
    double top = 1e-5;
    for (uint32_t i = 0; i < n; i++) top = fmax(top, fabs(x[i]));
    for (uint32_t i = 0; i < n; i++)
        x[i] = clip(nearbyint(x[i] * 127 / top), low, 127) * (top / 127);
}

static void int4_absmean(double *x, uint32_t n)
{
    double beta = 0;
    for (uint32_t i = 0; i < n; i++) beta += fabs(x[i]) / n;
    beta = fmax(beta, 1e-5);
    for (uint32_t i = 0; i < n; i++)
        x[i] = clip(nearbyint(x[i] * sqrt(7) / beta), -8, 7) * (beta / sqrt(7));
}

/* H_m = [[H, H], [H, -H]] / sqrt(2), H = H_{m-1}: by the definition. */
static void hadamard(double *x, uint32_t n)
{
    double *a = x, *b = x + n / 2;
    if (n == 1) return;
    hadamard(a, n / 2);
    hadamard(b, n / 2);
    for (uint32_t i = 0; i < n / 2; i++) {
        double sum = a[i] + b[i], difference = a[i] - b[i];
        a[i] = sum / sqrt(2);
        b[i] = difference / sqrt(2);
    }
}

static void multiply(const matrix *w, const double *x, bool add, double *y)
{
    for (uint32_t r = 0; r < w->n; r++) {
        double sum = 0;
        for (uint32_t c = 0; c < w->k; c++) sum += w->w[(size_t)r * w->k + c] * x[c];
        y[r] = add ? y[r] + sum : sum;
    }
}

/* What a linear takes: x [n] -> in [n]. inner: the linear is O or down. */
static void quantised(const paper_model *m, const double *x, const double *gain, uint32_t n,
                      bool inner, double *in)
{
    double eps = (double)m->info.norm_eps;
    if (m->b1) {
        uint32_t groups = inner ? m->info.weight_groups : 1, part = n / groups;
        for (uint32_t g = 0; g < groups; g++) {
            layer_norm(x + g * part, part, eps, in + g * part);
            int8_absmax(in + g * part, part, -127);
        }
        return;
    }
    rms_norm(x, gain, n, eps, in);
    if (inner) hadamard(in, n);
    if (strcmp(m->info.act_quant, "v2-a4") == 0)
        int4_absmean(in, n);
    else
        int8_absmax(in, n, -128);
}

static void rotate(const paper_model *m, double *head)
{
    uint32_t d = m->info.head_size;
    for (uint32_t i = 0; i < d / 2; i++) {
        double angle = m->position * pow((double)m->info.rope_theta, -2.0 * i / d);
        double a = head[i], b = head[i + d / 2];
        head[i] = a * cos(angle) - b * sin(angle);
        head[i + d / 2] = a * sin(angle) + b * cos(angle);
    }
}

/* o = softmax(q K^T / sqrt(D)) V of one head over the positions so far. */
static void attend(const paper_model *m, const layer *y, const double *q, uint32_t kv_head,
                   double *o)
{
    uint32_t d = m->info.head_size, kv = m->info.kv_heads * d, count = m->position + 1;
    double *p = calloc(count, sizeof *p), top = -INFINITY, sum = 0;
    if (!p) abort();
    for (uint32_t t = 0; t < count; t++) {
        const double *key = y->keys + (size_t)t * kv + kv_head * d;
        for (uint32_t i = 0; i < d; i++) p[t] += q[i] * key[i] / sqrt(d);
        top = fmax(top, p[t]);
    }
    for (uint32_t t = 0; t < count; t++) sum += p[t] = exp(p[t] - top);
    for (uint32_t i = 0; i < d; i++) {
        o[i] = 0;
        for (uint32_t t = 0; t < count; t++)
            o[i] += p[t] / sum * y->values[(size_t)t * kv + kv_head * d + i];
    }
    free(p);
}

void paper_model_step(paper_model *m, int32_t token, double *logits)
{
    const tvk_model_info *i = &m->info;
    uint32_t d = i->head_size, q = i->heads * d, kv = i->kv_heads * d;
    uint32_t widest = i->hidden > q ? i->hidden : q;
    double *x = room(m, i->hidden, sizeof *x), *heads = room(m, q, sizeof *heads);
    double *o = room(m, q, sizeof *o), *f = room(m, i->ffn, sizeof *f);
    double *up = room(m, i->ffn, sizeof *up), *in;
    if (i->ffn > widest) widest = i->ffn;
    in = room(m, widest, sizeof *in);
    if (!m->ok) abort();
    for (uint32_t c = 0; c < i->hidden; c++) x[c] = m->embedding.w[(size_t)token * i->hidden + c];
    for (uint32_t l = 0; l < i->layers; l++) {
        layer *y = &m->layers[l];
        double *key = y->keys + (size_t)m->position * kv;
        quantised(m, x, y->attn_norm, i->hidden, false, in);
        multiply(&y->q, in, false, heads);
        multiply(&y->k, in, false, key);
        multiply(&y->v, in, false, y->values + (size_t)m->position * kv);
        for (uint32_t g = 0; g < i->kv_heads; g++) rotate(m, key + g * d);
        for (uint32_t h = 0; h < i->heads; h++) {
            rotate(m, heads + h * d);
            attend(m, y, heads + h * d, h / (i->heads / i->kv_heads), o + h * d);
        }
        quantised(m, o, y->attn_sub_norm, q, true, in);
        multiply(&y->o, in, true, x);
        quantised(m, x, y->ffn_norm, i->hidden, false, in);
        multiply(&y->up, in, false, up);
        if (m->b1) { /* GELU(v) = v Phi(v) */
            for (uint32_t c = 0; c < i->ffn; c++) f[c] = up[c] * 0.5 * erfc(-up[c] / sqrt(2));
        } else { /* SwishGLU */
            multiply(&y->gate, in, false, f);
            for (uint32_t c = 0; c < i->ffn; c++) f[c] = f[c] / (1 + exp(-f[c])) * up[c];
        }
        quantised(m, f, y->ffn_sub_norm, i->ffn, true, in);
        multiply(&y->down, in, true, x);
    }
    if (m->b1) {
        layer_norm(x, i->hidden, (double)i->norm_eps, in);
        for (uint32_t c = 0; c < i->hidden; c++) in[c] *= m->norm[c];
    } else {
        rms_norm(x, m->norm, i->hidden, (double)i->norm_eps, in);
    }
    multiply(i->tied_head ? &m->embedding : &m->head, in, false, logits);
    m->position++;
    free(x);
    free(heads);
    free(o);
    free(f);
    free(up);
    free(in);
}
