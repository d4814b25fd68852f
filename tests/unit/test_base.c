/* runtime/base: half conversions, element types, arena, checked arithmetic, error values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/crew.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/half.h"
#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"

/* Value of a finite half by the definition of IEEE 754 binary16, in double. */
static double half_value(uint32_t h)
{
    int exp = (int)(h >> 10 & 31u), man = (int)(h & 1023u);
    double v = exp == 0 ? ldexp(man, -24) : ldexp(1024 + man, exp - 25);
    return h & 0x8000u ? -v : v;
}

static void test_half_to_float_all(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = tvk_f16_to_f32((uint16_t)h);
        if ((h & 0x7fffu) > 0x7c00u) {
            assert_true(isnan(f));
        } else if ((h & 0x7fffu) == 0x7c00u) {
            assert_true(isinf(f) && (f < 0) == (h >= 0x8000u));
        } else {
            assert_true((double)f == half_value(h));
            assert_int_equal(signbit(f) != 0, h >= 0x8000u);
        }
    }
}

static void test_half_round_trip_all(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t back = tvk_f32_to_f16(tvk_f16_to_f32((uint16_t)h));
        if ((h & 0x7fffu) > 0x7c00u)
            assert_int_equal(back & 0x7fffu, 0x7e00u); /* every NaN becomes the quiet one */
        else
            assert_int_equal(back, h);
    }
}

/* Between two neighbours: the middle goes to the even one, a float step off the middle to the
 * nearer one. Over every pair of finite neighbours, both signs, subnormals included. */
static void test_half_rounding_ties_all(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7c00u; h++) {
        double low = half_value(h);
        double high = h == 0x7bffu ? 65536.0 : half_value(h + 1); /* infinity takes over at 2^16 */
        float mid = (float)((low + high) / 2);
        uint32_t even = h & 1u ? h + 1 : h;
        assert_true((double)mid == (low + high) / 2);
        for (uint32_t sign = 0; sign <= 0x8000u; sign += 0x8000u) {
            float s = sign ? -1.0f : 1.0f;
            assert_int_equal(tvk_f32_to_f16(s * mid), sign | even);
            assert_int_equal(tvk_f32_to_f16(s * nextafterf(mid, 0.0f)), sign | h);
            assert_int_equal(tvk_f32_to_f16(s * nextafterf(mid, 1e9f)), sign | (h + 1));
        }
    }
}

static void test_half_extremes(void **state)
{
    (void)state;
    assert_int_equal(tvk_f32_to_f16(65504.0f), 0x7bff);
    assert_int_equal(tvk_f32_to_f16(1e30f), 0x7c00);
    assert_int_equal(tvk_f32_to_f16(-1e30f), 0xfc00);
    assert_int_equal(tvk_f32_to_f16(1e-30f), 0);
    assert_int_equal(tvk_f32_to_f16(-1e-30f), 0x8000);
    assert_int_equal(tvk_f32_to_f16(1e-42f), 0); /* a subnormal float */
    assert_int_equal(tvk_f32_to_f16(INFINITY), 0x7c00);
    assert_int_equal(tvk_f32_to_f16(NAN) & 0x7fff, 0x7e00);
    assert_true(tvk_bf16_to_f32(0x3f80) == 1.0f);
    assert_true(tvk_bf16_to_f32(0xc040) == -3.0f);
    assert_int_equal(tvk_f32_bits(tvk_f32_from_bits(0x7fc12345u)), 0x7fc12345u);
}

static uint64_t bytes_of(tvk_dtype type, uint64_t rows, uint64_t cols)
{
    uint64_t out = 0;
    assert_true(tvk_dtype_bytes(type, rows, cols, &out));
    return out;
}

