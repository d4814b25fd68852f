#include "support/ref_model.h"

#include "base/dtype.h"
#include "base/half.h"
#include "ref/ref.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEAD_SIZE 256
#define MAX_SLABS 16

typedef struct ref_matrix {
    tvk_dtype type;
    uint32_t n, k, row_words;
    uint32_t *words;  /* T2, T1, Q8, Q4 or Q6 codes, f16 pairs */
    float *floats;    /* F32 and BF16 */
    float *scales;    /* T2, T1 [N], T2 for floats [N, ceil(K/256)], Q8, Q4 */
    uint32_t *packed; /* Q6: scales */
    uint32_t row_scales;
} ref_matrix;

typedef struct ref_layer {
    ref_matrix q, k, v, gate, up;
    ref_matrix o[MAX_SLABS], down[MAX_SLABS]; /* column slabs: one but in b1 */
    float *attn_norm, *attn_sub_norm, *ffn_norm, *ffn_sub_norm;
    float *keys, *values;             /* levels [context][kv_heads][head_size] */
    float *key_scales, *value_scales; /* [kv_heads][context] */
} ref_layer;

struct ref_model {
    tvk_model_info info;
    bool ok;
    const char *act; /* info.act_quant */
    ref_layer *layers;
    ref_matrix embedding, output;
    float *output_norm, *rope;
    uint32_t position;
};

static void *zeroed(ref_model *m, size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    if (!p) m->ok = false;
    return p;
}

static bool is_ternary(tvk_dtype type)
{
    return type == TVK_I2_S || type == TVK_TQ1_0 || type == TVK_TQ2_0;
}

static float half_at(const void *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return tvk_ref_f16_to_f32(h);
}

static void read_ternary(ref_model *m, const tvk_weight_source *s, const tvk_tensor *t,
                         const char *scale_name, ref_matrix *out)
{
    const uint8_t *data = t->data;
    const tvk_tensor *scale = s->tensor(s->user, scale_name);
    float all = 1;
    bool floats = strcmp(m->act, "none") == 0; /* enter it: a scale a block */
    uint32_t block_bytes = t->type == TVK_TQ1_0 ? 54 : 66;
    out->row_words = (out->k + 127) / 128 * 8;
    out->row_scales = floats ? (out->k + 255) / 256 : 1;
    out->words = zeroed(m, (size_t)out->n * out->row_words, 4);
    out->scales = zeroed(m, (size_t)out->n * out->row_scales, 4);
    if (!m->ok) return;
    if (t->type == TVK_I2_S) {
        tvk_ref_repack_i2s(data, 0, out->n, out->k, out->words);
        memcpy(&all, data + (size_t)out->n * out->k / 4, sizeof all);
    } else if (t->type == TVK_TQ1_0) {
        tvk_ref_repack_tq1(data, out->n, out->k, out->words);
    } else {
        tvk_ref_repack_tq2(data, out->n, out->k, out->words);
    }
    if (scale) {
        float f;
        memcpy(&f, scale->data, sizeof f);
        all = all * f;
    }
    for (uint32_t i = 0; i < out->n * out->row_scales; i++) {
        /* without floats one scale, the first block's */
        const uint8_t *end = data + (floats ? i + 1 : 1) * block_bytes;
        out->scales[i] = t->type == TVK_I2_S ? all : all * half_at(end - 2);
    }
}

/* Q8_0, Q4_0 and Q6_K. */
static void read_blocks(ref_model *m, const tvk_tensor *t, ref_matrix *out)
{
    const uint32_t rounds = (out->k + 255) / 256;
    out->row_words = t->type == TVK_Q8_0 ? out->k / 4 : rounds * (t->type == TVK_Q6_K ? 48 : 32);
    out->row_scales = t->type == TVK_Q8_0 ? out->k / 32 : rounds * (t->type == TVK_Q6_K ? 5 : 8);
    out->words = zeroed(m, (size_t)out->n * out->row_words, 4);
    if (t->type == TVK_Q6_K) {
        out->packed = zeroed(m, (size_t)out->n * out->row_scales, 4);
        if (m->ok) tvk_ref_repack_q6(t->data, out->n, out->k, out->words, out->packed);
        return;
    }
    out->scales = zeroed(m, (size_t)out->n * out->row_scales, 4);
    if (m->ok)
        (t->type == TVK_Q8_0 ? tvk_ref_repack_q8 : tvk_ref_repack_q4)(t->data, out->n, out->k,
                                                                      out->words, out->scales);
}

