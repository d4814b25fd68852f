// Token embedding: x[t,k] = table[token[t], k]
// bindings: 0 state | 1 table F32 [V, K], F16 two a word, or Q8 codes four a word
//           2 Q8: scales [V, K/32] | 3 x [T, K] f32
// workgroup (x, t): GROUP groups of four values of row t; tokens outside the piece are left alone
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"

layout(push_constant) uniform Push { tvk_embed_params p; };
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
#if defined(W_F32)
layout(set = 0, binding = 1, std430) readonly buffer Table { vec4 table[]; };
#elif defined(W_F16)
layout(set = 0, binding = 1, std430) readonly buffer Table { uvec2 table[]; };
#else
layout(set = 0, binding = 1, std430) readonly buffer Table { uint table[]; };
layout(set = 0, binding = 2, std430) readonly buffer Scales { float scales[]; };
#endif
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
    uint at = row * quads + c;
#if defined(W_F32)
    vec4 v = table[at];
#elif defined(W_F16)
    vec4 v = vec4(unpackHalf2x16(table[at].x), unpackHalf2x16(table[at].y));
#else
    uint w = table[at];
    precise vec4 v = vec4(float(int(w << 24) >> 24), float(int(w << 16) >> 24),
                          float(int(w << 8) >> 24), float(int(w) >> 24)) *
                     scales[row * (p.k / 32u) + c / 8u];
#endif
    x[t * quads + c] = v;
}
