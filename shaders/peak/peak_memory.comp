// How fast memory is read, or copied: items of four words, in parts of neighbours, a part a workgroup.
//   copy: y[i] = x[i]; read: y[g] = sum of the words of the items that invocation g sees
// bindings: 0 x [N] uvec4 | 1 y [N] uvec4, or [invocations] words
// workgroup: ceil(N / groups) items, GROUP neighbours at a time
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"

layout(push_constant) uniform Push { tvk_peak_params p; };
layout(set = 0, binding = 0, std430) readonly buffer X { uvec4 x[]; };
#ifdef COPY
layout(set = 0, binding = 1, std430) writeonly buffer Y { uvec4 y[]; };
#else
layout(set = 0, binding = 1, std430) writeonly buffer Y { uint y[]; };
#endif

const uint TURN = 8u; // loads on their way together

void main()
{
    uint part = (p.n + gl_NumWorkGroups.x - 1u) / gl_NumWorkGroups.x;
    uint i = gl_WorkGroupID.x * part + gl_LocalInvocationIndex;
    uint end = min((gl_WorkGroupID.x + 1u) * part, p.n);
#ifdef COPY
    for (; i < end; i += GROUP) y[i] = x[i];
#else
    uvec4 sum = uvec4(0u);
    for (; i + (TURN - 1u) * GROUP < end; i += TURN * GROUP) {
        [[unroll]] for (uint k = 0u; k < TURN; ++k) sum += x[i + k * GROUP];
    }
    for (; i < end; i += GROUP) sum += x[i];
    y[gl_GlobalInvocationID.x] = (sum.x + sum.y) + (sum.z + sum.w);
#endif
}
