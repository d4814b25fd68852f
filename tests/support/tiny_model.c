#include "support/tiny_model.h"

#include "base/half.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 32u

enum { GGUF_U32 = 4, GGUF_F32 = 6, GGUF_STRING = 8 };

typedef struct bytes {
    uint8_t *data;
    size_t count, capacity;
} bytes;

static void put(bytes *b, const void *data, size_t n)
{
    if (b->count + n > b->capacity) {
        b->capacity = (b->count + n) * 2 + 256;
        b->data = realloc(b->data, b->capacity);
        if (!b->data) abort();
    }
    memcpy(b->data + b->count, data, n);
    b->count += n;
}

static void put_u32(bytes *b, uint32_t v)
{
    put(b, &v, sizeof v);
}

static void put_u64(bytes *b, uint64_t v)
{
    put(b, &v, sizeof v);
}

static void put_text(bytes *b, const char *s)
{
    put_u64(b, strlen(s));
    put(b, s, strlen(s));
}

typedef struct writer {
    const tiny_spec *spec;
    bytes meta, infos, data;
    uint64_t meta_count, tensor_count;
    uint32_t random;
} writer;

static uint32_t next_random(writer *w)
{
    w->random = w->random * 1664525u + 1013904223u;
    return w->random >> 8;
}

/* Uniform in [-1, 1). */
static float next_float(writer *w)
{
    return (float)next_random(w) * (1.0f / 8388608.0f) - 1.0f;
}

static void meta_u32(writer *w, const char *suffix, uint32_t v)
{
    char key[96];
    snprintf(key, sizeof key, "%s.%s", w->spec->arch, suffix);
    put_text(&w->meta, key);
    put_u32(&w->meta, GGUF_U32);
    put_u32(&w->meta, v);
    w->meta_count++;
}

static void meta_f32(writer *w, const char *suffix, float v)
{
    char key[96];
    snprintf(key, sizeof key, "%s.%s", w->spec->arch, suffix);
    put_text(&w->meta, key);
    put_u32(&w->meta, GGUF_F32);
    put(&w->meta, &v, sizeof v);
    w->meta_count++;
}

static void meta_text(writer *w, const char *key, const char *v)
{
    put_text(&w->meta, key);
    put_u32(&w->meta, GGUF_STRING);
    put_text(&w->meta, v);
    w->meta_count++;
}

static uint32_t ggml_type(tvk_dtype type)
{
    static const uint32_t numbers[TVK_DTYPE_COUNT] = {
        [TVK_F32] = 0,    [TVK_F16] = 1,   [TVK_BF16] = 30, [TVK_Q8_0] = 8, [TVK_TQ1_0] = 34,
        [TVK_TQ2_0] = 35, [TVK_I2_S] = 36, [TVK_I8] = 24,   [TVK_Q4_0] = 2, [TVK_Q6_K] = 14,
    };
    return numbers[type];
}

static void begin_tensor(writer *w, const char *name, tvk_dtype type, uint32_t rows, uint32_t cols)
{
    while (w->data.count % ALIGNMENT != 0) put(&w->data, "", 1);
    put_text(&w->infos, name);
    put_u32(&w->infos, rows ? 2 : 1);
    put_u64(&w->infos, cols);
    if (rows) put_u64(&w->infos, rows);
    put_u32(&w->infos, ggml_type(type));
    put_u64(&w->infos, w->data.count);
    w->tensor_count++;
}

static void vector(writer *w, const char *name, uint32_t count, float around, float spread)
{
    begin_tensor(w, name, TVK_F32, 0, count);
    for (uint32_t i = 0; i < count; i++) {
        float v = around + spread * next_float(w);
        put(&w->data, &v, sizeof v);
    }
}

static void put_half(bytes *b, float v)
{
    uint16_t h = tvk_f32_to_f16(v);
    put(b, &h, sizeof h);
}

