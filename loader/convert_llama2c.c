/* llama2.c's checkpoint: seven int32, then f32 tensors in a fixed order, each for all layers; and
 * its tokenizer.bin. RoPE pairs neighbours there, as GGUF's "llama" does: no rows move. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "convert.h"

#define HEADER_BYTES 28
#define MAX_DIM (1 << 24)
#define MAX_LAYERS 4096
#define NORM_EPS 1e-5
#define ROPE_THETA 10000.0
#define SPECIALS 3 /* <unk> <s> </s>, then the 256 bytes */
#define SPACE "\xe2\x96\x81"

typedef struct config {
    uint64_t hidden, ffn, layers, heads, kv_heads, vocab, context;
    bool own_head; /* the output matrix is in the file */
} config;

/* Parts of the file in order. per_layer: one tensor of each layer after the other. */
typedef struct file_part {
    const char *gguf; /* NULL: skipped */
    bool per_layer;
    tvk_role role;
    uint64_t n, k;
} file_part;

static tvk_status read_config(const tvk_mapping *m, const char *path, config *out, tvk_error *err)
{
    static const char *const names[7] = {"dim",        "hidden_dim", "n_layers", "n_heads",
                                         "n_kv_heads", "vocab_size", "seq_len"};
    tvk_status st = TVK_OK;
    int64_t v[7];
    if (m->size < HEADER_BYTES)
        TVK_FAIL(TVK_ERR_FORMAT, "%.200s: cut short: a header of %d bytes expected, %zu found",
                 path, HEADER_BYTES, m->size);
    for (int i = 0; i < 7; i++) {
        int64_t limit = i == 2 ? MAX_LAYERS : MAX_DIM;
        v[i] = (int32_t)tvk_load_u32(m->data + 4 * i);
        if (i == 5) {
            out->own_head = v[i] < 0;
            if (v[i] < 0) v[i] = -v[i];
        }
        if (v[i] < 1 || v[i] > limit)
            TVK_FAIL(TVK_ERR_FORMAT,
                     "%.200s: no llama2.c checkpoint: %s 1 to %" PRId64
                     " expected at byte %d, %" PRId64 " found",
                     path, names[i], limit, 4 * i, v[i]);
    }
    if (v[0] % v[3] != 0 || v[0] / v[3] % 2 != 0 || v[3] % v[4] != 0)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "%.200s: no llama2.c checkpoint: dim %" PRId64 ", n_heads %" PRId64
                 ", n_kv_heads %" PRId64 " do not fit together",
                 path, v[0], v[3], v[4]);
    out->hidden = (uint64_t)v[0];
    out->ffn = (uint64_t)v[1];
    out->layers = (uint64_t)v[2];
    out->heads = (uint64_t)v[3];
    out->kv_heads = (uint64_t)v[4];
    out->vocab = (uint64_t)v[5];
    out->context = (uint64_t)v[6];
fail:
    return st;
}

static tvk_status add_parts(tvk_conversion *c, const file_part *parts, size_t count,
                            uint64_t layers, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t at = HEADER_BYTES;
    for (size_t i = 0; i < count; i++) {
        const file_part *p = &parts[i];
        uint64_t elems = p->k * (p->n ? p->n : 1), times = p->per_layer ? layers : 1;
        for (uint64_t l = 0; l < times; l++, at += elems * 4) {
            char name[64];
            tvk_job *job = NULL;
            if (!p->gguf) continue;
            if (p->per_layer)
                snprintf(name, sizeof name, "blk.%" PRIu64 ".%s", l, p->gguf);
            else
                snprintf(name, sizeof name, "%s", p->gguf);
            TVK_TRY(tvk_convert_add(c, name, p->role, &job, err));
            job->n = p->n;
            job->k = p->k;
            job->type = TVK_F32;
            job->data = c->mapping.data + at;
        }
    }
fail:
    return st;
}

tvk_status tvk_convert_llama2c(tvk_conversion *c, tvk_error *err)
{
    tvk_status st;
    config f = {0};
    uint64_t expected = 0, head, kv;
    size_t count;
    TVK_TRY(tvk_mapping_open(c->in, &c->mapping, err));
    TVK_TRY(read_config(&c->mapping, c->in, &f, err));
    head = f.hidden / f.heads;
    kv = f.kv_heads * head;
    {
        const char *slash = strrchr(c->in, '/');
        const tvk_shape shape = {f.layers, f.hidden, f.ffn,     f.heads,  f.kv_heads,
                                 head,     f.vocab,  f.context, NORM_EPS, ROPE_THETA,
                                 "silu",   NULL,     0};
        const file_part parts[] = {
            {"token_embd.weight", false, TVK_ROLE_EMBEDDING, f.vocab, f.hidden},
            {"attn_norm.weight", true, TVK_ROLE_NORM, 0, f.hidden},
            {"attn_q.weight", true, TVK_ROLE_LINEAR, f.hidden, f.hidden},
            {"attn_k.weight", true, TVK_ROLE_LINEAR, kv, f.hidden},
            {"attn_v.weight", true, TVK_ROLE_LINEAR, kv, f.hidden},
            {"attn_output.weight", true, TVK_ROLE_LINEAR, f.hidden, f.hidden},
            {"ffn_norm.weight", true, TVK_ROLE_NORM, 0, f.hidden},
            {"ffn_gate.weight", true, TVK_ROLE_LINEAR, f.ffn, f.hidden},
            {"ffn_down.weight", true, TVK_ROLE_LINEAR, f.hidden, f.ffn},
            {"ffn_up.weight", true, TVK_ROLE_LINEAR, f.ffn, f.hidden},
            {"output_norm.weight", false, TVK_ROLE_NORM, 0, f.hidden},
            /* tables of cosines and sines that newer versions of llama2.c ignore too */
            {NULL, false, TVK_ROLE_OTHER, f.context, head / 2},
            {NULL, false, TVK_ROLE_OTHER, f.context, head / 2},
            {"output.weight", false, TVK_ROLE_EMBEDDING, f.vocab, f.hidden},
        };
        count = sizeof parts / sizeof *parts - !f.own_head;
        for (size_t i = 0; i < count; i++) /* at most 2^24 * 2^24 * 2^12 each: no overflow */
            expected +=
                (parts[i].n ? parts[i].n : 1) * parts[i].k * (parts[i].per_layer ? f.layers : 1);
        if (expected > UINT64_MAX / 8 || expected * 4 + HEADER_BYTES != c->mapping.size)
            TVK_FAIL(TVK_ERR_FORMAT,
                     "%.200s: no llama2.c checkpoint, or cut short: %" PRIu64
                     " bytes expected for its header, %zu found",
                     c->in, expected * 4 + HEADER_BYTES, c->mapping.size);
        tvk_convert_put_shape(c, "llama", slash ? slash + 1 : c->in, &shape);
        TVK_TRY(add_parts(c, parts, count, f.layers, err));
    }
    if (c->params.tokenizer)
        TVK_TRY(tvk_convert_tokenizer(c, c->params.tokenizer, &tvk_no_facts, err));
    else
        tvk_log_print(&c->params.log, TVK_LOG_WARN,
                      "no tokenizer: llama2.c keeps it in a file of its own (--tokenizer)");
fail:
    return st;
}

