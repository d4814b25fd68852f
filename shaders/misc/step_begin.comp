// Start of a step: reads the next request, makes the row table, and the group counts of the step's
// dispatches.
//   rows whose session has stopped are dropped, the others keep their order
//   history[slot][position] = token; outs[i] = {row, request flags} of the i-th output row
//   COUNT, OUTS, CHUNKS = max(position / 128 + 1), SEQ += 1; then the counts of every rule
// bindings: 0 request ring | 1 state | 2 rules, then the indirect arguments
// workgroup: one, the whole step
// constants: 0-2 workgroup size (x: up to 128)
// needs: nothing
#version 450
#include "prelude.glsl"

layout(push_constant) uniform Push { tvk_begin_params p; };
layout(set = 0, binding = 0, std430) readonly buffer Requests { uint requests[]; };
layout(set = 0, binding = 1, std430) buffer State { uint state[]; };
layout(set = 0, binding = 2, std430) buffer Rules { uint rules[]; };

shared uint kept[4]; // a bit a row of the pass
shared uint wanted[4];
shared uint chunks;

uint rank(uint mask[4], uint lid)
{
    uint below = bitCount(mask[lid / 32u] & ((1u << (lid % 32u)) - 1u));
    for (uint i = 0u; i < lid / 32u; ++i) below += bitCount(mask[i]);
    return below;
}

uint total(uint mask[4])
{
    return bitCount(mask[0]) + bitCount(mask[1]) + bitCount(mask[2]) + bitCount(mask[3]);
}

uvec4 rule(uint i)
{
    return uvec4(rules[4u * i], rules[4u * i + 1u], rules[4u * i + 2u], rules[4u * i + 3u]);
}

uint groups(uint kind, uint value, uint rows, uint outs, uint deepest)
{
    uint v = max(value, 1u);
    if (kind == TVK_AXIS_ROWS) return (rows + v - 1u) / v;
    if (kind == TVK_AXIS_OUTS) return (outs + v - 1u) / v;
    if (kind == TVK_AXIS_CHUNKS) return deepest;
    if (kind == TVK_AXIS_ONE) return outs == 1u ? value : 0u;
    if (kind == TVK_AXIS_SEVERAL) return outs > 1u ? (outs + v - 1u) / v : 0u;
    if (kind == TVK_AXIS_BLOCKS) return TVK_BLOCKS(v, rows * deepest);
    return rows == 0u ? 0u : value;
}

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint sequence = state[TVK_STATE_SEQ];
    uint last_rule = max(p.rule_count, 1u) - 1u;
    uvec4 own = rule(min(lid, last_rule)); // on its way while the request is
    if (lid == 0u) chunks = 0u;
    uint entry = (sequence % p.ring_entries) * p.ring_entry_words;
    uint asked = min(requests[entry], p.batch);
    uint rows = 0u, outs = 0u;
    uint first = 0u;
    do {
        if (lid < 4u) {
            kept[lid] = 0u;
            wanted[lid] = 0u;
        }
        // the row is on its way while the number of rows is: the ring may be far away
        uint r = first + lid;
        uint from = entry + TVK_REQUEST_HEADER + TVK_REQUEST_ROW * min(r, p.batch - 1u);
        uint slot = requests[from], position = requests[from + 1u], token = requests[from + 2u],
             flags = requests[from + 3u];
        bool keep = r < asked;
        barrier();
        if (keep && (flags & TVK_REQUEST_FROM_SLOT) != 0u) {
            uint s = p.slots_word + TVK_SLOT_WORDS * slot;
            keep = state[s + TVK_SLOT_STOPPED] == 0u;
            token = state[s + TVK_SLOT_TOKEN];
            position = state[s + TVK_SLOT_POSITION];
        }
        bool want = keep && (flags & TVK_REQUEST_OUTPUT) != 0u;
        if (keep) atomicOr(kept[lid / 32u], 1u << (lid % 32u));
        if (want) atomicOr(wanted[lid / 32u], 1u << (lid % 32u));
        if (keep) atomicMax(chunks, position / TVK_CHUNK + 1u);
        barrier();
        if (keep) {
            uint row = rows + rank(kept, lid);
            uint output_index = outs + rank(wanted, lid);
            want = want && output_index < p.max_outs;
            uint at = TVK_STATE_ROWS + TVK_ROW_WORDS * row;
            state[at] = slot;
            state[at + 1u] = position;
            state[at + 2u] = token;
            state[at + 3u] = want ? output_index : TVK_NO_OUTPUT;
            if (want) {
                state[p.outs_word + TVK_OUT_WORDS * output_index] = row;
                state[p.outs_word + TVK_OUT_WORDS * output_index + 1u] = flags;
            }
            if (position < p.context) state[p.history_word + slot * p.context + position] = token;
        }
        rows += total(kept);
        outs += total(wanted);
        barrier();
        first += GROUP;
    } while (first < asked);
    outs = min(outs, p.max_outs);
    if (lid == 0u) {
        state[TVK_STATE_COUNT] = rows;
        state[TVK_STATE_OUTS] = outs;
        state[TVK_STATE_CHUNKS] = chunks;
        state[TVK_STATE_SEQ] = sequence + 1u;
    }
    for (uint i = lid; i < p.rule_count; i += GROUP) {
        uint at = 4u * (p.rule_count + i);
        rules[at] = groups(own.x & 0xffu, own.y, rows, outs, chunks);
        rules[at + 1u] = groups((own.x >> 8) & 0xffu, own.z, rows, outs, chunks);
        rules[at + 2u] = groups((own.x >> 16) & 0xffu, own.w, rows, outs, chunks);
        own = rule(min(i + GROUP, last_rule));
    }
}
