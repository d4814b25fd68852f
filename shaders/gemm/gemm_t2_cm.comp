// Ternary mat-mat with INT8 activations, or of four bits with ACT_I4, ACT_FP4, by cooperative
// matrices of bytes: y[t,n] (+)= (float(sum_k w[n,k] q[t,k]) d[t]) scale[n]; the sums are exact
// bindings: 0 codes T2 [N, row_words] | 1 scales f32 [N] of the piece
//           2 activation records [T, act_stride] {bits(d), sum q, 0, 0, codes} | 3 y [T, y_stride]
// workgroup (x, y): BN weight rows times BM activation rows. BK inputs of both lie in shared memory
//   as bytes while the next ones are on their way; a subgroup has WM x WN of the products, subgroups
//   that are left share the inputs and add their sums up in the same memory, CM rows at a time.
//   Scales meet the sums as matrices of the same kind, in registers
// constants: 0-2 workgroup size, 3 CM, 4 CN, 5 CK shape of a matrix product, 6 SUBGROUP size,
//            7 BM, 8 BN, 9 BK, 10 WM, 11 WN (multiples of the shape; BK of 64), 12 STAGES of
//            shared memory, 1 or 2, 13 GATE: TVK_GATE_NONE, or y = the gated unit of the first half of the
//            weight rows and of the second: WN then has WN / 2 of either, a multiple of CN
// needs: TVK_CAP_COOPMAT_I8
#version 450
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int32 : require
#include "prelude.glsl"
#include "exact.glsl"
#include "ternary.glsl"
#include "gate.glsl"

layout(constant_id = 3) const uint CM = 16u;
layout(constant_id = 4) const uint CN = 16u;
layout(constant_id = 5) const uint CK = 32u;
layout(constant_id = 6) const uint SUBGROUP = 32u;
layout(constant_id = 7) const uint BM = 128u;
layout(constant_id = 8) const uint BN = 128u;
layout(constant_id = 9) const uint BK = 64u;
layout(constant_id = 10) const uint WM = 64u;
layout(constant_id = 11) const uint WN = 64u;
layout(constant_id = 12) const uint STAGES = 1u;
layout(constant_id = 13) const uint GATE = TVK_GATE_NONE;

layout(push_constant) uniform Push { tvk_matmul_params p; };
layout(set = 0, binding = 0, std430) readonly buffer Codes { uvec4 codes[]; };
layout(set = 0, binding = 1, std430) readonly buffer Scales { float scales[]; };
layout(set = 0, binding = 2, std430) readonly buffer Act { uvec4 act[]; };
layout(set = 0, binding = 3, std430) buffer Y { float y[]; };

const uint ACROSS = BN / WN, DOWN = BM / WM; // subgroups side by side
const uint ALONG = GROUP / SUBGROUP / (ACROSS * DOWN); // and that share the inputs
const uint FM = WM / CM, FN = WN / CN;

// Shared memory in pieces of 16 bytes (made of words: some shapes have fewer inputs). A row has one more than its inputs take, so that the same
// piece of eight rows lies in 32 different banks.
const uint ROW = BK / 16u + 1u;
const uint TILE = (BM + BN) * ROW;
const uint STRIP = ALONG > 1u ? ALONG * DOWN * CM * BN / 4u : 0u; // sums that are to be added up
const uint EDGE = GROUP / SUBGROUP * CM * CN / 4u; // results of which some lie outside
const uint PIECES = TILE * STAGES > STRIP + EDGE ? TILE * STAGES : STRIP + EDGE;
shared uint mem[PIECES * 4u];
shared float act_scales[BM], row_scales[BN];
shared int act_sums[BM]; // of codes

void put(uint piece, uvec4 v)
{
    mem[4u * piece] = v.x;
    mem[4u * piece + 1u] = v.y;
    mem[4u * piece + 2u] = v.z;
    mem[4u * piece + 3u] = v.w;
}

#ifdef ACT_4
const uint PER_PIECE = 32u; // codes in 16 bytes of a record
#else
const uint PER_PIECE = 16u;
#endif
const uint ACT_LOADS = (BM * (BK / PER_PIECE) + GROUP - 1u) / GROUP;
const uint CODE_LOADS = (BN * (BK / 64u) + GROUP - 1u) / GROUP;
uvec4 next_act[ACT_LOADS], next_codes[CODE_LOADS];

// Weight row of column i of the tile; past the end the last one.
const uint HALVES = GATE == TVK_GATE_NONE ? 1u : 2u;
uint weight_row(uint i)
{
    uint f = p.n / HALVES, own = WN / HALVES;
    uint n = (gl_WorkGroupID.x * ACROSS + i / WN) * own + i % own;
    return i % WN / own * f + min(n, f - 1u);
}

