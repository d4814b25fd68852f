#include "spirv.h"

#include <stdlib.h>
#include <string.h>

/* Numbers of the SPIR-V specification 1.3, sections 2.3, 2.17 and 3. */
enum { MAGIC = 0x07230203, BOUND = 3, HEADER_WORDS = 5, MOST_IDS = 4194304 };
enum {
    OP_ENTRY_POINT = 15,
    OP_CAPABILITY = 17,
    OP_TYPE_INT = 21,
    OP_TYPE_FLOAT = 22,
    OP_TYPE_VECTOR = 23,
    OP_TYPE_MATRIX = 24,
    OP_TYPE_ARRAY = 28,
    OP_TYPE_STRUCT = 30,
    OP_TYPE_POINTER = 32,
    OP_CONSTANT = 43,
    OP_SPEC_CONSTANT_COMPOSITE = 51,
    OP_VARIABLE = 59,
    OP_DECORATE = 71,
    OP_MEMBER_DECORATE = 72
};
enum { MODEL_COMPUTE = 5, CLASS_WORKGROUP = 4, CLASS_PUSH_CONSTANT = 9, WORKGROUP_SIZE = 25 };
enum {
    DECORATION_SPEC_ID = 1,
    DECORATION_ARRAY_STRIDE = 6,
    DECORATION_BUILT_IN = 11,
    DECORATION_BINDING = 33,
    DECORATION_SET = 34,
    DECORATION_OFFSET = 35
};

/* What is known of an id: modules decorate first, then declare, then use. */
typedef struct id {
    enum {
        UNKNOWN,
        STRIDE,   /* an array type to come; value: its stride */
        GROUP,    /* a constant to come, the size of the workgroup */
        SPECIAL,  /* a specialization constant; value: its number */
        CONSTANT, /* value: itself, 32 bits */
        SIZED     /* a type, or a pointer to one; value: its bytes, UINT32_MAX: as many or more */
    } kind;
    uint32_t value;
    bool open; /* SIZED: at least so many bytes */
} id;

typedef struct reader {
    const uint32_t *words;
    spirv_facts *out;
    id *ids;
    uint32_t id_count;
    bool full; /* more capabilities than there is room for */
} reader;

static id get(const reader *r, uint32_t name)
{
    return name < r->id_count ? r->ids[name] : (id){.kind = UNKNOWN};
}

static void put(reader *r, uint32_t name, id facts)
{
    if (name < r->id_count) r->ids[name] = facts;
}

