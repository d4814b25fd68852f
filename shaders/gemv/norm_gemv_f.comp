// Norm and float mat-vec of one row in one dispatch: y[n] (+)= sum_k w[n,k] v[k] in 16 strided partial
// sums, v = RMSNorm(x) as norm_act.comp makes it, or x itself (docs/numerics.md); every workgroup makes
// v for itself, in shared memory. GLU: row n of the first half of W is a gate, row n of the second half
// its up row: y[n] = the gated unit of both
// bindings: 0 weights F32 [N, K] or F16 | 1 gain [K] | 2 x [K] f32 | 3 y [N] f32, GLU: [N / 2]
// workgroup x: blocks of GROUP / 16 * ROWS weight rows, from its own on in steps of all workgroups;
//              LANES 1: a share of each invocation's rows
// constants: 0-2 workgroup size (x: power of two, LANES .. 512; 8 at least; above 128 with HELD where
//            there is a norm),
//            3 UNITS of weights a row, 4 WIDE: all of them are whole, 5 ROWS an invocation,
//            6 AHEAD units of a row in flight, the first ones before v is there,
//            7 NORM: 0 x itself, without a gain, 8 GLU: TVK_GATE_*,
//            9 HELD groups of four values that an invocation keeps: all of its own, or 0,
//            10 LANES that share a row along K: 16, or 1 (then ROWS and AHEAD are 1)
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"
#include "reduce.glsl"

layout(constant_id = 3) const uint UNITS = 16u;
layout(constant_id = 4) const uint WIDE = 0u;
layout(constant_id = 5) const uint ROWS = 2u;
layout(constant_id = 6) const uint AHEAD = 1u;
layout(constant_id = 7) const uint NORM = 1u;
layout(constant_id = 8) const uint GLU = TVK_GATE_NONE;
layout(constant_id = 9) const uint HELD = 0u;
layout(constant_id = 10) const uint LANES = TVK_DOT_PARTIALS;

#define TVK_NORM (NORM != 0u)
#include "row_codes.glsl"
#include "gate.glsl"

TVK_PUSHED(8);
tvk_norm_gemv_params p = TVK_NORM_GEMV_PARAMS;
#define W_BINDING 0
#define SCALE_BINDING 1
#include "weights_f.glsl"
layout(set = 0, binding = 1, std430) readonly buffer Gain { vec4 gain[]; };
layout(set = 0, binding = 2, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 3, std430) buffer Y { float y[]; };

const uint HALVES = GLU != TVK_GATE_NONE ? 2u : 1u;
const uint SETS = GROUP / LANES; // rows side by side
const uint BLOCK = SETS * ROWS;  // rows of a block
const uint STEP = LANES * AHEAD; // units of a row that are in flight
const uint ROW_STEP = BLOCK + 1u;
shared vec4 row_values[UNIT_QUADS * UNITS]; // quad g of unit u at g UNITS + u: neighbours side by side
shared float sums[LANES * ROW_STEP];

vec4 tvk_row_x(uint c) { return x[c]; }
vec4 tvk_row_gain(uint c) { return gain[p.gain + c]; }

// The weight row that row i of a block is.
uint row_of(uint block, uint i)
{
    if (GLU == TVK_GATE_NONE) return block * BLOCK + i;
    // gates, then their up rows
    return block * (BLOCK / 2u) + i % (BLOCK / 2u) + i / (BLOCK / 2u) * (p.n / 2u);
}

void put_values(uint c, vec4 v)
{
    uvec2 at = tvk_place(c);
    row_values[at.y * UNITS + at.x] = v;
}

// The row that is multiplied, into shared memory.
void make_row()
{
    uint lid = gl_LocalInvocationIndex;
    uint quads = p.k / 4u;
    float r = 1.0;
    if (TVK_NORM)
        r = tvk_row_pass(quads, p.inv_k, p.eps).r;
    else if (HELD > 0u)
        tvk_row_read(quads);
    if (HELD > 0u) {
        [[unroll]] for (uint h = 0u; h < HELD; ++h)
            if (lid + GROUP * h < quads) put_values(lid + GROUP * h, tvk_row_times_r(tvk_held[h], r));
    } else {
        for (uint c = lid; c < quads; c += GROUP) put_values(c, tvk_row_normed(c, r));
    }
    barrier();
}

