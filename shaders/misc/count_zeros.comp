// Counts of what the linears need not multiply: zeros among the codes of activation records, or among
// floats (FLOATS), where p.not_positive counts all values <= 0.
//   counters[p.word] += zeros of the rows (64 bits), counters[p.word + 2] += rows (64 bits)
// bindings: 0 state | 1 records or x [T, stride words] | 2 counters {zeros low, high, rows low, high}
// workgroup: one row
// constants: 0-2 workgroup size (x: power of two, 8 .. 128)
// needs: nothing
#version 450
#include "prelude.glsl"
#include "reduce.glsl"

layout(push_constant) uniform Push { tvk_count_params p; };
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { uint x[]; };
layout(set = 0, binding = 2, std430) buffer Counters { uint counters[]; };

// each carry of the low word is seen by exactly one addition
void add64(uint at, uint n)
{
    uint before = atomicAdd(counters[at], n);
    if (before + n < before) atomicAdd(counters[at + 1u], 1u);
}

#ifdef FLOATS
uint zeros(uint bits)
{
    uint size = bits & 0x7fffffffu;
    bool negative = bits != size && size <= 0x7f800000u; // a NaN is neither
    return size == 0u || (p.not_positive != 0u && negative) ? 1u : 0u;
}
#else
// codes of the word that are not zero; padding is
uint codes(uint word)
{
    if (p.code_bits == 8u) word |= word >> 4;
    word |= word >> 2;
    word |= word >> 1;
    return uint(bitCount(word & (p.code_bits == 8u ? 0x01010101u : 0x11111111u)));
}
#endif

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint t = gl_WorkGroupID.x;
    if (t >= state[TVK_STATE_COUNT]) return;
    uint base = t * p.stride;
    uint n = 0u;
#ifdef FLOATS
    for (uint i = lid; i < p.k; i += GROUP) n += zeros(x[base + i]);
#else
    for (uint i = TVK_ACT_HEADER_WORDS + lid; i < p.stride; i += GROUP) n += codes(x[base + i]);
#endif
    n = uint(tvk_reduce_int(int(n)));
    if (lid == 0u) {
#ifdef FLOATS
        add64(p.word, n);
#else
        add64(p.word, p.k - n);
#endif
        add64(p.word + 2u, 1u);
    }
}
