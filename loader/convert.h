/* What convert's front ends (convert_hf.c, convert_llama2c.c, convert_gguf.c) fill and convert.c
 * writes: metadata in a GGUF writer, and a list of tensors with their sources. */
#ifndef TVK_LOADER_CONVERT_H
#define TVK_LOADER_CONVERT_H

#include "base/log.h"
#include "bytes.h"
#include "gguf_write.h"
#include "names.h"
#include "safetensors.h"
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
    tvk_dtype type;       /* of the source */
    bool quantize;        /* float source with latent weights: ternary by absmean */
    uint32_t sign_groups; /* latent weights of BitNet b1: signs in so many slabs; 0: not */
    bool columns;         /* the slabs are columns */
    float scale;          /* multiplier of ternary codes; 0: the source's own (I2_S, TQ blocks) */
    uint32_t
        head_size; /* rows of heads are reordered from half-split to interleaved pairs; 0: not */
    /* decided by tvk_job_decide */
    bool ternary;
    tvk_dtype out;
    bool side_scale; /* a tensor ".scale" holds the scale */
    uint16_t block_scale;
    float sign_scales[TVK_CONVERT_MAX_GROUPS]; /* once it is written */
    int8_t *codes;                             /* [n * k], while it is written */
} tvk_job;

typedef struct tvk_conversion {
    const char *in;
    tvk_convert_params params;
    tvk_arena arena;
    tvk_gguf_writer *writer;
    tvk_job **jobs;
    uint32_t job_count, job_room;
    uint32_t vocab;  /* of the model */
    bool keep_types; /* without --type: the source's types (GGUF in) */
    /* kept open until all is written */
    tvk_mapping mapping;
    tvk_safetensors *safetensors;
    tvk_file *file;
} tvk_conversion;

/* The job is owned by the conversion; zeroed but for its name and role. */
tvk_status tvk_convert_add(tvk_conversion *c, const char *name, tvk_role role, tvk_job **out,
                           tvk_error *err);

/* Chooses the output type. Errors: TVK_ERR_ARG when the wanted type is impossible for this tensor.
 */
tvk_status tvk_job_decide(const tvk_conversion *c, tvk_job *job, tvk_error *err);
/* tvk_gguf_source functions; user is a tvk_job. */
tvk_status tvk_job_write(void *user, tvk_gguf_sink *sink, tvk_error *err);
/* Whether values of the output can differ from the source's. */
bool tvk_job_rounds(const tvk_job *job);
tvk_status tvk_job_write_scale(void *user, tvk_gguf_sink *sink, tvk_error *err);

/* Front ends: open the input, write the metadata, add the jobs. */
tvk_status tvk_convert_hf(tvk_conversion *c, tvk_error *err);
tvk_status tvk_convert_llama2c(tvk_conversion *c, tvk_error *err);
tvk_status tvk_convert_gguf(tvk_conversion *c, tvk_error *err);

/* Tokenizers to tokenizer.ggml.* keys. path: a tokenizer.json or llama2.c's tokenizer.bin, told
 * apart by its content. bos and eos: -1 unknown. */
tvk_status tvk_convert_tokenizer(tvk_conversion *c, const char *path, int64_t bos, int64_t eos,
                                 tvk_error *err);
tvk_status tvk_convert_tokenizer_json(tvk_conversion *c, const char *path, const tvk_mapping *text,
                                      int64_t bos, int64_t eos, tvk_error *err);
tvk_status tvk_convert_tokenizer_llama2c(tvk_conversion *c, const char *path,
                                         const tvk_mapping *text, tvk_error *err);

/* "folder/name" in the conversion's arena; NULL when malloc fails. */
char *tvk_convert_path(tvk_conversion *c, const char *folder, const char *name);
bool tvk_convert_exists(const char *path);

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
