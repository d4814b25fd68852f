// Rows whose logits are wanted: y[i,k] = x[outs[i],k]
// bindings: 0 state | 1 x [T, K] f32 | 2 y [outs, K] f32
// workgroup (x, i): GROUP groups of four values of output row i
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"

TVK_PUSHED(2);
tvk_gather_params p = TVK_GATHER_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { uvec4 x[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Y { uvec4 y[]; };

void main()
{
    uint i = gl_WorkGroupID.y, quads = p.k / 4u;
    uint c = gl_WorkGroupID.x * GROUP + gl_LocalInvocationIndex;
    if (i >= state[TVK_STATE_OUTS] || c >= quads) return;
    y[i * quads + c] = x[state[p.outs_word + TVK_OUT_WORDS * i] * quads + c];
}
