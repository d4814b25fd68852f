// The half of a row with the largest |y|, exact, the lower index first among equal ones: radix select
// over the key top - |y| (of the bits; 0 is the largest value), eight bits a pass. The first pass
// looks at the 16 octaves below the top, 16 bins each, so that a histogram's bins fill evenly; what is
// smaller has code 0, kept or not (INT8: |y| < top / 254), so that a border down there keeps all.
// Passes over the index follow only when equal values straddle the border.
// The includer defines uvec4 tvk_row_bits(c, r): the bits of the four values of group c.
// Histograms take turns: one is counted, one was read before the last barrier and is cleared.
// 3.1 KiB of shared memory.
#ifndef TVK_TOPK_GLSL
#define TVK_TOPK_GLSL

const uint TOPK_BINS = 256u;
shared uint topk_bins[3u * TOPK_BINS];

// Kept: keys below `key`, and the same one at indices below `index`.
struct tvk_border {
    uint top, key, index;
};

uint tvk_topk_key(uint top, uint bits)
{
    return top - (bits & 0x7fffffffu);
}

bool tvk_topk_kept(tvk_border b, uint bits, uint i)
{
    uint key = tvk_topk_key(b.top, bits);
    return key < b.key || (key == b.key && i < b.index);
}

// The bin that holds the left-th value of the histogram at `at`; before: values in lower bins.
shared uint topk_sums[16];
shared uint topk_bin, topk_before;
void topk_find(uint at, uint left, out uint bin, out uint before)
{
    uint lid = gl_LocalInvocationIndex;
    for (uint i = lid; i < 16u; i += GROUP) {
        uint sum = 0u;
        [[unroll]] for (uint n = 0u; n < 16u; ++n) sum += topk_bins[at + 16u * i + n];
        topk_sums[i] = sum;
    }
    barrier();
    if (lid == 0u) {
        uint above = 0u, block = 0u;
        while (block < 15u && above + topk_sums[block] < left) above += topk_sums[block++];
        uint d = 16u * block;
        while (d < TOPK_BINS - 1u && above + topk_bins[at + d] < left) above += topk_bins[at + d++];
        topk_bin = d;
        topk_before = above;
    }
    barrier();
    bin = topk_bin;
    before = topk_before;
}

// What a pass looks at: keys, or indices of values whose key is `equal`, in [begin, begin + span).
struct topk_pass {
    uint at, begin, span, shift, equal;
    bool index;
};

void topk_count(topk_pass s, uvec4 keys, uint c)
{
    [[unroll]] for (uint j = 0u; j < 4u; ++j) {
        uint v = (s.index ? 4u * c + j : keys[j]) - s.begin;
        if (v < s.span && (!s.index || keys[j] == s.equal))
            atomicAdd(topk_bins[s.at + min(v >> s.shift, TOPK_BINS - 1u)], 1u);
    }
}

uvec4 topk_keys(uint top, uint c, float r)
{
    uvec4 bits = tvk_row_bits(c, r);
    return uvec4(top) - (bits & 0x7fffffffu);
}

// largest: the largest |y| of the row
tvk_border tvk_topk(uint quads, uint keep, float r, float largest)
{
    uint lid = gl_LocalInvocationIndex, top = floatBitsToUint(largest), left = keep;
    tvk_border b = tvk_border(top, 0x80000000u, 0u); // keeps all
    topk_pass s = topk_pass(0u, 0u, 0xffffffffu, 19u, 0u, false);
    for (uint i = lid; i < 2u * TOPK_BINS; i += GROUP) topk_bins[i] = 0u;
    barrier();
    for (uint pass = 0u; pass < 8u; ++pass) {
        uint bin, before;
        for (uint c = lid; c < quads; c += GROUP) topk_count(s, topk_keys(top, c, r), c);
        barrier();
        uint old = (pass + 2u) % 3u * TOPK_BINS;
        for (uint i = lid; i < TOPK_BINS; i += GROUP) topk_bins[old + i] = 0u;
        topk_find(s.at, left, bin, before);
        uint count = topk_bins[s.at + bin];
        left -= before;
        s.at = (pass + 1u) % 3u * TOPK_BINS;
        s.begin += bin << s.shift;
        if (!s.index && pass == 0u && bin == TOPK_BINS - 1u) break;
        if (count == left) { // the whole bin
            if (s.index) {
                b.index = s.begin + (1u << s.shift);
            } else {
                b.key = s.begin + (1u << s.shift);
            }
            break;
        }
        if (!s.index && s.shift == 0u) {
            b.key = s.equal = s.begin;
            s = topk_pass(s.at, 0u, 4u * quads, uint(max(findMSB(4u * quads) - 7, 0)), b.key, true);
        } else {
            s.span = 1u << s.shift;
            s.shift -= min(s.shift, 8u);
        }
    }
    return b;
}

#endif
