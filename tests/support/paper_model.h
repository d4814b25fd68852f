/* BitNet b1 and BitNet v2 as their papers write them (arXiv 2310.11453, 2504.18415), in double
 * precision: an oracle for models that nobody publishes. Shares nothing with runtime/ref but the
 * reading of a file's tensors by name. */
#ifndef TVK_TESTS_PAPER_MODEL_H
#define TVK_TESTS_PAPER_MODEL_H

#include "ternvk/model.h"

typedef struct paper_model paper_model;

/* NULL: a tensor is missing or of a type that the papers' models do not have here (signs in I8;
 * I2_S; F32, F16 and Q8_0 embeddings). */
paper_model *paper_model_open(const tvk_weight_source *source, const tvk_model_info *info);
void paper_model_close(paper_model *model);
/* Feeds one token at the next position; logits [vocab]. */
void paper_model_step(paper_model *model, int32_t token, double *logits);

#endif
