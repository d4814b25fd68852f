/* The tuner's work on one step: shapes, their candidates, and steps that are built with one of them
 * each. */
#ifndef TVK_MODEL_TUNER_H
#define TVK_MODEL_TUNER_H

#include "model/model.h"
#include "tune/decide.h"

#define TVK_MAX_SUBJECTS 24u
#define TVK_MAX_CANDIDATES 64u
#define TVK_PICK_REFERENCE 0xffu /* in place of a candidate */

typedef struct tvk_candidate {
    tvk_choice choice;
    bool exact, wrong;
    tvk_timing timing;
} tvk_candidate;

/* One shape of the step. */
typedef struct tvk_subject {
    uint32_t id; /* tvk_dispatch.shape */
    tvk_shape shape;
    tvk_choice reference;
    uint32_t dispatches; /* of its op in a pass */
    bool left;           /* at the default for good: measuring it would take too long */
    uint32_t count;
    tvk_candidate list[TVK_MAX_CANDIDATES]; /* the default first */
} tvk_subject;

/* A candidate of every subject; TVK_PICK_REFERENCE: none of them. */
typedef struct tvk_picks {
    uint8_t of[TVK_MAX_SUBJECTS];
} tvk_picks;

/* A step with those. */
typedef struct tvk_pass {
    tvk_step step;
    tvk_picks picks;
    bool bits; /* all of them are exact */
} tvk_pass;

/* Steps that are compiled and recorded together. */
typedef struct tvk_passes {
    tvk_pass *items;
    uint32_t count;
    tvk_buffer *scratch; /* for their transients, where the model's is too small for one of them */
} tvk_passes;

typedef struct tvk_tuner {
    tvk_model *m;
    const tvk_progress *progress;
    tvk_config config; /* the model's, with fewer layers */
    bool cpu;
    double call_ns; /* that the call was given */
    uint64_t deadline;
    /* the step at hand */
    uint32_t capacity, outs; /* of the model's step */
    bool exact;              /* likewise */
    uint32_t rows, position;
    tvk_request_row *request;
    tvk_subject *subjects;
    uint32_t count, most;     /* subjects; candidates of the subject that has most */
    float *want, *got;        /* logits [outputs][vocab] */
    uint32_t giving, outputs; /* rows that give logits; of those, compared */
    double run_ns;            /* of the reference, submission to fence */
    uint32_t added;           /* to the record */
} tvk_tuner;

bool tvk_same_choice(tvk_choice a, tvk_choice b);
/* Has the model a shape of which nothing is known, and for which there is a choice? */
bool tvk_tuner_asks(const tvk_model *model);
/* Those of a step of the model, with their candidates, become the subjects. */
void tvk_tuner_find(tvk_tuner *t, const tvk_step *step);

/* ---- tune_pass.c ---- */

/* Room for `most` passes, zeroed before; what they ask for is collected until they are recorded. */
tvk_status tvk_passes_open(tvk_tuner *t, uint32_t most, tvk_passes *passes, tvk_error *err);
/* Makes the kernels prefer what is picked, and builds one pass more. */
tvk_status tvk_passes_build(tvk_tuner *t, tvk_passes *passes, const tvk_picks *picks, bool bits,
                            tvk_error *err);
/* Compiles and records them; *ready false: there was no time to compile all. */
tvk_status tvk_passes_record(tvk_tuner *t, tvk_passes *passes, bool *ready, tvk_error *err);
/* Zeroed again; of zeroed ones it does nothing. */
void tvk_passes_free(tvk_tuner *t, tvk_passes *passes);
/* One run; sums (may be NULL) [count]: ns of each subject's dispatches. */
tvk_status tvk_pass_run(tvk_tuner *t, tvk_pass *p, double *sums, tvk_error *err);
/* Logits of the last run, out [outputs][vocab]. */
tvk_status tvk_pass_logits(tvk_tuner *t, float *out, tvk_error *err);
/* Runs it and compares with t->want: bit for bit, or nearly. */
tvk_status tvk_pass_compare(tvk_tuner *t, tvk_pass *p, bool *good, tvk_error *err);

/* ---- tune_rounds.c ---- */

bool tvk_tuner_late(const tvk_tuner *t);
/* Progress. Errors: TVK_ERR_CANCELLED. */
tvk_status tvk_tuner_report(const tvk_tuner *t, uint32_t done, uint32_t total, tvk_error *err);
/* The step with the reference in every place: what results must be, and t->run_ns and what the
 * dispatches of each subject take: sums [count]; both may be NULL. Fills the cache at its
 * positions, too. *ready false: there was no time. */
tvk_status tvk_tuner_reference(tvk_tuner *t, float *logits, double *sums, bool *ready,
                               tvk_error *err);
/* Passes in which each candidate is once. */
uint32_t tvk_tuner_passes(const tvk_tuner *t);
/* Compares and times those, until time is up. On a GPU they are compiled together. */
tvk_status tvk_tuner_try_all(tvk_tuner *t, tvk_error *err);
/* Times the fastest again and again, in turn, so that what else the machine does meets all of them.
 */
tvk_status tvk_tuner_final(tvk_tuner *t, tvk_error *err);

#endif
