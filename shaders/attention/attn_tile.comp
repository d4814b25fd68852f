// Attention of a head of sixteen rows, chunk after chunk: the bits of attn_rows. Rows of one session
// go through its chunks together, so that a key or a value that was loaded serves all of them; rows
// of another session follow after them.
// bindings: 0 state | 1 qkv [T, q_stride] f32, Q first | 2 pool: pages of K, then V
//           3 out [T, o_stride] f32
// workgroup (head, block of rows), the last rows first: they have the longest way
// constants: 0-2 workgroup size (128 or 256, 1, 1), 3 SPAN rows an invocation sums values for: the
//            least power of two with 16 / SPAN D / 4 <= GROUP, 4 WORK vec4 of shared memory: 290 or more
// needs: nothing
#version 450
#include "prelude.glsl"
#include "exact.glsl"
#include "kv_plain.glsl"

layout(constant_id = 3) const uint SPAN = 4u;
layout(constant_id = 4) const uint WORK = 290u;

layout(set = 0, binding = 3, std430) writeonly buffer Out { vec4 result[]; };

const uint ROWS = 16u;      // of a block
const uint OWN = ROWS * 32u / GROUP; // rows an invocation makes four scores each for
const uint SHARE = 8u;      // invocations that share a row's softmax
const uint ITEMS = TVK_CHUNK / SHARE;
const uint APART = 145u;    // keys and queries of a group of four dimensions; odd: other banks
const uint SLICE = WORK / APART;
const uint WEIGHTS = TVK_CHUNK / 4u + 2u; // a row's
const uint NO_SLOT = 0xffffffffu;

shared vec4 work[WORK];               // K and Q, then V, of a part of the chunk
shared vec4 weights[ROWS * WEIGHTS];  // scores, then what values are multiplied by
shared float parts[ROWS * SHARE];
shared uvec2 places[ROWS];            // {slot, position}
shared vec2 running[ROWS];            // {m, l} up to now
shared vec2 factors[ROWS];            // of what was there and of what is new

float lowest() { return uintBitsToFloat(0xff800000u); }

// positions of the chunk that the row sees
uint valid_of(uint row, uint chunk, uvec2 live)
{
    if (row < live.x || row >= live.y) return 0u;
    return uint(clamp(int(places[row].y + 1u) - int(chunk * TVK_CHUNK), 0, int(TVK_CHUNK)));
}

// Scores of OWN rows and four positions by each invocation.
void make_scores(uint t0, uint head, uint keys)
{
    uint lid = gl_LocalInvocationIndex, quads = p.d / 4u;
    uint count = state[TVK_STATE_COUNT];
    uint row = lid / 32u * OWN, j = lid % 32u;
    precise vec4 a[4u * OWN];
    [[unroll]] for (uint i = 0u; i < 4u * OWN; ++i) a[i] = vec4(0.0);
    for (uint first = 0u; first < quads; first += SLICE) {
        uint live = min(SLICE, quads - first);
        barrier();
        for (uint i = lid; i < TVK_CHUNK * live; i += GROUP)
            work[i % live * APART + i / live] = load_kv(keys + i / live * quads + first + i % live);
        for (uint i = lid; i < ROWS * live; i += GROUP)
            work[i % live * APART + TVK_CHUNK + i / live] =
                qkv[query_at(min(t0 + i / live, count - 1u), head) + first + i % live];
        barrier();
        for (uint c = 0u; c < live; ++c) {
            vec4 k[4], q;
            [[unroll]] for (uint n = 0u; n < 4u; ++n) k[n] = work[c * APART + j + 32u * n];
            [[unroll]] for (uint r = 0u; r < OWN; ++r) {
                q = work[c * APART + TVK_CHUNK + row + r];
                [[unroll]] for (uint n = 0u; n < 4u; ++n) a[4u * r + n] = a[4u * r + n] + q * k[n];
            }
        }
    }
    [[unroll]] for (uint r = 0u; r < OWN; ++r) {
        [[unroll]] for (uint n = 0u; n < 4u; ++n) {
            vec4 v = a[4u * r + n];
            precise float s = ((v.x + v.y) + (v.z + v.w)) * p.scale;
            uint at = j + 32u * n;
            weights[(row + r) * WEIGHTS + at / 4u][at % 4u] = s;
        }
    }
}

