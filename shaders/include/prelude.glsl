// First include of every module: extensions, shared numbers, the workgroup size (ids 0, 1, 2).
#ifndef TVK_PRELUDE_GLSL
#define TVK_PRELUDE_GLSL

#extension GL_EXT_control_flow_attributes : require
#if defined(DOT_SIGNED) || defined(DOT_MIXED)
#extension GL_EXT_integer_dot_product : require
#endif

#include "params.h"
#include "fixed.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 0) const uint GROUP = 128u; // the same id as local_size_x

#endif
