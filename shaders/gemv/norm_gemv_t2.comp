// Norm, codes and ternary mat-vec of one row in one dispatch: y[n] (+)= (float(sum_k w[n,k] q[k]) d) scale[n]
// with q and d of RMSNorm(x) as norm_act.comp makes them (docs/numerics.md); every workgroup makes
// them for itself, in shared memory. GLU: row n of the first half of W is a gate, row n of the
// second half its up row: y[n] = the gated unit of both
// bindings: 0 codes T2 [N, row_words] | 1 scales f32 [N], at p.gain the gain [K] | 2 x [K] f32
//           3 y [N] f32, GLU: [N / 2]
// workgroup x: blocks of GROUP / LANES * ROWS weight rows, from its own on in steps of all workgroups
// constants: 0-2 workgroup size (x: power of two, 8 .. 512; above 128 with HELD)
//            3 LANES invocations that share a row along K; those left over do nothing of their own
//            4 ROWS rows an invocation (GLU: even); LANES > 1: at most LANES of them
//            5 AHEAD units of a row that are loaded together, the first ones before the codes are there
//            6 UNITS of 64 codes a row | 7 NORM: 0 x itself, without a gain | 8 GLU: TVK_GATE_*
//            9 HELD groups of four values that an invocation keeps: all of its own, or 0
//            10 SUBGROUP_SIZE, with SUBGROUP
// needs: TVK_CAP_DOT with DOT_SIGNED or DOT_MIXED, TVK_CAP_SUBGROUP with SUBGROUP
#version 450
#include "prelude.glsl"
#include "exact.glsl"

layout(constant_id = 3) const uint LANES = 8u;
layout(constant_id = 4) const uint ROWS = 2u;
layout(constant_id = 5) const uint AHEAD = 1u;
layout(constant_id = 6) const uint UNITS = 2u;
layout(constant_id = 7) const uint NORM = 1u;
layout(constant_id = 9) const uint HELD = 0u;
layout(constant_id = 8) const uint GLU = TVK_GATE_NONE;

#ifdef SUBGROUP
layout(constant_id = 10) const uint SUBGROUP_SIZE = 32u;
#endif
#include "reduce.glsl"

#define TVK_NORM (NORM != 0u)
#define TVK_MOST_QUADS (16u * UNITS)
#include "row_codes.glsl"
#include "gate.glsl"
#include "ternary.glsl"

TVK_PUSHED(8);
tvk_norm_gemv_params p = TVK_NORM_GEMV_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer Codes { uvec4 codes[]; };
layout(set = 0, binding = 1, std430) readonly buffer Scales { float scales[]; };
layout(set = 0, binding = 1, std430) readonly buffer Gain { vec4 gain[]; };
layout(set = 0, binding = 2, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 3, std430) buffer Y { float y[]; };

const uint SETS = GROUP / LANES;              // rows side by side
const uint BLOCK = SETS * ROWS;               // rows of a block
const uint ROW_STEP = LANES > 1u ? BLOCK + 1u : 1u;
shared uvec4 act[4u * UNITS];                 // part q of unit u at q UNITS + u: neighbours side by side
shared int sums[LANES > 1u ? LANES * ROW_STEP : 1u];
shared int code_sum[GROUP];

vec4 tvk_row_x(uint c) { return x[c]; }
vec4 tvk_row_gain(uint c) { return gain[p.gain + c]; }

// The weight row that row i of a block is.
uint row_of(uint block, uint i)
{
    if (GLU == TVK_GATE_NONE) return block * BLOCK + i;
    uint set = i % SETS, k = i / SETS; // even k: gates, odd k: their up rows
    return block * (BLOCK / 2u) + (k / 2u) * SETS + set + (k % 2u) * (p.n / 2u);
}

// What a result needs beside its sum.
struct result {
    uint row;
    float scale, up_scale, old;
};

result result_of(uint row)
{
    uint at = min(row, p.n - 1u);
    result r = result(row, scales[at], 0.0, 0.0);
    if (GLU != TVK_GATE_NONE) r.up_scale = scales[min(row + p.n / 2u, p.n - 1u)];
    if (p.add != 0u) r.old = y[at];
    return r;
}

float scaled(int sum, float d, float scale)
{
    precise float v = (float(sum) * d) * scale;
    return v;
}

// sum and up: of the codes' products alone
void finish(result r, int sum, int up, float d)
{
    float v = scaled(sum, d, r.scale);
    if (GLU != TVK_GATE_NONE) v = tvk_gated(GLU, v, scaled(up, d, r.up_scale));
    if (p.add != 0u) {
        precise float with = r.old + v;
        v = with;
    }
    y[r.row] = v;
}

// Four values y of group c as codes into shared memory; returns their sum.
int put_codes(uint c, vec4 y, float s)
{
    precise vec4 v = y * s;
    ivec4 q = tvk_codes_of(v);
    if (c >= p.k / 4u) q = ivec4(0); // padding
    act[(c / 4u % 4u) * UNITS + c / 16u][c % 4u] =
        (uint(q.x) & 0xffu) | ((uint(q.y) & 0xffu) << 8) | ((uint(q.z) & 0xffu) << 16) |
        (uint(q.w) << 24);
    return (q.x + q.y) + (q.z + q.w);
}

