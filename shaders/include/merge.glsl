// Merges the chunks of a head in order (docs/numerics.md): M' = max(M, m), a = exp(M - M'),
// b = exp(m - M'), L = L a + l b, O = O a + o b; out = O / L. The includer has before
//   vec4 merge_load(uint at)             element `at` of the partials
//   void merge_store(uint i, vec4 v)     dimensions 4 i .. 4 i + 3 of the output
// The weights a, b of a tile of chunks are made side by side, then every invocation walks the chunks
// for its dimensions, with loads some chunks ahead.
#ifndef TVK_MERGE_GLSL
#define TVK_MERGE_GLSL

const uint MERGE_AHEAD = 8u;
const uint MERGE_TILE = GROUP < 128u ? GROUP : 128u; // chunks
shared float merge_m[MERGE_TILE];
shared float merge_l[MERGE_TILE];
shared float merge_a[MERGE_TILE];
shared float merge_b[MERGE_TILE];
shared vec4 merge_o[64]; // D <= 256

// first: of the head's partials, chunks of 1 + quads vectors {m, l, 0, 0}, o
void tvk_merge(uint first, uint chunks, uint quads)
{
    uint lid = gl_LocalInvocationIndex;
    precise float running = 0.0, l = 0.0;
    for (uint tile = 0u; tile < chunks; tile += MERGE_TILE) {
        uint count = min(MERGE_TILE, chunks - tile);
        barrier();
        if (lid < count) {
            vec4 head = merge_load(first + (tile + lid) * (1u + quads));
            merge_m[lid] = head.x;
            merge_l[lid] = head.y;
        }
        barrier();
        if (lid < count) {
            float before = tile == 0u ? merge_m[0] : running;
            for (uint i = 0u; i < lid; ++i) before = max(before, merge_m[i]);
            float top = max(before, merge_m[lid]);
            precise float to_old = before - top, to_new = merge_m[lid] - top;
            merge_a[lid] = tvk_exp(to_old);
            merge_b[lid] = tvk_exp(to_new);
        }
        barrier();
        uint from = 0u;
        if (tile == 0u) { // the first chunk is taken as it is
            from = 1u;
            l = merge_l[0];
        }
        for (uint c = from; c < count; ++c) l = l * merge_a[c] + merge_l[c] * merge_b[c];
        for (uint i = 0u; i < count; ++i) running = tile + i == 0u ? merge_m[0] : max(running, merge_m[i]);
        for (uint i = lid; i < quads; i += GROUP) {
            uint at = first + tile * (1u + quads) + 1u + i;
            precise vec4 o = tile == 0u ? merge_load(at) : merge_o[i];
            uint c = from;
            for (; c + MERGE_AHEAD <= count; c += MERGE_AHEAD) {
                vec4 next[MERGE_AHEAD];
                [[unroll]] for (uint n = 0u; n < MERGE_AHEAD; ++n)
                    next[n] = merge_load(at + (c + n) * (1u + quads));
                [[unroll]] for (uint n = 0u; n < MERGE_AHEAD; ++n)
                    o = o * merge_a[c + n] + next[n] * merge_b[c + n];
            }
            for (; c < count; ++c)
                o = o * merge_a[c] + merge_load(at + c * (1u + quads)) * merge_b[c];
            merge_o[i] = o;
        }
    }
    precise float inv = tvk_rcp(l);
    for (uint i = lid; i < quads; i += GROUP) {
        precise vec4 v = merge_o[i] * inv;
        merge_store(i, v);
    }
}

#endif
