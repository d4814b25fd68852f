#include "shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "shape_random.h"

#define KEY_COUNT 10
#define MAX_BLOBS 16
#define TENSORS_A_LAYER 11 /* b1 has 12 */

typedef struct size_row {
    const char *name;
    uint32_t layers, hidden, ffn, heads, kv_heads, vocab, context;
    double theta;
    bool relu2, b1;
} size_row;

/* 2b4t: arXiv 2504.12285; 700m to 7b: the b1.58 paper's, arXiv 2402.17764, and its FAQ; 13b and
 * 70b: LLaMA's; v2-*: the BitNet v2 paper's, arXiv 2504.18415 (--act v2-a8, v2-a4); b1-*: GPT-3's
 * with the vocabulary of the BitNet paper, arXiv 2310.11453. Every head is tied to the embedding.
 */
static const size_row sizes[] = {
    {"2b4t", 30, 2560, 6912, 20, 5, 128256, 4096, 500000, true, false},
    {"700m", 24, 1536, 4096, 24, 24, 32000, 2048, 10000, false, false},
    {"1.3b", 24, 2048, 5460, 32, 32, 32000, 2048, 10000, false, false},
    {"3b", 26, 3200, 8640, 32, 32, 32000, 2048, 10000, false, false},
    {"7b", 32, 4096, 11008, 32, 32, 32000, 2048, 10000, false, false},
    {"13b", 40, 5120, 13824, 40, 40, 32000, 2048, 10000, false, false},
    {"70b", 80, 8192, 28672, 64, 8, 32000, 2048, 10000, false, false},
    {"v2-400m", 24, 1024, 4096, 16, 16, 32000, 2048, 10000, false, false},
    {"v2-1.3b", 18, 2048, 8192, 32, 32, 32000, 2048, 10000, false, false},
    {"v2-3b", 20, 4096, 8192, 32, 32, 32000, 2048, 10000, false, false},
    {"v2-7b", 24, 4096, 16384, 32, 32, 32000, 2048, 10000, false, false},
    {"b1-125m", 12, 768, 3072, 12, 12, 16384, 2048, 10000, false, true},
    {"b1-6.7b", 32, 4096, 16384, 32, 32, 16384, 2048, 10000, false, true},
    {"25m", 6, 512, 1536, 8, 8, 12288, 2048, 10000, true, false},
};
#define SIZE_COUNT (sizeof sizes / sizeof *sizes)

typedef struct key {
    char name[64];
    uint64_t value;
} key;

typedef struct blob {
    tvk_dtype type;
    uint64_t bytes;
    void *data;
} blob;

struct shape {
    char name[32], arch[16], activation_key[40];
    size_row size;
    bool ternary, zeros;
    tvk_dtype embedding;
    key keys[KEY_COUNT];
    uint32_t key_count;
    tvk_tensor *tensors;
    char (*names)[64];
    uint32_t tensor_count;
    blob blobs[MAX_BLOBS];
    uint32_t blob_count;
    uint64_t random;
    tvk_weight_source source;
};

/* The bytes of a tensor of `elems` values with K = `inputs`; NULL when there is no memory. */
static void *random_bytes(shape *s, tvk_dtype type, uint64_t elems, uint32_t inputs,
                          uint64_t *bytes)
{
    blob *b = s->blobs;
    *bytes = shape_bytes(type, elems);
    for (; b < s->blobs + s->blob_count; b++) {
        if (b->type == type && b->bytes == *bytes) return b->data;
    }
    if (s->blob_count == MAX_BLOBS || *bytes > SIZE_MAX) return NULL;
    *b = (blob){type, *bytes, calloc(1, (size_t)*bytes)};
    if (!b->data) return NULL;
    s->blob_count++;
    if (!s->zeros) shape_fill(type, b->data, *bytes, inputs, &s->random);
    return b->data;
}

/* rows 0: a vector. */
static bool add(shape *s, const char *name, tvk_dtype type, uint32_t rows, uint32_t cols)
{
    tvk_tensor *t = &s->tensors[s->tensor_count];
    char *copy = s->names[s->tensor_count++];
    snprintf(copy, sizeof *s->names, "%s", name);
    *t = (tvk_tensor){.name = copy, .type = type, .dim_count = rows ? 2 : 1, .dims = {cols, rows}};
    if (!rows) t->dims[1] = 1;
    t->data = random_bytes(s, type, (uint64_t)cols * t->dims[1], cols, &t->bytes);
    return t->data != NULL;
}

