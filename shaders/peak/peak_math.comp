// How fast a device multiplies and adds: x_k = a x_k + b, n times (a multiple of TVK_PEAK_TURN), for k = 0 .. 11 side by side from
// x_k = k on; y[i] = their sum, of every invocation
//   FLOAT: f32, product and sum rounded each; else 32-bit integers, which carry two products of
//   16-bit halves; DOT_SIGNED: the product is the packed dot product of four signed bytes
// bindings: 0 y [invocations]
// workgroup: GROUP invocations that do the same
// constants: 0-2 workgroup size
// needs: DOT_SIGNED: packed integer dot product
#version 450
#include "prelude.glsl"

layout(push_constant) uniform Push { tvk_peak_params p; };
layout(set = 0, binding = 0, std430) writeonly buffer Y { uint y[]; };

const uint CHAINS = TVK_PEAK_CHAINS;

#ifdef FLOAT
#define TYPE float
#define FACTOR uintBitsToFloat(p.a)
#define ADDEND uintBitsToFloat(p.b)
#define BITS(v) floatBitsToUint(v)
#else
#define TYPE int
#define FACTOR int(p.a)
#define ADDEND int(p.b)
#define BITS(v) uint(v)
#endif

TYPE next(TYPE v)
{
#ifdef DOT_SIGNED
    return dotPacked4x8EXT(v, FACTOR) + ADDEND;
#else
    precise TYPE r = v * FACTOR + ADDEND;
    return r;
#endif
}

void main()
{
    TYPE v[CHAINS];
    [[unroll]] for (uint k = 0u; k < CHAINS; ++k) v[k] = TYPE(k);
    for (uint i = 0u; i < p.n; i += TVK_PEAK_TURN) {
        [[unroll]] for (uint t = 0u; t < TVK_PEAK_TURN; ++t) {
            [[unroll]] for (uint k = 0u; k < CHAINS; ++k) v[k] = next(v[k]);
        }
    }
    precise TYPE sum = TYPE(0);
    [[unroll]] for (uint k = 0u; k < CHAINS; ++k) sum = sum + v[k];
    y[gl_GlobalInvocationID.x] = BITS(sum);
}
