// Attention of a head of a block of rows by cooperative matrices of halves: scores and sums in f32,
// queries and weights rounded to f16; softmax with a running maximum, its own order of additions.
// Rows of one session go through its positions together, rows of another one follow after them.
// bindings: 0 state | 1 qkv [T, q_stride] f32, Q first | 2 pool: pages of K, then V, in f16
//           3 out [T, o_stride] f32
// workgroup (head, block of rows), the last rows first: a subgroup has FM times CM rows, of which ACROSS
//   subgroups share the positions in the scores and the dimensions in the sums
// constants: 0-2 workgroup size, 3 CM, 4 CN, 5 CK shape of a matrix product, 6 SUBGROUP size,
//            7 D head size, a multiple of 16, 8 SPAN positions a turn: divides 128, 9 FM, 10 ACROSS;
//            D and SPAN are multiples of ACROSS CN, SUBGROUP ACROSS of FM CM
// needs: TVK_CAP_COOPMAT_F16, TVK_CAP_SUBGROUP; inexact
#version 450
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#include "prelude.glsl"

layout(constant_id = 3) const uint CM = 16u;
layout(constant_id = 4) const uint CN = 16u;
layout(constant_id = 5) const uint CK = 16u;
layout(constant_id = 6) const uint SUBGROUP = 32u;
layout(constant_id = 7) const uint D = 128u;
layout(constant_id = 8) const uint SPAN = 64u;
layout(constant_id = 9) const uint FM = 2u;
layout(constant_id = 10) const uint ACROSS = 2u;

TVK_PUSHED(10);
tvk_attention_params p = TVK_ATTENTION_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer Qkv { vec2 qkv[]; };
layout(set = 0, binding = 2, std430) readonly buffer Pool { uvec4 pool[]; };
layout(set = 0, binding = 3, std430) writeonly buffer Out { float result[]; };

const uint ROWS = GROUP / SUBGROUP / ACROSS * FM * CM; // of a block
const uint SHARE = GROUP / ROWS;         // invocations that share a row's softmax
const uint OWN = SPAN / SHARE;
const uint WIDE = D / 2u + 4u;           // words from row to row of K, of V, of Q
const uint TALL = SPAN + 4u;             // words from row to row of scores
const uint LOADS = (SPAN * D / 8u + GROUP - 1u) / GROUP;
const uint STAGED = ROWS > SPAN ? ROWS : SPAN;
const uint FS = SPAN / ACROSS / CN, FD = D / ACROSS / CN; // products side by side of a subgroup
const uint NO_SLOT = 0xffffffffu;
#define MINUS_INFINITY uintBitsToFloat(0xff800000u)

shared uint staged[STAGED * WIDE]; // Q, then K and V in turn
shared uint scores[ROWS * TALL];   // in f32, then in their place the weights in f16
shared float factors[ROWS];
shared uvec2 places[ROWS]; // {slot, position}
uvec4 next[LOADS];

#define scores_t coopmat<float, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>
coopmat<float16_t, gl_ScopeSubgroup, CM, CK, gl_MatrixUseA> query[FM * D / CK];
scores_t sum[FM * FD];
uint across, down; // place of the subgroup

// SPAN rows of K or V into registers
void fetch(uint from)
{
    [[unroll]] for (uint j = 0u; j < LOADS; ++j) {
        uint i = gl_LocalInvocationIndex + GROUP * j;
        if (i < SPAN * D / 8u) next[j] = pool[from + i];
    }
}

// and from there to shared memory; zeros where nothing was written yet
void stage(uint seen)
{
    [[unroll]] for (uint j = 0u; j < LOADS; ++j) {
        uint i = gl_LocalInvocationIndex + GROUP * j, row = i / (D / 8u);
        uint at = row * WIDE + i % (D / 8u) * 4u;
        if (i >= SPAN * D / 8u) continue;
        uvec4 v = row < seen ? next[j] : uvec4(0u);
        staged[at] = v.x;
        staged[at + 1u] = v.y;
        staged[at + 2u] = v.z;
        staged[at + 3u] = v.w;
    }
}