// Inputs k0 .. k0 + BK into registers. Rows past the end read the last one and are not written.
void fetch(uint k0)
{
    uint t0 = gl_WorkGroupID.y * BM, depth = p.row_words * 16u;
    [[unroll]] for (uint j = 0u; j < ACT_LOADS; ++j) {
        uint i = gl_LocalInvocationIndex + GROUP * j, k = k0 + i % (BK / PER_PIECE) * PER_PIECE;
        uint row = min(t0 + i / (BK / PER_PIECE), p.rows - 1u);
        next_act[j] = uvec4(0u);
        if (k < depth) next_act[j] = act[row * (p.act_stride / 4u) + 1u + k / PER_PIECE];
    }
    [[unroll]] for (uint j = 0u; j < CODE_LOADS; ++j) {
        uint i = gl_LocalInvocationIndex + GROUP * j, k = k0 + i % (BK / 64u) * 64u;
        uint row = weight_row(i / (BK / 64u));
        next_codes[j] = uvec4(0u);
        if (k < depth) next_codes[j] = codes[row * (p.row_words / 4u) + k / 64u];
    }
}

// Registers to shared memory, a byte a code.
void stage(uint at)
{
    [[unroll]] for (uint j = 0u; j < ACT_LOADS; ++j) {
        uint i = gl_LocalInvocationIndex + GROUP * j;
        uint row = i / (BK / PER_PIECE), piece = i % (BK / PER_PIECE);
        if (row >= BM) continue;
#ifdef ACT_4
        put(at + row * ROW + 2u * piece, tvk_act4_words(next_act[j].xy));
        put(at + row * ROW + 2u * piece + 1u, tvk_act4_words(next_act[j].zw));
#else
        put(at + row * ROW + piece, next_act[j]);
#endif
    }
    [[unroll]] for (uint j = 0u; j < CODE_LOADS; ++j) {
        uint i = gl_LocalInvocationIndex + GROUP * j;
        uint row = i / (BK / 64u), piece = i % (BK / 64u) * 4u;
        if (row >= BN) continue;
        [[unroll]] for (uint w = 0u; w < 4u; ++w) {
            uint word = next_codes[j][w];
            put(at + (BM + row) * ROW + piece + w,
                uvec4(word, word >> 2, word >> 4, word >> 6) & 0x03030303u);
        }
    }
}

#define sums_t coopmat<int32_t, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>
#define floats_t coopmat<float, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>
sums_t sum[FM * FN];
uint across, down, along; // place of the subgroup

void give(uint m)
{
    uint strip = (along * DOWN + down) * CM * BN + across * WN;
    [[unroll]] for (uint n = 0u; n < FN; ++n)
        coopMatStore(sum[m * FN + n], mem, strip + n * CN, BN, gl_CooperativeMatrixLayoutRowMajor);
}

sums_t whole(uint m, uint n)
{
    if (ALONG == 1u) return sum[m * FN + n];
    sums_t all = sums_t(0);
    [[unroll]] for (uint part = 0u; part < ALONG; ++part) {
        sums_t one;
        coopMatLoad(one, mem, (part * DOWN + down) * CM * BN + across * WN + n * CN, BN,
                    gl_CooperativeMatrixLayoutRowMajor);
        all += one;
    }
    return all;
}

// taken, d: of the rows, in every column
floats_t scaled(sums_t s, sums_t taken, floats_t d, uint n)
{
    floats_t scale, v;
    coopMatLoad(scale, row_scales, across * WN + n * CN, 0u, gl_CooperativeMatrixLayoutRowMajor);
    [[unroll]] for (uint i = 0u; i < v.length(); ++i) {
#ifdef ACT_4
        int products = tvk_act4_sum(s[i]);
#else
        int products = s[i];
#endif
        precise float x = (float(products - taken[i]) * d[i]) * scale[i];
        v[i] = x;
    }
    return v;
}

floats_t result(uint m, uint n)
{
    uint line = down * WM + m * CM, up = (n + FN / 2u) % FN;
    sums_t taken;
    floats_t d, v;
    coopMatLoad(taken, act_sums, line, 0u, gl_CooperativeMatrixLayoutColumnMajor);
    coopMatLoad(d, act_scales, line, 0u, gl_CooperativeMatrixLayoutColumnMajor);
    v = scaled(whole(m, n), taken, d, n);
    if (GATE != TVK_GATE_NONE) {
        floats_t other = scaled(whole(m, up), taken, d, up);
        [[unroll]] for (uint i = 0u; i < v.length(); ++i) v[i] = tvk_gated(GATE, v[i], other[i]);
    }
    return v;
}

