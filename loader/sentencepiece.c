/* SentencePiece's ModelProto (a protobuf message: sentencepiece_model.proto) to tokenizer.ggml.*
 * keys. Only BPE models whose text is not normalised: what else changes results is refused. */
#include <inttypes.h>
#include <string.h>

#include "tokenizer.h"
#include "vocab.h"

/* ---- protobuf: fields of a message, every length checked ---- */

typedef struct message {
    const unsigned char *start, *at, *end; /* start: of the file */
} message;

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct field {
    uint32_t number;
    int wire;
    uint64_t value; /* of a varint; of WIRE_32 its bits */
    message bytes;  /* of WIRE_BYTES */
} field;

static bool read_varint(message *m, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && m->at < m->end; shift += 7) {
        unsigned char c = *m->at++;
        *out |= (uint64_t)(c & 127) << shift;
        if (c < 128) return true;
    }
    return false;
}

/* The next field; false: broken. At the end of the message there is none: ask before. */
static bool read_field(message *m, field *f)
{
    uint64_t tag = 0, length = 0;
    memset(f, 0, sizeof *f);
    if (!read_varint(m, &tag) || tag >> 3 == 0 || tag >> 3 > INT32_MAX) return false;
    f->number = (uint32_t)(tag >> 3);
    f->wire = (int)(tag & 7);
    switch (f->wire) {
    case WIRE_VARINT:
        return read_varint(m, &f->value);
    case WIRE_32:
        if (m->end - m->at < 4) return false;
        f->value = tvk_load_u32(m->at);
        m->at += 4;
        return true;
    case WIRE_64:
        if (m->end - m->at < 8) return false;
        m->at += 8;
        return true;
    case WIRE_BYTES:
        if (!read_varint(m, &length) || length > (uint64_t)(m->end - m->at)) return false;
        f->bytes = (message){m->start, m->at, m->at + length};
        m->at += length;
        return true;
    default: /* groups, which nothing writes any more */
        return false;
    }
}

static tvk_status next_field(message *m, const char *path, field *f, tvk_error *err)
{
    const unsigned char *at = m->at;
    if (read_field(m, f)) return TVK_OK;
    return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__,
                         "%.200s: a field of a SentencePiece model expected at byte %td, none that "
                         "fits found",
                         path, at - m->start);
}

/* ---- the model ---- */