static void put_q8(bytes *b, const float *v)
{
    float max = 0, d;
    for (int i = 0; i < 32; i++) max = fmaxf(max, fabsf(v[i]));
    d = tvk_f16_to_f32(tvk_f32_to_f16(max / 127));
    put_half(b, d);
    for (int i = 0; i < 32; i++) {
        int8_t q = (int8_t)(d > 0 ? fmaxf(-127, fminf(127, rintf(v[i] / d))) : 0);
        put(b, &q, 1);
    }
}

static void put_q4(bytes *b, const float *v)
{
    float max = 0, d;
    int q[32];
    for (int i = 0; i < 32; i++) max = fmaxf(max, fabsf(v[i]));
    d = tvk_f16_to_f32(tvk_f32_to_f16(max / 7));
    put_half(b, d);
    for (int i = 0; i < 32; i++) q[i] = (int)fmaxf(-8, fminf(7, rintf(v[i] / d))) + 8;
    for (int i = 0; i < 16; i++) put(b, &(uint8_t){(uint8_t)(q[i] | q[16 + i] << 4)}, 1);
}

/* Scales of half the range and of both signs. */
static void put_q6(bytes *b, const float *v)
{
    uint8_t low[128] = {0}, high[64] = {0};
    int8_t scales[16];
    float d = tvk_f16_to_f32(tvk_f32_to_f16(1.0f / (64 * 31)));
    for (int g = 0; g < 16; g++) {
        float max = 0;
        for (int i = 0; i < 16; i++) max = fmaxf(max, fabsf(v[16 * g + i]));
        scales[g] = (int8_t)(ceilf(fminf(127, max / (31 * d))) * (g % 3 == 1 ? -1 : 1));
    }
    for (int i = 0; i < 256; i++) {
        float step = scales[i / 16] * d;
        int q = (int)(step != 0 ? fmaxf(-32, fminf(31, rintf(v[i] / step))) : 0) + 32;
        low[i / 128 * 64 + i % 64] |= (uint8_t)((q & 15) << (i % 128 < 64 ? 0 : 4));
        high[i / 128 * 32 + i % 32] |= (uint8_t)(q >> 4 << i % 128 / 32 * 2);
    }
    put(b, low, sizeof low);
    put(b, high, sizeof high);
    put(b, scales, sizeof scales);
    put_half(b, d);
}

static void put_tq2(bytes *b, const int8_t *t, float d)
{
    for (int g = 0; g < 2; g++) {
        for (int m = 0; m < 32; m++) {
            uint32_t byte = 0;
            for (int n = 0; n < 4; n++) byte |= (uint32_t)(t[128 * g + m + 32 * n] + 1) << 2 * n;
            put(b, &(uint8_t){(uint8_t)byte}, 1);
        }
    }
    put_half(b, d);
}

static uint8_t five_trits(const int8_t *t, int stride, int count)
{
    uint32_t q = 0;
    for (int n = 0; n < 5; n++) q = q * 3 + (uint32_t)(n < count ? t[n * stride] + 1 : 0);
    return (uint8_t)((q * 256 + 242) / 243);
}

static void put_tq1(bytes *b, const int8_t *t, float d)
{
    for (int m = 0; m < 32; m++) put(b, &(uint8_t){five_trits(t + m, 32, 5)}, 1);
    for (int m = 0; m < 16; m++) put(b, &(uint8_t){five_trits(t + 160 + m, 16, 5)}, 1);
    for (int m = 0; m < 4; m++) put(b, &(uint8_t){five_trits(t + 240 + m, 4, 4)}, 1);
    put_half(b, d);
}

static void put_i2s(bytes *b, const int8_t *t)
{
    for (int m = 0; m < 32; m++) {
        uint32_t byte = 0;
        for (int n = 0; n < 4; n++) byte |= (uint32_t)(t[m + 32 * n] + 1) << (6 - 2 * n);
        put(b, &(uint8_t){(uint8_t)byte}, 1);
    }
}

