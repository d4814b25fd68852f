// GELU: f = x Phi(x)
// bindings: 0 x [T, F] f32 | 1 f [T, F] f32
// workgroup (x, t): GROUP groups of four values of row t
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"

TVK_PUSHED(3);
tvk_glu_params p = TVK_GLU_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer F { vec4 f[]; };

void main()
{
    uint t = gl_WorkGroupID.y;
    uint c = gl_WorkGroupID.x * GROUP + gl_LocalInvocationIndex;
    if (c >= p.f / 4u) return;
    vec4 v = x[t * (p.in_stride / 4u) + c];
    f[t * (p.out_stride / 4u) + c] = vec4(tvk_gelu(v.x), tvk_gelu(v.y), tvk_gelu(v.z), tvk_gelu(v.w));
}
