// philox4x32-10 (Salmon et al., SC 2011): the first word for counter {c, 0, 0, 0}
#ifndef TVK_PHILOX_GLSL
#define TVK_PHILOX_GLSL

uint tvk_philox(uint counter, uint key0, uint key1)
{
    uvec4 c = uvec4(counter, 0u, 0u, 0u);
    for (uint i = 0u; i < 10u; ++i) {
        uint high_a, low_a, high_b, low_b;
        umulExtended(0xD2511F53u, c.x, high_a, low_a);
        umulExtended(0xCD9E8D57u, c.z, high_b, low_b);
        c = uvec4(high_b ^ c.y ^ key0, low_b, high_a ^ c.w ^ key1, low_a);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return c.x;
}

#endif