static void test_dtype_bytes(void **state)
{
    uint64_t out;
    (void)state;
    assert_int_equal(bytes_of(TVK_F32, 3, 5), 60);
    assert_int_equal(bytes_of(TVK_F16, 3, 5), 30);
    assert_int_equal(bytes_of(TVK_BF16, 3, 5), 30);
    assert_int_equal(bytes_of(TVK_Q8_0, 2, 64), 136);   /* 4 blocks of 34 */
    assert_int_equal(bytes_of(TVK_Q4_0, 2, 64), 72);    /* 4 blocks of 18 */
    assert_int_equal(bytes_of(TVK_Q6_K, 3, 512), 1260); /* 6 blocks of 210 */
    assert_int_equal(bytes_of(TVK_TQ1_0, 2, 512), 216); /* 4 blocks of 54 */
    assert_int_equal(bytes_of(TVK_TQ2_0, 2, 512), 264); /* 4 blocks of 66 */
    assert_int_equal(bytes_of(TVK_I2_S, 2560, 6912), 2560 * 6912 / 4 + 32);
    assert_int_equal(bytes_of(TVK_I2_S, 2, 64), 32 + 32); /* one block over two rows */
    assert_int_equal(bytes_of(TVK_F32, 0, 5), 0);
    assert_false(tvk_dtype_bytes(TVK_Q8_0, 2, 33, &out));
    assert_false(tvk_dtype_bytes(TVK_Q4_0, 4, 16, &out));
    assert_false(tvk_dtype_bytes(TVK_Q6_K, 4, 128, &out));
    assert_false(tvk_dtype_bytes(TVK_TQ2_0, 2, 128, &out)); /* whole blocks a row, not a tensor */
    assert_false(tvk_dtype_bytes(TVK_I2_S, 1, 64, &out));
    assert_false(tvk_dtype_bytes(TVK_F32, UINT64_MAX, 2, &out));
    assert_false(tvk_dtype_bytes(TVK_F32, UINT64_MAX / 4 + 1, 1, &out));
    assert_false(tvk_dtype_bytes(TVK_I2_S, UINT64_MAX / 128, 129, &out));
    assert_false(tvk_dtype_bytes(TVK_DTYPE_COUNT, 1, 1, &out));
    assert_false(tvk_dtype_bytes((tvk_dtype)-1, 1, 1, &out));
}

static void test_dtype_names(void **state)
{
    (void)state;
    assert_string_equal(tvk_dtype_name(TVK_I2_S), "I2_S");
    assert_string_equal(tvk_dtype_name(TVK_F32), "F32");
    assert_string_equal(tvk_dtype_name(TVK_DTYPE_COUNT), "unknown");
    assert_null(tvk_dtype_get(TVK_DTYPE_COUNT));
    for (uint32_t t = 0; t < TVK_DTYPE_COUNT; t++) {
        const tvk_dtype_info *info = tvk_dtype_get((tvk_dtype)t);
        assert_int_equal(info->ternary, t >= TVK_TQ1_0 && t <= TVK_I2_S);
        assert_true(info->block_elems > 0 && info->block_bytes > 0);
    }
}

static void test_checked_arithmetic(void **state)
{
    uint64_t u;
    uint32_t w;
    size_t s;
    (void)state;
    assert_true(tvk_mul_u64(UINT32_MAX, UINT32_MAX, &u) && u == UINT64_C(0xfffffffe00000001));
    assert_true(tvk_mul_u64(UINT64_MAX, 1, &u) && u == UINT64_MAX);
    assert_true(tvk_mul_u64(UINT64_MAX, 0, &u) && u == 0);
    assert_true(tvk_mul_u64(0, UINT64_MAX, &u) && u == 0);
    assert_false(tvk_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &u));
    assert_false(tvk_mul_u64(UINT64_MAX, 2, &u));
    assert_true(tvk_add_u64(UINT64_MAX, 0, &u) && u == UINT64_MAX);
    assert_false(tvk_add_u64(UINT64_MAX, 1, &u));
    assert_true(tvk_u64_to_u32(UINT32_MAX, &w) && w == UINT32_MAX);
    assert_false(tvk_u64_to_u32((uint64_t)UINT32_MAX + 1, &w));
    assert_true(tvk_u64_to_size(12345, &s) && s == 12345);
    assert_true(tvk_round_up(0, 16) == 0 && tvk_round_up(1, 16) == 16);
    assert_true(tvk_round_up(16, 16) == 16 && tvk_round_up(17, 12) == 24);
    assert_true(tvk_div_up(0, 5) == 0 && tvk_div_up(5, 5) == 1 && tvk_div_up(6, 5) == 2);
    assert_int_equal(tvk_div_up(UINT32_MAX, 2), UINT32_C(0x80000000));
}