vec4 tvk_whole_x(uint u, uint g) { return row_values[g * UNITS + u]; }
#include "whole_row.glsl"

// Unit u of row i of a block; past the end of either: another one, whose sum is not used.
tvk_unit weight_unit(uint block, uint i, uint u)
{
    return tvk_load(min(row_of(block, i), p.n - 1u), min(u, UNITS - 1u));
}

// Row i of the block.
float row_sum(uint i)
{
    float v[TVK_DOT_PARTIALS];
    [[unroll]] for (uint k = 0u; k < TVK_DOT_PARTIALS; ++k) v[k] = sums[k * ROW_STEP + i];
    return tvk_dot_tree(v);
}

void finish(uint row, float v)
{
    if (p.add != 0u) {
        precise float with = y[row] + v;
        v = with;
    }
    y[row] = v;
}

void by_lanes()
{
    uint lid = gl_LocalInvocationIndex;
    uint lane = lid % LANES;
    uint set = lid / LANES;
    uint blocks = (p.n / HALVES + BLOCK / HALVES - 1u) / (BLOCK / HALVES);

    // the first weights do not wait for the row
    tvk_unit next[AHEAD * ROWS];
    [[unroll]] for (uint i = 0u; i < AHEAD * ROWS; ++i)
        next[i] = weight_unit(gl_WorkGroupID.x, set + SETS * (i % ROWS), lane + LANES * (i / ROWS));
    make_row();

    for (uint block = gl_WorkGroupID.x; block < blocks; block += gl_NumWorkGroups.x) {
        float sum[ROWS];
        [[unroll]] for (uint i = 0u; i < ROWS; ++i) sum[i] = 0.0;
        for (uint first = 0u; first < UNITS; first += STEP) {
            // what is loaded behind the units that are taken: the row's next, or the next block's first
            bool same = first + STEP < UNITS;
            uint then = same ? block : block + gl_NumWorkGroups.x;
            uint from = same ? first + STEP : 0u;
            [[unroll]] for (uint j = 0u; j < AHEAD; ++j) {
                uint u = first + lane + LANES * j;
                [[unroll]] for (uint i = 0u; i < ROWS; ++i) {
                    if (u < UNITS) sum[i] = tvk_with_unit(sum[i], next[j * ROWS + i], u);
                    if (then < blocks)
                        next[j * ROWS + i] = weight_unit(then, set + SETS * i, from + lane + LANES * j);
                }
            }
        }
        [[unroll]] for (uint i = 0u; i < ROWS; ++i)
            sums[lane * ROW_STEP + set + SETS * i] = sum[i];
        barrier();
        for (uint o = lid; o < BLOCK / HALVES; o += GROUP) {
            uint row = row_of(block, o);
            if (row >= p.n / HALVES) continue;
            float v = row_sum(o);
            if (GLU != TVK_GATE_NONE) v = tvk_gated(GLU, v, row_sum(o + BLOCK / 2u));
            finish(row, v);
        }
        barrier();
    }
}

// The rows of a subgroup lie far apart, so that each is a stream of its own to a host core's
// prefetcher; by an odd number, so that their lines do not meet in the same sets of its cache.
void by_rows()
{
    make_row();
    uint outputs = p.n / HALVES;
    uint apart = ((outputs + GROUP - 1u) / GROUP) | 1u;
    uint share = (apart + gl_NumWorkGroups.x - 1u) / gl_NumWorkGroups.x; // lavapipe must not find it empty
    uint end = min(apart, share * (gl_WorkGroupID.x + 1u));
    for (uint i = share * gl_WorkGroupID.x; i < end; ++i) {
        uint row = gl_LocalInvocationIndex * apart + i;
        float gate = 0.0, v = 0.0;
        for (uint h = 0u; h < HALVES; ++h) {
            gate = v;
            v = tvk_whole_row(min(row, outputs - 1u) + outputs * h, i + outputs * h, apart, UNITS);
        }
        if (GLU != TVK_GATE_NONE) v = tvk_gated(GLU, gate, v);
        if (row < outputs) finish(row, v);
    }
    // never, there is one row of workgroups
    if (gl_WorkGroupID.y > 0u) y[0] = float(tvk_touched);
}

void main()
{
    if (LANES > 1u)
        by_lanes();
    else
        by_rows();
}
