/* A GGUF file of the full BitNet b1.58 2B4T shape (2.4 billion parameters) with the names and the
 * metadata of the public file (reference: arXiv 2504.12285; names as converters write them) and
 * weights made by formulas: the same codes and scales for every ternary type. */
#ifndef TVK_TESTS_BIG_MODEL_H
#define TVK_TESTS_BIG_MODEL_H

#include <stdint.h>

#include "ternvk/base.h"

#define BIG_VOCAB 128256
#define BIG_HIDDEN 2560
#define BIG_FFN 6912
#define BIG_LAYERS 30
#define BIG_HEADS 20
#define BIG_KV_HEADS 5

/* type: TVK_I2_S or TVK_TQ2_0, of the linears. */
tvk_status big_model_write(const char *path, tvk_dtype type, tvk_error *err);

#endif
