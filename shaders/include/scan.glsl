// Exclusive prefix sum over the workgroup, any size up to 1024.
#ifndef TVK_SCAN_GLSL
#define TVK_SCAN_GLSL

const uint SCAN_RUN = GROUP < 16u ? GROUP : 16u; // invocations that add among themselves first
const uint SCAN_RUNS = (GROUP + SCAN_RUN - 1u) / SCAN_RUN;

shared int tvk_scan_values[SCAN_RUN * SCAN_RUNS];
shared int tvk_scan_sums[SCAN_RUNS];

// Sum of the values of the invocations before this one; total: of all. Begins and ends such that
// memory shared by the caller is ordered by it.
int tvk_scan_int(int v, out int total)
{
    uint lid = gl_LocalInvocationIndex;
    uint run = lid / SCAN_RUN;
    int before = 0, sum = 0;
    barrier();
    tvk_scan_values[lid] = v;
    barrier();
    [[unroll]] for (uint i = 0u; i < SCAN_RUN; ++i) {
        uint other = run * SCAN_RUN + i;
        int w = other < GROUP ? tvk_scan_values[other] : 0;
        before += other < lid ? w : 0;
        sum += w;
    }
    total = sum;
    if (SCAN_RUNS > 1u) {
        if (lid % SCAN_RUN == 0u) tvk_scan_sums[run] = sum;
        barrier();
        total = 0;
        for (uint r = 0u; r < SCAN_RUNS; ++r) {
            int w = tvk_scan_sums[r];
            before += r < run ? w : 0;
            total += w;
        }
    }
    return before;
}

#endif
