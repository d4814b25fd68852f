// One chunk of attention over packed keys or values: attention.glsl with K and V each in a type of
// its own. A row's levels are read as they lie; its scale multiplies the score, or the weight.
// QUERY: the query is a record of levels too. Sums of products of levels are exact whether they are
// made of floats or, DOT_SIGNED and K packed, of bytes.
#ifndef TVK_ATTENTION_Q_GLSL
#define TVK_ATTENTION_Q_GLSL

layout(constant_id = 3) const uint SPLIT = 4u; // invocations that share four dimensions: 4 or 1
layout(constant_id = 4) const uint STEP = 1u;  // groups of four dimensions a turn: 1 or 4 n
layout(constant_id = 5) const uint K_TYPE = TVK_CACHE_Q4;
layout(constant_id = 6) const uint V_TYPE = TVK_CACHE_Q4;

TVK_PUSHED(10);
tvk_attention_params p = TVK_ATTENTION_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
#ifdef QUERY
layout(set = 0, binding = 1, std430) readonly buffer Queries { uvec4 queries[]; };
#else
layout(set = 0, binding = 1, std430) readonly buffer Qkv { vec4 qkv[]; };
#endif
layout(set = 0, binding = 2, std430) readonly buffer Pool { uint pool[]; };

vec4 bytes(uint w)
{
    return vec4(w & 0xffu, w >> 8 & 0xffu, w >> 16 & 0xffu, w >> 24);
}

// four levels of a row whose word w lies at + w * apart: group 4 b + s of four dimensions
vec4 levels(uint type, uint at, uint apart, uint b, uint s)
{
    if (type == TVK_CACHE_F32) {
        uint w = at + (4u * b + s) * 4u * apart;
        return uintBitsToFloat(
            uvec4(pool[w], pool[w + apart], pool[w + 2u * apart], pool[w + 3u * apart]));
    }
    if (type == TVK_CACHE_F16) {
        uint w = at + (4u * b + s) * 2u * apart;
        return vec4(unpackHalf2x16(pool[w]), unpackHalf2x16(pool[w + apart]));
    }
    if (type == TVK_CACHE_Q8) {
        int w = int(pool[at + (4u * b + s) * apart]);
        return vec4(w << 24 >> 24, w << 16 >> 24, w << 8 >> 24, w >> 24);
    }
    if (type == TVK_CACHE_Q4) {
        uint w = pool[at + (2u * b + s / 2u) * apart];
        return bytes(w >> 4u * (s % 2u) & 0x0f0f0f0fu) - 8.0;
    }
    uint low = pool[at + b * apart];
    uint high = pool[at + ((p.d + 15u) / 16u + b / 2u) * apart] >> 4u * (b % 2u);
    return bytes((low >> 2u * s & 0x03030303u) | (high >> s & 0x01010101u) << 2) - 3.5;
}

// {b, s} of group c + i of four dimensions: 4 b + s
uvec2 group_of(uint c, uint i)
{
    return STEP % 4u == 0u ? uvec2(c / 4u + i / 4u, i % 4u) : uvec2((c + i) / 4u, (c + i) % 4u);
}

#ifdef QUERY
// first uvec4 of a head's record; its levels of a group as bytes, as floats
uint query_at(uint t, uint head)
{
    return (t * p.q_stride + head * TVK_QUERY_WORDS(p.d)) / 4u;
}
int query_word(uint at, uvec2 bs) { return int(queries[at + 1u + bs.x][bs.y]); }
vec4 query(uint at, uvec2 bs)
{
    int w = query_word(at, bs);
    return vec4(w << 24 >> 24, w << 16 >> 24, w << 8 >> 24, w >> 24);
}
#else
// first group of four of a head; a group
uint query_at(uint t, uint head) { return t * (p.q_stride / 4u) + head * (p.d / 4u); }
vec4 query(uint at, uvec2 bs) { return qkv[at + 4u * bs.x + bs.y]; }
#endif

#ifdef DOT_SIGNED
// four codes of a packed key as bytes, as levels() finds them
uint codes(uint type, uint at, uint apart, uint b, uint s)
{
    if (type == TVK_CACHE_Q8) return pool[at + (4u * b + s) * apart];
    if (type == TVK_CACHE_Q4)
        return pool[at + (2u * b + s / 2u) * apart] >> 4u * (s % 2u) & 0x0f0f0f0fu;
    uint low = pool[at + b * apart];
    uint high = pool[at + ((p.d + 15u) / 16u + b / 2u) * apart] >> 4u * (b % 2u);
    return (low >> 2u * s & 0x03030303u) | (high >> s & 0x01010101u) << 2;
}

// sum of query levels times key levels from the sum with codes: a level is code - 8 or - 3.5
float levels_sum(uint type, int codes_sum, int query_sum)
{
    if (type == TVK_CACHE_Q8) return float(codes_sum);
    if (type == TVK_CACHE_Q4) return float(codes_sum - 8 * query_sum);
    return float(2 * codes_sum - 7 * query_sum) * 0.5;
}
#endif

