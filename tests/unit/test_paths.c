/* A random ternary matrix on every path between the formats that hold it: Hugging Face's uint8 and
 * floats to GGUF, and from each GGUF type to each other, also out of a split file. The codes and
 * scales must be the first ones, bit for bit. */
#define TEST_NAME "test_paths"
#define _POSIX_C_SOURCE 200809L
#include "hf_files.h"

#define ONE "test_paths.one.gguf"
#define TWO "test_paths.two.gguf"
#define THREE "test_paths.three.gguf"

/* GGUF numbers, apart from the loader's table. */
static const struct {
    const char *option;
    uint32_t number;
    tvk_dtype type;
} types[] = {{"i2_s", 36, TVK_I2_S},
             {"tq1_0", 34, TVK_TQ1_0},
             {"tq2_0", 35, TVK_TQ2_0},
             {"f32", 0, TVK_F32},
             {"f16", 1, TVK_F16}};
#define TYPES (sizeof types / sizeof *types)

typedef struct matrix {
    size_t n, k;
    int8_t *codes;
    float scale;
} matrix;

static matrix random_matrix(uint64_t seed, size_t n, size_t k, float scale)
{
    matrix m = {n, k, malloc(n * k), scale};
    assert_non_null(m.codes);
    fill_random(seed, m.codes, n * k);
    return m;
}

/* A GGUF file with an embedding and the matrix as F32, in one part or in two. */
static void make_source(const matrix *m, bool split)
{
    static const char *const split_names[2] = {"test_paths-00001-of-00002.gguf",
                                               "test_paths-00002-of-00002.gguf"};
    for (uint32_t part = 0; part < (split ? 2u : 1u); part++) {
        buf b = {0};
        bool first = part == 0, last = part == 1 || !split;
        put_header(&b, 3, (uint64_t)first + last, (first ? 1 : 0) + (split ? 2 : 0));
        if (first) put_kv_str(&b, "general.architecture", "bitnet");
        if (split) {
            put_kv_u32(&b, "split.no", part);
            put_kv_u32(&b, "split.count", 2);
        }
        if (first) put_tensor(&b, "token_embd.weight", 0, 32, 1, 0);
        if (last) put_tensor(&b, "blk.0.ffn_up.weight", 0, m->k, m->n, first ? 128 : 0);
        put_pad(&b, 32);
        for (int i = 0; first && i < 32; i++) put_f32(&b, (float)i);
        for (size_t i = 0; last && i < m->n * m->k; i++) put_f32(&b, (float)m->codes[i] * m->scale);
        write_file(split ? split_names[part] : ONE, b.data, b.size);
        free_buf(&b);
    }
}

static void check(const char *path, const matrix *m, tvk_dtype type)
{
    tvk_file *file = NULL;
    tvk_error err = {0};
    const tvk_weight_source *s;
    const tvk_tensor *t;
    if (tvk_file_open(path, &file, &err) != TVK_OK) fail_msg("%s", err.text);
    s = tvk_file_source(file);
    t = need_tensor(s, "blk.0.ffn_up.weight");
    assert_int_equal(t->type, type);
    for (size_t i = 0; i < m->n * m->k; i++) {
        float scale = m->scale;
        bool dense = type == TVK_F32 || type == TVK_F16;
        int code = dense ? 0 : gguf_code(s, t, i, &scale);
        bool same = dense ? gguf_value(t, i) == (float)m->codes[i] * m->scale
                          : code == m->codes[i] && scale == m->scale;
        if (!same)
            fail_msg("%s, %s [%zu]: %d times %.9g expected, %d times %.9g found", path,
                     tvk_dtype_name(type), i, m->codes[i], (double)m->scale, code, (double)scale);
    }
    tvk_file_close(&file);
}

static bool possible(const matrix *m, size_t type)
{
    if (types[type].type == TVK_F16)
        return tvk_f16_to_f32(tvk_f32_to_f16(m->scale)) == m->scale; /* else it rounds */
    if (types[type].type == TVK_F32) return true;
    return types[type].type == TVK_I2_S ? m->n * m->k % 128 == 0 : m->k % 256 == 0;
}

static void convert(const char *in, const char *out, size_t type)
{
    tvk_convert_params params = {.type = types[type].option, .overwrite = true};
    tvk_error err = {0};
    if (tvk_convert(in, out, &params, &err) != TVK_OK)
        fail_msg("%s to %s: %s", in, types[type].option, err.text);
}

static void between_types(void **state)
{
    static const struct {
        size_t n, k;
        float scale;
    } cases[] = {
        {24, 256, 0.375f}, {40, 512, 0.1f}, /* no f16: TQ types have a tensor beside them */
        {300, 96, 0.75f},  {260, 160, 0.3f}, {8, 1280, 6e-6f}, {6, 44, 0.5f},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        matrix m = random_matrix(c + 1, cases[c].n, cases[c].k, cases[c].scale);
        make_source(&m, c % 2);
        for (size_t a = 0; a < TYPES; a++) {
            if (!possible(&m, a)) continue;
            convert(c % 2 ? "test_paths-00001-of-00002.gguf" : ONE, TWO, a);
            check(TWO, &m, types[a].type);
            for (size_t b = 0; b < TYPES; b++) {
                if (!possible(&m, b)) continue;
                convert(TWO, THREE, b);
                check(THREE, &m, types[b].type);
            }
        }
        free(m.codes);
    }
}

/* Blocks with scales of their own: TQ to TQ and to floats of both kinds, and back. */
static void block_scales(void **state)
{
    static const size_t order[] = {2, 1, 2, 3, 1, 4, 2}; /* in types[] */
    const size_t n = 4, k = 512;
    matrix m = random_matrix(99, n, k, 1.0f);
    const char *from = ONE, *to = TWO, *swap;
    buf b = {0};
    (void)state;
    put_header(&b, 3, 1, 1);
    put_kv_str(&b, "general.architecture", "llama");
    put_tensor(&b, "blk.0.ffn_up.weight", 1, k, n, 0);
    put_pad(&b, 32);
    for (size_t i = 0; i < n * k; i++)
        put_value(&b, "F16", (float)m.codes[i] * (float)(i / 256 + 1) / 16.0f);
    write_file(ONE, b.data, b.size);
    for (size_t step = 0; step < sizeof order / sizeof *order; step++) {
        tvk_file *file = NULL;
        tvk_error err = {0};
        const tvk_weight_source *s;
        const tvk_tensor *t;
        convert(from, to, order[step]);
        assert_int_equal(tvk_file_open(to, &file, &err), TVK_OK);
        s = tvk_file_source(file);
        t = need_tensor(s, "blk.0.ffn_up.weight");
        assert_int_equal(t->type, types[order[step]].type);
        for (size_t i = 0; i < n * k; i++) {
            float wanted = (float)(i / 256 + 1) / 16.0f, scale = 0;
            if (t->type == TVK_F32 || t->type == TVK_F16) {
                assert_true(gguf_value(t, i) == (float)m.codes[i] * wanted);
            } else {
                assert_int_equal(gguf_code(s, t, i, &scale), m.codes[i]);
                assert_true(scale == wanted);
            }
        }
        tvk_file_close(&file);
        swap = from, from = to, to = swap;
    }
    free(m.codes);
    free_buf(&b);
}

static int clean(void **state)
{
    (void)state;
    remove(ONE), remove(TWO), remove(THREE);
    remove("test_paths-00001-of-00002.gguf"), remove("test_paths-00002-of-00002.gguf");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(between_types, clean),
        cmocka_unit_test_teardown(block_scales, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
