/* config.json of a Hugging Face folder, checked. */
#ifndef TVK_LOADER_HF_CONFIG_H
#define TVK_LOADER_HF_CONFIG_H

#include <jansson.h>

#include "convert.h"

typedef struct tvk_hf_config {
    tvk_shape shape; /* strings: borrowed from the JSON or static */
    bool bitnet;     /* a BitNet class: float weights are latent */
    bool b1;         /* BitNet b1: shape.weight_groups is at least 1 */
    bool online;     /* float weights are latent, by quantization_config */
    bool quantized;  /* the linears are ternary */
    bool multiply;   /* meaning of weight_scale: multiplier, else divisor */
    bool tied;
    int64_t bos;                 /* -1: none */
    const json_t *eos;           /* a number or several; NULL: none */
    const json_t *not_converted; /* names of modules that stay floats; NULL: none */
} tvk_hf_config;

/* Errors: TVK_ERR_FORMAT (a key that is missing or out of range), TVK_ERR_UNSUPPORTED (a key whose
 * value changes results in a way that is not implemented, by name). Unknown keys are logged. */
tvk_status tvk_hf_config_read(const json_t *root, const tvk_log *log, tvk_hf_config *out,
                              tvk_error *err);

#endif
