// File blocks -> units of 16 codes and scales (docs/formats.md, "device packing"): SRC_Q6 of Q6_K,
// {128 bytes of lower bits, 64 of upper bits, 16 int8, f16} each 256 values; SRC_Q4 of Q4_0, {f16,
// 16 bytes} each 32 values, past K code 8 and scale 0.
// bindings: 0 window of file bytes | 1 codes [.., row_words] | 2 scales
// workgroup (x, y): GROUP units of a row; rows y, y + number of groups ...
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"

layout(push_constant) uniform Push { tvk_repack_params p; };
layout(set = 0, binding = 0, std430) readonly buffer Window { uint window[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Codes { uint codes[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Scales { uint scales[]; };

uint load_byte(uint at) { return (window[at / 4u] >> (8u * (at % 4u))) & 0xffu; }
uint load_f16(uint at)
{
    return floatBitsToUint(unpackHalf2x16(load_byte(at) | (load_byte(at + 1u) << 8)).x);
}

#if defined(SRC_Q6)
void unit(uint n, uint row, uint u)
{
    uint blocks = p.k / 256u, lane = u % 16u, block = u / 16u;
    uint file = (p.skip / 256u + n * blocks + block) * 210u;
    uint to = (p.scale_word + row * blocks * 5u) + block * 5u;
    uint low[2] = uint[2](0u, 0u), high = 0u;
    for (uint g = 0u; g < 4u; ++g) {
        for (uint j = 0u; j < 4u; ++j) {
            uint i = 64u * g + 4u * lane + j; // of the block
            uint part = i / 128u, quarter = i % 128u / 32u, m = i % 32u;
            uint l = load_byte(file + 64u * part + 32u * (quarter % 2u) + m);
            uint h = load_byte(file + 128u + 32u * part + m);
            low[g / 2u] |= ((l >> (4u * (quarter / 2u))) & 15u) << (8u * j + 4u * (g % 2u));
            high |= ((h >> (2u * quarter)) & 3u) << (8u * j + 2u * g);
        }
    }
    codes[row * p.row_words + 2u * u] = low[0];
    codes[row * p.row_words + 2u * u + 1u] = low[1];
    codes[row * p.row_words + blocks * 32u + u] = high;
    if (lane < 4u) {
        uint packed = 0u;
        for (uint g = 0u; g < 4u; ++g) packed |= load_byte(file + 192u + 4u * g + lane) << (8u * g);
        scales[to + lane] = packed;
    }
    if (lane == 4u) scales[to + 4u] = load_f16(file + 208u);
}
#else
void unit(uint n, uint row, uint u)
{
    uint units = (p.k + 255u) / 256u * 16u, lane = u % 16u;
    uint low[2] = uint[2](0u, 0u);
    for (uint g = 0u; g < 4u; ++g) {
        uint k = u / 16u * 256u + 64u * g + 4u * lane; // first of four values of one block
        uint file = (p.skip + n * p.k + k) / 32u * 18u;
        for (uint j = 0u; j < 4u; ++j) {
            uint i = k % 32u + j;
            uint c = k < p.k ? (load_byte(file + 2u + i % 16u) >> (4u * (i / 16u))) & 15u : 8u;
            low[g / 2u] |= c << (8u * j + 4u * (g % 2u));
        }
        if (lane % 8u == 0u)
            scales[p.scale_word + (row * units + u) / 2u + g] = k < p.k ? load_f16(file) : 0u;
    }
    codes[row * p.row_words + 2u * u] = low[0];
    codes[row * p.row_words + 2u * u + 1u] = low[1];
}
#endif

void main()
{
    uint u = gl_WorkGroupID.x * GROUP + gl_LocalInvocationIndex;
    if (u >= (p.k + 255u) / 256u * 16u) return;
    for (uint n = gl_WorkGroupID.y; n < p.n; n += gl_NumWorkGroups.y) unit(n, p.first_row + n, u);
}
