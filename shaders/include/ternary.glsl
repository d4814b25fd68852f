// Products of T2 and T1 weight words with activation words: INT8 codes four a word, or eight of four
// bits (ACT_I4 INT4, ACT_FP4 E2M1; T2 alone).
// A T2 word holds 16 codes w + 1: value 4 i + j at bit 8 j + 2 i, so that
// (word >> 2 i) & 0x03030303 stand against the four codes of activation word i.
// A T1 word holds 32 codes (w + 1) / 2: value 4 i + j at bit 8 j + i.
#ifndef TVK_TERNARY_GLSL
#define TVK_TERNARY_GLSL

// Codes of four bits stand eight a word, value 4 h + j at bit 8 j + 4 h. tvk_act4_words: the two
// activation words of each of two words, as bytes; tvk_act4_sum: the sum of their products.
#if defined(ACT_I4) || defined(ACT_FP4)
#define ACT_4
#endif
#if defined(ACT_FP4)
// bytes {sign 8, index c} -> plus or minus {0 1 2 3 4 6 8 12}: c, where c >= 4 its two lower bits
// once more, and 2 for c = 7; a negative byte is not 0, so that the 1 of its complement stays inside
uvec4 tvk_fp4_bytes(uvec4 b)
{
    uvec4 large = (b >> 2) & 0x01010101u, sign = (b >> 3) & 0x01010101u;
    uvec4 m = (b & 0x07070707u) + (b & (large | large << 1)) + ((b & (b >> 1) & large) << 1);
    return (m ^ (sign * 255u)) + sign;
}
uvec4 tvk_act4_words(uvec2 n)
{
    return tvk_fp4_bytes(uvec4(n.x, n.x >> 4, n.y, n.y >> 4) & 0x0f0f0f0fu);
}
int tvk_act4_sum(int sum) { return sum; }
#elif defined(ACT_4)
// 16 times the code: neither a sign to extend nor a bias to take out (at most 256 K: no overflow)
uvec4 tvk_act4_words(uvec2 n)
{
    return uvec4(n.x << 4, n.x, n.y << 4, n.y) & 0xf0f0f0f0u;
}
int tvk_act4_sum(int sum) { return sum >> 4; }
#endif

#if defined(DOT_SIGNED)
int tvk_t2_dot(uint codes, uint act) { return dotPacked4x8EXT(int(codes), int(act)); }
#elif defined(DOT_MIXED)
int tvk_t2_dot(uint codes, uint act) { return dotPacked4x8EXT(codes, int(act)); }
#endif

