// Reductions over the workgroup in the order of sum_tree(v, 128). GROUP is a power of two from 8 on; of
// more than 128 invocations the first 128 have the elements (and the integers, and the maxima).
// Slot i of an invocation stands for element lid + GROUP * i, so that the upper levels of the tree
// stay inside an invocation. Two barriers whatever the size, SUBGROUP: one. Each function starts with
// a barrier that frees the scratch memory.
#ifndef TVK_REDUCE_GLSL
#define TVK_REDUCE_GLSL

#ifdef SUBGROUP
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif

const uint PARTS = GROUP > 128u ? 1u : 128u / GROUP; // elements an invocation holds
const uint MAX_PARTS = 16u;

shared float tvk_scratch_a[GROUP];
shared float tvk_scratch_b[GROUP];
shared int tvk_scratch_i[GROUP];

// levels of the tree over v[0] .. v[count - 1], count a power of two
float tvk_tree(float v[MAX_PARTS], uint count)
{
    [[unroll]] for (uint s = count / 2u; s > 0u; s /= 2u) {
        [[unroll]] for (uint i = 0u; i < s; ++i) {
            precise float sum = v[i] + v[i + s];
            v[i] = sum;
        }
    }
    return v[0];
}

// Elements in scratch memory to what is asked of them: tvk_fold_... behind a barrier, then tvk_tree_a,
// tvk_tree_b or tvk_max_b by every invocation.
const uint ELEMENTS = GROUP > 128u ? 128u : GROUP;
#ifdef SUBGROUP
// Each subgroup for itself, without a barrier: SUBGROUP_SIZE, 8 .. 128, is a constant of the includer.
const uint SHARES = ELEMENTS / SUBGROUP_SIZE; // elements of an invocation
void tvk_put_a(uint lid, float v) { tvk_scratch_a[lid] = v; }
void tvk_put_b(uint lid, float v) { tvk_scratch_b[lid] = v; }
void tvk_fold_sum_max() {}
void tvk_fold_sums() {}
void tvk_fold_max() {}
float tvk_subgroup_tree(float v[MAX_PARTS])
{
    precise float sum = tvk_tree(v, SHARES);
    [[unroll]] for (uint s = SUBGROUP_SIZE / 2u; s > 0u; s /= 2u)
        sum = sum + subgroupShuffleXor(sum, s); // the same of both, addition commutes
    return sum;
}
float tvk_tree_a()
{
    float v[MAX_PARTS];
    [[unroll]] for (uint i = 0u; i < SHARES; ++i)
        v[i] = tvk_scratch_a[gl_SubgroupInvocationID + SUBGROUP_SIZE * i];
    return tvk_subgroup_tree(v);
}
float tvk_tree_b()
{
    float v[MAX_PARTS];
    [[unroll]] for (uint i = 0u; i < SHARES; ++i)
        v[i] = tvk_scratch_b[gl_SubgroupInvocationID + SUBGROUP_SIZE * i];
    return tvk_subgroup_tree(v);
}
float tvk_max_b()
{
    float m = tvk_scratch_b[gl_SubgroupInvocationID];
    [[unroll]] for (uint i = 1u; i < SHARES; ++i)
        m = max(m, tvk_scratch_b[gl_SubgroupInvocationID + SUBGROUP_SIZE * i]);
    return subgroupMax(m);
}
#else
// Eight invocations add the levels down to eight elements, which are read four at a time.
const uint EIGHTHS = ELEMENTS / 8u; // elements that stand eight apart
shared vec4 tvk_last_a[2];
shared vec4 tvk_last_b[2];

// An invocation's element; a group of eight has the last ones at once.
void tvk_put_a(uint lid, float v)
{
    if (EIGHTHS > 1u) tvk_scratch_a[lid] = v;
    else tvk_last_a[lid / 4u][lid % 4u] = v;
}
void tvk_put_b(uint lid, float v)
{
    if (EIGHTHS > 1u) tvk_scratch_b[lid] = v;
    else tvk_last_b[lid / 4u][lid % 4u] = v;
}

void tvk_eighths_a(uint lid)
{
    float v[MAX_PARTS];
    [[unroll]] for (uint i = 0u; i < EIGHTHS; ++i) v[i] = tvk_scratch_a[lid + 8u * i];
    tvk_last_a[lid / 4u][lid % 4u] = tvk_tree(v, EIGHTHS);
}
void tvk_eighths_b(uint lid)
{
    float v[MAX_PARTS];
    [[unroll]] for (uint i = 0u; i < EIGHTHS; ++i) v[i] = tvk_scratch_b[lid + 8u * i];
    tvk_last_b[lid / 4u][lid % 4u] = tvk_tree(v, EIGHTHS);
}
void tvk_eighths_max(uint lid)
{
    float m = tvk_scratch_b[lid];
    [[unroll]] for (uint i = 1u; i < EIGHTHS; ++i) m = max(m, tvk_scratch_b[lid + 8u * i]);
    tvk_last_b[lid / 4u][lid % 4u] = m;
}
void tvk_fold_sum_max()
{
    uint lid = gl_LocalInvocationIndex;
    if (EIGHTHS == 1u) return;
    if (lid < 8u) {
        tvk_eighths_a(lid);
        tvk_eighths_max(lid);
    }
    barrier();
}
void tvk_fold_sums()
{
    uint lid = gl_LocalInvocationIndex;
    if (EIGHTHS == 1u) return;
    if (lid < 8u) {
        tvk_eighths_a(lid);
        tvk_eighths_b(lid);
    }
    barrier();
}
void tvk_fold_max()
{
    uint lid = gl_LocalInvocationIndex;
    if (EIGHTHS == 1u) return;
    if (lid < 8u) tvk_eighths_max(lid);
    barrier();
}

float tvk_tree8(vec4 low, vec4 high)
{
    precise vec4 s = low + high;
    precise float v = (s.x + s.z) + (s.y + s.w);
    return v;
}
float tvk_tree_a() { return tvk_tree8(tvk_last_a[0], tvk_last_a[1]); }
float tvk_tree_b() { return tvk_tree8(tvk_last_b[0], tvk_last_b[1]); }
float tvk_max_b()
{
    vec4 m = max(tvk_last_b[0], tvk_last_b[1]);
    return max(max(m.x, m.y), max(m.z, m.w));
}
#endif

// sum_tree over 128 elements, and the maximum of one value an invocation; all invocations get both
void tvk_reduce_sum_max(float v[MAX_PARTS], float m, out float sum, out float top)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    tvk_put_a(lid, tvk_tree(v, PARTS));
    tvk_put_b(lid, m);
    barrier();
    tvk_fold_sum_max();
    sum = tvk_tree_a();
    top = tvk_max_b();
}

// two sums side by side; all invocations get both
void tvk_reduce_sums(float v[MAX_PARTS], float w[MAX_PARTS], out float a, out float b)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    tvk_put_a(lid, tvk_tree(v, PARTS));
    tvk_put_b(lid, tvk_tree(w, PARTS));
    barrier();
    tvk_fold_sums();
    a = tvk_tree_a();
    b = tvk_tree_b();
}

// maximum of one value an invocation; all invocations get it
float tvk_reduce_max(float m)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    tvk_put_b(lid, m);
    barrier();
    tvk_fold_max();
    return tvk_max_b();
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
