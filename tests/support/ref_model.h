/* A whole model on the CPU, composed of ref/ functions: the logits that every driver must give, bit
 * for bit. Reads the file's tensors itself. */
#ifndef TVK_TESTS_REF_MODEL_H
#define TVK_TESTS_REF_MODEL_H

#include "ternvk/model.h"

typedef struct ref_model ref_model;

/* NULL: out of memory, or a tensor is missing. K and V are kept, and Q is read, in the types
 * of info. */
ref_model *ref_model_open(const tvk_weight_source *source, const tvk_model_info *info);
void ref_model_close(ref_model *model);
void ref_model_reset(ref_model *model);
/* Feeds one token at the next position; logits [vocab]. */
void ref_model_step(ref_model *model, int32_t token, float *logits);

#endif
