/* A graph is a list of dispatches in order, over named transients whose memory is shared where
 * their lifetimes allow. Made once for a step size, recorded once, submitted many times.
 *
 *   tvk_graph_init -> tvk_graph_tensor + kernels append to graph.list -> tvk_graph_plan
 *   -> tvk_graph_rules -> tvk_graph_record */
#ifndef TVK_GRAPH_GRAPH_H
#define TVK_GRAPH_GRAPH_H

#include "kernels/kernel.h"

typedef struct tvk_graph_tensor_info {
    const char *name;
    uint64_t bytes, offset;
    uint32_t first, last; /* dispatches that use it; first > last: none does */
} tvk_graph_tensor_info;

typedef struct tvk_graph {
    tvk_arena arena;
    tvk_dispatch_list list;
    tvk_graph_tensor_info *tensors; /* id - 1 */
    uint32_t tensor_count, tensor_capacity;
    bool keep; /* every tensor keeps its own memory to the end */
    uint64_t scratch_bytes;
    uint32_t *cuts; /* dispatch indices at which layers end */
    uint32_t cut_count, cut_capacity;
} tvk_graph;

void tvk_graph_init(tvk_graph *graph, bool keep);
void tvk_graph_free(tvk_graph *graph);

/* A transient of `bytes` bytes, contents undefined at first. */
tvk_status tvk_graph_tensor(tvk_graph *graph, uint64_t bytes, tvk_span *out, tvk_error *err,
                            const char *name_fmt, ...) TVK_PRINTF(5, 6);
/* Text that lives as long as the graph (labels). */
const char *tvk_graph_text(tvk_graph *graph, const char *fmt, ...) TVK_PRINTF(2, 3);
/* A copy as a node of its own; both spans have the same size. */
tvk_status tvk_graph_copy(tvk_graph *graph, tvk_span src, tvk_span dst, tvk_error *err);
/* Marks a layer boundary here. */
tvk_status tvk_graph_cut(tvk_graph *graph, tvk_error *err);

/* lifetime.c: places the transients; afterwards scratch_bytes is what the graph needs. */
tvk_status tvk_graph_plan(tvk_graph *graph, uint64_t align, tvk_error *err);
const tvk_graph_tensor_info *tvk_graph_find(const tvk_graph *graph, const char *name);

/* rules.c: the distinct group rules of the graph. Of a step of one row only those that depend on
 * more than the row count need the device's arguments. */
typedef struct tvk_rules {
    uint32_t count;
    uint32_t *words;   /* 8 words a rule: 4 of rules, then as many for the arguments */
    uint32_t *of_node; /* rule of each dispatch; UINT32_MAX: dispatched directly */
} tvk_rules;
tvk_status tvk_graph_rules(tvk_graph *graph, uint32_t rows, tvk_rules *out, tvk_error *err);

/* record.c */
typedef enum tvk_stamps {
    TVK_STAMPS_NONE = 0,
    TVK_STAMPS_ENDS = 1, /* before the first and after the last dispatch */
    TVK_STAMPS_EACH = 2  /* before the first and after every dispatch */
} tvk_stamps;

typedef struct tvk_record_params {
    const char *name;
    const tvk_dispatch_list *before; /* dispatched first: step_begin; may be NULL */
    const tvk_rules *rules;
    tvk_span rules_span;
    tvk_span scratch;
    uint32_t rows;     /* capacity of the step */
    const double *ns;  /* time of each dispatch, to cut by; NULL: one command buffer */
    double most_ns;    /* of a command buffer that has more than one dispatch */
    tvk_stamps stamps; /* of a step in one command buffer */
} tvk_record_params;

/* *out: malloc'd array of *count command buffers, to be destroyed one by one. */
tvk_status tvk_graph_record(const tvk_graph *graph, tvk_device *device,
                            const tvk_record_params *params, tvk_commands ***out, uint32_t *count,
                            tvk_error *err);
void tvk_commands_list_destroy(tvk_commands ***list, uint32_t *count);

/* hazards.c: ranges touched since the last barrier. */
typedef struct tvk_hazard_range {
    tvk_buffer *buffer;
    uint64_t begin, end;
    bool write;
} tvk_hazard_range;
typedef struct tvk_hazards {
    tvk_hazard_range *ranges;
    uint32_t count, capacity;
} tvk_hazards;
/* Must a barrier stand before this access? */
bool tvk_hazards_conflict(const tvk_hazards *h, const tvk_span *span, bool write);
bool tvk_hazards_add(tvk_hazards *h, const tvk_span *span, bool write); /* false: out of memory */
void tvk_hazards_clear(tvk_hazards *h);
void tvk_hazards_free(tvk_hazards *h);

#endif