static bool all_zero(const unsigned char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (p[i]) return false;
    }
    return true;
}

static void test_arena(void **state)
{
    tvk_arena arena = {0};
    unsigned char *seen[64];
    size_t size[64];
    (void)state;
    /* small and block-sized pieces in turn: zeroed, aligned, none overlaps another */
    for (size_t i = 0; i < 64; i++) {
        size[i] = i % 8 == 7 ? 70000 : 1 + 97 * i;
        seen[i] = tvk_arena_alloc(&arena, size[i], 1);
        assert_non_null(seen[i]);
        assert_int_equal((uintptr_t)seen[i] % _Alignof(max_align_t), 0);
        assert_true(all_zero(seen[i], size[i]));
        memset(seen[i], (int)i + 1, size[i]);
    }
    for (size_t i = 0; i < 64; i++) {
        for (size_t b = 0; b < size[i]; b++) assert_int_equal(seen[i][b], i + 1);
    }
    assert_ptr_not_equal(tvk_arena_alloc(&arena, 0, 8), tvk_arena_alloc(&arena, 0, 8));
    assert_null(tvk_arena_alloc(&arena, SIZE_MAX / 2, 4));
    assert_null(tvk_arena_alloc(&arena, SIZE_MAX, SIZE_MAX));
    assert_string_equal(tvk_arena_strdup(&arena, "ternary", 4), "tern");
    assert_string_equal(tvk_arena_strdup(&arena, "", 0), "");
    tvk_arena_free(&arena);
    assert_null(arena.head);
    tvk_arena_free(&arena);
}

static tvk_status try_all(bool fail, const void *memory, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY_ALLOC(memory);
    if (fail) TVK_FAIL(TVK_ERR_FORMAT, "expected %d, found %d", 3, 4);
    return TVK_OK;
fail:
    return st;
}

static void test_errors(void **state)
{
    tvk_error err = {0};
    char long_text[2 * sizeof err.text];
    (void)state;
    assert_int_equal(try_all(false, &err, &err), TVK_OK);
    assert_int_equal(try_all(true, &err, &err), TVK_ERR_FORMAT);
    assert_int_equal(err.status, TVK_ERR_FORMAT);
    assert_string_equal(err.text, "expected 3, found 4");
    assert_string_equal(err.file, "test_base.c");
    assert_true(err.line > 0);
    assert_int_equal(try_all(true, NULL, NULL), TVK_ERR_HOST_MEMORY);
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    tvk_error_set(&err, TVK_ERR_IO, "f.c", 1, "%s", long_text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_string_equal(tvk_status_name(TVK_OK), "ok");
    assert_string_equal(tvk_status_name(TVK_ERR_CANCELLED), "cancelled");
    assert_string_equal(tvk_status_name((tvk_status)99), "unknown status");
    assert_string_equal(tvk_status_name((tvk_status)-1), "unknown status");
}

static void keep_line(void *user, tvk_log_level level, const char *text)
{
    snprintf(user, 64, "%d:%s", (int)level, text);
}

static void test_log(void **state)
{
    char line[64] = "";
    tvk_log log = {keep_line, line, TVK_LOG_INFO};
    tvk_log none = {0};
    (void)state;
    tvk_log_print(&log, TVK_LOG_WARN, "%s %d", "heap", 7);
    assert_string_equal(line, "1:heap 7");
    tvk_log_print(&log, TVK_LOG_DEBUG, "hidden");
    tvk_log_print(&none, TVK_LOG_ERROR, "dropped");
    tvk_log_print(NULL, TVK_LOG_ERROR, "dropped");
    assert_string_equal(line, "1:heap 7");
}

/* What a file says must not drive the terminal that shows it. */
static void test_control_characters(void **state)
{
    char line[64] = "";
    tvk_log log = {keep_line, line, TVK_LOG_INFO};
    tvk_error err = {0};
    (void)state;
    tvk_error_set(&err, TVK_ERR_FORMAT, __FILE__, __LINE__, "key '%s'", "a\x1b[2J\r\n\x7f\xc2\x9b");
    assert_string_equal(err.text, "key 'a.[2J.....'");
    tvk_log_print(&log, TVK_LOG_WARN, "\xc3\xa9\xc2\xa0 %s", "\xc2");
    assert_string_equal(line, "1:\xc3\xa9\xc2\xa0 \xc2"); /* letters stay, halves too */
    assert_true(tvk_text_has_control("a\0b", 3));
    assert_true(tvk_text_has_control("\xc2\x80", 2));
    assert_false(tvk_text_has_control("\xc2\xa1 \xc2", 4));
}

static void test_clock(void **state)
{
    uint64_t last = tvk_clock_ns();
    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = tvk_clock_ns();
        assert_true(now >= last);
        last = now;
    }
}

