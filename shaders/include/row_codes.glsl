// One pass over a row gives what its codes need: r of the norm, the scale s and the step d
// (docs/numerics.md). The includer defines TVK_NORM (a constant expression: is there a norm?) before
// and the two functions that read the row behind.
// Formats: QUANT_I8, QUANT_I4, QUANT_FP4; none: r alone. Needs exact.glsl and reduce.glsl.
#ifndef TVK_ROW_CODES_GLSL
#define TVK_ROW_CODES_GLSL

vec4 tvk_row_x(uint c);      // values 4 c .. 4 c + 3 of the row
vec4 tvk_row_scaled(uint c); // the same times the gain, where there is a norm

struct tvk_row {
    float r;     // of the norm; 1 without
    float gamma; // largest |y|; INT4: their mean
    float s, d;  // codes are y s, their step is d
};

#if defined(QUANT_I8) || defined(QUANT_I4) || defined(QUANT_FP4)
#define QUANT
#endif

vec4 tvk_row_normed(uint c, float r)
{
    vec4 v = tvk_row_scaled(c);
    if (!TVK_NORM) return v;
    precise vec4 y = v * r;
    return y;
}

#ifdef QUANT
#if defined(QUANT_I4)
const float LOW = -8.0, HIGH = 7.0;
#elif defined(QUANT_I8)
const float LOW = -128.0, HIGH = 127.0;
#endif
// v: four values y s
ivec4 tvk_codes_of(vec4 v)
{
#ifdef QUANT_FP4
    // steps of 1 below 4, 2 below 8, 4 to 12
    precise vec4 a = min(abs(v), vec4(12.0));
    precise vec4 inv = mix(mix(vec4(0.25), vec4(0.5), lessThan(a, vec4(8.0))), vec4(1.0),
                           lessThan(a, vec4(4.0)));
    ivec4 n = ivec4(roundEven(a * inv));
    ivec4 q = mix(mix(4 * n, 2 * n, lessThan(a, vec4(8.0))), n, lessThan(a, vec4(4.0)));
    return mix(q, -q, lessThan(v, vec4(0.0)));
#else
    return ivec4(clamp(roundEven(v), vec4(LOW), vec4(HIGH)));
#endif
}
#endif

tvk_row tvk_row_pass(uint quads, float inv_k, float eps)
{
    uint lid = gl_LocalInvocationIndex;
    float part[MAX_PARTS];
#ifdef QUANT_I4
    float sizes[MAX_PARTS];
#endif
    precise float top = 0.0;
    [[unroll]] for (uint i = 0u; i < PARTS; ++i) {
        precise float acc = 0.0;
        precise float size = 0.0;
        for (uint c = lid + GROUP * i; c < quads; c += TVK_NORM_PARTIALS) {
            if (TVK_NORM) {
                vec4 v = tvk_row_x(c);
                acc = acc + tvk_dot4(v, v);
            }
#if defined(QUANT_I4)
            precise vec4 a = abs(tvk_row_scaled(c));
            size = size + ((a.x + a.y) + (a.z + a.w));
#elif defined(QUANT)
            vec4 a = abs(tvk_row_scaled(c));
            top = max(top, max(max(a.x, a.y), max(a.z, a.w)));
#endif
        }
        part[i] = acc;
#ifdef QUANT_I4
        sizes[i] = size;
#endif
    }
    tvk_row row = tvk_row(1.0, 0.0, 0.0, 0.0);
    float sum = 0.0;
#ifdef QUANT_I4
    float size;
    tvk_reduce_sums(part, sizes, sum, size);
#else
    if (TVK_NORM)
        tvk_reduce_sum_max(part, top, sum, top);
    else
        top = tvk_reduce_max(top);
#endif
    if (TVK_NORM) {
        precise float mean = sum * inv_k + eps;
        row.r = tvk_rsqrt(mean);
    }
#ifdef QUANT
#ifdef QUANT_I4
    precise float gamma = (size * row.r) * inv_k;
#else
    // rounding is monotone: max|x g| r is exactly max|(x g) r|
    precise float gamma = top * row.r;
#endif
    row.gamma = gamma;
    precise float m = max(gamma, 1e-5);
#if defined(QUANT_I4)
    row.s = tvk_div(2.6457513, m);
    precise float d = m * 0.37796447;
#elif defined(QUANT_FP4)
    row.s = tvk_div(12.0, m);
    precise float d = m * 0.083333336;
#else
    row.s = tvk_div(127.0, m);
    precise float d = m * 0.007874016;
#endif
    row.d = d;
#endif
    return row;
}

#endif
