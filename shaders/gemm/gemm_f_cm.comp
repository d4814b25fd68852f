// Float mat-mat by cooperative matrices of halves with sums in f32: y[t,n] (+)= sum_k w[n,k] x[t,k].
// Codes and F16 weights are halves without rounding. x is two of them, hi + lo, after a power of two
// that takes the largest value of a row's BK inputs to 2^14 and more: what is lost is 2^-22 of a value
// (docs/numerics.md). Products of 32 inputs are summed by themselves, then scaled.
// bindings: 0 weights F16 [N, K], or codes Q8 | 1 scales of codes
//           2 x [T, K] f32 | 3 y [T, y_stride] f32
// workgroup (x, y): BM rows of x times BN weight rows. BK inputs of both lie in shared memory as
//   halves while the next ones are on their way; a subgroup has WM x WN of the products
// constants: 0-2 workgroup size, 3 CM, 4 CN, 5 CK shape of a matrix product: CK divides 32,
//            6 SUBGROUP size, 7 BM, 8 BN, 9 BK (a multiple of 32; BK / 8 divides SUBGROUP),
//            10 WM, 11 WN (multiples of the shape)
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
layout(constant_id = 7) const uint BM = 32u;
layout(constant_id = 8) const uint BN = 256u;
layout(constant_id = 9) const uint BK = 64u;
layout(constant_id = 10) const uint WM = 32u;
layout(constant_id = 11) const uint WN = 64u;

layout(push_constant) uniform Push { tvk_matmul_params p; };
layout(set = 0, binding = 0, std430) readonly buffer Weights { uvec4 weights[]; };
layout(set = 0, binding = 1, std430) readonly buffer Scales { float scales[]; };
layout(set = 0, binding = 2, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 3, std430) buffer Y { float y[]; };

#if defined(W_Q8)
const uint PER_PIECE = 16u; // weights in 16 bytes
#else
const uint PER_PIECE = 8u;
#endif
const uint BLOCK = 32u; // inputs that have a scale
const uint BLOCKS = BK / BLOCK;
const uint ACROSS = BN / WN, DOWN = BM / WM; // subgroups side by side
const uint FM = WM / CM, FN = WN / CN;
const uint OCTETS = BK / 8u; // of inputs of a row: so many invocations bring those of x

// Shared memory in pieces of 16 bytes, eight halves: hi of x, lo of x, weights. A row has one more than
// its inputs take, so that the same piece of eight rows lies in 32 different banks.
const uint ROW = OCTETS + 1u;
const uint TILE = (2u * BM + BN) * ROW;
const uint STRIP = DOWN * CM * BN / 4u; // sums on their way out
shared uvec4 mem[TILE > STRIP ? TILE : STRIP];
shared float row_scales[BLOCKS * BN], x_scales[BM];

const uint X_LOADS = (BM * OCTETS + GROUP - 1u) / GROUP;
const uint W_LOADS = (BN * (BK / PER_PIECE) + GROUP - 1u) / GROUP;
const uint S_LOADS = (BN * BLOCKS + GROUP - 1u) / GROUP;
vec4 next_x[2u * X_LOADS];
uvec4 next_w[W_LOADS];
float next_s[S_LOADS];

#define sums_t coopmat<float, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>
#define inputs_t coopmat<float16_t, gl_ScopeSubgroup, CM, CK, gl_MatrixUseA>
sums_t sum[FM * FN];
uint lid, across, down; // place of the invocation, of its subgroup

// Inputs k0 .. k0 + BK into registers. Rows past the end read the last one and are not written.
void fetch(uint k0)
{
    uint t0 = gl_WorkGroupID.x * BM, n0 = gl_WorkGroupID.y * BN;
    [[unroll]] for (uint j = 0u; j < X_LOADS; ++j) {
        uint i = lid + GROUP * j, k = k0 + i % OCTETS * 8u, row = min(t0 + i / OCTETS, p.rows - 1u);
        next_x[2u * j] = next_x[2u * j + 1u] = vec4(0.0);
        if (k >= p.k || i >= BM * OCTETS) continue;
        next_x[2u * j] = x[(row * p.act_stride + k) / 4u];
        next_x[2u * j + 1u] = x[(row * p.act_stride + k) / 4u + 1u];
    }
    [[unroll]] for (uint j = 0u; j < W_LOADS; ++j) {
        uint i = lid + GROUP * j, k = k0 + i % (BK / PER_PIECE) * PER_PIECE;
        uint row = min(n0 + i / (BK / PER_PIECE), p.n - 1u);
        next_w[j] = uvec4(0u);
        if (k < p.k) next_w[j] = weights[row * (p.row_words / 4u) + k / PER_PIECE];
    }
#if defined(W_Q8)
    [[unroll]] for (uint j = 0u; j < S_LOADS; ++j) {
        uint i = lid + GROUP * j, block = k0 / BLOCK + i % BLOCKS, blocks = p.k / BLOCK;
        uint row = min(n0 + i / BLOCKS, p.n - 1u);
        next_s[j] = block < blocks ? scales[row * blocks + block] : 0.0;
    }
#endif
}