#define ITEMS 1000u

static void count_item(void *user, uint32_t item)
{
    uint32_t *counts = user;
    counts[item]++;
}

/* Every item once, by however many threads. */
static void test_crew(void **state)
{
    uint32_t counts[ITEMS] = {0}, want = 0;
    tvk_crew *crew = NULL;
    tvk_error err = {0};
    (void)state;
    assert_true(tvk_processors() >= 1);
    for (uint32_t threads = 0; threads < 40; threads += 7, want++) {
        assert_int_equal(tvk_crew_start(threads, ITEMS, count_item, counts, &crew, &err), TVK_OK);
        tvk_crew_join(&crew);
        assert_null(crew);
    }
    tvk_crew_join(&crew);
    tvk_crew_run(0, count_item, counts);
    tvk_crew_run(ITEMS, count_item, counts);
    for (uint32_t i = 0; i < ITEMS; i++) assert_int_equal(counts[i], want + 1);
}

static void wait_for_lock(void *lock, uint32_t item)
{
    (void)item;
    tvk_lock_take(lock);
    tvk_lock_give(lock);
}

/* Who waits until some time leaves the crew at work; without threads the items are the caller's. */
static void test_crew_done_by(void **state)
{
    tvk_lock *lock = tvk_lock_create();
    uint32_t counts[ITEMS] = {0};
    tvk_crew *crew = NULL;
    tvk_error err = {0};
    (void)state;
    assert_non_null(lock);
    tvk_lock_take(lock);
    assert_int_equal(tvk_crew_start(2, 3, wait_for_lock, lock, &crew, &err), TVK_OK);
    assert_false(tvk_crew_done_by(crew, 0));
    assert_false(tvk_crew_done_by(crew, tvk_clock_ns() + 2000000));
    tvk_lock_give(lock);
    assert_true(tvk_crew_done_by(crew, UINT64_MAX));
    tvk_crew_join(&crew);
    assert_int_equal(tvk_crew_start(0, ITEMS, count_item, counts, &crew, &err), TVK_OK);
    assert_true(tvk_crew_done_by(crew, 0));
    tvk_crew_join(&crew);
    for (uint32_t i = 0; i < ITEMS; i++) assert_int_equal(counts[i], 1);
    tvk_lock_destroy(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_to_float_all),
        cmocka_unit_test(test_half_round_trip_all),
        cmocka_unit_test(test_half_rounding_ties_all),
        cmocka_unit_test(test_half_extremes),
        cmocka_unit_test(test_dtype_bytes),
        cmocka_unit_test(test_dtype_names),
        cmocka_unit_test(test_checked_arithmetic),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_crew),
        cmocka_unit_test(test_crew_done_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
