#include "support/big_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/half.h"
#include "gguf_write.h"
#include "pack.h"

#define ARCH "bitnet-b1.58"
#define SCALE 0.03125f  /* exact in f16 */
#define HALVES 1048576u /* of the embedding, at a time */
#define MERGES 127744   /* tokens that are neither bytes nor control tokens */
#define CONTROLS (BIG_VOCAB - MERGES - 256)

typedef struct tensor {
    char name[64];
    tvk_dtype type;
    uint64_t n, k;
    uint64_t seed;
} tensor;

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13; /* xorshift64 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static tvk_status write_gains(void *user, tvk_gguf_sink *sink, tvk_error *err)
{
    const tensor *t = user;
    tvk_status st = TVK_OK;
    const float one = 1.0f;
    for (uint64_t i = 0; i < t->k; i++) TVK_TRY(tvk_gguf_emit(sink, &one, sizeof one, err));
fail:
    return st;
}

static tvk_status write_codes(void *user, tvk_gguf_sink *sink, tvk_error *err)
{
    const tensor *t = user;
    tvk_status st = TVK_OK;
    uint64_t count = t->n * t->k, state = t->seed, bytes;
    int8_t *codes = malloc(count);
    uint8_t *packed = NULL;
    TVK_TRY_ALLOC(codes);
    for (uint64_t i = 0; i < count; i += 16) {
        uint64_t r = next(&state);
        for (uint64_t j = 0; j < 16; j++) codes[i + j] = (int8_t)((r >> (4 * j) & 15) % 3) - 1;
    }
    bytes = t->type == TVK_I2_S ? count / 4 + TVK_I2_S_TRAILER_BYTES : count / 256 * 66;
    packed = malloc(bytes);
    TVK_TRY_ALLOC(packed);
    if (t->type == TVK_I2_S) {
        tvk_pack_i2_s(codes, count, packed);
        tvk_i2_s_trailer(SCALE, packed + count / 4);
    } else {
        tvk_pack_tq2_0(codes, count, tvk_f32_to_f16(SCALE), packed);
    }
    TVK_TRY(tvk_gguf_emit(sink, packed, bytes, err));
fail:
    free(packed);
    free(codes);
    return st;
}

/* Halves of either sign between 1/128 and 1/32. */
static tvk_status write_embedding(void *user, tvk_gguf_sink *sink, tvk_error *err)
{
    const tensor *t = user;
    tvk_status st = TVK_OK;
    uint64_t left = t->n * t->k, state = t->seed;
    uint16_t *halves = malloc(HALVES * sizeof *halves);
    TVK_TRY_ALLOC(halves);
    while (left > 0) {
        uint32_t n = left < HALVES ? (uint32_t)left : HALVES;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t r = (uint32_t)(next(&state) >> 40);
            halves[i] = (uint16_t)((r & 0x83ff) | (8 + (r >> 16) % 2) << 10);
        }
        TVK_TRY(tvk_gguf_emit(sink, halves, n * sizeof *halves, err));
        left -= n;
    }
fail:
    free(halves);
    return st;
}

static tvk_status add(tvk_gguf_writer *w, tensor *t, const char *name, tvk_dtype type, uint64_t n,
                      uint64_t k, tvk_error *err)
{
    const uint64_t dims[2] = {k, n};
    tvk_gguf_source source = type == TVK_F32   ? write_gains
                             : type == TVK_F16 ? write_embedding
                                               : write_codes;
    snprintf(t->name, sizeof t->name, "%s", name);
    t->type = type;
    t->n = n;
    t->k = k;
    t->seed = 0x9E3779B97F4A7C15u;
    for (const char *c = name; *c; c++) t->seed = (t->seed ^ (unsigned char)*c) * 1099511628211u;
    return tvk_gguf_add_tensor(w, t->name, type, n ? 2 : 1, dims, source, t, err);
}

static tvk_status add_tensors(tvk_gguf_writer *w, tensor *t, tvk_dtype type, tvk_error *err)
{
    static const struct {
        const char *name;
        uint64_t n, k;
    } parts[] = {
        {"attn_norm", 0, BIG_HIDDEN},      {"attn_q", BIG_HIDDEN, BIG_HIDDEN},
        {"attn_k", 640, BIG_HIDDEN},       {"attn_v", 640, BIG_HIDDEN},
        {"attn_sub_norm", 0, BIG_HIDDEN},  {"attn_output", BIG_HIDDEN, BIG_HIDDEN},
        {"ffn_norm", 0, BIG_HIDDEN},       {"ffn_gate", BIG_FFN, BIG_HIDDEN},
        {"ffn_up", BIG_FFN, BIG_HIDDEN},   {"ffn_sub_norm", 0, BIG_FFN},
        {"ffn_down", BIG_HIDDEN, BIG_FFN},
    };
    tvk_status st;
    TVK_TRY(add(w, t++, "token_embd.weight", TVK_F16, BIG_VOCAB, BIG_HIDDEN, err));
    for (uint32_t l = 0; l < BIG_LAYERS; l++) {
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            char name[64];
            snprintf(name, sizeof name, "blk.%u.%s.weight", l, parts[i].name);
            TVK_TRY(add(w, t++, name, parts[i].n ? type : TVK_F32, parts[i].n, parts[i].k, err));
        }
    }
    TVK_TRY(add(w, t++, "output_norm.weight", TVK_F32, 0, BIG_HIDDEN, err));