/* One entry: f32 score, int32 length, bytes. */
static tvk_status next_token(const tvk_mapping *text, const char *path, size_t *at, float *score,
                             const char **s, size_t *bytes, tvk_error *err)
{
    uint32_t len = 0;
    bool fits = text->size - *at >= 8;
    if (fits) {
        *score = tvk_load_f32(text->data + *at);
        len = tvk_load_u32(text->data + *at + 4);
        fits = len <= text->size - *at - 8;
    }
    if (!fits)
        return tvk_error_set(
            err, TVK_ERR_FORMAT, __FILE__, __LINE__,
            "%.200s: no llama2.c tokenizer, or cut short: a token expected at byte "
            "%zu, %zu bytes are left",
            path, *at, text->size - *at);
    *s = (const char *)text->data + *at + 8;
    *bytes = len;
    *at += 8 + (size_t)len;
    return TVK_OK;
}

tvk_status tvk_convert_tokenizer_llama2c(tvk_conversion *c, const char *path,
                                         const tvk_mapping *text, tvk_error *err)
{
    static const char *const specials[SPECIALS] = {"<unk>", "<s>", "</s>"};
    tvk_status st = TVK_OK;
    tvk_gguf_writer *w = c->writer;
    size_t at = 4;
    float *scores = NULL;
    int32_t *types = NULL;
    char *spelled = NULL;
    uint32_t vocab = c->vocab;
    /* 4 bytes of the longest length, which nothing needs, then at least 8 a token */
    if (text->size < 4 || vocab > (text->size - 4) / 8 || vocab < SPECIALS + 256)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "%.200s: no llama2.c tokenizer of %" PRIu32 " tokens: %zu bytes found", path,
                 vocab, text->size);
    scores = malloc(vocab * sizeof *scores);
    TVK_TRY_ALLOC(scores);
    types = malloc(vocab * sizeof *types);
    TVK_TRY_ALLOC(types);
    spelled = malloc(text->size * (sizeof SPACE - 1));
    TVK_TRY_ALLOC(spelled);
    tvk_gguf_put_str(w, "tokenizer.ggml.model", "llama");
    tvk_gguf_put_str(w, "tokenizer.ggml.pre", "default");
    tvk_gguf_begin_strings(w, "tokenizer.ggml.tokens", vocab);
    for (uint32_t id = 0; id < vocab; id++) {
        const char *s = NULL;
        size_t bytes = 0, n = 0;
        TVK_TRY(next_token(text, path, &at, &scores[id], &s, &bytes, err));
        types[id] = id == 0 ? 2 : id < SPECIALS ? 3 : id < SPECIALS + 256 ? 6 : 1;
        if (id < SPECIALS) { /* the file has line breaks around them, for display */
            s = specials[id];
            bytes = strlen(s);
        } else if (types[id] == 6) {
            char expected[8];
            snprintf(expected, sizeof expected, "<0x%02X>", id - SPECIALS);
            if (bytes != 6 || memcmp(s, expected, 6) != 0)
                TVK_FAIL(TVK_ERR_FORMAT, "%.200s: token %" PRIu32 ": '%s' expected, '%.*s' found",
                         path, id, expected, (int)(bytes < 40 ? bytes : 40), s);
        }
        for (size_t i = 0; i < bytes; i++) {
            if (s[i] == ' ') {
                memcpy(spelled + n, SPACE, sizeof SPACE - 1);
                n += sizeof SPACE - 1;
            } else {
                spelled[n++] = s[i];
            }
        }
        tvk_gguf_put_element(w, spelled, n);
    }
    if (at != text->size)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "%.200s: %" PRIu32 " tokens expected, as the model has, %zu bytes more found",
                 path, vocab, text->size - at);
    tvk_gguf_put_f32s(w, "tokenizer.ggml.scores", scores, vocab);
    tvk_gguf_put_i32s(w, "tokenizer.ggml.token_type", types, vocab);
    tvk_gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", 0);
    tvk_gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 1);
    tvk_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 2);
    tvk_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", true);
    tvk_gguf_put_bool(w, "tokenizer.ggml.add_eos_token", false);
    tvk_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", true);
fail:
    free(scores);
    free(types);
    free(spelled);
    return st;
}
