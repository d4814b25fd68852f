/* What convert's front ends (convert_hf.c, convert_llama2c.c, convert_gguf.c) fill and convert.c
 * writes: metadata in a GGUF writer, and a list of tensors with their sources. */
#ifndef TVK_LOADER_CONVERT_H
#define TVK_LOADER_CONVERT_H

#include <jansson.h>

#include "base/disk.h"
#include "base/log.h"
#include "bytes.h"
#include "gguf_write.h"
#include "names.h"
#include "shards.h"
#include "ternvk/loader.h"

#define TVK_CONVERT_NAME_BYTES 96
#define TVK_CONVERT_MAX_GROUPS 16

/* How the bytes of a source tensor are to be read. */
typedef enum tvk_source {
    TVK_SOURCE_GGUF, /* `type` says */
    TVK_SOURCE_HF_PACKED
} tvk_source;

typedef struct tvk_job {
    char name[TVK_CONVERT_NAME_BYTES];
    tvk_role role;
    uint64_t n, k;             /* n 0: vector [k] */
    const unsigned char *data; /* of any alignment */
    tvk_source source;
    tvk_dtype type;       /* of the source; TVK_DTYPE_COUNT: packed */
    bool latent;          /* float source with latent weights: ternary by absmean */
    bool recognise;       /* float source that may be ternary already: its values tell */
    bool need_ternary;    /* ... and has to be, in a model with quantised activations */
    uint32_t sign_groups; /* latent weights of BitNet b1: signs in so many slabs; 0: not */
    bool columns;         /* the slabs are columns */
    uint32_t fused; /* jobs of one matrix of the device have one number, and follow each other; 0:
                       a matrix of its own */
    float given_scale; /* multiplier that the source has beside the tensor; 0: none */
    uint32_t
        head_size;    /* rows of heads are reordered from half-split to interleaved pairs; 0: not */
    uint64_t dropped; /* rows that tvk_job_drop_rows() gave back */
    /* found by tvk_job_scan */
    bool ternary;   /* codes and scales; else floats */
    bool one_scale; /* all codes have `scale`; else blocks of 256 have scales of their own */
    float scale;    /* given_scale included */
    float absmean;  /* of latent weights */
    bool fits_f16;  /* the floats, or the one scale, are values of f16 */
    /* decided by tvk_job_decide */
    tvk_dtype out;
    bool side_scale;                           /* a tensor ".scale" holds side_value[s] */
    float side_values[TVK_CONVERT_MAX_GROUPS]; /* b1's are known once it is written */
    uint16_t block_scale;                      /* of all TQ blocks when there is one scale */
} tvk_job;

typedef struct tvk_conversion {
    const char *in;
    tvk_convert_params params;
    tvk_arena arena;
    tvk_gguf_writer *writer;
    tvk_job **jobs;
    uint32_t job_count, job_room;
    uint32_t vocab;            /* of the model */
    bool keep_types;           /* without --type: the source's types (GGUF in) */
    uint64_t read, read_total; /* source bytes looked at before writing, for the progress */
    const char *act_key;       /* key that says "none" when a tensor turns out ternary; NULL: no */
    /* kept open until all is written */
    tvk_mapping mapping;
    tvk_shards *shards;
    tvk_file *file;
} tvk_conversion;

/* The job is owned by the conversion; zeroed but for its name and role. */
tvk_status tvk_convert_add(tvk_conversion *c, const char *name, tvk_role role, tvk_job **out,
                           tvk_error *err);

/* convert_rows.c: rows of the source in the output's order, one at a time. */
uint64_t tvk_job_rows(const tvk_job *job); /* a vector has one */
uint64_t tvk_job_source_bytes(const tvk_job *job);
/* Of a source that is not in codes. row: [k] */
void tvk_job_row_floats(const tvk_job *job, uint64_t r, float *row);
/* Codes of a row, and scales[k / 256] of its blocks where the job has not one for all. row: [k] for
 * what lies between. */
void tvk_job_row_codes(const tvk_job *job, uint64_t r, float *row, int8_t *codes, float *scales);
/* Rows before r were read: their pages of the mapped file need not stay in memory. */
void tvk_job_drop_rows(tvk_job *job, uint64_t r);

