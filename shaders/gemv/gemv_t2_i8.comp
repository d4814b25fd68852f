// Ternary (SIGNS: two-valued) mat-vec with INT8 activations, or of four bits with ACT_I4, ACT_FP4: y[t,n] (+)= (float(sum_k w[n,k] q[t,k]) d[t]) scale[n]
// bindings: 0 codes T2 [N, row_words] | 1 scales f32 [N] of the piece
//           2 activation records [T, act_stride] {bits(d), sum q, 0, 0, codes} | 3 y [T, y_stride]
// workgroup (x, t): GROUP / LANES * ROWS weight rows of activation row t
// constants: 0-2 workgroup size, 3 LANES invocations that share a row along K (power of two),
//            4 ROWS rows an invocation. LANES = 1: a row an invocation, nothing is shared
// UP: the up projection at open gates. The rows are up_row + those of the list, and the result is
//     f[row] = (gate^2) y; binding 3 holds f [F] with the gates, {count, 0, 0, 0}, the list
// SIGNS: weights -1 and +1, T1: a code is w = 2 c - 1
// PLANES (with ACT_I4, ACT_FP4): bit planes of the activations against two of the weights, by popcount
// needs: TVK_CAP_DOT with DOT_SIGNED or DOT_MIXED
#version 450
#include "prelude.glsl"
#include "ternary.glsl"

layout(constant_id = 3) const uint LANES = 16u;
layout(constant_id = 4) const uint ROWS = 4u;

#ifdef UP
layout(push_constant) uniform Push { tvk_up_params p; };
#else
layout(push_constant) uniform Push { tvk_matmul_params p; };
#endif
layout(set = 0, binding = 0, std430) readonly buffer Codes { uvec4 codes[]; };
layout(set = 0, binding = 1, std430) readonly buffer Scales { float scales[]; };
layout(set = 0, binding = 2, std430) readonly buffer Act { uvec4 act[]; };
#ifdef UP
layout(set = 0, binding = 3, std430) buffer F { uint f[]; };
#else
layout(set = 0, binding = 3, std430) buffer Y { float y[]; };
#endif

const uint SETS = GROUP / LANES; // rows side by side
shared int sums[LANES > 1u ? GROUP * ROWS : 1u];

float scaled(uvec4 header, uint row, int sum)
{
#if defined(ACT_4) && !defined(PLANES)
    sum = tvk_act4_sum(sum);
#endif
#ifdef SIGNS
    sum *= 2;
#endif
    precise float v = (float(sum - int(header.y)) * uintBitsToFloat(header.x)) * scales[row];
    return v;
}

#ifdef UP
// Row of the piece for entry i of the list; p.n and more: none.
uint row_of(uint i, uint count)
{
    return i < count ? p.up_row + f[p.f + TVK_ROWS_HEADER_WORDS + i] - p.first_row : p.n;
}

void finish(uint t, uint i, int sum)
{
    uint row = row_of(i, f[p.f]);
    if (row >= p.n) return;
    uint at = p.first_row + row - p.up_row;
    float gate = uintBitsToFloat(f[at]);
    precise float v = (gate * gate) * scaled(act[0], row, sum);
    f[at] = floatBitsToUint(v);
}
#else
uint row_of(uint i, uint count) { return i; }

void finish(uint t, uint row, int sum)
{
    if (row >= p.n) return;
    precise float v = scaled(act[t * (p.act_stride / 4u)], row, sum);
    uint at = t * p.y_stride + p.first_row + row;
    if (p.add != 0u) {
        precise float with = y[at] + v;
        v = with;
    }
    y[at] = v;
}
#endif

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint lane = lid % LANES;
    uint set = lid / LANES;
    uint first = gl_WorkGroupID.x * (SETS * ROWS) + set;
#ifdef UP
    const uint t = 0u, act_base = 1u;
    uint count = f[p.f];
    if (gl_WorkGroupID.x * (SETS * ROWS) >= count) return;
