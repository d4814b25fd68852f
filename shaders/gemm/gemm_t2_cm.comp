// Ternary mat-mat with INT8 activations, or of four bits with ACT_I4, ACT_FP4, by cooperative
// matrices of bytes: y[t,n] (+)= (float(sum_k w[n,k] q[t,k]) d[t]) scale[n]; the sums are exact
// bindings: 0 codes T2 [N, row_words] | 1 scales f32 [N] of the piece
//           2 activation records [T, act_stride] {bits(d), sum q, 0, 0, codes} | 3 y [T, y_stride]
// workgroup (x, y): BN weight rows times BM activation rows. BK inputs of both lie in shared memory
//   as bytes while the next ones are on their way; a subgroup has WM x WN of the products, subgroups
//   that are left share the inputs. Scales meet the sums as matrices of the same kind, in registers;
//   where subgroups share inputs, and in tiles that are not whole, the sums leave through the same
//   memory, CM rows at a time
// constants: 0-2 workgroup size, 3 CM, 4 CN, 5 CK shape of a matrix product, 6 SUBGROUP size,
//            7 BM, 8 BN, 9 BK, 10 WM, 11 WN (multiples of the shape; BK of 64), 12 STAGES of
//            shared memory, 1 or 2; TVK_STAGE_OWN: each subgroup has its own and waits for no other,
//            13 AHEAD: turns of BK inputs whose codes are on their way, 14 GATE: TVK_GATE_NONE, or
//            y = the gated unit of the first half of the weight rows and of the second: WN then has
//            WN / 2 of either, a multiple of CN
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
layout(constant_id = 13) const uint AHEAD = 1u;
layout(constant_id = 14) const uint GATE = TVK_GATE_NONE;

TVK_PUSHED(8);
tvk_matmul_params p = TVK_MATMUL_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer Codes { uvec4 codes[]; };
layout(set = 0, binding = 1, std430) readonly buffer Scales { float scales[]; };
layout(set = 0, binding = 2, std430) readonly buffer Act { uvec4 act[]; };
layout(set = 0, binding = 3, std430) buffer Y { float y[]; };

const uint ACROSS = BN / WN, DOWN = BM / WM; // subgroups side by side
const uint SUBGROUPS = GROUP / SUBGROUP;
const uint ALONG = SUBGROUPS / (ACROSS * DOWN); // and that share the inputs
const uint FM = WM / CM, FN = WN / CN;

// Who stages inputs together: the workgroup, or a subgroup by itself; rows of activations and of codes
const bool ALONE = STAGES == TVK_STAGE_OWN;
const uint TEAM = ALONE ? SUBGROUP : GROUP, TM = ALONE ? WM : BM, TN = ALONE ? WN : BN;
const uint STEP = ALONE ? BK * ALONG : BK; // inputs from turn to turn

// Shared memory in pieces of 16 bytes; words where a matrix has fewer inputs. A row has one more than its
// inputs take, so that the same piece of eight rows lies in 32 different banks, and so have sums.
const uint ROW = BK / 16u + 1u, SUMS_ROW = BN / 4u + 1u;
const uint TILE = (TM + TN) * ROW;
const uint STAGED = TILE * (ALONE ? SUBGROUPS : STAGES);
const uint STRIP = ALONG * DOWN * CM * SUMS_ROW; // sums on their way out, CM rows of each subgroup
const uint STRIPS = FM * STRIP <= STAGED ? FM : 1u; // at once
const uint PIECES = STAGED > STRIP ? STAGED : STRIP;
const bool WIDE = CK % 16u == 0u;
shared uvec4 wide[WIDE ? PIECES : 1u];
shared uint words[WIDE ? 1u : 4u * PIECES];
shared float act_scales[BM], row_scales[BN];
shared int act_sums[BM]; // of codes
uint across, down, along; // place of the subgroup

void sync()
{
    if (ALONE) {
        subgroupMemoryBarrierShared();
        subgroupBarrier();
    } else
        barrier();
}

void put(uint piece, uvec4 v)
{
    if (WIDE)
        wide[piece] = v;
    else
        [[unroll]] for (uint i = 0u; i < 4u; ++i) words[4u * piece + i] = v[i];
}