// Q times scale log2(e), in f16
void load_queries(uint t0, uint head)
{
    uint count = state[TVK_STATE_COUNT];
    for (uint i = gl_LocalInvocationIndex; i < ROWS * D / 2u; i += GROUP) {
        uint t = min(t0 + i / (D / 2u), count - 1u);
        vec2 q = qkv[t * (p.q_stride / 2u) + head * (D / 2u) + i % (D / 2u)];
        staged[i / (D / 2u) * WIDE + i % (D / 2u)] = packHalf2x16(q * (p.scale * 1.44269504));
    }
    barrier();
    [[unroll]] for (uint m = 0u; m < FM; ++m)
        [[unroll]] for (uint k = 0u; k < D / CK; ++k)
            coopMatLoad(query[m * (D / CK) + k], staged, (down * FM + m) * CM * WIDE + k * CK / 2u,
                        WIDE, gl_CooperativeMatrixLayoutRowMajor);
    barrier();
}

void make_scores()
{
    scores_t s[FM * FS];
    [[unroll]] for (uint i = 0u; i < FM * FS; ++i)
        s[i] = scores_t(0.0);
    [[unroll]] for (uint k = 0u; k < D / CK; ++k) {
        [[unroll]] for (uint n = 0u; n < FS; ++n) {
            coopmat<float16_t, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB> keys;
            coopMatLoad(keys, staged, (across * FS + n) * CN * WIDE + k * CK / 2u, WIDE,
                        gl_CooperativeMatrixLayoutColumnMajor);
            [[unroll]] for (uint m = 0u; m < FM; ++m)
                s[m * FS + n] = coopMatMulAdd(query[m * (D / CK) + k], keys, s[m * FS + n]);
        }
    }
    [[unroll]] for (uint m = 0u; m < FM; ++m)
        [[unroll]] for (uint n = 0u; n < FS; ++n)
            coopMatStore(s[m * FS + n], scores,
                         (down * FM + m) * CM * TALL + (across * FS + n) * CN, TALL,
                         gl_CooperativeMatrixLayoutRowMajor);
}

// Scores to weights; m and l of the row go on. Pairs of positions are dealt in turn to the invocations
// that share the row, so that they meet different banks.
void soften(uint row, uint valid, inout float m, inout float l)
{
    uint lane = gl_SubgroupInvocationID % SHARE;
    float v[OWN], top = m, total = 0.0;
    [[unroll]] for (uint i = 0u; i < OWN; ++i)
        v[i] = uintBitsToFloat(scores[row * TALL + 2u * (lane + SHARE * (i / 2u)) + i % 2u]);
    // few turns have positions that a row does not see
    if (valid < SPAN) {
        [[unroll]] for (uint i = 0u; i < OWN; ++i)
            if (2u * (lane + SHARE * (i / 2u)) + i % 2u >= valid) v[i] = MINUS_INFINITY;
    }
    [[unroll]] for (uint i = 0u; i < OWN; ++i) top = max(top, v[i]);
    [[unroll]] for (uint s = 1u; s < SHARE; s *= 2u) top = max(top, subgroupShuffleXor(top, s));
    subgroupBarrier();
    [[unroll]] for (uint i = 0u; i < OWN; ++i) {
        v[i] = exp2(v[i] - top);
        total += v[i];
    }
    [[unroll]] for (uint i = 0u; i < OWN; i += 2u)
        scores[row * TALL + lane + SHARE * (i / 2u)] = packHalf2x16(vec2(v[i], v[i + 1u]));
    [[unroll]] for (uint s = 1u; s < SHARE; s *= 2u) total += subgroupShuffleXor(total, s);
    float keep = exp2(m - top);
    l = l * keep + total;
    m = top;
    if (lane == 0u) factors[row] = keep;
}

void add_values()
{
    [[unroll]] for (uint m = 0u; m < FM; ++m) {
        scores_t keep;
        coopMatLoad(keep, factors, (down * FM + m) * CM, 0u, gl_CooperativeMatrixLayoutColumnMajor);
        [[unroll]] for (uint n = 0u; n < FD; ++n) sum[m * FD + n] = sum[m * FD + n] * keep;
    }
    [[unroll]] for (uint k = 0u; k < SPAN / CK; ++k) {
        coopmat<float16_t, gl_ScopeSubgroup, CM, CK, gl_MatrixUseA> w[FM];
        [[unroll]] for (uint m = 0u; m < FM; ++m)
            coopMatLoad(w[m], scores, (down * FM + m) * CM * TALL + k * CK / 2u, TALL,
                        gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint n = 0u; n < FD; ++n) {
            coopmat<float16_t, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB> values;
            coopMatLoad(values, staged,
                        k * CK * WIDE + (across * FD + n) * CN / 2u, WIDE,
                        gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint m = 0u; m < FM; ++m)
                sum[m * FD + n] = coopMatMulAdd(w[m], values, sum[m * FD + n]);
        }
    }
}