// Eight halves. Codes are unpacked as pairs of every other one, and so x is.
uvec4 octet(vec4 a, vec4 b)
{
#if defined(W_Q8)
    a = a.xzyw;
    b = b.xzyw;
#endif
    return uvec4(packHalf2x16(a.xy), packHalf2x16(a.zw), packHalf2x16(b.xy), packHalf2x16(b.zw));
}

// The nearest of 11 bits, by integers: compilers take a conversion to f16 and back for nothing.
vec4 nearest(vec4 v) { return uintBitsToFloat((floatBitsToUint(v) + 0x1000u) & 0xffffe000u); }

void stage_x()
{
    [[unroll]] for (uint j = 0u; j < X_LOADS; ++j) {
        uint i = lid + GROUP * j, row = i / OCTETS, at = row * ROW + i % OCTETS;
        vec4 a = next_x[2u * j], b = next_x[2u * j + 1u], v = max(abs(a), abs(b));
        float top = max(max(v.x, v.y), max(v.z, v.w));
        [[unroll]] for (uint s = 1u; s < OCTETS; s *= 2u)
            top = max(top, subgroupShuffleXor(top, s));
        // exponents of f32; limits keep both powers of two normal
        uint e = clamp(floatBitsToUint(top) >> 23, 27u, 254u);
        float factor = uintBitsToFloat((268u - e) << 23);
        if (row >= BM) continue;
        a *= factor;
        b *= factor;
        vec4 hi_a = nearest(a), hi_b = nearest(b);
        mem[at] = octet(hi_a, hi_b);
        mem[BM * ROW + at] = octet(a - hi_a, b - hi_b);
        if (i % OCTETS == 0u) x_scales[row] = uintBitsToFloat((e - 14u) << 23);
    }
}

// Two signed bytes, in bits 0 and 16 on, as halves: 1024 + 128 + code is one by its bits.
uint halves(uint pair)
{
    return packFloat2x16(unpackFloat2x16((pair & 0x00ff00ffu) ^ 0x64806480u) - f16vec2(1152.0));
}

void stage_weights()
{
    [[unroll]] for (uint j = 0u; j < W_LOADS; ++j) {
        uint i = lid + GROUP * j, row = i / (BK / PER_PIECE), piece = i % (BK / PER_PIECE);
        uint at = (2u * BM + row) * ROW + piece * (PER_PIECE / 8u);
        uvec4 w = next_w[j];
        if (row >= BN) continue;
#if defined(W_Q8)
        mem[at] = uvec4(halves(w.x), halves(w.x >> 8), halves(w.y), halves(w.y >> 8));
        mem[at + 1u] = uvec4(halves(w.z), halves(w.z >> 8), halves(w.w), halves(w.w >> 8));
#else
        mem[at] = w;
#endif
    }
#if defined(W_Q8)
    [[unroll]] for (uint j = 0u; j < S_LOADS; ++j) {
        uint i = lid + GROUP * j;
        if (i < BN * BLOCKS) row_scales[i % BLOCKS * BN + i / BLOCKS] = next_s[j];
    }
#endif
}

