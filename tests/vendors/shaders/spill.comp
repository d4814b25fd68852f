// For the test of the test: more values at once than any GPU's registers hold, each of which every
// turn of a loop reads and writes.
#version 450
#extension GL_EXT_control_flow_attributes : require
layout(local_size_x = 128) in;
layout(set = 0, binding = 0, std430) buffer Data { float data[]; };

const uint MANY = 400u;

void main()
{
    uint at = gl_GlobalInvocationID.x * MANY;
    float v[MANY];
    [[unroll]] for (uint i = 0u; i < MANY; ++i) v[i] = data[at + i];
    for (float turns = data[0]; turns > 0.0; turns -= 1.0) {
        float first = v[0];
        [[unroll]] for (uint i = 0u; i < MANY - 1u; ++i) v[i] = v[i] * turns + v[i + 1u];
        v[MANY - 1u] = v[MANY - 1u] * turns + first;
    }
    [[unroll]] for (uint i = 0u; i < MANY; ++i) data[at + i] = v[i];
}
