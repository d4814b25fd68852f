// Ternary file blocks -> T2 rows: 16 codes w + 1 a word, value 16 word + 4 i + j at bit 8 j + 2 i,
// code 1 past K. Sources (docs/formats.md): SRC_I2S blocks of 128 that run over row ends,
// SRC_TQ1 and SRC_TQ2 blocks of 256 with a f16 scale that is taken elsewhere.
// bindings: 0 window of file bytes | 1 codes [.., row_words]
// workgroup (x, y): GROUP words of a row; rows y, y + number of groups ...
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"

layout(push_constant) uniform Push { tvk_repack_params p; };
layout(set = 0, binding = 0, std430) readonly buffer Window { uint window[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Codes { uint codes[]; };

uint load_byte(uint at) { return (window[at / 4u] >> (8u * (at % 4u))) & 0xffu; }

#if defined(SRC_TQ1)
// trit n of a byte that holds a base-3 number as a fraction of 243 / 256
uint trit(uint b, uint n)
{
    uint power = n == 0u ? 1u : n == 1u ? 3u : n == 2u ? 9u : n == 3u ? 27u : 81u;
    return (((b * power) & 0xffu) * 3u) >> 8;
}
#endif

uint code(uint e)
{
#if defined(SRC_I2S)
    uint j = e % 128u;
    uint c = (load_byte((e / 128u) * 32u + j % 32u) >> (6u - 2u * (j / 32u))) & 3u;
    return c == 3u ? 1u : c;
#elif defined(SRC_TQ2)
    uint v = e % 256u;
    uint c = (load_byte((e / 256u) * 66u + 32u * (v / 128u) + v % 32u) >> (2u * ((v / 32u) % 4u))) & 3u;
    return c == 3u ? 1u : c;
#else
    uint v = e % 256u, block = (e / 256u) * 54u;
    if (v < 160u) return trit(load_byte(block + v % 32u), v / 32u);
    if (v < 240u) return trit(load_byte(block + 32u + (v - 160u) % 16u), (v - 160u) / 16u);
    return trit(load_byte(block + 48u + (v - 240u) % 4u), (v - 240u) / 4u);
#endif
}

void main()
{
    uint word = gl_WorkGroupID.x * GROUP + gl_LocalInvocationIndex;
    if (word >= p.row_words) return;
    for (uint n = gl_WorkGroupID.y; n < p.n; n += gl_NumWorkGroups.y) {
        uint first = p.skip + n * p.k;
        uint packed = 0u;
        for (uint v = 0u; v < 16u; ++v) {
            uint k = 16u * word + v;
            uint c = k < p.k ? code(first + k) : 1u;
            packed |= c << (8u * (v % 4u) + 2u * (v / 4u));
        }
        codes[(p.first_row + n) * p.row_words + word] = packed;
    }
}