// What is in shared memory, block by block.
void multiply()
{
    const uint STEPS = BLOCK / CK;
    sums_t x_scale[FM];
    [[unroll]] for (uint m = 0u; m < FM; ++m)
        coopMatLoad(x_scale[m], x_scales, down * WM + m * CM, 0u,
                    gl_CooperativeMatrixLayoutColumnMajor);
    [[unroll]] for (uint b = 0u; b < BLOCKS; ++b) {
        inputs_t hi[FM * STEPS], lo[FM * STEPS];
        [[unroll]] for (uint i = 0u; i < FM * STEPS; ++i) {
            uint at = (down * WM + i / STEPS * CM) * ROW + (b * BLOCK + i % STEPS * CK) / 8u;
            coopMatLoad(hi[i], mem, at, ROW, gl_CooperativeMatrixLayoutRowMajor);
            coopMatLoad(lo[i], mem, BM * ROW + at, ROW, gl_CooperativeMatrixLayoutRowMajor);
        }
        [[unroll]] for (uint n = 0u; n < FN; ++n) {
            sums_t part[FM], scale;
            uint column = across * WN + n * CN;
            [[unroll]] for (uint m = 0u; m < FM; ++m) part[m] = sums_t(0.0);
            [[unroll]] for (uint k = 0u; k < STEPS; ++k) {
                coopmat<float16_t, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB> w;
                coopMatLoad(w, mem, (2u * BM + column) * ROW + (b * BLOCK + k * CK) / 8u, ROW,
                            gl_CooperativeMatrixLayoutColumnMajor);
                [[unroll]] for (uint m = 0u; m < FM; ++m) {
                    part[m] = coopMatMulAdd(lo[m * STEPS + k], w, part[m]);
                    part[m] = coopMatMulAdd(hi[m * STEPS + k], w, part[m]);
                }
            }
#if defined(W_Q8)
            coopMatLoad(scale, row_scales, b * BN + column, 0u, gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint m = 0u; m < FM; ++m)
                sum[m * FN + n] = sum[m * FN + n] + part[m] * (scale * x_scale[m]);
#else
            [[unroll]] for (uint m = 0u; m < FM; ++m)
                sum[m * FN + n] = sum[m * FN + n] + part[m] * x_scale[m];
#endif
        }
    }
}

// A tile that is whole leaves from registers.
void finish_whole(uint t0, uint n0)
{
    [[unroll]] for (uint i = 0u; i < FM * FN; ++i) {
        uint row = t0 + down * WM + i / FN * CM, column = n0 + across * WN + i % FN * CN;
        uint at = row * p.y_stride + p.first_row + column;
        if (p.add != 0u) {
            sums_t old;
            coopMatLoad(old, y, at, p.y_stride, gl_CooperativeMatrixLayoutRowMajor);
            sum[i] = sum[i] + old;
        }
        coopMatStore(sum[i], y, at, p.y_stride, gl_CooperativeMatrixLayoutRowMajor);
    }
}

// Others: CM rows of every subgroup through shared memory.
void finish_rows(uint t0, uint n0, uint m)
{
    barrier();
    [[unroll]] for (uint n = 0u; n < FN; ++n)
        coopMatStore(sum[m * FN + n], mem, (down * CM * BN + across * WN + n * CN) / 4u, BN / 4u,
                     gl_CooperativeMatrixLayoutRowMajor);
    barrier();
    for (uint i = lid; i < STRIP; i += GROUP) {
        uint line = i / (BN / 4u), t = t0 + line / CM * WM + m * CM + line % CM;
        uint n = n0 + i % (BN / 4u) * 4u, at = t * p.y_stride + p.first_row + n;
        vec4 v = uintBitsToFloat(mem[i]);
        for (uint c = 0u; c < 4u && t < p.rows && n + c < p.n; ++c)
            y[at + c] = p.add != 0u ? y[at + c] + v[c] : v[c];
    }
}

void main()
{
    uint t0 = gl_WorkGroupID.x * BM, n0 = gl_WorkGroupID.y * BN;
    lid = gl_SubgroupID * SUBGROUP + gl_SubgroupInvocationID;
    across = gl_SubgroupID % ACROSS;
    down = gl_SubgroupID / ACROSS;
    [[unroll]] for (uint i = 0u; i < FM * FN; ++i) sum[i] = sums_t(0.0);
    fetch(0u);
    for (uint k0 = 0u; k0 < p.k; k0 += BK) {
        barrier();
        stage_x();
        stage_weights();
        barrier();
        if (k0 + BK < p.k) fetch(k0 + BK);
        multiply();
    }
    // matrices in memory begin, and have their rows, at multiples of 16 bytes
    if (t0 + BM <= p.rows && n0 + BN <= p.n && (p.y_stride | p.first_row) % 4u == 0u) {
        finish_whole(t0, n0);
        return;
    }
    [[unroll]] for (uint m = 0u; m < FM; ++m) finish_rows(t0, n0, m);
}
