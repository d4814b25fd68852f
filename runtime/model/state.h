/* Where things lie in the state buffer (shaders/include/params.h has the words). */
#ifndef TVK_MODEL_STATE_H
#define TVK_MODEL_STATE_H

#include "shaders/include/params.h"

#include <stdint.h>

#define TVK_RING_ENTRIES 16u /* requests and results; submissions in flight stay well below it */

typedef struct tvk_state_layout {
    uint32_t batch, max_outs, slots, max_pages, context;
    uint32_t outs_word, pages_word, slots_word, history_word;
    uint32_t merge_word;   /* counters [TVK_FEW_ROWS][heads] of attn_token */
    uint32_t arrived_word; /* counters [max_outs] of sample */
    uint32_t total_words;
    uint32_t request_words, result_words; /* of one ring entry */
} tvk_state_layout;

tvk_state_layout tvk_state_layout_make(uint32_t batch, uint32_t max_outs, uint32_t slots,
                                       uint32_t context, uint32_t heads);

#endif
