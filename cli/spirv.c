#include "spirv.h"

#include <string.h>

/* Numbers of the SPIR-V specification 1.3, sections 2.3 and 3. */
enum { MAGIC = 0x07230203, HEADER_WORDS = 5 };
enum {
    OP_ENTRY_POINT = 15,
    OP_CAPABILITY = 17,
    OP_TYPE_POINTER = 32,
    OP_DECORATE = 71,
    OP_MEMBER_DECORATE = 72
};
enum { MODEL_COMPUTE = 5, CLASS_PUSH_CONSTANT = 9 };
enum {
    DECORATION_SPEC_ID = 1,
    DECORATION_BINDING = 33,
    DECORATION_SET = 34,
    DECORATION_OFFSET = 35
};

/* value + 1 where that is more. */
static void at_least(uint32_t *to, uint32_t value)
{
    if (value < UINT32_MAX && value + 1 > *to) *to = value + 1;
}

static bool add_capability(spirv_facts *f, uint32_t capability)
{
    if (f->capability_count == SPIRV_CAPABILITIES) return false;
    f->capabilities[f->capability_count++] = capability;
    return true;
}

/* The offsets of a structure's members come before the pointer type that says what it is for. */
static uint32_t end_of(const uint32_t *words, size_t count, uint32_t structure)
{
    uint32_t end = 0;
    for (size_t at = HEADER_WORDS; at < count; at += words[at] >> 16) {
        const uint32_t *w = words + at;
        if ((*w & 0xffff) == OP_MEMBER_DECORATE && *w >> 16 == 5 && w[1] == structure &&
            w[3] == DECORATION_OFFSET && w[4] < UINT32_MAX - 4 && w[4] + 4 > end)
            end = w[4] + 4;
    }
    return end;
}

static void decorate(spirv_facts *f, const uint32_t *w)
{
    if (w[2] == DECORATION_BINDING) at_least(&f->bindings, w[3]);
    if (w[2] == DECORATION_SET) at_least(&f->sets, w[3]);
    if (w[2] == DECORATION_SPEC_ID) at_least(&f->constants, w[3]);
}

bool spirv_read(const uint32_t *words, size_t count, spirv_facts *out)
{
    memset(out, 0, sizeof *out);
    if (count < HEADER_WORDS || words[0] != MAGIC) return false;
    for (size_t at = HEADER_WORDS, length; at < count; at += length) {
        length = words[at] >> 16;
        if (length == 0 || length > count - at) return false;
    }
    for (size_t at = HEADER_WORDS; at < count; at += words[at] >> 16) {
        const uint32_t *w = words + at, op = *w & 0xffff, length = *w >> 16;
        if (op == OP_CAPABILITY && length > 1 && !add_capability(out, w[1])) return false;
        if (op == OP_ENTRY_POINT && length > 1)
            ++*(w[1] == MODEL_COMPUTE ? &out->kernels : &out->others);
        if (op == OP_DECORATE && length > 3) decorate(out, w);
        if (op == OP_TYPE_POINTER && length > 3 && w[2] == CLASS_PUSH_CONSTANT)
            if (end_of(words, count, w[3]) > out->push_bytes)
                out->push_bytes = end_of(words, count, w[3]);
    }
    return true;
}
