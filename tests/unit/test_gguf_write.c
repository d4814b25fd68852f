/* GGUF writer: what it writes byte by byte, and what is left when something fails. */
#define TEST_NAME "test_gguf_write"
#include "loader_files.h"

#include "gguf_write.h"
#include "ternvk/loader.h"

static tvk_status emit_bytes(void *user, tvk_gguf_sink *sink, tvk_error *err)
{
    const unsigned char *b = user;
    tvk_status st = tvk_gguf_emit(sink, b + 1, 2, err);
    return st == TVK_OK ? tvk_gguf_emit(sink, b + 3, (size_t)b[0] - 2, err) : st;
}

static tvk_status emit_fails(void *user, tvk_gguf_sink *sink, tvk_error *err)
{
    (void)user, (void)sink;
    return tvk_error_set(err, TVK_ERR_FORMAT, __FILE__, __LINE__, "on purpose");
}

static unsigned char eight[] = {8, 1, 2, 3, 4, 5, 6, 7, 8}, six[] = {6, 1, 2, 3, 4, 5, 6};

static tvk_gguf_writer *make(tvk_gguf_source source, void *user)
{
    tvk_gguf_writer *w = tvk_gguf_writer_create();
    const uint64_t dims[2] = {2, 1};
    assert_non_null(w);
    tvk_gguf_put_str(w, "s", "text");
    tvk_gguf_put_u32(w, "u", 7);
    assert_int_equal(tvk_gguf_add_tensor(w, "t", TVK_F32, 2, dims, source, user, NULL), TVK_OK);
    return w;
}

static void layout(void **state)
{
    tvk_gguf_writer *w = make(emit_bytes, eight);
    buf b = {0};
    size_t bytes = 0;
    unsigned char *found;
    tvk_error err = {0};
    (void)state;
    put_header(&b, 3, 1, 2);
    put_kv_str(&b, "s", "text");
    put_kv_u32(&b, "u", 7);
    put_tensor(&b, "t", 0, 2, 1, 0);
    put_pad(&b, 32);
    put(&b, eight + 1, 8);
    put_pad(&b, 32);
    for (int i = 0; i < 2; i++) { /* a writer can write again */
        if (tvk_gguf_write(w, temp_path("w.gguf"), true, NULL, &err)) fail_msg("%s", err.text);
        found = read_whole(temp_path("w.gguf"), &bytes);
        assert_int_equal(bytes, b.size);
        assert_memory_equal(found, b.data, bytes);
        free(found);
    }
    tvk_gguf_writer_destroy(&w);
    tvk_gguf_writer_destroy(&w);
    remove(temp_path("w.gguf"));
    free_buf(&b);
}

static bool stop(void *user, const char *what, uint64_t done, uint64_t total)
{
    (void)user, (void)what;
    return done > total;
}

static void expect_failure(tvk_gguf_writer *w, const tvk_progress *progress, tvk_status status)
{
    tvk_error err = {0};
    size_t bytes = 0;
    unsigned char *found;
    write_file(temp_path("old.gguf"), "old", 3);
    assert_int_equal(tvk_gguf_write(w, temp_path("old.gguf"), true, progress, &err), status);
    assert_true(err.text[0] != 0);
    found = read_whole(temp_path("old.gguf"), &bytes);
    assert_int_equal(bytes, 3);
    assert_memory_equal(found, "old", 3);
    free(found);
    assert_null(read_whole(temp_path("old.gguf.part"), &bytes));
    remove(temp_path("old.gguf"));
    tvk_gguf_writer_destroy(&w);
}

static void failures(void **state)
{
    tvk_progress progress = {.fn = stop};
    tvk_gguf_writer *w;
    tvk_error err = {0};
    const uint64_t dims[2] = {100, 1};
    (void)state;
    expect_failure(make(emit_fails, NULL), NULL, TVK_ERR_FORMAT);
    expect_failure(make(emit_bytes, six), NULL, TVK_ERR_INTERNAL); /* two bytes short */
    expect_failure(make(emit_bytes, eight), &progress, TVK_ERR_CANCELLED);
    w = make(emit_bytes, eight);
    tvk_gguf_put_u32(w, "s", 1);
    expect_failure(w, NULL, TVK_ERR_INTERNAL);
    w = make(emit_bytes, eight);
    assert_int_equal(tvk_gguf_add_tensor(w, "q", TVK_TQ1_0, 2, dims, emit_bytes, six, &err),
                     TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "'q': [1, 100] is not a shape of TQ1_0"));
    assert_int_equal(tvk_gguf_write(w, "no/such/folder/w.gguf", true, NULL, &err), TVK_ERR_IO);
    write_file(temp_path("old.gguf"), "old", 3);
    assert_int_equal(tvk_gguf_write(w, temp_path("old.gguf"), false, NULL, &err), TVK_ERR_ARG);
    remove(temp_path("old.gguf"));
    tvk_gguf_writer_destroy(&w);
}

/* OUT.part may be the input, or another conversion's; a device is no place for a rename. */
static void outputs(void **state)
{
    tvk_gguf_writer *w = make(emit_bytes, eight);
    tvk_error err = {0};
    size_t bytes = 0;
    unsigned char *found;
    (void)state;
    write_file(temp_path("w.gguf.part"), "in", 2);
    for (int overwrite = 0; overwrite < 2; overwrite++) {
        assert_int_equal(tvk_gguf_write(w, temp_path("w.gguf"), overwrite, NULL, &err),
                         TVK_ERR_ARG);
        assert_non_null(strstr(err.text, "w.gguf.part: is there already"));
    }
    found = read_whole(temp_path("w.gguf.part"), &bytes);
    assert_int_equal(bytes, 2);
    assert_memory_equal(found, "in", 2);
    free(found);
    remove(temp_path("w.gguf.part"));
    assert_int_equal(tvk_gguf_write(w, ".", true, NULL, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, ".: a new file or a regular one expected"));
    tvk_gguf_writer_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test(failures),
        cmocka_unit_test(outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