void write(floats_t v, uint at)
{
    if (p.add != 0u) {
        floats_t old;
        coopMatLoad(old, y, at, p.y_stride, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint i = 0u; i < v.length(); ++i) {
            precise float with = old[i] + v[i];
            v[i] = with;
        }
    }
    coopMatStore(v, y, at, p.y_stride, gl_CooperativeMatrixLayoutRowMajor);
}

// What lies inside, one by one.
void write_edge(uint from, uint t, uint n, uint outputs)
{
    for (uint i = gl_SubgroupInvocationID; i < CM * CN; i += SUBGROUP) {
        if (t + i / CN >= p.rows || n + i % CN >= outputs) continue;
        uint at = (t + i / CN) * p.y_stride + p.first_row + n + i % CN;
        float v = uintBitsToFloat(mem[from + i]);
        precise float with = y[at] + v;
        y[at] = p.add != 0u ? with : v;
    }
}

// CM rows of every subgroup; those that share the inputs have the columns in turn.
void finish(uint m)
{
    const uint OUTS = BN / HALVES; // of y, in a tile
    uint t0 = gl_WorkGroupID.y * BM, n0 = gl_WorkGroupID.x * OUTS, outputs = p.n / HALVES;
    uint t = t0 + down * WM + m * CM, from = STRIP * 4u + gl_SubgroupID * CM * CN;
    // matrices in memory begin, and have their rows, at multiples of 16 bytes
    bool inside = t0 + BM <= p.rows && n0 + OUTS <= outputs && (p.y_stride | p.first_row) % 4u == 0u;
    [[unroll]] for (uint i = 0u; i < FN / HALVES; ++i) {
        uint n = n0 + across * (WN / HALVES) + i * CN;
        bool own = i % ALONG == along;
        if (inside) {
            if (own) write(result(m, i), t * p.y_stride + p.first_row + n);
            continue;
        }
        barrier();
        if (own)
            coopMatStore(result(m, i), mem, from, CN, gl_CooperativeMatrixLayoutRowMajor);
        barrier();
        if (own) write_edge(from, t, n, outputs);
    }
}

void main()
{
    [[unroll]] for (uint i = 0u; i < FM * FN; ++i) sum[i] = sums_t(0);
    across = gl_SubgroupID % ACROSS;
    down = gl_SubgroupID / ACROSS % DOWN;
    along = gl_SubgroupID / (ACROSS * DOWN);
    uint depth = p.row_words * 16u, at = 0u;

    fetch(0u);
    for (uint i = gl_LocalInvocationIndex; i < BM; i += GROUP) {
        uvec2 head = act[min(gl_WorkGroupID.y * BM + i, p.rows - 1u) * (p.act_stride / 4u)].xy;
        act_scales[i] = uintBitsToFloat(head.x);
        act_sums[i] = int(head.y);
    }
    for (uint i = gl_LocalInvocationIndex; i < BN; i += GROUP) row_scales[i] = scales[weight_row(i)];
    stage(0u);
    for (uint k0 = 0u; k0 < depth; k0 += BK) {
        bool more = k0 + BK < depth;
        barrier();
        if (more) fetch(k0 + BK);
        uint rows = at + down * WM * ROW, columns = at + (BM + across * WN) * ROW;
        [[unroll]] for (uint s = 0u; s < BK / (CK * ALONG); ++s) {
            uint k = (s * ALONG + along) * CK;
            coopmat<int8_t, gl_ScopeSubgroup, CM, CK, gl_MatrixUseA> a[FM];
            coopmat<int8_t, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB> b;
            [[unroll]] for (uint m = 0u; m < FM; ++m)
                coopMatLoad(a[m], mem, (rows + m * CM * ROW) * 4u + k / 4u, ROW * 4u,
                            gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint n = 0u; n < FN; ++n) {
                coopMatLoad(b, mem, (columns + n * CN * ROW) * 4u + k / 4u, ROW * 4u,
                            gl_CooperativeMatrixLayoutColumnMajor);
                [[unroll]] for (uint m = 0u; m < FM; ++m)
                    sum[m * FN + n] = coopMatMulAdd(a[m], b, sum[m * FN + n]);
            }
        }
        if (!more) break;
        if (STAGES == 1u)
            barrier();
        else
            at = TILE - at;
        stage(at);
    }

    barrier();
    [[unroll]] for (uint m = 0u; m < FM; ++m) {
        if (ALONG > 1u) {
            if (m > 0u) barrier();
            give(m);
            barrier();
        }
        finish(m);
    }
}
