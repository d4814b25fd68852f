/* Options that several commands share, and what they open: file, tokenizer, device, model, session.
 */
#ifndef TVK_CLI_ENGINE_H
#define TVK_CLI_ENGINE_H

#include "args.h"
#include "retry.h"
#include "ternvk/device.h"
#include "ternvk/loader.h"
#include "ternvk/model.h"
#include "ternvk/session.h"

typedef struct engine_options {
    const char *model; /* NULL: the bundled one */
    const char *device, *clamps;
    uint32_t submit_ms; /* 0: no matter */
    const char *kv_k, *kv_v, *q, *act, *sparse;
    uint32_t context;
    uint32_t verbose;
    bool exact, list_devices, validate, validate_gpu, no_tune;
    bool stats; /* the option belongs to the commands that have it */
} engine_options;

/* Tables for ARG_INCLUDE: -v and --device ...; -m; what a model on a device can be told. They write
 * to the one engine_options of the process. */
extern engine_options engine_given;
extern const arg_option engine_device_options[], engine_file_options[], engine_model_options[];
extern const arg_option engine_stats_options[]; /* --stats */

typedef struct engine {
    tvk_file *file;
    tvk_tokenizer *tokenizer; /* NULL: the file has none */
    tvk_error tokenizer_error;
    tvk_device *device;
    tvk_model *model;
    tvk_session *session;   /* the first one */
    tvk_session **sessions; /* [session_count] */
    uint32_t session_count;
    const tvk_weight_source *source; /* of the model, and how it was made: both for the next one */
    tvk_model_params params;
    retry retry;       /* of lost devices; zeroed where a new task begins */
    uint32_t messages; /* of the validation layer, on devices that were lost */
    char *clamps;      /* text of --clamps */
    bool tune;         /* set before: what this command runs asks for the device's tuning record */
    bool thorough; /* set before: tuned for longer than someone who waits for a text would like */
    bool measured; /* the tuning record was read and completed */
    bool programs; /* compiled kernels were read, and are kept when it closes */
    bool bundled;  /* the bundled model, because no other was asked for */
    double file_ms, device_ms, tune_ms; /* of opening */
    double load_ms;
} engine;

/* Parts of an engine; all of them print what failed and return the exit status, 0 when done.
 * After a failure too, engine_close frees what is there. */
int engine_open_file(engine *e);
int engine_open_device(engine *e);
/* What the options say about the model; kv: the type of keys and values where -ctk and
 * -ctv say none. */
int engine_model_params(tvk_model_params *out, tvk_kv_type kv);
/* A model on the opened device, which is another one when that was lost meanwhile; no session.
 * source: borrowed until the engine closes. */
int engine_open_model(engine *e, const tvk_weight_source *source, const tvk_model_params *params);
int engine_open_sessions(engine *e, uint32_t count);
/* File (unless it is open), device, model and session; kv as above. */
int engine_open(engine *e, tvk_kv_type kv);
/* After a call of the library failed: was that a lost device, and are device, model and sessions
 * there again, so that the call may be repeated? done: how far the task got, tokens say, which only
 * grows. A device is opened again RETRY_MOST times a task, and not where it is lost twice in the
 * same place; each time is told on stderr. False: *err says what to tell. e->model is another one
 * then, e->sessions are the same. */
bool engine_recovered(engine *e, uint64_t done, tvk_error *err);
#define ENGINE_LOADING UINT64_MAX /* `done` of a task that has not begun */
/* At -v, where the time of opening went; first_ms: from the program's start to the first token, 0:
 * there was none. */
void engine_print_times(const engine *e, double first_ms);
/* An exit status: 1, with a line on stderr, when the validation layer had something to say. */
int engine_validated(const engine *e);
void engine_close(engine *e);

/* Parts of opening that recover.c repeats; nothing is printed. */
tvk_status engine_make_device(engine *e, tvk_error *err);
tvk_status engine_make_model(engine *e, tvk_error *err);

/* Parameters of the device as the options say; borrowed from e. Returns an exit status. */
int engine_device_params(engine *e, tvk_device_params *out);
/* Forms of the packed integer dot product that the device accelerates: "yes" (both), "signed",
 * "mixed", "no". */
const char *engine_dot_text(const tvk_device_info *info);
/* "discrete" */
const char *engine_type_name(tvk_device_type type);
/* "f16" */
const char *engine_kv_name(tvk_kv_type type);
/* "f32" */
const char *engine_q_name(tvk_q_type type);
/* Says which device runs, on stderr. */
void engine_banner(const tvk_device_info *info);

#endif
