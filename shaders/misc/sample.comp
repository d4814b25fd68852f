// Draws the next token of an output row (docs/numerics.md, "Sampling") and moves its session on:
// slot token, position, tokens left and stop flag, history, and the word of the result ring; of a
// row of a draft that word alone.
// bindings: 0 logits [outs, logits_stride] f32 bits | 1 state | 2 result ring
// workgroup: one output row; greedy without penalty is only an argmax
// constants: 0-2 workgroup size (x: power of two)
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"
#include "philox.glsl"

layout(push_constant) uniform Push { tvk_sample_params p; };
layout(set = 0, binding = 0, std430) readonly buffer Logits { uint logits[]; };
layout(set = 0, binding = 0, std430) readonly buffer LogitQuads { uvec4 logit_quads[]; };
layout(set = 0, binding = 1, std430) buffer State { uint state[]; };
layout(set = 0, binding = 2, std430) buffer Results { uint results[]; };

#include "select.glsl"

shared float sorted[TVK_CANDIDATES];
shared uint sorted_id[TVK_CANDIDATES];
shared float weight[TVK_CANDIDATES];
shared uint live_count;
shared uint drawn;

// penalty on the unordered candidates that the last tokens contain
void penalize(uint count, uint slot, uint recent, uint window)
{
    float penalty = uintBitsToFloat(state[slot + TVK_SLOT_PENALTY]);
    float inv_penalty = uintBitsToFloat(state[slot + TVK_SLOT_INV_PENALTY]);
    if (penalty == 1.0) return;
    for (uint c = gl_LocalInvocationIndex; c < count; c += GROUP) {
        uint id = found_id[c];
        bool seen = false;
        for (uint j = 0u; j < window; ++j) seen = seen || state[recent + j] == id;
        if (seen) {
            precise float v = tvk_unorder(found_key[c]);
            if (v > 0.0) v = v * inv_penalty;
            else v = v * penalty;
            found_key[c] = tvk_order(floatBitsToUint(v));
        }
    }
}

// Every candidate goes to the place that the number of better ones gives. The list is padded to
// whole turns of the loop with candidates that no one counts.
const uint SORT_TURN = 8u;

void pad_found(uint count)
{
    uint i = count + gl_LocalInvocationIndex;
    uint end = (count + SORT_TURN - 1u) / SORT_TURN * SORT_TURN;
    for (; i < end; i += GROUP) {
        found_key[i] = 0u;
        found_id[i] = 0xffffffffu;
    }
}

void sort_found(uint count)
{
    for (uint c = gl_LocalInvocationIndex; c < count; c += GROUP) {
        uint key = found_key[c], id = found_id[c], rank = 0u;
        for (uint first = 0u; first < count; first += SORT_TURN) {
            [[unroll]] for (uint n = 0u; n < SORT_TURN; ++n) {
                uint other = found_key[first + n];
                rank += uint(other > key) + (uint(other == key) & uint(found_id[first + n] < id));
            }
        }
        sorted[rank] = tvk_unorder(key);
        sorted_id[rank] = id;
    }
}

// top-p and min-p on weights e_i = exp(l_i - l_0), which fall with i
uint cut(uint count, float top_p, float min_p)
{
    if (top_p > 0.0 && top_p < 1.0) {
        precise float sum = 0.0, prefix = 0.0;
        for (uint i = 0u; i < count; ++i) sum = sum + weight[i];
        precise float reach = top_p * sum;
        uint n = 0u;
        do {
            prefix = prefix + weight[n];
            ++n;
        } while (n < count && !(prefix >= reach));
        count = n;
    }
    if (min_p > 0.0)
        while (count > 1u && weight[count - 1u] < min_p) --count;
    return count;
}

uint draw(uint count, uint slot, uint position)
{
    precise float total = 0.0, prefix = 0.0;
    for (uint i = 0u; i < count; ++i) total = total + weight[i];
    uint bits = tvk_philox(position, state[slot + TVK_SLOT_SEED_LO], state[slot + TVK_SLOT_SEED_HI]);
    precise float u = float(bits >> 8) * 5.9604644775390625e-8;
    precise float reach = u * total;
    for (uint i = 0u; i + 1u < count; ++i) {
        prefix = prefix + weight[i];
        if (prefix > reach) return i;
    }
    return count - 1u;
}

