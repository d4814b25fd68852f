// The half of a row with the largest |y|, exact, the lower index first among equal ones: radix select
// over the key {bits of |y|, ~index}, a byte a pass; the passes over the index run only when equal
// values straddle the border. The includer defines uvec4 tvk_row_bits(c, r): the bits of the four
// values of group c. 1.1 KiB of shared memory.
#ifndef TVK_TOPK_GLSL
#define TVK_TOPK_GLSL

shared uint topk_bins[256];
shared uint topk_sums[16];
shared uint topk_bin, topk_left, topk_done;

// What is above the border, or on it: mask and prefix of {key, ~index}.
struct tvk_border {
    uvec2 mask, prefix;
};

// without the sign 31 bits are left: the first byte is the exponent
uint tvk_topk_key(uint bits)
{
    return bits << 1;
}

bool tvk_topk_kept(tvk_border b, uint bits, uint i)
{
    uint high = tvk_topk_key(bits) & b.mask.x;
    return high > b.prefix.x || (high == b.prefix.x && (~i & b.mask.y) >= b.prefix.y);
}

tvk_border tvk_topk(uint quads, uint keep, float r)
{
    uint lid = gl_LocalInvocationIndex;
    tvk_border b = tvk_border(uvec2(0u), uvec2(0u));
    for (uint pass = 0u; pass < 8u; ++pass) {
        bool index = pass >= 4u;
        uint shift = 24u - 8u * (pass % 4u);
        for (uint i = lid; i < 256u; i += GROUP) topk_bins[i] = 0u;
        barrier();
        for (uint c = lid; c < quads; c += GROUP) {
            uvec4 bits = tvk_row_bits(c, r);
            [[unroll]] for (uint j = 0u; j < 4u; ++j) {
                uint key = tvk_topk_key(bits[j]), low = ~(4u * c + j);
                if ((key & b.mask.x) == b.prefix.x && (low & b.mask.y) == b.prefix.y)
                    atomicAdd(topk_bins[((index ? low : key) >> shift) & 255u], 1u);
            }
        }
        barrier();
        for (uint i = lid; i < 16u; i += GROUP) {
            uint sum = 0u;
            [[unroll]] for (uint n = 0u; n < 16u; ++n) sum += topk_bins[16u * i + n];
            topk_sums[i] = sum;
        }
        barrier();
        if (lid == 0u) {
            uint left = keep, block = 15u;
            while (topk_sums[block] < left) left -= topk_sums[block--];
            uint bin = 16u * block + 15u;
            while (topk_bins[bin] < left) left -= topk_bins[bin--];
            topk_bin = bin;
            topk_left = left;
            topk_done = topk_bins[bin] == left ? 1u : 0u;
        }
        barrier();
        keep = topk_left;
        if (index) {
            b.mask.y |= 255u << shift;
            b.prefix.y |= topk_bin << shift;
        } else {
            b.mask.x |= 255u << shift;
            b.prefix.x |= topk_bin << shift;
        }
        if (topk_done != 0u) break;
    }
    return b;
}

#endif