/* sentencepiece_model.proto: numbers of the fields that are read. */
enum { MODEL_PIECE = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { TRAINER_MODEL_TYPE = 3, TRAINER_SUFFIX = 24, TRAINER_UNK = 40, TRAINER_BOS, TRAINER_EOS };
enum {
    NORMALIZER_CHARSMAP = 2,
    NORMALIZER_DUMMY_PREFIX,
    NORMALIZER_EXTRA_SPACES,
    NORMALIZER_ESCAPE
};
enum { TYPE_UNIGRAM = 1, TYPE_BPE = 2 };

/* With the defaults of the format. */
typedef struct rules {
    uint64_t model_type;
    bool suffix, charsmap, dummy_prefix, extra_spaces, escape;
    int64_t unk, bos, eos;
    uint32_t pieces;
} rules;

static tvk_status read_trainer(message m, const char *path, rules *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    field f;
    while (m.at < m.end) {
        TVK_TRY(next_field(&m, path, &f, err));
        if (f.wire != WIRE_VARINT) continue;
        if (f.number == TRAINER_MODEL_TYPE) r->model_type = f.value;
        if (f.number == TRAINER_SUFFIX) r->suffix = f.value != 0;
        if (f.number == TRAINER_UNK) r->unk = (int32_t)f.value;
        if (f.number == TRAINER_BOS) r->bos = (int32_t)f.value;
        if (f.number == TRAINER_EOS) r->eos = (int32_t)f.value;
    }
fail:
    return st;
}

static tvk_status read_normalizer(message m, const char *path, rules *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    field f;
    while (m.at < m.end) {
        TVK_TRY(next_field(&m, path, &f, err));
        if (f.wire == WIRE_BYTES && f.number == NORMALIZER_CHARSMAP)
            r->charsmap = f.bytes.at < f.bytes.end;
        if (f.wire != WIRE_VARINT) continue;
        if (f.number == NORMALIZER_DUMMY_PREFIX) r->dummy_prefix = f.value != 0;
        if (f.number == NORMALIZER_EXTRA_SPACES) r->extra_spaces = f.value != 0;
        if (f.number == NORMALIZER_ESCAPE) r->escape = f.value != 0;
    }
fail:
    return st;
}

static tvk_status read_piece(message m, tvk_vocab *v, uint32_t id, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_vocab_entry e = {.text = "", .type = TVK_TOKEN_NORMAL};
    const message whole = m;
    field f;
    while (m.at < m.end) {
        TVK_TRY(next_field(&m, v->path, &f, err));
        if (f.number == PIECE_TEXT && f.wire == WIRE_BYTES) {
            e.text = (const char *)f.bytes.at;
            e.bytes = (size_t)(f.bytes.end - f.bytes.at);
        }
        if (f.number == PIECE_SCORE && f.wire == WIRE_32) {
            uint32_t bits = (uint32_t)f.value;
            memcpy(&e.score, &bits, sizeof e.score);
        }
        if (f.number == PIECE_TYPE && f.wire == WIRE_VARINT) e.type = (int32_t)f.value;
    }
    /* the numbers of types are GGUF's, too */
    if (e.bytes == 0 || e.type < TVK_TOKEN_NORMAL || e.type > TVK_TOKEN_BYTE ||
        !(e.score > -1e30f && e.score < 1e30f))
        TVK_FAIL(TVK_ERR_FORMAT,
                 "%.200s: piece %" PRIu32 ", before byte %td: a text, a finite score and a type of "
                 "1 to 6 expected, %zu bytes, %g and %d found",
                 v->path, id, whole.end - whole.start, e.bytes, (double)e.score, (int)e.type);
    if (id >= v->count)
        TVK_FAIL(TVK_ERR_FORMAT,
                 "%.200s: %" PRIu32 " pieces at most expected (the rows of the model's embedding), "
                 "more found",
                 v->path, v->count);
    v->entries[id] = e;
fail:
    return st;
}

static tvk_status read_model(message m, tvk_vocab *v, rules *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    field f;
    while (m.at < m.end) {
        TVK_TRY(next_field(&m, v->path, &f, err));
        if (f.wire != WIRE_BYTES) continue;
        if (f.number == MODEL_PIECE) TVK_TRY(read_piece(f.bytes, v, r->pieces++, err));
        if (f.number == MODEL_TRAINER) TVK_TRY(read_trainer(f.bytes, v->path, r, err));
        if (f.number == MODEL_NORMALIZER) TVK_TRY(read_normalizer(f.bytes, v->path, r, err));
    }
fail:
    return st;
}

static tvk_status check_rules(const rules *r, const char *path, tvk_error *err)
{
    const struct {
        bool broken;
        const char *what;
    } checks[] = {
        {r->model_type == TYPE_UNIGRAM, "a BPE model expected, a unigram model found"},
        {r->model_type != TYPE_BPE, "a BPE model expected, another type found"},
        {r->charsmap, "text that is not normalised expected, a precompiled_charsmap found"},
        {r->extra_spaces, "remove_extra_whitespaces is not supported"},
        {!r->escape, "escape_whitespaces expected"},
        {r->suffix, "treat_whitespace_as_suffix is not supported"},
        {r->pieces == 0, "pieces expected, none found"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i].broken)
            return tvk_error_set(err, TVK_ERR_UNSUPPORTED, __FILE__, __LINE__, "%.200s: %s", path,
                                 checks[i].what);
    return TVK_OK;
}

tvk_status tvk_convert_sentencepiece(tvk_conversion *c, const char *path, const tvk_mapping *model,
                                     const tvk_tokenizer_facts *facts, tvk_error *err)
{
    tvk_status st;
    tvk_gguf_writer *w = c->writer;
    tvk_vocab v = {0};
    message m = {model->data, model->data, model->data + model->size};
    rules r = {.model_type = TYPE_UNIGRAM,
               .dummy_prefix = true,
               .extra_spaces = true,
               .escape = true,
               .bos = 1,
               .eos = 2};
    TVK_TRY(tvk_vocab_init(&v, path, c->vocab, err));
    TVK_TRY(read_model(m, &v, &r, err));
    TVK_TRY(check_rules(&r, path, err));
    TVK_TRY(tvk_vocab_set_added(&v, facts, err));
    v.bos = r.bos;
    v.eos = r.eos;
    v.unk = r.unk;
    tvk_gguf_put_str(w, "tokenizer.ggml.model", "llama");
    tvk_gguf_put_str(w, "tokenizer.ggml.pre", "default");
    TVK_TRY(tvk_vocab_put(&v, w, true, facts, err));
    /* LlamaTokenizer's defaults */
    tvk_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", facts->add_bos != 0);
    tvk_gguf_put_bool(w, "tokenizer.ggml.add_eos_token", facts->add_eos == 1);
    tvk_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", r.dummy_prefix);
fail:
    tvk_vocab_free(&v);
    return st;
}
