// One chunk of attention (docs/numerics.md) of a row whose K and V are not in the pool yet, by four
// invocations a position: each adds one of the four sums of a score, or two dimensions of a quarter of
// the values. Everything is loaded before anything is computed; keys then go through shared memory,
// read side by side from the pool, and each position by its four invocations. f16 alone.
#ifndef TVK_ATTENTION_WIDE_GLSL
#define TVK_ATTENTION_WIDE_GLSL

#include "kv_plain.glsl"

layout(constant_id = 3) const uint QUADS = 32u; // D / 4
#define MAX_QUADS 64u
const uint WORDS = 2u * QUADS;                       // of a row: two values each
// groups of four that are in shared memory at a time: a divisor of D / 4
const uint STAGE = QUADS % 8u == 0u ? 8u : QUADS % 5u == 0u ? 5u : QUADS % 4u == 0u ? 4u : 1u;
const uint STAGES = QUADS / STAGE;
const uint KEYS = (TVK_CHUNK * STAGE + GROUP - 1u) / GROUP; // that an invocation loads for a stage
const uint VALUES = TVK_CHUNK / 4u;                  // positions of its quarter

shared uvec2 key_tile[TVK_CHUNK * (STAGE + 1u)];
shared float score_parts[4u * TVK_CHUNK];
shared float weights[TVK_CHUNK];
shared vec2 parts[4u * WORDS];
shared vec4 chunk_out[QUADS];

shared vec4 fresh_q[QUADS];
shared uvec2 fresh_k[QUADS], fresh_v[QUADS];
uint fresh_at; // place of the row in the chunk; TVK_CHUNK: in another one

// positions 0 .. valid - 1 of a chunk of a slot; afterwards chunk_out has o, after a barrier by the caller
void attention_chunk(uint slot, uint chunk, uint g, uint valid, out float m, out float l)
{
    uint lid = gl_LocalInvocationIndex;
    uint page = chunk_page(slot, chunk);
    uint keys = page + g * TVK_CHUNK * QUADS;
    uint values = page + (p.kv_heads + g) * TVK_CHUNK * QUADS;
    uint position = lid / 4u, component = lid % 4u;
    uint quarter = lid / WORDS, word = lid % WORDS;

    uvec2 key[KEYS * STAGES];
    [[unroll]] for (uint i = 0u; i < KEYS * STAGES; ++i) {
        uint item = min(lid + GROUP * (i % KEYS), TVK_CHUNK * STAGE - 1u);
        key[i] = pool[keys + item / STAGE * QUADS + i / KEYS * STAGE + item % STAGE];
    }
    uint value[VALUES]; // of positions past `valid`, which exist in the page, nothing is used
    [[unroll]] for (uint n = 0u; n < VALUES; ++n)
        value[n] = pool[values + (min(quarter, 3u) + 4u * n) * QUADS + word / 2u][word % 2u];

    precise float sum = 0.0;
    [[unroll]] for (uint s = 0u; s < STAGES; ++s) {
        barrier();
        [[unroll]] for (uint i = 0u; i < KEYS; ++i) {
            uint item = lid + GROUP * i, c = s * STAGE + item % STAGE;
            if (item < TVK_CHUNK * STAGE)
                key_tile[item / STAGE * (STAGE + 1u) + item % STAGE] =
                    item / STAGE == fresh_at ? fresh_k[c] : key[s * KEYS + i];
        }
        barrier();
        [[unroll]] for (uint c = 0u; c < STAGE; ++c) {
            vec2 k = unpackHalf2x16(key_tile[position * (STAGE + 1u) + c][component / 2u]);
            sum = sum + fresh_q[s * STAGE + c][component] * k[component % 2u];
        }
    }
    score_parts[lid] = sum;
    barrier();
    // from here on one invocation a position; reductions look at the first 128 alone
    float score[MAX_PARTS];
    float top = uintBitsToFloat(0xff800000u);
    [[unroll]] for (uint i = 0u; i < MAX_PARTS; ++i) score[i] = 0.0;
    if (lid < valid) {
        precise float s = ((score_parts[4u * lid] + score_parts[4u * lid + 1u]) +
                           (score_parts[4u * lid + 2u] + score_parts[4u * lid + 3u])) * p.scale;
        score[0] = top = s;
    }
    m = tvk_reduce_max(top);
    if (lid < TVK_CHUNK) {
        precise float shifted = score[0] - m;
        score[0] = lid < valid ? tvk_exp(shifted) : 0.0;
        weights[lid] = score[0];
    }
    float unused;
    tvk_reduce_sum_max(score, 0.0, l, unused); // its barriers publish the weights

    if (quarter < 4u) {
        precise vec2 acc = vec2(0.0);
        [[unroll]] for (uint n = 0u; n < VALUES; ++n) {
            uint j = quarter + 4u * n;
            if (j >= valid) break;
            uint packed = j == fresh_at ? fresh_v[word / 2u][word % 2u] : value[n];
            acc = acc + weights[j] * unpackHalf2x16(packed);
        }
        parts[quarter * WORDS + word] = acc;
    }
    barrier();
    for (uint i = lid; i < QUADS; i += GROUP) {
        precise vec2 low = (parts[2u * i] + parts[WORDS + 2u * i]) +
                           (parts[2u * WORDS + 2u * i] + parts[3u * WORDS + 2u * i]);
        precise vec2 high = (parts[2u * i + 1u] + parts[WORDS + 2u * i + 1u]) +
                            (parts[2u * WORDS + 2u * i + 1u] + parts[3u * WORDS + 2u * i + 1u]);
        chunk_out[i] = vec4(low, high);
    }
}

#endif
