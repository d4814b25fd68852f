/* What a module asks for: of the program's own rows, and of modules written here word by word,
 * whose sizes follow by hand. */
#include "cli/spirv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kernel.h"

/* ---- the manifest ---- */

/* Parameters are structures of params.h: what the module has pushed and what the host pushes have
 * one size, and it asks for no more constants than there are. Rows for
 * any device stay within Vulkan's 16 KiB of shared memory. */
static void rows_of_the_manifest(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < tvk_shader_count(); i++) {
        const tvk_shader_info *row = tvk_shader_get(i);
        spirv_facts f;
        if (*row->spirv_bytes == 0) continue; /* not of this compiler */
        assert_true(spirv_read(row->spirv, *row->spirv_bytes / 4, &f));
        assert_int_equal(f.kernels, 1);
        assert_int_equal(f.others, 0);
        assert_true(f.sets <= 1 && f.bindings <= strlen(tvk_op_access(row->op)));
        assert_true(f.group_constants);
        assert_int_equal(f.push_bytes, 4 * tvk_op_param_words(row->op));
        assert_true(f.constants <= TVK_CONSTANTS);
        if (row->caps == 0) assert_true(f.shared_bytes <= 16384);
    }
}

/* ---- modules by hand ---- */

/* ids: 1 and up as they come here */
enum {
    UINT = 1, /* types, with what is made of them */
    FLOAT,
    VEC3,
    MAT4,
    ARRAY,
    INNER,
    BLOCK,
    TO_BLOCK,
    LENGTH, /* a constant */
    SPEC,   /* a specialization constant */
    SIZE,   /* of the workgroup */
    X,
    Y,
    Z,
    VARIABLE,
    OTHER,
    IDS
};
enum {
    PUSH_CONSTANT = 9,
    WORKGROUP = 4,
    OFFSET = 35,
    ARRAY_STRIDE = 6,
    SPEC_ID = 1,
    BUILT_IN = 11
};

typedef struct module {
    uint32_t words[256];
    size_t count;
} module;

static void op(module *m, uint32_t code, uint32_t count, ...)
{
    va_list args;
    if (m->count == 0) {
        const uint32_t header[] = {0x07230203, 0x00010300, 0, IDS, 0};
        memcpy(m->words, header, sizeof header);
        m->count = 5;
    }
    m->words[m->count++] = (count + 1) << 16 | code;
    va_start(args, count);
    for (uint32_t i = 0; i < count; i++) m->words[m->count++] = va_arg(args, uint32_t);
    va_end(args);
}
#define ARGUMENTS(...) ((uint32_t)(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)))
#define OP(m, code, ...) op(m, code, ARGUMENTS(__VA_ARGS__), __VA_ARGS__)
#define DECORATE(m, ...) OP(m, 71, __VA_ARGS__)
#define MEMBER(m, ...) OP(m, 72, __VA_ARGS__)

static void scalars(module *m, uint32_t length)
{
    OP(m, 21, UINT, 32u, 0u);
    OP(m, 22, FLOAT, 32u);
    OP(m, 23, VEC3, FLOAT, 3u);
    OP(m, 24, MAT4, VEC3, 4u);
    OP(m, 43, UINT, LENGTH, length);
    OP(m, 50, UINT, SPEC, length);
}

static spirv_facts facts_of(const module *m)
{
    spirv_facts f;
    assert_true(spirv_read(m->words, m->count, &f));
    return f;
}

/* {uint; T at `offset`} */
static uint32_t push_bytes_of(uint32_t type, uint32_t offset, uint32_t length, uint32_t stride)
{
    module m = {.count = 0};
    MEMBER(&m, BLOCK, 0u, OFFSET, 0u);
    MEMBER(&m, BLOCK, 1u, OFFSET, offset);
    MEMBER(&m, INNER, 0u, OFFSET, 0u);
    MEMBER(&m, INNER, 1u, OFFSET, 16u);
    DECORATE(&m, ARRAY, ARRAY_STRIDE, stride);
    DECORATE(&m, SPEC, SPEC_ID, 5u);
    scalars(&m, length);
    OP(&m, 28, ARRAY, UINT, length ? LENGTH : SPEC);
    OP(&m, 30, INNER, UINT, VEC3);
    OP(&m, 30, BLOCK, UINT, type);
    OP(&m, 32, TO_BLOCK, PUSH_CONSTANT, BLOCK);
    return facts_of(&m).push_bytes;
}

static void constants_end_with_the_largest_number(void **state)
{
    module m = {.count = 0};
    (void)state;
    DECORATE(&m, SPEC, SPEC_ID, 5u);
    DECORATE(&m, OTHER, SPEC_ID, 2u);
    assert_int_equal(facts_of(&m).constants, 6);
}

