// Body of the float mat-vec and mat-mat: y[t,n] (+)= sum_tree of 16 partial sums over units of weights.
// The includer defines LANES, WIDE, TM (rows of x) and ROWS (weight rows): an invocation holds
// TM * ROWS sums. LANES = 16: invocation p of a row holds partial sum p. LANES = 1: an invocation has one
// sum and all partial sums of its row side by side, or walks the partial sums of its rows in bit-reversed
// order, which lets the trees be added as they come.
#ifndef TVK_MATMUL_F_GLSL
#define TVK_MATMUL_F_GLSL

const uint SUMS = TM * ROWS;

layout(push_constant) uniform Push { tvk_matmul_params p; };
#define W_BINDING 0
#define SCALE_BINDING 1
#include "weights_f.glsl"
layout(set = 0, binding = 2, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 3, std430) buffer Y { float y[]; };

uint whole_t;
vec4 tvk_whole_x(uint u, uint g) { return x[whole_t + tvk_quad(u, g)]; }
#include "whole_row.glsl"

// partial sum `part` of ROWS weight rows for each of TM rows of x
void partial(uint row[ROWS], uint part, uint t0, out float acc[SUMS])
{
    [[unroll]] for (uint i = 0u; i < SUMS; ++i) acc[i] = 0.0;
    uint quads = p.k / 4u, units = tvk_units();
    for (uint u = part; u < units; u += TVK_DOT_PARTIALS) {
        tvk_unit w[ROWS];
        [[unroll]] for (uint r = 0u; r < ROWS; ++r) w[r] = tvk_load(row[r], u);
        [[unroll]] for (uint g = 0u; g < UNIT_QUADS; ++g) {
            uint quad = tvk_quad(u, g);
            if (WIDE == 0u && quad >= quads) break;
            vec4 values[ROWS];
            [[unroll]] for (uint r = 0u; r < ROWS; ++r) values[r] = tvk_values(w[r], g);
            [[unroll]] for (uint t = 0u; t < TM; ++t) {
                // rows past the capacity read the last row that exists and are not written
                vec4 v = x[min(t0 + t, p.rows - 1u) * (p.act_stride / 4u) + quad];
                [[unroll]] for (uint r = 0u; r < ROWS; ++r) {
                    precise float a = acc[r * TM + t];
#if defined(SCALED)
                    a = a + tvk_scale(w[r], g) * tvk_dot4(values[r], v);
#else
                    a = a + tvk_dot4(values[r], v);
#endif
                    acc[r * TM + t] = a;
                }
            }
        }
    }
}

void finish(uint t, uint row, float v)
{
    uint at = t * p.y_stride + p.first_row + row;
    precise float r = v;
    if (p.add != 0u) r = y[at] + v;
    y[at] = r;
}

shared float sums[LANES > 1u ? SUMS * GROUP : 1u];

void matmul(uint t0, uint group)
{
    const uint SETS = GROUP / LANES; // rows side by side
    uint lid = gl_LocalInvocationIndex;
    uint lane = lid % LANES;
    uint first = group * (SETS * ROWS) + lid / LANES;
    if (LANES == 1u && SUMS == 1u) {
        whole_t = t0 * (p.act_stride / 4u);
        float v = tvk_whole_row(min(first, p.n - 1u), group * GROUP, 1u, tvk_units());
        if (t0 < p.rows && first < p.n) finish(t0, first, v);
        if (gl_WorkGroupID.z > 0u) y[0] = float(tvk_touched); // never, there is one layer of workgroups
        return;
    }
    uint row[ROWS];
    [[unroll]] for (uint r = 0u; r < ROWS; ++r) row[r] = min(first + SETS * r, p.n - 1u);
    float acc[SUMS];
    if (LANES == 1u) {
        float half0[SUMS], half1[SUMS], half2[SUMS], half3[SUMS];
        for (uint i = 0u; i < TVK_DOT_PARTIALS; ++i) {
            partial(row, bitfieldReverse(i) >> 28, t0, acc);
            [[unroll]] for (uint t = 0u; t < SUMS; ++t) {
                precise float v = acc[t];
                if ((i & 1u) == 0u) {
                    half0[t] = v;
                } else {
                    v = half0[t] + v;
                    if ((i & 2u) == 0u) {
                        half1[t] = v;
                    } else {
                        v = half1[t] + v;
                        if ((i & 4u) == 0u) {
                            half2[t] = v;
                        } else {
                            v = half2[t] + v;
                            if ((i & 8u) == 0u) {
                                half3[t] = v;
                            } else {
                                v = half3[t] + v;
                                acc[t] = v;
                            }
                        }
                    }
                }
            }
        }
        [[unroll]] for (uint r = 0u; r < ROWS; ++r)
            [[unroll]] for (uint t = 0u; t < TM; ++t)
                if (t0 + t < p.rows && first + SETS * r < p.n)
                    finish(t0 + t, first + SETS * r, acc[r * TM + t]);
        return;
    }
    partial(row, lane, t0, acc);
    [[unroll]] for (uint i = 0u; i < SUMS; ++i) sums[i * GROUP + lid] = acc[i];
    barrier();
    for (uint o = lid; o < SUMS * SETS; o += GROUP) {
        uint i = o / SETS; // r * TM + t
        uint r = group * (SETS * ROWS) + o % SETS + SETS * (i / TM), t = t0 + i % TM;
        float v[TVK_DOT_PARTIALS];
        [[unroll]] for (uint k = 0u; k < TVK_DOT_PARTIALS; ++k) v[k] = sums[o * LANES + k];
        if (r < p.n && t < p.rows) finish(t, r, tvk_dot_tree(v));
    }
}

#endif