static void raise_to(uint32_t *to, uint64_t value)
{
    if (value > *to) *to = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

/* ---- what is asked for ---- */

static void entry_point(reader *r, const uint32_t *w)
{
    ++*(w[1] == MODEL_COMPUTE ? &r->out->kernels : &r->out->others);
}

static void capability(reader *r, const uint32_t *w)
{
    spirv_facts *f = r->out;
    r->full |= f->capability_count == SPIRV_CAPABILITIES;
    if (!r->full) f->capabilities[f->capability_count++] = w[1];
}

static void decorate(reader *r, const uint32_t *w)
{
    if (w[2] == DECORATION_BINDING) raise_to(&r->out->bindings, (uint64_t)w[3] + 1);
    if (w[2] == DECORATION_SET) raise_to(&r->out->sets, (uint64_t)w[3] + 1);
    if (w[2] == DECORATION_SPEC_ID) {
        put(r, w[1], (id){SPECIAL, w[3], false});
        raise_to(&r->out->constants, (uint64_t)w[3] + 1);
    }
    if (w[2] == DECORATION_ARRAY_STRIDE) put(r, w[1], (id){STRIDE, w[3], false});
    if (w[2] == DECORATION_BUILT_IN && w[3] == WORKGROUP_SIZE) put(r, w[1], (id){.kind = GROUP});
}

static void constant(reader *r, const uint32_t *w)
{
    if (*w >> 16 == 4) put(r, w[2], (id){CONSTANT, w[3], false});
}

static void composite(reader *r, const uint32_t *w)
{
    if (get(r, w[2]).kind != GROUP) return;
    r->out->group_constants = true;
    for (uint32_t i = 0; i < 3; i++) {
        const id side = get(r, w[3 + i]);
        r->out->group_constants &= side.kind == SPECIAL && side.value == i;
    }
}

static void variable(reader *r, const uint32_t *w)
{
    uint32_t *shared = &r->out->shared_bytes;
    if (w[3] == CLASS_WORKGROUP) raise_to(shared, (uint64_t)*shared + get(r, w[1]).value);
}

/* ---- types ---- */

/* Of a type that is not looked at, as bool: no bytes or more. */
static id sized(const reader *r, uint32_t name)
{
    const id type = get(r, name);
    return type.kind == SIZED ? type : (id){SIZED, 0, true};
}

static id repeat(id element, uint32_t count, uint32_t stride)
{
    id all = {SIZED, 0, element.open};
    if (count) raise_to(&all.value, (uint64_t)(count - 1) * stride + element.value);
    return all;
}

static void scalar(reader *r, const uint32_t *w)
{
    put(r, w[1], (id){SIZED, w[2] / 8, false});
}

static void vector(reader *r, const uint32_t *w)
{
    const id component = sized(r, w[2]);
    put(r, w[1], repeat(component, w[3], component.value));
}

/* Their columns may have a stride. */
static void matrix(reader *r, const uint32_t *w)
{
    const id column = sized(r, w[2]);
    id all = repeat(column, w[3], column.value);
    all.open = true;
    put(r, w[1], all);
}

static void array(reader *r, const uint32_t *w)
{
    const id own = get(r, w[1]), length = get(r, w[3]), element = sized(r, w[2]);
    id all = repeat(element, length.kind == CONSTANT ? length.value : 1,
                    own.kind == STRIDE ? own.value : element.value);
    all.open |= length.kind != CONSTANT;
    put(r, w[1], all);
}

/* Members have offsets, which were given before, or come one after the other. */
static void structure(reader *r, const uint32_t *w)
{
    const uint32_t members = (*w >> 16) - 2;
    id all = {SIZED, 0, false};
    for (uint32_t i = 0; i < members; i++) {
        const id member = sized(r, w[2 + i]);
        all.open |= member.open;
        raise_to(&all.value, (uint64_t)all.value + member.value);
    }
    for (const uint32_t *d = r->words + HEADER_WORDS; d < w; d += *d >> 16)
        if ((*d & 0xffff) == OP_MEMBER_DECORATE && *d >> 16 == 5 && d[1] == w[1] &&
            d[2] < members && d[3] == DECORATION_OFFSET)
            raise_to(&all.value, (uint64_t)d[4] + sized(r, w[2 + d[2]]).value);
    put(r, w[1], all);
}

static void pointer(reader *r, const uint32_t *w)
{
    const id to = sized(r, w[3]);
    put(r, w[1], to);
    if (w[2] == CLASS_PUSH_CONSTANT) raise_to(&r->out->push_bytes, to.open ? UINT32_MAX : to.value);
}

/* ---- a module ---- */

static const struct {
    uint32_t op, words; /* at least */
    void (*take)(reader *r, const uint32_t *w);
} instructions[] = {
    {OP_ENTRY_POINT, 2, entry_point}, {OP_CAPABILITY, 2, capability},
    {OP_DECORATE, 4, decorate},       {OP_CONSTANT, 4, constant},
    {OP_VARIABLE, 4, variable},       {OP_SPEC_CONSTANT_COMPOSITE, 6, composite},
    {OP_TYPE_INT, 3, scalar},         {OP_TYPE_FLOAT, 3, scalar},
    {OP_TYPE_VECTOR, 4, vector},      {OP_TYPE_MATRIX, 4, matrix},
    {OP_TYPE_ARRAY, 4, array},        {OP_TYPE_STRUCT, 2, structure},
    {OP_TYPE_POINTER, 4, pointer},
};

static void take(reader *r, const uint32_t *w)
{
    for (size_t i = 0; i < sizeof instructions / sizeof *instructions; i++)
        if (instructions[i].op == (*w & 0xffff) && instructions[i].words <= *w >> 16)
            instructions[i].take(r, w);
}

bool spirv_read(const uint32_t *words, size_t count, spirv_facts *out)
{
    reader r = {.words = words, .out = out};
    memset(out, 0, sizeof *out);
    if (count < HEADER_WORDS || words[0] != MAGIC || words[BOUND] > MOST_IDS) return false;
    for (size_t at = HEADER_WORDS, length; at < count; at += length) {
        length = words[at] >> 16;
        if (length == 0 || length > count - at) return false;
    }
    r.id_count = words[BOUND];
    r.ids = calloc((size_t)r.id_count + 1, sizeof *r.ids);
    if (!r.ids) return false;
    for (size_t at = HEADER_WORDS; at < count; at += words[at] >> 16) take(&r, words + at);
    free(r.ids);
    return !r.full;
}
