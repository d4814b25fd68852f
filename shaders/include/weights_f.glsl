// Weights that f32 activations multiply, a unit at a time: UNIT_QUADS groups of four neighbouring
// values ("quads"). Layouts: docs/formats.md, "device packing".
// The includer defines W_BINDING, SCALE_BINDING and p.k, and WIDE: 0 where the last units of a row
// may reach past K, and rows of F16 may start at multiples of 8 bytes.
#ifndef TVK_WEIGHTS_F_GLSL
#define TVK_WEIGHTS_F_GLSL

#if defined(W_F32)
layout(set = 0, binding = W_BINDING, std430) readonly buffer Weights { vec4 weights[]; };
#define UNIT_QUADS 1u
struct tvk_unit { vec4 w; };
#elif defined(W_F16)
layout(set = 0, binding = W_BINDING, std430) readonly buffer Weights { uvec4 weights[]; };
layout(set = 0, binding = W_BINDING, std430) readonly buffer Halves { uvec2 weight_halves[]; };
#define UNIT_QUADS 2u
struct tvk_unit { uvec4 w; };
#else
#define UNIT_QUADS 4u
#define SCALED
#if defined(W_Q8)
layout(set = 0, binding = W_BINDING, std430) readonly buffer Weights { uvec4 weights[]; };
layout(set = 0, binding = SCALE_BINDING, std430) readonly buffer Scales { float scales[]; };
struct tvk_unit { uvec4 w; float scale; };
#elif defined(W_Q6)
layout(set = 0, binding = W_BINDING, std430) readonly buffer Weights { uvec2 weights[]; };
layout(set = 0, binding = W_BINDING, std430) readonly buffer High { uint weight_high[]; };
layout(set = 0, binding = SCALE_BINDING, std430) readonly buffer Scales { uint scales[]; };
struct tvk_unit { uvec3 w; vec4 scale; };
#elif defined(W_Q4)
layout(set = 0, binding = W_BINDING, std430) readonly buffer Weights { uvec2 weights[]; };
layout(set = 0, binding = SCALE_BINDING, std430) readonly buffer Scales { vec4 scales[]; };
struct tvk_unit { uvec2 w; vec4 scale; };
#elif defined(W_T2)
layout(set = 0, binding = W_BINDING, std430) readonly buffer Weights { uint weights[]; };
layout(set = 0, binding = SCALE_BINDING, std430) readonly buffer Scales { float scales[]; };
struct tvk_unit { uint w; float scale; };
#endif
#endif

// four signed bytes, four bytes
vec4 tvk_signed_bytes(uint w)
{
    return vec4(float(int(w << 24) >> 24), float(int(w << 16) >> 24), float(int(w << 8) >> 24),
                float(int(w) >> 24));
}
vec4 tvk_bytes(uint w)
{
    return vec4(float(w & 255u), float((w >> 8) & 255u), float((w >> 16) & 255u), float(w >> 24));
}

#if defined(W_Q6) || defined(W_Q4)
// Units of a block of 256 values take its quads in turn, so that sixteen lanes read x side by side.
uint tvk_units() { return (p.k + 255u) / 256u * 16u; }
uint tvk_quad(uint u, uint g) { return (u / 16u * 4u + g) * 16u + u % 16u; }
uvec2 tvk_place(uint quad) { return uvec2(quad / 64u * 16u + quad % 16u, quad % 64u / 16u); }
#else
uint tvk_units() { return (p.k / 4u + UNIT_QUADS - 1u) / UNIT_QUADS; }
// which quad of the row is quad g of unit u, and back: {unit, g}
uint tvk_quad(uint u, uint g) { return u * UNIT_QUADS + g; }
uvec2 tvk_place(uint quad) { return uvec2(quad / UNIT_QUADS, quad % UNIT_QUADS); }
#endif

