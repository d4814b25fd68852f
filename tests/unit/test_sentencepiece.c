/* convert: tokenizer.model, SentencePiece's file, and the files that stand beside it in a folder.
 */
#define TEST_NAME "test_sentencepiece"
#define _POSIX_C_SOURCE 200809L
#define FOLDER "test_sentencepiece.folder"
#define OUT "test_sentencepiece.gguf"
#include "tokenizer_files.h"

/* " ab": "ab" has the highest score, then " ab" is made of " " and "ab". */
static void sentencepiece(void **state)
{
    static const int32_t ab[] = {1, 9}, line[] = {1, 9, 3, 7};
    tvk_tokenizer *t;
    buf more = {0};
    (void)state;
    make_model(12, "");
    make_spm(&none, &none);
    convert(TVK_OK, NULL);
    t = open_tokenizer(OUT);
    assert_int_equal(tvk_tokenizer_vocab(t), 12); /* two rows that no token uses */
    assert_int_equal(tvk_tokenizer_bos(t), 1);
    assert_int_equal(tvk_tokenizer_eos(t), 2);
    assert_true(tvk_tokenizer_adds_bos(t));
    expect_ids(t, "ab", sizeof "ab" - 1, true, true, ab, 2);
    expect_ids(t, "ab\na", sizeof "ab\na" - 1, true, true, line, 4);
    tvk_tokenizer_destroy(&t);
    /* ids and flags of the model */
    put_int(&more, 41, 2); /* bos_id */
    put_int(&more, 42, (uint64_t)-1);
    make_spm(&more, &none);
    convert(TVK_OK, NULL);
    t = open_tokenizer(OUT);
    assert_int_equal(tvk_tokenizer_bos(t), 2);
    tvk_tokenizer_destroy(&t);
    more.size = 0;
    put_int(&more, 3, 0); /* add_dummy_prefix */
    make_spm(&none, &more);
    convert(TVK_OK, NULL);
    t = open_tokenizer(OUT);
    expect_ids(t, "ab", sizeof "ab" - 1, true, true, (const int32_t[]){1, 5}, 2);
    tvk_tokenizer_destroy(&t);
    free_buf(&more);
}

static void refused_rules(void **state)
{
    static const struct {
        bool normalizer;
        unsigned field;
        uint64_t value;
        const char *part;
    } cases[] = {
        {false, 3, 1, "a BPE model expected, a unigram model found"},
        {false, 3, 4, "a BPE model expected, another type"},
        {false, 24, 1, "treat_whitespace_as_suffix"},
        {true, 4, 1, "remove_extra_whitespaces"},
        {true, 5, 0, "escape_whitespaces"},
    };
    buf more = {0};
    (void)state;
    make_model(12, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        more.size = 0;
        put_int(&more, cases[i].field, cases[i].value);
        make_spm(cases[i].normalizer ? &none : &more, cases[i].normalizer ? &more : &none);
        convert(TVK_ERR_UNSUPPORTED, cases[i].part);
    }
    more.size = 0;
    put_bytes(&more, 2, "\1\2\3", 3);
    make_spm(&none, &more);
    convert(TVK_ERR_UNSUPPORTED, "a precompiled_charsmap found");
    free_buf(&more);
    make_model(9, "");
    make_spm(&none, &none);
    convert(TVK_ERR_FORMAT, "9 pieces at most expected");
}

/* Cut at every length, every byte changed: an error or a vocabulary, nothing else. */
static void broken_models(void **state)
{
    buf b = {0};
    tvk_convert_params params = {.overwrite = true};
    tvk_error err;
    uint64_t seed = 7;
    (void)state;
    make_model(12, "");
    for (size_t i = 0; i < 4; i++)
        put_piece(&b, pieces[i].text, strlen(pieces[i].text), 0, pieces[i].type);
    put_specs(&b, &none, &none);
    for (size_t i = 4; i < b.size; i++) {
        unsigned char *p = exact_copy(b.data, b.size);
        p[i] ^= (unsigned char)(1u << random_u32(&seed) % 8);
        hf_bytes(FOLDER, "tokenizer.model", p, i % 2 ? b.size : i);
        (void)tvk_convert(FOLDER, OUT, &params, &err);
        free(p);
    }
    free_buf(&b);
    /* an endless number, a length past the end, a group */
    hf_bytes(FOLDER, "tokenizer.model",
             "\x0a\x03\x0a\x01"
             "a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
             16);
    convert(TVK_ERR_FORMAT, "expected at byte 5");
    hf_bytes(FOLDER, "tokenizer.model",
             "\x0a\x03\x0a\x01"
             "a\x0a\x05xyz",
             10);
    convert(TVK_ERR_FORMAT, "expected at byte 5");
    hf_bytes(FOLDER, "tokenizer.model",
             "\x0a\x03\x0a\x01"
             "a\x0b\x05",
             7);
    convert(TVK_ERR_FORMAT, "expected at byte 5");
    hf_bytes(FOLDER, "tokenizer.model",
             "\x0a\x03\x0a\x01"
             "a\x0a\x02\x18\x09",
             9);
    convert(TVK_ERR_FORMAT, "piece 1, before byte 9");
}