// The sums leave through the scores' memory, SPAN dimensions at a time.
void write(uint t0, uint head, uvec2 live, uint row, float l)
{
    barrier();
    if (gl_SubgroupInvocationID % SHARE == 0u) factors[row] = 1.0 / l;
    [[unroll]] for (uint first = 0u; first < FD; first += FS) {
        barrier();
        [[unroll]] for (uint m = 0u; m < FM; ++m)
            [[unroll]] for (uint n = 0u; n < FS; ++n)
                if (first + n < FD)
                    coopMatStore(sum[m * FD + (first + n < FD ? first + n : 0u)], scores,
                                 (down * FM + m) * CM * TALL + (across * FS + n) * CN, TALL,
                                 gl_CooperativeMatrixLayoutRowMajor);
        barrier();
        for (uint i = gl_LocalInvocationIndex; i < ROWS * SPAN; i += GROUP) {
            uint r = i / SPAN, c = i % SPAN;
            uint n = first * CN + c % (FS * CN), d = c / (FS * CN) * (D / ACROSS) + n;
            if (r < live.x || r >= live.y || n >= FD * CN) continue;
            result[(t0 + r) * p.o_stride + head * D + d] =
                uintBitsToFloat(scores[r * TALL + c]) * factors[r];
        }
    }
}

// where the keys of a KV head from `first` on lie
uint keys_at(uint slot, uint g, uint first)
{
    uint page = state[p.pages_word + slot * p.max_pages + first / TVK_CHUNK];
    return page * (p.page_words / 4u) + (g * TVK_CHUNK + first % TVK_CHUNK) * (D / 8u);
}

// Rows live.x .. live.y - 1 of the block, which are of one session.
void run(uint t0, uint head, uvec2 live)
{
    uint g = head / (p.heads / p.kv_heads), slot = places[live.x].x, most = 0u;
    uint row = (gl_SubgroupID * SUBGROUP + gl_SubgroupInvocationID) / SHARE;
    bool mine = row >= live.x && row < live.y;
    uint end = mine ? places[row].y + 1u : 0u; // of the positions that the row sees
    float m = uintBitsToFloat(0xff7fffffu), l = 0.0;
    for (uint r = live.x; r < live.y; ++r) most = max(most, places[r].y);
    [[unroll]] for (uint i = 0u; i < FM * FD; ++i) sum[i] = scores_t(0.0);
    fetch(keys_at(slot, g, 0u));
    for (uint first = 0u; first <= most; first += SPAN) {
        uint seen = min(SPAN, most + 1u - first);
        barrier();
        stage(seen);
        barrier();
        fetch(keys_at(slot, g, first) + p.kv_heads * TVK_CHUNK * (D / 8u));
        make_scores();
        barrier();
        stage(seen);
        if (first + SPAN <= most) fetch(keys_at(slot, g, first + SPAN));
        soften(row, min(max(end, first) - first, SPAN), m, l);
        barrier();
        add_values();
    }
    write(t0, head, live, row, l);
}

void main()
{
    uint lid = gl_LocalInvocationIndex;
    across = gl_SubgroupID % ACROSS;
    down = gl_SubgroupID / ACROSS;
    uint count = state[TVK_STATE_COUNT], blocks = (count + ROWS - 1u) / ROWS;
    if (gl_WorkGroupID.y >= blocks) return;
    uint t0 = (blocks - 1u - gl_WorkGroupID.y) * ROWS;
    for (uint i = lid; i < ROWS; i += GROUP) {
        uint row = TVK_STATE_ROWS + TVK_ROW_WORDS * (t0 + i);
        places[i] = t0 + i < count ? uvec2(state[row], state[row + 1u]) : uvec2(NO_SLOT, 0u);
    }
    load_queries(t0, gl_WorkGroupID.x);
    for (uint begin = 0u; begin < ROWS && places[begin].x != NO_SLOT;) {
        uint end = begin + 1u;
        while (end < ROWS && places[end].x == places[begin].x) ++end;
        run(t0, gl_WorkGroupID.x, uvec2(begin, end));
        begin = end;
    }
}