// Words of a row, of a unit, and the lines (of 64 bytes, by their first words) in which 16 units from
// `first` on lie, first a multiple of 16 and all of them inside the row.
#if defined(W_F32)
#define UNIT_WORDS 4u
uint tvk_row_words() { return p.k; }
#elif defined(W_F16)
#define UNIT_WORDS 4u
uint tvk_row_words() { return p.k / 2u; }
#elif defined(W_Q8)
#define UNIT_WORDS 4u
uint tvk_row_words() { return p.k / 4u; }
#elif defined(W_Q6)
#define UNIT_WORDS 3u
uint tvk_row_words() { return (p.k + 255u) / 256u * 48u; }
#elif defined(W_Q4)
#define UNIT_WORDS 2u
uint tvk_row_words() { return tvk_units() * 2u; }
#else
#define UNIT_WORDS 1u
uint tvk_row_words() { return (p.k + 127u) / 128u * 8u; }
#endif
#define LINES UNIT_WORDS
uint tvk_line(uint first, uint l)
{
#if defined(W_Q6) // the upper bits of all blocks stand behind their lower ones
    return l < 2u ? first * 2u + 16u * l : (p.k + 255u) / 256u * 32u + first;
#else
    return first * UNIT_WORDS + 16u * l;
#endif
}

tvk_unit tvk_load(uint row, uint u)
{
#if defined(W_F32)
    return tvk_unit(weights[row * (p.k / 4u) + u]);
#elif defined(W_F16)
    uint quads = p.k / 4u;
    if (WIDE != 0u) return tvk_unit(weights[row * (quads / 2u) + u]);
    uint at = row * quads + 2u * u;
    return tvk_unit(uvec4(weight_halves[at], weight_halves[at + (2u * u + 1u < quads ? 1u : 0u)]));
#elif defined(W_Q8)
    return tvk_unit(weights[row * (p.k / 16u) + u], scales[row * (p.k / 32u) + u / 2u]);
#elif defined(W_Q6)
    uint blocks = p.k / 256u, block = row * blocks + u / 16u;
    uvec2 low = weights[row * (blocks * 24u) + u];
    uint high = weight_high[row * (blocks * 48u) + blocks * 32u + u];
    precise vec4 scale = tvk_signed_bytes(scales[block * 5u + u % 16u / 4u]) *
                         uintBitsToFloat(scales[block * 5u + 4u]);
    return tvk_unit(uvec3(low, high), scale);
#elif defined(W_Q4)
    uint at = row * tvk_units() + u;
    return tvk_unit(weights[at], scales[at / 8u]);
#else
    return tvk_unit(weights[row * ((p.k + 127u) / 128u * 8u) + u],
                    scales[row * ((p.k + 255u) / 256u) + u / 16u]);
#endif
}

// values of quad g, to be multiplied by its scale where there are scales
vec4 tvk_values(tvk_unit unit, uint g)
{
#if defined(W_F32)
    return unit.w;
#elif defined(W_F16)
    uvec2 h = g == 0u ? unit.w.xy : unit.w.zw;
    return vec4(unpackHalf2x16(h.x), unpackHalf2x16(h.y));
#elif defined(W_Q8)
    return tvk_signed_bytes(unit.w[g]);
#elif defined(W_Q6)
    uint low = ((g < 2u ? unit.w.x : unit.w.y) >> (4u * (g % 2u))) & 0x0f0f0f0fu;
    precise vec4 v = tvk_bytes(low | (((unit.w.z >> (2u * g)) & 0x03030303u) << 4)) - 32.0;
    return v;
#elif defined(W_Q4)
    precise vec4 v = tvk_bytes(((g < 2u ? unit.w.x : unit.w.y) >> (4u * (g % 2u))) & 0x0f0f0f0fu) - 8.0;
    return v;
#else
    precise vec4 v = tvk_bytes((unit.w >> (2u * g)) & 0x03030303u) - 1.0;
    return v;
#endif
}

#if defined(W_Q6) || defined(W_Q4)
float tvk_scale(tvk_unit unit, uint g) { return unit.scale[g]; }
#elif defined(SCALED)
float tvk_scale(tvk_unit unit, uint g) { return unit.scale; }
#endif

// sum_tree of the partial sums of an output
float tvk_dot_tree(float v[TVK_DOT_PARTIALS])
{
    [[unroll]] for (uint s = TVK_DOT_PARTIALS / 2u; s > 0u; s /= 2u) {
        [[unroll]] for (uint k = 0u; k < s; ++k) {
            precise float sum = v[k] + v[k + s];
            v[k] = sum;
        }
    }
    return v[0];
}

#endif