static void ternary(writer *w, const char *name, uint32_t rows, uint32_t cols, float scale)
{
    const tiny_spec *s = w->spec;
    size_t count = (size_t)rows * cols;
    int8_t *t = malloc(count);
    if (!t) abort();
    for (size_t i = 0; i < count; i++) t[i] = (int8_t)(next_random(w) % 3) - 1;
    begin_tensor(w, name, s->linear, rows, cols);
    if (s->linear == TVK_I2_S) {
        for (size_t i = 0; i < count; i += 128) put_i2s(&w->data, t + i);
        put(&w->data, &scale, sizeof scale);
        for (int i = 0; i < 28; i++) put(&w->data, "", 1);
    } else {
        float d = s->scales == TINY_SCALES_TENSORS ? 1.0f : scale;
        for (size_t i = 0; i < count; i += 256) {
            if (s->scales >= TINY_SCALES_BLOCKS) d = scale * (1.0f + 0.25f * next_float(w));
            if (s->linear == TVK_TQ1_0) {
                put_tq1(&w->data, t + i, d);
            } else {
                put_tq2(&w->data, t + i, d);
            }
        }
    }
    free(t);
}

static void dense(writer *w, const char *name, tvk_dtype type, uint32_t rows, uint32_t cols,
                  float spread)
{
    const uint32_t in_block = type == TVK_Q6_K ? 256 : 32;
    void (*put_block)(bytes *, const float *) = type == TVK_Q6_K   ? put_q6
                                                : type == TVK_Q4_0 ? put_q4
                                                                   : put_q8;
    float block[256];
    begin_tensor(w, name, type, rows, cols);
    for (size_t i = 0; i < (size_t)rows * cols; i++) {
        float v = spread * next_float(w);
        if (type == TVK_F32) {
            put(&w->data, &v, sizeof v);
        } else if (type == TVK_F16) {
            put_half(&w->data, v);
        } else if (type == TVK_BF16) {
            put(&w->data, &(uint16_t){(uint16_t)(tvk_f32_bits(v) >> 16)}, 2);
        } else {
            block[i % in_block] = v;
            if (i % in_block == in_block - 1) put_block(&w->data, block);
        }
    }
}

/* Random signs, eight a byte, and a scale a group. */
static void signs(writer *w, uint32_t layer, const char *name, uint32_t rows, uint32_t cols)
{
    char full[96];
    uint32_t groups = w->spec->groups ? w->spec->groups : 1;
    snprintf(full, sizeof full, "blk.%u.%s.weight", layer, name);
    begin_tensor(w, full, TVK_I8, rows, (cols + 7) / 8);
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t k = 0; k < cols; k += 8) {
            uint32_t live = cols - k < 8 ? cols - k : 8;
            put(&w->data, &(uint8_t){(uint8_t)(next_random(w) & ((1u << live) - 1))}, 1);
        }
    }
    snprintf(full, sizeof full, "blk.%u.%s.scale", layer, name);
    begin_tensor(w, full, TVK_F32, 0, groups);
    for (uint32_t g = 0; g < groups; g++) {
        float scale = (1.0f + 0.25f * next_float(w)) / sqrtf((float)cols);
        put(&w->data, &scale, sizeof scale);
    }
}

static void linear(writer *w, uint32_t layer, const char *name, uint32_t rows, uint32_t cols)
{
    const tiny_spec *s = w->spec;
    char full[96];
    float spread = 1.5f / sqrtf((float)cols);
    if (s->linear == TVK_I8) {
        signs(w, layer, name, rows, cols);
        return;
    }
    snprintf(full, sizeof full, "blk.%u.%s.weight", layer, name);
    if (s->linear == TVK_I2_S || s->linear == TVK_TQ1_0 || s->linear == TVK_TQ2_0) {
        /* a scale that f16 holds exactly, so that every type gives the same model */
        float scale = tvk_f16_to_f32(tvk_f32_to_f16(spread * (1.0f + 0.25f * next_float(w))));
        ternary(w, full, rows, cols, scale);
        if (s->scales == TINY_SCALES_TENSORS) {
            snprintf(full, sizeof full, "blk.%u.%s.scale", layer, name);
            begin_tensor(w, full, TVK_F32, 0, 1);
            put(&w->data, &scale, sizeof scale);
        }
    } else {
        dense(w, full, s->linear, rows, cols, spread);
    }
}

