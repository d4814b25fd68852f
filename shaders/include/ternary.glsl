// Products of T2 weight words with INT8 activation words.
// A weight word holds 16 codes w + 1: value 4 i + j at bit 8 j + 2 i, so that
// (word >> 2 i) & 0x03030303 stand against the four codes of activation word i.
#ifndef TVK_TERNARY_GLSL
#define TVK_TERNARY_GLSL

#if defined(DOT_SIGNED)
int tvk_t2_dot(uint codes, uint act) { return dotPacked4x8EXT(int(codes), int(act)); }
#elif defined(DOT_MIXED)
int tvk_t2_dot(uint codes, uint act) { return dotPacked4x8EXT(codes, int(act)); }
#endif

#if defined(DOT_SIGNED) || defined(DOT_MIXED)
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
