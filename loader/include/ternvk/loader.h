/* ternvk: files. Opens models (GGUF), gives their weights to the runtime, tokenizes, converts. */
#ifndef TERNVK_LOADER_H
#define TERNVK_LOADER_H

#include "ternvk/base.h"
#include "ternvk/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An opened model file: memory-mapped, metadata and tensor table checked. Immutable after opening:
 * may be read by several threads. */
typedef struct tvk_file tvk_file;

/* Opens PATH, and the other parts when it is the first of a split GGUF ("-00001-of-00003.gguf").
 * Errors: TVK_ERR_IO (cannot be opened or read), TVK_ERR_FORMAT (what was expected, what was found,
 * at which byte), TVK_ERR_UNSUPPORTED (a type or version, by name). Since: 0.1 */
TVK_API tvk_status tvk_file_open(const char *path, tvk_file **out, tvk_error *err);
/* The same for one whole GGUF in memory (an asset of an application): `bytes` is borrowed until the
 * close, at any alignment; `name` (copied) stands for the path in messages. Errors: as above, and
 * TVK_ERR_UNSUPPORTED for a part of a split file. Since: 0.1 */
TVK_API tvk_status tvk_file_open_memory(const void *bytes, size_t size, const char *name,
                                        tvk_file **out, tvk_error *err);
TVK_API void tvk_file_close(tvk_file **file);

/* Borrowed from the file. Since: 0.1 */
TVK_API const tvk_weight_source *tvk_file_source(const tvk_file *file);

/* Metadata for display: entry i as "key", "type" and a shortened value. Since: 0.1 */
TVK_API uint32_t tvk_file_meta_count(const tvk_file *file);
TVK_API void tvk_file_meta(const tvk_file *file, uint32_t i, const char **key, char *type,
                           size_t type_bytes, char *value, size_t value_bytes);
TVK_API uint64_t tvk_file_bytes(const tvk_file *file);
TVK_API uint32_t tvk_file_version(const tvk_file *file); /* GGUF version */

/* ---- tokenizer ---------------------------------------------------------------------------- */

/* Immutable after creation: may be used by several threads. */
typedef struct tvk_tokenizer tvk_tokenizer;

/* From a file's tokenizer.ggml.* keys. Errors: TVK_ERR_UNSUPPORTED when the file has none ("the
 * file has no tokenizer ..."), or a model or pre-tokenizer that is not known. Since: 0.1 */
TVK_API tvk_status tvk_tokenizer_create(const tvk_file *file, tvk_tokenizer **out, tvk_error *err);
TVK_API void tvk_tokenizer_destroy(tvk_tokenizer **tokenizer);

TVK_API uint32_t tvk_tokenizer_vocab(const tvk_tokenizer *t);
TVK_API int32_t tvk_tokenizer_bos(const tvk_tokenizer *t); /* -1: none */
TVK_API int32_t tvk_tokenizer_eos(const tvk_tokenizer *t); /* -1: none */
TVK_API bool tvk_tokenizer_adds_bos(const tvk_tokenizer *t);

/* Writes the tokens after which a text is over, as the file's keys have them (eos, eot, eom), and
 * returns how many. Since: 0.1 */
#define TVK_TOKENIZER_STOPS 3
TVK_API uint32_t tvk_tokenizer_stops(const tvk_tokenizer *t, int32_t stops[TVK_TOKENIZER_STOPS]);

/* Ids of `text` (any bytes). add_special: BOS/EOS as the file asks for. parse_special: names of
 * control tokens in the text become those tokens. *ids is malloc'd; release with free().
 * Since: 0.1 */
TVK_API tvk_status tvk_tokenize(const tvk_tokenizer *t, const char *text, size_t bytes,
                                bool add_special, bool parse_special, int32_t **ids,
                                uint32_t *count, tvk_error *err);

/* Bytes of one token as they stand in the text ("" for control tokens unless `special`). The bytes
 * may be a part of a UTF-8 character. Borrowed from the tokenizer, not terminated. `first`: the
 * token starts the text (SPM drops its leading space there). Since: 0.1 */
TVK_API void tvk_token_bytes(const tvk_tokenizer *t, int32_t id, bool first, bool special,
                             const char **bytes, size_t *count);

/* Passes text on in whole UTF-8 characters: keeps an unfinished one back until it is whole.
 * Zeroed: empty. Since: 0.1 */
typedef struct tvk_utf8_stream {
    unsigned char held[4];
    uint32_t held_count;
} tvk_utf8_stream;
/* Writes at most bytes + 4 bytes to out and returns how many; invalid bytes become U+FFFD (so out
 * needs 3 * (bytes + 4)). `flush`: also what is held back. */
TVK_API size_t tvk_utf8_push(tvk_utf8_stream *s, const char *in, size_t bytes, bool flush,
                             char *out);

/* ---- convert ------------------------------------------------------------------------------ */

/* All zero: lossless defaults. */
typedef struct tvk_convert_params {
    const char *type;           /* NULL, "i2_s", "tq2_0", "tq1_0", "f16", "f32": of the linears */
    const char *embedding_type; /* NULL or "as-is", "f16", "f32", "q8_0", "q6_k": of embedding and
                                   head */
    const char *tokenizer;      /* NULL, or path of a tokenizer.json, a tokenizer.model of
                                   SentencePiece or llama2.c's tokenizer.bin */
    bool overwrite;             /* replace an existing output */
    tvk_log log;
    tvk_progress progress;
} tvk_convert_params;

/* IN: folder in HF form (config.json, safetensors in one file or shards, a tokenizer), llama2.c
 * checkpoint (.bin), or GGUF. OUT: GGUF v3, written beside as OUT.part and renamed. What is lost or
 * missing is logged. Errors: as tvk_file_open; TVK_ERR_ARG when OUT exists. Since: 0.1 */
TVK_API tvk_status tvk_convert(const char *in, const char *out, const tvk_convert_params *params,
                               tvk_error *err);

#ifdef __cplusplus
}
#endif
#endif
