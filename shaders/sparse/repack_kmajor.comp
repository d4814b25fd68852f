// T2 rows -> K-major: for every k words of the codes of 16 outputs n that follow each other, output
// 16 word + 4 i + j at bit 8 j + 2 i, code 1 past N.
// bindings: 0 T2 codes [N, row_words] | 1 K-major codes [K, out_words]
// workgroup (x, y): GROUP words of 16 k; 16 outputs y, y + number of groups ...
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"

layout(push_constant) uniform Push { tvk_kmajor_params p; };
layout(set = 0, binding = 0, std430) readonly buffer Rows { uint rows[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Codes { uint codes[]; };

void main()
{
    uint word = gl_WorkGroupID.x * GROUP + gl_LocalInvocationIndex;
    if (word >= p.row_words) return;
    for (uint column = gl_WorkGroupID.y; column < p.out_words; column += gl_NumWorkGroups.y) {
        uint w[16];
        [[unroll]] for (uint v = 0u; v < 16u; ++v) {
            uint n = 16u * column + v;
            w[v] = n < p.n ? rows[n * p.row_words + word] : 0x55555555u;
        }
        for (uint e = 0u; e < 16u; ++e) {
            uint k = 16u * word + e;
            if (k >= p.k) break;
            uint bit = 8u * (e % 4u) + 2u * (e / 4u);
            uint packed = 0u;
            [[unroll]] for (uint v = 0u; v < 16u; ++v)
                packed |= ((w[v] >> bit) & 3u) << (8u * (v % 4u) + 2u * (v / 4u));
            codes[k * p.out_words + column] = packed;
        }
    }
}
