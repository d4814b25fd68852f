// LayerNorm of a row: to floats with a gain, or without one to a record of INT8 codes
// (docs/numerics.md).
//   u = x - sum(x) / K, r = rsqrt(sum(u^2) / K + eps), y = (u g) r
//   y = u r, s = 127 / max(max|y|, 1e-5), q = roundEven(y s)           QUANT_I8
// bindings: 0 state | 1 x, rows of x_stride f32 | 2 gain [K] (unused with QUANT_I8)
//           3 y [T, K] f32, or records {bits(d), sum q, 0, 0, codes four a word}
// workgroup: one row; with p.gather row t of the output is row outs[t] of x
// constants: 0-2 workgroup size (x: power of two, 8 .. 128)
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"
#include "reduce.glsl"

TVK_PUSHED(8);
tvk_layernorm_params p = TVK_LAYERNORM_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 2, std430) readonly buffer Gain { vec4 gain[]; };
#ifdef QUANT_I8
layout(set = 0, binding = 3, std430) writeonly buffer Y { uint y[]; };
#else
layout(set = 0, binding = 3, std430) writeonly buffer Y { vec4 y[]; };
#endif

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint t = gl_WorkGroupID.x;
    uint count = p.gather != 0u ? state[TVK_STATE_OUTS] : state[TVK_STATE_COUNT];
    if (t >= count) return;
    uint source = p.gather != 0u ? state[p.outs_word + TVK_OUT_WORDS * t] : t;
    uint base = source * (p.x_stride / 4u) + p.x_first / 4u;
    uint quads = p.k / 4u;

    float part[MAX_PARTS];
    float sum, top;
    [[unroll]] for (uint i = 0u; i < PARTS; ++i) {
        precise float acc = 0.0;
        for (uint c = lid + GROUP * i; c < quads; c += TVK_NORM_PARTIALS) {
            vec4 v = x[base + c];
            acc = acc + ((v.x + v.y) + (v.z + v.w));
        }
        part[i] = acc;
    }
    tvk_reduce_sum_max(part, 0.0, sum, top);
    precise float mean = sum * p.inv_k;

    precise float most = 0.0;
    [[unroll]] for (uint i = 0u; i < PARTS; ++i) {
        precise float acc = 0.0;
        for (uint c = lid + GROUP * i; c < quads; c += TVK_NORM_PARTIALS) {
            precise vec4 u = x[base + c] - mean;
            acc = acc + tvk_dot4(u, u);
            vec4 a = abs(u);
            most = max(most, max(max(a.x, a.y), max(a.z, a.w)));
        }
        part[i] = acc;
    }
    tvk_reduce_sum_max(part, most, sum, top);
    precise float variance = sum * p.inv_k + p.eps;
    precise float r = tvk_rsqrt(variance);

#ifdef QUANT_I8
    // rounding is monotone: max|u| r is exactly max|u r|
    precise float gamma = top * r;
    precise float m = max(gamma, 1e-5);
    precise float s = tvk_div(127.0, m);
    precise float d = m * 0.007874016;
    uint out_base = t * p.y_stride;
    int total = 0;
    for (uint c = lid; c < p.y_stride - TVK_ACT_HEADER_WORDS; c += GROUP) {
        uint word = 0u;
        if (c < quads) {
            precise vec4 v = ((x[base + c] - mean) * r) * s;
            ivec4 q = ivec4(clamp(roundEven(v), vec4(-127.0), vec4(127.0)));
            total += (q.x + q.y) + (q.z + q.w);
            word = (uint(q.x) & 0xffu) | ((uint(q.y) & 0xffu) << 8) | ((uint(q.z) & 0xffu) << 16) |
                   (uint(q.w) << 24);
        }
        y[out_base + TVK_ACT_HEADER_WORDS + c] = word;
    }
    total = tvk_reduce_int(total);
    if (lid == 0u) {
        y[out_base] = floatBitsToUint(d);
        y[out_base + 1u] = uint(total);
        y[out_base + 2u] = 0u;
        y[out_base + 3u] = 0u;
    }
#else
    for (uint c = lid; c < quads; c += GROUP) {
        precise vec4 v = ((x[base + c] - mean) * gain[c]) * r;
        y[t * (p.y_stride / 4u) + c] = v;
    }
#endif
}