/* convert_scan.c: looks at the whole source where the choice of a type needs it; f16: also whether
 * f16 holds floats that are not ternary. Errors: TVK_ERR_FORMAT (a scale that is not finite,
 * weights that are not), TVK_ERR_CANCELLED. */
tvk_status tvk_job_scan(tvk_conversion *c, tvk_job *job, bool f16, tvk_error *err);
/* Adds to what was read and tells the caller. */
tvk_status tvk_convert_read(tvk_conversion *c, uint64_t bytes, tvk_error *err);

/* convert_job.c: chooses the output type. Errors: TVK_ERR_ARG when the wanted type is impossible
 * for this tensor. */
tvk_status tvk_job_decide(tvk_conversion *c, tvk_job *job, tvk_error *err);
/* Takes floats that were found to be ternary as floats after all. */
void tvk_job_make_dense(tvk_job *job);
/* Whether values of the output can differ from the source's. */
bool tvk_job_rounds(const tvk_job *job);

/* convert_emit.c: tvk_gguf_source functions; user is a tvk_job. */
tvk_status tvk_job_write(void *user, tvk_gguf_sink *sink, tvk_error *err);
tvk_status tvk_job_write_scale(void *user, tvk_gguf_sink *sink, tvk_error *err);

/* Front ends: open the input, write the metadata, add the jobs. */
tvk_status tvk_convert_hf(tvk_conversion *c, tvk_error *err);
tvk_status tvk_convert_llama2c(tvk_conversion *c, tvk_error *err);
tvk_status tvk_convert_gguf(tvk_conversion *c, tvk_error *err);

/* What files beside a tokenizer say of it. */
typedef struct tvk_tokenizer_facts {
    int64_t bos, eos, eot, eom; /* -1: not said */
    int add_bos, add_eos;       /* -1: not said */
    bool config_decides;        /* add_bos and add_eos go before what tokenizer.json says */
    const json_t *config, *added, *special; /* tokenizer_config.json, added_tokens.json,
                                               special_tokens_map.json; NULL: not there */
} tvk_tokenizer_facts;
extern const tvk_tokenizer_facts tvk_no_facts;

/* Tokenizers to tokenizer.ggml.* keys. path: a tokenizer.json, a SentencePiece model or llama2.c's
 * tokenizer.bin, told apart by its content. */
tvk_status tvk_convert_tokenizer(tvk_conversion *c, const char *path,
                                 const tvk_tokenizer_facts *facts, tvk_error *err);
tvk_status tvk_convert_tokenizer_json(tvk_conversion *c, const char *path, const tvk_mapping *text,
                                      const tvk_tokenizer_facts *facts, tvk_error *err);
/* root: of a tokenizer.json for which tvk_json_is_spm() holds: BPE over characters and bytes, as
 * made of a SentencePiece model. */
bool tvk_json_is_spm(const json_t *root);
tvk_status tvk_convert_spm_json(tvk_conversion *c, const char *path, const json_t *root,
                                const tvk_tokenizer_facts *facts, tvk_error *err);
tvk_status tvk_convert_sentencepiece(tvk_conversion *c, const char *path, const tvk_mapping *model,
                                     const tvk_tokenizer_facts *facts, tvk_error *err);
tvk_status tvk_convert_tokenizer_llama2c(tvk_conversion *c, const char *path,
                                         const tvk_mapping *text, tvk_error *err);
/* hf_tokenizer.c: the tokenizer and chat template of a folder, where it has them. bos, eos: of
 * config.json, as tvk_hf_config has them. */
tvk_status tvk_convert_hf_tokenizer(tvk_conversion *c, int64_t bos, const json_t *eos,
                                    tvk_error *err);

/* A model's numbers, as both front ends with metadata of their own write them. */
typedef struct tvk_shape {
    uint64_t layers, hidden, ffn, heads, kv_heads, head_size, vocab, context;
    double eps, theta;
    const char *activation; /* "silu", "relu2", "gelu" */
    const char *act_quant;  /* NULL: no key */
    uint32_t weight_groups; /* of BitNet b1: eps is LayerNorm's; 0: another model */
} tvk_shape;
void tvk_convert_put_shape(tvk_conversion *c, const char *architecture, const char *name,
                           const tvk_shape *shape);

#endif