static void read_floats(ref_model *m, const tvk_tensor *t, ref_matrix *out)
{
    size_t count = (size_t)out->n * out->k;
    out->floats = zeroed(m, count, 4);
    for (size_t i = 0; m->ok && i < count; i++) {
        if (t->type == TVK_F32) {
            memcpy(&out->floats[i], (const uint8_t *)t->data + 4 * i, 4);
        } else {
            uint16_t h;
            memcpy(&h, (const uint8_t *)t->data + 2 * i, 2);
            out->floats[i] = tvk_f32_from_bits((uint32_t)h << 16);
        }
    }
}

static void read_matrix(ref_model *m, const tvk_weight_source *s, const char *stem, ref_matrix *out)
{
    char name[96], scale[96];
    const tvk_tensor *t;
    snprintf(name, sizeof name, "%s.weight", stem);
    snprintf(scale, sizeof scale, "%s.scale", stem);
    t = s->tensor(s->user, name);
    if (!t) {
        m->ok = false;
        return;
    }
    out->type = t->type;
    out->k = (uint32_t)t->dims[0];
    out->n = (uint32_t)t->dims[1];
    if (is_ternary(t->type)) {
        read_ternary(m, s, t, scale, out);
    } else if (t->type == TVK_F16) {
        out->row_words = out->k / 2;
        out->words = zeroed(m, (size_t)out->n * out->row_words, 4);
        if (m->ok) memcpy(out->words, t->data, (size_t)out->n * out->k * 2);
    } else if (tvk_dtype_get(t->type)->block_elems > 1) {
        read_blocks(m, t, out);
    } else {
        read_floats(m, t, out);
    }
}

static float *read_vector(ref_model *m, const tvk_weight_source *s, const char *name, bool required)
{
    const tvk_tensor *t = s->tensor(s->user, name);
    ref_matrix v = {0};
    if (!t) {
        if (required) m->ok = false;
        return NULL;
    }
    v.n = 1;
    v.k = (uint32_t)t->dims[0];
    if (t->type == TVK_F16) {
        v.floats = zeroed(m, v.k, 4);
        for (uint32_t i = 0; m->ok && i < v.k; i++) {
            v.floats[i] = half_at((const uint8_t *)t->data + 2 * i);
        }
    } else {
        read_floats(m, t, &v);
    }
    return v.floats;
}

/* Signs of inputs [first, first + k) of a matrix of `all`; slab < 0: scales by row slabs. */
static void read_signs(ref_model *m, const tvk_weight_source *s, const char *stem, uint32_t all,
                       uint32_t first, uint32_t k, int slab, ref_matrix *out)
{
    char name[96], scale_name[96];
    const tvk_tensor *t, *scale;
    const uint8_t *bits;
    uint32_t groups = m->info.weight_groups;
    snprintf(name, sizeof name, "%s.weight", stem);
    snprintf(scale_name, sizeof scale_name, "%s.scale", stem);
    t = s->tensor(s->user, name);
    scale = s->tensor(s->user, scale_name);
    if (!t || !scale || t->type != TVK_I8 || t->dims[0] != (all + 7) / 8) {
        m->ok = false;
        return;
    }
    out->type = TVK_I8;
    out->k = k;
    out->n = (uint32_t)t->dims[1];
    out->row_words = (k + 127) / 128 * 4;
    out->words = zeroed(m, (size_t)out->n * out->row_words, 4);
    out->scales = zeroed(m, out->n, 4);
    if (!m->ok) return;
    for (uint32_t r = 0; r < out->n; r++) {
        uint32_t group = slab < 0 ? r / (out->n / groups) : (uint32_t)slab;
        bits = (const uint8_t *)t->data + (size_t)r * t->dims[0];
        memcpy(&out->scales[r], (const uint8_t *)scale->data + 4 * (size_t)group, 4);
        for (uint32_t i = 0; i < k; i++) {
            uint32_t bit = bits[(first + i) / 8] >> (first + i) % 8 & 1u;
            out->words[(size_t)r * out->row_words + i / 32] |= bit << (8 * (i % 4) + i % 32 / 4);
        }
    }
}

