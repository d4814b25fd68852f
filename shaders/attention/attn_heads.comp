// attn_token.comp for f16 where a workgroup attends with several heads of a KV head: K and V of a chunk
// are read once and wait in shared memory. While there are few chunks each head has a workgroup, so that
// a GPU is filled; beyond, a block of heads. Of a block the workgroup that ends last merges the chunks.
// Loops are short, for code too is read from memory: a layer's kernels do not stay in a GPU's caches.
// The same bits.
// bindings: 0 state; at p.merge_word a counter a row and head, 0 between steps
//           1 rope table [context, rotary/2] {cos, sin} | 2 pool: pages of K, then V
//           3 work: Q K V f32 [T, (H + 2 G) D] | at p.out_vec4 the output [T, H, D] | at p.partials_vec4
//           [T, H, max_chunks, 4 + D]
// workgroup (chunk, head or block of SHARE heads: TVK_AXIS_BLOCKS, row)
// constants: 0-2 workgroup size (x: a multiple of 128, at least 2 D), 3 QUADS: D / 4, 4 SHARE: up to 4,
//            5 INTERLEAVED: pairs of RoPE are neighbours, 6 BLOCKS of a KV head, 7 STEP: groups of four
//            dimensions a turn of the scores, divides QUADS
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"
#define FRESH
#define WORK vec2
#include "kv_plain.glsl"

// Q, K and V of the row, which an earlier dispatch wrote
layout(set = 0, binding = 3, std430) readonly buffer Row { vec2 projected[]; };
// K and V of a chunk are whole vectors of 16 bytes, whatever D is
layout(set = 0, binding = 2, std430) readonly buffer Wide { uvec4 wide[]; };

layout(constant_id = 3) const uint QUADS = 32u;
layout(constant_id = 4) const uint SHARE = 4u;
layout(constant_id = 5) const uint INTERLEAVED = 0u;
layout(constant_id = 6) const uint BLOCKS = 1u;
layout(constant_id = 7) const uint STEP = 8u;

const uint WORDS = 2u * QUADS; // of a row: two values each
const uint STRIDE = (QUADS + 1u) / 2u | 1u; // from row to row of the tile: odd, for its banks
const uint WIDE = TVK_CHUNK * QUADS / 2u;    // vectors of K or V of a chunk
const uint LOADS = (WIDE + GROUP - 1u) / GROUP;
const uint TURNED = ((SHARE + 1u) * WORDS + GROUP - 1u) / GROUP; // words of Q and K an invocation turns
const uint PASSES = (SHARE * TVK_CHUNK + GROUP - 1u) / GROUP; // over a head's positions each
const uint SETS = GROUP / (4u * WORDS);         // heads whose values are summed side by side
const uint EACH = (SHARE + SETS - 1u) / SETS;   // of them an invocation sums, so that it reads V once
const uint LINES = TVK_CHUNK / 4u; // vectors of the scores of a head
const uint QUARTER = 10u; // vectors of a quarter of the weights: two more than it has, for their banks
const uint CHUNK_PAIRS = 2u * (1u + QUADS); // of a chunk of a head in the partials
const uint AHEAD = 8u; // chunks of a merge whose outputs are on their way
const uint MERGED = 1u + (TVK_CHUNK - 1u) / AHEAD * AHEAD; // chunks whose weights lie in the tile at once
const uint TILE = TVK_CHUNK * (STRIDE > SHARE ? STRIDE : SHARE);
const uint SCRATCH = 4u * QUADS > QUADS + LINES ? 4u * QUADS : QUADS + LINES;

shared uvec4 tile[TILE]; // K of the chunk, then V; then of a merge {m, l, weights}
shared vec4 scratch[SHARE * SCRATCH];  // queries and scores, then the four sums of the values
shared vec4 weights[SHARE * 4u * QUARTER]; // of position j: quarter j % 4, place j / 4
shared vec4 tops[SHARE * 2u]; // maxima of sixteen scores each
shared vec4 sums[SHARE * 2u]; // sum_tree of the weights down to eight elements
shared float running[2u * SHARE]; // maximum of the chunks merged so far, by turns
shared uint arrived;

const uint SCORES = SHARE * QUADS; // in scratch, behind the queries

