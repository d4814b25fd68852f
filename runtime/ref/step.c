/* Begin of a step: one entry of the request ring becomes the row table, the list of output rows and
 * the group counts of every indirect dispatch. */
#include "ref/ref.h"

#include <stddef.h>

static uint32_t groups(uint32_t kind, uint32_t v, const uint32_t *state)
{
    uint32_t rows = state[TVK_STATE_COUNT], outs = state[TVK_STATE_OUTS];
    if (kind != TVK_AXIS_FIXED && v == 0) v = 1;
    switch (kind) {
    case TVK_AXIS_ROWS:
        return (rows + v - 1) / v;
    case TVK_AXIS_OUTS:
        return (outs + v - 1) / v;
    case TVK_AXIS_CHUNKS:
        return state[TVK_STATE_CHUNKS];
    case TVK_AXIS_ONE:
        return outs == 1 ? v : 0;
    case TVK_AXIS_SEVERAL:
        return outs > 1 ? (outs + v - 1) / v : 0;
    case TVK_AXIS_BLOCKS:
        return TVK_BLOCKS(v, rows * state[TVK_STATE_CHUNKS]);
    default:
        return rows ? v : 0;
    }
}

void tvk_ref_begin(const uint32_t *requests, uint32_t *state, uint32_t *rules,
                   const struct tvk_begin_params *p)
{
    const uint32_t *entry =
        requests + (size_t)(state[TVK_STATE_SEQ] % p->ring_entries) * p->ring_entry_words;
    uint32_t rows = 0, outs = 0, chunks = 0;
    uint32_t asked = entry[0] < p->batch ? entry[0] : p->batch;
    for (uint32_t r = 0; r < asked; r++) {
        const uint32_t *request = entry + TVK_REQUEST_HEADER + (size_t)r * TVK_REQUEST_ROW;
        uint32_t slot = request[0], position = request[1], token = request[2], flags = request[3];
        const uint32_t *s = state + p->slots_word + (size_t)slot * TVK_SLOT_WORDS;
        uint32_t *row = state + TVK_STATE_ROWS + (size_t)rows * TVK_ROW_WORDS;
        if (flags & TVK_REQUEST_FROM_SLOT) {
            if (s[TVK_SLOT_STOPPED]) continue;
            token = s[TVK_SLOT_TOKEN];
            position = s[TVK_SLOT_POSITION];
        }
        row[0] = slot;
        row[1] = position;
        row[2] = token;
        row[3] = TVK_NO_OUTPUT;
        if ((flags & TVK_REQUEST_OUTPUT) && outs < p->max_outs) {
            uint32_t *out = state + p->outs_word + (size_t)outs * TVK_OUT_WORDS;
            out[0] = rows;
            out[1] = flags;
            row[3] = outs++;
        }
        if (position < p->context)
            state[p->history_word + (size_t)slot * p->context + position] = token;
        if (position / TVK_CHUNK + 1 > chunks) chunks = position / TVK_CHUNK + 1;
        rows++;
    }
    state[TVK_STATE_COUNT] = rows;
    state[TVK_STATE_OUTS] = outs;
    state[TVK_STATE_CHUNKS] = chunks;
    state[TVK_STATE_SEQ]++;
    for (uint32_t i = 0; i < p->rule_count; i++) {
        const uint32_t *rule = rules + 4 * (size_t)i;
        uint32_t *args = rules + 4 * (size_t)(p->rule_count + i);
        for (uint32_t axis = 0; axis < 3; axis++)
            args[axis] = groups(rule[0] >> 8 * axis & 255u, rule[1 + axis], state);
    }
}
