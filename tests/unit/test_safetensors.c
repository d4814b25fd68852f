/* safetensors reader: a small file by hand, every truncation, every bit flip, the errors. */
#define TEST_NAME "test_safetensors"
#include "loader_files.h"

#include "safetensors.h"

static void make(buf *b, const char *header, size_t data)
{
    b->size = 0;
    put_le(b, strlen(header), 8);
    put(b, header, strlen(header));
    for (size_t i = 0; i < data; i++) put_le(b, i, 1);
}

static const char good[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                           "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                           "\"b\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[24,30]},"
                           "\"c\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[30,31]},"
                           "\"d\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[31,33]}}  ";

static tvk_status parse(const buf *b, tvk_error *err)
{
    unsigned char *copy = exact_copy(b->data, b->size);
    tvk_safetensors *s = NULL;
    tvk_status st = tvk_safetensors_parse(copy, b->size, &s, err);
    assert_true((st == TVK_OK) == (s != NULL));
    for (uint32_t i = 0; s && i < s->tensor_count; i++) {
        volatile unsigned sum = 0;
        for (uint64_t j = s->tensors[i].begin; j < s->tensors[i].end; j++)
            sum = sum + s->tensors[i].data[j - s->tensors[i].begin];
    }
    tvk_safetensors_destroy(&s);
    free(copy);
    return st;
}

static void reads(void **state)
{
    buf b = {0};
    tvk_safetensors *s = NULL;
    const uint32_t *i;
    (void)state;
    make(&b, good, 33);
    assert_int_equal(tvk_safetensors_parse(b.data, b.size, &s, NULL), TVK_OK);
    assert_int_equal(s->tensor_count, 4);
    i = tvk_map_find(&s->names, "a", 1);
    assert_non_null(i);
    assert_int_equal(s->tensors[*i].type, TVK_ST_F32);
    assert_int_equal(s->tensors[*i].dim_count, 2);
    assert_int_equal(s->tensors[*i].dims[1], 3);
    i = tvk_map_find(&s->names, "d", 1);
    assert_int_equal(s->tensors[*i].data[0], 31);
    assert_null(tvk_map_find(&s->names, "__metadata__", 12));
    tvk_safetensors_destroy(&s);
    free_buf(&b);
}

static void broken(void **state)
{
    buf b = {0};
    size_t whole;
    (void)state;
    make(&b, good, 33);
    whole = b.size;
    for (size_t n = 0; n < whole; n++) {
        tvk_error err = {0};
        b.size = n;
        assert_int_equal(parse(&b, &err), TVK_ERR_FORMAT);
        assert_true(err.text[0] != 0);
    }
    b.size = whole;
    for (size_t i = 0; i < whole - 33; i++) {
        for (int bit = 0; bit < 8; bit++) {
            b.data[i] ^= (unsigned char)(1 << bit);
            parse(&b, NULL);
            b.data[i] ^= (unsigned char)(1 << bit);
        }
    }
    assert_int_equal(parse(&b, NULL), TVK_OK);
    free_buf(&b);
}

static void errors(void **state)
{
    static const struct {
        const char *header;
        tvk_status status;
        const char *part;
    } cases[] = {
        {"{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}", TVK_ERR_UNSUPPORTED,
         "tensor 'a': dtype F32, F16, BF16 or U8 expected, I64 found"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", TVK_ERR_FORMAT,
         "12 bytes expected for its shape and type, 8 found"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[64],\"data_offsets\":[0,64]}}", TVK_ERR_FORMAT,
         "expects bytes 0 to 64 of the data, there are 32"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[8,4]}}", TVK_ERR_FORMAT,
         "bytes 8 to 4"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-4],\"data_offsets\":[0,4]}}", TVK_ERR_FORMAT,
         "shape: entry 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}",
         TVK_ERR_FORMAT, "shape: entry 1"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,1]}}", TVK_ERR_FORMAT,
         "a shape of at most 4"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", TVK_ERR_FORMAT, "data_offsets"},
        {"{\"a\":7}", TVK_ERR_FORMAT, "a JSON object expected"},
        {"{\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}}", TVK_ERR_FORMAT, "a dtype expected"},
        {"[]", TVK_ERR_FORMAT, "a JSON object expected"},
        {"{\"a\":", TVK_ERR_FORMAT, "the JSON header"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
         TVK_ERR_FORMAT, "duplicate"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}",
         TVK_ERR_FORMAT, "tensors 'a' and 'b' overlap"},
    };
    buf b = {0};
    tvk_error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tvk_status st;
        make(&b, cases[i].header, 32);
        st = parse(&b, &err);
        if (st != cases[i].status || !strstr(err.text, cases[i].part))
            fail_msg("'%s' expected, '%s' found", cases[i].part, err.text);
    }
    b.size = 0;
    put_le(&b, UINT64_MAX, 8);
    put_le(&b, 0, 8);
    assert_int_equal(parse(&b, &err), TVK_ERR_FORMAT);
    assert_non_null(strstr(err.text, "a header of 18446744073709551615 bytes"));
    free_buf(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(broken),
        cmocka_unit_test(errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
