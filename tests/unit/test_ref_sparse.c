/* Lists, K-major codes and the sums that follow them, against cases worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/half.h"
#include "ref/ref.h"

#define POISON 0xDEADBEEFu

/* 0.0 and values under half a step have the code 0 and are not listed; 3 -> 127, -1.5 -> -64 (63.5
 * rounds to even). */
static void lists_hold_what_is_not_zero(void **state)
{
    const float x[8] = {0.0f, 3.0f, 0.001f, 0.0f, -1.5f, 0.0f, 0.0f, 3.0f};
    uint32_t record[4 + 32 + 128];
    (void)state;
    for (size_t i = 0; i < sizeof record / sizeof *record; i++) record[i] = POISON;
    tvk_ref_act_i8(x, 8, record);
    assert_int_equal(record[4], 0x00007f00u);
    assert_int_equal(record[5], 0x7f0000c0u);
    assert_int_equal(record[1], 127 - 64 + 127);
    assert_int_equal(tvk_ref_list(record, 8), 3);
    assert_int_equal(record[2], 3);
    assert_int_equal(record[36], 1u << 8 | 0x7fu);
    assert_int_equal(record[37], 4u << 8 | 0xc0u);
    assert_int_equal(record[38], 7u << 8 | 0x7fu);
    for (uint32_t i = 3; i < 16; i++) assert_int_equal(record[36 + i], 0);
    assert_int_equal(record[36 + 16], POISON);
}

static void lists_of_all_and_nothing(void **state)
{
    float x[16] = {0};
    uint32_t record[4 + 32 + 128];
    (void)state;
    for (size_t i = 0; i < sizeof record / sizeof *record; i++) record[i] = POISON;
    tvk_ref_act_i8(x, 16, record);
    assert_int_equal(tvk_ref_list(record, 16), 0);
    assert_int_equal(record[36], POISON); /* no entry, nothing to pad */
    for (int i = 0; i < 16; i++) x[i] = -2.0f;
    tvk_ref_act_i8(x, 16, record);
    assert_int_equal(tvk_ref_list(record, 16), 16);
    for (uint32_t i = 0; i < 16; i++) assert_int_equal(record[36 + i], i << 8 | 0x81u);
    assert_int_equal(record[36 + 16], POISON);
}

/* Value i of a word of 16 stands at bit 8 (i % 4) + 2 (i / 4). */
static uint32_t code(const uint32_t *words, uint32_t i)
{
    return words[i / 16] >> (8 * (i % 4) + 2 * (i % 16 / 4)) & 3u;
}

/* 18 outputs of 3 inputs: code (n + 2 k) % 3. Both ways: every code is found where the other layout
 * has it, padding is code 1. */
static void kmajor_holds_the_same_codes(void **state)
{
    uint32_t rows[18 * 8], kmajor[3 * 4 + 1];
    (void)state;
    for (uint32_t i = 0; i < 18 * 8; i++) rows[i] = 0x55555555u;
    for (uint32_t n = 0; n < 18; n++) {
        for (uint32_t k = 0; k < 3; k++) {
            rows[8 * n] &= ~(3u << 8 * k);
            rows[8 * n] |= (n + 2 * k) % 3 << 8 * k;
        }
    }
    kmajor[12] = POISON;
    assert_int_equal(tvk_ref_kmajor_words(18), 4);
    assert_int_equal(tvk_ref_kmajor_words(64), 4);
    assert_int_equal(tvk_ref_kmajor_words(65), 8);
    tvk_ref_repack_kmajor(rows, 18, 3, kmajor);
    for (uint32_t k = 0; k < 3; k++) {
        for (uint32_t n = 0; n < 64; n++)
            assert_int_equal(code(kmajor + 4 * k, n), n < 18 ? (n + 2 * k) % 3 : 1);
    }
    /* k = 0: codes 0 1 2 0, 1 2 0 1, 2 0 1 2, 0 1 2 0 of outputs 0 to 15. Byte j holds outputs j,
     * 4 + j, 8 + j, 12 + j: 0 1 2 0 = 0x24, 1 2 0 1 = 0x49, 2 0 1 2 = 0x92, 0 1 2 0 = 0x24 */
    assert_int_equal(kmajor[0], 0x24924924u);
    assert_int_equal(kmajor[12], POISON);
}

/* q = {127, 0, -64, 127}: w0 = {1, 1, 1, 1} gives 190, w1 = {-1, 0, 1, 1} gives -64;
 * d and scale are powers of two. */
