// Draws the next token of an output row (docs/numerics.md, "Sampling") and moves its session on:
// slot token, position, tokens left and stop flag, history, and the word of the result ring; of a
// row of a draft that word alone.
// bindings: 0 logits [outs, logits_stride] f32 bits
//           1 state; at p.arrived_word a counter an output row, 0 between steps | 2 result ring
//           3 leaders [outs, p.blocks * (GROUP + 2)], between the workgroups of a row
// workgroup (x, y): block x of output row y; the one that ends last draws
// constants: 0-2 workgroup size (x: power of two), 3 MOST_BLOCKS a row
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"
#include "philox.glsl"

layout(constant_id = 3) const uint MOST_BLOCKS = 1u;

TVK_PUSHED(11);
tvk_sample_params p = TVK_SAMPLE_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer Logits { uint logits[]; };
layout(set = 0, binding = 0, std430) readonly buffer LogitQuads { uvec4 logit_quads[]; };
layout(set = 0, binding = 1, std430) buffer State { uint state[]; };
layout(set = 0, binding = 2, std430) buffer Results { uint results[]; };
layout(set = 0, binding = 3, std430) coherent buffer Leaders { uint leaders[]; };

#include "select.glsl"
#include "leaders.glsl"

shared uint slot[TVK_SLOT_WORDS];
shared uint sorted_key[TVK_CANDIDATES];
shared uint sorted_id[TVK_CANDIDATES];
shared float weight[TVK_CANDIDATES];
shared float prefix[TVK_CANDIDATES];
shared uint arrived, picked, kept;

float slot_float(uint word) { return uintBitsToFloat(slot[word]); }

// Every candidate goes to the place that the number of better ones gives, the best TVK_CANDIDATES of
// them. The list is padded to whole turns of the loop with candidates that no one counts.
const uint SORT_TURN = 8u;

void sort_found(uint count)
{
    uint lid = gl_LocalInvocationIndex;
    uint end = (count + SORT_TURN - 1u) / SORT_TURN * SORT_TURN;
    for (uint i = count + lid; i < end; i += GROUP) {
        found_key[i] = 0u;
        found_id[i] = 0xffffffffu;
    }
    barrier();
    for (uint c = lid; c < count; c += GROUP) {
        uint key = found_key[c], id = found_id[c], rank = 0u;
        for (uint first = 0u; first < count; first += SORT_TURN) {
            [[unroll]] for (uint n = 0u; n < SORT_TURN; ++n) {
                uint other = found_key[first + n];
                rank += uint(other > key) + (uint(other == key) & uint(found_id[first + n] < id));
            }
        }
        if (rank >= TVK_CANDIDATES) continue;
        sorted_key[rank] = key;
        sorted_id[rank] = id;
    }
    barrier();
}

// penalty on the candidates that the last tokens contain
void penalize(uint count, uint recent, uint window)
{
    const uint turn = 8u; // loads on their way together
    for (uint c = gl_LocalInvocationIndex; c < count; c += GROUP) {
        uint id = sorted_id[c], key = sorted_key[c];
        bool seen = false;
        for (uint first = 0u; first < window; first += turn) {
            [[unroll]] for (uint n = 0u; n < turn; ++n) {
                bool same = state[recent + min(first + n, window - 1u)] == id;
                seen = seen || same;
            }
        }
        if (seen) {
            precise float v = tvk_unorder(key);
            if (v > 0.0) v = v * slot_float(TVK_SLOT_INV_PENALTY);
            else v = v * slot_float(TVK_SLOT_PENALTY);
            key = tvk_order(floatBitsToUint(v));
        }
        found_key[c] = key;
        found_id[c] = id;
    }
    barrier();
}

// prefix[i] = the sum, in this order, of weight[0 .. i]
void add_weights(uint count)
{
    const uint turn = 8u;
    uint end = (count + turn - 1u) / turn * turn;
    for (uint i = count + gl_LocalInvocationIndex; i < end; i += GROUP) weight[i] = 0.0;
    barrier();
    if (gl_LocalInvocationIndex == 0u) {
        precise float sum = 0.0;
        for (uint first = 0u; first < count; first += turn) {
            float next[turn];
            [[unroll]] for (uint n = 0u; n < turn; ++n) next[n] = weight[first + n];
            [[unroll]] for (uint n = 0u; n < turn; ++n) {
                sum = sum + next[n];
                prefix[first + n] = sum;
            }
        }
    }
    barrier();
}

// top-p on prefixes of weights e_i = exp(l_i - l_0), then min-p on the weights, which fall with i
uint cut(uint count)
{
    uint lid = gl_LocalInvocationIndex;
    float top_p = slot_float(TVK_SLOT_TOP_P), min_p = slot_float(TVK_SLOT_MIN_P);
    precise float reach = top_p * prefix[count - 1u];
    if (lid == 0u) {
        picked = count;
        kept = 1u;
    }
    barrier();
    if (top_p > 0.0 && top_p < 1.0)
        for (uint i = lid; i < count; i += GROUP)
            if (prefix[i] >= reach && (i == 0u || !(prefix[i - 1u] >= reach))) picked = i + 1u;
    barrier();
    count = picked;
    for (uint i = lid; i < count; i += GROUP)
        if (!(min_p > 0.0 && weight[i] < min_p)) atomicMax(kept, i + 1u);
    barrier();
    return kept;
}

