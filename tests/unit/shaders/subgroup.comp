#version 450
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_arithmetic : require
// y[i] = number of live invocations in the subgroup of i. Constants: 0-2 workgroup size.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(set = 0, binding = 0) writeonly buffer Y { uint y[]; };

void main()
{
    y[gl_GlobalInvocationID.x] = subgroupAdd(1u);
}
