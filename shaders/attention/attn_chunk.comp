// Attention of one chunk of 128 positions: s = (q k) scale, m = max s, w = exp(s - m), l = sum w,
// o = sum w v (docs/numerics.md)
// bindings: 0 state | 1 qkv [T, q_stride] f32, Q first; QUERY: query records [T, H]
//           2 pool: pages of K, then V
//           3 partials [T, H, max_chunks, 4 + D] {m, l, 0, 0, o}
// workgroup (chunk, head, row)
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

layout(set = 0, binding = 3, std430) writeonly buffer Partials { vec4 partials[]; };

void main()
{
    uint chunk = gl_WorkGroupID.x, head = gl_WorkGroupID.y, t = gl_WorkGroupID.z;
    if (t >= state[TVK_STATE_COUNT]) return;
    uint row = TVK_STATE_ROWS + TVK_ROW_WORDS * t;
    uint slot = state[row], position = state[row + 1u];
    if (chunk * TVK_CHUNK > position || chunk >= p.max_chunks) return;
    uint valid = min(TVK_CHUNK, position + 1u - chunk * TVK_CHUNK);
    uint quads = p.d / 4u;
    float m, l;
    attention_chunk(query_at(t, head), slot, chunk, head / (p.heads / p.kv_heads), valid, m, l);
    uint lid = gl_LocalInvocationIndex;
    uint at = ((t * p.heads + head) * p.max_chunks + chunk) * (1u + quads);
    if (lid == 0u) partials[at] = vec4(m, l, 0.0, 0.0);
    for (uint i = lid; i < quads; i += GROUP) partials[at + 1u + i] = chunk_out[i];
}
