// Reductions over the workgroup in the order of sum_tree(v, 128). GROUP is a power of two from 8 on; of
// more than 128 invocations the first 128 have the elements (and the integers, and the maxima).
// Slot i of an invocation stands for element lid + GROUP * i, so that the upper levels of the tree
// stay inside an invocation; eight invocations add the levels down to eight elements, and these are
// added by every invocation for itself: two barriers whatever the size. Each function starts with a
// barrier that frees the scratch memory.
#ifndef TVK_REDUCE_GLSL
#define TVK_REDUCE_GLSL

const uint PARTS = GROUP > 128u ? 1u : 128u / GROUP; // elements an invocation holds
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

const uint EIGHTHS = GROUP > 128u ? 16u : GROUP / 8u;
// levels of the tree over elements that stand eight apart
float tvk_tree_eighths(float v[MAX_PARTS])
{
    [[unroll]] for (uint s = EIGHTHS / 2u; s > 0u; s /= 2u) {
        [[unroll]] for (uint i = 0u; i < s; ++i) {
            precise float sum = v[i] + v[i + s];
            v[i] = sum;
        }
    }
    return v[0];
}

// Scratch element lid (below 8) = the tree, or the maximum, over its eighths.
void tvk_fold_a(uint lid)
{
    float v[MAX_PARTS];
    [[unroll]] for (uint i = 0u; i < EIGHTHS; ++i) v[i] = tvk_scratch_a[lid + 8u * i];
    tvk_scratch_a[lid] = tvk_tree_eighths(v);
}
void tvk_fold_b(uint lid)
{
    float v[MAX_PARTS];
    [[unroll]] for (uint i = 0u; i < EIGHTHS; ++i) v[i] = tvk_scratch_b[lid + 8u * i];
    tvk_scratch_b[lid] = tvk_tree_eighths(v);
}
void tvk_fold_max(uint lid)
{
    float m = tvk_scratch_b[lid];
    [[unroll]] for (uint i = 1u; i < EIGHTHS; ++i) m = max(m, tvk_scratch_b[lid + 8u * i]);
    tvk_scratch_b[lid] = m;
}

// The last eight elements.
float tvk_tree8_a()
{
    return tvk_tree8(tvk_scratch_a[0], tvk_scratch_a[1], tvk_scratch_a[2], tvk_scratch_a[3],
                     tvk_scratch_a[4], tvk_scratch_a[5], tvk_scratch_a[6], tvk_scratch_a[7]);
}
float tvk_tree8_b()
{
    return tvk_tree8(tvk_scratch_b[0], tvk_scratch_b[1], tvk_scratch_b[2], tvk_scratch_b[3],
                     tvk_scratch_b[4], tvk_scratch_b[5], tvk_scratch_b[6], tvk_scratch_b[7]);
}
float tvk_max8_b()
{
    return max(max(max(tvk_scratch_b[0], tvk_scratch_b[1]), max(tvk_scratch_b[2], tvk_scratch_b[3])),
               max(max(tvk_scratch_b[4], tvk_scratch_b[5]), max(tvk_scratch_b[6], tvk_scratch_b[7])));
}

// sum_tree over 128 elements, and the maximum of one value an invocation; all invocations get both
void tvk_reduce_sum_max(float v[MAX_PARTS], float m, out float sum, out float top)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    tvk_scratch_a[lid] = tvk_tree_parts(v);
    tvk_scratch_b[lid] = m;
    barrier();
    if (EIGHTHS > 1u) {
        if (lid < 8u) {
            tvk_fold_a(lid);
            tvk_fold_max(lid);
        }
        barrier();
    }
    sum = tvk_tree8_a();
    top = tvk_max8_b();
}

// two sums side by side; all invocations get both
void tvk_reduce_sums(float v[MAX_PARTS], float w[MAX_PARTS], out float a, out float b)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    tvk_scratch_a[lid] = tvk_tree_parts(v);
    tvk_scratch_b[lid] = tvk_tree_parts(w);
    barrier();
    if (EIGHTHS > 1u) {
        if (lid < 8u) {
            tvk_fold_a(lid);
            tvk_fold_b(lid);
        }
        barrier();
    }
    a = tvk_tree8_a();
    b = tvk_tree8_b();
}

// maximum of one value an invocation; all invocations get it
float tvk_reduce_max(float m)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    tvk_scratch_b[lid] = m;
    barrier();
    if (EIGHTHS > 1u) {
        if (lid < 8u) tvk_fold_max(lid);
        barrier();
    }
    return tvk_max8_b();
}

// sum of one integer an invocation (exact in any order); all invocations get it
int tvk_reduce_int(int v)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    tvk_scratch_i[lid] = v;
    barrier();
    if (GROUP > 8u) {
        if (lid < 8u) {
            int sum = tvk_scratch_i[lid];
            [[unroll]] for (uint i = 1u; i < GROUP / 8u; ++i) sum += tvk_scratch_i[lid + 8u * i];
            tvk_scratch_i[lid] = sum;
        }
        barrier();
    }
    return tvk_scratch_i[0] + tvk_scratch_i[1] + tvk_scratch_i[2] + tvk_scratch_i[3] +
           tvk_scratch_i[4] + tvk_scratch_i[5] + tvk_scratch_i[6] + tvk_scratch_i[7];
}

#endif
