// Body of the float mat-vec and mat-mat: y[t,n] (+)= sum_tree of 16 partial sums over 16-byte units.
// The includer defines TM (activation rows a workgroup, an invocation's accumulators), LANES and
// WIDE. LANES = 16: invocation p of a row holds partial sum p. LANES = 1: an invocation walks the
// partial sums of its row in bit-reversed order, which lets the tree be added as they come.
#ifndef TVK_MATMUL_F_GLSL
#define TVK_MATMUL_F_GLSL

layout(push_constant) uniform Push { tvk_matmul_params p; };
#if defined(W_F32)
layout(set = 0, binding = 0, std430) readonly buffer Weights { vec4 weights[]; };
#define UNIT_QUADS 1u
#elif defined(W_F16)
layout(set = 0, binding = 0, std430) readonly buffer Weights { uvec4 weights[]; };
layout(set = 0, binding = 0, std430) readonly buffer WeightHalves { uvec2 weight_halves[]; };
#define UNIT_QUADS 2u
#elif defined(W_Q8)
layout(set = 0, binding = 0, std430) readonly buffer Weights { uvec4 weights[]; };
layout(set = 0, binding = 1, std430) readonly buffer Scales { float scales[]; };
#define UNIT_QUADS 4u
#endif
layout(set = 0, binding = 2, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 3, std430) buffer Y { float y[]; };

#if defined(W_Q8)
vec4 widen(uint w)
{
    return vec4(float(int(w << 24) >> 24), float(int(w << 16) >> 24), float(int(w << 8) >> 24),
                float(int(w) >> 24));
}
#elif defined(W_F16)
vec4 widen(uvec2 w) { return vec4(unpackHalf2x16(w.x), unpackHalf2x16(w.y)); }
#endif

// partial sum `part` of a weight row for each of TM activation rows
void partial(uint row, uint part, uint t0, out float acc[TM])
{
    [[unroll]] for (uint t = 0u; t < TM; ++t) acc[t] = 0.0;
    uint quads = p.k / 4u;
    uint units = (quads + UNIT_QUADS - 1u) / UNIT_QUADS;
    for (uint u = part; u < units; u += TVK_DOT_PARTIALS) {
        vec4 w[UNIT_QUADS];
        float scale = 1.0;
#if defined(W_F32)
        w[0] = weights[row * quads + u];
#elif defined(W_F16)
        bool second = 2u * u + 1u < quads;
        if (WIDE != 0u) {
            uvec4 unit = weights[row * units + u];
            w[0] = widen(unit.xy);
            w[1] = widen(unit.zw);
        } else {
            // rows start at multiples of 8 bytes only, and the last unit may be half
            w[0] = widen(weight_halves[row * quads + 2u * u]);
            w[1] = widen(weight_halves[row * quads + 2u * u + (second ? 1u : 0u)]);
        }
#else
        uvec4 unit = weights[row * units + u];
        w[0] = widen(unit.x);
        w[1] = widen(unit.y);
        w[2] = widen(unit.z);
        w[3] = widen(unit.w);
        scale = scales[row * (p.k / 32u) + u / 2u];
#endif
        [[unroll]] for (uint t = 0u; t < TM; ++t) {
            // rows past the capacity read the last row that exists and are not written
            uint at = min(t0 + t, p.rows - 1u) * (p.act_stride / 4u) + u * UNIT_QUADS;
            precise float a = acc[t];
#if defined(W_F32)
            a = a + tvk_dot4(w[0], x[at]);
#elif defined(W_F16)
            a = a + tvk_dot4(w[0], x[at]);
            if (WIDE != 0u || second) a = a + tvk_dot4(w[1], x[at + 1u]);
#else
            [[unroll]] for (uint g = 0u; g < 4u; ++g) a = a + scale * tvk_dot4(w[g], x[at + g]);
#endif
            acc[t] = a;
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

shared float sums[LANES > 1u ? TM * GROUP : 1u];

void matmul(uint t0, uint group)
{
    uint lid = gl_LocalInvocationIndex;
    uint lane = lid % LANES;
    uint row = group * (GROUP / LANES) + lid / LANES;
    uint live = min(row, p.n - 1u);
    float acc[TM];
    if (LANES == 1u) {
        float half0[TM], half1[TM], half2[TM], half3[TM];
        for (uint i = 0u; i < TVK_DOT_PARTIALS; ++i) {
            partial(live, bitfieldReverse(i) >> 28, t0, acc);
            [[unroll]] for (uint t = 0u; t < TM; ++t) {
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
        if (row >= p.n) return;
        [[unroll]] for (uint t = 0u; t < TM; ++t)
            if (t0 + t < p.rows) finish(t0 + t, row, acc[t]);
        return;
    }
    partial(live, lane, t0, acc);
    [[unroll]] for (uint t = 0u; t < TM; ++t) sums[t * GROUP + lid] = acc[t];
    barrier();
    const uint SETS = GROUP / LANES;
    for (uint o = lid; o < TM * SETS; o += GROUP) {
        uint r = group * SETS + o % SETS, t = t0 + o / SETS;
        float v[TVK_DOT_PARTIALS];
        [[unroll]] for (uint i = 0u; i < TVK_DOT_PARTIALS; ++i) v[i] = sums[o * LANES + i];
        [[unroll]] for (uint s = TVK_DOT_PARTIALS / 2u; s > 0u; s /= 2u) {
            [[unroll]] for (uint i = 0u; i < s; ++i) {
                precise float sum = v[i] + v[i + s];
                v[i] = sum;
            }
        }
        if (r < p.n && t < p.rows) finish(t, r, v[0]);
    }
}

#endif
