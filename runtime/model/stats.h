/* Counters of a model made with params.stats: what the blocks record counts into. */
#ifndef TVK_MODEL_STATS_H
#define TVK_MODEL_STATS_H

#include "base/error.h"
#include "ternvk/model.h"

/* In the order of tvk_layer_stats. */
typedef enum tvk_count_kind {
    TVK_COUNT_QKV,
    TVK_COUNT_OUT,
    TVK_COUNT_GATE_UP,
    TVK_COUNT_GATES,
    TVK_COUNT_DOWN,
    TVK_COUNT_KINDS
} tvk_count_kind;

/* Counter of TVK_COUNTER_WORDS words in the buffer: [layer][kind]. */
uint32_t tvk_stats_counter(uint32_t layer, tvk_count_kind kind);
/* The buffer, zeroed, when the model's params ask for it. */
tvk_status tvk_stats_create(tvk_model *model, tvk_error *err);

#endif
