/* What tests against the word of others share: files converted and opened as a user would do it,
 * expected arrays, and how far two arrays of logits are apart. */
#ifndef TVK_TESTS_GOLDEN_H
#define TVK_TESTS_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/npz.h"
#include "ternvk/device.h"
#include "ternvk/loader.h"
#include "ternvk/model.h"
#include "ternvk/session.h"

typedef struct fixture {
    tvk_device *device;
    char path[512]; /* of the model converted last; removed at the end */
} fixture;

/* A model with one session. */
typedef struct opened {
    tvk_file *file;
    tvk_model *model;
    tvk_session *session;
} opened;

typedef struct figures {
    uint32_t rows;
    double all;   /* relative L2 of the whole array */
    double worst; /* relative L2 of a row: |got - expected| / |expected| */
    uint32_t worst_row;
    uint32_t close_rows; /* rows before the first one above 1e-4 */
    uint32_t same_best;  /* rows whose best token is the expected one */
} figures;

extern const tvk_log warnings; /* prints */

void ok(tvk_status st, const tvk_error *err);
void need(const char *path);
npy_array member(const char *path, const char *name);
void *room(size_t count, size_t bytes);
/* Token ids of an array of any shape. */
int32_t *token_ids(const npy_array *array);
opened open_with(tvk_device *device, const char *path, const tvk_model_params *params);
/* f32 KV: an f16 cache alone moves the logits of a BitNet model by 1e-2. exact: the rows of the
 * manifest that docs/numerics.md defines. */
opened open_model(tvk_device *device, const char *path);
void close_model(opened *m);
/* Converts and opens what came of it. type NULL: the default. */
opened convert(const fixture *f, const char *in, const char *type, const char *tokenizer);
/* Logits [count, V] of a new sequence; V through *vocab. */
float *logits_of(const opened *m, const int32_t *ids, uint32_t count, uint32_t *vocab);
/* Greedy tokens after a prompt, into out [count]. */
void generate(const opened *m, const int32_t *prompt, uint32_t prompt_count, int32_t *out,
              uint32_t count);
/* Index of the largest. */
uint32_t best_float(const float *row, uint32_t count);
figures compare(const char *name, const float *got, const double *expected, uint32_t rows,
                uint32_t vocab);
/* Evaluates the ids of an archive and compares with its logits. */
figures compare_with(const char *name, const opened *m, const char *path, const char *logits_name);
int set_up(void **state);
int tear_down(void **state);
/* The last one: what the validation layer said about those before it. */
void validation_is_silent(void **state);
/* 0: there is one; else the exit status. */
int no_device(void);

#endif
