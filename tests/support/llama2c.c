#include "support/llama2c.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOS 1
#define NORM_EPS 1e-5      /* run.c's; the file does not hold it */
#define ROPE_THETA 10000.0 /* likewise */

typedef struct piece {
    const char *bytes; /* in the tokenizer's file */
    size_t count;
} piece;

struct llama2c {
    llama2c_config c;
    uint32_t head, kv_dim; /* D, G * D */
    float *floats;         /* everything after the header */
    /* Inside floats; the first index of layered ones is the layer. */
    const float *embedding;           /* [V, dim] */
    const float *attn_norm;           /* [L, dim] */
    const float *wq, *wk, *wv, *wo;   /* [L, dim or kv_dim, dim] */
    const float *ffn_norm;            /* [L, dim] */
    const float *gate, *down, *up;    /* w1 [L, hidden, dim], w2 [L, dim, hidden], w3 as w1 */
    const float *final_norm, *output; /* [dim], [V, dim] */
    double *k, *v;                    /* [L, context, kv_dim] */
    double *x, *y, *q, *att, *a, *b;  /* dim, max(dim, hidden), dim, context, hidden, hidden */
    char *tokenizer;
    piece *pieces; /* [V] */
    size_t max_bytes;
};

static void explain(char *why, size_t why_bytes, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, why_bytes, format, args);
    va_end(args);
}

/* A whole file, malloc'd; NULL: cannot be read. */
static char *read_file(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "rb");
    char *data = NULL;
    long size;
    if (!f) return NULL;
    if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0 &&
        (data = malloc((size_t)size + 1)) != NULL) {
        *bytes = (size_t)size;
        if (fread(data, 1, *bytes, f) != *bytes) {
            free(data);
            data = NULL;
        }
    }
    fclose(f);
    return data;
}

/* The files are little-endian. */
static uint32_t u32_at(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static bool read_config(llama2c *m, const char *data, size_t bytes)
{
    uint32_t head[7];
    if (bytes < sizeof head) return false;
    for (size_t i = 0; i < 7; i++) head[i] = u32_at(data + 4 * i);
    /* A negative vocabulary says that the head is a matrix of its own. */
    bool shared = head[5] < UINT32_C(0x80000000);
    uint32_t vocab = shared ? head[5] : 0u - head[5];
    m->c = (llama2c_config){.dim = head[0],
                            .hidden = head[1],
                            .layers = head[2],
                            .heads = head[3],
                            .kv_heads = head[4],
                            .vocab = vocab,
                            .context = head[6],
                            .shared_head = shared};
    /* Bounds that keep the sums below in range; far above the published models. */
    if (!head[0] || head[0] > 65536 || !head[1] || head[1] > 262144 || !head[2] || head[2] > 1024 ||
        !head[3] || !head[4] || !vocab || vocab > 1u << 20 || !head[6] || head[6] > 1u << 20)
        return false;
    if (head[0] % head[3] || head[3] % head[4] || head[0] / head[3] % 2) return false;
    m->head = head[0] / head[3];
    m->kv_dim = m->head * head[4];
    return true;
}

static const float *take(const float **at, size_t count)
{
    const float *p = *at;
    *at += count;
    return p;
}

/* Order of export.py's legacy_export. */
static bool place_weights(llama2c *m, const char *data, size_t bytes)
{
    size_t dim = m->c.dim, hidden = m->c.hidden, layers = m->c.layers, vocab = m->c.vocab;
    size_t rope = (size_t)m->c.context * m->head; /* cosines and sines, which run.c skips too */
    size_t count = vocab * dim * (m->c.shared_head ? 1 : 2) +
                   layers * (2 * dim + 2 * dim * dim + 2 * dim * m->kv_dim + 3 * dim * hidden) +
                   dim + rope;
    if (bytes - 28 != count * 4 || !(m->floats = malloc(count * 4))) return false;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = u32_at(data + 28 + 4 * i);
        memcpy(&m->floats[i], &bits, 4);
    }
    const float *at = m->floats;
    m->embedding = take(&at, vocab * dim);
    m->attn_norm = take(&at, layers * dim);
    m->wq = take(&at, layers * dim * dim);
    m->wk = take(&at, layers * m->kv_dim * dim);
    m->wv = take(&at, layers * m->kv_dim * dim);
    m->wo = take(&at, layers * dim * dim);
    m->ffn_norm = take(&at, layers * dim);
    m->gate = take(&at, layers * hidden * dim);
    m->down = take(&at, layers * dim * hidden);
    m->up = take(&at, layers * hidden * dim);
    m->final_norm = take(&at, dim);
    take(&at, rope);
    m->output = m->c.shared_head ? m->embedding : at;
    return true;
}