// Word i of piece `at`, and matrices from there: inputs from k on, or sums.
uint word_at(uint at, uint i) { return WIDE ? wide[at + i / 4u][i % 4u] : words[4u * at + i]; }
#define LOAD(matrix, at, k, layout)                                                                                    \
    if (WIDE)                                                                                                          \
        coopMatLoad(matrix, wide, (at) + (k) / 16u, ROW, layout);                                                      \
    else                                                                                                               \
        coopMatLoad(matrix, words, 4u * (at) + (k) / 4u, 4u * ROW, layout)
#define STORE(matrix, at)                                                                                              \
    if (WIDE)                                                                                                          \
        coopMatStore(matrix, wide, at, SUMS_ROW, gl_CooperativeMatrixLayoutRowMajor);                                  \
    else                                                                                                               \
        coopMatStore(matrix, words, 4u * (at), 4u * SUMS_ROW, gl_CooperativeMatrixLayoutRowMajor)

#ifdef ACT_4
const uint PER_PIECE = 32u; // codes in 16 bytes of a record
#else
const uint PER_PIECE = 16u;
#endif
const uint ACT_LOADS = (TM * (BK / PER_PIECE) + TEAM - 1u) / TEAM;
const uint CODE_LOADS = (TN * (BK / 64u) + TEAM - 1u) / TEAM;
uvec4 next_act[AHEAD * ACT_LOADS], next_codes[AHEAD * CODE_LOADS];

uint member(uint j)
{
    return (ALONE ? gl_SubgroupInvocationID : gl_LocalInvocationIndex) + TEAM * j;
}

// Weight row of column i of the tile; past the end the last one.
const uint HALVES = GATE == TVK_GATE_NONE ? 1u : 2u;
const uint OUTS = BN / HALVES, OWN_OUTS = WN / HALVES; // of y, in a tile and of a subgroup
uint weight_row(uint i)
{
    uint f = p.n / HALVES, n = gl_WorkGroupID.x * OUTS + i / WN * OWN_OUTS + i % OWN_OUTS;
    return i % WN / OWN_OUTS * f + min(n, f - 1u);
}

// Inputs k0 .. k0 + BK into registers. Rows past the end read the last one and are not written.
void fetch(uint k0, uint slot)
{
    uint t0 = gl_WorkGroupID.y * BM + (ALONE ? down * WM : 0u), depth = p.row_words * 16u;
    [[unroll]] for (uint j = 0u; j < ACT_LOADS; ++j) {
        uint i = member(j), k = k0 + i % (BK / PER_PIECE) * PER_PIECE, to = slot * ACT_LOADS + j;
        uint row = min(t0 + i / (BK / PER_PIECE), p.rows - 1u);
        next_act[to] = uvec4(0u);
        if (k < depth) next_act[to] = act[row * (p.act_stride / 4u) + 1u + k / PER_PIECE];
    }
    [[unroll]] for (uint j = 0u; j < CODE_LOADS; ++j) {
        uint i = member(j), k = k0 + i % (BK / 64u) * 64u, to = slot * CODE_LOADS + j;
        uint row = weight_row((ALONE ? across * WN : 0u) + i / (BK / 64u));
        next_codes[to] = uvec4(0u);
        if (k < depth) next_codes[to] = codes[row * (p.row_words / 4u) + k / 64u];
    }
}

// Registers to shared memory, a byte a code.
void stage(uint at, uint slot)
{
    [[unroll]] for (uint j = 0u; j < ACT_LOADS; ++j) {
        uint i = member(j);
        uint row = i / (BK / PER_PIECE), piece = i % (BK / PER_PIECE);
        if (row >= TM) continue;
#ifdef ACT_4
        put(at + row * ROW + 2u * piece, tvk_act4_words(next_act[slot * ACT_LOADS + j].xy));
        put(at + row * ROW + 2u * piece + 1u, tvk_act4_words(next_act[slot * ACT_LOADS + j].zw));
#else
        put(at + row * ROW + piece, next_act[slot * ACT_LOADS + j]);
#endif
    }
    [[unroll]] for (uint j = 0u; j < CODE_LOADS; ++j) {
        uint i = member(j);
        uint row = i / (BK / 64u), piece = i % (BK / 64u) * 4u;
        if (row >= TN) continue;
        [[unroll]] for (uint w = 0u; w < 4u; ++w) {
            uint word = next_codes[slot * CODE_LOADS + j][w];
            put(at + (TM + row) * ROW + piece + w,
                uvec4(word, word >> 2, word >> 4, word >> 6) & 0x03030303u);
        }
    }
}

