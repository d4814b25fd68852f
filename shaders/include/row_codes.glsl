// One pass over a row gives what its codes need: r of the norm, the scale s and the step d
// (docs/numerics.md). The includer defines TVK_NORM (a constant expression: is there a norm?) and HELD
// before and the two functions that read the row behind. HELD > 0: an invocation loads its values, HELD
// groups of four, together and keeps them; 0: one after the other.
// Formats: QUANT_I8, QUANT_I4, QUANT_FP4; none: r alone. Needs exact.glsl and reduce.glsl.
#ifndef TVK_ROW_CODES_GLSL
#define TVK_ROW_CODES_GLSL

vec4 tvk_row_x(uint c);    // values 4 c .. 4 c + 3 of the row
vec4 tvk_row_gain(uint c); // of the norm's gain, where there is a norm

struct tvk_row {
    float r;     // of the norm; 1 without
    float gamma; // largest |y|; INT4: their mean
    float s, d;  // codes are y s, their step is d
};

#if defined(QUANT_I8) || defined(QUANT_I4) || defined(QUANT_FP4)
#define QUANT
#endif

vec4 tvk_held[HELD > 0u ? HELD : 1u]; // x g of groups lid + GROUP h

vec4 tvk_row_times_gain(vec4 x, uint c)
{
    if (!TVK_NORM) return x;
    precise vec4 v = x * tvk_row_gain(c);
    return v;
}

vec4 tvk_row_times_r(vec4 v, float r)
{
    if (!TVK_NORM) return v;
    precise vec4 y = v * r;
    return y;
}

// y of group c
vec4 tvk_row_normed(uint c, float r)
{
    return tvk_row_times_r(tvk_row_times_gain(tvk_row_x(c), c), r);
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
    // adding 1.5 2^23 rounds to even; conversions are slow on GPUs
    precise vec4 t = clamp(v, vec4(LOW), vec4(HIGH)) + 12582912.0;
    return floatBitsToInt(t) - 0x4B400000;
#endif
}
#endif

// What a pass adds up: of squares and of magnitudes for each partial sum, the largest |x g|.
float tvk_squares[MAX_PARTS], tvk_sizes[MAX_PARTS], tvk_top;

void tvk_row_add(uint part, vec4 x, vec4 scaled)
{
    if (TVK_NORM) {
        precise float acc = tvk_squares[part] + tvk_dot4(x, x);
        tvk_squares[part] = acc;
    }
#if defined(QUANT_I4)
    precise vec4 a = abs(scaled);
    precise float size = tvk_sizes[part] + ((a.x + a.y) + (a.z + a.w));
    tvk_sizes[part] = size;
#elif defined(QUANT)
    vec4 a = abs(scaled);
    tvk_top = max(tvk_top, max(max(a.x, a.y), max(a.z, a.w)));
#endif
}

void tvk_row_read(uint quads)
{
    uint lid = gl_LocalInvocationIndex;
    [[unroll]] for (uint i = 0u; i < PARTS; ++i) tvk_squares[i] = tvk_sizes[i] = 0.0;
    tvk_top = 0.0;
    if (HELD > 0u) {
        vec4 x[HELD > 0u ? HELD : 1u];
        [[unroll]] for (uint h = 0u; h < HELD; ++h) x[h] = tvk_row_x(min(lid + GROUP * h, quads - 1u));
        [[unroll]] for (uint h = 0u; h < HELD; ++h)
            tvk_held[h] = tvk_row_times_gain(x[h], min(lid + GROUP * h, quads - 1u));
        [[unroll]] for (uint h = 0u; h < HELD; ++h)
            if (lid + GROUP * h < quads) tvk_row_add(h % PARTS, x[h], tvk_held[h]);
    } else {
        [[unroll]] for (uint i = 0u; i < PARTS; ++i) {
            for (uint c = lid + GROUP * i; c < quads; c += TVK_NORM_PARTIALS) {
                vec4 x = tvk_row_x(c);
                tvk_row_add(i, x, tvk_row_times_gain(x, c));
            }
        }
    }
}