static void read_layer_b1(ref_model *m, const tvk_weight_source *s, uint32_t l, ref_layer *out)
{
    const tvk_model_info *i = &m->info;
    uint32_t q = i->heads * i->head_size, slabs = i->weight_groups;
    struct {
        const char *name;
        ref_matrix *matrix;
        uint32_t k, slabs;
    } linears[] = {{"attn_q", &out->q, i->hidden, 0},  {"attn_k", &out->k, i->hidden, 0},
                   {"attn_v", &out->v, i->hidden, 0},  {"attn_output", out->o, q, slabs},
                   {"ffn_up", &out->up, i->hidden, 0}, {"ffn_down", out->down, i->ffn, slabs}};
    char name[96];
    for (size_t j = 0; j < sizeof linears / sizeof *linears; j++) {
        uint32_t k = linears[j].k;
        snprintf(name, sizeof name, "blk.%u.%s", l, linears[j].name);
        if (linears[j].slabs == 0) read_signs(m, s, name, k, 0, k, -1, linears[j].matrix);
        for (uint32_t g = 0; g < linears[j].slabs; g++)
            read_signs(m, s, name, k, g * (k / slabs), k / slabs, (int)g, linears[j].matrix + g);
    }
}

static void read_cache(ref_model *m, ref_layer *out)
{
    const tvk_model_info *i = &m->info;
    size_t cache = (size_t)i->context * i->kv_heads * i->head_size;
    out->keys = zeroed(m, cache, 4);
    out->values = zeroed(m, cache, 4);
    out->key_scales = zeroed(m, (size_t)i->context * i->kv_heads, 4);
    out->value_scales = zeroed(m, (size_t)i->context * i->kv_heads, 4);
}

static void read_layer(ref_model *m, const tvk_weight_source *s, uint32_t l, ref_layer *out)
{
    struct {
        const char *name;
        ref_matrix *matrix;
    } linears[] = {{"attn_q", &out->q},     {"attn_k", &out->k},      {"attn_v", &out->v},
                   {"attn_output", out->o}, {"ffn_gate", &out->gate}, {"ffn_up", &out->up},
                   {"ffn_down", out->down}};
    struct {
        const char *name;
        float **vector;
        bool required;
    } gains[] = {{"attn_norm", &out->attn_norm, true},
                 {"attn_sub_norm", &out->attn_sub_norm, false},
                 {"ffn_norm", &out->ffn_norm, true},
                 {"ffn_sub_norm", &out->ffn_sub_norm, false}};
    char name[96];
    for (size_t j = 0; j < sizeof linears / sizeof *linears; j++) {
        snprintf(name, sizeof name, "blk.%u.%s", l, linears[j].name);
        read_matrix(m, s, name, linears[j].matrix);
    }
    for (size_t j = 0; j < sizeof gains / sizeof *gains; j++) {
        snprintf(name, sizeof name, "blk.%u.%s.weight", l, gains[j].name);
        *gains[j].vector = read_vector(m, s, name, gains[j].required);
    }
}

ref_model *ref_model_open(const tvk_weight_source *s, const tvk_model_info *info)
{
    ref_model *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->ok = true;
    m->info = *info;
    m->act = m->info.act_quant;
    m->layers = zeroed(m, info->layers, sizeof *m->layers);
    m->rope = zeroed(m, (size_t)info->context * info->head_size, 4);
    for (uint32_t l = 0; m->ok && l < info->layers; l++) {
        (info->layer_norm ? read_layer_b1 : read_layer)(m, s, l, &m->layers[l]);
        read_cache(m, &m->layers[l]);
    }
    if (m->ok) {
        read_matrix(m, s, "token_embd", &m->embedding);
        if (!info->tied_head) read_matrix(m, s, "output", &m->output);
        m->output_norm = read_vector(m, s, "output_norm.weight", true);
        tvk_ref_rope_table(info->rope_theta, info->head_size, info->context, m->rope);
    }
    if (!m->ok) {
        ref_model_close(m);
        return NULL;
    }
    return m;
}

