/* GGUF reader: hand-made files, every truncation, every bit flip, the text of the errors, splits.
 */
#define TEST_NAME "test_gguf"
#include "loader_files.h"

#include "base/half.h"
#include "gguf.h"
#include "ternvk/loader.h"

/* One file with every value type and tensors of every type that is read. Returns where the data
 * section begins. */
static size_t make_file(buf *b, uint32_t version)
{
    static const struct {
        const char *name;
        uint32_t type;
        uint64_t k, n, bytes;
    } tensors[] = {
        {"f32", 0, 3, 2, 24},    {"f16", 1, 5, 0, 10},      {"q8_0", 8, 32, 2, 68},
        {"bf16", 30, 4, 1, 8},   {"tq1_0", 34, 256, 1, 54}, {"tq2_0", 35, 256, 1, 66},
        {"i2_s", 36, 64, 4, 96},
    };
    uint64_t offset = 0;
    size_t start;
    put_header(b, version, 7, 16);
    put_kv_str(b, "general.architecture", "llama");
    put_kv_u32(b, "u32", 7);
    put_str(b, "u8"), put_le(b, 0, 4), put_le(b, 200, 1);
    put_str(b, "i8"), put_le(b, 1, 4), put_le(b, 0xff, 1);
    put_str(b, "u16"), put_le(b, 2, 4), put_le(b, 60000, 2);
    put_str(b, "i16"), put_le(b, 3, 4), put_le(b, 0xfffe, 2);
    put_str(b, "i32"), put_le(b, 5, 4), put_le(b, 12, 4);
    put_str(b, "f32"), put_le(b, 6, 4), put_f32(b, 1.5f);
    put_str(b, "bool"), put_le(b, 7, 4), put_le(b, 1, 1);
    put_str(b, "u64"), put_le(b, 10, 4), put_le(b, 1ull << 40, 8);
    put_str(b, "i64"), put_le(b, 11, 4), put_le(b, UINT64_MAX, 8);
    put_str(b, "f64"), put_le(b, 12, 4), put_le(b, 0x3fd5555555555555u, 8);
    put_str(b, "strings"), put_le(b, 9, 4), put_le(b, 8, 4), put_le(b, 2, 8);
    put_str(b, "one"), put_str(b, "");
    put_str(b, "numbers"), put_le(b, 9, 4), put_le(b, 5, 4), put_le(b, 3, 8);
    for (int i = 0; i < 3; i++) put_le(b, (uint64_t)i, 4);
    put_str(b, "nested"), put_le(b, 9, 4), put_le(b, 9, 4), put_le(b, 2, 8);
    for (int i = 0; i < 2; i++) put_le(b, 7, 4), put_le(b, 1, 8), put_le(b, 1, 1);
    put_kv_u32(b, "general.alignment", 64);
    for (int i = 0; i < 7; i++) {
        put_tensor(b, tensors[i].name, tensors[i].type, tensors[i].k, tensors[i].n, offset);
        offset += (tensors[i].bytes + 63) / 64 * 64;
    }
    put_pad(b, 64);
    start = b->size;
    for (int i = 0; i < 7; i++) {
        for (uint64_t j = 0; j < tensors[i].bytes; j++) put_le(b, (uint64_t)(i * 16 + 1), 1);
        if (i < 6) put_pad(b, 64);
    }
    return start;
}

static tvk_status parse(const buf *b, tvk_error *err)
{
    unsigned char *copy = exact_copy(b->data, b->size);
    tvk_gguf *g = NULL;
    tvk_status st = tvk_gguf_parse(copy, b->size, &g, err);
    assert_true((st == TVK_OK) == (g != NULL));
    if (g) { /* reads all that the parser vouches for */
        volatile unsigned sum = 0;
        for (uint32_t i = 0; i < g->tensor_count; i++)
            for (uint64_t j = 0; j < g->tensors[i].bytes; j++)
                sum = sum + ((const unsigned char *)g->tensors[i].data)[j];
        for (uint32_t i = 0; i < g->kv_count; i++) {
            const unsigned char *at = g->kvs[i].data;
            for (size_t j = 0; j < g->kvs[i].bytes; j++) sum = sum + at[j];
            if (g->kvs[i].type != TVK_GGUF_ARRAY || g->kvs[i].elem != TVK_GGUF_STRING) continue;
            for (uint64_t j = 0; j < g->kvs[i].count; j++) {
                size_t n;
                const char *s = tvk_gguf_next_str(&at, &n);
                for (size_t k = 0; k < n; k++) sum = sum + (unsigned char)s[k];
            }
        }
    }
    tvk_gguf_destroy(&g);
    free(copy);
    return st;
}