float top_of(uint h)
{
    vec4 a = max(tops[2u * h], tops[2u * h + 1u]);
    return max(max(a.x, a.y), max(a.z, a.w));
}

float sum_of(uint h)
{
    precise vec4 a = sums[2u * h] + sums[2u * h + 1u];
    precise float s = (a.x + a.z) + (a.y + a.w);
    return s;
}

// ---- RoPE ----

bool second(uint i) { return INTERLEAVED != 0u ? i % 2u == 1u : 2u * i >= p.rotary; }

// the dimension that i turns with; itself behind the rotary ones
uint partner(uint i)
{
    if (i >= p.rotary) return i;
    if (INTERLEAVED != 0u) return i ^ 1u;
    return second(i) ? i - p.rotary / 2u : i + p.rotary / 2u;
}

float turned(uint i, float own, float other, uint position)
{
    if (i >= p.rotary) return own;
    vec2 turn = table[position * (p.rotary / 2u) + (INTERLEAVED != 0u ? i / 2u : min(i, partner(i)))];
    precise float plain = own * turn.x, crossed = other * turn.y;
    precise float y = second(i) ? plain + crossed : plain - crossed;
    return y;
}

// ---- a chunk ----

// Two groups of four values of K or V into the tile; zeros past `stored`, whose own row comes from elsewhere.
void put_quad(uint quad, uvec2 bits, uint stored)
{
    uint row = quad / QUADS, c = quad % QUADS, at = row * STRIDE + c / 2u;
    if (row == stored) return;
    if (row > stored) bits = uvec2(0u);
    if (c % 2u == 0u)
        tile[at].xy = bits;
    else
        tile[at].zw = bits;
}

void put(uint item, uvec4 bits, uint stored)
{
    if (QUADS % 2u == 0u) { // both of one row, at the same place of it
        uint row = item / (QUADS / 2u);
        if (row != stored) tile[row * STRIDE + item % (QUADS / 2u)] = row < stored ? bits : uvec4(0u);
        return;
    }
    put_quad(2u * item, bits.xy, stored);
    put_quad(2u * item + 1u, bits.zw, stored);
}

void score(uint n, uint valid)
{
    uint j = gl_LocalInvocationIndex % TVK_CHUNK;
    [[dont_unroll]] for (uint pass = 0u; pass < PASSES; ++pass) {
        uint h = (gl_LocalInvocationIndex + GROUP * pass) / TVK_CHUNK;
        if (h >= n) break;
        float s = uintBitsToFloat(0xff800000u);
        if (j < valid) {
            precise vec4 a = vec4(0.0);
            [[dont_unroll]] for (uint first = 0u; first < p.d / 4u; first += STEP) {
                [[unroll]] for (uint i = 0u; i < STEP; ++i) {
                    // where turns are even, two groups are one load
                    uint c = first + i, half_of = STEP % 2u == 0u ? i % 2u : c % 2u;
                    uvec4 two = tile[j * STRIDE + (STEP % 2u == 0u ? first / 2u + i / 2u : c / 2u)];
                    uvec2 k = half_of == 0u ? two.xy : two.zw;
                    a = a + scratch[h * QUADS + c] * vec4(unpackHalf2x16(k.x), unpackHalf2x16(k.y));
                }
            }
            precise float sum = ((a.x + a.y) + (a.z + a.w)) * p.scale;
            s = sum;
        }
        scratch[SCORES + h * LINES + j / 4u][j % 4u] = s;
    }
}

void fold_tops(uint n)
{
    uint i = gl_LocalInvocationIndex;
    if (i < 8u * n) {
        uint at = SCORES + 4u * i;
        vec4 a = max(max(scratch[at], scratch[at + 1u]), max(scratch[at + 2u], scratch[at + 3u]));
        tops[i / 4u][i % 4u] = max(max(a.x, a.y), max(a.z, a.w));
    }
}

void weigh(uint n, uint valid)
{
    uint j = gl_LocalInvocationIndex % TVK_CHUNK;
    [[dont_unroll]] for (uint pass = 0u; pass < PASSES; ++pass) {
        uint h = (gl_LocalInvocationIndex + GROUP * pass) / TVK_CHUNK;
        if (h >= n) break;
        precise float shifted = scratch[SCORES + h * LINES + j / 4u][j % 4u] - top_of(h);
        weights[(4u * h + j % 4u) * QUARTER + j / 16u][j / 4u % 4u] = j < valid ? tvk_exp(shifted) : 0.0;
    }
}

