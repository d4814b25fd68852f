// Gated unit of gate a and up b: RELU2: f = (max(a,0)^2) b; SILU: f = (a sigmoid(a)) b
// bindings: 0 gate and up [T, 2F] f32 | 1 f [T, F] f32
// workgroup (x, t): GROUP groups of four values of row t
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"
#include "gate.glsl"
#ifdef RELU2
const uint GATE = TVK_GATE_RELU2;
#else
const uint GATE = TVK_GATE_SILU;
#endif

TVK_PUSHED(3);
tvk_glu_params p = TVK_GLU_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer GateUp { vec4 gate_up[]; };
layout(set = 0, binding = 1, std430) writeonly buffer F { vec4 f[]; };

void main()
{
    uint t = gl_WorkGroupID.y;
    uint c = gl_WorkGroupID.x * GROUP + gl_LocalInvocationIndex;
    uint quads = p.f / 4u;
    if (c >= quads) return;
    uint at = t * (p.in_stride / 4u) + c;
    vec4 a = gate_up[at], b = gate_up[at + quads];
    vec4 v;
    [[unroll]] for (uint i = 0u; i < 4u; ++i) v[i] = tvk_gated(GATE, a[i], b[i]);
    f[t * (p.out_stride / 4u) + c] = v;
}