// Scores to weights, eight invocations a row; the first of them takes the chunk into {m, l}.
void soften(uint chunk, uvec2 live)
{
    uint lid = gl_LocalInvocationIndex;
    bool mine = lid < ROWS * SHARE;
    uint row = mine ? lid / SHARE : 0u, lane = lid % SHARE;
    uint valid = mine ? valid_of(row, chunk, live) : 0u;
    float v[ITEMS];
    precise float m = lowest();
    barrier();
    [[unroll]] for (uint i = 0u; i < ITEMS; ++i) {
        uint j = lane + SHARE * i;
        v[i] = weights[row * WEIGHTS + j / 4u][j % 4u];
        if (j < valid) m = max(m, v[i]);
    }
    if (mine) parts[lid] = m;
    barrier();
    [[unroll]] for (uint i = 0u; i < SHARE; ++i) m = max(m, parts[row * SHARE + i]);
    [[unroll]] for (uint i = 0u; i < ITEMS; ++i) {
        uint j = lane + SHARE * i;
        precise float shifted = v[i] - m;
        v[i] = j < valid ? tvk_exp(shifted) : 0.0;
        if (mine) weights[row * WEIGHTS + j / 4u][j % 4u] = v[i];
    }
    // the upper levels of the tree over 128: elements of one invocation
    [[unroll]] for (uint s = ITEMS / 2u; s > 0u; s /= 2u) {
        [[unroll]] for (uint i = 0u; i < s; ++i) {
            precise float sum = v[i] + v[i + s];
            v[i] = sum;
        }
    }
    barrier();
    if (mine) parts[lid] = v[0];
    barrier();
    if (lane == 0u && valid > 0u) {
        uint at = row * SHARE;
        precise float l = ((parts[at] + parts[at + 4u]) + (parts[at + 2u] + parts[at + 6u])) +
                          ((parts[at + 1u] + parts[at + 5u]) + (parts[at + 3u] + parts[at + 7u]));
        if (chunk == 0u) {
            running[row] = vec2(m, l);
        } else {
            vec2 old = running[row];
            precise float top = max(old.x, m);
            precise float to_old = old.x - top, to_new = m - top;
            precise float a = tvk_exp(to_old), b = tvk_exp(to_new);
            precise float sum = old.y * a + l * b;
            running[row] = vec2(top, sum);
            factors[row] = vec2(a, b);
        }
    }
}

