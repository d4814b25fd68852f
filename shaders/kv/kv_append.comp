// Stores the keys and values of the step's rows into their KV pages.
// bindings: 0 state | 1 qkv [T, stride] f32 | 2 pool: pages of K [G, 128, D] then V [G, 128, D],
//           KV_F32 one value a word, KV_F16 two a word
// workgroup (x, t): GROUP pairs of neighbouring values of row t, keys first
// constants: 0-2 workgroup size
// needs: nothing
#version 450
#include "prelude.glsl"

TVK_PUSHED(9);
tvk_kv_append_params p = TVK_KV_APPEND_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer Qkv { float qkv[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Pool { uint pool[]; };

void main()
{
    uint t = gl_WorkGroupID.y;
    uint pairs = p.d / 2u;
    uint item = gl_WorkGroupID.x * GROUP + gl_LocalInvocationIndex;
    if (t >= state[TVK_STATE_COUNT] || item >= 2u * p.kv_heads * pairs) return;
    uint row = TVK_STATE_ROWS + TVK_ROW_WORDS * t;
    uint slot = state[row], position = state[row + 1u];
    uint page = state[p.pages_word + slot * p.max_pages + position / TVK_CHUNK];
    uint part = item / (p.kv_heads * pairs); // 0: K, 1: V
    uint g = item / pairs - part * p.kv_heads;
    uint i = 2u * (item % pairs);
    uint from = t * p.stride + (part == 0u ? p.k_offset : p.v_offset) + g * p.d + i;
    vec2 v = vec2(qkv[from], qkv[from + 1u]);
    uint value = ((part * p.kv_heads + g) * TVK_CHUNK + position % TVK_CHUNK) * p.d + i;
#ifdef KV_F32
    uint at = page * p.page_words + value;
    pool[at] = floatBitsToUint(v.x);
    pool[at + 1u] = floatBitsToUint(v.y);
#else
    pool[page * p.page_words + value / 2u] = packHalf2x16(v);
#endif
}
