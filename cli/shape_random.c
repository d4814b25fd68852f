#include "shape_random.h"

#include <math.h>
#include <string.h>

#define I2_S_TAIL 32 /* the scale, padded: docs/formats.md */

/* values, bytes and, of blocks, where the f16 scale stands: docs/formats.md */
static const struct {
    tvk_dtype type;
    uint32_t values, bytes, scale_at;
    uint16_t scale; /* f16: codes become values of a few hundredths */
} forms[] = {
    {TVK_F32, 1, 4, 0, 0}, {TVK_F16, 1, 2, 0, 0},         {TVK_I2_S, 4, 1, 0, 0},
    {TVK_I8, 1, 1, 0, 0},  {TVK_Q8_0, 32, 34, 0, 0x0900}, {TVK_Q6_K, 256, 210, 208, 0x0400},
};
#define FORMS (sizeof forms / sizeof *forms)

static size_t form_of(tvk_dtype type)
{
    size_t i = 0;
    while (i + 1 < FORMS && forms[i].type != type) i++;
    return i;
}

uint32_t shape_block(tvk_dtype type)
{
    return forms[form_of(type)].values;
}

uint64_t shape_bytes(tvk_dtype type, uint64_t elems)
{
    size_t f = form_of(type);
    return elems / forms[f].values * forms[f].bytes + (type == TVK_I2_S ? I2_S_TAIL : 0);
}

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13; /* xorshift64 */
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Ternary codes 0, 1, 2, four a byte, in equal parts (3 does not occur in valid files). */
static void fill_ternary(uint8_t *out, size_t bytes, uint64_t *random)
{
    for (size_t i = 0; i < bytes; i++) {
        uint32_t r = (uint32_t)(next_random(random) >> 33) % 81;
        out[i] = (uint8_t)(r % 3 | r / 3 % 3 << 2 | r / 9 % 3 << 4 | r / 27 << 6);
    }
}

/* Half floats of either sign between 1/128 and 1/32: no zero, no infinity. */
static void fill_halves(uint8_t *out, size_t bytes, uint64_t *random)
{
    for (size_t i = 0; i + 1 < bytes; i += 2) {
        uint32_t r = (uint32_t)(next_random(random) >> 40);
        uint16_t half = (uint16_t)((r & 0x83FF) | (8 + (r >> 16) % 2) << 10);
        memcpy(out + i, &half, 2);
    }
}

/* Any codes; one scale in every block that has one. */
static void fill_blocks(size_t form, uint8_t *out, size_t bytes, uint64_t *random)
{
    const uint32_t block = forms[form].bytes;
    for (size_t i = 0; i < bytes; i++) out[i] = (uint8_t)(next_random(random) >> 33);
    for (size_t at = 0; forms[form].scale && at + block <= bytes; at += block)
        memcpy(out + at + forms[form].scale_at, &forms[form].scale, 2);
}

void shape_fill(tvk_dtype type, void *out, uint64_t bytes, uint32_t inputs, uint64_t *random)
{
    const size_t form = form_of(type);
    /* A pattern of whole blocks, of odd length, is repeated: new random bytes for gigabytes would
     * take longer than what is measured. */
    const size_t pattern = (size_t)forms[form].bytes * (4 * 1048576 / forms[form].bytes | 1);
    const float scale = 1.5f / sqrtf((float)inputs);
    uint64_t filled = type == TVK_I2_S ? bytes - I2_S_TAIL : bytes;
    size_t fresh = filled < pattern ? (size_t)filled : pattern;
    if (type == TVK_F32) { /* gains, scales of signs */
        for (uint64_t i = 0; i < bytes / 4; i++) ((float *)out)[i] = 1;
        return;
    }
    if (type == TVK_F16)
        fill_halves(out, fresh, random);
    else if (type == TVK_I2_S)
        fill_ternary(out, fresh, random);
    else
        fill_blocks(form, out, fresh, random);
    for (uint64_t at = fresh; at < filled; at += fresh) {
        size_t n = filled - at < fresh ? (size_t)(filled - at) : fresh;
        memcpy((uint8_t *)out + at, out, n);
    }
    if (type == TVK_I2_S) {
        memset((uint8_t *)out + filled, 0, I2_S_TAIL);
        memcpy((uint8_t *)out + filled, &scale, sizeof scale);
    }
}