uint sample_row(uint base, uint slot, uint history, uint position)
{
    uint lid = gl_LocalInvocationIndex;
    float temperature = uintBitsToFloat(state[slot + TVK_SLOT_TEMPERATURE]);
    bool greedy = !(temperature > 0.0);
    if (greedy && uintBitsToFloat(state[slot + TVK_SLOT_PENALTY]) == 1.0)
        return tvk_argmax(base, p.vocab);

    uint count = tvk_select(base, p.vocab);
    pad_found(count);
    barrier();
    uint window = min(state[slot + TVK_SLOT_LAST_N], position);
    penalize(count, slot, history + position - window, window);
    barrier();
    sort_found(count);
    barrier();
    float best = sorted[0];
    // differences of infinities have no value
    if (greedy || (floatBitsToUint(best) & 0x7f800000u) == 0x7f800000u) return sorted_id[0];

    count = min(count, state[slot + TVK_SLOT_TOP_K]);
    for (uint i = lid; i < count; i += GROUP) {
        precise float x = sorted[i] - best;
        weight[i] = tvk_exp(x);
    }
    barrier();
    if (lid == 0u)
        live_count = cut(count, uintBitsToFloat(state[slot + TVK_SLOT_TOP_P]),
                         uintBitsToFloat(state[slot + TVK_SLOT_MIN_P]));
    barrier();
    count = live_count;
    float inv_temperature = uintBitsToFloat(state[slot + TVK_SLOT_INV_TEMPERATURE]);
    float min_p = uintBitsToFloat(state[slot + TVK_SLOT_MIN_P]);
    for (uint i = lid; i < count; i += GROUP) {
        precise float x = (sorted[i] - best) * inv_temperature;
        // tvk_exp is monotone only up to its rounding: one below min-p may stand among the others
        bool stays = i == 0u || !(min_p > 0.0 && weight[i] < min_p);
        weight[i] = stays ? tvk_exp(x) : 0.0;
    }
    barrier();
    if (lid == 0u) drawn = sorted_id[draw(count, slot, position)];
    barrier();
    return drawn;
}

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint r = gl_WorkGroupID.x;
    uint outs = state[TVK_STATE_OUTS], seq = state[TVK_STATE_SEQ];
    if (r >= outs) return;
    uint entry = ((seq - 1u) % p.ring_entries) * p.ring_entry_words;
    if (r == 0u && lid == 0u) {
        results[entry] = seq;
        results[entry + 1u] = outs;
        results[entry + 2u] = 0u;
        results[entry + 3u] = 0u;
    }
    uint o = p.outs_word + TVK_OUT_WORDS * r;
    if ((state[o + 1u] & TVK_REQUEST_SAMPLE) == 0u) {
        if (lid == 0u) results[entry + TVK_RESULT_HEADER + r] = TVK_NO_TOKEN;
        return;
    }
    uint row = TVK_STATE_ROWS + TVK_ROW_WORDS * state[o];
    uint slot = p.slots_word + TVK_SLOT_WORDS * state[row];
    uint history = p.history_word + p.context * state[row];
    uint position = state[row + 1u] + 1u;
    uint token = sample_row(r * p.logits_stride, slot, history, position);
    if (lid != 0u) return;
    results[entry + TVK_RESULT_HEADER + r] = token;
    if ((state[o + 1u] & TVK_REQUEST_DRAFT) != 0u) return;

    uint left = state[slot + TVK_SLOT_LEFT] - 1u;
    bool stop = left == 0u || position >= p.context;
    uint stops = min(state[slot + TVK_SLOT_STOP_COUNT], TVK_MAX_STOPS);
    for (uint i = 0u; i < stops; ++i) stop = stop || state[slot + TVK_SLOT_STOPS + i] == token;
    if (position < p.context) state[history + position] = token;
    state[slot + TVK_SLOT_TOKEN] = token;
    state[slot + TVK_SLOT_POSITION] = position;
    state[slot + TVK_SLOT_LEFT] = left;
    if (stop) state[slot + TVK_SLOT_STOPPED] = 1u;
}
