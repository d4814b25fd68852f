// Attention of a head of a row, chunk after chunk: the bits of attn_chunk and attn_merge without
// the partials in memory
// bindings: 0 state | 1 qkv [T, q_stride] f32, Q first; QUERY: query records [T, H]
//           2 pool: pages of K, then V
//           3 out [T, o_stride] f32
// workgroup (head, t)
// constants: 0-2 workgroup size (x: power of two, 8 .. 128), 3 SPLIT invocations that
//            share four dimensions of the output: 1 or 4, 4 STEP: divides D / 4;
//            KV_PACKED: 5 and 6 the types of K and V, TVK_CACHE_*
// needs: nothing; DOT_SIGNED: the packed integer dot product
#version 450
#include "prelude.glsl"
#include "exact.glsl"
#include "reduce.glsl"
#ifdef KV_PACKED
#include "attention_q.glsl"
#else
#include "attention.glsl"
#endif

layout(set = 0, binding = 3, std430) writeonly buffer Out { vec4 result[]; };

shared vec4 merged[MAX_QUADS];

void main()
{
    uint head = gl_WorkGroupID.x, t = gl_WorkGroupID.y;
    if (t >= state[TVK_STATE_COUNT]) return;
    uint row = TVK_STATE_ROWS + TVK_ROW_WORDS * t;
    uint slot = state[row], position = state[row + 1u];
    uint quads = p.d / 4u;
    uint q = query_at(t, head);
    uint g = head / (p.heads / p.kv_heads);
    uint lid = gl_LocalInvocationIndex;

    precise float m = 0.0, l = 0.0;
    for (uint first = 0u; first <= position; first += TVK_CHUNK) {
        float chunk_m, chunk_l;
        attention_chunk(q, slot, first / TVK_CHUNK, g,
                        min(TVK_CHUNK, position + 1u - first), chunk_m, chunk_l);
        if (first == 0u) {
            m = chunk_m;
            l = chunk_l;
            for (uint i = lid; i < quads; i += GROUP) merged[i] = chunk_out[i];
        } else {
            precise float top = max(m, chunk_m);
            precise float to_old = m - top, to_new = chunk_m - top;
            precise float a = tvk_exp(to_old), b = tvk_exp(to_new);
            l = l * a + chunk_l * b;
            for (uint i = lid; i < quads; i += GROUP) {
                precise vec4 o = merged[i] * a + chunk_out[i] * b;
                merged[i] = o;
            }
            m = top;
        }
    }
    precise float inv = tvk_rcp(l);
    for (uint i = lid; i < quads; i += GROUP) {
        precise vec4 v = merged[i] * inv;
        result[t * (p.o_stride / 4u) + head * quads + i] = v;
    }
}