static void free_matrix(ref_matrix *m)
{
    free(m->words);
    free(m->floats);
    free(m->scales);
    free(m->packed);
}

void ref_model_close(ref_model *m)
{
    if (!m) return;
    for (uint32_t l = 0; m->layers && l < m->info.layers; l++) {
        ref_layer *r = &m->layers[l];
        ref_matrix *all[] = {&r->q, &r->k, &r->v, &r->gate, &r->up};
        float *vectors[] = {r->attn_norm, r->attn_sub_norm, r->ffn_norm,   r->ffn_sub_norm,
                            r->keys,      r->values,        r->key_scales, r->value_scales};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_matrix(all[i]);
        for (size_t i = 0; i < MAX_SLABS; i++) {
            free_matrix(&r->o[i]);
            free_matrix(&r->down[i]);
        }
        for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) free(vectors[i]);
    }
    free_matrix(&m->embedding);
    free_matrix(&m->output);
    free(m->output_norm);
    free(m->rope);
    free(m->layers);
    free(m);
}

void ref_model_reset(ref_model *m)
{
    m->position = 0;
}

typedef enum ref_format { FORMAT_I8, FORMAT_I4, FORMAT_FP4, FORMAT_F32 } ref_format;

/* Scratch of one step, freed at its end. */
typedef struct ref_scratch {
    float *x, *y, *q, *k, *v, *o, *gate_up, *f;
    uint32_t *record;
    ref_format format; /* what the record holds; F32: x itself is read */
    const float **keys, **values;
} ref_scratch;

static void gemv(const ref_matrix *w, const float *x, const ref_scratch *s, bool add, float *y)
{
    if (is_ternary(w->type) && s->format == FORMAT_I4) {
        tvk_ref_gemv_t2_i4(w->words, w->scales, s->record, w->n, w->k, add, y);
    } else if (is_ternary(w->type) && s->format == FORMAT_FP4) {
        tvk_ref_gemv_t2_fp4(w->words, w->scales, s->record, w->n, w->k, add, y);
    } else if (is_ternary(w->type) && s->format == FORMAT_F32) {
        tvk_ref_gemv_t2_f32(w->words, w->scales, x, w->n, w->k, add, y);
    } else if (w->type == TVK_I8) {
        tvk_ref_gemv_t1_i8(w->words, w->scales, s->record, w->n, w->k, add, y);
    } else if (is_ternary(w->type)) {
        tvk_ref_gemv_t2_i8(w->words, w->scales, s->record, w->n, w->k, add, y);
    } else if (w->type == TVK_F16) {
        tvk_ref_gemv_f16(w->words, x, w->n, w->k, add, y);
    } else if (w->type == TVK_Q8_0) {
        tvk_ref_gemv_q8(w->words, w->scales, x, w->n, w->k, add, y);
    } else if (w->type == TVK_Q4_0) {
        tvk_ref_gemv_q4(w->words, w->scales, x, w->n, w->k, add, y);
    } else if (w->type == TVK_Q6_K) {
        tvk_ref_gemv_q6(w->words, w->packed, x, w->n, w->k, add, y);
    } else {
        tvk_ref_gemv_f32(w->floats, x, w->n, w->k, add, y);
    }
}

typedef enum ref_linear { QKV, O, GATE_UP, DOWN } ref_linear;

