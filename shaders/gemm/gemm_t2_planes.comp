// Ternary mat-mat with activations of four bits by bit planes: four (ACT_I4) or five (ACT_FP4) of the
// activations against two of the weights, popcount for the products. y[t,n] (+)= (float(sum_k w[n,k] q[t,k]) d[t]) scale[n]
// bindings: 0 codes T2 [N, row_words] | 1 scales f32 [N] of the piece
//           2 activation records [T, act_stride] | 3 y [T, y_stride]
// workgroup (x, y): GROUP * ROWS weight rows times TM activation rows; the planes of TILE inputs of
//   the activations lie in shared memory
// constants: 0-2 workgroup size, 3 TM, 4 TILE (multiple of 128), 5 ROWS weight rows an invocation
// needs: nothing
#version 450
#include "prelude.glsl"
#include "ternary.glsl"

layout(constant_id = 3) const uint TM = 8u;
layout(constant_id = 4) const uint TILE = 256u;
layout(constant_id = 5) const uint ROWS = 1u;

TVK_PUSHED(8);
tvk_matmul_params p = TVK_MATMUL_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer Codes { uvec4 codes[]; };
layout(set = 0, binding = 1, std430) readonly buffer Scales { float scales[]; };
layout(set = 0, binding = 2, std430) readonly buffer Act { uvec4 act[]; };
layout(set = 0, binding = 3, std430) buffer Y { float y[]; };

#ifdef ACT_FP4
#define PLANE_COUNT 5
#else
#define PLANE_COUNT 4
#endif
shared uint tile[TM * TILE / 32u * uint(PLANE_COUNT)]; // [32 inputs][plane][TM]

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint t0 = gl_WorkGroupID.y * TM;
    uint first = gl_WorkGroupID.x * (GROUP * ROWS) + lid;
    uint units = p.row_words / 4u; // 64 codes each
    uint stride = p.act_stride / 4u;

    uint base[ROWS];
    int sum[TM * ROWS];
    [[unroll]] for (uint r = 0u; r < ROWS; ++r) base[r] = min(first + GROUP * r, p.n - 1u) * units;
    [[unroll]] for (uint i = 0u; i < TM * ROWS; ++i) sum[i] = 0;

    for (uint u0 = 0u; u0 < units; u0 += TILE / 64u) {
        uint live = min(TILE / 64u, units - u0);
        barrier();
        for (uint i = lid; i < TM * live * 2u; i += GROUP) {
            uint t = i / (live * 2u), part = i % (live * 2u);
            uint at = part * uint(PLANE_COUNT) * TM + t;
            uvec4 word = uvec4(0u);
            if (t0 + t < p.rows) word = act[(t0 + t) * stride + 1u + u0 * 2u + part];
            tvk_planes planes = tvk_act4_planes(word);
            [[unroll]] for (uint b = 0u; b < 4u; ++b) tile[at + b * TM] = planes.low[b];
#ifdef ACT_FP4
            tile[at + 4u * TM] = planes.sign;
#endif
        }
        barrier();
        for (uint u = 0u; u < live; ++u) {
            uvec4 unit[ROWS];
            [[unroll]] for (uint r = 0u; r < ROWS; ++r) unit[r] = codes[base[r] + u0 + u];
            [[unroll]] for (uint h = 0u; h < 2u; ++h) {
                uvec2 weight[ROWS];
                [[unroll]] for (uint r = 0u; r < ROWS; ++r)
                    weight[r] = tvk_t2_pair(unit[r][2u * h], unit[r][2u * h + 1u]);
                uint at = (u * 2u + h) * uint(PLANE_COUNT) * TM;
                [[unroll]] for (uint t = 0u; t < TM; ++t) {
                    tvk_planes a;
                    a.low = uvec4(tile[at + t], tile[at + TM + t], tile[at + 2u * TM + t],
                                  tile[at + 3u * TM + t]);
#ifdef ACT_FP4
                    a.sign = tile[at + 4u * TM + t];
#endif
                    [[unroll]] for (uint r = 0u; r < ROWS; ++r)
                        sum[r * TM + t] += tvk_t2_planes(weight[r], a);
                }
            }
        }
    }
    [[unroll]] for (uint r = 0u; r < ROWS; ++r) {
        uint row = first + GROUP * r;
        if (row >= p.n) continue;
        float scale = scales[row];
        [[unroll]] for (uint t = 0u; t < TM; ++t) {
            if (t0 + t >= p.rows) continue;
            uvec4 header = act[(t0 + t) * stride];
            precise float v =
                (float(sum[r * TM + t] - int(header.y)) * uintBitsToFloat(header.x)) * scale;
            uint at = (t0 + t) * p.y_stride + p.first_row + row;
            if (p.add != 0u) {
                precise float with = y[at] + v;
                v = with;
            }
            y[at] = v;
        }
    }
}