#if defined(PLANES)
// Bits of 32 codes in two's complement, a plane a bit: the first 16 at the even bits, where a weight
// word has its codes, the second 16 at the odd ones. INT4 has four planes, E2M1 a fifth: its sign.
#if defined(ACT_FP4)
struct tvk_planes {
    uvec4 low;
    uint sign;
};
uint tvk_fp4_plane(uvec4 bytes, uint b)
{
    uvec4 t = (bytes >> b) & 0x01010101u;
    return (t.x | t.y << 2) | (t.z << 4 | t.w << 6);
}
tvk_planes tvk_act4_planes(uvec4 n)
{
    uvec4 a = tvk_act4_words(n.xy), b = tvk_act4_words(n.zw);
    tvk_planes p;
    [[unroll]] for (uint i = 0u; i < 4u; ++i)
        p.low[i] = tvk_fp4_plane(a, i) | tvk_fp4_plane(b, i) << 1;
    p.sign = tvk_fp4_plane(a, 4u) | tvk_fp4_plane(b, 4u) << 1;
    return p;
}
#else
struct tvk_planes {
    uvec4 low;
};
uint tvk_i4_plane(uvec2 n, uint b)
{
    uvec2 t = ((n >> b) & 0x01010101u) | ((n >> (b + 2u)) & 0x04040404u);
    return t.x | t.y << 4;
}
tvk_planes tvk_act4_planes(uvec4 n)
{
    return tvk_planes(uvec4(tvk_i4_plane(n.xy, 0u), tvk_i4_plane(n.xy, 1u), tvk_i4_plane(n.xy, 2u),
                            tvk_i4_plane(n.xy, 3u)) |
                      uvec4(tvk_i4_plane(n.zw, 0u), tvk_i4_plane(n.zw, 1u), tvk_i4_plane(n.zw, 2u),
                            tvk_i4_plane(n.zw, 3u)) << 1);
}
#endif
// Lower and upper bits of the codes of two weight words, the second word's at the odd bits.
uvec2 tvk_t2_pair(uint a, uint b)
{
    return uvec2((a & 0x55555555u) | ((b & 0x55555555u) << 1),
                 ((a >> 1) & 0x55555555u) | (b & 0xaaaaaaaau));
}
int tvk_t2_planes(uvec2 pair, tvk_planes p)
{
    ivec4 n = bitCount(pair.x & p.low) + 2 * bitCount(pair.y & p.low);
#if defined(ACT_FP4)
    int sign = bitCount(pair.x & p.sign) + 2 * bitCount(pair.y & p.sign);
    return (n.x + 2 * n.y) + (4 * n.z + 8 * n.w) - 16 * sign;
#else
    return (n.x + 2 * n.y) + (4 * n.z - 8 * n.w);
#endif
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
// The activations of a unit of 64 codes, as its products want them.
struct tvk_t2_act {
    uvec4 a[4];
};
tvk_t2_act tvk_t2_spread(uvec4 a0, uvec4 a1, uvec4 a2, uvec4 a3)
{
    return tvk_t2_act(uvec4[4](a0, a1, a2, a3));
}
#if defined(DOT_MIXED)
// Unsigned codes need no shift: component i is 4^i times its sum (K up to 2^18).
ivec4 tvk_t2_unit(uvec4 w, tvk_t2_act x, ivec4 sum)
{
    [[unroll]] for (uint j = 0u; j < 4u; ++j) {
        sum.x += tvk_t2_dot(w[j] & 0x03030303u, x.a[j].x);
        sum.y += tvk_t2_dot(w[j] & 0x0c0c0c0cu, x.a[j].y);
        sum.z += tvk_t2_dot(w[j] & 0x30303030u, x.a[j].z);
        sum.w += tvk_t2_dot(w[j] & 0xc0c0c0c0u, x.a[j].w);
    }
    return sum;
}
int tvk_t2_total(ivec4 sum)
{
    return (sum.x + (sum.y >> 2)) + ((sum.z >> 4) + (sum.w >> 6));
}
#else
ivec4 tvk_t2_unit(uvec4 w, tvk_t2_act x, ivec4 sum)
{
    sum.x += (tvk_t2_word(w.x, x.a[0]) + tvk_t2_word(w.y, x.a[1])) +
             (tvk_t2_word(w.z, x.a[2]) + tvk_t2_word(w.w, x.a[3]));
    return sum;
}
int tvk_t2_total(ivec4 sum) { return sum.x; }
#endif
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
struct tvk_t2_act {
    uvec4 even[4], odd[4];
};
tvk_t2_act tvk_t2_spread(uvec4 a0, uvec4 a1, uvec4 a2, uvec4 a3)
{
    return tvk_t2_act(
        uvec4[4](tvk_pairs02(a0), tvk_pairs02(a1), tvk_pairs02(a2), tvk_pairs02(a3)),
        uvec4[4](tvk_pairs13(a0), tvk_pairs13(a1), tvk_pairs13(a2), tvk_pairs13(a3)));
}
ivec4 tvk_t2_unit(uvec4 w, tvk_t2_act x, ivec4 sum)
{
    sum.x += tvk_t2_high(
        tvk_t2_word(w.x, x.even[0], x.odd[0]) + tvk_t2_word(w.y, x.even[1], x.odd[1]) +
        tvk_t2_word(w.z, x.even[2], x.odd[2]) + tvk_t2_word(w.w, x.even[3], x.odd[3]));
    return sum;
}
int tvk_t2_total(ivec4 sum) { return sum.x; }
#endif

#endif