#define sums_t coopmat<int32_t, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>
#define floats_t coopmat<float, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>
sums_t sum[FM * FN];

void multiply(uint at)
{
    uint rows = at + (ALONE ? 0u : down * WM) * ROW;
    uint columns = at + (TM + (ALONE ? 0u : across * WN)) * ROW;
    uint apart = ALONE ? 1u : ALONG, first = ALONE ? 0u : along;
    [[unroll]] for (uint s = 0u; s < BK / (CK * apart); ++s) {
        uint k = (s * apart + first) * CK;
        coopmat<int8_t, gl_ScopeSubgroup, CM, CK, gl_MatrixUseA> a[FM];
        coopmat<int8_t, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB> b;
        [[unroll]] for (uint m = 0u; m < FM; ++m)
            LOAD(a[m], rows + m * CM * ROW, k, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint n = 0u; n < FN; ++n) {
            LOAD(b, columns + n * CN * ROW, k, gl_CooperativeMatrixLayoutColumnMajor);
            [[unroll]] for (uint m = 0u; m < FM; ++m)
                sum[m * FN + n] = coopMatMulAdd(a[m], b, sum[m * FN + n]);
        }
    }
}

// products less the sum of the codes
int less(int products, int taken)
{
#ifdef ACT_4
    products = tvk_act4_sum(products);
#endif
    return products - taken;
}

float scaled(float sum, float d, float scale)
{
    precise float v = (sum * d) * scale;
    return v;
}

float added(float old, float v)
{
    precise float with = old + v;
    return with;
}

// ---- whole tiles, in registers ----

// (products - sums of the codes) d scale, each rounded. taken, d: of the rows, in every column. Elements
// of matrices of one type alone are taken by their index: which invocation has which is the device's matter.
floats_t results(sums_t s, sums_t taken, floats_t d, uint n)
{
    floats_t scale, v;
    coopMatLoad(scale, row_scales, across * WN + n * CN, 0u, gl_CooperativeMatrixLayoutRowMajor);
    [[unroll]] for (uint i = 0u; i < s.length(); ++i) s[i] = less(s[i], taken[i]);
    v = floats_t(s);
    [[unroll]] for (uint i = 0u; i < v.length(); ++i) v[i] = scaled(v[i], d[i], scale[i]);
    return v;
}

void finish_product(uint m, uint n)
{
    uint line = down * WM + m * CM, column = gl_WorkGroupID.x * OUTS + across * OWN_OUTS + n * CN;
    uint at = (gl_WorkGroupID.y * BM + line) * p.y_stride + p.first_row + column;
    sums_t taken;
    floats_t d, v;
    coopMatLoad(taken, act_sums, line, 0u, gl_CooperativeMatrixLayoutColumnMajor);
    coopMatLoad(d, act_scales, line, 0u, gl_CooperativeMatrixLayoutColumnMajor);
    v = results(sum[m * FN + n], taken, d, n);
    if (GATE != TVK_GATE_NONE) {
        const uint up = (n + FN / 2u) % FN;
        floats_t other = results(sum[m * FN + up], taken, d, up);
        [[unroll]] for (uint i = 0u; i < v.length(); ++i) v[i] = tvk_gated(GATE, v[i], other[i]);
    }
    if (p.add != 0u) {
        floats_t old;
        coopMatLoad(old, y, at, p.y_stride, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint i = 0u; i < v.length(); ++i) v[i] = added(old[i], v[i]);
    }
    coopMatStore(v, y, at, p.y_stride, gl_CooperativeMatrixLayoutRowMajor);
}

// ---- all others: rows of every subgroup through shared memory ----

// What an invocation writes of them, a few at a time: sums and old values are on their way together.
const uint LINES = STRIPS * CM; // of a subgroup
const uint OWN = (DOWN * LINES * OUTS + GROUP - 1u) / GROUP;
const uint TURN = OWN < 8u ? OWN : 8u;

int sum_at(uint line, uint column)
{
    int all = 0;
    [[unroll]] for (uint part = 0u; part < ALONG; ++part)
        all += int(word_at((part * DOWN * LINES + line) * SUMS_ROW, column));
    return all;
}