// o of SPAN rows and four dimensions by each invocation, merged with what was there. full: every
// row of the run sees the whole chunk.
void add_values(uint chunk, uvec2 live, uint values, uint seen, bool full, inout vec4 merged[SPAN])
{
    uint lid = gl_LocalInvocationIndex, quads = p.d / 4u;
    uint quad = lid % quads, row = lid / quads * SPAN;
    bool mine = row < ROWS;
    uint most = WORK / quads & ~3u; // positions in shared memory
    uint valid[SPAN];
    precise vec4 a[4u * SPAN];
    [[unroll]] for (uint i = 0u; i < 4u * SPAN; ++i) a[i] = vec4(0.0);
    [[unroll]] for (uint r = 0u; r < SPAN; ++r) valid[r] = mine ? valid_of(row + r, chunk, live) : 0u;
    for (uint first = 0u; first < seen; first += most) {
        uint here = min(most, seen - first);
        barrier();
        for (uint i = lid; i < here * quads; i += GROUP) work[i] = load_kv(values + first * quads + i);
        barrier();
        if (!mine) continue;
        if (full) {
            for (uint j = 0u; j < here; j += 4u) {
                vec4 v[4];
                [[unroll]] for (uint n = 0u; n < 4u; ++n) v[n] = work[(j + n) * quads + quad];
                [[unroll]] for (uint r = 0u; r < SPAN; ++r) {
                    vec4 w = weights[(row + r) * WEIGHTS + (first + j) / 4u];
                    [[unroll]] for (uint n = 0u; n < 4u; ++n)
                        a[4u * r + n] = a[4u * r + n] + w[n] * v[n];
                }
            }
        } else {
            // a weight of zero would not make an unwritten value harmless
            for (uint j = 0u; j < here; j += 4u) {
                [[unroll]] for (uint r = 0u; r < SPAN; ++r) {
                    vec4 w = weights[(row + r) * WEIGHTS + (first + j) / 4u];
                    [[unroll]] for (uint n = 0u; n < 4u; ++n)
                        if (first + j + n < valid[r])
                            a[4u * r + n] = a[4u * r + n] + w[n] * work[(j + n) * quads + quad];
                }
            }
        }
    }
    [[unroll]] for (uint r = 0u; r < SPAN; ++r) {
        if (valid[r] == 0u) continue;
        precise vec4 o = (a[4u * r] + a[4u * r + 1u]) + (a[4u * r + 2u] + a[4u * r + 3u]);
        if (chunk > 0u) o = merged[r] * factors[row + r].x + o * factors[row + r].y;
        merged[r] = o;
    }
}

// Rows live.x .. live.y - 1 of the block, which are of one session.
void run(uint t0, uint head, uvec2 live)
{
    uint lid = gl_LocalInvocationIndex, quads = p.d / 4u;
    uint g = head / (p.heads / p.kv_heads), slot = places[live.x].x;
    uint least = NO_SLOT, most = 0u; // positions
    vec4 merged[SPAN];
    for (uint r = live.x; r < live.y; ++r) {
        least = min(least, places[r].y);
        most = max(most, places[r].y);
    }
    for (uint chunk = 0u; chunk * TVK_CHUNK <= most; ++chunk) {
        uint page = chunk_page(slot, chunk);
        make_scores(t0, head, page + g * TVK_CHUNK * quads);
        soften(chunk, live);
        // its first barrier publishes the weights and the factors
        add_values(chunk, live, page + (p.kv_heads + g) * TVK_CHUNK * quads,
                   min(TVK_CHUNK, most + 1u - chunk * TVK_CHUNK),
                   least + 1u >= (chunk + 1u) * TVK_CHUNK, merged);
    }
    uint row = lid / quads * SPAN;
    [[unroll]] for (uint r = 0u; r < SPAN; ++r) {
        if (row + r < live.x || row + r >= live.y) continue;
        precise float inv = tvk_rcp(running[row + r].y);
        precise vec4 v = merged[r] * inv;
        result[(t0 + row + r) * (p.o_stride / 4u) + head * quads + lid % quads] = v;
    }
}

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint count = state[TVK_STATE_COUNT], blocks = (count + ROWS - 1u) / ROWS;
    if (gl_WorkGroupID.y >= blocks) return;
    uint t0 = (blocks - 1u - gl_WorkGroupID.y) * ROWS;
    if (lid < ROWS) {
        uint row = TVK_STATE_ROWS + TVK_ROW_WORDS * (t0 + lid);
        places[lid] = t0 + lid < count ? uvec2(state[row], state[row + 1u]) : uvec2(NO_SLOT, 0u);
    }
    barrier();
    for (uint begin = 0u; begin < ROWS && places[begin].x != NO_SLOT;) {
        uint end = begin + 1u;
        while (end < ROWS && places[end].x == places[begin].x) ++end;
        run(t0, gl_WorkGroupID.x, uvec2(begin, end));
        begin = end;
    }
}