// Codes of the row into shared memory, their sum a share an invocation; returns their step.
float make_codes()
{
    uint lid = gl_LocalInvocationIndex;
    uint quads = p.k / 4u;
    if (lid < 8u) code_sum[lid] = 0; // barriers of the pass follow
    tvk_row row = tvk_row_pass(quads, p.inv_k, p.eps);
    int total = 0;
    if (HELD > 0u) {
        [[unroll]] for (uint h = 0u; h < HELD; ++h) {
            uint c = lid + GROUP * h;
            if (c < 16u * UNITS)
                total += put_codes(c, tvk_row_times_r(tvk_held[h], row.r), row.s);
        }
    } else {
        for (uint c = lid; c < 16u * UNITS; c += GROUP)
            total += put_codes(c, tvk_row_normed(min(c, quads - 1u), row.r), row.s);
    }
    if (LANES > 1u) atomicAdd(code_sum[lid % 8u], total);
    else code_sum[lid] = total;
    barrier();
    return row.d;
}

// Unit u of row i of a block; past the end of either: another one, whose sum is not used.
uvec4 weight_unit(uint block, uint i, uint u)
{
    return codes[min(row_of(block, i), p.n - 1u) * UNITS + min(u, UNITS - 1u)];
}

tvk_t2_act act_unit(uint u)
{
    return tvk_t2_spread(act[u], act[UNITS + u], act[2u * UNITS + u], act[3u * UNITS + u]);
}

// Row of the o-th result of a block: rows SETS k + set, with gates of every second k.
uint place_of(uint o)
{
    return GLU == TVK_GATE_NONE ? o : o / SETS * (2u * SETS) + o % SETS;
}

void main()
{
    const uint halves = GLU != TVK_GATE_NONE ? 2u : 1u;
    const uint results = BLOCK / halves;
    uint lid = gl_LocalInvocationIndex;
    uint lane = lid % LANES;
    uint set = min(lid / LANES, SETS - 1u); // invocations past the last set do nothing of their own
    uint n = p.n / halves;
    uint blocks = (n + results - 1u) / results;

    // the first weights, and what the results need, do not wait for the row
    uvec4 next[AHEAD * ROWS];
    [[unroll]] for (uint i = 0u; i < AHEAD * ROWS; ++i)
        next[i] = weight_unit(gl_WorkGroupID.x, set + SETS * (i / AHEAD), lane + LANES * (i % AHEAD));
    result mine = result_of(row_of(gl_WorkGroupID.x, place_of(min(lid, results - 1u))));
    uint at = gl_GlobalInvocationID.x;
    vec4 soon = vec4(0.0);
    if (at < p.soon_quads) soon = gain[p.soon + at];
    float d = make_codes();

    for (uint block = gl_WorkGroupID.x; block < blocks; block += gl_NumWorkGroups.x) {
        ivec4 part[ROWS];
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) part[i] = ivec4(0);
        if (block != gl_WorkGroupID.x && LANES > 1u)
            mine = result_of(row_of(block, place_of(min(lid, results - 1u))));
        for (uint first = lane; first < UNITS; first += LANES * AHEAD) {
            if (first != lane || block != gl_WorkGroupID.x) {
                [[unroll]] for (uint i = 0u; i < AHEAD * ROWS; ++i)
                    next[i] = weight_unit(block, set + SETS * (i / AHEAD),
                                          first + LANES * (i % AHEAD));
            }
            [[unroll]] for (uint j = 0u; j < AHEAD; ++j) {
                uint u = first + LANES * j;
                if (u >= UNITS) break;
                tvk_t2_act a = act_unit(u);
                [[unroll]] for (uint i = 0u; i < ROWS; ++i)
                    part[i] = tvk_t2_unit(next[i * AHEAD + j], a, part[i]);
            }
        }
        int sum[ROWS];
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) sum[i] = tvk_t2_total(part[i]);
        if (LANES == 1u) {
            int all = 0;
            [[unroll]] for (uint i = 0u; i < GROUP; ++i) all += code_sum[i];
            [[unroll]] for (uint i = 0u; i < ROWS; i += halves) {
                uint row = row_of(block, set + SETS * i);
                if (row < n) finish(result_of(row), sum[i] - all, sum[i + halves - 1u] - all, d);
            }
            continue;
        }
        if (lid < SETS * LANES) {
            [[unroll]] for (uint i = 0u; i < ROWS; ++i)
                sums[lane * ROW_STEP + set + SETS * i] = sum[i];
        }
        barrier();
        if (lid < results && mine.row < n) {
            uint i = place_of(lid);
            int all = ((code_sum[0] + code_sum[1]) + (code_sum[2] + code_sum[3])) +
                      ((code_sum[4] + code_sum[5]) + (code_sum[6] + code_sum[7]));
            int total = -all, up = -all;
            [[unroll]] for (uint l = 0u; l < LANES; ++l) {
                total += sums[l * ROW_STEP + i];
                if (GLU != TVK_GATE_NONE) up += sums[l * ROW_STEP + i + SETS];
            }
            finish(mine, total, up, d);
        }
        barrier();
    }
    // never written, there is one row of workgroups, but read: the next dispatch finds its gain in the
    // cache. A condition that no compiler knows: all of p are constants
    if (gl_WorkGroupID.y > 0u) y[0] = (soon.x + soon.y) + (soon.z + soon.w);
}