static void sums_follow_the_list(void **state)
{
    uint32_t record[4 + 32 + 128] = {0}, rows[2 * 8], kmajor[4 * 4];
    const float scales[2] = {2.0f, 0.5f};
    float y[2] = {1.0f, 1.0f}, dense[2] = {1.0f, 1.0f};
    (void)state;
    record[0] = tvk_f32_bits(0.25f);
    record[1] = (uint32_t)(127 - 64 + 127);
    record[4] = 0x7fc0007fu;
    assert_int_equal(tvk_ref_list(record, 4), 3);
    for (uint32_t i = 0; i < 16; i++) rows[i] = 0x55555555u;
    rows[0] = 0x56565656u;
    rows[8] = 0x56565554u;
    tvk_ref_repack_kmajor(rows, 2, 4, kmajor);
    tvk_ref_gemv_t2_sparse(kmajor, scales, record, 2, 4, false, y);
    assert_true(y[0] == 190 * 0.25f * 2.0f);
    assert_true(y[1] == -64 * 0.25f * 0.5f);
    tvk_ref_gemv_t2_i8(rows, scales, record, 2, 4, true, dense);
    y[0] = y[1] = 1.0f;
    tvk_ref_gemv_t2_sparse(kmajor, scales, record, 2, 4, true, y);
    assert_memory_equal(y, dense, sizeof y);
    assert_true(y[0] == 96.0f && y[1] == -7.0f);
}

static void gates_above_zero_are_listed(void **state)
{
    const float gates[8] = {0.0f, 1.0f, -0.0f, -3.0f, 1e-30f, 2.0f, -1.0f, 0.5f};
    uint32_t f[8 + 4 + 8];
    (void)state;
    for (size_t i = 0; i < 20; i++) f[i] = POISON;
    memcpy(f, gates, sizeof gates);
    tvk_ref_relu_list(f, 8);
    assert_int_equal(f[8], 4);
    assert_int_equal(f[9] | f[10] | f[11], 0);
    assert_int_equal(f[12], 1);
    assert_int_equal(f[13], 4);
    assert_int_equal(f[14], 5);
    assert_int_equal(f[15], 7);
    assert_int_equal(f[16], POISON);
    assert_int_equal(f[0] | f[2] | f[3] | f[6], 0);
    assert_int_equal(f[5], tvk_f32_bits(2.0f));
}

/* The up projection at open gates: 0.5^2 * (3 * 1 * 2) = 1.5; closed ones stay 0. 3 is the same
 * code in INT4 and E2M1. */
static void up_at_open_gates(void **state)
{
    const float scales[4] = {9.0f, 2.0f, 9.0f, 4.0f};
    uint32_t rows[4 * 8], i8[4 + 32] = {0}, i4[4 + 16] = {0}, f[4 + 4 + 4];
    (void)state;
    for (uint32_t i = 0; i < 32; i++) rows[i] = 0x55555555u;
    rows[8] = 0x55555556u;  /* row 1: w = {1, 0, ..} */
    rows[24] = 0x55555554u; /* row 3: w = {-1, 0, ..} */
    i8[0] = i4[0] = tvk_f32_bits(1.0f);
    i8[1] = i4[1] = 3;
    i8[4] = i4[4] = 3;
    for (int form = 0; form < 3; form++) {
        static tvk_ref_gemv_t2 *const gemv[] = {tvk_ref_gemv_t2_i8, tvk_ref_gemv_t2_i4,
                                                tvk_ref_gemv_t2_fp4};
        const float gates[4] = {-1.0f, 0.5f, 0.0f, 2.0f};
        memcpy(f, gates, sizeof gates);
        tvk_ref_relu_list(f, 4);
        tvk_ref_up(rows, scales, form ? i4 : i8, gemv[form], 4, 4, f);
        assert_int_equal(f[0], 0);
        assert_int_equal(f[1], tvk_f32_bits(1.5f));
        assert_int_equal(f[2], 0);
        assert_int_equal(f[3], tvk_f32_bits(-48.0f)); /* 4 * (-3 * 4) */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_hold_what_is_not_zero), cmocka_unit_test(lists_of_all_and_nothing),
        cmocka_unit_test(kmajor_holds_the_same_codes), cmocka_unit_test(sums_follow_the_list),
        cmocka_unit_test(gates_above_zero_are_listed), cmocka_unit_test(up_at_open_gates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