static void expect_error(const buf *b, tvk_status status, const char *part)
{
    tvk_error err = {0};
    tvk_status st = parse(b, &err);
    if (st != status || !strstr(err.text, part))
        fail_msg("%s '%s' expected, %s '%s' found", tvk_status_name(status), part,
                 tvk_status_name(st), err.text);
}

static void values(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        buf b = {0};
        tvk_file *file = NULL;
        const tvk_weight_source *s;
        tvk_error err = {0};
        uint64_t u = 0;
        double d = 0;
        bool flag = false;
        const char *text = NULL, *key;
        char type[32], value[64];
        const tvk_tensor *t;
        size_t start = make_file(&b, version);
        write_file(temp_path("all.gguf"), b.data, b.size);
        if (tvk_file_open(temp_path("all.gguf"), &file, &err) != TVK_OK) fail_msg("%s", err.text);
        s = tvk_file_source(file);
        assert_int_equal(tvk_file_version(file), version);
        assert_int_equal(tvk_file_bytes(file), b.size);
        assert_true(s->get_u64(s->user, "u8", &u, &err) && u == 200);
        assert_true(s->get_u64(s->user, "u16", &u, &err) && u == 60000);
        assert_true(s->get_u64(s->user, "u32", &u, &err) && u == 7);
        assert_true(s->get_u64(s->user, "i32", &u, &err) && u == 12);
        assert_true(s->get_u64(s->user, "u64", &u, &err) && u == 1ull << 40);
        assert_false(s->get_u64(s->user, "i64", &u, &err));
        assert_int_equal(err.status, TVK_ERR_FORMAT);
        assert_non_null(strstr(err.text, "-1 found"));
        assert_true(s->get_f64(s->user, "i64", &d, &err) && d == -1);
        assert_true(s->get_f64(s->user, "i8", &d, &err) && d == -1);
        assert_true(s->get_f64(s->user, "i16", &d, &err) && d == -2);
        assert_true(s->get_f64(s->user, "f32", &d, &err) && d == 1.5);
        assert_true(s->get_f64(s->user, "f64", &d, &err) && d == 1.0 / 3);
        assert_true(s->get_bool(s->user, "bool", &flag, &err) && flag);
        assert_true(s->get_str(s->user, "general.architecture", &text, &err));
        assert_string_equal(text, "llama");
        assert_false(s->get_str(s->user, "u8", &text, &err));
        assert_int_equal(err.status, TVK_ERR_FORMAT);
        assert_non_null(strstr(err.text, "a string expected, u8 found"));
        assert_false(s->get_bool(s->user, "u8", &flag, &err));
        assert_false(s->get_u64(s->user, "f32", &u, &err));
        assert_int_equal(err.status, TVK_ERR_FORMAT);
        assert_false(s->get_u64(s->user, "absent", &u, &err));
        assert_int_equal(err.status, TVK_OK);
        assert_false(s->get_u64(s->user, "absent", &u, NULL));
        assert_int_equal(s->array_count(s->user, "strings"), 2);
        assert_int_equal(s->array_count(s->user, "u8"), 0);
        assert_int_equal(tvk_file_meta_count(file), 16);
        tvk_file_meta(file, 12, &key, type, sizeof type, value, sizeof value);
        assert_string_equal(key, "strings");
        assert_string_equal(type, "string[2]");
        assert_string_equal(value, "one, ");
        tvk_file_meta(file, 13, &key, type, sizeof type, value, 5);
        assert_string_equal(value, "0, 1");
        for (uint32_t i = 0; i < 16; i++)
            tvk_file_meta(file, i, &key, type, sizeof type, value, sizeof value);

        assert_int_equal(s->tensor_count(s->user), 7);
        t = s->tensor(s->user, "q8_0");
        assert_ptr_equal(t, s->tensor_at(s->user, 2));
        assert_null(s->tensor_at(s->user, 7));
        assert_null(s->tensor(s->user, "none"));
        assert_int_equal(t->type, TVK_Q8_0);
        assert_int_equal(t->dim_count, 2);
        assert_int_equal(t->dims[0], 32);
        assert_int_equal(t->dims[1], 2);
        assert_int_equal(t->bytes, 68);
        assert_memory_equal(t->data, b.data + start + 128, 68);
        t = s->tensor(s->user, "i2_s");
        assert_int_equal(t->type, TVK_I2_S);
        assert_int_equal(t->bytes, 96);
        assert_memory_equal(t->data, b.data + b.size - 96, 96);
        tvk_file_close(&file);
        assert_null(file);
        tvk_file_close(&file);
        remove(temp_path("all.gguf"));
        free_buf(&b);
    }
}

