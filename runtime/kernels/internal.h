/* Shared by the kernel files: configurations and argument checks. */
#ifndef TVK_KERNELS_INTERNAL_H
#define TVK_KERNELS_INTERNAL_H

#include "base/check.h"
#include "kernels/kernel.h"
#include "kernels/ops.h"

#define TVK_TILE_CONSTANTS 7

/* One way to cut an op's work: workgroup size and the tile constants (ids 3 ..) of its modules. The
 * last two of tile are none: the steps that it is the default for (config.c). */
typedef struct tvk_config {
    bool cpu; /* made for devices that execute on host cores */
    uint32_t group;
    uint32_t tile[TVK_TILE_CONSTANTS + 2];
} tvk_config;

/* All configurations of a row, whatever the device. */
const tvk_config *tvk_config_table(const tvk_shader_info *row, uint32_t *count);
/* Is it a mat-mat of floats by matrices of halves? */
bool tvk_config_halves(const tvk_shader_info *row);
/* The index-th of those that the device can run: the ones of its class first. NULL past the end. */
const tvk_config *tvk_config_get(const tvk_plan *plan, const tvk_shader_info *row, uint32_t index);

/* The default for N outputs of a step that has room for `rows` rows: the first one that says so,
 * else index 0. */
uint32_t tvk_config_for(const tvk_plan *plan, const tvk_shader_info *row, uint32_t n,
                        uint32_t rows);

/* Why the device cannot run the row; NULL when it can. */
const char *tvk_select_reason(const tvk_plan *plan, const tvk_shader_info *row, bool exact);
/* Subgroup size that its programs are made for; 0: any. */
uint32_t tvk_select_subgroup(const tvk_plan *plan, const tvk_shader_info *row);
/* Can the device run it, and not by emulating what it is for? */
bool tvk_select_worth(const tvk_plan *plan, const tvk_shader_info *row, bool exact);
/* Its base row, which every device can run: the first of the op in the manifest. */
uint32_t tvk_select_base(tvk_op op);
/* Row that an op gets by default: the last one that the device can run, where a dot-product row
 * counts only when the device executes that form natively. UINT32_MAX: none. */
uint32_t tvk_select_row(const tvk_plan *plan, tvk_op op, bool exact);

/* ---- choose.c, kernels.c ---- */

typedef struct tvk_cached_program {
    struct tvk_cached_program *next;
    uint32_t row, constant_count, fixed_count;
    const uint32_t *spirv; /* of the row or what stood in for it */
    uint32_t constants[TVK_MAX_CONSTANTS], fixed[TVK_MAX_FIXED]; /* of its parameters */
    tvk_program *program;
    bool pending; /* prepared, not compiled yet */
    char name[96];
} tvk_cached_program;

/* What programs of a row are made of. */
typedef struct tvk_module {
    uint32_t row;
    const char *name;
    const uint32_t *spirv;
    size_t bytes;
} tvk_module;

struct tvk_kernels {
    tvk_device *device;
    bool exact, fixes;                /* tvk_kernels_fix */
    tvk_choice choices[TVK_OP_COUNT]; /* where nothing is chosen for a shape */
    bool forced[TVK_OP_COUNT];        /* choices[op] holds for every shape */
    tvk_shape_choice *shapes;         /* malloc'd: those that were asked for */
    uint32_t shape_count, shape_capacity;
    tvk_cached_program *programs;
    tvk_module other;           /* words NULL: every row has its own */
    bool collecting;            /* programs are prepared only */
    tvk_compiling *compiling;   /* those that are pending */
    tvk_cached_program *behind; /* those that were not waited for */
    tvk_compiling *compiling_behind;
};

/* Configuration of a choice; that in force where an op has no shapes. */
const tvk_config *tvk_kernels_config_of(const tvk_kernels *kernels, tvk_choice choice);
const tvk_config *tvk_kernels_active(const tvk_kernels *kernels, tvk_op op);
/* Dispatches that a shape is spread over; 1 where nobody asked. */
uint32_t tvk_kernels_parts(const tvk_kernels *kernels, const tvk_shape *shape);
/* Is it the default of its class of devices, which is adapted to the matrix? */
bool tvk_kernels_adapts(const tvk_kernels *kernels, tvk_choice choice);
/* Groups of four values of a row that each of an invocation's group keeps; 0: more than `most`. */
uint32_t tvk_held(uint32_t quads, uint32_t group, uint32_t most);

/* How a ternary mat-vec is cut: its constants, and weight rows a workgroup. */
#define TVK_VEC_CONSTANTS 6u
typedef struct tvk_vec_cut {
    uint32_t constants[TVK_VEC_CONSTANTS];
    uint32_t rows;
} tvk_vec_cut;
/* c: LANES, ROWS, AHEAD; adapts: to rows of so many units of 16 bytes, of which n are taken. */
tvk_vec_cut tvk_vec_cut_of(const tvk_plan *plan, tvk_config c, bool adapts, uint32_t units,
                           uint32_t n);
/* That of a choice for n rows of this matrix. */
tvk_vec_cut tvk_kernels_vec_cut(const tvk_kernels *kernels, tvk_choice choice, const tvk_matrix *w,
                                uint32_t n);

/* Of `most` words of something an invocation may keep that many: a sixth of its registers. */
uint32_t tvk_may_keep(const tvk_plan *plan, uint32_t most);

/* Is the span there, aligned, large enough and small enough to bind? */
tvk_status tvk_check_span(const tvk_kernels *kernels, tvk_op op, const char *what, tvk_span span,
                          uint64_t bytes, tvk_error *err);
/* Error unless `good`: "op: what" with the value found. */
tvk_status tvk_check_value(tvk_op op, bool good, const char *expected, uint64_t found,
                           tvk_error *err);

/* Which of four kernels types have: f32, f16, packed, or packed with query records. */
tvk_op tvk_cache_op(tvk_cache_types types, tvk_op f32, tvk_op f16, tvk_op packed, tvk_op queries);
/* Known types; words of a page with room for G KV heads of D values. */
tvk_status tvk_check_page(tvk_op op, tvk_cache_types types, uint32_t kv_heads, uint32_t d,
                          uint32_t page_words, tvk_error *err);

/* Groups of an elementwise kernel: ceil(items / group) x one a row (kind: TVK_AXIS_ROWS, _OUTS). */
tvk_groups tvk_groups_rows(uint32_t items, uint32_t group, uint32_t kind);

#endif
