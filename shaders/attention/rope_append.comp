// RoPE of Q in place, of K on its way into its KV page, and V into its page: rope and kv_append in one
// pass over the row, where all dimensions of a head turn. Pair i is (i, i + D/2); INTERLEAVED:
// (2i, 2i+1)
// bindings: 0 state | 1 table [context, D/2] {cos, sin} | 2 qkv [T, stride] f32: Q, K, V
//           3 pool: pages of K [G, 128, D] then V [G, 128, D], KV_F32 one value a word, KV_F16 two
// workgroup (x, t): GROUP items of four values of row t: two pairs of a head of Q or K, or of V
// constants: 0-2 workgroup size, 3 INTERLEAVED
// needs: nothing
#version 450
#include "prelude.glsl"

layout(constant_id = 3) const uint INTERLEAVED = 0u;

TVK_PUSHED(7);
tvk_rope_append_params p = TVK_ROPE_APPEND_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer Table { vec2 table[]; };
layout(set = 0, binding = 2, std430) buffer Qkv { vec2 qkv[]; };
#ifdef KV_F32
layout(set = 0, binding = 3, std430) writeonly buffer Pool { uvec2 pool[]; };
void put(uint pair, vec2 v) { pool[pair] = floatBitsToUint(v); }
#define PAIR_WORDS 2u // words a pair takes
#else
layout(set = 0, binding = 3, std430) writeonly buffer Pool { uint pool[]; };
void put(uint pair, vec2 v) { pool[pair] = packHalf2x16(v); }
#define PAIR_WORDS 1u
#endif

void main()
{
    uint t = gl_WorkGroupID.y;
    uint item = gl_WorkGroupID.x * GROUP + gl_LocalInvocationIndex;
    uint each = p.d / 4u, head = item / each, i = item % each;
    if (t >= state[TVK_STATE_COUNT] || head >= p.heads + 2u * p.kv_heads) return;
    uint row = TVK_STATE_ROWS + TVK_ROW_WORDS * t;
    uint slot = state[row], position = state[row + 1u];
    bool turns = head < p.heads + p.kv_heads;
    // where the two pairs of values stand in the head, in pairs
    uint first = turns && INTERLEAVED == 0u ? i : 2u * i;
    uint second = turns && INTERLEAVED == 0u ? i + each : 2u * i + 1u;
    uint from = t * (p.stride / 2u) + head * (p.d / 2u);
    vec2 a = qkv[from + first], b = qkv[from + second];
    if (turns) {
        vec2 turn0 = table[position * (p.d / 2u) + 2u * i];
        vec2 turn1 = table[position * (p.d / 2u) + 2u * i + 1u];
        vec2 c = vec2(turn0.x, turn1.x), s = vec2(turn0.y, turn1.y);
        vec2 x0 = INTERLEAVED != 0u ? vec2(a.x, b.x) : a, x1 = INTERLEAVED != 0u ? vec2(a.y, b.y) : b;
        precise vec2 y0 = x0 * c - x1 * s;
        precise vec2 y1 = x1 * c + x0 * s;
        a = INTERLEAVED != 0u ? vec2(y0.x, y1.x) : y0;
        b = INTERLEAVED != 0u ? vec2(y0.y, y1.y) : y1;
    }
    if (head < p.heads) {
        qkv[from + first] = a;
        qkv[from + second] = b;
        return;
    }
    // pages hold the KV heads of K, then those of V
    uint page = state[p.pages_word + slot * p.max_pages + position / TVK_CHUNK];
    uint to = page * (p.page_words / PAIR_WORDS) +
              ((head - p.heads) * TVK_CHUNK + position % TVK_CHUNK) * (p.d / 2u);
    put(to + first, a);
    put(to + second, b);
}
