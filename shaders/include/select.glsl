// The best TVK_CANDIDATES of a row of logits by (logit descending, id ascending), exact, unordered.
// Radix select by one workgroup over the 64-bit key {ordered logit, ~id}, a byte a pass; the passes
// over the id run only when equal logits straddle the border.
#ifndef TVK_SELECT_GLSL
#define TVK_SELECT_GLSL

const uint MOST_FOUND = 1024u;
// logits an invocation looks at in one turn of a loop: on GPUs as many as shall be on their way
// together; old llvmpipe (Mesa 22.3) ends the loops of an invocation after 65535 turns altogether
const uint TURN = GROUP >= 128u ? 16u : 4u;
shared uint found_key[MOST_FOUND];
shared uint found_id[MOST_FOUND];
shared uint bins[256];
shared uint bin_sums[16];
shared uint picked_bin, picked_left, picked_exact, found_count;

// unsigned order = float order; NaN as -infinity, -0 as +0; never 0
uint tvk_order(uint bits)
{
    if ((bits & 0x7fffffffu) > 0x7f800000u) bits = 0xff800000u;
    if (bits == 0x80000000u) bits = 0u;
    return (bits & 0x80000000u) != 0u ? ~bits : bits | 0x80000000u;
}

float tvk_unorder(uint key)
{
    return uintBitsToFloat((key & 0x80000000u) != 0u ? key & 0x7fffffffu : ~key);
}

// returns the number of candidates; found_key and found_id hold them after a barrier
uint tvk_select(uint base, uint vocab)
{
    uint lid = gl_LocalInvocationIndex;
    if (vocab <= TVK_CANDIDATES) {
        for (uint i = lid; i < vocab; i += GROUP) {
            found_key[i] = tvk_order(logits[base + i]);
            found_id[i] = i;
        }
        return vocab;
    }
    uvec2 mask = uvec2(0u), prefix = uvec2(0u); // .x of the logit, .y of ~id
    uint need = TVK_CANDIDATES;
    for (uint pass = 0u; pass < 8u; ++pass) {
        uint word = pass / 4u, shift = 24u - 8u * (pass % 4u);
        for (uint b = lid; b < 256u; b += GROUP) bins[b] = 0u;
        barrier();
        for (uint turn = lid; turn < vocab; turn += TURN * GROUP) {
            [[unroll]] for (uint n = 0u; n < TURN; ++n) {
                uint i = turn + n * GROUP;
                uint key = tvk_order(logits[base + min(i, vocab - 1u)]);
                if (i < vocab && (key & mask.x) == prefix.x && (~i & mask.y) == prefix.y)
                    atomicAdd(bins[((word == 0u ? key : ~i) >> shift) & 255u], 1u);
            }
        }
        barrier();
        for (uint b = lid; b < 16u; b += GROUP) {
            uint sum = 0u;
            for (uint i = 0u; i < 16u; ++i) sum += bins[16u * b + i];
            bin_sums[b] = sum;
        }
        barrier();
        if (lid == 0u) {
            uint left = need, block = 15u;
            while (bin_sums[block] < left) left -= bin_sums[block--];
            uint bin = 16u * block + 15u;
            while (bins[bin] < left) left -= bins[bin--];
            picked_bin = bin;
            picked_left = left;
            picked_exact = bins[bin] == left ? 1u : 0u;
        }
        barrier();
        need = picked_left;
        if (word == 0u) {
            mask.x |= 255u << shift;
            prefix.x |= picked_bin << shift;
        } else {
            mask.y |= 255u << shift;
            prefix.y |= picked_bin << shift;
        }
        if (picked_exact != 0u) break;
    }
    if (lid == 0u) found_count = 0u;
    barrier();
    for (uint turn = lid; turn < vocab; turn += TURN * GROUP) {
        [[unroll]] for (uint n = 0u; n < TURN; ++n) {
            uint i = turn + n * GROUP;
            uint key = tvk_order(logits[base + min(i, vocab - 1u)]);
            uint high = key & mask.x;
            if (i < vocab && (high > prefix.x || (high == prefix.x && (~i & mask.y) >= prefix.y))) {
                uint at = atomicAdd(found_count, 1u);
                if (at < TVK_CANDIDATES) {
                    found_key[at] = key;
                    found_id[at] = i;
                }
            }
        }
    }
    return TVK_CANDIDATES;
}

#endif
