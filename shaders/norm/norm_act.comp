// RMSNorm, quantisation of a row, or both (docs/numerics.md).
//   r = rsqrt(sum(x^2) / K + eps), y = (x g) r                     NORM (y = x without)
//   s = 127 / max(max|y|, 1e-5), q = roundEven(y s)                QUANT_I8
//   the same, and q = 0 but for the K / 2 largest |y|              QUANT_I8, TOPK
//   s = sqrt(7) / max(mean|y|, 1e-5), q = roundEven(y s), -8 .. 7  QUANT_I4
//   s = 12 / max(max|y|, 1e-5), q = nearest of +-{0 1 2 3 4 6 8 12} QUANT_FP4: E2M1 doubled
// bindings: 0 state | 1 x [T, K] f32 | 2 gain [K] (unused without NORM)
//           3 y [T, K] f32, or records {bits(d), sum q, 0, 0, codes four a word; INT4, E2M1: eight}
//           with LIST, byte codes only: {bits(d), sum q, entries, 0, codes, list}, an entry k << 8 |
//           code byte for every code that is not 0, ascending, zero entries to a multiple of 16
// workgroup: one row; with p.gather row t of the output is row outs[t] of x
// constants: 0-2 workgroup size (x: power of two, 8 .. 512; above 128 with HELD, without LIST and TOPK),
//            3 LIST, 4 HELD groups of four values that an invocation loads together and keeps: all of
//            its own up to the padding of the codes, or 0
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"
#include "reduce.glsl"

#ifdef NORM
#define TVK_NORM true
#else
#define TVK_NORM false
#endif
layout(constant_id = 4) const uint HELD = 0u;
#include "row_codes.glsl"
#ifdef QUANT_I8
#define LISTS
#include "scan.glsl"
layout(constant_id = 3) const uint LIST = 0u;
#endif

TVK_PUSHED(9);
tvk_norm_params p = TVK_NORM_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 2, std430) readonly buffer Gain { vec4 gain[]; };
#ifdef QUANT
layout(set = 0, binding = 3, std430) writeonly buffer Y { uint y[]; };
#else
layout(set = 0, binding = 3, std430) writeonly buffer Y { vec4 y[]; };
#endif

uint base; // first group of four of this row

vec4 tvk_row_x(uint c) { return x[base + c]; }
vec4 tvk_row_gain(uint c) { return gain[c]; }

#ifdef TOPK
uvec4 tvk_row_bits(uint c, float r)
{
    return floatBitsToUint(tvk_row_normed(c, r));
}
#include "topk.glsl"
#endif

#if defined(QUANT_I4)
uvec4 nibbles_of(ivec4 q) { return uvec4(q) & 15u; }
#elif defined(QUANT_FP4)
// sign and index into {0 1 2 3 4 6 8 12}: steps of 1, of 2 from 4, of 4 from 8
uvec4 nibbles_of(ivec4 q)
{
    uvec4 a = uvec4(abs(q));
    return min(a, min(2u + a / 2u, 4u + a / 4u)) | (uvec4(q) >> 31) << 3;
}
#endif

#ifdef LISTS
// Word c of the codes, of the four values v; adds to their sum.
uint code_word(uint c, vec4 v, float s,
#ifdef TOPK
               tvk_border border,
#endif
               inout int total)
{
    if (c >= p.k / 4u) return 0u;
    precise vec4 scaled_v = v * s;
    ivec4 q = tvk_codes_of(scaled_v);
#ifdef TOPK
    uvec4 bits = floatBitsToUint(v);
    [[unroll]] for (uint j = 0u; j < 4u; ++j)
        q[j] = tvk_topk_kept(border, bits[j], 4u * c + j) ? q[j] : 0;
#endif
    total += (q.x + q.y) + (q.z + q.w);
    return (uint(q.x) & 0xffu) | ((uint(q.y) & 0xffu) << 8) | ((uint(q.z) & 0xffu) << 16) |
           (uint(q.w) << 24);
}

// Codes go through shared memory a tile at a time: neighbours read x side by side, and each then
// lists eight words that follow each other.
const uint TILE = 8u; // words an invocation
shared uint tile[LIST != 0u ? GROUP * TILE : 1u];