static void truncation(void **state)
{
    buf b = {0};
    size_t start = make_file(&b, 3), whole = b.size;
    (void)state;
    for (size_t n = 0; n < whole; n++) {
        tvk_error err = {0};
        b.size = n;
        assert_int_equal(parse(&b, &err), TVK_ERR_FORMAT);
        assert_true(err.text[0] != 0);
    }
    b.size = whole;
    assert_int_equal(parse(&b, NULL), TVK_OK);
    b.size = start - 1;
    expect_error(&b, TVK_ERR_FORMAT, "the file is cut short: tensor 'f32' expects 24 bytes");
    b.size = 6;
    expect_error(&b, TVK_ERR_FORMAT, "4 bytes expected for the version at byte 4, 2 found");
    free_buf(&b);
}

static void bit_flips(void **state)
{
    buf b = {0};
    size_t start = make_file(&b, 3);
    (void)state;
    for (size_t i = 0; i < start; i++) {
        for (int bit = 0; bit < 8; bit++) {
            tvk_error err = {0};
            b.data[i] ^= (unsigned char)(1 << bit);
            if (parse(&b, &err) != TVK_OK) assert_true(err.text[0] != 0);
            b.data[i] ^= (unsigned char)(1 << bit);
        }
        for (int v = 0; v < 256; v += 255) { /* counts and lengths of all sizes */
            unsigned char old[8];
            size_t n = start - i < 8 ? start - i : 8;
            memcpy(old, b.data + i, n);
            memset(b.data + i, v, n);
            parse(&b, NULL);
            memcpy(b.data + i, old, n);
        }
    }
    assert_int_equal(parse(&b, NULL), TVK_OK);
    free_buf(&b);
}

static void headers(void **state)
{
    buf b = {0};
    (void)state;
    put(&b, "GGML\3\0\0\0", 8);
    expect_error(&b, TVK_ERR_FORMAT, "'GGUF' (47 47 55 46) expected at byte 0, 47 47 4d 4c found");
    b.size = 0;
    expect_error(&b, TVK_ERR_FORMAT, "4 bytes expected for the magic at byte 0, 0 found");
    put_header(&b, 1, 0, 0);
    expect_error(&b, TVK_ERR_UNSUPPORTED, "version 2 or 3 expected at byte 4, 1 found");
    b.size = 0;
    put_header(&b, 0x03000000, 0, 0);
    expect_error(&b, TVK_ERR_UNSUPPORTED, "big-endian");
    b.size = 0;
    put_header(&b, 3, UINT64_MAX, 0);
    expect_error(&b, TVK_ERR_FORMAT, "18446744073709551615 tensors");
    b.size = 0;
    put_header(&b, 3, 0, 1ull << 60);
    expect_error(&b, TVK_ERR_FORMAT, "metadata entries");
    b.size = 0;
    put_header(&b, 3, 0, 0);
    assert_int_equal(parse(&b, NULL), TVK_OK);
    free_buf(&b);
}

static void metadata_errors(void **state)
{
    buf b = {0};
    (void)state;
    put_header(&b, 3, 0, 2);
    put_kv_u32(&b, "a.b", 1);
    put_kv_u32(&b, "a.b", 1);
    expect_error(&b, TVK_ERR_FORMAT, "key 'a.b' is there twice");
    b.size = 0;
    put_header(&b, 3, 0, 1);
    put_str(&b, "k"), put_le(&b, 13, 4), put_le(&b, 0, 8);
    expect_error(&b, TVK_ERR_FORMAT, "key 'k': value type 0 to 12 expected at byte 33, 13 found");
    b.size = 0;
    put_header(&b, 3, 0, 1);
    put_str(&b, "k"), put_le(&b, 7, 4), put_le(&b, 2, 1);
    expect_error(&b, TVK_ERR_FORMAT, "bool 0 or 1 expected at byte 37, 2 found");
    b.size = 0;
    put_header(&b, 3, 0, 1);
    put_str(&b, "k"), put_le(&b, 9, 4), put_le(&b, 8, 4), put_le(&b, 1ull << 61, 8);
    expect_error(&b, TVK_ERR_FORMAT, "strings at byte 49 do not fit");
    b.size = 0;
    put_header(&b, 3, 0, 1);
    put_str(&b, "k"), put_le(&b, 9, 4), put_le(&b, 10, 4), put_le(&b, 1ull << 61, 8);
    expect_error(&b, TVK_ERR_FORMAT, "cut short");
    b.size = 0;
    put_header(&b, 3, 0, 1);
    put_kv_u32(&b, "general.alignment", 24);
    expect_error(&b, TVK_ERR_FORMAT, "a power of two expected, 24 found");
    b.size = 0;
    put_header(&b, 3, 0, 1);
    put_str(&b, "");
    put_le(&b, 0, 8), put_le(&b, 0, 8);
    expect_error(&b, TVK_ERR_FORMAT, "a key at byte 24: 1 to 65535 bytes expected, 0 found");
    free_buf(&b);
}

