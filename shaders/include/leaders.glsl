// The best logits of a row by several workgroups. Each tells the largest logit of every segment, which
// is what one of its invocations reads, and the best of its own; the workgroup that ends last has the
// best of the row by that, and every candidate for the best TVK_CANDIDATES: so many largest logits of
// segments bound them from below, and segments whose own is not among these are not read again.
// p.blocks workgroups a row, p.quads groups of four logits a segment. The includer defines MOST_BLOCKS.
// Needs select.glsl; bindings `logits`, `logit_quads`, `leaders`.
#ifndef TVK_LEADERS_GLSL
#define TVK_LEADERS_GLSL

const uint AHEAD = GROUP >= 128u ? 4u : 1u; // loads on their way together
const uint FOLD = 8u;
const uint MOST_LISTED = 512u; // segments that are read again

shared uint listed[MOST_LISTED];
shared uint listed_count;

// of a row: the largest key of each segment, then {key, id} of each block
uint leader_words() { return p.blocks * (GROUP + 2u); }

// keys of group `quad` of the row at word `base`; 0 past its end
uvec4 keys_of(uint base, uint quad)
{
    uvec4 bits, keys;
    if (p.vocab % 4u == 0u && base % 4u == 0u)
        bits = logit_quads[base / 4u + min(quad, p.vocab / 4u - 1u)];
    else
        [[unroll]] for (uint j = 0u; j < 4u; ++j) bits[j] = logits[base + min(4u * quad + j, p.vocab - 1u)];
    [[unroll]] for (uint j = 0u; j < 4u; ++j) keys[j] = 4u * quad + j < p.vocab ? tvk_order(bits[j]) : 0u;
    return keys;
}

// group n of a segment
uint quad_of(uint segment, uint n)
{
    return (segment / GROUP * p.quads + n) * GROUP + segment % GROUP;
}

void load_turn(uint base, uint segment, uint turn, out uvec4 keys[AHEAD])
{
    [[unroll]] for (uint n = 0u; n < AHEAD; ++n)
        keys[n] = keys_of(base, quad_of(segment, min(turn + n, p.quads - 1u)));
}

// best {key, id} of a segment, whose first groups are loaded
uvec2 lead(uint base, uint segment, uvec4 keys[AHEAD])
{
    uvec2 best = uvec2(0u, 0xffffffffu);
    for (uint turn = 0u; turn < p.quads; turn += AHEAD) {
        if (turn > 0u) load_turn(base, segment, turn, keys);
        [[unroll]] for (uint n = 0u; n < AHEAD; ++n) {
            uint id = 4u * quad_of(segment, min(turn + n, p.quads - 1u));
            [[unroll]] for (uint j = 0u; j < 4u; ++j)
                if (keys[n][j] > best.x) best = uvec2(keys[n][j], id + j);
        }
    }
    return best;
}

// best of found[0 .. count) for all invocations
uvec2 fold_found(uint count)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    for (uint n = count, m; n > 1u; n = m) {
        m = (n + FOLD - 1u) / FOLD;
        if (lid < m) {
            uvec2 best = uvec2(found_key[lid], found_id[lid]);
            for (uint i = 1u; i < FOLD; ++i) {
                uint at = min(lid + m * i, n - 1u);
                uint key = found_key[at], id = found_id[at];
                if (key > best.x || (key == best.x && id < best.y)) best = uvec2(key, id);
            }
            found_key[lid] = best.x;
            found_id[lid] = best.y;
        }
        barrier();
    }
    return uvec2(found_key[0], found_id[0]);
}

// What a workgroup tells of its block.
void tell(uint at, uint block, uvec2 best)
{
    uint lid = gl_LocalInvocationIndex;
    uint own = at + p.blocks * GROUP + 2u * block;
    leaders[at + block * GROUP + lid] = best.x;
    found_key[lid] = best.x;
    found_id[lid] = best.y;
    best = fold_found(GROUP);
    if (lid == 0u) {
        leaders[own] = best.x;
        leaders[own + 1u] = best.y;
    }
}