void finish_rows(uint m)
{
    uint t0 = gl_WorkGroupID.y * BM, outputs = p.n / HALVES;
    for (uint first = 0u; first < OWN; first += TURN) {
        uint at[TURN], row[TURN], column[TURN];
        bool inside[TURN];
        int sums[TURN], others[TURN];
        float old[TURN];
        [[unroll]] for (uint u = 0u; u < TURN; ++u) {
            uint i = gl_LocalInvocationIndex + GROUP * (first + u), line = i / OUTS, j = i % OUTS;
            uint n = gl_WorkGroupID.x * OUTS + j;
            row[u] = line / LINES * WM + m * CM + line % LINES;
            column[u] = j / OWN_OUTS * WN + j % OWN_OUTS;
            at[u] = (t0 + row[u]) * p.y_stride + p.first_row + n;
            inside[u] = i < DOWN * LINES * OUTS && t0 + row[u] < p.rows && n < outputs;
            sums[u] = others[u] = 0;
            old[u] = 0.0;
            if (!inside[u]) continue;
            sums[u] = sum_at(line, column[u]);
            if (GATE != TVK_GATE_NONE) others[u] = sum_at(line, column[u] + OWN_OUTS);
            if (p.add != 0u) old[u] = y[at[u]];
        }
        [[unroll]] for (uint u = 0u; u < TURN; ++u) {
            if (!inside[u]) continue;
            int taken = act_sums[row[u]];
            float d = act_scales[row[u]];
            float v = scaled(less(sums[u], taken), d, row_scales[column[u]]);
            if (GATE != TVK_GATE_NONE)
                v = tvk_gated(GATE, v, scaled(less(others[u], taken), d, row_scales[column[u] + OWN_OUTS]));
            y[at[u]] = p.add != 0u ? added(old[u], v) : v;
        }
    }
}

void finish()
{
    // matrices in memory begin, and have their rows, at multiples of 16 bytes
    bool whole = gl_WorkGroupID.y * BM + BM <= p.rows &&
                 gl_WorkGroupID.x * OUTS + OUTS <= p.n / HALVES &&
                 (p.y_stride | p.first_row) % 4u == 0u;
    if (ALONG == 1u && whole) {
        if (ALONE) barrier(); // the scales
        [[unroll]] for (uint m = 0u; m < FM; ++m)
            [[unroll]] for (uint n = 0u; n < FN / HALVES; ++n) finish_product(m, n);
        return;
    }
    [[unroll]] for (uint m = 0u; m < FM; m += STRIPS) {
        uint strip = (along * DOWN + down) * LINES * SUMS_ROW + across * WN / 4u;
        barrier();
        [[unroll]] for (uint i = 0u; i < STRIPS * FN; ++i) {
            STORE(sum[m * FN + i], strip + i / FN * CM * SUMS_ROW + i % FN * CN / 4u);
        }
        barrier();
        finish_rows(m);
    }
}

void main()
{
    [[unroll]] for (uint i = 0u; i < FM * FN; ++i) sum[i] = sums_t(0);
    across = gl_SubgroupID % ACROSS;
    down = gl_SubgroupID / ACROSS % DOWN;
    along = gl_SubgroupID / (ACROSS * DOWN);
    uint k = ALONE ? along * BK : 0u, turns = (p.row_words * 16u + STEP - 1u) / STEP;
    uint at = ALONE ? gl_SubgroupID * TILE : 0u;

    [[unroll]] for (uint slot = 0u; slot < AHEAD; ++slot) fetch(k + slot * STEP, slot);
    for (uint i = gl_LocalInvocationIndex; i < BM; i += GROUP) {
        uvec2 head = act[min(gl_WorkGroupID.y * BM + i, p.rows - 1u) * (p.act_stride / 4u)].xy;
        act_scales[i] = uintBitsToFloat(head.x);
        act_sums[i] = int(head.y);
    }
    for (uint i = gl_LocalInvocationIndex; i < BN; i += GROUP) row_scales[i] = scales[weight_row(i)];
    for (uint first = 0u; first < turns; first += AHEAD) {
        [[unroll]] for (uint slot = 0u; slot < AHEAD; ++slot) {
            if (first + slot >= turns) break;
            if (STAGES != 2u && first + slot > 0u) sync();
            stage(at, slot);
            sync();
            fetch(k + AHEAD * STEP, slot);
            k += STEP;
            multiply(at);
            if (STAGES == 2u) at = TILE - at;
        }
    }

    finish();
}
