// Gated unit of gate a and up b: RELU2: f = (max(a,0)^2) b; SILU: f = (a sigmoid(a)) b
// bindings: 0 gate and up [T, 2F] f32 | 1 f [T, F] f32
// workgroup (x, t): GROUP groups of four values of row t
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"

layout(push_constant) uniform Push { tvk_glu_params p; };
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
#ifdef RELU2
    vec4 m = max(a, vec4(0.0));
    precise vec4 v = (m * m) * b;
#else
    vec4 s = vec4(tvk_sigmoid(a.x), tvk_sigmoid(a.y), tvk_sigmoid(a.z), tvk_sigmoid(a.w));
    precise vec4 v = (a * s) * b;
#endif
    f[t * (p.out_stride / 4u) + c] = v;
}
