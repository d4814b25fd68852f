// Packing of the rows of the KV cache: scale and codes of D values (docs/numerics.md, "KV cache").
// The including file gives load_row(quad), four values of the row.
#ifndef TVK_KV_PACK_GLSL
#define TVK_KV_PACK_GLSL

// bits of a scale rounded to f16, still as f32; 0 below the smallest normal f16
float kv_scale(float s)
{
    uint b = floatBitsToUint(min(s, 65504.0));
    b = (b + 0xfffu + (b >> 13 & 1u)) & 0xffffe000u;
    return s < 6.1035156e-5 ? 0.0 : uintBitsToFloat(b);
}

// the f16 of a scale from kv_scale()
uint kv_scale_bits(float s)
{
    return s > 0.0 ? (floatBitsToUint(s) >> 13) - (112u << 10) : 0u;
}

float kv_inverse(float s) { return s > 0.0 ? tvk_rcp(s) : 0.0; }

// the level 0 as a code: q4 -8 .. 7, q3 -3.5 .. 3.5
float kv_middle(uint type) { return type == TVK_CACHE_Q4 ? 8.0 : 3.5; }

float kv_clip_scale(uint type, float largest, uint clip)
{
    precise float base = largest * (type == TVK_CACHE_Q4 ? 0.14285715 : 0.2857143);
    precise float s = base * (1.0 - 0.03125 * float(clip));
    return kv_scale(s);
}

// codes of four values as floats: q8 -127 .. 127, q4 0 .. 15, q3 0 .. 7
vec4 kv_codes(uint type, vec4 x, float inverse)
{
    precise vec4 t = x * inverse;
    if (type == TVK_CACHE_Q8) return roundEven(clamp(t, vec4(-127.0), vec4(127.0)));
    if (type == TVK_CACHE_Q4) return roundEven(clamp(t, vec4(-8.0), vec4(7.0))) + 8.0;
    return floor(clamp(t, vec4(-4.0), vec4(3.0))) + 4.0;
}

float kv_clip_error(uint type, uint from, uint quads, float s)
{
    float inverse = kv_inverse(s), middle = kv_middle(type);
    precise vec4 sum = vec4(0.0);
    for (uint c = 0u; c < quads; ++c) {
        vec4 x = load_row(from + c);
        precise vec4 e = x - (kv_codes(type, x, inverse) - middle) * s;
        sum = sum + e * e;
    }
    precise float error = (sum.x + sum.y) + (sum.z + sum.w);
    return error;
}

float kv_row_max(uint from, uint quads)
{
    vec4 top = vec4(0.0);
    for (uint c = 0u; c < quads; ++c) top = max(top, abs(load_row(from + c)));
    return max(max(top.x, top.y), max(top.z, top.w));
}

// four codes, one a byte; nothing past the row
uint kv_bytes(uint type, uint from, uint quads, uint c, float inverse)
{
    if (c >= quads) return 0u;
    uvec4 b = uvec4(ivec4(kv_codes(type, load_row(from + c), inverse))) & 0xffu;
    return b.x | b.y << 8 | b.z << 16 | b.w << 24;
}

// word w of the packed row
uint kv_word(uint type, uint from, uint quads, uint w, float inverse)
{
    if (type == TVK_CACHE_F32) return floatBitsToUint(load_row(from + w / 4u)[w % 4u]);
    if (type == TVK_CACHE_F16) {
        vec4 x = load_row(from + w / 2u);
        return packHalf2x16(w % 2u == 0u ? x.xy : x.zw);
    }
    if (type == TVK_CACHE_Q8) return kv_bytes(type, from, quads, w, inverse);
    uint word = 0u;
    if (type == TVK_CACHE_Q4) {
        for (uint i = 0u; i < 2u; ++i)
            word |= kv_bytes(type, from, quads, 2u * w + i, inverse) << 4u * i;
        return word;
    }
    uint high = (quads + 3u) / 4u; // first word of the third bits
    if (w < high) {
        for (uint i = 0u; i < 4u; ++i)
            word |= (kv_bytes(type, from, quads, 4u * w + i, inverse) & 0x03030303u) << 2u * i;
    } else {
        for (uint i = 0u; i < 8u; ++i)
            word |= (kv_bytes(type, from, quads, 8u * (w - high) + i, inverse) >> 2 & 0x01010101u)
                    << i;
    }
    return word;
}

#endif