uint draw(uint count, uint position)
{
    uint bits = tvk_philox(position, slot[TVK_SLOT_SEED_LO], slot[TVK_SLOT_SEED_HI]);
    precise float u = float(bits >> 8) * 5.9604644775390625e-8;
    precise float reach = u * prefix[count - 1u];
    if (gl_LocalInvocationIndex == 0u) picked = count - 1u;
    barrier();
    for (uint i = gl_LocalInvocationIndex; i + 1u < count; i += GROUP)
        if (prefix[i] > reach && (i == 0u || !(prefix[i - 1u] > reach))) picked = i;
    barrier();
    return sorted_id[picked];
}

uint sample_row(uint base, uint at, uint history, uint position)
{
    uint lid = gl_LocalInvocationIndex;
    bool greedy = !(slot_float(TVK_SLOT_TEMPERATURE) > 0.0);
    bool penalty = slot_float(TVK_SLOT_PENALTY) != 1.0;
    uvec2 leader = tvk_best(at);
    if (greedy && !penalty) return leader.y;

    uint count = tvk_gather(base, at, leader.x);
    if (count == 0u) {
        barrier(); // others may still read the best
        count = tvk_select(base, p.vocab);
    }
    for (bool again = penalty;; again = false) {
        sort_found(count);
        count = min(count, TVK_CANDIDATES);
        if (!again) break;
        uint window = min(slot[TVK_SLOT_LAST_N], position);
        penalize(count, history + position - window, window);
    }
    float best = tvk_unorder(sorted_key[0]);
    // differences of infinities have no value
    if (greedy || (floatBitsToUint(best) & 0x7f800000u) == 0x7f800000u) return sorted_id[0];

    count = min(count, slot[TVK_SLOT_TOP_K]);
    float min_p = slot_float(TVK_SLOT_MIN_P);
    for (bool last = false;; last = true) { // what is cut off, then what is drawn
        float scale = last ? slot_float(TVK_SLOT_INV_TEMPERATURE) : 1.0;
        for (uint i = lid; i < count; i += GROUP) {
            precise float x = (tvk_unorder(sorted_key[i]) - best) * scale;
            // tvk_exp is monotone only up to its rounding: one below min-p may stand among the others
            bool goes = last && i > 0u && min_p > 0.0 && weight[i] < min_p;
            weight[i] = goes ? 0.0 : tvk_exp(x);
        }
        add_weights(count);
        if (last) break;
        count = cut(count);
    }
    return draw(count, position);
}

// The session of the row goes on with `token`.
void advance(uint slot_word, uint history, uint position, uint token)
{
    uint left = slot[TVK_SLOT_LEFT] - 1u;
    bool stop = left == 0u || position >= p.context;
    uint stops = min(slot[TVK_SLOT_STOP_COUNT], TVK_MAX_STOPS);
    for (uint i = 0u; i < stops; ++i) stop = stop || slot[TVK_SLOT_STOPS + i] == token;
    if (position < p.context) state[history + position] = token;
    state[slot_word + TVK_SLOT_TOKEN] = token;
    state[slot_word + TVK_SLOT_POSITION] = position;
    state[slot_word + TVK_SLOT_LEFT] = left;
    if (stop) state[slot_word + TVK_SLOT_STOPPED] = 1u;
}

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint block = gl_WorkGroupID.x, r = gl_WorkGroupID.y;
    uint base = r * p.logits_stride, at = r * leader_words(), segment = block * GROUP + lid;
    // the words of the slot stand at the end of a chain of reads, which the logits are read beside
    uint o = p.outs_word + TVK_OUT_WORDS * r;
    uint row = state[o], flags = state[o + 1u], outs = state[TVK_STATE_OUTS], seq = state[TVK_STATE_SEQ];
    uvec4 keys[AHEAD];
    load_turn(base, segment, 0u, keys);
    if (r >= outs) return;
    uint session = state[TVK_STATE_ROWS + TVK_ROW_WORDS * row];
    uint position = state[TVK_STATE_ROWS + TVK_ROW_WORDS * row + 1u] + 1u;
    uint slot_word = p.slots_word + TVK_SLOT_WORDS * session;
    uint history = p.history_word + p.context * session;
    uint entry = ((seq - 1u) % p.ring_entries) * p.ring_entry_words;
    if (r == 0u && block == 0u && lid == 0u) {
        results[entry] = seq;
        results[entry + 1u] = outs;
        results[entry + 2u] = 0u;
        results[entry + 3u] = 0u;
    }
    if ((flags & TVK_REQUEST_SAMPLE) == 0u) {
        if (block == 0u && lid == 0u) results[entry + TVK_RESULT_HEADER + r] = TVK_NO_TOKEN;
        return;
    }
    for (uint i = lid; i < TVK_SLOT_WORDS; i += GROUP) slot[i] = state[slot_word + i];
    tell(at, block, lead(base, segment, keys));
    memoryBarrierBuffer();
    barrier();
    if (lid == 0u) arrived = atomicAdd(state[p.arrived_word + r], 1u);
    barrier();
    if (arrived + 1u != p.blocks) return;
    memoryBarrierBuffer();
    if (lid == 0u) state[p.arrived_word + r] = 0u;
    uint token = sample_row(base, at, history, position);
    if (lid != 0u) return;
    results[entry + TVK_RESULT_HEADER + r] = token;
    if ((flags & TVK_REQUEST_DRAFT) == 0u) advance(slot_word, history, position, token);
}
