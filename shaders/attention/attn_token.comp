// Attention of rows of different sessions from the projections on: turns Q and K (RoPE), stores K and V of each row,
// attends to all chunks side by side; of each head the workgroup that ends last merges its chunks.
// The bits of rope, kv_append, attn_chunk and attn_merge (docs/numerics.md)
// bindings: 0 state; at p.merge_word a counter a row and head, 0 between steps
//           1 rope table [context, rotary/2] {cos, sin} | 2 pool: pages of K, then V
//           3 work: Q K V f32 [T, (H + 2 G) D] | at p.out_vec4 the output [T, H, D] | at p.partials_vec4
//           [T, H, max_chunks, 4 + D]
// workgroup (chunk, head, row)
// constants: 0-2 workgroup size (x: power of two, 8 .. 128), 3 SPLIT, 4 STEP as of attn_chunk,
//            5 INTERLEAVED: pairs of RoPE are neighbours
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"
#include "reduce.glsl"
#define FRESH
#include "attention.glsl"

layout(constant_id = 5) const uint INTERLEAVED = 0u;

vec4 merge_load(uint at) { return work[p.partials_vec4 + at]; }
uint out_at;
void merge_store(uint i, vec4 v) { work[out_at + i] = v; }
#include "merge.glsl"

shared uint arrived;

// Value i of a head of Q or K that starts at vector `head`, turned.
float turned(uint head, uint i, uint position)
{
    uint pairs = p.rotary / 2u;
    float own = work[head + i / 4u][i % 4u];
    if (i >= p.rotary) return own;
    uint pair = INTERLEAVED != 0u ? i / 2u : i % pairs;
    bool second = INTERLEAVED != 0u ? i % 2u == 1u : i >= pairs;
    uint j = INTERLEAVED != 0u ? i ^ 1u : (second ? i - pairs : i + pairs);
    float other = work[head + j / 4u][j % 4u];
    vec2 turn = table[position * pairs + pair];
    precise float plain = own * turn.x, crossed = other * turn.y;
    precise float y = second ? plain + crossed : plain - crossed;
    return y;
}

// K and V of the row, as the pool holds them: into shared memory, and by one head of each group
// into the page.
void fresh_row(uint row, uint page, uint g, uint position, bool store)
{
    uint quads = p.d / 4u;
    for (uint c = gl_LocalInvocationIndex; c < quads; c += GROUP) {
        uint key = row + (p.heads + g) * quads;
        vec4 k;
        [[unroll]] for (uint n = 0u; n < 4u; ++n) k[n] = turned(key, 4u * c + n, position);
        vec4 v = work[row + (p.heads + p.kv_heads + g) * quads + c];
        fresh_k[c] = tvk_pack(k);
        fresh_v[c] = tvk_pack(v);
        if (!store) continue;
        uint at = page + (g * TVK_CHUNK + position % TVK_CHUNK) * quads + c;
        pool[at] = tvk_pack(k);
        pool[at + p.kv_heads * TVK_CHUNK * quads] = tvk_pack(v);
    }
}

void main()
{
    uint chunk = gl_WorkGroupID.x, head = gl_WorkGroupID.y, t = gl_WorkGroupID.z;
    uint lid = gl_LocalInvocationIndex;
    uint place = TVK_STATE_ROWS + TVK_ROW_WORDS * t;
    uint slot = state[place], position = state[place + 1u];
    if (t >= state[TVK_STATE_COUNT]) return;
    uint last = position / TVK_CHUNK, chunks = min(last + 1u, p.max_chunks);
    if (chunk >= chunks) return;
    uint valid = min(TVK_CHUNK, position + 1u - chunk * TVK_CHUNK);
    uint quads = p.d / 4u;
    uint group = p.heads / p.kv_heads, g = head / group;
    uint row = t * (p.heads + 2u * p.kv_heads) * quads; // first vector of its Q, K and V
    uint counter = t * p.heads + head;
    for (uint i = lid; i < p.d; i += GROUP)
        fresh_q[i / 4u][i % 4u] = turned(row + head * quads, i, position);
    fresh_at = TVK_CHUNK;
    if (chunk == last) {
        fresh_at = position % TVK_CHUNK;
        fresh_row(row, chunk_page(slot, chunk), g, position, head % group == 0u);
    }
    barrier();
    float m, l;
    attention_chunk(0u, slot, chunk, g, valid, m, l);

    out_at = p.out_vec4 + counter * quads;
    if (chunks == 1u) {
        precise float inv = tvk_rcp(l);
        for (uint i = lid; i < quads; i += GROUP) {
            precise vec4 v = chunk_out[i] * inv;
            work[out_at + i] = v;
        }
        return;
    }
    uint first = counter * p.max_chunks * (1u + quads), at = p.partials_vec4 + first + chunk * (1u + quads);
    if (lid == 0u) work[at] = vec4(m, l, 0.0, 0.0);
    for (uint i = lid; i < quads; i += GROUP) work[at + 1u + i] = chunk_out[i];
    memoryBarrierBuffer();
    barrier();
    if (lid == 0u) arrived = atomicAdd(state[p.merge_word + counter], 1u);
    barrier();
    if (arrived + 1u != chunks) return;
    memoryBarrierBuffer();
    if (lid == 0u) state[p.merge_word + counter] = 0u;
    tvk_merge(first, chunks, quads);
}
