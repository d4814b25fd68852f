/* Blocks of a model -> dispatches of a graph. */
#ifndef TVK_MODEL_BLOCKS_H
#define TVK_MODEL_BLOCKS_H

#include "graph/graph.h"
#include "kv/pages.h"
#include "model/state.h"
#include "model/weights.h"

typedef struct tvk_block_context {
    tvk_kernels *kernels;
    tvk_graph *graph;
    const tvk_config *config;
    const tvk_weights *weights;
    const tvk_kv_pool *kv;
    const tvk_state_layout *layout;
    tvk_span state, rope, logits, results;
    tvk_span counters;    /* buffer NULL: nothing is counted */
    const tvk_skip *skip; /* by tvk_skip_at, for a step of one row */
    uint32_t rows;        /* capacity of the step */
    bool apart;           /* each row is of another session */
    uint32_t outs;        /* output rows it can have */
    tvk_span x;           /* residual stream [rows, hidden], made by the embedding block */
} tvk_block_context;

tvk_status tvk_block_build(tvk_block_context *c, const tvk_block *block, tvk_error *err);

/* Bytes that attention's partial results may take in steps of more than one row. */
#define TVK_MOST_PARTIALS (64u << 20)

#endif
