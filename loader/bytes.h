/* Little-endian numbers in memory of any alignment. */
#ifndef TVK_LOADER_BYTES_H
#define TVK_LOADER_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t tvk_load_u16(const void *at)
{
    const unsigned char *p = at;
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t tvk_load_u32(const void *at)
{
    const unsigned char *p = at;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t tvk_load_u64(const void *at)
{
    const unsigned char *p = at;
    return tvk_load_u32(p) | (uint64_t)tvk_load_u32(p + 4) << 32;
}

static inline float tvk_load_f32(const void *at)
{
    uint32_t u = tvk_load_u32(at);
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline void tvk_store_u16(void *at, uint16_t v)
{
    unsigned char *p = at;
    p[0] = (unsigned char)(v & 255);
    p[1] = (unsigned char)(v >> 8);
}

static inline void tvk_store_u32(void *at, uint32_t v)
{
    tvk_store_u16(at, (uint16_t)(v & 0xffff));
    tvk_store_u16((unsigned char *)at + 2, (uint16_t)(v >> 16));
}

static inline void tvk_store_u64(void *at, uint64_t v)
{
    tvk_store_u32(at, (uint32_t)(v & 0xffffffff));
    tvk_store_u32((unsigned char *)at + 4, (uint32_t)(v >> 32));
}

static inline void tvk_store_f32(void *at, float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    tvk_store_u32(at, u);
}

#endif
