/* The reader of NumPy arrays that other tests take their expected values from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/npz.h"

/* An .npy of version 1 with a header and some zero bytes of data; false: refused. */
static bool parses(const char *header, size_t data_bytes, npy_array *out)
{
    unsigned char bytes[256] = "\x93NUMPY\x01";
    char why[128] = "";
    size_t n = strlen(header);
    bytes[8] = (unsigned char)n;
    memcpy(bytes + 10, header, n);
    bool good = npy_parse(bytes, 10 + n + data_bytes, out, why, sizeof why);
    assert_int_equal(good, why[0] == 0);
    for (size_t i = 0; good && i < 10 + n + data_bytes; i++) {
        npy_array cut;
        assert_false(npy_parse(bytes, i, &cut, why, sizeof why));
    }
    return good;
}

static void arrays(void **state)
{
    static const char *const refused[] = {
        "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", /* big-endian */
        "{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", /* 12 bytes */
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", /* 4 bytes */
        "{'descr': '<f4', 'fortran_order': False, 'shape': 2, }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
        "{'descr': '<f4', 'fortran_order': False}",
        "",
    };
    npy_array a;
    (void)state;
    assert_true(parses("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n", 8, &a));
    assert_int_equal(a.type, NPY_F4);
    assert_int_equal(a.dim_count, 2);
    assert_int_equal(a.dims[1], 2);
    assert_int_equal(a.count, 2);
    npy_free(&a);
    assert_true(parses("{'shape': (), 'descr': '<i8', 'fortran_order': False}", 8, &a));
    assert_int_equal(a.count, 1);
    npy_free(&a);
    assert_true(parses("{'descr': '|i1', 'fortran_order': True, 'shape': (8,)}", 8, &a));
    npy_free(&a);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(parses(refused[i], 8, &a));

    const float f4[] = {-1.5f, 3};
    const int32_t i4[] = {-7, 1 << 30};
    a = (npy_array){.type = NPY_F4, .count = 2, .data = (void *)(uintptr_t)f4};
    assert_true(npy_float(&a, 0) == -1.5 && npy_int(&a, 1) == 3);
    a = (npy_array){.type = NPY_I4, .count = 2, .data = (void *)(uintptr_t)i4};
    assert_true(npy_int(&a, 0) == -7 && npy_float(&a, 1) == 1073741824.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(arrays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