/* What a linear reads: norm (if any), then codes (if the model has them). */
static const float *linear_input(const ref_model *m, ref_linear which, ref_scratch *s,
                                 const float *x, const float *gain, uint32_t width)
{
    const float *in = x;
    bool a48 = strcmp(m->act, "a4.8") == 0, fp4 = strcmp(m->act, "a4.8-fp4") == 0;
    bool v2 = strncmp(m->act, "v2-", 3) == 0;
    if (m->info.layer_norm) {
        tvk_ref_layernorm(x, NULL, m->info.norm_eps, width, s->y);
        x = s->y;
    } else if (gain) {
        tvk_ref_rmsnorm(x, gain, m->info.norm_eps, width, s->y);
        x = s->y;
    }
    s->format = FORMAT_F32;
    if (strcmp(m->act, "none") == 0) return x;
    if (v2 && (which == O || which == DOWN)) {
        if (!gain) memcpy(s->y, x, width * sizeof *x);
        tvk_ref_hadamard(s->y, width);
        x = in = s->y;
        gain = NULL;
    }
    s->format = FORMAT_I8;
    if ((a48 && (which == QKV || which == GATE_UP)) || strcmp(m->act, "v2-a4") == 0) {
        s->format = FORMAT_I4;
        tvk_ref_act_i4(in, gain, m->info.norm_eps, width, s->record);
    } else if (a48 && which == O) {
        tvk_ref_act_topk(x, width, s->record);
    } else if (fp4 && which != DOWN) {
        s->format = FORMAT_FP4;
        tvk_ref_act_fp4(x, width, s->record);
    } else {
        tvk_ref_act_i8(x, width, s->record);
    }
    return x;
}

/* y (+)= W x of a linear with column slabs. */
static void slabs(const ref_model *m, ref_linear which, const ref_matrix *w, ref_scratch *s,
                  const float *x, const float *gain, uint32_t width, float *y)
{
    const float *in;
    uint32_t count = m->info.weight_groups, part = width / count;
    if (!m->info.layer_norm) {
        in = linear_input(m, which, s, x, gain, width);
        gemv(w, in, s, true, y);
        return;
    }
    for (uint32_t g = 0; g < count; g++) {
        in = linear_input(m, which, s, x + g * part, NULL, part);
        gemv(w + g, in, s, true, y);
    }
}

/* The heads of this position as the cache gives them back. Under q3 position 0 has four bits. */
static void store(const ref_model *m, tvk_kv_type kind, const float *from, float *to, float *scales)
{
    uint32_t d = m->info.head_size, words[MAX_HEAD_SIZE];
    uint32_t type = kind == TVK_KV_Q3 && m->position == 0 ? TVK_CACHE_Q4 : (uint32_t)kind;
    to += (size_t)m->position * m->info.kv_heads * d;
    for (uint32_t g = 0; g < m->info.kv_heads; g++) {
        uint16_t scale;
        tvk_ref_kv_pack(type, from + g * d, d, words, &scale);
        scales[(size_t)g * m->info.context + m->position] =
            tvk_ref_kv_unpack(type, words, scale, d, to + g * d);
    }
}

static void attention(ref_model *m, ref_layer *l, ref_scratch *s)
{
    const tvk_model_info *i = &m->info;
    uint32_t d = i->head_size, kv = i->kv_heads * d, group = i->heads / i->kv_heads;
    const float *turn = m->rope + (size_t)m->position * d;
    const float *in = linear_input(m, QKV, s, s->x, l->attn_norm, i->hidden);
    gemv(&l->q, in, s, false, s->q);
    gemv(&l->k, in, s, false, s->k);
    gemv(&l->v, in, s, false, s->v);
    for (uint32_t h = 0; h < i->heads; h++) {
        tvk_ref_rope(s->q + h * d, turn, d, d, i->rope_interleaved);
    }
    for (uint32_t h = 0; h < i->kv_heads; h++) {
        tvk_ref_rope(s->k + h * d, turn, d, d, i->rope_interleaved);
    }
    store(m, i->kv_k, s->k, l->keys, l->key_scales);
    store(m, i->kv_v, s->v, l->values, l->value_scales);
    for (uint32_t h = 0; h < i->heads; h++) {
        size_t scales = (size_t)(h / group) * i->context;
        const tvk_ref_kv rows = {s->keys, s->values, l->key_scales + scales,
                                 l->value_scales + scales};
        for (uint32_t p = 0; p <= m->position; p++) {
            s->keys[p] = l->keys + (size_t)p * kv + h / group * d;
            s->values[p] = l->values + (size_t)p * kv + h / group * d;
        }
        float *q = s->q + h * d, q_scale = 1.0f;
        if (i->q != TVK_Q_F32) {
            uint32_t record[TVK_QUERY_WORDS(MAX_HEAD_SIZE)];
            tvk_ref_query_pack((uint32_t)i->q, q, d, record);
            q_scale = tvk_ref_query_unpack(record, d, q);
        }
        tvk_ref_attention(q, q_scale, &rows, m->position + 1, d, (float)(1.0 / sqrt((double)d)),
                          s->o + h * d);
    }
    slabs(m, O, l->o, s, s->o, l->attn_sub_norm, i->heads * d, s->x);
}