static void one_tensor(buf *b, uint32_t type, uint64_t k, uint64_t n, uint64_t offset, size_t data)
{
    b->size = 0;
    put_header(b, 3, 1, 0);
    put_tensor(b, "blk.0.w", type, k, n, offset);
    put_pad(b, 32);
    for (size_t i = 0; i < data; i++) put_le(b, 0, 1);
}

static void tensor_errors(void **state)
{
    static const struct {
        uint32_t number;
        const char *name;
    } refused[] = {{3, "type Q4_1 (number 3,"},
                   {12, "type Q4_K"},
                   {28, "type F64"},
                   {38, "type TL1"},
                   {39, "type TL2"},
                   {77, "unknown type number 77"}};
    buf b = {0};
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        one_tensor(&b, refused[i].number, 256, 1, 0, 4096);
        expect_error(&b, TVK_ERR_UNSUPPORTED, refused[i].name);
    }
    one_tensor(&b, 38, 256, 1, 0, 4096);
    expect_error(&b, TVK_ERR_UNSUPPORTED, "kernel settings");
    one_tensor(&b, 34, 128, 2, 0, 4096);
    expect_error(&b, TVK_ERR_FORMAT, "[2, 128] is not a shape of TQ1_0 (blocks of 256 values)");
    one_tensor(&b, 0, 4, 1, 8, 4096);
    expect_error(&b, TVK_ERR_FORMAT, "multiple of 32 expected, 8 found");
    one_tensor(&b, 0, 4, 1, 32, 16);
    expect_error(&b, TVK_ERR_FORMAT, "tensor 'blk.0.w' expects 16 bytes");
    one_tensor(&b, 0, 1ull << 63, 1ull << 63, 0, 64);
    expect_error(&b, TVK_ERR_FORMAT, "is not a shape");
    one_tensor(&b, 0, 1ull << 61, 2, 0, 64);
    expect_error(&b, TVK_ERR_FORMAT, "is not a shape");
    one_tensor(&b, 0, 0, 2, 0, 64);
    expect_error(&b, TVK_ERR_FORMAT, "dimension 0 is 0");
    one_tensor(&b, 0, 4, 1, UINT64_MAX - 31, 64);
    expect_error(&b, TVK_ERR_FORMAT, "cut short");
    b.size = 0;
    put_header(&b, 3, 2, 0);
    put_tensor(&b, "w", 0, 4, 1, 0);
    put_tensor(&b, "w", 0, 4, 1, 32);
    put_pad(&b, 128);
    expect_error(&b, TVK_ERR_FORMAT, "tensor 'w' is there twice");
    /* number 36 with 4.5 bits a value */
    b.size = 0;
    put_header(&b, 3, 2, 0);
    put_tensor(&b, "w", 36, 4096, 4, 0);
    put_tensor(&b, "x", 0, 4, 1, 4096 * 4 * 9 / 16);
    put_pad(&b, 32);
    for (size_t i = 0; i < 10000; i++) put_le(&b, 0, 1);
    expect_error(&b, TVK_ERR_UNSUPPORTED, "IQ4_NL_4_4");
    /* the last tensor: room to the end of the file */
    one_tensor(&b, 36, 4096, 4, 0, 4096 * 4 * 9 / 16);
    expect_error(&b, TVK_ERR_UNSUPPORTED, "IQ4_NL_4_4");
    /* numbers of two types: by size, and by architecture */
    one_tensor(&b, 39, 4096, 4, 0, 4096 * 4 * 17 / 32);
    expect_error(&b, TVK_ERR_UNSUPPORTED, "type MXFP4 (number 39, which is TL2 in bitnet.cpp)");
    one_tensor(&b, 38, 4096, 4, 0, 4096 * 4 * 9 / 16);
    expect_error(&b, TVK_ERR_UNSUPPORTED, "type IQ4_NL_8_8");
    one_tensor(&b, 37, 4096, 4, 0, 4096 * 4 + 32);
    expect_error(&b, TVK_ERR_UNSUPPORTED, "type I8_S");
    b.size = 0;
    put_header(&b, 3, 1, 1);
    put_kv_str(&b, "general.architecture", "bitnet-b1.58");
    put_tensor(&b, "w", 39, 4096, 4, 0);
    put_pad(&b, 32);
    for (size_t i = 0; i < 4096 * 4 * 17 / 32; i++) put_le(&b, 0, 1);
    expect_error(&b, TVK_ERR_UNSUPPORTED, "type TL2 (number 39, which is MXFP4 in ggml)");
    free_buf(&b);
}

