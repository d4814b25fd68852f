// Reductions over the workgroup in the order of sum_tree(v, 128). GROUP is a power of two, 8 .. 128.
// Slot i of an invocation stands for element lid + GROUP * i, so that the upper levels of the tree
// stay inside an invocation; the last eight elements are added by every invocation for itself,
// which spares three barriers. Each function starts with a barrier that frees the scratch memory.
#ifndef TVK_REDUCE_GLSL
#define TVK_REDUCE_GLSL

const uint PARTS = 128u / GROUP; // elements an invocation holds
const uint MAX_PARTS = 16u;

shared float tvk_scratch_a[GROUP];
shared float tvk_scratch_b[GROUP];
shared int tvk_scratch_i[GROUP];

float tvk_tree_parts(float v[MAX_PARTS])
{
    [[unroll]] for (uint s = PARTS / 2u; s > 0u; s /= 2u) {
        [[unroll]] for (uint i = 0u; i < s; ++i) {
            precise float sum = v[i] + v[i + s];
            v[i] = sum;
        }
    }
    return v[0];
}

float tvk_tree8(float a, float b, float c, float d, float e, float f, float g, float h)
{
    precise float s = ((a + e) + (c + g)) + ((b + f) + (d + h));
    return s;
}

// sum_tree over 128 elements, and the maximum of one value an invocation; all invocations get both
void tvk_reduce_sum_max(float v[MAX_PARTS], float m, out float sum, out float top)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    tvk_scratch_a[lid] = tvk_tree_parts(v);
    tvk_scratch_b[lid] = m;
    barrier();
    [[unroll]] for (uint s = GROUP / 2u; s >= 8u; s /= 2u) {
        if (lid < s) {
            precise float t = tvk_scratch_a[lid] + tvk_scratch_a[lid + s];
            tvk_scratch_a[lid] = t;
            tvk_scratch_b[lid] = max(tvk_scratch_b[lid], tvk_scratch_b[lid + s]);
        }
        barrier();
    }
    sum = tvk_tree8(tvk_scratch_a[0], tvk_scratch_a[1], tvk_scratch_a[2], tvk_scratch_a[3],
                    tvk_scratch_a[4], tvk_scratch_a[5], tvk_scratch_a[6], tvk_scratch_a[7]);
    top = max(max(max(tvk_scratch_b[0], tvk_scratch_b[1]), max(tvk_scratch_b[2], tvk_scratch_b[3])),
              max(max(tvk_scratch_b[4], tvk_scratch_b[5]), max(tvk_scratch_b[6], tvk_scratch_b[7])));
}

// two sums side by side; all invocations get both
void tvk_reduce_sums(float v[MAX_PARTS], float w[MAX_PARTS], out float a, out float b)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    tvk_scratch_a[lid] = tvk_tree_parts(v);
    tvk_scratch_b[lid] = tvk_tree_parts(w);
    barrier();
    [[unroll]] for (uint s = GROUP / 2u; s >= 8u; s /= 2u) {
        if (lid < s) {
            precise float t = tvk_scratch_a[lid] + tvk_scratch_a[lid + s];
            tvk_scratch_a[lid] = t;
            precise float u = tvk_scratch_b[lid] + tvk_scratch_b[lid + s];
            tvk_scratch_b[lid] = u;
        }
        barrier();
    }
    a = tvk_tree8(tvk_scratch_a[0], tvk_scratch_a[1], tvk_scratch_a[2], tvk_scratch_a[3],
                  tvk_scratch_a[4], tvk_scratch_a[5], tvk_scratch_a[6], tvk_scratch_a[7]);
    b = tvk_tree8(tvk_scratch_b[0], tvk_scratch_b[1], tvk_scratch_b[2], tvk_scratch_b[3],
                  tvk_scratch_b[4], tvk_scratch_b[5], tvk_scratch_b[6], tvk_scratch_b[7]);
}

// maximum of one value an invocation; all invocations get it
float tvk_reduce_max(float m)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    tvk_scratch_b[lid] = m;
    barrier();
    [[unroll]] for (uint s = GROUP / 2u; s >= 8u; s /= 2u) {
        if (lid < s) tvk_scratch_b[lid] = max(tvk_scratch_b[lid], tvk_scratch_b[lid + s]);
        barrier();
    }
    return max(max(max(tvk_scratch_b[0], tvk_scratch_b[1]), max(tvk_scratch_b[2], tvk_scratch_b[3])),
               max(max(tvk_scratch_b[4], tvk_scratch_b[5]), max(tvk_scratch_b[6], tvk_scratch_b[7])));
}

// sum of one integer an invocation (exact in any order); all invocations get it
int tvk_reduce_int(int v)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    tvk_scratch_i[lid] = v;
    barrier();
    [[unroll]] for (uint s = GROUP / 2u; s >= 8u; s /= 2u) {
        if (lid < s) tvk_scratch_i[lid] += tvk_scratch_i[lid + s];
        barrier();
    }
    return tvk_scratch_i[0] + tvk_scratch_i[1] + tvk_scratch_i[2] + tvk_scratch_i[3] +
           tvk_scratch_i[4] + tvk_scratch_i[5] + tvk_scratch_i[6] + tvk_scratch_i[7];
}

#endif
