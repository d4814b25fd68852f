// RMSNorm, INT8 absmax quantisation of a row, or both (docs/numerics.md).
//   r = rsqrt(sum(x^2) / K + eps), y = (x g) r          NORM
//   s = 127 / max(max|y|, 1e-5), q = roundEven(y s)     QUANT_I8 (y = x without NORM)
// bindings: 0 state | 1 x [T, K] f32 | 2 gain [K] (unused without NORM)
//           3 y [T, K] f32, or records {bits(d), sum q, 0, 0, codes four a word}
// workgroup: one row; with p.gather row t of the output is row outs[t] of x
// constants: 0-2 workgroup size (x: power of two, 8 .. 128)
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"
#include "reduce.glsl"

layout(push_constant) uniform Push { tvk_norm_params p; };
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 2, std430) readonly buffer Gain { vec4 gain[]; };
#ifdef QUANT_I8
layout(set = 0, binding = 3, std430) writeonly buffer Y { uint y[]; };
#else
layout(set = 0, binding = 3, std430) writeonly buffer Y { vec4 y[]; };
#endif

vec4 scaled(uint base, uint c)
{
#ifdef NORM
    precise vec4 v = x[base + c] * gain[c];
    return v;
#else
    return x[base + c];
#endif
}

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint t = gl_WorkGroupID.x;
    uint count = p.gather != 0u ? state[TVK_STATE_OUTS] : state[TVK_STATE_COUNT];
    if (t >= count) return;
    uint source = p.gather != 0u ? state[p.outs_word + TVK_OUT_WORDS * t] : t;
    uint base = source * (p.x_stride / 4u);
    uint quads = p.k / 4u;

    float part[MAX_PARTS];
    precise float top = 0.0;
    [[unroll]] for (uint i = 0u; i < PARTS; ++i) {
        precise float acc = 0.0;
        for (uint c = lid + GROUP * i; c < quads; c += TVK_NORM_PARTIALS) {
#ifdef NORM
            vec4 v = x[base + c];
            acc = acc + tvk_dot4(v, v);
#endif
#ifdef QUANT_I8
            vec4 a = abs(scaled(base, c));
            top = max(top, max(max(a.x, a.y), max(a.z, a.w)));
#endif
        }
        part[i] = acc;
    }
    precise float r = 1.0;
#ifdef NORM
    float sum;
    tvk_reduce_sum_max(part, top, sum, top);
    precise float mean = sum * p.inv_k + p.eps;
    r = tvk_rsqrt(mean);
#else
    top = tvk_reduce_max(top);
#endif

#ifdef QUANT_I8
    // rounding is monotone: max|x g| r is exactly max|(x g) r|
    precise float gamma = top * r;
    precise float m = max(gamma, 1e-5);
    precise float s = tvk_div(127.0, m);
    uint out_base = t * p.y_stride;
    int total = 0;
    for (uint c = lid; c < p.y_stride - TVK_ACT_HEADER_WORDS; c += GROUP) {
        uint word = 0u;
        if (c < quads) {
            precise vec4 v = scaled(base, c);
#ifdef NORM
            v = v * r;
#endif
            precise vec4 scaled_v = v * s;
            ivec4 q = ivec4(clamp(roundEven(scaled_v), vec4(-128.0), vec4(127.0)));
            total += (q.x + q.y) + (q.z + q.w);
            word = (uint(q.x) & 0xffu) | ((uint(q.y) & 0xffu) << 8) | ((uint(q.z) & 0xffu) << 16) |
                   (uint(q.w) << 24);
        }
        y[out_base + TVK_ACT_HEADER_WORDS + c] = word;
    }
    total = tvk_reduce_int(total);
    if (lid == 0u) {
        precise float d = m * 0.007874016;
        y[out_base] = floatBitsToUint(d);
        y[out_base + 1u] = uint(total);
        y[out_base + 2u] = 0u;
        y[out_base + 3u] = 0u;
    }
#else
    for (uint c = lid; c < quads; c += GROUP) {
        precise vec4 v = scaled(base, c) * r;
        y[t * (p.y_stride / 4u) + c] = v;
    }
#endif
}
