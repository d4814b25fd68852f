#version 450
// Indirect arguments {ceil(n / width), 1, 1}; one invocation. Constants: 0-2 workgroup size, 3 width.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const uint width = 1;
layout(set = 0, binding = 0) writeonly buffer Args { uint args[3]; };
layout(push_constant) uniform Params { uint n; } p;

void main()
{
    args[0] = (p.n + width - 1) / width;
    args[1] = 1;
    args[2] = 1;
}
