// Q8_0 file blocks {f16 scale, 32 int8} -> code words, four a word, and f32 scales [.., K/32]
// bindings: 0 window of file bytes | 1 codes [.., row_words] | 2 scales
// workgroup (x, y): GROUP words of a row; rows y, y + number of groups ...
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"

layout(push_constant) uniform Push { tvk_repack_params p; };
layout(set = 0, binding = 0, std430) readonly buffer Window { uint window[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Codes { uint codes[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Scales { float scales[]; };

uint load_byte(uint at) { return (window[at / 4u] >> (8u * (at % 4u))) & 0xffu; }

void main()
{
    uint word = gl_WorkGroupID.x * GROUP + gl_LocalInvocationIndex;
    if (word >= p.row_words) return;
    uint blocks = p.k / 32u;
    for (uint n = gl_WorkGroupID.y; n < p.n; n += gl_NumWorkGroups.y) {
        uint e = p.skip + n * p.k + 4u * word;
        uint block = (e / 32u) * 34u;
        uint at = block + 2u + e % 32u;
        codes[(p.first_row + n) * p.row_words + word] =
            load_byte(at) | (load_byte(at + 1u) << 8) | (load_byte(at + 2u) << 16) |
            (load_byte(at + 3u) << 24);
        if (word % 8u == 0u)
            scales[p.scale_word + (p.first_row + n) * blocks + word / 8u] =
                unpackHalf2x16(load_byte(block) | (load_byte(block + 1u) << 8)).x;
    }
}
