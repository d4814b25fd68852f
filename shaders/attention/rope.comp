// Rotary embedding of the first heads of a row, in place: a pair (x0, x1) turns by the table's
// (c, s): y0 = x0 c - x1 s, y1 = x1 c + x0 s. Pair i is (i, i + rotary/2); INTERLEAVED: (2i, 2i+1)
// bindings: 0 state | 1 table [context, rotary/2] {cos, sin} | 2 qkv [T, stride] f32
// workgroup (x, t): GROUP pairs of row t
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"

TVK_PUSHED(4);
tvk_rope_params p = TVK_ROPE_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer Table { vec2 table[]; };
layout(set = 0, binding = 2, std430) buffer Qkv { float qkv[]; };

void main()
{
    uint t = gl_WorkGroupID.y;
    uint pairs = p.rotary / 2u;
    uint item = gl_WorkGroupID.x * GROUP + gl_LocalInvocationIndex;
    if (t >= state[TVK_STATE_COUNT] || item >= p.heads * pairs) return;
    uint position = state[TVK_STATE_ROWS + TVK_ROW_WORDS * t + 1u];
    uint i = item % pairs;
    vec2 turn = table[position * pairs + i];
    uint head = t * p.stride + (item / pairs) * p.d;
#ifdef INTERLEAVED
    uint at0 = head + 2u * i, at1 = at0 + 1u;
#else
    uint at0 = head + i, at1 = at0 + pairs;
#endif
    float x0 = qkv[at0], x1 = qkv[at1];
    precise float y0 = x0 * turn.x - x1 * turn.y;
    precise float y1 = x1 * turn.x + x0 * turn.y;
    qkv[at0] = y0;
    qkv[at1] = y1;
}
