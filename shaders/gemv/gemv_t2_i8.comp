// Ternary (SIGNS: two-valued) mat-vec with INT8 activations, or of four bits with ACT_I4, ACT_FP4: y[t,n] (+)= (float(sum_k w[n,k] q[t,k]) d[t]) scale[n]
// bindings: 0 codes T2 [N, row_words] | 1 scales f32 [N] of the piece
//           2 activation records [T, act_stride] {bits(d), sum q, 0, 0, codes} | 3 y [T, y_stride]
// workgroup (x, t): GROUP / LANES * ROWS weight rows of activation row t
// constants: 0-2 workgroup size, 3 LANES invocations that share a row along K, which divide it,
//            4 ROWS rows an invocation; LANES > 1: at most LANES of them, which are a multiple of 4
//            LANES = 1: a row an invocation, nothing is shared
//            5 AHEAD units of a row that are loaded together
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
layout(constant_id = 5) const uint AHEAD = 1u;

#ifdef UP
TVK_PUSHED(5);
tvk_up_params p = TVK_UP_PARAMS;
#else
TVK_PUSHED(8);
tvk_matmul_params p = TVK_MATVEC_PARAMS;
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
const uint BLOCK = SETS * ROWS;
const uint QUADS = LANES / 4u;
const uint ROW_STEP = QUADS + 1u; // rows begin in different banks
shared ivec4 sums[LANES > 1u ? BLOCK * ROW_STEP : 1u]; // a result's side by side

// What a result needs beside its sum.
struct result {
    uint at; // in y or f
    float scale, old;
};
const uint NOWHERE = 0xffffffffu;

#ifdef UP
// Row of the piece for entry i of the list; p.n: none.
uint row_of(uint i, uint count)
{
    return i < count ? p.up_row + f[p.f + TVK_ROWS_HEADER_WORDS + i] - p.first_row : p.n;
}

result result_of(uint t, uint i, uint count)
{
    uint row = row_of(i, count);
    if (row >= p.n) return result(NOWHERE, 0.0, 0.0);
    uint at = p.first_row + row - p.up_row;
    return result(at, scales[row], uintBitsToFloat(f[at]));
}
#else
uint row_of(uint i, uint count) { return i; }

result result_of(uint t, uint row, uint count)
{
    if (row >= p.n) return result(NOWHERE, 0.0, 0.0);
    uint at = t * p.y_stride + p.first_row + row;
    return result(at, scales[row], p.add != 0u ? y[at] : 0.0);
}
#endif

void finish(uvec4 header, result r, int sum)
{
    if (r.at == NOWHERE) return;
#if defined(ACT_4) && !defined(PLANES)
    sum = tvk_act4_sum(sum);
#endif
#ifdef SIGNS
    sum *= 2;
#endif
    precise float v = (float(sum - int(header.y)) * uintBitsToFloat(header.x)) * r.scale;
#ifdef UP
    precise float gated = (r.old * r.old) * v;
    f[r.at] = floatBitsToUint(gated);
#else
    if (p.add != 0u) {
        precise float with = r.old + v;
        v = with;
    }
    y[r.at] = v;
#endif
}

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

    // what the results need is on its way beside the weights
    uvec4 header = act[act_base - 1u];
    result mine = result(NOWHERE, 0.0, 0.0);
    if (LANES > 1u && lid < BLOCK) mine = result_of(t, gl_WorkGroupID.x * BLOCK + lid, count);

    uint base[ROWS];
    int sum[ROWS];
    ivec4 part[ROWS]; // of tvk_t2_unit
    [[unroll]] for (uint i = 0u; i < ROWS; ++i) {
        base[i] = min(row_of(first + SETS * i, count), p.n - 1u) * units;
        sum[i] = 0;
        part[i] = ivec4(0);
    }
    for (uint from = lane; from < units; from += LANES * AHEAD) {
        uvec4 w[AHEAD * ROWS];
        [[unroll]] for (uint i = 0u; i < AHEAD * ROWS; ++i)
            w[i] = codes[base[i % ROWS] + min(from + LANES * (i / ROWS), units - 1u)];
        [[unroll]] for (uint k = 0u; k < AHEAD; ++k) {
            uint u = from + LANES * k, at = ROWS * k;
            if (u >= units) break;
#if defined(SIGNS)
#if defined(DOT_SIGNED) || defined(DOT_MIXED)
            [[unroll]] for (uint j = 0u; j < 4u; ++j) {
                uvec4 a0 = act[act_base + 8u * u + 2u * j], a1 = act[act_base + 8u * u + 2u * j + 1u];
                [[unroll]] for (uint i = 0u; i < ROWS; ++i)
                    sum[i] += tvk_t1_word(w[at + i][j], a0, a1);
            }
#else
            uint low[ROWS];
            [[unroll]] for (uint i = 0u; i < ROWS; ++i) low[i] = 0u;
            [[unroll]] for (uint j = 0u; j < 4u; ++j) {
                uvec4 a0 = act[act_base + 8u * u + 2u * j], a1 = act[act_base + 8u * u + 2u * j + 1u];
                uvec4 e0 = tvk_pairs02(a0), e1 = tvk_pairs02(a1);
                uvec4 o0 = tvk_pairs13(a0), o1 = tvk_pairs13(a1);
                [[unroll]] for (uint i = 0u; i < ROWS; ++i)
                    low[i] += tvk_t1_word(w[at + i][j], e0, o0, e1, o1);
            }
            [[unroll]] for (uint i = 0u; i < ROWS; ++i) sum[i] += tvk_t2_high(low[i]);
#endif
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
                uvec4 v = w[at + i];
                sum[i] += tvk_t2_planes(tvk_t2_pair(v.x, v.y), p0) +
                          tvk_t2_planes(tvk_t2_pair(v.z, v.w), p1);
            }
#else
            tvk_t2_act x = tvk_t2_spread(a0, a1, a2, a3);
            [[unroll]] for (uint i = 0u; i < ROWS; ++i)
                part[i] = tvk_t2_unit(w[at + i], x, part[i]);
#endif
#endif
        }
    }
#if !defined(PLANES) && !defined(SIGNS)
    [[unroll]] for (uint i = 0u; i < ROWS; ++i) sum[i] = tvk_t2_total(part[i]);
#endif
    if (LANES == 1u) {
        [[unroll]] for (uint i = 0u; i < ROWS; ++i)
            finish(header, result_of(t, first + SETS * i, count), sum[i]);
        return;
    }
    [[unroll]] for (uint i = 0u; i < ROWS; ++i)
        sums[(set + SETS * i) * ROW_STEP + lane / 4u][lane % 4u] = sum[i];
    barrier();
    if (lid >= BLOCK) return;
    ivec4 total = ivec4(0);
    [[unroll]] for (uint q = 0u; q < QUADS; ++q) total += sums[lid * ROW_STEP + q];
    finish(header, mine, (total.x + total.y) + (total.z + total.w));
}
