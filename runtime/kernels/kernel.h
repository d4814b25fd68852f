/* The contract of kernels: a function per kernel checks shapes, picks a row of the manifest and a
 * configuration (specialization constants), and appends what to dispatch to a list. Recording a
 * list is common code; nothing here knows a model. */
#ifndef TVK_KERNELS_KERNEL_H
#define TVK_KERNELS_KERNEL_H

#include "base/arena.h"
#include "base/error.h"
#include "shaders/include/params.h"
#include "vk/gpu.h"

/* Ops, one for each row of kernels.def. */
typedef enum tvk_op {
#define TVK_KERNEL(op, access, params, fixed) TVK_OP_##op,
#include "kernels/kernels.def"
#undef TVK_KERNEL
    TVK_OP_COUNT
} tvk_op;

#define TVK_MAX_PARAMS 32u /* words */

/* Modules, one for each row of shaders/manifest.def. */
typedef struct tvk_shader_info {
    const char *name;    /* "gemv_t2_i8_dp4" */
    const char *variant; /* "base", "dp4" */
    tvk_op op;
    uint32_t caps; /* TVK_CAP_* needed */
    const uint32_t *spirv;
    const size_t *spirv_bytes; /* *spirv_bytes == 0: this build's compiler could not make it */
} tvk_shader_info;

uint32_t tvk_shader_count(void);
const tvk_shader_info *tvk_shader_get(uint32_t index);
const char *tvk_op_name(tvk_op op);
const char *tvk_op_access(tvk_op op);
/* Of its parameters: words, and how many of them, from the first one on, are fixed where the plan
 * fixes any. */
uint32_t tvk_op_param_words(tvk_op op);
uint32_t tvk_op_fixed_words(tvk_op op);
/* Of all modules and configurations: another one where a kernel changed. */
uint64_t tvk_kernels_version(void);

/* Work groups: each axis fixed or a function of the step's rows (TVK_AXIS_*). */
typedef struct tvk_groups {
    uint8_t kind[3];
    uint32_t value[3];
} tvk_groups;

typedef struct tvk_dispatch {
    tvk_op op;
    const char *label; /* for profiles and dumps: "l3.attn_q"; borrowed */
    tvk_program *program;
    const char *program_name; /* manifest row and configuration; lives as long as the kernels */
    uint32_t caps;            /* TVK_CAP_* of the row */
    tvk_span bindings[TVK_MAX_BINDINGS];
    uint32_t binding_count;
    uint32_t params[TVK_MAX_PARAMS]; /* of the op; those that its program has fixed too */
    tvk_groups groups;
    uint32_t shape; /* of the choice that it runs with, or that it is there for; 0: none */
} tvk_dispatch;

typedef struct tvk_dispatch_list {
    tvk_dispatch *items; /* malloc'd */
    uint32_t count, capacity;
    const char *label; /* given to the dispatches that are appended */
    bool outs;         /* what is appended has a row for each output row (tvk_op_gather) */
    bool exact;        /* mat-mats that are appended are exact: tvk_shape */
} tvk_dispatch_list;

void tvk_dispatch_list_free(tvk_dispatch_list *list);

/* Programs of a device, made on first use, and how rows are chosen. */
typedef struct tvk_kernels tvk_kernels;

/* exact: rows with TVK_CAP_INEXACT are not eligible. */
tvk_status tvk_kernels_create(tvk_device *device, bool exact, tvk_kernels **out, tvk_error *err);
void tvk_kernels_destroy(tvk_kernels **kernels);
tvk_device *tvk_kernels_device(const tvk_kernels *kernels);

/* Can this device run the row? *why (may be NULL) gets the reason when not. */
bool tvk_kernels_eligible(const tvk_kernels *kernels, uint32_t shader_index, const char **why);
/* Row that an op gets by default on this device. */
uint32_t tvk_kernels_default(const tvk_kernels *kernels, tvk_op op);
/* Number of configurations of a row on this device; 0 is the default one where nothing is known of
 * the shape. */
uint32_t tvk_kernels_config_count(const tvk_kernels *kernels, uint32_t shader_index);
/* Of these the first so many are made for devices of this class, host cores or GPUs. */
uint32_t tvk_kernels_own_configs(const tvk_kernels *kernels, uint32_t shader_index);

/* Programs that were made so far, in no order; NULL past the end. *row, *name (may be NULL): of
 * the manifest; "gemv_t2_i8_dp4[128,16,4]", which lives as long as the kernels. */
tvk_program *tvk_kernels_program(const tvk_kernels *kernels, uint32_t index, uint32_t *row,
                                 const char **name);

/* ---- many programs at once ---- */

/* Until tvk_kernels_compile, programs that ops ask for are noted, not made. */
void tvk_kernels_collect(tvk_kernels *kernels);
/* Compiles what was noted with threads of their own while the caller goes on. */
tvk_status tvk_kernels_compile(tvk_kernels *kernels, tvk_error *err);
/* Compiles and waits, but only until the deadline (tvk_clock_ns()). *all: everything is compiled.
 * Else the caller forgets what was noted (tvk_kernels_forget). What was begun by then is compiled
 * to its end beside everything else, for the driver's cache alone: the next that is not waited for,
 * or tvk_kernels_destroy, waits for it. */
