#version 450
// y[i] = a * x[i] + b + c for i < n; one invocation computes one element.
// Constants: 0-2 workgroup size, 3 b, 17 c.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint b = 0;
layout(constant_id = 17) const uint c = 0;
layout(set = 0, binding = 0) readonly buffer X { uint x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Params { uint n; uint a; } p;

void main()
{
    const uint i = gl_GlobalInvocationID.x;
    if (i < p.n) y[i] = p.a * x[i] + b + c;
}