#else
    const uint count = p.n;
    uint t = gl_WorkGroupID.y;
    uint act_base = t * (p.act_stride / 4u) + 1u;
#endif
    uint units = p.row_words / 4u; // 64 codes each; SIGNS: 128

    uint base[ROWS];
    int sum[ROWS];
    ivec4 part[ROWS]; // of tvk_t2_unit
    [[unroll]] for (uint i = 0u; i < ROWS; ++i) {
        base[i] = min(row_of(first + SETS * i, count), p.n - 1u) * units;
        sum[i] = 0;
        part[i] = ivec4(0);
    }
    for (uint u = lane; u < units; u += LANES) {
#if defined(SIGNS)
        uvec4 w[ROWS];
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) w[i] = codes[base[i] + u];
#if defined(DOT_SIGNED) || defined(DOT_MIXED)
        [[unroll]] for (uint j = 0u; j < 4u; ++j) {
            uvec4 a0 = act[act_base + 8u * u + 2u * j], a1 = act[act_base + 8u * u + 2u * j + 1u];
            [[unroll]] for (uint i = 0u; i < ROWS; ++i) sum[i] += tvk_t1_word(w[i][j], a0, a1);
        }
#else
        uint part[ROWS];
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) part[i] = 0u;
        [[unroll]] for (uint j = 0u; j < 4u; ++j) {
            uvec4 a0 = act[act_base + 8u * u + 2u * j], a1 = act[act_base + 8u * u + 2u * j + 1u];
            uvec4 e0 = tvk_pairs02(a0), e1 = tvk_pairs02(a1);
            uvec4 o0 = tvk_pairs13(a0), o1 = tvk_pairs13(a1);
            [[unroll]] for (uint i = 0u; i < ROWS; ++i)
                part[i] += tvk_t1_word(w[i][j], e0, o0, e1, o1);
        }
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) sum[i] += tvk_t2_high(part[i]);
#endif
    }
#else
#if defined(ACT_4)
        uvec4 n0 = act[act_base + 2u * u], n1 = act[act_base + 2u * u + 1u];
        uvec4 a0 = tvk_act4_words(n0.xy), a1 = tvk_act4_words(n0.zw);
        uvec4 a2 = tvk_act4_words(n1.xy), a3 = tvk_act4_words(n1.zw);
#else
        uvec4 a0 = act[act_base + 4u * u], a1 = act[act_base + 4u * u + 1u];
        uvec4 a2 = act[act_base + 4u * u + 2u], a3 = act[act_base + 4u * u + 3u];
#endif
#if defined(PLANES)
        tvk_planes p0 = tvk_act4_planes(n0), p1 = tvk_act4_planes(n1);
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) {
            uvec4 w = codes[base[i] + u];
            sum[i] += tvk_t2_planes(tvk_t2_pair(w.x, w.y), p0) +
                      tvk_t2_planes(tvk_t2_pair(w.z, w.w), p1);
        }
#else
        tvk_t2_act x = tvk_t2_spread(a0, a1, a2, a3);
        [[unroll]] for (uint i = 0u; i < ROWS; ++i)
            part[i] = tvk_t2_unit(codes[base[i] + u], x, part[i]);
#endif
    }
#if !defined(PLANES)
    [[unroll]] for (uint i = 0u; i < ROWS; ++i) sum[i] = tvk_t2_total(part[i]);
#endif
#endif
    if (LANES == 1u) {
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) finish(t, first + SETS * i, sum[i]);
        return;
    }
    [[unroll]] for (uint i = 0u; i < ROWS; ++i) sums[i * GROUP + lid] = sum[i];
    barrier();
    for (uint o = lid; o < SETS * ROWS; o += GROUP) {
        int total = 0;
        for (uint l = 0u; l < LANES; ++l) total += sums[o * LANES + l];
        finish(t, gl_WorkGroupID.x * (SETS * ROWS) + o, total);
    }
}