// Lists the codes of the tile from word `first` on behind the `listed` entries before; returns how
// many there are now.
uint list_tile(uint first, uint list, uint listed)
{
    uint lid = gl_LocalInvocationIndex;
    uint own = 0u;
    uint words[TILE];
    int total;
    [[unroll]] for (uint i = 0u; i < TILE; ++i) {
        uint w = words[i] = tile[TILE * lid + i];
        w |= (w >> 4) & 0x0f0f0f0fu;
        w |= (w >> 2) & 0x03030303u;
        w |= (w >> 1) & 0x01010101u;
        own += bitCount(w & 0x01010101u);
    }
    uint at = list + listed + uint(tvk_scan_int(int(own), total));
    [[unroll]] for (uint i = 0u; i < TILE; ++i) {
        uint w = words[i];
        uint k = 4u * (first + TILE * lid + i);
        [[unroll]] for (uint j = 0u; j < 4u; ++j) {
            uint code = (w >> (8u * j)) & 0xffu;
            if (code != 0u) y[at++] = ((k + j) << 8) | code;
        }
    }
    return listed + uint(total);
}
#endif

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint t = gl_WorkGroupID.x;
    uint count = p.gather != 0u ? state[TVK_STATE_OUTS] : state[TVK_STATE_COUNT];
    uint source = t;
    if (p.gather != 0u) source = t < count ? state[p.outs_word + TVK_OUT_WORDS * t] : 0u;
    base = source * (p.x_stride / 4u);
    uint quads = p.k / 4u;

    // the row does not wait for the count: those past it exist, too
    tvk_row row = tvk_row_pass(quads, p.inv_k, p.eps);
#ifdef LISTS
    if (LIST != 0u && t >= count && lid < TVK_ACT_HEADER_WORDS) {
        y[t * p.y_stride + lid] = 0u; // who follows a list must find one
    }
#endif
    if (t >= count) return;
    float r = row.r, s = row.s;
#ifdef QUANT
#ifdef TOPK
    tvk_border border = tvk_topk(quads, (p.k + 1u) / 2u, r, row.gamma);
#endif
    uint out_base = t * p.y_stride;
    uint codes = out_base + TVK_ACT_HEADER_WORDS;
    uint listed = 0u;
    int total = 0;
#if defined(QUANT_I4) || defined(QUANT_FP4)
    for (uint c = lid; c < p.code_words; c += GROUP) {
        uint word = 0u;
        [[unroll]] for (uint h = 0u; h < 2u; ++h) {
            if (2u * c + h >= quads) continue;
            precise vec4 v = tvk_row_normed(2u * c + h, r);
            precise vec4 scaled_v = v * s;
            ivec4 q = tvk_codes_of(scaled_v);
            total += (q.x + q.y) + (q.z + q.w);
            uvec4 nibble = nibbles_of(q) << (uvec4(0u, 8u, 16u, 24u) + 4u * h);
            word |= (nibble.x | nibble.y) | (nibble.z | nibble.w);
        }
        y[codes + c] = word;
    }
#else
#ifdef TOPK
#define CODE_WORD(c, v) code_word(c, v, s, border, total)
#else
#define CODE_WORD(c, v) code_word(c, v, s, total)
#endif
    if (LIST == 0u && HELD > 0u) {
        [[unroll]] for (uint h = 0u; h < HELD; ++h) {
            uint c = lid + GROUP * h;
            if (c < p.code_words) y[codes + c] = CODE_WORD(c, tvk_row_times_r(tvk_held[h], r));
        }
    } else if (LIST == 0u) {
        for (uint c = lid; c < p.code_words; c += GROUP)
            y[codes + c] = CODE_WORD(c, tvk_row_normed(min(c, quads - 1u), r));
    } else {
        uint list = out_base + p.list_word;
        for (uint first = 0u; first < p.code_words; first += GROUP * TILE) {
            for (uint i = lid; i < GROUP * TILE; i += GROUP) {
                uint c = first + i;
                uint word = CODE_WORD(c, tvk_row_normed(min(c, quads - 1u), r));
                if (c < p.code_words) y[codes + c] = word;
                tile[i] = word;
            }
            barrier();
            listed = list_tile(first, list, listed);
        }
        uint end = (listed + TVK_LIST_ALIGN - 1u) / TVK_LIST_ALIGN * TVK_LIST_ALIGN;
        for (uint i = listed + lid; i < end; i += GROUP) y[list + i] = 0u;
    }
#endif
    total = tvk_reduce_int(total);
    if (lid == 0u) {
        y[out_base] = floatBitsToUint(row.d);
        y[out_base + 1u] = uint(total);
        y[out_base + 2u] = listed;
        y[out_base + 3u] = 0u;
    }
#else
    uint to = t * (p.y_stride / 4u);
    if (HELD > 0u) {
        [[unroll]] for (uint h = 0u; h < HELD; ++h)
            if (lid + GROUP * h < quads) y[to + lid + GROUP * h] = tvk_row_times_r(tvk_held[h], r);
    } else {
        for (uint c = lid; c < quads; c += GROUP) y[to + c] = tvk_row_normed(c, r);
    }
#endif
}
