// Ternary (SIGNS: two-valued) mat-mat with INT8 activations, or of four bits with ACT_I4, ACT_FP4: y[t,n] (+)= (float(sum_k w[n,k] q[t,k]) d[t]) scale[n]
// bindings: 0 codes T2 [N, row_words] | 1 scales f32 [N] of the piece
//           2 activation records [T, act_stride] {bits(d), sum q, 0, 0, codes} | 3 y [T, y_stride]
// workgroup (x, y): GROUP * ROWS weight rows times TM activation rows; a step of TILE inputs of the
//   activations lies in shared memory, so that what an invocation unpacks serves TM rows
// constants: 0-2 workgroup size, 3 TM, 4 TILE (multiple of 128), 5 ROWS weight rows an invocation
// needs: TVK_CAP_DOT with DOT_SIGNED or DOT_MIXED
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
layout(set = 0, binding = 2, std430) readonly buffer Act { uint act[]; };
layout(set = 0, binding = 3, std430) buffer Y { float y[]; };

#if defined(DOT_SIGNED) || defined(DOT_MIXED)
#define PER_WORD 1 // words of shared memory an activation word takes
#else
#define PER_WORD 2
#endif
#ifdef SIGNS
const uint BITS = 1u; // of a code
#else
const uint BITS = 2u;
#endif
const uint WORDS = 8u / BITS; // activation words that a weight word stands against
const uint MASK = BITS == 1u ? 0x01010101u : 0x03030303u;
shared uint tile[TM * uint(PER_WORD) * TILE / 4u]; // [activation word][pair][TM]

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint t0 = gl_WorkGroupID.y * TM;
    uint first = gl_WorkGroupID.x * (GROUP * ROWS) + lid;
    uint units = p.row_words / 4u;

    uint base[ROWS];
    int sum[TM * ROWS];
    [[unroll]] for (uint r = 0u; r < ROWS; ++r) base[r] = min(first + GROUP * r, p.n - 1u) * units;
    [[unroll]] for (uint i = 0u; i < TM * ROWS; ++i) sum[i] = 0;

    for (uint u0 = 0u; u0 < units; u0 += TILE / (16u * WORDS)) {
        uint live = min(TILE / (16u * WORDS), units - u0);
        barrier();
        for (uint i = lid; i < TM * live * 4u * WORDS; i += GROUP) {
            uint t = i / (live * 4u * WORDS), word = i % (live * 4u * WORDS);
            uint a = 0u;
            if (t0 + t < p.rows)
#ifdef ACT_4
                a = tvk_act4_words(uvec2(act[(t0 + t) * p.act_stride + TVK_ACT_HEADER_WORDS +
                                           u0 * 8u + word / 2u]))[word % 2u];
#else
                a = act[(t0 + t) * p.act_stride + TVK_ACT_HEADER_WORDS + u0 * 4u * WORDS + word];
#endif
#if PER_WORD == 1
            tile[word * TM + t] = a;
#else
            tile[word * 2u * TM + t] = tvk_pair02(a);
            tile[word * 2u * TM + TM + t] = tvk_pair13(a);
#endif
        }
        barrier();
        for (uint u = 0u; u < live; ++u) {
            uvec4 unit[ROWS];
            [[unroll]] for (uint r = 0u; r < ROWS; ++r) unit[r] = codes[base[r] + u0 + u];
#if PER_WORD == 2
            uint part[TM * ROWS];
            [[unroll]] for (uint i = 0u; i < TM * ROWS; ++i) part[i] = 0u;
#endif
            // twice the steps of T2: unrolled they would take drivers seconds to compile
#ifdef SIGNS
            [[dont_unroll]]
#else
            [[unroll]]
#endif
            for (uint j = 0u; j < 4u; ++j) {
                uint at = (u * 4u + j) * WORDS * uint(PER_WORD) * TM;
                [[unroll]] for (uint i = 0u; i < WORDS; ++i) {
                    // a value of shared memory serves ROWS rows, a code TM
                    [[unroll]] for (uint t = 0u; t < TM; ++t) {
#if PER_WORD == 1
                        uint a = tile[at + i * TM + t];
                        [[unroll]] for (uint r = 0u; r < ROWS; ++r)
                            sum[r * TM + t] +=
                                tvk_t2_dot((unit[r][j] >> (BITS * i)) & MASK, a);
#else
                        uint a02 = tile[at + i * 2u * TM + t];
                        uint a13 = tile[at + i * 2u * TM + TM + t];
                        [[unroll]] for (uint r = 0u; r < ROWS; ++r)
                            part[r * TM + t] +=
                                ((unit[r][j] >> (BITS * i)) & MASK & 0x00ff00ffu) * a02 +
                                ((unit[r][j] >> (BITS * i + 8u)) & MASK & 0x00ff00ffu) * a13;
#endif
                    }
                }
            }
#if PER_WORD == 2
            [[unroll]] for (uint i = 0u; i < TM * ROWS; ++i) sum[i] += tvk_t2_high(part[i]);
#endif
        }
    }
    [[unroll]] for (uint r = 0u; r < ROWS; ++r) {
        uint row = first + GROUP * r;
        if (row >= p.n) continue;
        float scale = scales[row];
        [[unroll]] for (uint t = 0u; t < TM; ++t) {
            if (t0 + t >= p.rows) continue;
            uint header = (t0 + t) * p.act_stride;
#ifdef ACT_4
            sum[r * TM + t] = tvk_act4_sum(sum[r * TM + t]);
#endif
#ifdef SIGNS
            sum[r * TM + t] *= 2;
#endif
            precise float v = (float(sum[r * TM + t] - int(act[header + 1u])) *
                               uintBitsToFloat(act[header])) * scale;
            uint at = (t0 + t) * p.y_stride + p.first_row + row;
            if (p.add != 0u) {
                precise float with = y[at] + v;
                v = with;
            }
            y[at] = v;
        }
    }
}
