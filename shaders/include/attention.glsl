// One chunk of attention (docs/numerics.md) for one head of one row: scores, their maximum, the
// sum of the exponentials, the weighted sum of the values. Used chunk by chunk or side by side.
#ifndef TVK_ATTENTION_GLSL
#define TVK_ATTENTION_GLSL

layout(constant_id = 3) const uint SPLIT = 4u; // invocations that share four dimensions: 4 or 1
layout(constant_id = 4) const uint STEP = 1u; // groups of four dimensions a turn, divides D / 4

#include "kv_plain.glsl"

const uint BLOCK = PARTS < 4u ? PARTS : 4u; // positions an invocation scores at once
const uint AHEAD = 8u;                     // values on their way while others are added
#define MAX_QUADS 64u // D <= 256
shared float weights[TVK_CHUNK];
shared vec4 parts[SPLIT > 1u ? 4u * MAX_QUADS : 1u];
shared vec4 chunk_out[MAX_QUADS];

#ifdef FRESH
shared vec4 fresh_q[MAX_QUADS];
uint fresh_at; // place of the row in the chunk; TVK_CHUNK: in another one
shared CACHED fresh_k[MAX_QUADS];
shared CACHED fresh_v[MAX_QUADS];
vec4 query(uint at) { return fresh_q[at]; }
#else
vec4 query(uint at) { return qkv[at]; }
#endif

// positions 0 .. valid-1 of a chunk of a slot; afterwards chunk_out has o, after a barrier by the
// caller
void attention_chunk(uint q_at, uint slot, uint chunk, uint g, uint valid, out float m,
                     out float l)
{
    uint page = chunk_page(slot, chunk);
    uint lid = gl_LocalInvocationIndex;
    uint quads = p.d / 4u;
    uint keys = page + g * TVK_CHUNK * quads;
    uint values = page + (p.kv_heads + g) * TVK_CHUNK * quads;
#ifdef FRESH
    uint stored = min(valid, fresh_at); // positions in the pool
#else
    uint stored = valid;
#endif

    // a load of the query serves BLOCK positions; those past `valid` exist in the page, their scores
    // are thrown away
    float score[MAX_PARTS];
    float top = uintBitsToFloat(0xff800000u);
    [[unroll]] for (uint i = 0u; i < MAX_PARTS; ++i) score[i] = 0.0;
    [[unroll]] for (uint first = 0u; first < PARTS; first += BLOCK) {
        if (first * GROUP >= valid) break;
        precise vec4 a[BLOCK];
        [[unroll]] for (uint n = 0u; n < BLOCK; ++n) a[n] = vec4(0.0);
        uint at = keys + (lid + GROUP * first) * quads;
        for (uint c = 0u; c < quads; c += STEP) {
            [[unroll]] for (uint s = 0u; s < STEP; ++s) {
                vec4 q = query(q_at + c + s);
                [[unroll]] for (uint n = 0u; n < BLOCK; ++n)
                    a[n] = a[n] + q * load_kv(at + n * GROUP * quads + c + s);
            }
        }
        [[unroll]] for (uint n = 0u; n < BLOCK; ++n) {
            precise float s = ((a[n].x + a[n].y) + (a[n].z + a[n].w)) * p.scale;
            score[first + n] = s;
            if (lid + GROUP * (first + n) < stored) top = max(top, s);
        }
    }
#ifdef FRESH
    if (stored < valid && lid == stored % GROUP) {
        precise vec4 a = vec4(0.0);
        for (uint c = 0u; c < quads; ++c) a = a + fresh_q[c] * tvk_unpack(fresh_k[c]);
        precise float s = ((a.x + a.y) + (a.z + a.w)) * p.scale;
        [[unroll]] for (uint i = 0u; i < PARTS; ++i)
            if (i == stored / GROUP) score[i] = s;
        top = max(top, s);
    }
#endif
    m = tvk_reduce_max(top);
    [[unroll]] for (uint i = 0u; i < PARTS; ++i) {
        uint j = lid + GROUP * i;
        precise float shifted = score[i] - m;
        score[i] = j < valid ? tvk_exp(shifted) : 0.0;
        weights[j] = score[i];
    }
    float unused;
    tvk_reduce_sum_max(score, 0.0, l, unused); // its barriers publish the weights

    for (uint item = lid; item < quads * SPLIT; item += GROUP) {
        uint i = item % quads;
        if (SPLIT == 1u) {
            precise vec4 a0 = vec4(0.0), a1 = vec4(0.0), a2 = vec4(0.0), a3 = vec4(0.0);
            uint j = 0u;
            for (; j + 15u < stored; j += 16u) {
                [[unroll]] for (uint n = 0u; n < 16u; n += 4u) {
                    uint at = values + (j + n) * quads + i;
                    a0 = a0 + weights[j + n] * load_kv(at);
                    a1 = a1 + weights[j + n + 1u] * load_kv(at + quads);
                    a2 = a2 + weights[j + n + 2u] * load_kv(at + 2u * quads);
                    a3 = a3 + weights[j + n + 3u] * load_kv(at + 3u * quads);
                }
            }
            for (; j + 3u < stored; j += 4u) {
                uint at = values + j * quads + i;
                a0 = a0 + weights[j] * load_kv(at);
                a1 = a1 + weights[j + 1u] * load_kv(at + quads);
                a2 = a2 + weights[j + 2u] * load_kv(at + 2u * quads);
                a3 = a3 + weights[j + 3u] * load_kv(at + 3u * quads);
            }
            uint at = values + j * quads + i;
            if (j < stored) a0 = a0 + weights[j] * load_kv(at);
            if (j + 1u < stored) a1 = a1 + weights[j + 1u] * load_kv(at + quads);
            if (j + 2u < stored) a2 = a2 + weights[j + 2u] * load_kv(at + 2u * quads);
#ifdef FRESH
            if (stored < valid) {
                precise vec4 add = weights[stored] * tvk_unpack(fresh_v[i]);
                if (stored % 4u == 0u) a0 = a0 + add;
                if (stored % 4u == 1u) a1 = a1 + add;
                if (stored % 4u == 2u) a2 = a2 + add;
                if (stored % 4u == 3u) a3 = a3 + add;
            }
#endif
            precise vec4 o = (a0 + a1) + (a2 + a3);
            chunk_out[i] = o;
        } else {
            uint part = item / quads;
            precise vec4 acc = vec4(0.0);
            uint j = part;
            for (; j + 4u * (AHEAD - 1u) < stored; j += 4u * AHEAD) {
                vec4 v[AHEAD];
                [[unroll]] for (uint n = 0u; n < AHEAD; ++n)
                    v[n] = load_kv(values + (j + 4u * n) * quads + i);
                [[unroll]] for (uint n = 0u; n < AHEAD; ++n) acc = acc + weights[j + 4u * n] * v[n];
            }
            for (; j < stored; j += 4u) acc = acc + weights[j] * load_kv(values + j * quads + i);
#ifdef FRESH
            if (stored < valid && part == stored % 4u) acc = acc + weights[stored] * tvk_unpack(fresh_v[i]);
#endif
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
