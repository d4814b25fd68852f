// Token embedding: x[t,k] = table[token[t], k]
// bindings: 0 state | 1 table F32 [V, K], F16, or codes Q8, Q6, Q4 | 2 scales of codes
//           3 x [T, K] f32
// workgroup (x, t): GROUP groups of four values of row t; tokens outside the piece are left alone
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"

TVK_PUSHED(3);
tvk_embed_params p = TVK_EMBED_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
#define W_BINDING 1
#define SCALE_BINDING 2
const uint WIDE = 0u;
#include "weights_f.glsl"
layout(set = 0, binding = 3, std430) writeonly buffer X { vec4 x[]; };

void main()
{
    uint t = gl_WorkGroupID.y;
    uint c = gl_WorkGroupID.x * GROUP + gl_LocalInvocationIndex;
    uint quads = p.k / 4u;
    if (t >= state[TVK_STATE_COUNT] || c >= quads) return;
    uint token = state[TVK_STATE_ROWS + TVK_ROW_WORDS * t + 2u];
    // wraps for tokens below the piece, which are then too large as well
    uint row = token - p.first_row;
    if (row >= p.row_count) return;
    uvec2 place = tvk_place(c);
    tvk_unit unit = tvk_load(row, place.x);
    precise vec4 v = tvk_values(unit, place.y);
#if defined(SCALED)
    v = v * tvk_scale(unit, place.y);
#endif
    x[t * quads + c] = v;
}
