// Which gates are open: the rows with a gate above 0, ascending, and f = 0 for the others.
// bindings: 0 f [F] gates as f32, then {count, 0, 0, 0}, then the rows
// workgroup: one
// constants: 0-2 workgroup size (x: up to 1024), 3 QUADS groups of four gates an invocation lists at
//            a time
// needs: nothing
#version 450
#include "prelude.glsl"
#include "scan.glsl"

layout(constant_id = 3) const uint QUADS = 1u;

TVK_PUSHED(1);
tvk_relu_list_params p = TVK_RELU_LIST_PARAMS;
layout(set = 0, binding = 0, std430) buffer F { uint f[]; };

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint quads = p.f / 4u;
    uint list = p.f + TVK_ROWS_HEADER_WORDS;
    uint listed = 0u;
    for (uint first = 0u; first < quads; first += GROUP * QUADS) {
        uint open = 0u; // a bit a gate
        [[unroll]] for (uint i = 0u; i < QUADS; ++i) {
            uint c = first + QUADS * lid + i;
            if (c >= quads) continue;
            [[unroll]] for (uint j = 0u; j < 4u; ++j) {
                bool above = uintBitsToFloat(f[4u * c + j]) > 0.0;
                if (!above) f[4u * c + j] = 0u;
                open |= uint(above) << (4u * i + j);
            }
        }
        int total;
        uint at = list + listed + uint(tvk_scan_int(int(bitCount(open)), total));
        [[unroll]] for (uint i = 0u; i < 4u * QUADS; ++i) {
            if (((open >> i) & 1u) != 0u) f[at++] = 4u * (first + QUADS * lid) + i;
        }
        listed += uint(total);
    }
    if (lid < TVK_ROWS_HEADER_WORDS) f[p.f + lid] = lid == 0u ? listed : 0u;
}