// {key, id} of the best logit of the row, of what all have told
uvec2 tvk_best(uint at)
{
    uint lid = gl_LocalInvocationIndex;
    barrier();
    for (uint b = lid; b < p.blocks; b += GROUP) {
        uint told = at + p.blocks * GROUP + 2u * b;
        found_key[b] = leaders[told];
        found_id[b] = leaders[told + 1u];
    }
    return fold_found(p.blocks);
}

// Where bins[0 .. 255], added up from 0 on, reach `need`: {bin, what it lacks before that bin}
uvec2 reach_bin(uint need)
{
    uint lid = gl_LocalInvocationIndex;
    for (uint b = lid; b < 16u; b += GROUP) {
        uint sum = 0u;
        for (uint i = 0u; i < 16u; ++i) sum += bins[16u * b + i];
        bin_sums[b] = sum;
    }
    barrier();
    uint bin = 0u, left = need;
    for (; bin < 240u && bin_sums[bin / 16u] < left; bin += 16u) left -= bin_sums[bin / 16u];
    for (uint last = bin + 15u; bin < last && bins[bin] < left; ++bin) left -= bins[bin];
    return uvec2(bin, left);
}

// Lists segments whose largest logit is so near to the row's that TVK_CANDIDATES of them are. Returns the
// largest distance of a candidate from the best key `top`; listed_count > MOST_LISTED: too many are.
uint list_segments(uint at, uint top)
{
    uint lid = gl_LocalInvocationIndex;
    uint held[MOST_BLOCKS], mask = 0u, prefix = 0u, need = TVK_CANDIDATES, bound = 0u, count;
    [[unroll]] for (uint h = 0u; h < MOST_BLOCKS; ++h)
        held[h] = h < p.blocks ? leaders[at + h * GROUP + lid] : 0u;
    for (uint pass = 0u; pass < 4u; ++pass) {
        uint shift = 24u - 8u * pass;
        barrier();
        for (uint b = lid; b < 256u; b += GROUP) bins[b] = 0u;
        barrier();
        [[unroll]] for (uint h = 0u; h < MOST_BLOCKS; ++h) {
            uint apart = top - held[h];
            if (held[h] != 0u && (apart & mask) == prefix) atomicAdd(bins[(apart >> shift) & 255u], 1u);
        }
        barrier();
        uvec2 found = reach_bin(need);
        need = found.y;
        bound = prefix | found.x << shift | ((1u << shift) - 1u);
        prefix |= found.x << shift;
        mask |= 255u << shift;
        count = TVK_CANDIDATES - need + bins[found.x];
        if (count <= MOST_LISTED) break;
    }
    if (lid == 0u) {
        listed_count = count <= MOST_LISTED ? 0u : count;
        found_count = 0u;
    }
    barrier();
    if (count > MOST_LISTED) return bound;
    [[unroll]] for (uint h = 0u; h < MOST_BLOCKS; ++h)
        if (held[h] != 0u && top - held[h] <= bound)
            listed[atomicAdd(listed_count, 1u)] = h * GROUP + lid;
    barrier();
    return bound;
}

// At least the best TVK_CANDIDATES of the row into found_key and found_id; returns how many, after a
// barrier. 0: they are too many (equal logits), or the row is too short.
uint tvk_gather(uint base, uint at, uint top)
{
    uint lid = gl_LocalInvocationIndex;
    // so many segments have a logit
    if (p.blocks * GROUP < TVK_CANDIDATES || p.vocab < 4u * p.quads * TVK_CANDIDATES) return 0u;
    uint bound = list_segments(at, top);
    if (listed_count > MOST_LISTED) return 0u;
    for (uint i = lid; i < listed_count * p.quads; i += GROUP) {
        uint quad = quad_of(listed[i / p.quads], i % p.quads);
        uvec4 keys = keys_of(base, quad);
        [[unroll]] for (uint j = 0u; j < 4u; ++j) {
            if (keys[j] == 0u || top - keys[j] > bound) continue;
            uint place = atomicAdd(found_count, 1u);
            if (place >= MOST_FOUND) continue;
            found_key[place] = keys[j];
            found_id[place] = 4u * quad + j;
        }
    }
    barrier();
    return found_count <= MOST_FOUND ? found_count : 0u;
}

#endif
