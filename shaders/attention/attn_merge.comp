// Merges the chunks of a row's head in order: M' = max(M, m), a = exp(M - M'), b = exp(m - M'),
// L = L a + l b, O = O a + o b; at the end out = O / L (docs/numerics.md)
// bindings: 0 state | 1 partials [T, H, max_chunks, 4 + D] {m, l, 0, 0, o} | 2 out [T, o_stride]
// workgroup (head, t): every invocation walks the chunks for its four dimensions
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"

layout(push_constant) uniform Push { tvk_attention_params p; };
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer Partials { vec4 partials[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Out { vec4 result[]; };

void main()
{
    uint head = gl_WorkGroupID.x, t = gl_WorkGroupID.y;
    if (t >= state[TVK_STATE_COUNT]) return;
    uint position = state[TVK_STATE_ROWS + TVK_ROW_WORDS * t + 1u];
    uint chunks = min(position / TVK_CHUNK + 1u, p.max_chunks);
    uint quads = p.d / 4u;
    uint first = (t * p.heads + head) * p.max_chunks * (1u + quads);
    for (uint i = gl_LocalInvocationIndex; i < quads; i += GROUP) {
        precise float m = partials[first].x, l = partials[first].y;
        precise vec4 o = partials[first + 1u + i];
        for (uint c = 1u; c < chunks; ++c) {
            uint at = first + c * (1u + quads);
            vec2 head_ml = partials[at].xy;
            precise float top = max(m, head_ml.x);
            precise float to_old = m - top, to_new = head_ml.x - top;
            precise float a = tvk_exp(to_old), b = tvk_exp(to_new);
            l = l * a + head_ml.y * b;
            o = o * a + partials[at + 1u + i] * b;
            m = top;
        }
        precise float inv = tvk_rcp(l);
        precise vec4 v = o * inv;
        result[t * (p.o_stride / 4u) + head * quads + i] = v;
    }
}
