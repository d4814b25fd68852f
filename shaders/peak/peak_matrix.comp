// How fast a device multiplies cooperative matrices: C_k = A B + C_k, n times, for TVK_PEAK_CHAINS
// matrices C_k side by side from C_k = k on, all values of A = a and of B = b; y[i] = the sum of one
// value of each, the same for every invocation
//   bytes with sums in 32 bits; HALF: f16 with sums in f32
// bindings: 0 y [invocations]
// workgroup: GROUP invocations, whole subgroups, that do the same
// constants: 0-2 workgroup size, 3 CM, 4 CN, 5 CK shape of a matrix product
// needs: TVK_CAP_COOPMAT_I8; HALF: TVK_CAP_COOPMAT_F16
#version 450
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#ifdef HALF
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define ELEMENT float16_t
#define SUM float
#define FACTOR(bits) float16_t(uintBitsToFloat(bits))
#define BITS(v) floatBitsToUint(v)
#else
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int32 : require
#define ELEMENT int8_t
#define SUM int32_t
#define FACTOR(bits) int8_t(bits)
#define BITS(v) uint(v)
#endif
#include "prelude.glsl"

layout(constant_id = 3) const uint CM = 16u;
layout(constant_id = 4) const uint CN = 16u;
layout(constant_id = 5) const uint CK = 32u;

layout(push_constant) uniform Push { tvk_peak_params p; };
layout(set = 0, binding = 0, std430) writeonly buffer Y { uint y[]; };

#define MATRIX_A coopmat<ELEMENT, gl_ScopeSubgroup, CM, CK, gl_MatrixUseA>
#define MATRIX_B coopmat<ELEMENT, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB>
#define MATRIX_C coopmat<SUM, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>

void main()
{
    MATRIX_A a = MATRIX_A(FACTOR(p.a));
    MATRIX_B b = MATRIX_B(FACTOR(p.b));
    MATRIX_C c[TVK_PEAK_CHAINS];
    [[unroll]] for (uint k = 0u; k < TVK_PEAK_CHAINS; ++k) c[k] = MATRIX_C(SUM(k));
    for (uint i = 0u; i < p.n; ++i) {
        [[unroll]] for (uint k = 0u; k < TVK_PEAK_CHAINS; ++k) c[k] = coopMatMulAdd(a, b, c[k]);
    }
    // all values are looked at: a compiler leaves out products whose half is not
    SUM sum = SUM(0);
    bool same = true;
    [[unroll]] for (uint k = 0u; k < TVK_PEAK_CHAINS; ++k) {
        [[unroll]] for (int i = 1; i < c[k].length(); ++i) same = same && c[k][i] == c[k][0];
        sum += c[k][0];
    }
    y[gl_GlobalInvocationID.x] = same ? BITS(sum) : TVK_NO_TOKEN;
}