static void gain(writer *w, uint32_t layer, const char *name, uint32_t count)
{
    char full[96];
    snprintf(full, sizeof full, "blk.%u.%s.weight", layer, name);
    vector(w, full, count, 1.0f, 0.3f);
}

static bool is_b1(const tiny_spec *s)
{
    return strcmp(s->arch, "bitnet-b1") == 0;
}

static void all_tensors(writer *w)
{
    const tiny_spec *s = w->spec;
    const bool b1 = is_b1(s);
    uint32_t q = s->heads * s->head_size, kv = s->kv_heads * s->head_size;
    dense(w, "token_embd.weight", s->embedding, s->vocab, s->hidden, 1.0f);
    if (!s->tied) dense(w, "output.weight", s->embedding, s->vocab, s->hidden, 0.2f);
    for (uint32_t l = 0; l < s->layers; l++) {
        if (!b1) gain(w, l, "attn_norm", s->hidden);
        linear(w, l, "attn_q", q, s->hidden);
        linear(w, l, "attn_k", kv, s->hidden);
        linear(w, l, "attn_v", kv, s->hidden);
        linear(w, l, "attn_output", s->hidden, q);
        if (!b1) {
            gain(w, l, "ffn_norm", s->hidden);
            linear(w, l, "ffn_gate", s->ffn, s->hidden);
        }
        linear(w, l, "ffn_up", s->ffn, s->hidden);
        linear(w, l, "ffn_down", s->hidden, s->ffn);
        if (s->sub_norms) {
            gain(w, l, "attn_sub_norm", q);
            gain(w, l, "ffn_sub_norm", s->ffn);
        }
    }
    vector(w, "output_norm.weight", s->hidden, 1.0f, 0.3f);
}

static void all_meta(writer *w)
{
    const tiny_spec *s = w->spec;
    const bool b1 = is_b1(s);
    char key[96];
    meta_text(w, "general.architecture", s->arch);
    meta_text(w, "general.name", s->name);
    meta_u32(w, "block_count", s->layers);
    meta_u32(w, "embedding_length", s->hidden);
    meta_u32(w, "feed_forward_length", s->ffn);
    meta_u32(w, "context_length", s->context);
    meta_u32(w, "attention.head_count", s->heads);
    meta_u32(w, "attention.head_count_kv", s->kv_heads);
    meta_u32(w, "attention.key_length", s->head_size);
    meta_u32(w, "attention.value_length", s->head_size);
    meta_u32(w, "rope.dimension_count", s->head_size);
    meta_f32(w, b1 ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 1e-5f);
    if (s->groups) meta_u32(w, "weight_groups", s->groups);
    meta_f32(w, "rope.freq_base", 10000.0f);
    snprintf(key, sizeof key, "%s.hidden_activation", s->arch);
    meta_text(w, key, b1 ? "gelu" : s->relu2 ? "relu2" : "silu");
    snprintf(key, sizeof key, "%s.activation_quant", s->arch);
    if (s->scales == TINY_SCALES_BLOCKS_A16) meta_text(w, key, "none");
}

bool tiny_model_write(const tiny_spec *spec, const char *path)
{
    writer w = {.spec = spec, .random = spec->seed + 1};
    bytes head = {0};
    FILE *f = fopen(path, "wb");
    bool ok = f != NULL;
    all_meta(&w);
    all_tensors(&w);
    put(&head, "GGUF", 4);
    put_u32(&head, 3);
    put_u64(&head, w.tensor_count);
    put_u64(&head, w.meta_count);
    put(&head, w.meta.data, w.meta.count);
    put(&head, w.infos.data, w.infos.count);
    while (head.count % ALIGNMENT != 0) put(&head, "", 1);
    ok = ok && fwrite(head.data, 1, head.count, f) == head.count;
    ok = ok && fwrite(w.data.data, 1, w.data.count, f) == w.data.count;
    if (f && fclose(f) != 0) ok = false;
    free(head.data);
    free(w.meta.data);
    free(w.infos.data);
    free(w.data.data);
    return ok;
}
