// Stores the keys and values of the step's rows into their KV pages, K and V each in a type of its
// own, packed ones with a scale a row; QUERY: and makes records of levels of the query's heads.
// 16 invocations make one row of D values: each tries one clip ratio, then they share the words of
// the best.
// bindings: 0 state | 1 qkv [T, stride] f32 | 2 pool: pages as docs/formats.md has them
//           QUERY: 3 query records [T, heads]
// workgroup (x, t): GROUP / 32 KV heads of row t, keys and values; QUERY: groups past those,
//           GROUP / 16 heads of Q
// constants: 0-2 workgroup size (x: a multiple of 32), 3 K_TYPE, 4 V_TYPE: TVK_CACHE_*,
//            QUERY: 5 Q_TYPE: TVK_QUERY_Q8 or _Q4
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"

layout(constant_id = 3) const uint K_TYPE = TVK_CACHE_Q4;
layout(constant_id = 4) const uint V_TYPE = TVK_CACHE_Q4;
#ifdef QUERY
layout(constant_id = 5) const uint Q_TYPE = TVK_QUERY_Q4;
#endif

TVK_PUSHED(9);
tvk_kv_append_params p = TVK_KV_APPEND_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer Qkv { vec4 qkv[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Pool { uint pool[]; };
#ifdef QUERY
layout(set = 0, binding = 3, std430) writeonly buffer Queries { uint queries[]; };
#endif

vec4 load_row(uint quad) { return qkv[quad]; }

#include "kv_pack.glsl"

shared float errors[GROUP];
shared uint scales[GROUP];

// f16-rounded scale of the row, as f32; the 16 invocations of a row together
float row_scale(uint type, uint from, uint quads)
{
    uint lid = gl_LocalInvocationIndex, lane = lid % TVK_CACHE_CLIPS;
    float largest = 0.0;
    if (TVK_CACHE_PACKED(type)) largest = kv_row_max(from, quads);
    errors[lid] = 0.0;
    if (type == TVK_CACHE_Q4 || type == TVK_CACHE_Q3)
        errors[lid] = kv_clip_error(type, from, quads, kv_clip_scale(type, largest, lane));
    barrier();
    if (type == TVK_CACHE_Q8) {
        precise float step = largest * 0.007874016;
        return kv_scale(step);
    }
    if (!TVK_CACHE_PACKED(type)) return 0.0;
    uint best = 0u;
    for (uint c = 1u; c < TVK_CACHE_CLIPS; ++c)
        if (errors[lid - lane + c] < errors[lid - lane + best]) best = c;
    return kv_clip_scale(type, largest, best);
}

#ifdef QUERY
// a head of Q: its levels, four a word, then scale and sum
void query_head(uint t, uint head, float s, uint from, uint quads)
{
    uint lid = gl_LocalInvocationIndex, lane = lid % TVK_CACHE_CLIPS;
    uint at = (t * p.heads + head) * TVK_QUERY_WORDS(p.d);
    float inverse = kv_inverse(s);
    int sum = 0;
    for (uint w = lane; w < TVK_QUERY_WORDS(p.d) - TVK_QUERY_HEADER; w += TVK_CACHE_CLIPS) {
        ivec4 level = ivec4(0);
        if (w < quads)
            level = ivec4(kv_codes(Q_TYPE, load_row(from + w), inverse)) -
                    (Q_TYPE == TVK_QUERY_Q4 ? 8 : 0);
        uvec4 b = uvec4(level) & 0xffu;
        if (head < p.heads)
            queries[at + TVK_QUERY_HEADER + w] = b.x | b.y << 8 | b.z << 16 | b.w << 24;
        sum += (level.x + level.y) + (level.z + level.w);
    }
    scales[lid] = uint(sum);
    barrier();
    if (lane != 0u || head >= p.heads) return;
    for (uint i = 1u; i < TVK_CACHE_CLIPS; ++i) sum += int(scales[lid + i]);
    queries[at] = floatBitsToUint(s);
    queries[at + 1u] = uint(sum);
    queries[at + 2u] = 0u;
    queries[at + 3u] = 0u;
}
#endif

void main()
{
    uint t = gl_WorkGroupID.y;
    if (t >= state[TVK_STATE_COUNT]) return;
    uint lid = gl_LocalInvocationIndex;
    uint head = gl_WorkGroupID.x * (GROUP / 32u) + lid / 32u;
    bool exists = head < p.kv_heads;
    uint g = min(head, p.kv_heads - 1u);
    bool values = lid / TVK_CACHE_CLIPS % 2u == 1u;
    uint lane = lid % TVK_CACHE_CLIPS;
    uint quads = p.d / 4u;
#ifdef QUERY
    // whole groups do one or the other: barriers are met by all
    uint kv_groups = (p.kv_heads + GROUP / 32u - 1u) / (GROUP / 32u);
    if (gl_WorkGroupID.x >= kv_groups) {
        uint q = (gl_WorkGroupID.x - kv_groups) * (GROUP / TVK_CACHE_CLIPS) + lid / TVK_CACHE_CLIPS;
        uint q_from = (t * p.stride + min(q, p.heads - 1u) * p.d) / 4u;
        query_head(t, q, row_scale(Q_TYPE, q_from, quads), q_from, quads);
        return;
    }
#endif
    uint row = TVK_STATE_ROWS + TVK_ROW_WORDS * t;
    uint slot = state[row], position = state[row + 1u], j = position % TVK_CHUNK;
    uint page = state[p.pages_word + slot * p.max_pages + position / TVK_CHUNK] * p.page_words;
    uint from = (t * p.stride + (values ? p.v_offset : p.k_offset) + g * p.d) / 4u;

    // where the row's words go: word w at + w * apart
    uint type = values ? V_TYPE : K_TYPE;
    uint words = TVK_CACHE_ROW_WORDS(type, p.d), at, apart = 1u;
    if (type == TVK_CACHE_Q3 && position == 0u) {
        type = TVK_CACHE_Q4;
        words = TVK_CACHE_ROW_WORDS(TVK_CACHE_Q4, p.d);
        at = page + g * words + (values ? TVK_CACHE_FIRST_V(K_TYPE, V_TYPE, p.kv_heads, p.d)
                                        : TVK_CACHE_FIRST_K(K_TYPE, V_TYPE, p.kv_heads, p.d));
    } else if (!values && TVK_CACHE_PACKED(type)) {
        at = page + g * words * TVK_CHUNK + j;
        apart = TVK_CHUNK;
    } else {
        at = page + (g * TVK_CHUNK + j) * words +
             (values ? TVK_CACHE_V(K_TYPE, p.kv_heads, p.d) : 0u);
    }

    float s = row_scale(type, from, quads);
    float inverse = kv_inverse(s);
    for (uint w = lane; exists && w < words; w += TVK_CACHE_CLIPS)
        pool[at + w * apart] = kv_word(type, from, quads, w, inverse);

    // one word for both scales, written by one invocation; f32 and f16 alone have none
    if (!TVK_CACHE_PACKED(K_TYPE) && !TVK_CACHE_PACKED(V_TYPE)) return;
    scales[lid] = kv_scale_bits(s);
    barrier();
    if (exists && lid % 32u == 0u)
        pool[page + TVK_CACHE_SCALES(K_TYPE, V_TYPE, p.kv_heads, p.d) + g * TVK_CHUNK + j] =
            scales[lid] | scales[lid + TVK_CACHE_CLIPS] << 16;
}