fail:
    return st;
}

static void put_metadata(tvk_gguf_writer *w)
{
    static const struct {
        const char *key;
        uint32_t value;
    } numbers[] = {{"block_count", BIG_LAYERS},         {"context_length", 4096},
                   {"embedding_length", BIG_HIDDEN},    {"feed_forward_length", BIG_FFN},
                   {"attention.head_count", BIG_HEADS}, {"attention.head_count_kv", BIG_KV_HEADS},
                   {"rope.dimension_count", 128},       {"vocab_size", BIG_VOCAB}};
    char key[64];
    tvk_gguf_put_str(w, "general.architecture", ARCH);
    tvk_gguf_put_str(w, "general.name", "2B4T's shape, weights by formula");
    tvk_gguf_put_u32(w, "general.file_type", 40); /* as the public file says, whatever the type */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(key, sizeof key, ARCH ".%s", numbers[i].key);
        tvk_gguf_put_u32(w, key, numbers[i].value);
    }
    tvk_gguf_put_f32(w, ARCH ".attention.layer_norm_rms_epsilon", 1e-5f);
    tvk_gguf_put_f32(w, ARCH ".rope.freq_base", 500000.0f);
}

/* The bytes in GPT-2's alphabet, then tokens that merge two earlier ones, then control tokens. */
static tvk_status put_tokenizer(tvk_gguf_writer *w, tvk_error *err)
{
    tvk_status st = TVK_OK;
    char(*texts)[12] = malloc(sizeof *texts * (256 + (size_t)MERGES));
    int32_t *types = malloc(BIG_VOCAB * sizeof *types);
    char line[64];
    TVK_TRY_ALLOC(texts);
    TVK_TRY_ALLOC(types);
    tvk_gguf_put_str(w, "tokenizer.ggml.model", "gpt2");
    for (uint32_t b = 0, other = 256; b < 256; b++) { /* bytes that print stand for themselves */
        bool prints = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        uint32_t code = prints ? b : other++;
        if (code < 128)
            snprintf(texts[b], sizeof *texts, "%c", (char)code);
        else
            snprintf(texts[b], sizeof *texts, "%c%c", (char)(0xc0 | code >> 6),
                     (char)(0x80 | (code & 63)));
    }
    /* all pairs of letters a to z, then triples, then quadruples of letters */
    for (uint32_t i = 0; i < MERGES; i++) {
        const uint32_t pairs = 26 * 26, triples = pairs * 26;
        uint32_t length = i < pairs ? 2 : i < pairs + triples ? 3 : 4;
        uint32_t v = length == 2 ? i : length == 3 ? i - pairs : i - pairs - triples;
        char *text = texts[256 + i];
        for (uint32_t c = length; c-- > 0; v /= 26) text[c] = (char)('a' + v % 26);
        text[length] = 0;
    }
    tvk_gguf_begin_strings(w, "tokenizer.ggml.tokens", BIG_VOCAB);
    for (uint32_t i = 0; i < 256 + (uint32_t)MERGES; i++)
        tvk_gguf_put_element(w, texts[i], strlen(texts[i]));
    for (uint32_t i = 0; i < CONTROLS; i++) {
        int n = i == 0   ? snprintf(line, sizeof line, "<|begin_of_text|>")
                : i == 1 ? snprintf(line, sizeof line, "<|end_of_text|>")
                : i == 9 ? snprintf(line, sizeof line, "<|eot_id|>")
                         : snprintf(line, sizeof line, "<|reserved_special_token_%u|>", i);
        tvk_gguf_put_element(w, line, (size_t)n);
    }
    for (uint32_t i = 0; i < BIG_VOCAB; i++) types[i] = i < 256 + (uint32_t)MERGES ? 1 : 3;
    tvk_gguf_put_i32s(w, "tokenizer.ggml.token_type", types, BIG_VOCAB);
    tvk_gguf_begin_strings(w, "tokenizer.ggml.merges", MERGES);
    for (uint32_t i = 0; i < MERGES; i++) {
        const char *text = texts[256 + i];
        size_t last = strlen(text) - 1;
        int n = snprintf(line, sizeof line, "%.*s %s", (int)last, text, text + last);
        tvk_gguf_put_element(w, line, (size_t)n);
    }
    tvk_gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 256 + MERGES);
    tvk_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 256 + MERGES + 1);
    tvk_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", true);
fail:
    free(types);
    free(texts);
    return st;
}

tvk_status big_model_write(const char *path, tvk_dtype type, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_gguf_writer *w = tvk_gguf_writer_create();
    tensor *tensors = calloc(BIG_LAYERS * 11 + 2, sizeof *tensors);
    TVK_TRY_ALLOC(w);
    TVK_TRY_ALLOC(tensors);
    put_metadata(w);
    TVK_TRY(put_tokenizer(w, err));
    TVK_TRY(add_tensors(w, tensors, type, err));
    TVK_TRY(tvk_gguf_write(w, path, true, NULL, err));
fail:
    free(tensors);
    tvk_gguf_writer_destroy(&w);
    return st;
}
