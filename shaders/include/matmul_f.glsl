// Body of the float mat-vec and mat-mat: y[t,n] (+)= sum_tree of 16 partial sums over 16-byte units.
// The includer defines LANES, WIDE, TM (rows of x) and ROWS (weight rows): an invocation holds
// TM * ROWS sums. LANES = 16: invocation p of a row holds partial sum p. LANES = 1: an invocation walks the
// partial sums of its row in bit-reversed order, which lets the tree be added as they come.
#ifndef TVK_MATMUL_F_GLSL
#define TVK_MATMUL_F_GLSL

const uint SUMS = TM * ROWS;

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

// partial sum `part` of ROWS weight rows for each of TM rows of x
void partial(uint row[ROWS], uint part, uint t0, out float acc[SUMS])
{
    [[unroll]] for (uint i = 0u; i < SUMS; ++i) acc[i] = 0.0;
    uint quads = p.k / 4u;
    uint units = (quads + UNIT_QUADS - 1u) / UNIT_QUADS;
    for (uint u = part; u < units; u += TVK_DOT_PARTIALS) {
        vec4 w[UNIT_QUADS * ROWS];
        float scale[ROWS];
        [[unroll]] for (uint r = 0u; r < ROWS; ++r) {
#if defined(W_F32)
            w[r] = weights[row[r] * quads + u];
#elif defined(W_F16)
            if (WIDE != 0u) {
                uvec4 unit = weights[row[r] * units + u];
                w[2u * r] = widen(unit.xy);
                w[2u * r + 1u] = widen(unit.zw);
            } else {
                // rows start at multiples of 8 bytes only, and the last unit may be half
                uint at = row[r] * quads + 2u * u;
                w[2u * r] = widen(weight_halves[at]);
                w[2u * r + 1u] = widen(weight_halves[at + (2u * u + 1u < quads ? 1u : 0u)]);
            }
#else
            uvec4 unit = weights[row[r] * units + u];
            w[4u * r] = widen(unit.x);
            w[4u * r + 1u] = widen(unit.y);
            w[4u * r + 2u] = widen(unit.z);
            w[4u * r + 3u] = widen(unit.w);
            scale[r] = scales[row[r] * (p.k / 32u) + u / 2u];
#endif
        }
        [[unroll]] for (uint t = 0u; t < TM; ++t) {
            // rows past the capacity read the last row that exists and are not written
            uint at = min(t0 + t, p.rows - 1u) * (p.act_stride / 4u) + u * UNIT_QUADS;
            [[unroll]] for (uint g = 0u; g < UNIT_QUADS; ++g) {
                if (g > 0u && UNIT_QUADS == 2u && WIDE == 0u && 2u * u + 1u >= quads) break;
                vec4 v = x[at + g];
                [[unroll]] for (uint r = 0u; r < ROWS; ++r) {
                    precise float a = acc[r * TM + t];
#if defined(W_Q8)
                    a = a + scale[r] * tvk_dot4(w[r * UNIT_QUADS + g], v);
#else
                    a = a + tvk_dot4(w[r * UNIT_QUADS + g], v);
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
        [[unroll]] for (uint s = TVK_DOT_PARTIALS / 2u; s > 0u; s /= 2u) {
            [[unroll]] for (uint k = 0u; k < s; ++k) {
                precise float sum = v[k] + v[k + s];
                v[k] = sum;
            }
        }
        if (r < p.n && t < p.rows) finish(t, r, v[0]);
    }
}

#endif
