/* What the tests of whole models share: small models of formulas, opened on the device. */
#ifndef TVK_TESTS_MODEL_FIXTURE_H
#define TVK_TESTS_MODEL_FIXTURE_H

#include "support/tiny_model.h"

#include "ternvk/loader.h"
#include "ternvk/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

extern tvk_device *device; /* of this test */

#define TINY_SPECS 10u
extern const tiny_spec tiny_specs[TINY_SPECS];

typedef struct opened {
    tvk_file *file;
    tvk_model *model;
    tvk_session *session;
} opened;

void require_ok(tvk_status st, const tvk_error *err);
/* Written, opened, and gone from the disk. */
tvk_file *tiny_file(const tiny_spec *spec);
void open_model(const tiny_spec *spec, const tvk_model_params *params, opened *o);
void close_model(opened *o);
int32_t token_at(uint32_t i, uint32_t vocab);
int32_t *make_tokens(uint32_t count, uint32_t vocab);
float *make_floats(size_t count);
void eval(opened *o, tvk_session *s, const int32_t *tokens, uint32_t count, float *logits);
/* Which row differs first; fails the test. */
void require_same_rows(const char *what, const float *a, const float *b, uint32_t rows,
                       uint32_t width);

/* Makes the device, runs the tests, returns the exit status. */
int run_on_device(const struct CMUnitTest *tests, size_t count);

#endif