/* b1: signs with a scale each, neither norms nor gate. */
static bool add_layer_b1(shape *s, uint32_t layer)
{
    const size_row *z = &s->size;
    const struct {
        const char *name;
        uint32_t rows, cols;
    } parts[] = {{"attn_q", z->hidden, z->hidden}, {"attn_k", z->hidden, z->hidden},
                 {"attn_v", z->hidden, z->hidden}, {"attn_output", z->hidden, z->hidden},
                 {"ffn_up", z->ffn, z->hidden},    {"ffn_down", z->hidden, z->ffn}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%u.%s.weight", layer, parts[i].name);
        if (!add(s, name, TVK_I8, parts[i].rows, (parts[i].cols + 7) / 8)) return false;
        snprintf(name, sizeof name, "blk.%u.%s.scale", layer, parts[i].name);
        if (!add(s, name, TVK_F32, 0, 1)) return false;
    }
    return true;
}

static bool add_layer(shape *s, uint32_t layer)
{
    const size_row *z = &s->size;
    const uint32_t kv = z->hidden / z->heads * z->kv_heads;
    const struct {
        const char *name;
        uint32_t rows, cols; /* rows 0: gains */
    } parts[TENSORS_A_LAYER] = {
        {"attn_norm", 0, z->hidden},
        {"attn_q", z->hidden, z->hidden},
        {"attn_k", kv, z->hidden},
        {"attn_v", kv, z->hidden},
        {"attn_output", z->hidden, z->hidden},
        {"ffn_norm", 0, z->hidden},
        {"ffn_gate", z->ffn, z->hidden},
        {"ffn_up", z->ffn, z->hidden},
        {"ffn_down", z->hidden, z->ffn},
        {"attn_sub_norm", 0, z->hidden},
        {"ffn_sub_norm", 0, z->ffn},
    };
    for (uint32_t i = 0; i < (s->ternary ? TENSORS_A_LAYER : TENSORS_A_LAYER - 2); i++) {
        char name[64];
        tvk_dtype type = parts[i].rows == 0 ? TVK_F32 : s->ternary ? TVK_I2_S : TVK_F16;
        snprintf(name, sizeof name, "blk.%u.%s.weight", layer, parts[i].name);
        if (!add(s, name, type, parts[i].rows, parts[i].cols)) return false;
    }
    return true;
}

static void set_key(shape *s, const char *suffix, uint64_t value)
{
    key *k = &s->keys[s->key_count++];
    snprintf(k->name, sizeof k->name, "%s.%s", s->arch, suffix);
    k->value = value;
}

static bool build(shape *s)
{
    const size_row *z = &s->size;
    size_t count = (size_t)z->layers * (TENSORS_A_LAYER + 1) + 2;
    s->tensors = calloc(count, sizeof *s->tensors);
    s->names = calloc(count, sizeof *s->names);
    if (!s->tensors || !s->names) return false;
    set_key(s, "block_count", z->layers);
    set_key(s, "embedding_length", z->hidden);
    set_key(s, "feed_forward_length", z->ffn);
    set_key(s, "attention.head_count", z->heads);
    set_key(s, "attention.head_count_kv", z->kv_heads);
    set_key(s, "context_length", z->context);
    for (uint32_t l = 0; l < z->layers; l++)
        if (!(z->b1 ? add_layer_b1 : add_layer)(s, l)) return false;
    return add(s, "output_norm.weight", TVK_F32, 0, z->hidden) &&
           add(s, "token_embd.weight", s->embedding, z->vocab, z->hidden);
}

/* ---- weight source ---- */

static const tvk_tensor *get_tensor(void *user, const char *name)
{
    const shape *s = user;
    for (uint32_t i = 0; i < s->tensor_count; i++)
        if (!strcmp(s->tensors[i].name, name)) return &s->tensors[i];
    return NULL;
}

static uint32_t get_tensor_count(void *user)
{
    return ((const shape *)user)->tensor_count;
}

static const tvk_tensor *get_tensor_at(void *user, uint32_t index)
{
    return &((const shape *)user)->tensors[index];
}

static bool get_u64(void *user, const char *name, uint64_t *out, tvk_error *err)
{
    const shape *s = user;
    (void)err;
    for (uint32_t i = 0; i < s->key_count; i++) {
        if (strcmp(s->keys[i].name, name) != 0) continue;
        *out = s->keys[i].value;
        return true;
    }
    return false;
}

static bool get_f64(void *user, const char *name, double *out, tvk_error *err)
{
    const shape *s = user;
    const char *suffix = strstr(name, ".rope.freq_base");
    (void)err;
    if (suffix && !suffix[strlen(".rope.freq_base")]) {
        *out = s->size.theta;
        return true;
    }
    return false;
}