static void make_part(const char *path, uint32_t no, uint32_t count, uint32_t tensors,
                      const char *name)
{
    buf b = {0};
    put_header(&b, 3, 1, no == 0 ? 4 : 3);
    if (no == 0) put_kv_str(&b, "general.architecture", "llama");
    put_str(&b, "split.no"), put_le(&b, 2, 4), put_le(&b, no, 2);
    put_str(&b, "split.count"), put_le(&b, 2, 4), put_le(&b, count, 2);
    put_str(&b, "split.tensors.count"), put_le(&b, 5, 4), put_le(&b, tensors, 4);
    put_tensor(&b, name, 0, 2, 0, 0);
    put_pad(&b, 32);
    put_f32(&b, (float)no);
    put_f32(&b, 5.0f);
    write_file(path, b.data, b.size);
    free_buf(&b);
}

static void splits(void **state)
{
    const char *a = "test_gguf-00001-of-00002.gguf", *c = "test_gguf-00002-of-00002.gguf";
    tvk_file *file = NULL;
    tvk_error err = {0};
    const tvk_weight_source *s;
    float f = 0;
    (void)state;
    make_part(a, 0, 2, 2, "first");
    make_part(c, 1, 2, 2, "second");
    if (tvk_file_open(a, &file, &err) != TVK_OK) fail_msg("%s", err.text);
    s = tvk_file_source(file);
    assert_int_equal(s->tensor_count(s->user), 2);
    memcpy(&f, s->tensor(s->user, "second")->data, 4);
    assert_true(f == 1.0f);
    tvk_file_close(&file);
    assert_int_equal(tvk_file_open(c, &file, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "open the first part"));
    make_part(c, 1, 2, 2, "first");
    assert_int_equal(tvk_file_open(a, &file, &err), TVK_ERR_FORMAT);
    assert_non_null(strstr(err.text, "in two parts"));
    make_part(c, 0, 2, 2, "second");
    assert_int_equal(tvk_file_open(a, &file, &err), TVK_ERR_FORMAT);
    assert_non_null(strstr(err.text, "split.no 1 expected, 0 found"));
    make_part(c, 1, 3, 2, "second");
    assert_int_equal(tvk_file_open(a, &file, &err), TVK_ERR_FORMAT);
    assert_non_null(strstr(err.text, "split.count 2 expected, as the first part has, 3 found"));
    make_part(c, 1, 2, 2, "second");
    make_part(a, 0, 2, 9, "first");
    assert_int_equal(tvk_file_open(a, &file, &err), TVK_ERR_FORMAT);
    assert_non_null(strstr(err.text, "split.tensors.count is 9"));
    remove(c);
    make_part(a, 0, 2, 2, "first");
    assert_int_equal(tvk_file_open(a, &file, &err), TVK_ERR_IO);
    assert_non_null(strstr(err.text, "00002-of-00002"));
    remove(a);
}

static void files(void **state)
{
    tvk_file *file = NULL;
    tvk_error err = {0};
    (void)state;
    assert_int_equal(tvk_file_open("no/such/file", &file, &err), TVK_ERR_IO);
    assert_non_null(strstr(err.text, "no/such/file"));
    assert_int_equal(tvk_file_open(".", &file, &err), TVK_ERR_IO);
    write_file(temp_path("empty"), "", 0);
    assert_int_equal(tvk_file_open(temp_path("empty"), &file, &err), TVK_ERR_FORMAT);
    assert_null(file);
    remove(temp_path("empty"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),          cmocka_unit_test(truncation),
        cmocka_unit_test(bit_flips),       cmocka_unit_test(headers),
        cmocka_unit_test(metadata_errors), cmocka_unit_test(tensor_errors),
        cmocka_unit_test(splits),          cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
