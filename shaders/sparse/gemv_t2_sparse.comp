// Ternary mat-vec that reads the weights of non-zero activations only:
//   y[n] (+)= (float(sum_k w[n,k] q[k]) d) scale[n], the same bits as gemv_t2_i8
// bindings: 0 codes K-major [K, row_words] | 1 scales f32 [N] of the piece
//           2 activation record {bits(d), sum q, entries, 0, codes, list} | 3 y [N]
// workgroup x: COLS WORDS words of 16 outputs
// constants: 0-2 workgroup size, 3 LANES invocations that share the list (power of two),
//            4 WORDS words an invocation. LANES = 1: nothing is shared
// needs: nothing
#version 450
#include "prelude.glsl"

layout(constant_id = 3) const uint LANES = 1u;
layout(constant_id = 4) const uint WORDS = 1u;

TVK_PUSHED(5);
tvk_sparse_params p = TVK_SPARSE_PARAMS;
layout(set = 0, binding = 0, std430) readonly buffer Codes { uint codes[]; };
layout(set = 0, binding = 1, std430) readonly buffer Scales { float scales[]; };
layout(set = 0, binding = 2, std430) readonly buffer Act { uvec4 act[]; };
layout(set = 0, binding = 3, std430) buffer Y { float y[]; };

const uint COLS = GROUP / LANES; // words side by side
shared int sums[LANES > 1u ? COLS * WORDS * 16u : 1u];

// A word holds the codes w + 1 of 16 outputs, output 4 i + j at bit 8 j + 2 i, times one activation:
// a 32-bit multiplication carries the products of outputs 4 i + j and 4 i + j + 2, mod 2^32, in two
// halves. |code q| <= 256: FLUSH entries keep the lower half inside 16 bits, signed.
const uint FLUSH = 124u;

void finish(uint word, uint v, int sum)
{
    uint row = 16u * word + v;
    if (row >= p.n) return;
    uvec4 header = act[0];
    precise float r = (float(sum - int(header.y)) * uintBitsToFloat(header.x)) * scales[row];
    uint at = p.first_row + row;
    if (p.add != 0u) {
        precise float with = y[at] + r;
        r = with;
    }
    y[at] = r;
}

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint lane = lid / COLS;
    uint first = gl_WorkGroupID.x * (COLS * WORDS) + lid % COLS;
    uint quads = (act[0].z + 3u) / 4u; // four entries; those past the last are zero
    uint list = p.list_word / 4u;

    int sum[WORDS * 16u];
    uint at[WORDS];
    [[unroll]] for (uint i = 0u; i < WORDS * 16u; ++i) sum[i] = 0;
    [[unroll]] for (uint i = 0u; i < WORDS; ++i) at[i] = min(first + COLS * i, p.row_words - 1u);
    if (LANES > 1u) {
        for (uint i = lid; i < COLS * WORDS * 16u; i += GROUP) sums[i] = 0;
    }
    for (uint begin = 0u; begin < quads; begin += FLUSH / 4u * LANES) {
        uint pair[WORDS * 8u];
        [[unroll]] for (uint i = 0u; i < WORDS * 8u; ++i) pair[i] = 0u;
        uint end = min(begin + FLUSH / 4u * LANES, quads);
        for (uint e = begin + lane; e < end; e += LANES) {
            uvec4 four = act[list + e];
            [[unroll]] for (uint j = 0u; j < 4u; ++j) {
                uint base = (four[j] >> 8) * p.row_words;
                uint q = uint(int(four[j] << 24) >> 24);
                [[unroll]] for (uint i = 0u; i < WORDS; ++i) {
                    uint w = codes[base + at[i]];
                    [[unroll]] for (uint h = 0u; h < 4u; ++h) {
                        pair[8u * i + 2u * h] += ((w >> (2u * h)) & 0x00030003u) * q;
                        pair[8u * i + 2u * h + 1u] += ((w >> (2u * h + 8u)) & 0x00030003u) * q;
                    }
                }
            }
        }
        [[unroll]] for (uint i = 0u; i < WORDS * 8u; ++i) {
            // pair i of a word: outputs 4 (i / 2) + i % 2 and two further
            uint v = 16u * (i / 8u) + 4u * (i % 8u / 2u) + i % 2u;
            int low = int(pair[i] << 16) >> 16;
            sum[v] += low;
            sum[v + 2u] += int(pair[i] - uint(low)) >> 16;
        }
    }
    if (LANES == 1u) {
        [[unroll]] for (uint i = 0u; i < WORDS; ++i) {
            [[unroll]] for (uint v = 0u; v < 16u; ++v) finish(first + COLS * i, v, sum[16u * i + v]);
        }
        return;
    }
    barrier();
    [[unroll]] for (uint i = 0u; i < WORDS * 16u; ++i)
        atomicAdd(sums[16u * (i / 16u * COLS + lid % COLS) + i % 16u], sum[i]);
    barrier();
    for (uint o = lid; o < COLS * WORDS * 16u; o += GROUP)
        finish(gl_WorkGroupID.x * (COLS * WORDS) + o / 16u, o % 16u, sums[o]);
}
