// Products of T2 and T1 weight words with INT8 activation words.
// A T2 word holds 16 codes w + 1: value 4 i + j at bit 8 j + 2 i, so that
// (word >> 2 i) & 0x03030303 stand against the four codes of activation word i.
// A T1 word holds 32 codes (w + 1) / 2: value 4 i + j at bit 8 j + i.
#ifndef TVK_TERNARY_GLSL
#define TVK_TERNARY_GLSL

// INT4 codes stand eight a word, value 4 h + j at bit 8 j + 4 h. The two activation words of a word,
// as bytes of 16 times the code: neither a sign to extend nor a bias to take out, and the sum of
// products is shifted by 4 at the end (at most 256 K: no overflow).
uvec4 tvk_i4_words(uvec2 n)
{
    return uvec4(n.x << 4, n.x, n.y << 4, n.y) & 0xf0f0f0f0u;
}

#if defined(DOT_SIGNED)
int tvk_t2_dot(uint codes, uint act) { return dotPacked4x8EXT(int(codes), int(act)); }
#elif defined(DOT_MIXED)
int tvk_t2_dot(uint codes, uint act) { return dotPacked4x8EXT(codes, int(act)); }
#endif

#if defined(PLANES)
// Bit b of 16 codes in two words of INT4, at the even bits where a weight word has its codes.
uint tvk_i4_plane(uvec2 n, uint b)
{
    uvec2 t = ((n >> b) & 0x01010101u) | ((n >> (b + 2u)) & 0x04040404u);
    return t.x | t.y << 4;
}
// The four planes of 32 codes: the second 16 at the odd bits.
uvec4 tvk_i4_planes(uvec4 n)
{
    return uvec4(tvk_i4_plane(n.xy, 0u), tvk_i4_plane(n.xy, 1u), tvk_i4_plane(n.xy, 2u),
                 tvk_i4_plane(n.xy, 3u)) |
           uvec4(tvk_i4_plane(n.zw, 0u), tvk_i4_plane(n.zw, 1u), tvk_i4_plane(n.zw, 2u),
                 tvk_i4_plane(n.zw, 3u)) << 1;
}
// Lower and upper bits of the codes of two weight words, the second word's at the odd bits.
uvec2 tvk_t2_pair(uint a, uint b)
{
    return uvec2((a & 0x55555555u) | ((b & 0x55555555u) << 1),
                 ((a >> 1) & 0x55555555u) | (b & 0xaaaaaaaau));
}
int tvk_t2_planes(uvec2 pair, uvec4 planes)
{
    ivec4 n = bitCount(pair.x & planes) + 2 * bitCount(pair.y & planes);
    return (n.x + 2 * n.y) + (4 * n.z - 8 * n.w); // two's complement
}
#elif defined(DOT_SIGNED) || defined(DOT_MIXED)
int tvk_t1_word(uint w, uvec4 a, uvec4 b)
{
    return (tvk_t2_dot(w & 0x01010101u, a.x) + tvk_t2_dot((w >> 1) & 0x01010101u, a.y)) +
           (tvk_t2_dot((w >> 2) & 0x01010101u, a.z) + tvk_t2_dot((w >> 3) & 0x01010101u, a.w)) +
           (tvk_t2_dot((w >> 4) & 0x01010101u, b.x) + tvk_t2_dot((w >> 5) & 0x01010101u, b.y)) +
           (tvk_t2_dot((w >> 6) & 0x01010101u, b.z) + tvk_t2_dot((w >> 7) & 0x01010101u, b.w));
}
int tvk_t2_word(uint w, uvec4 a)
{
    return tvk_t2_dot(w & 0x03030303u, a.x) + tvk_t2_dot((w >> 2) & 0x03030303u, a.y) +
           tvk_t2_dot((w >> 4) & 0x03030303u, a.z) + tvk_t2_dot((w >> 6) & 0x03030303u, a.w);
}
#else
// Without a dot instruction two products share a 32-bit multiplication: codes c0 + (c2 << 16)
// times a2 + (a0 << 16), all mod 2^32, is c0 a2 + ((c0 a0 + c2 a2) << 16). Up to 64 such products
// may be added before tvk_t2_high takes the upper sum out: |c0 a2| <= 256 and |c0 a0 + c2 a2| <=
// 512 keep both halves inside 16 bits.
uint tvk_pair02(uint act)
{
    return uint((int(act << 8) >> 24) + (int(act << 24) >> 8));
}
uint tvk_pair13(uint act)
{
    return uint((int(act) >> 24) + int(uint(int(act << 16) >> 8) & 0xffff0000u));
}
int tvk_t2_high(uint sum)
{
    int low = int(sum << 16) >> 16;
    return int(sum - uint(low)) >> 16;
}
// pairs: {02, 13} of four activation words
uint tvk_t2_word(uint w, uvec4 a02, uvec4 a13)
{
    return (w & 0x00030003u) * a02.x + ((w >> 8) & 0x00030003u) * a13.x +
           ((w >> 2) & 0x00030003u) * a02.y + ((w >> 10) & 0x00030003u) * a13.y +
           ((w >> 4) & 0x00030003u) * a02.z + ((w >> 12) & 0x00030003u) * a13.z +
           ((w >> 6) & 0x00030003u) * a02.w + ((w >> 14) & 0x00030003u) * a13.w;
}
// pairs: {02, 13} of eight activation words
uint tvk_t1_word(uint w, uvec4 a02, uvec4 a13, uvec4 b02, uvec4 b13)
{
    return ((w & 0x00010001u) * a02.x + ((w >> 8) & 0x00010001u) * a13.x) +
           (((w >> 1) & 0x00010001u) * a02.y + ((w >> 9) & 0x00010001u) * a13.y) +
           (((w >> 2) & 0x00010001u) * a02.z + ((w >> 10) & 0x00010001u) * a13.z) +
           (((w >> 3) & 0x00010001u) * a02.w + ((w >> 11) & 0x00010001u) * a13.w) +
           (((w >> 4) & 0x00010001u) * b02.x + ((w >> 12) & 0x00010001u) * b13.x) +
           (((w >> 5) & 0x00010001u) * b02.y + ((w >> 13) & 0x00010001u) * b13.y) +
           (((w >> 6) & 0x00010001u) * b02.z + ((w >> 14) & 0x00010001u) * b13.z) +
           (((w >> 7) & 0x00010001u) * b02.w + ((w >> 15) & 0x00010001u) * b13.w);
}
uvec4 tvk_pairs02(uvec4 a)
{
    return uvec4(tvk_pair02(a.x), tvk_pair02(a.y), tvk_pair02(a.z), tvk_pair02(a.w));
}
uvec4 tvk_pairs13(uvec4 a)
{
    return uvec4(tvk_pair13(a.x), tvk_pair13(a.y), tvk_pair13(a.z), tvk_pair13(a.w));
}
#endif

#endif