// levels of sum_tree over elements eight apart, by the last invocations
void fold_sums(uint n)
{
    uint i = GROUP - 1u - gl_LocalInvocationIndex;
    if (i < 8u * n) {
        uint at = (i / 8u * 4u + i % 4u) * QUARTER, odd = i / 4u % 2u; // of position i % 8 + 8 k
        float v[16];
        [[unroll]] for (uint k = 0u; k < 16u; ++k) v[k] = weights[at + k / 2u][odd + k % 2u * 2u];
        [[unroll]] for (uint s = 8u; s > 0u; s /= 2u) {
            [[unroll]] for (uint k = 0u; k < s; ++k) {
                precise float sum = v[k] + v[k + s];
                v[k] = sum;
            }
        }
        sums[i / 4u][i % 4u] = v[0];
    }
}

// The four sums of each dimension. Weights and values past `valid` are 0, which adds nothing.
void add_values(uint n, uint valid)
{
    uint lid = gl_LocalInvocationIndex, word = lid % WORDS, quarter = lid / WORDS % 4u;
    uint first = lid / (4u * WORDS), at[EACH];
    precise vec2 acc[EACH];
    if (first >= min(SETS, n)) return;
    [[unroll]] for (uint e = 0u; e < EACH; ++e) {
        at[e] = (4u * min(first + e * SETS, n - 1u) + quarter) * QUARTER;
        acc[e] = vec2(0.0);
    }
    [[dont_unroll]] for (uint i = 0u; 4u * i < valid; i += 8u) {
        [[unroll]] for (uint k = 0u; k < 8u; ++k) {
            uint row = quarter + 4u * (i + k);
            vec2 value = unpackHalf2x16(tile[row * STRIDE + word / 4u][word % 4u]);
            [[unroll]] for (uint e = 0u; e < EACH; ++e)
                acc[e] = acc[e] + weights[at[e] + i / 4u + k / 4u][k % 4u] * value;
        }
    }
    [[unroll]] for (uint e = 0u; e < EACH; ++e) {
        if (first + e * SETS >= n) break;
        uint to = (4u * (first + e * SETS) + quarter) * QUADS + word / 2u;
        scratch[to][2u * (word % 2u)] = acc[e].x;
        scratch[to][2u * (word % 2u) + 1u] = acc[e].y;
    }
}

// ---- merge ----

// {m, l} of the chunks of n heads and their weights {a, b}; behind them weights that change nothing, up to one
// chunk and whole turns of AHEAD. turn: where `running` has the maximum so far, but at the start
void merge_weights(uint from, uint apart, uint n, uint count, uint turn, bool start)
{
    uint padded = 1u + max((count + AHEAD - 2u) / AHEAD, 1u) * AHEAD;
    [[dont_unroll]] for (uint pass = 0u; pass < PASSES; ++pass) {
        uint i = gl_LocalInvocationIndex + GROUP * pass, c = i % TVK_CHUNK;
        if (i < n * TVK_CHUNK && c < padded)
            tile[i].xy =
                c < count ? floatBitsToUint(work[from + i / TVK_CHUNK * apart + c * CHUNK_PAIRS]) : uvec2(0u);
    }
    barrier();
    [[dont_unroll]] for (uint pass = 0u; pass < PASSES; ++pass) {
        uint i = gl_LocalInvocationIndex + GROUP * pass, h = i / TVK_CHUNK, c = i % TVK_CHUNK;
        uint first = h * TVK_CHUNK;
        if (h >= n || c >= padded) continue;
        precise vec2 ab = vec2(1.0, 0.0);
        if (c < count) {
            float before = start ? uintBitsToFloat(tile[first].x) : running[turn * SHARE + h];
            for (uint k = first; k < i; k += 8u) {
                [[unroll]] for (uint s = 0u; s < 8u; ++s)
                    before = max(before, uintBitsToFloat(tile[min(k + s, i - 1u)].x));
            }
            float m = uintBitsToFloat(tile[i].x), top = max(before, m);
            precise float to_old = before - top, to_new = m - top;
            ab = vec2(tvk_exp(to_old), tvk_exp(to_new));
            if (c + 1u == count) running[(turn ^ 1u) * SHARE + h] = top;
        }
        tile[i].zw = floatBitsToUint(ab);
    }
    barrier();
}