static bool allocate(llama2c *m)
{
    size_t wide = m->c.dim > m->c.hidden ? m->c.dim : m->c.hidden;
    size_t kv = (size_t)m->c.layers * m->c.context * m->kv_dim;
    m->k = malloc(kv * sizeof *m->k);
    m->v = malloc(kv * sizeof *m->v);
    m->x = malloc(m->c.dim * sizeof *m->x);
    m->y = malloc(wide * sizeof *m->y);
    m->q = malloc(m->c.dim * sizeof *m->q);
    m->att = malloc(m->c.context * sizeof *m->att);
    m->a = malloc(wide * sizeof *m->a);
    m->b = malloc(wide * sizeof *m->b);
    return m->k && m->v && m->x && m->y && m->q && m->att && m->a && m->b;
}

/* u32 longest piece, then for each token: f32 score, u32 bytes, the bytes. */
static bool read_pieces(llama2c *m, size_t bytes)
{
    size_t at = 4;
    if (!(m->pieces = calloc(m->c.vocab, sizeof *m->pieces))) return false;
    m->max_bytes = 1;
    for (uint32_t i = 0; i < m->c.vocab; i++) {
        if (bytes < 8 || at > bytes - 8) return false;
        size_t count = u32_at(m->tokenizer + at + 4);
        at += 8;
        if (count > bytes - at) return false;
        m->pieces[i] = (piece){m->tokenizer + at, count};
        if (count > m->max_bytes) m->max_bytes = count;
        at += count;
    }
    return at == bytes;
}

llama2c *llama2c_open(const char *model_path, const char *tokenizer_path, char *why,
                      size_t why_bytes)
{
    size_t bytes = 0, tokenizer_bytes = 0;
    llama2c *m = calloc(1, sizeof *m);
    char *data = read_file(model_path, &bytes);
    bool ok = false;
    if (!m) {
        explain(why, why_bytes, "out of memory");
    } else if (!data) {
        explain(why, why_bytes, "%s cannot be read", model_path);
    } else if (!read_config(m, data, bytes)) {
        explain(why, why_bytes, "%s: no header of version 0", model_path);
    } else if (!place_weights(m, data, bytes)) {
        explain(why, why_bytes, "%s: %zu bytes do not fit the header", model_path, bytes);
    } else if (!allocate(m)) {
        explain(why, why_bytes, "out of memory");
    } else if (!(m->tokenizer = read_file(tokenizer_path, &tokenizer_bytes))) {
        explain(why, why_bytes, "%s cannot be read", tokenizer_path);
    } else if (!read_pieces(m, tokenizer_bytes)) {
        explain(why, why_bytes, "%s does not hold %u pieces", tokenizer_path, m->c.vocab);
    } else {
        ok = true;
    }
    free(data);
    if (ok) return m;
    llama2c_close(m);
    return NULL;
}

void llama2c_close(llama2c *m)
{
    if (!m) return;
    void *owned[] = {m->floats, m->k, m->v, m->x,         m->y,     m->q,
                     m->att,    m->a, m->b, m->tokenizer, m->pieces};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
    free(m);
}

const llama2c_config *llama2c_get_config(const llama2c *m)
{
    return &m->c;
}

/* y = x / rms(x) * gain */
static void rmsnorm(const double *x, const float *gain, uint32_t count, double *y)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += x[i] * x[i];
    double r = 1 / sqrt(sum / count + NORM_EPS);
    for (uint32_t i = 0; i < count; i++) y[i] = x[i] * r * (double)gain[i];
}

/* y[n] = sum_k w[n, k] * x[k] */
static void matvec(const float *w, const double *x, uint32_t n, uint32_t k, double *y)
{
    for (uint32_t i = 0; i < n; i++) {
        double sum = 0;
        for (uint32_t j = 0; j < k; j++) sum += (double)w[(size_t)i * k + j] * x[j];
        y[i] = sum;
    }
}

/* Pairs (2i, 2i + 1) of every head, turned by position * theta^(-2i / D). */
static void rope(double *x, uint32_t count, uint32_t head, uint32_t position)
{
    for (uint32_t i = 0; i < count; i += 2) {
        double angle = position * pow(ROPE_THETA, -(double)(i % head) / head);
        double c = cos(angle), s = sin(angle), x0 = x[i], x1 = x[i + 1];
        x[i] = x0 * c - x1 * s;
        x[i + 1] = x0 * s + x1 * c;
    }
}