tvk_status tvk_kernels_compile_until(tvk_kernels *kernels, uint64_t deadline_ns, bool *all,
                                     tvk_error *err);
/* What is noted and not compiled is forgotten; the dispatches that asked for it are no more. */
void tvk_kernels_forget(tvk_kernels *kernels);
/* Waits for them: dispatches can be recorded. The error names the first program that failed. */
tvk_status tvk_kernels_compiled(tvk_kernels *kernels, tvk_error *err);

/* ---- which row and configuration ---- */

/* What an op runs with: a row of the manifest and a configuration (an index, as
 * tvk_kernels_config_count counts them). */
typedef struct tvk_choice {
    uint32_t row, config;
    uint32_t shape; /* 1 + index of the shape that it was chosen for; 0: of none */
} tvk_choice;

/* What a tuner can tell apart: an op with N outputs and K inputs (0: it has none) in a step that
 * has room for `rows` rows; exact: rows of the manifest that are marked inexact are not taken,
 * where the op has any. */
typedef struct tvk_shape {
    tvk_op op;
    uint32_t n, k, rows;
    bool exact;
} tvk_shape;

typedef struct tvk_shape_choice {
    tvk_shape shape;
    bool preferred; /* by tvk_kernels_prefer; else the choice is the default */
    uint32_t parts; /* dispatches that it is spread over; 0: no matter */
    tvk_choice choice;
} tvk_shape_choice;

/* What runs this shape: what is forced for the op, if it is exact where the shape asks for that,
 * else what is preferred for the shape, else the default. Shapes that were asked for are
 * remembered. */
tvk_choice tvk_kernels_choose(tvk_kernels *kernels, const tvk_shape *shape);
/* The configuration of a row for n outputs of so many rows where nothing was measured. */
uint32_t tvk_kernels_config_for(const tvk_kernels *kernels, uint32_t shader_index, uint32_t n,
                                uint32_t rows);
/* From now on the shape runs with this choice, unless its op is forced.
 * Errors: TVK_ERR_ARG, TVK_ERR_UNSUPPORTED: this device has no such row or configuration. */
tvk_status tvk_kernels_prefer(tvk_kernels *kernels, const tvk_shape *shape, tvk_choice choice,
                              tvk_error *err);
/* From now on the shape's outputs are spread over so many dispatches, or nearly; false: kernels of
 * this op, or of a shape that was never asked for (index, from 1: tvk_dispatch.shape), cannot. */
bool tvk_kernels_spread(tvk_kernels *kernels, uint32_t shape, uint32_t parts);
/* The shapes that were asked for or preferred, in the order they were. NULL past the end. */
const tvk_shape_choice *tvk_kernels_shape(const tvk_kernels *kernels, uint32_t index);
/* What is worth measuring for a shape on this device: rows that it does not emulate, each with the
 * configurations of its class. Returns how many, at most `most`. */
uint32_t tvk_kernels_candidates(const tvk_kernels *kernels, const tvk_shape *shape, tvk_choice *out,
                                uint32_t most);
/* An exact row, for results to compare with. */
tvk_choice tvk_kernels_reference(const tvk_kernels *kernels, tvk_op op);
/* A configuration as the table of its op counts them, whatever the device, and back; false: not on
 * this device. */
uint32_t tvk_kernels_table_index(const tvk_kernels *kernels, tvk_choice choice);
bool tvk_kernels_from_table(const tvk_kernels *kernels, uint32_t row, uint32_t table_index,
                            tvk_choice *out);
/* "gemv_t2_i8_mix[64,16,2]" of a row and a configuration in that table; false: there is none. */
bool tvk_kernels_table_text(uint32_t row, uint32_t table_index, char *text, size_t bytes);

/* From now on op uses this row and configuration for every shape (tests, --kernel). shader_index
 * UINT32_MAX: back to the default. */
tvk_status tvk_kernels_force(tvk_kernels *kernels, tvk_op op, uint32_t shader_index,
                             uint32_t config, tvk_error *err);

/* Whether programs are made with parameters from now on; at first as the device's plan has it. */
void tvk_kernels_fix(tvk_kernels *kernels, bool fix);

/* From now on programs of this row are made of other words: a module with the row's bindings, push
 * constants and specialization constants. spirv and name: borrowed until tvk_kernels_destroy; spirv
 * NULL: the row's own again. One row at a time. */
void tvk_kernels_substitute(tvk_kernels *kernels, uint32_t shader_index, const char *name,
                            const uint32_t *spirv, size_t spirv_bytes);

/* For the kernel files: the program of op with these constants, from the cache or made now, then
 * a dispatch appended to the list. constants[0..2] are the workgroup size. Ops whose shapes the
 * tuner tells apart say what tvk_kernels_choose answered. */
tvk_status tvk_kernels_append(tvk_kernels *kernels, tvk_dispatch_list *list, tvk_op op,
                              const uint32_t *constants, uint32_t constant_count,
                              const tvk_span *bindings, const void *params,
                              const tvk_groups *groups, tvk_error *err);
tvk_status tvk_kernels_append_choice(tvk_kernels *kernels, tvk_dispatch_list *list, tvk_op op,
                                     tvk_choice choice, const uint32_t *constants,
                                     uint32_t constant_count, const tvk_span *bindings,
                                     const void *params, const tvk_groups *groups, tvk_error *err);

#endif