static bool get_bool(void *user, const char *name, bool *out, tvk_error *err)
{
    (void)user;
    (void)name;
    (void)out;
    (void)err;
    return false;
}

static bool get_str(void *user, const char *name, const char **out, tvk_error *err)
{
    const shape *s = user;
    (void)err;
    if (!strcmp(name, "general.architecture"))
        *out = s->arch;
    else if (!strcmp(name, "general.name"))
        *out = s->name;
    else if (!strcmp(name, s->activation_key))
        *out = s->size.b1 ? "gelu" : s->ternary && s->size.relu2 ? "relu2" : "silu";
    else
        return false;
    return true;
}

static uint64_t get_array_count(void *user, const char *name)
{
    (void)user;
    (void)name;
    return 0;
}

const char *shape_sizes(char *text, size_t bytes)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < SIZE_COUNT && at < bytes; i++)
        at += (size_t)snprintf(text + at, bytes - at, "%s%s", i ? ", " : "", sizes[i].name);
    return text;
}

static bool embedding_type(const char *text, tvk_dtype *out)
{
    static const tvk_dtype types[] = {TVK_F16, TVK_Q8_0, TVK_Q6_K};
    static const char *const names[] = {"f16", "q8_0", "q6_k"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        *out = types[i];
        if (!text || !strcmp(text, names[i])) return true;
    }
    out_error("--embedding-type: f16, q8_0 or q6_k expected, '%s' found", text);
    return false;
}

/* A row of the embedding must be whole blocks. */
static bool embedding_fits(const char *name, const char *type, tvk_dtype embedding,
                           const size_row *row)
{
    if (row->hidden % shape_block(embedding) == 0) return true;
    out_error("--embedding-type %s: %s is %u wide, no multiple of %u", type, name, row->hidden,
              shape_block(embedding));
    return false;
}

shape *shape_open(const shape_params *params, int *status)
{
    char text[128];
    const char *name = params->name;
    const bool llama = !strncmp(name, "llama-", 6), bitnet = !strncmp(name, "bitnet-", 7);
    const char *size = name + (llama ? 6 : bitnet ? 7 : 0);
    const size_row *row = NULL;
    tvk_dtype table;
    shape *s;
    *status = 2;
    if (!embedding_type(params->embedding, &table)) return NULL;
    for (size_t i = 0; i < SIZE_COUNT; i++)
        if (!strcmp(size, sizes[i].name)) row = &sizes[i];
    if (!row || (llama && row->b1) || (!llama && !bitnet && strcmp(size, "25m") != 0)) {
        out_error("--shape: bitnet-SIZE or llama-SIZE expected, SIZE one of %s; '%s' found",
                  shape_sizes(text, sizeof text), name);
        return NULL;
    }
    if (params->layers > row->layers) {
        out_error("--layers: %s has %u, %u found", name, row->layers, params->layers);
        return NULL;
    }
    if (!embedding_fits(name, params->embedding, table, row)) return NULL;
    *status = 1;
    s = calloc(1, sizeof *s);
    if (s) {
        s->size = *row;
        if (params->layers) s->size.layers = params->layers;
        s->size.relu2 |= params->a48;
        s->zeros = params->zeros;
        s->ternary = !llama;
        s->embedding = table;
        s->random = 88172645463325252u;
        snprintf(s->name, sizeof s->name, "%s%s", llama || bitnet ? "" : "bitnet-", name);
        snprintf(s->arch, sizeof s->arch, "%s", llama ? "llama" : row->b1 ? "bitnet-b1" : "bitnet");
        snprintf(s->activation_key, sizeof s->activation_key, "%s.hidden_activation", s->arch);
        s->source =
            (tvk_weight_source){s,       s->name, get_tensor, get_tensor_count, get_tensor_at,
                                get_u64, get_f64, get_bool,   get_str,          get_array_count};
    }
    if (!s || !build(s)) {
        out_error("--shape %s: no memory for its tensors", name);
        shape_close(&s);
        return NULL;
    }
    *status = 0;
    return s;
}

void shape_close(shape **s)
{
    if (!*s) return;
    for (uint32_t i = 0; i < (*s)->blob_count; i++) free((*s)->blobs[i].data);
    free((*s)->tensors);
    free((*s)->names);
    free(*s);
    *s = NULL;
}

const tvk_weight_source *shape_source(const shape *s)
{
    return &s->source;
}