// a type of which position 0 of a session is kept at four bits
bool keeps_first(uint type) { return type == TVK_CACHE_Q3; }

const uint BLOCK = PARTS < 4u ? PARTS : 4u; // positions an invocation scores at once
const uint AHEAD = 8u;                     // values on their way while others are added
#define MAX_QUADS 64u // D <= 256
shared float weights[TVK_CHUNK];
shared vec4 parts[SPLIT > 1u ? 4u * MAX_QUADS : 1u];
shared vec4 chunk_out[MAX_QUADS];

// positions 0 .. valid-1 of a chunk of a slot; afterwards chunk_out has o, after a barrier by the
// caller
void attention_chunk(uint q_at, uint slot, uint chunk, uint g, uint valid, out float m,
                     out float l)
{
    uint lid = gl_LocalInvocationIndex;
    uint quads = p.d / 4u, G = p.kv_heads;
    uint page = state[p.pages_word + slot * p.max_pages + chunk] * p.page_words;
    uint k_words = TVK_CACHE_ROW_WORDS(K_TYPE, p.d), v_words = TVK_CACHE_ROW_WORDS(V_TYPE, p.d);
    uint first_words = TVK_CACHE_ROW_WORDS(TVK_CACHE_Q4, p.d);
    uint keys = page + g * TVK_CHUNK * k_words;
    uint values = page + TVK_CACHE_V(K_TYPE, G, p.d) + g * TVK_CHUNK * v_words;
    uint scales = page + TVK_CACHE_SCALES(K_TYPE, V_TYPE, G, p.d) + g * TVK_CHUNK;
    uint first_key = page + TVK_CACHE_FIRST_K(K_TYPE, V_TYPE, G, p.d) + g * first_words;
    uint first_value = page + TVK_CACHE_FIRST_V(K_TYPE, V_TYPE, G, p.d) + g * first_words;
    // packed keys lie word by word, a word of all positions side by side
    uint apart = TVK_CACHE_PACKED(K_TYPE) ? TVK_CHUNK : 1u;
    uint row = TVK_CACHE_PACKED(K_TYPE) ? 1u : k_words;

    // a load of the query serves BLOCK positions; the scores of those past `valid` are thrown away
    float score[MAX_PARTS];
    float top = uintBitsToFloat(0xff800000u);
    [[unroll]] for (uint i = 0u; i < MAX_PARTS; ++i) score[i] = 0.0;
    [[unroll]] for (uint first = 0u; first < PARTS; first += BLOCK) {
        if (first * GROUP >= valid) break;
        precise float dots[BLOCK];
        bool has_first = keeps_first(K_TYPE) && first == 0u && chunk == 0u && lid == 0u;
#ifdef DOT_SIGNED
        if (TVK_CACHE_PACKED(K_TYPE)) {
            int sums[BLOCK], all = int(queries[q_at].y);
            [[unroll]] for (uint n = 0u; n < BLOCK; ++n) sums[n] = 0;
            for (uint c = 0u; c < quads; c += STEP) {
                [[unroll]] for (uint i = 0u; i < STEP; ++i) {
                    uvec2 bs = group_of(c, i);
                    int q = query_word(q_at, bs);
                    [[unroll]] for (uint n = 0u; n < BLOCK; ++n) {
                        uint at = keys + (lid + GROUP * (first + n)) * row;
                        sums[n] += dotPacked4x8EXT(int(codes(K_TYPE, at, apart, bs.x, bs.y)), q);
                    }
                }
            }
            [[unroll]] for (uint n = 0u; n < BLOCK; ++n)
                dots[n] = levels_sum(K_TYPE, sums[n], all);
            if (has_first) {
                int sum = 0;
                for (uint c = 0u; c < quads; ++c) {
                    uvec2 bs = uvec2(c / 4u, c % 4u);
                    sum += dotPacked4x8EXT(int(codes(TVK_CACHE_Q4, first_key, 1u, bs.x, bs.y)),
                                           query_word(q_at, bs));
                }
                dots[0] = levels_sum(TVK_CACHE_Q4, sum, all);
            }
        } else
#endif
        {
            precise vec4 a[BLOCK];
            [[unroll]] for (uint n = 0u; n < BLOCK; ++n) a[n] = vec4(0.0);
            for (uint c = 0u; c < quads; c += STEP) {
                [[unroll]] for (uint i = 0u; i < STEP; ++i) {
                    uvec2 bs = group_of(c, i);
                    vec4 q = query(q_at, bs);
                    [[unroll]] for (uint n = 0u; n < BLOCK; ++n) {
                        uint at = keys + (lid + GROUP * (first + n)) * row;
                        a[n] = a[n] + q * levels(K_TYPE, at, apart, bs.x, bs.y);
                    }
                }
            }
            if (has_first) {
                a[0] = vec4(0.0);
                for (uint c = 0u; c < quads; c += STEP) {
                    [[unroll]] for (uint i = 0u; i < STEP; ++i) {
                        uvec2 bs = group_of(c, i);
                        a[0] = a[0] +
                               query(q_at, bs) * levels(TVK_CACHE_Q4, first_key, 1u, bs.x, bs.y);
                    }
                }
            }
            [[unroll]] for (uint n = 0u; n < BLOCK; ++n)
                dots[n] = (a[n].x + a[n].y) + (a[n].z + a[n].w);
        }
        [[unroll]] for (uint n = 0u; n < BLOCK; ++n) {
            uint j = lid + GROUP * (first + n);
            precise float s = dots[n];
#ifdef QUERY
            s = s * uintBitsToFloat(queries[q_at].x);
#endif
            if (TVK_CACHE_PACKED(K_TYPE)) s = s * unpackHalf2x16(pool[scales + j]).x;
            s = s * p.scale;
            score[first + n] = s;
            if (j < valid) top = max(top, s);
        }
    }
    m = tvk_reduce_max(top);
    [[unroll]] for (uint i = 0u; i < PARTS; ++i) {
        uint j = lid + GROUP * i;
        precise float shifted = score[i] - m;
        score[i] = j < valid ? tvk_exp(shifted) : 0.0;
        precise float weight = score[i];
        if (TVK_CACHE_PACKED(V_TYPE)) weight = weight * unpackHalf2x16(pool[scales + j]).y;
        weights[j] = weight;
    }
    float unused;
    tvk_reduce_sum_max(score, 0.0, l, unused); // its barriers publish the weights

    for (uint item = lid; item < quads * SPLIT; item += GROUP) {
        uint i = item % quads, b = i / 4u, s = i % 4u;
        bool special = keeps_first(V_TYPE) && chunk == 0u;
        if (SPLIT == 1u) {
            precise vec4 a0 = vec4(0.0), a1 = vec4(0.0), a2 = vec4(0.0), a3 = vec4(0.0);
            uint j = 0u;
            if (special) { // the first four, or fewer
                a0 = a0 + weights[0] * levels(TVK_CACHE_Q4, first_value, 1u, b, s);
                if (1u < valid) a1 = a1 + weights[1] * levels(V_TYPE, values + v_words, 1u, b, s);
                if (2u < valid)
                    a2 = a2 + weights[2] * levels(V_TYPE, values + 2u * v_words, 1u, b, s);
                if (3u < valid)
                    a3 = a3 + weights[3] * levels(V_TYPE, values + 3u * v_words, 1u, b, s);
                j = 4u;
            }
            for (; j + 3u < valid; j += 4u) {
                uint at = values + j * v_words;
                a0 = a0 + weights[j] * levels(V_TYPE, at, 1u, b, s);
                a1 = a1 + weights[j + 1u] * levels(V_TYPE, at + v_words, 1u, b, s);
                a2 = a2 + weights[j + 2u] * levels(V_TYPE, at + 2u * v_words, 1u, b, s);
                a3 = a3 + weights[j + 3u] * levels(V_TYPE, at + 3u * v_words, 1u, b, s);
            }
            uint at = values + j * v_words;
            if (j < valid) a0 = a0 + weights[j] * levels(V_TYPE, at, 1u, b, s);
            if (j + 1u < valid) a1 = a1 + weights[j + 1u] * levels(V_TYPE, at + v_words, 1u, b, s);
            if (j + 2u < valid)
                a2 = a2 + weights[j + 2u] * levels(V_TYPE, at + 2u * v_words, 1u, b, s);
            precise vec4 o = (a0 + a1) + (a2 + a3);
            chunk_out[i] = o;
        } else {
            uint part = item / quads, j = part;
            precise vec4 acc = vec4(0.0);
            if (special && part == 0u) {
                acc = acc + weights[0] * levels(TVK_CACHE_Q4, first_value, 1u, b, s);
                j = 4u;
            }
            for (; j + 4u * (AHEAD - 1u) < valid; j += 4u * AHEAD) {
                vec4 v[AHEAD];
                [[unroll]] for (uint n = 0u; n < AHEAD; ++n)
                    v[n] = levels(V_TYPE, values + (j + 4u * n) * v_words, 1u, b, s);
                [[unroll]] for (uint n = 0u; n < AHEAD; ++n) acc = acc + weights[j + 4u * n] * v[n];
            }
            for (; j < valid; j += 4u)
                acc = acc + weights[j] * levels(V_TYPE, values + j * v_words, 1u, b, s);
            parts[part * MAX_QUADS + i] = acc;
        }
    }
    if (SPLIT > 1u) {
        barrier();
        for (uint i = lid; i < quads; i += GROUP) {
            precise vec4 o = (parts[i] + parts[MAX_QUADS + i]) +
                             (parts[2u * MAX_QUADS + i] + parts[3u * MAX_QUADS + i]);
            chunk_out[i] = o;
        }
    }
    // Both ways the invocation that writes element i of chunk_out is the one that reads it:
    // i = lid modulo GROUP.
}

#endif
