// Bindings of attention over keys and values that are floats (KV_F32) or halves (KV_F16).
#ifndef TVK_KV_PLAIN_GLSL
#define TVK_KV_PLAIN_GLSL

#ifdef FRESH // one row whose K and V are not in the pool yet: attn_token.comp
#define POOL_ACCESS
#ifndef WORK
#define WORK vec4
#endif
TVK_PUSHED(12);
tvk_attn_token_params p = TVK_ATTN_TOKEN_PARAMS;
layout(set = 0, binding = 0, std430) buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer Table { vec2 table[]; };
layout(set = 0, binding = 3, std430) coherent buffer Work { WORK work[]; };
#else
#define POOL_ACCESS readonly
TVK_PUSHED(10);
tvk_attention_params p = TVK_ATTENTION_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer Qkv { vec4 qkv[]; };
uint query_at(uint t, uint head) { return t * (p.q_stride / 4u) + head * (p.d / 4u); }
#endif
#ifdef KV_F32
layout(set = 0, binding = 2, std430) POOL_ACCESS buffer Pool { vec4 pool[]; };
vec4 load_kv(uint quad) { return pool[quad]; }
#define QUADS_A_WORD 4u
#else
layout(set = 0, binding = 2, std430) POOL_ACCESS buffer Pool { uvec2 pool[]; };
vec4 load_kv(uint quad) { return vec4(unpackHalf2x16(pool[quad].x), unpackHalf2x16(pool[quad].y)); }
#define QUADS_A_WORD 2u
#endif

#ifdef FRESH
// K and V as the pool has them. In shared memory: NVIDIA's compiler takes unpacking what was just
// packed for the identity, without the rounding.
#ifdef KV_F32
#define CACHED vec4
vec4 tvk_pack(vec4 v) { return v; }
vec4 tvk_unpack(vec4 v) { return v; }
#else
#define CACHED uvec2
uvec2 tvk_pack(vec4 v) { return uvec2(packHalf2x16(v.xy), packHalf2x16(v.zw)); }
vec4 tvk_unpack(uvec2 v) { return vec4(unpackHalf2x16(v.x), unpackHalf2x16(v.y)); }
#endif
#endif

// first group of four values of the page that holds `chunk` of the row's session
uint chunk_page(uint slot, uint chunk)
{
    return state[p.pages_word + slot * p.max_pages + chunk] * (p.page_words / QUADS_A_WORD);
}

#endif
