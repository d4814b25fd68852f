// Merges the chunks of a row's head (docs/numerics.md)
// bindings: 0 state | 1 partials [T, H, max_chunks, 4 + D] {m, l, 0, 0, o} | 2 out [T, o_stride]
// workgroup (head, t)
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"

TVK_PUSHED(10);
tvk_attention_params p = TVK_ATTENTION_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer Partials { vec4 partials[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Out { vec4 result[]; };

uint out_at;
vec4 merge_load(uint at) { return partials[at]; }
void merge_store(uint i, vec4 v) { result[out_at + i] = v; }
#include "merge.glsl"

void main()
{
    uint head = gl_WorkGroupID.x, t = gl_WorkGroupID.y;
    if (t >= state[TVK_STATE_COUNT]) return;
    uint position = state[TVK_STATE_ROWS + TVK_ROW_WORDS * t + 1u];
    uint chunks = min(position / TVK_CHUNK + 1u, p.max_chunks);
    uint quads = p.d / 4u;
    out_at = t * (p.o_stride / 4u) + head * quads;
    tvk_merge((t * p.heads + head) * p.max_chunks * (1u + quads), chunks, quads);
}
