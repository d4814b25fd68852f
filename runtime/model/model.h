/* A loaded model: weights, KV pool, device state, recorded steps. Sessions (session/) drive it. */
#ifndef TVK_MODEL_MODEL_H
#define TVK_MODEL_MODEL_H

#include "graph/graph.h"
#include "kv/pages.h"
#include "model/config.h"
#include "model/state.h"
#include "model/weights.h"

/* A recorded step for up to `rows` rows. */
typedef struct tvk_step {
    uint32_t rows, outs;
    bool apart; /* each row is of another session */
    bool exact; /* drafts, whose bits are to be those of one row */
    tvk_graph graph;
    tvk_rules rules;
    tvk_buffer *rules_buffer;
    tvk_dispatch_list begin;
    double
        *ns; /* malloc'd: longest time of each dispatch, to cut by; NULL: not measured (pace.h) */
    tvk_commands **commands;
    uint32_t command_count;
} tvk_step;

/* FEW: several sessions, drafts that are verified; SOME: a prompt as many are. Not there (all zero)
 * where the batch is no larger. SESSIONS: as FEW, each row of another session; not there where that
 * makes no difference. */
enum {
    TVK_STEP_DECODE = 0,
    TVK_STEP_FEW = 1,
    TVK_STEP_SOME = 2,
    TVK_STEP_BATCH = 3,
    TVK_STEP_SESSIONS = 4,
    TVK_STEP_COUNT = 5
};
#define TVK_SOME_ROWS 512u

struct tvk_model {
    tvk_device *device;
    tvk_kernels *kernels;
    tvk_model_params params; /* defaults filled in */
    tvk_config config;
    tvk_model_info info;
    tvk_load_times times;
    tvk_arena arena;
    tvk_weights weights;
    tvk_kv_pool kv;
    tvk_state_layout layout;
    tvk_buffer *state, *requests, *results, *logits, *rope, *scratch;
    tvk_buffer *counters; /* NULL without params.stats */
    tvk_step steps[TVK_STEP_COUNT];
    const tvk_step *last_step; /* for tvk_model_read */
    uint32_t seq;              /* steps that were begun so far, as the device counts them */
    bool *slot_used;           /* [layout.slots] */
    uint32_t open_sessions;
};

/* One row of a step, as the device reads it from the request ring. */
typedef struct tvk_request_row {
    uint32_t slot, position, token, flags; /* TVK_REQUEST_* */
} tvk_request_row;

/* A model without its weights' contents and without commands: *plan says what to load, programs of
 * its steps are noted by model->kernels and not compiled. To be destroyed as any other. */
tvk_status tvk_model_plan(tvk_device *device, const tvk_weight_source *source,
                          const tvk_model_params *params, tvk_weights_plan *plan, tvk_model **out,
                          tvk_error *err);

/* steps.c */
/* Graphs of the steps, without their programs being compiled where the kernels only collect them;
 * needs the weights' places. */
tvk_status tvk_steps_plan(tvk_model *model, tvk_error *err);
/* Recorded, with the memory that they work in; needs the programs. */
tvk_status tvk_steps_record(tvk_model *model, tvk_error *err);
/* Steps as the kernels' choices are now, in place of those that there are; on failure these stay.
 * Nothing may be in flight. */
tvk_status tvk_steps_remake(tvk_model *model, tvk_error *err);
/* Graph and first dispatch of a step for `rows` rows, of which `outs` may give logits, of the model
 * or of one with fewer of its layers (config). *step is zeroed before but for `apart`, destroyed by
 * the caller in any case. */
tvk_status tvk_step_build(tvk_model *model, const tvk_config *config, uint32_t rows, uint32_t outs,
                          tvk_step *step, tvk_error *err);
void tvk_step_destroy(tvk_step *step);
/* The least step that has room for so many rows, else the largest; that of rows of different
 * sessions where these are. */
tvk_step *tvk_step_for(tvk_model *model, const tvk_request_row *rows, uint32_t count);
/* Command buffers of a step with its transients in `scratch`; *list to be destroyed with
 * tvk_commands_list_destroy. */
tvk_status tvk_step_record(tvk_model *model, tvk_step *step, tvk_span scratch, tvk_stamps stamps,
                           tvk_commands ***list, uint32_t *count, tvk_error *err);
/* Writes the request and submits command buffers of the step; as tvk_model_submit. Where it fails
 * behind the first of them, the step has begun and its draws are missing: submit the rows again. */
tvk_status tvk_step_submit(tvk_model *model, const tvk_step *step, tvk_commands *const *list,
                           uint32_t list_count, const tvk_request_row *rows, uint32_t count,
                           uint32_t *seq, uint64_t *ticket, tvk_error *err);
/* Writes the request and submits the step that holds `count` rows. *seq names its result.
 * At most TVK_RING_ENTRIES - 1 submissions may be unfinished. */
tvk_status tvk_model_submit(tvk_model *model, const tvk_request_row *rows, uint32_t count,
                            uint32_t *seq, uint64_t *ticket, tvk_error *err);
/* profile.c: slots that draw the best token, each with pages of its own, whatever sessions left
 * there; a session writes both anew. */
tvk_status tvk_slots_write(tvk_model *model, uint32_t sessions, tvk_error *err);
/* Tokens that the step `seq` drew, one an output row in order; valid once its ticket is done. */
const uint32_t *tvk_model_result(const tvk_model *model, uint32_t seq);
/* Logits of output row i of the last step. */
tvk_status tvk_model_logits(tvk_model *model, uint32_t out_row, float *out, tvk_error *err);

#endif