void add_chunk(inout vec2 o, inout float l, uint at, vec2 values)
{
    vec4 mlab = uintBitsToFloat(tile[at]);
    precise float sum = l * mlab.z + mlab.y * mlab.w;
    precise vec2 with = o * mlab.z + values * mlab.w;
    l = sum;
    o = with;
}

// The chunks of n heads from `head` on, two dimensions an invocation. The first chunk is taken as it is: to
// nothing with the weight 1.
void merge(uint head, uint n, uint chunks)
{
    uint apart = p.max_chunks * CHUNK_PAIRS, from = 2u * p.partials_vec4 + head * apart;
    // invocations beyond the dimensions walk along with the last head's
    uint h = min(gl_LocalInvocationIndex / WORDS, n - 1u), w = gl_LocalInvocationIndex % WORDS;
    precise vec2 o = vec2(0.0);
    precise float l = 0.0;
    uint turn = 0u;
    for (uint begin = 0u; begin < chunks; begin += MERGED) {
        uint count = min(MERGED, chunks - begin), here = from + begin * CHUNK_PAIRS;
        uint own = here + h * apart + 2u + w;
        if (begin > 0u) barrier();
        vec2 first = work[own];
        for (uint k = 1u; k == 1u || k < count; k += AHEAD) {
            vec2 next[AHEAD];
            [[unroll]] for (uint c = 0u; c < AHEAD; ++c)
                next[c] = work[own + min(k + c, count - 1u) * CHUNK_PAIRS];
            if (k == 1u) {
                merge_weights(here, apart, n, count, turn, begin == 0u);
                add_chunk(o, l, h * TVK_CHUNK, first);
            }
            [[unroll]] for (uint c = 0u; c < AHEAD; ++c) add_chunk(o, l, h * TVK_CHUNK + k + c, next[c]);
        }
        turn ^= 1u;
    }
    if (gl_LocalInvocationIndex >= n * WORDS) return;
    precise float inv = tvk_rcp(l);
    precise vec2 v = o * inv;
    work[2u * p.out_vec4 + (head + h) * WORDS + w] = v;
}

// ---- a workgroup ----