static void push_constants_end_with_their_last_member(void **state)
{
    (void)state;
    assert_int_equal(push_bytes_of(UINT, 4, 1, 4), 8);
    assert_int_equal(push_bytes_of(VEC3, 16, 1, 4), 28);
    assert_int_equal(push_bytes_of(ARRAY, 4, 64, 4), 4 + 64 * 4);
    assert_int_equal(push_bytes_of(ARRAY, 16, 64, 16), 16 + 63 * 16 + 4);
    assert_int_equal(push_bytes_of(INNER, 16, 1, 4), 16 + 16 + 12);
    assert_int_equal(push_bytes_of(UINT, 0xfffffffe, 1, 4), UINT32_MAX);
    assert_int_equal(push_bytes_of(ARRAY, 4, 0x40000000, 4), UINT32_MAX);
    /* a length that is given later, a stride that is not looked at, a type that is not there */
    assert_int_equal(push_bytes_of(ARRAY, 4, 0, 4), UINT32_MAX);
    assert_int_equal(push_bytes_of(MAT4, 16, 1, 4), UINT32_MAX);
    assert_int_equal(push_bytes_of(OTHER, 16, 1, 4), UINT32_MAX);
    assert_int_equal(push_bytes_of(IDS + 1000, 16, 1, 4), UINT32_MAX);
}

/* Two variables: {uint, vec3} and an array of it. */
static uint32_t shared_bytes_of(uint32_t length)
{
    module m = {.count = 0};
    DECORATE(&m, SPEC, SPEC_ID, 5u);
    scalars(&m, length);
    OP(&m, 30, INNER, UINT, VEC3);
    OP(&m, 28, ARRAY, INNER, length ? LENGTH : SPEC);
    OP(&m, 32, TO_BLOCK, WORKGROUP, INNER);
    OP(&m, 59, TO_BLOCK, VARIABLE, WORKGROUP);
    OP(&m, 32, BLOCK, WORKGROUP, ARRAY);
    OP(&m, 59, BLOCK, OTHER, WORKGROUP);
    return facts_of(&m).shared_bytes;
}

static void shared_memory_is_summed(void **state)
{
    (void)state;
    assert_int_equal(shared_bytes_of(1), 16 + 16);
    assert_int_equal(shared_bytes_of(5000), 16 + 5000 * 16);
    assert_int_equal(shared_bytes_of(0), 16 + 16); /* one element at least */
    assert_int_equal(shared_bytes_of(0x10000000), UINT32_MAX);
}

/* A workgroup whose y is a number where `number` is given. */
static bool group_of(const uint32_t constants[3], bool number)
{
    const uint32_t sides[] = {X, Y, Z};
    module m = {.count = 0};
    DECORATE(&m, SIZE, BUILT_IN, 25u);
    for (int i = 0; i < 3; i++)
        if (!number || i != 1) DECORATE(&m, sides[i], SPEC_ID, constants[i]);
    scalars(&m, 1);
    for (int i = 0; i < 3; i++) OP(&m, number && i == 1 ? 43 : 50, UINT, sides[i], 1u);
    OP(&m, 51, VEC3, SIZE, X, Y, Z);
    return facts_of(&m).group_constants;
}

static void the_workgroup_is_three_constants(void **state)
{
    module literal = {.count = 0};
    (void)state;
    assert_true(group_of((const uint32_t[]){0, 1, 2}, false));
    assert_false(group_of((const uint32_t[]){0, 2, 1}, false));
    assert_false(group_of((const uint32_t[]){0, 1, 2}, true));
    OP(&literal, 16, X, 17u, 64u, 1u, 1u); /* LocalSize 64 1 1 */
    assert_false(facts_of(&literal).group_constants);
}

static void what_is_no_module(void **state)
{
    module m = {.count = 0};
    spirv_facts f;
    (void)state;
    scalars(&m, 1);
    assert_true(spirv_read(m.words, m.count, &f));
    assert_false(spirv_read(m.words, m.count - 1, &f)); /* in the middle of an instruction */
    assert_false(spirv_read(m.words, 4, &f));
    m.words[3] = 4194305; /* ids: past the specification's limit */
    assert_false(spirv_read(m.words, m.count, &f));
    m.words[3] = 0; /* of ids that are out of bounds nothing is known */
    assert_true(spirv_read(m.words, m.count, &f));
    m.words[0]++;
    assert_false(spirv_read(m.words, m.count, &f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_the_manifest),
        cmocka_unit_test(constants_end_with_the_largest_number),
        cmocka_unit_test(push_constants_end_with_their_last_member),
        cmocka_unit_test(shared_memory_is_summed),
        cmocka_unit_test(the_workgroup_is_three_constants),
        cmocka_unit_test(what_is_no_module),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