/* out [dim] = attention of q [dim] over positions 0..position of one layer. */
static void attend(llama2c *m, uint32_t layer, uint32_t position, double *out)
{
    size_t base = (size_t)layer * m->c.context * m->kv_dim;
    for (uint32_t h = 0; h < m->c.heads; h++) {
        size_t at = base + (size_t)(h / (m->c.heads / m->c.kv_heads)) * m->head;
        const double *q = m->q + (size_t)h * m->head;
        double most = -INFINITY, sum = 0;
        for (uint32_t t = 0; t <= position; t++) {
            double s = 0;
            for (uint32_t i = 0; i < m->head; i++) s += q[i] * m->k[at + (size_t)t * m->kv_dim + i];
            m->att[t] = s / sqrt((double)m->head);
            if (m->att[t] > most) most = m->att[t];
        }
        for (uint32_t t = 0; t <= position; t++) sum += m->att[t] = exp(m->att[t] - most);
        for (uint32_t i = 0; i < m->head; i++) {
            double o = 0;
            for (uint32_t t = 0; t <= position; t++)
                o += m->att[t] * m->v[at + (size_t)t * m->kv_dim + i];
            out[(size_t)h * m->head + i] = o / sum;
        }
    }
}

static void add(double *x, const double *y, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) x[i] += y[i];
}

void llama2c_forward(llama2c *m, int32_t token, uint32_t position, double *logits)
{
    uint32_t dim = m->c.dim, hidden = m->c.hidden;
    for (uint32_t i = 0; i < dim; i++) m->x[i] = (double)m->embedding[(size_t)token * dim + i];
    for (uint32_t l = 0; l < m->c.layers; l++) {
        size_t row = ((size_t)l * m->c.context + position) * m->kv_dim;
        size_t square = (size_t)l * dim * dim, kv = (size_t)l * m->kv_dim * dim;
        size_t ffn = (size_t)l * hidden * dim;
        rmsnorm(m->x, m->attn_norm + (size_t)l * dim, dim, m->y);
        matvec(m->wq + square, m->y, dim, dim, m->q);
        matvec(m->wk + kv, m->y, m->kv_dim, dim, m->k + row);
        matvec(m->wv + kv, m->y, m->kv_dim, dim, m->v + row);
        rope(m->q, dim, m->head, position);
        rope(m->k + row, m->kv_dim, m->head, position);
        attend(m, l, position, m->a);
        matvec(m->wo + square, m->a, dim, dim, m->y);
        add(m->x, m->y, dim);

        rmsnorm(m->x, m->ffn_norm + (size_t)l * dim, dim, m->y);
        matvec(m->gate + ffn, m->y, hidden, dim, m->a);
        matvec(m->up + ffn, m->y, hidden, dim, m->b);
        for (uint32_t i = 0; i < hidden; i++) m->a[i] = m->a[i] / (1 + exp(-m->a[i])) * m->b[i];
        matvec(m->down + ffn, m->a, dim, hidden, m->y);
        add(m->x, m->y, dim);
    }
    rmsnorm(m->x, m->final_norm, dim, m->y);
    matvec(m->output, m->y, m->c.vocab, dim, logits);
}

int32_t llama2c_best(const double *logits, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (logits[i] > logits[best]) best = i;
    return (int32_t)best;
}

uint32_t llama2c_greedy(llama2c *m, int32_t *out, uint32_t count, double *margin)
{
    double *logits = malloc(m->c.vocab * sizeof *logits);
    int32_t token = BOS;
    uint32_t n = 0;
    if (margin) *margin = INFINITY;
    while (logits && n < count && n < m->c.context) {
        llama2c_forward(m, token, n, logits);
        token = llama2c_best(logits, m->c.vocab);
        for (uint32_t i = 0; margin && i < m->c.vocab; i++) {
            double distance = logits[token] - logits[i];
            if (i != (uint32_t)token && distance < *margin) *margin = distance;
        }
        if (token == BOS) break;
        out[n++] = token;
    }
    free(logits);
    return n;
}

size_t llama2c_bytes(const llama2c *m, int32_t before, int32_t token, char *out)
{
    piece p = m->pieces[token];
    unsigned byte;
    char spelled[7] = "";
    if (before == BOS && p.count > 0 && p.bytes[0] == ' ') p = (piece){p.bytes + 1, p.count - 1};
    if (p.count == 6) memcpy(spelled, p.bytes, 6);
    if (sscanf(spelled, "<0x%02X>", &byte) == 1) {
        out[0] = (char)(unsigned char)byte;
        return 1;
    }
    memcpy(out, p.bytes, p.count);
    return p.count;
}

size_t llama2c_max_bytes(const llama2c *m)
{
    return m->max_bytes;
}