static void ffn(ref_model *m, ref_layer *l, ref_scratch *s)
{
    const tvk_model_info *i = &m->info;
    const float *in = linear_input(m, GATE_UP, s, s->x, l->ffn_norm, i->hidden);
    if (i->layer_norm) {
        gemv(&l->up, in, s, false, s->gate_up);
        tvk_ref_gelu(s->gate_up, i->ffn, s->f);
    } else {
        gemv(&l->gate, in, s, false, s->gate_up);
        gemv(&l->up, in, s, false, s->gate_up + i->ffn);
        tvk_ref_glu(s->gate_up, i->ffn, strcmp(i->activation, "relu2") == 0, s->f);
    }
    slabs(m, DOWN, l->down, s, s->f, l->ffn_sub_norm, i->ffn, s->x);
}

static void embed(const ref_model *m, int32_t token, float *x)
{
    const ref_matrix *e = &m->embedding;
    size_t row = (size_t)token;
    if (e->type == TVK_F16) {
        tvk_ref_embed_f16(e->words + row * e->row_words, e->k, x);
    } else if (e->type == TVK_Q8_0) {
        tvk_ref_embed_q8(e->words + row * e->row_words, e->scales + row * e->row_scales, e->k, x);
    } else if (e->type == TVK_Q4_0) {
        tvk_ref_embed_q4(e->words + row * e->row_words, e->scales + row * e->row_scales, e->k, x);
    } else if (e->type == TVK_Q6_K) {
        tvk_ref_embed_q6(e->words + row * e->row_words, e->packed + row * e->row_scales, e->k, x);
    } else {
        memcpy(x, e->floats + row * e->k, e->k * sizeof *x);
    }
}

void ref_model_step(ref_model *m, int32_t token, float *logits)
{
    const tvk_model_info *i = &m->info;
    uint32_t q = i->heads * i->head_size, widest = i->hidden;
    ref_scratch s = {0};
    if (q > widest) widest = q;
    if (i->ffn > widest) widest = i->ffn;
    s.x = zeroed(m, i->hidden, 4);
    s.y = zeroed(m, widest, 4);
    s.q = zeroed(m, q, 4);
    s.k = zeroed(m, q, 4);
    s.v = zeroed(m, q, 4);
    s.o = zeroed(m, q, 4);
    s.gate_up = zeroed(m, 2 * (size_t)i->ffn, 4);
    s.f = zeroed(m, i->ffn, 4);
    s.record = zeroed(m, tvk_ref_act_words(widest), 4);
    s.keys = zeroed(m, i->context, sizeof *s.keys);
    s.values = zeroed(m, i->context, sizeof *s.values);
    if (!m->ok) abort();
    embed(m, token, s.x);
    for (uint32_t l = 0; l < i->layers; l++) {
        attention(m, &m->layers[l], &s);
        ffn(m, &m->layers[l], &s);
    }
    (i->layer_norm ? tvk_ref_layernorm : tvk_ref_rmsnorm)(s.x, m->output_norm, i->norm_eps,
                                                          i->hidden, s.y);
    gemv(i->tied_head ? &m->embedding : &m->output, s.y, &s, false, logits);
    m->position++;
    free(s.x);
    free(s.y);
    free(s.q);
    free(s.k);
    free(s.v);
    free(s.o);
    free(s.gate_up);
    free(s.f);
    free(s.record);
    free(s.keys);
    free(s.values);
}
