// How fast a device multiplies cooperative matrices of bytes: C_k = A B + C_k, n times, for
// TVK_PEAK_CHAINS matrices C_k side by side from C_k = k on, all values of A = a and of B = b;
// y[i] = the sum of one value of each, the same for every invocation
// bindings: 0 y [invocations]
// workgroup: GROUP invocations, whole subgroups, that do the same
// constants: 0-2 workgroup size, 3 CM, 4 CN, 5 CK shape of a matrix product
// needs: TVK_CAP_COOPMAT_I8
#version 450
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int32 : require
#include "prelude.glsl"

layout(constant_id = 3) const uint CM = 16u;
layout(constant_id = 4) const uint CN = 16u;
layout(constant_id = 5) const uint CK = 32u;

layout(push_constant) uniform Push { tvk_peak_params p; };
layout(set = 0, binding = 0, std430) writeonly buffer Y { uint y[]; };

void main()
{
    coopmat<int8_t, gl_ScopeSubgroup, CM, CK, gl_MatrixUseA> a =
        coopmat<int8_t, gl_ScopeSubgroup, CM, CK, gl_MatrixUseA>(int8_t(p.a));
    coopmat<int8_t, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB> b =
        coopmat<int8_t, gl_ScopeSubgroup, CK, CN, gl_MatrixUseB>(int8_t(p.b));
    coopmat<int32_t, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator> c[TVK_PEAK_CHAINS];
    [[unroll]] for (uint k = 0u; k < TVK_PEAK_CHAINS; ++k)
        c[k] = coopmat<int32_t, gl_ScopeSubgroup, CM, CN, gl_MatrixUseAccumulator>(int32_t(k));
    for (uint i = 0u; i < p.n; ++i) {
        [[unroll]] for (uint k = 0u; k < TVK_PEAK_CHAINS; ++k) c[k] = coopMatMulAdd(a, b, c[k]);
    }
    int sum = 0;
    [[unroll]] for (uint k = 0u; k < TVK_PEAK_CHAINS; ++k) sum += c[k][0];
    y[gl_GlobalInvocationID.x] = uint(sum);
}
