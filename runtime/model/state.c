#include "model/state.h"

#include "kernels/ops.h"

tvk_state_layout tvk_state_layout_make(uint32_t batch, uint32_t max_outs, uint32_t slots,
                                       uint32_t context, uint32_t heads)
{
    tvk_state_layout s = {.batch = batch, .max_outs = max_outs, .slots = slots, .context = context};
    s.max_pages = (context + TVK_CHUNK - 1) / TVK_CHUNK;
    s.outs_word = TVK_STATE_ROWS + batch * TVK_ROW_WORDS;
    s.pages_word = s.outs_word + max_outs * TVK_OUT_WORDS;
    s.slots_word = s.pages_word + slots * s.max_pages;
    s.history_word = s.slots_word + slots * TVK_SLOT_WORDS;
    s.merge_word = s.history_word + slots * context;
    s.arrived_word = s.merge_word + heads * TVK_FEW_ROWS;
    s.total_words = s.arrived_word + max_outs;
    s.request_words = TVK_REQUEST_HEADER + batch * TVK_REQUEST_ROW;
    s.result_words = TVK_RESULT_HEADER + max_outs;
    return s;
}
