// Float mat-mat as gemm_f.comp has it, for GPUs: rows of x go through shared memory, a slab of 16 units
// of them a turn, while the next slab of x and of the weights is on its way.
// y[t,n] (+)= sum_k w[n,k] x[t,k], 16 strided partial sums (docs/numerics.md)
// bindings: 0 weights F32 [N, K], F16, or codes Q8, Q6, Q4, T2 | 1 scales of codes
//           2 x [T, K] f32 | 3 y [T, y_stride] f32
// workgroup (x, y): TM rows of x times GROUP / 16 * ROWS weight rows; an invocation holds one of the
//   partial sums of ROWS weight rows for TM rows of x
// constants: 0-2 workgroup size, 3 WIDE: all units of a row are whole, 4 ROWS, 5 TM
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"

layout(constant_id = 3) const uint WIDE = 0u;
layout(constant_id = 4) const uint ROWS = 4u;
layout(constant_id = 5) const uint TM = 8u;

layout(push_constant) uniform Push { tvk_matmul_params p; };
#define W_BINDING 0
#define SCALE_BINDING 1
#include "weights_f.glsl"
layout(set = 0, binding = 2, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 3, std430) buffer Y { float y[]; };

const uint LANES = TVK_DOT_PARTIALS;
const uint SETS = GROUP / LANES; // weight rows side by side
const uint SLAB = UNIT_QUADS * LANES; // groups of four values of a row of x
const uint OWN = (TM * SLAB + GROUP - 1u) / GROUP; // of them an invocation brings
const uint SUM_STEP = LANES + 1u;

shared vec4 slab[OWN * GROUP]; // quad g of lane l of row t at (t UNIT_QUADS + g) LANES + l
shared float sums[TM * SETS * SUM_STEP];

vec4 own_x[OWN];
tvk_unit next[ROWS];
float acc[ROWS * TM];

// What stands at units first .. first + 15 of x and of this invocation's weight rows.
void bring(uint t0, uint row[ROWS], uint first)
{
    uint lid = gl_LocalInvocationIndex;
    [[unroll]] for (uint i = 0u; i < OWN; ++i) {
        uint at = lid + GROUP * i;
        uint quad = min(tvk_quad(first + at % LANES, at / LANES % UNIT_QUADS), p.k / 4u - 1u);
        own_x[i] = x[min(t0 + at / SLAB, p.rows - 1u) * (p.act_stride / 4u) + quad];
    }
    uint u = min(first + lid % LANES, tvk_units() - 1u);
    [[unroll]] for (uint r = 0u; r < ROWS; ++r) next[r] = tvk_load(row[r], u);
}

void add_unit(tvk_unit w[ROWS], uint u)
{
    uint lane = gl_LocalInvocationIndex % LANES;
    [[unroll]] for (uint g = 0u; g < UNIT_QUADS; ++g) {
        if (WIDE == 0u && tvk_quad(u, g) >= p.k / 4u) break;
        vec4 values[ROWS];
        [[unroll]] for (uint r = 0u; r < ROWS; ++r) values[r] = tvk_values(w[r], g);
        [[unroll]] for (uint t = 0u; t < TM; ++t) {
            vec4 v = slab[(t * UNIT_QUADS + g) * LANES + lane];
            [[unroll]] for (uint r = 0u; r < ROWS; ++r) {
                precise float a = acc[r * TM + t];
#if defined(SCALED)
                a = a + tvk_scale(w[r], g) * tvk_dot4(values[r], v);
#else
                a = a + tvk_dot4(values[r], v);
#endif
                acc[r * TM + t] = a;
            }
        }
    }
}

// The trees of weight row r of each set.
void finish(uint t0, uint first_row, uint r)
{
    uint lid = gl_LocalInvocationIndex;
    [[unroll]] for (uint t = 0u; t < TM; ++t)
        sums[(t * SETS + lid / LANES) * SUM_STEP + lid % LANES] = acc[r * TM + t];
    barrier();
    for (uint o = lid; o < TM * SETS; o += GROUP) {
        float v[LANES];
        [[unroll]] for (uint k = 0u; k < LANES; ++k) v[k] = sums[o * SUM_STEP + k];
        uint t = t0 + o / SETS, row = first_row + r * SETS + o % SETS;
        if (t >= p.rows || row >= p.n) continue;
        uint at = t * p.y_stride + p.first_row + row;
        precise float sum = tvk_dot_tree(v);
        if (p.add != 0u) sum = y[at] + sum;
        y[at] = sum;
    }
    barrier();
}

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint t0 = gl_WorkGroupID.x * TM, first_row = gl_WorkGroupID.y * SETS * ROWS;
    uint units = tvk_units(), row[ROWS];
    [[unroll]] for (uint r = 0u; r < ROWS; ++r) row[r] = min(first_row + r * SETS + lid / LANES, p.n - 1u);
    [[unroll]] for (uint i = 0u; i < ROWS * TM; ++i) acc[i] = 0.0;
    bring(t0, row, 0u);
    for (uint first = 0u; first < units; first += LANES) {
        tvk_unit w[ROWS];
        barrier();
        [[unroll]] for (uint i = 0u; i < OWN; ++i) slab[lid + GROUP * i] = own_x[i];
        barrier();
        [[unroll]] for (uint r = 0u; r < ROWS; ++r) w[r] = next[r];
        if (first + LANES < units) bring(t0, row, first + LANES);
        if (first + lid % LANES < units) add_unit(w, first + lid % LANES);
    }
    [[unroll]] for (uint r = 0u; r < ROWS; ++r) finish(t0, first_row, r);
}
