// Float mat-mat: y[t,n] (+)= sum_k w[n,k] x[t,k], 16 strided partial sums (docs/numerics.md)
// bindings: 0 weights F32 [N, K], F16, or codes Q8, Q6, Q4, T2 | 1 scales of codes
//           2 x [T, K] f32 | 3 y [T, y_stride] f32
// workgroup (x, y): TM rows of x times GROUP / LANES * ROWS weight rows: those that read the same
//   weights run side by side; a weight is widened once for TM rows, a value of x is loaded once for
//   ROWS rows
// constants: 0-2 workgroup size, 3 LANES invocations a row: 16 or 1,
//            4 WIDE: all units of a row are whole, 5 ROWS, 6 TM
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"

layout(constant_id = 3) const uint LANES = 16u;
layout(constant_id = 4) const uint WIDE = 0u;
layout(constant_id = 5) const uint ROWS = 1u;
layout(constant_id = 6) const uint TM = 4u;
#include "matmul_f.glsl"

void main()
{
    matmul(gl_WorkGroupID.x * TM, gl_WorkGroupID.y);
}