// The same by more than 128 invocations: what a group of four adds is made by any of them, into shared
// memory, and added by the one that a partial sum belongs to.
#ifdef QUANT
const bool TVK_WIDE = GROUP > TVK_NORM_PARTIALS && HELD > 0u;
#else
const bool TVK_WIDE = GROUP > TVK_NORM_PARTIALS && HELD > 0u && TVK_NORM;
#endif
#ifndef TVK_MOST_QUADS // of a row, where the includer knows
#define TVK_MOST_QUADS (HELD * GROUP)
#endif
const uint TVK_CHAIN = (TVK_MOST_QUADS + TVK_NORM_PARTIALS - 1u) / TVK_NORM_PARTIALS;
shared float tvk_wide_squares[TVK_WIDE ? HELD * GROUP : 1u];
#ifdef QUANT_I4
shared float tvk_wide_sizes[TVK_WIDE ? HELD * GROUP : 1u];
#endif
shared float tvk_wide_top[TVK_WIDE ? GROUP : 1u];

void tvk_row_pass_wide(uint quads, out float sum, out float size, out float top)
{
    uint lid = gl_LocalInvocationIndex;
    vec4 x[HELD > 0u ? HELD : 1u];
    [[unroll]] for (uint h = 0u; h < HELD; ++h) x[h] = tvk_row_x(min(lid + GROUP * h, quads - 1u));
    [[unroll]] for (uint h = 0u; h < HELD; ++h)
        tvk_held[h] = tvk_row_times_gain(x[h], min(lid + GROUP * h, quads - 1u));
    tvk_top = 0.0;
    [[unroll]] for (uint h = 0u; h < HELD; ++h) {
        bool own = lid + GROUP * h < quads;
        tvk_squares[0] = tvk_sizes[0] = 0.0; // 0 + v is v, and partial sums begin with 0
        if (own) tvk_row_add(0u, x[h], tvk_held[h]);
        tvk_wide_squares[lid + GROUP * h] = tvk_squares[0];
#ifdef QUANT_I4
        tvk_wide_sizes[lid + GROUP * h] = tvk_sizes[0];
#endif
    }
    tvk_wide_top[lid] = tvk_top;
    barrier();
    if (lid < TVK_NORM_PARTIALS) {
        precise float squares = 0.0, sizes = 0.0;
        float most = tvk_wide_top[lid];
        // past the row there are zeros, which change no sum
        [[unroll]] for (uint j = 0u; j < TVK_CHAIN; ++j) {
            uint c = lid + TVK_NORM_PARTIALS * j;
            squares = squares + tvk_wide_squares[c];
#ifdef QUANT_I4
            sizes = sizes + tvk_wide_sizes[c];
#endif
        }
        [[unroll]] for (uint i = TVK_NORM_PARTIALS; i < GROUP; i += TVK_NORM_PARTIALS)
            most = max(most, tvk_wide_top[lid + i]);
        tvk_scratch_a[lid] = squares;
#ifdef QUANT_I4
        tvk_scratch_b[lid] = sizes;
#else
        tvk_scratch_b[lid] = most;
#endif
    }
    barrier();
#ifdef QUANT_I4
    tvk_fold_sums();
#else
    tvk_fold_sum_max();
#endif
    sum = tvk_tree_a();
#ifdef QUANT_I4
    size = tvk_tree_b();
#else
    top = tvk_max_b();
#endif
}

tvk_row tvk_row_pass(uint quads, float inv_k, float eps)
{
    float sum = 0.0, size = 0.0, top = 0.0;
    if (TVK_WIDE) {
        tvk_row_pass_wide(quads, sum, size, top);
    } else {
        tvk_row_read(quads);
#ifdef QUANT_I4
        tvk_reduce_sums(tvk_squares, tvk_sizes, sum, size);
#else
        if (TVK_NORM)
            tvk_reduce_sum_max(tvk_squares, tvk_top, sum, top);
        else
            top = tvk_reduce_max(tvk_top);
#endif
    }
    tvk_row row = tvk_row(1.0, 0.0, 0.0, 0.0);
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
