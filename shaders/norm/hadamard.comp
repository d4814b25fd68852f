// Hadamard transform of a row, behind its RMSNorm with NORM (docs/numerics.md).
//   v = (x g) r (NORM) or x;  for h = 1, 2, 4 .. K/2: v[i], v[i+h] = v[i] + v[i+h], v[i] - v[i+h];
//   y = v scale, scale = K^-1/2
// bindings: 0 state | 1 x [T, K] f32 | 2 gain [K] (unused without NORM) | 3 y [T, K] f32
// workgroup: one row. Steps within PIECE values run in shared memory; y holds longer rows between
//   those and the last steps, of which an invocation does all in registers
// constants: 0-2 workgroup size (x: power of two, 8 .. 128)
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"
#include "reduce.glsl"

TVK_PUSHED(4);
tvk_hadamard_params p = TVK_HADAMARD_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 2, std430) readonly buffer Gain { vec4 gain[]; };
layout(set = 0, binding = 3, std430) coherent buffer Y { vec4 y[]; };

const uint PIECE = 2048u;
const uint PIECES = TVK_HADAMARD_MAX / PIECE;
shared float row[PIECE];

void butterfly(uint a, uint b)
{
    precise float sum = row[a] + row[b];
    precise float difference = row[a] - row[b];
    row[a] = sum;
    row[b] = difference;
}

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint t = gl_WorkGroupID.x;
    if (t >= state[TVK_STATE_COUNT]) return;
    uint quads = p.k / 4u;
    uint base = t * quads;

    float r = 1.0;
#ifdef NORM
    float part[MAX_PARTS];
    float sum, none;
    [[unroll]] for (uint i = 0u; i < PARTS; ++i) {
        precise float acc = 0.0;
        for (uint c = lid + GROUP * i; c < quads; c += TVK_NORM_PARTIALS) {
            vec4 v = x[base + c];
            acc = acc + tvk_dot4(v, v);
        }
        part[i] = acc;
    }
    tvk_reduce_sum_max(part, 0.0, sum, none);
    precise float mean = sum * p.inv_k + p.eps;
    r = tvk_rsqrt(mean);
#endif

    uint size = min(p.k, PIECE);
    float scale = p.k > PIECE ? 1.0 : p.scale;
    for (uint first = 0u; first < p.k; first += size) {
        barrier();
        for (uint c = lid; c < size / 4u; c += GROUP) {
#ifdef NORM
            precise vec4 v = (x[base + first / 4u + c] * gain[first / 4u + c]) * r;
#else
            precise vec4 v = x[base + first / 4u + c];
#endif
            precise vec4 a = vec4(v.x + v.y, v.x - v.y, v.z + v.w, v.z - v.w);
            precise vec4 b = vec4(a.x + a.z, a.y + a.w, a.x - a.z, a.y - a.w);
            [[unroll]] for (uint j = 0u; j < 4u; ++j) row[4u * c + j] = b[j];
        }
        for (uint h = 4u; h < size; h *= 2u) {
            barrier();
            for (uint i = lid; i < size / 2u; i += GROUP) {
                uint at = i % h + (i / h) * (2u * h);
                butterfly(at, at + h);
            }
        }
        barrier();
        for (uint c = lid; c < size / 4u; c += GROUP) {
            precise vec4 v =
                vec4(row[4u * c], row[4u * c + 1u], row[4u * c + 2u], row[4u * c + 3u]) * scale;
            y[base + first / 4u + c] = v;
        }
    }
    if (p.k <= PIECE) return;

    memoryBarrierBuffer();
    barrier();
    uint pieces = p.k / PIECE;
    for (uint c = lid; c < PIECE / 4u; c += GROUP) {
        vec4 v[PIECES];
        [[unroll]] for (uint i = 0u; i < PIECES; ++i)
            if (i < pieces) v[i] = y[base + i * (PIECE / 4u) + c];
        [[unroll]] for (uint h = 1u; h < PIECES; h *= 2u) {
            if (h >= pieces) break;
            [[unroll]] for (uint i = 0u; i < PIECES / 2u; ++i) {
                uint a = i % h + (i / h) * (2u * h);
                if (a + h >= pieces) continue;
                precise vec4 plus = v[a] + v[a + h];
                precise vec4 minus = v[a] - v[a + h];
                v[a] = plus;
                v[a + h] = minus;
            }
        }
        [[unroll]] for (uint i = 0u; i < PIECES; ++i) {
            if (i >= pieces) break;
            precise vec4 scaled = v[i] * p.scale;
            y[base + i * (PIECE / 4u) + c] = scaled;
        }
    }
}