// Sums of the values and, of a chunk that is not alone, what the merge needs.
void finish(uint head, uint n, uint chunk, uint chunks)
{
    uint i = gl_LocalInvocationIndex, h = i / WORDS, w = i % WORDS;
    uint at = 4u * h * QUADS + w / 2u, of = 2u * (w % 2u);
    if (h >= n) return;
    vec2 s[4];
    [[unroll]] for (uint k = 0u; k < 4u; ++k)
        s[k] = vec2(scratch[at + k * QUADS][of], scratch[at + k * QUADS][of + 1u]);
    precise vec2 o = (s[0] + s[1]) + (s[2] + s[3]);
    float sum = sum_of(h);
    if (chunks == 1u) {
        precise float inv = tvk_rcp(sum);
        precise vec2 v = o * inv;
        work[2u * p.out_vec4 + head * WORDS + i] = v;
        return;
    }
    uint to = 2u * p.partials_vec4 + ((head + h) * p.max_chunks + chunk) * CHUNK_PAIRS;
    if (w == 0u) work[to] = vec2(top_of(h), sum);
    work[to + 2u + w] = o;
}

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint chunk = gl_WorkGroupID.x, t = gl_WorkGroupID.z;
    uint n = gl_NumWorkGroups.y == p.heads ? 1u : SHARE;
    uint head = gl_WorkGroupID.y * n, g = head / (SHARE * BLOCKS);
    uint from = t * (p.heads + 2u * p.kv_heads) * WORDS; // of the row's Q, K and V
    uint counter = t * p.heads + head;                   // the place of the first head in all that follows

    // what depends on nothing: the row's place and values, and the page if rows are in the order of slots
    uint rows = state[TVK_STATE_COUNT], place = TVK_STATE_ROWS + TVK_ROW_WORDS * t;
    uint slot = state[place], position = state[place + 1u];
    uint page = state[p.pages_word + t * p.max_pages + chunk];
    vec2 own[TURNED], other[TURNED];
    [[unroll]] for (uint i = 0u; i < TURNED; ++i) {
        uint item = lid + GROUP * i, r = min(item / WORDS, n), d = 2u * (item % WORDS);
        uint at = from + (r < n ? head + r : p.heads + g) * WORDS, a = partner(d), b = partner(d + 1u);
        own[i] = projected[at + d / 2u];
        other[i] = vec2(projected[at + a / 2u][a % 2u], projected[at + b / 2u][b % 2u]);
    }
    if (t >= rows) return;
    uint last = position / TVK_CHUNK, chunks = min(last + 1u, p.max_chunks);
    if (chunk >= chunks) return;
    bool fresh = chunk == last;
    uint stored = fresh ? position % TVK_CHUNK : TVK_CHUNK; // positions in the pool
    uint valid = fresh ? stored + 1u : TVK_CHUNK;
    uint filled = min(WIDE, (valid + 31u) / 32u * 16u * QUADS); // vectors of rows that are read
    if (slot != t) page = state[p.pages_word + slot * p.max_pages + chunk];
    uint keys = page * (p.page_words / QUADS_A_WORD) + g * TVK_CHUNK * QUADS;
    uint values = keys + p.kv_heads * TVK_CHUNK * QUADS;

    uvec4 k[LOADS], v[LOADS];
    [[unroll]] for (uint i = 0u; i < LOADS; ++i) {
        uint item = lid + GROUP * i;
        if (2u * item < stored * QUADS) k[i] = wide[keys / 2u + item];
    }

    bool store = fresh && head % (SHARE * BLOCKS) == 0u; // one workgroup a KV head
    [[unroll]] for (uint i = 0u; i < TURNED; ++i) {
        uint item = lid + GROUP * i, r = item / WORDS, w = item % WORDS;
        if (r > n || (r == n && !fresh)) continue;
        vec2 y = vec2(turned(2u * w, own[i].x, other[i].x, position),
                      turned(2u * w + 1u, own[i].y, other[i].y, position));
        if (r < n) {
            scratch[r * QUADS + w / 2u][2u * (w % 2u)] = y.x;
            scratch[r * QUADS + w / 2u][2u * (w % 2u) + 1u] = y.y;
            continue;
        }
        uint bits = packHalf2x16(y);
        tile[stored * STRIDE + w / 4u][w % 4u] = bits;
        if (store) pool[keys + stored * QUADS + w / 2u][w % 2u] = bits;
    }
    [[unroll]] for (uint i = 0u; i < LOADS; ++i) {
        uint item = lid + GROUP * i;
        if (item < filled) put(item, k[i], stored);
    }
    barrier();
    score(n, valid);
    vec2 added = projected[from + (p.heads + p.kv_heads + g) * WORDS + lid % WORDS];
    // No earlier: with K and V on their way together a workgroup of 512 takes more than half of the registers
    // of an NVIDIA multiprocessor, and each of more workgroups than there are of those waits for another to end.
    [[unroll]] for (uint i = 0u; i < LOADS; ++i) {
        uint item = lid + GROUP * i;
        if (2u * item < stored * QUADS) v[i] = wide[values / 2u + item];
    }
    barrier();
    fold_tops(n);
    [[unroll]] for (uint i = 0u; i < LOADS; ++i) {
        uint item = lid + GROUP * i;
        if (item < filled) put(item, v[i], stored);
    }
    if (fresh && lid < WORDS) {
        uint bits = packHalf2x16(added);
        tile[stored * STRIDE + lid / 4u][lid % 4u] = bits;
        if (store) pool[values + stored * QUADS + lid / 2u][lid % 2u] = bits;
    }
    barrier();
    weigh(n, valid);
    barrier();
    add_values(n, valid);
    fold_sums(n);
    barrier();
    finish(counter, n, chunk, chunks);
    if (chunks == 1u) return;
    memoryBarrierBuffer();
    barrier();
    if (lid == 0u) arrived = atomicAdd(state[p.merge_word + counter], 1u);
    barrier();
    if (arrived + 1u != chunks) return;
    memoryBarrierBuffer();
    if (lid == 0u) state[p.merge_word + counter] = 0u;
    merge(counter, n, chunks);
}
