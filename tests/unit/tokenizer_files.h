/* Folders that are only there for their tokenizer: a model of one small layer, and SentencePiece
 * models written field by field. FOLDER and OUT are the test's. */
#ifndef TEST_TOKENIZER_FILES_H
#define TEST_TOKENIZER_FILES_H

#include "hf_files.h"
#include "tokens.h"

#define SPACE "\xe2\x96\x81"

/* ---- a model that is only there for its vocabulary ---- */

static inline void make_model(size_t vocab, const char *more)
{
    static const char *const linears[] = {
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
        "mlp.gate_proj",    "mlp.up_proj",      "mlp.down_proj"};
    static const char *const norms[] = {"model.norm", "model.layers.0.input_layernorm",
                                        "model.layers.0.post_attention_layernorm"};
    hf_weights w = {0};
    char text[512], name[96];
    snprintf(text, sizeof text,
             "{\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":4,\"num_hidden_layers\":1,"
             "\"intermediate_size\":4,\"num_attention_heads\":1,\"vocab_size\":%zu,"
             "\"tie_word_embeddings\":true%s}",
             vocab, more);
    hf_text(FOLDER, "config.json", text);
    hf_tensor(&w, "model.embed_tokens.weight", "F16", vocab, 4);
    for (size_t i = 0; i < vocab; i++) put_le(&w.data, 0x3c003c003c003800, 8);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s.weight", norms[i]);
        hf_tensor(&w, name, "F16", 0, 4);
        put_le(&w.data, 0x3c003c003c003c00, 8);
    }
    for (size_t i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "model.layers.0.%s.weight", linears[i]);
        hf_tensor(&w, name, "F16", 4, 4);
        for (int j = 0; j < 16; j++) put_le(&w.data, 0x3800 + (unsigned)j, 2);
    }
    hf_save(&w, FOLDER, "model.safetensors");
}

static inline void convert(tvk_status wanted, const char *part)
{
    tvk_convert_params params = {.overwrite = true};
    tvk_error err = {0};
    tvk_status st = tvk_convert(FOLDER, OUT, &params, &err);
    if (st != wanted || (part && !strstr(err.text, part)))
        fail_msg("%s '%s' expected, %s '%s' found", tvk_status_name(wanted), part ? part : "",
                 tvk_status_name(st), err.text);
}

/* ---- SentencePiece, written by hand ---- */

enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

static inline void put_varint(buf *b, uint64_t v)
{
    for (; v >= 128; v >>= 7) put_le(b, (v & 127) | 128, 1);
    put_le(b, v, 1);
}

static inline void put_int(buf *b, unsigned field, uint64_t v)
{
    put_varint(b, field << 3);
    put_varint(b, v);
}

static inline void put_bytes(buf *b, unsigned field, const void *data, size_t bytes)
{
    put_varint(b, field << 3 | 2);
    put_varint(b, bytes);
    put(b, data, bytes);
}

static inline void put_piece(buf *b, const char *text, size_t bytes, float score, unsigned type)
{
    buf piece = {0};
    put_bytes(&piece, 1, text, bytes);
    put_varint(&piece, 2 << 3 | 5);
    put_f32(&piece, score);
    if (type != NORMAL) put_int(&piece, 3, type);
    put_bytes(b, 1, piece.data, piece.size);
    free_buf(&piece);
}

/* trainer_spec and normalizer_spec as Llama's model has them; `more` fields go behind. */
static inline void put_specs(buf *b, const buf *trainer, const buf *normalizer)
{
    buf t = {0}, n = {0};
    put_int(&t, 3, 2); /* BPE */
    put_int(&t, 35, 1);
    put(&t, trainer->data, trainer->size);
    put_bytes(&n, 1, "identity", 8);
    put_int(&n, 4, 0); /* remove_extra_whitespaces */
    put(&n, normalizer->data, normalizer->size);
    put_bytes(b, 2, t.data, t.size);
    put_bytes(b, 3, n.data, n.size);
    free_buf(&t);
    free_buf(&n);
}

static const struct {
    const char *text;
    float score;
    unsigned type;
} pieces[] = {
    {"<unk>", 0, UNKNOWN},   {"<s>", 0, CONTROL},      {"</s>", 0, CONTROL}, {"<0x0A>", 0, BYTE},
    {SPACE "a", -1, NORMAL}, {"ab", 0, NORMAL},        {SPACE, -9, NORMAL},  {"a", -8, NORMAL},
    {"b", -7, NORMAL},       {SPACE "ab", -2, NORMAL},
};
#define PIECES (sizeof pieces / sizeof *pieces)

static inline void make_spm(const buf *trainer, const buf *normalizer)
{
    buf b = {0};
    for (size_t i = 0; i < PIECES; i++)
        put_piece(&b, pieces[i].text, strlen(pieces[i].text), pieces[i].score, pieces[i].type);
    put_specs(&b, trainer, normalizer);
    hf_bytes(FOLDER, "tokenizer.model", b.data, b.size);
    free_buf(&b);
}

static const buf none;

static inline int clean(void **state)
{
    (void)state;
    hf_remove(FOLDER);
    remove(OUT);
    return 0;
}

#endif