/* ---- what stands beside it ---- */

static void expect_key(const tvk_weight_source *s, const char *key, uint64_t value)
{
    uint64_t v = 99999;
    s->get_u64(s->user, key, &v, NULL);
    if (v != value) fail_msg("%s: %u expected, %u found", key, (unsigned)value, (unsigned)v);
}

static void folder_files(void **state)
{
    /* <pad> and <user> are taken out of the text; add_eos_token puts <end> behind it */
    static const int32_t ids[] = {1, 9, 10, 4, 11, 12};
    tvk_file *file = NULL;
    tvk_error err = {0};
    const tvk_weight_source *s;
    const char *text = NULL;
    tvk_tokenizer *t;
    (void)state;
    make_model(14, ",\"bos_token_id\":1,\"eos_token_id\":2");
    make_spm(&none, &none);
    hf_text(FOLDER, "added_tokens.json", "{\"<pad>\":10,\"<user>\":11}");
    hf_text(FOLDER, "special_tokens_map.json",
            "{\"pad_token\":{\"content\":\"<pad>\"},\"additional_special_tokens\":[\"<end>\"]}");
    hf_text(FOLDER, "tokenizer_config.json",
            "{\"added_tokens_decoder\":{\"0\":{\"content\":\"<unk>\",\"special\":true},"
            "\"12\":{\"content\":\"<end>\"},\"13\":{\"content\":\"<turn>\",\"special\":true}},"
            "\"add_eos_token\":true,\"chat_template\":[{\"name\":\"tool\",\"template\":\"T\"},"
            "{\"name\":\"default\",\"template\":\"D\"}]}");
    hf_text(FOLDER, "generation_config.json", "{\"eos_token_id\":[12,13]}");
    convert(TVK_OK, NULL);
    assert_int_equal(tvk_file_open(OUT, &file, &err), TVK_OK);
    s = tvk_file_source(file);
    expect_key(s, "tokenizer.ggml.bos_token_id", 1);
    expect_key(s, "tokenizer.ggml.eos_token_id", 12);
    expect_key(s, "tokenizer.ggml.eot_token_id", 13);
    expect_key(s, "tokenizer.ggml.unknown_token_id", 0);
    assert_true(s->get_str(s->user, "tokenizer.chat_template", &text, NULL));
    assert_string_equal(text, "D");
    tvk_file_close(&file);
    t = open_tokenizer(OUT);
    expect_ids(t, "ab<pad>a<user>", sizeof "ab<pad>a<user>" - 1, true, true, ids, 6);
    tvk_tokenizer_destroy(&t);
    hf_text(FOLDER, "chat_template.jinja", "J\n");
    convert(TVK_OK, NULL);
    assert_int_equal(tvk_file_open(OUT, &file, &err), TVK_OK);
    s = tvk_file_source(file);
    assert_true(s->get_str(s->user, "tokenizer.chat_template", &text, NULL));
    assert_string_equal(text, "J\n");
    tvk_file_close(&file);
    hf_text(FOLDER, "added_tokens.json", "{\"<pad>\":14}");
    convert(TVK_ERR_FORMAT, "token '<pad>': an id below 14");
    hf_text(FOLDER, "added_tokens.json", "{\"<pad>\":");
    convert(TVK_ERR_FORMAT, "added_tokens.json: line 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sentencepiece, clean),
        cmocka_unit_test_teardown(refused_rules, clean),
        cmocka_unit_test_teardown(broken_models, clean),
        cmocka_unit_test_teardown(folder_files, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
