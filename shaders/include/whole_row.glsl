// A weight row by one invocation, for host cores: all partial sums side by side, as many rows as
// invocations. Their loads of weights are gathers, which a prefetcher may not follow; so one word of
// each line is read before, at an address that is the same for all invocations: those loads are plain,
// a stream each. (On one core, out of its last cache, gathers alone got 2.5 to 5.6 GB/s, behind such
// loads 14 to 20: docs/performance.md.)
// The includer has weights_f.glsl and defines tvk_whole_x(u, g): the four values of quad g of unit u.
#ifndef TVK_WHOLE_ROW_GLSL
#define TVK_WHOLE_ROW_GLSL

layout(set = 0, binding = W_BINDING, std430) readonly buffer Words { uint weight_words[]; };
uint tvk_touched = 0u; // to be used, in a way that no compiler can leave out

// A word of each line of 16 units from `first` on, of every invocation's row.
void tvk_touch(uint first, uint near, uint apart)
{
    [[unroll]] for (uint j = 0u; j < GROUP; ++j) {
        uint row = min(near + j * apart, p.n - 1u) * tvk_row_words();
        [[unroll]] for (uint l = 0u; l < LINES; ++l) tvk_touched |= weight_words[row + tvk_line(first, l)];
    }
}

// A partial sum, and unit u of a row.
float tvk_with_unit(float sum, tvk_unit w, uint u)
{
    precise float a = sum;
    [[unroll]] for (uint g = 0u; g < UNIT_QUADS; ++g) {
        if (WIDE == 0u && tvk_quad(u, g) >= p.k / 4u) break;
#if defined(SCALED)
        a = a + tvk_scale(w, g) * tvk_dot4(tvk_values(w, g), tvk_whole_x(u, g));
#else
        a = a + tvk_dot4(tvk_values(w, g), tvk_whole_x(u, g));
#endif
    }
    return a;
}

// row: the invocation's own; that of invocation j is near + j * apart, where there is such a row
float tvk_whole_row(uint row, uint near, uint apart, uint units)
{
    float v[TVK_DOT_PARTIALS];
    uint first = 0u;
    [[unroll]] for (uint k = 0u; k < TVK_DOT_PARTIALS; ++k) v[k] = 0.0;
    for (; first + TVK_DOT_PARTIALS <= units; first += TVK_DOT_PARTIALS) { // no comparison inside
        tvk_touch(first, near, apart);
        [[unroll]] for (uint k = 0u; k < TVK_DOT_PARTIALS; ++k)
            v[k] = tvk_with_unit(v[k], tvk_load(row, first + k), first + k);
    }
    [[unroll]] for (uint k = 0u; k < TVK_DOT_PARTIALS - 1u; ++k)
        if (first + k < units) v[k] = tvk_with_unit(v[k], tvk_load(row, first + k), first + k);
    return tvk_dot_tree(v);
}

#endif
