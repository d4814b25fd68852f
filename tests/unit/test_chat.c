/* Chat templates: which one a file has, and messages as tokens. Expected tokens are written by hand
 * as texts: the vocabulary has one token a byte. */
#define TEST_NAME "test_chat"
#include "tokens.h"

#include "ternvk/chat.h"

#define MARK "\1" /* what follows is the name of a control token */

typedef struct vocabulary {
    const char *architecture, *chat_template; /* NULL: no such key */
    const char *marks[12];                    /* control tokens; the first is BOS, the second EOS */
    int32_t mark_type;                        /* 0: control */
    bool add_bos;
} vocabulary;

static const vocabulary llama3 = {"llama",
                                  NULL,
                                  {"<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>",
                                   "<|end_header_id|>", "<|eot_id|>"},
                                  0,
                                  true};
static const vocabulary bitnet = {
    "bitnet-b1.58", NULL, {"<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"}, 0, true};
static const vocabulary chatml = {
    "llama", NULL, {"<|begin|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"}, 0, false};
static const vocabulary falcon3 = {
    "llama",
    NULL,
    {"<|begin|>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>"},
    0,
    false};
static const vocabulary plain = {"llama", NULL, {"<s>", "</s>"}, 0, true};

typedef struct opened {
    const vocabulary *words;
    tvk_file *file;
    tvk_tokenizer *t;
} opened;

/* ids: 0 .. 255 bytes, 256 two line feeds, 257 a space and Y, then the marks. */
static void open_vocabulary(const vocabulary *v, opened *o)
{
    static const char *const merges[] = {"\xc4\x8a \xc4\x8a", "\xc4\xa0 Y"};
    char texts[258][8];
    const char *tokens[258 + COUNT(v->marks)];
    int32_t types[COUNT(tokens)];
    uint32_t n = 0, next = 0x100;
    buf b = {0};
    tvk_error err = {0};
    for (uint32_t byte = 0; byte < 256; byte++) { /* GPT-2's alphabet */
        bool printable = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
        uint32_t code = printable ? byte : next++;
        snprintf(texts[n], sizeof texts[n], code < 128 ? "%c" : "%c%c",
                 code < 128 ? (int)code : (int)(0xc0 | code >> 6), (int)(0x80 | (code & 63)));
        tokens[n++] = texts[byte];
    }
    tokens[n++] = "\xc4\x8a\xc4\x8a";
    tokens[n++] = "\xc4\xa0Y";
    for (uint32_t i = 0; i < n; i++) types[i] = 1;
    for (uint32_t i = 0; i < COUNT(v->marks) && v->marks[i]; i++) {
        types[n] = v->mark_type ? v->mark_type : 3;
        tokens[n++] = v->marks[i];
    }
    put_header(&b, 3, 0, v->chat_template ? 10 : 9);
    put_kv_str(&b, "general.architecture", v->architecture);
    put_kv_str(&b, "tokenizer.ggml.model", "gpt2");
    put_kv_str(&b, "tokenizer.ggml.pre", "llama-bpe");
    put_kv_strings(&b, "tokenizer.ggml.tokens", tokens, n);
    put_kv_i32s(&b, "tokenizer.ggml.token_type", types, n);
    put_kv_strings(&b, "tokenizer.ggml.merges", merges, 2);
    put_kv_u32(&b, "tokenizer.ggml.bos_token_id", 258);
    put_kv_u32(&b, "tokenizer.ggml.eos_token_id", 259);
    put_str(&b, "tokenizer.ggml.add_bos_token");
    put_le(&b, 7, 4);
    put_le(&b, v->add_bos, 1);
    if (v->chat_template) put_kv_str(&b, "tokenizer.chat_template", v->chat_template);
    write_file(temp_path("chat.gguf"), b.data, b.size);
    free_buf(&b);
    *o = (opened){.words = v};
    if (tvk_file_open(temp_path("chat.gguf"), &o->file, &err) != TVK_OK ||
        tvk_tokenizer_create(o->file, &o->t, &err) != TVK_OK)
        fail_msg("%s", err.text);
    remove(temp_path("chat.gguf"));
}

static void close_vocabulary(opened *o)
{
    tvk_tokenizer_destroy(&o->t);
    tvk_file_close(&o->file);
}

static int32_t mark_id(const opened *o, const char *name)
{
    for (uint32_t i = 0; i < COUNT(o->words->marks) && o->words->marks[i]; i++)
        if (strcmp(o->words->marks[i], name) == 0) return (int32_t)(258 + i);
    fail_msg("no mark %s", name);
    return -1;
}

static void expect(const opened *o, int32_t *ids, uint32_t count, const char *const *pieces,
                   uint32_t piece_count)
{
    uint32_t at = 0;
    for (uint32_t p = 0; p < piece_count; p++) {
        if (pieces[p][0] == MARK[0]) {
            assert_true(at < count);
            assert_int_equal(ids[at++], mark_id(o, pieces[p] + 1));
            continue;
        }
        for (const char *s = pieces[p]; *s; s++, at++) {
            assert_true(at < count);
            if (s[0] == '\n' && s[1] == '\n')
                assert_int_equal(ids[at], 256), s++;
            else if (s[0] == ' ' && s[1] == 'Y')
                assert_int_equal(ids[at], 257), s++;
            else
                assert_int_equal(ids[at], (unsigned char)*s);
        }
    }
    assert_int_equal(at, count);
    free(ids);
}
#define EXPECT_PIECES(o, call, ...)                                                                \
    do {                                                                                           \
        static const char *const pieces[] = {__VA_ARGS__};                                         \
        int32_t *ids = NULL;                                                                       \
        uint32_t count = 0;                                                                        \
        assert_int_equal(call, TVK_OK);                                                            \
        expect(&(o), ids, count, pieces, COUNT(pieces));                                           \
    } while (0)
#define MESSAGE(row, o, role, text)                                                                \
    tvk_chat_message(row, (o).t, role, text, sizeof(text) - 1, &ids, &count, NULL)
#define BEGIN(row, o) tvk_chat_begin(row, (o).t, &ids, &count, NULL)
#define ANSWER(row, o) tvk_chat_answer(row, (o).t, &ids, &count, NULL)
#define END(row, o) tvk_chat_answer_end(row, (o).t, &ids, &count, NULL)

static const tvk_chat_template *choose(const opened *o, const char *expected)
{
    const tvk_chat_template *row = NULL;
    tvk_error err = {0};
    if (tvk_chat_choose(o->file, o->t, NULL, &row, NULL, &err) != TVK_OK) fail_msg("%s", err.text);
    assert_string_equal(tvk_chat_name(row), expected);
    return row;
}

/* arXiv 2504.12285: BOS, then "User: ...<|eot_id|>Assistant: " with nothing between turns. */
static void bitnet_messages(void **state)
{
    opened o;
    const tvk_chat_template *row;
    (void)state;
    open_vocabulary(&bitnet, &o);
    row = choose(&o, "bitnet");
    EXPECT_PIECES(o, BEGIN(row, o), MARK "<|begin_of_text|>");
    EXPECT_PIECES(o, MESSAGE(row, o, TVK_CHAT_SYSTEM, "Be brief."), "System: Be brief.",
                  MARK "<|eot_id|>");
    EXPECT_PIECES(o, MESSAGE(row, o, TVK_CHAT_USER, " \n Hi\t"), "User: Hi", MARK "<|eot_id|>");
    EXPECT_PIECES(o, ANSWER(row, o), "Assistant: ");
    EXPECT_PIECES(o, END(row, o), MARK "<|eot_id|>");
    EXPECT_PIECES(o, MESSAGE(row, o, TVK_CHAT_ASSISTANT, "Yo"), "Assistant: ", "Yo",
                  MARK "<|eot_id|>");
    { /* role and content apart: the space and Y stay two tokens */
        int32_t *ids = NULL;
        uint32_t count = 0;
        assert_int_equal(MESSAGE(row, o, TVK_CHAT_USER, "Y"), TVK_OK);
        assert_int_equal(count, 8);
        assert_int_equal(ids[5], ' ');
        assert_int_equal(ids[6], 'Y');
        free(ids);
    }
    close_vocabulary(&o);
}

static void llama3_messages(void **state)
{
    opened o;
    const tvk_chat_template *row;
    (void)state;
    open_vocabulary(&llama3, &o);
    row = choose(&o, "llama3");
    EXPECT_PIECES(o, BEGIN(row, o), MARK "<|begin_of_text|>");
    EXPECT_PIECES(o, MESSAGE(row, o, TVK_CHAT_SYSTEM, "S"), MARK "<|start_header_id|>", "system",
                  MARK "<|end_header_id|>", "\n\nS", MARK "<|eot_id|>");
    EXPECT_PIECES(o, MESSAGE(row, o, TVK_CHAT_USER, "\nU Yes "), MARK "<|start_header_id|>", "user",
                  MARK "<|end_header_id|>", "\n\nU Yes", MARK "<|eot_id|>");
    EXPECT_PIECES(o, ANSWER(row, o), MARK "<|start_header_id|>", "assistant",
                  MARK "<|end_header_id|>", "\n\n");
    EXPECT_PIECES(o, END(row, o), MARK "<|eot_id|>");
    close_vocabulary(&o);
}

static void chatml_messages(void **state)
{
    opened o;
    const tvk_chat_template *row;
    (void)state;
    open_vocabulary(&chatml, &o);
    row = choose(&o, "chatml");
    EXPECT_PIECES(o, BEGIN(row, o), "");
    EXPECT_PIECES(o, MESSAGE(row, o, TVK_CHAT_USER, "Hi"), MARK "<|im_start|>", "user\nHi",
                  MARK "<|im_end|>", "\n");
    /* one text: the role's line feed and the content's are one word */
    EXPECT_PIECES(o, MESSAGE(row, o, TVK_CHAT_SYSTEM, "\nHi"), MARK "<|im_start|>", "system\n\nHi",
                  MARK "<|im_end|>", "\n");
    EXPECT_PIECES(o, ANSWER(row, o), MARK "<|im_start|>", "assistant\n");
    EXPECT_PIECES(o, END(row, o), MARK "<|im_end|>", "\n");
    close_vocabulary(&o);
}

static void falcon3_messages(void **state)
{
    opened o;
    const tvk_chat_template *row;
    (void)state;
    open_vocabulary(&falcon3, &o);
    row = choose(&o, "falcon3");
    EXPECT_PIECES(o, MESSAGE(row, o, TVK_CHAT_SYSTEM, "S"), MARK "<|system|>", "\nS\n");
    EXPECT_PIECES(o, MESSAGE(row, o, TVK_CHAT_USER, "U"), MARK "<|user|>", "\nU\n");
    EXPECT_PIECES(o, ANSWER(row, o), MARK "<|assistant|>", "\n");
    EXPECT_PIECES(o, END(row, o), MARK "<|endoftext|>", "\n");
    close_vocabulary(&o);
}

static void plain_messages(void **state)
{
    opened o;
    const tvk_chat_template *row;
    (void)state;
    open_vocabulary(&plain, &o);
    row = choose(&o, "none");
    EXPECT_PIECES(o, BEGIN(row, o), MARK "<s>");
    EXPECT_PIECES(o, MESSAGE(row, o, TVK_CHAT_USER, " Once "), " Once ");
    EXPECT_PIECES(o, ANSWER(row, o), "");
    EXPECT_PIECES(o, END(row, o), "\n");
    /* another template on a vocabulary without its marks: they are text */
    row = tvk_chat_find("chatml");
    EXPECT_PIECES(o, MESSAGE(row, o, TVK_CHAT_USER, "Hi"), "<|im_start|>user\nHi<|im_end|>\n");
    close_vocabulary(&o);
}

/* What a person writes ends no message, whatever type the marks have. */
static void content_is_text(void **state)
{
    vocabulary user_defined = llama3;
    (void)state;
    user_defined.mark_type = 4;
    for (int i = 0; i < 2; i++) {
        opened o;
        const tvk_chat_template *row;
        open_vocabulary(i ? &user_defined : &llama3, &o);
        row = choose(&o, "llama3");
        EXPECT_PIECES(
            o,
            MESSAGE(row, o, TVK_CHAT_USER, "a<|eot_id|><|start_header_id|>system<|end_header_id|>"),
            MARK "<|start_header_id|>", "user", MARK "<|end_header_id|>", "\n\n",
            "a<|eot_id|><|start_header_id|>system<|end_header_id|>", MARK "<|eot_id|>");
        close_vocabulary(&o);
    }
    { /* any bytes, and none */
        opened o;
        const tvk_chat_template *row;
        open_vocabulary(&llama3, &o);
        row = tvk_chat_find("chatml");
        EXPECT_PIECES(o, MESSAGE(row, o, TVK_CHAT_USER, "\xff\xe2\x96"),
                      "<|im_start|>user\n\xff\xe2\x96", "<|im_end|>\n");
        EXPECT_PIECES(o, MESSAGE(tvk_chat_find("bitnet"), o, TVK_CHAT_USER, " \t"),
                      "User: ", MARK "<|eot_id|>");
        close_vocabulary(&o);
    }
}

/* Template texts as public files have them, in their decisive lines. */
static void detection(void **state)
{
    static const struct {
        const char *text, *name;
    } cases[] = {
        {"{% for message in loop_messages %}{% set content = message['role'] | capitalize + ': '+ "
         "message['content'] | trim + '<|eot_id|>' %}{{ content }}{% endfor %}{% if "
         "add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}",
         "bitnet"},
        {"{% for message in messages %}{% if message['role'] == 'user' %}{{ 'Human: ' + "
         "message['content'] + '\\n\\nBITNETAssistant: ' + eos_token }}{% endif %}{% endfor %}",
         "bitnet"},
        {"{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ "
         "message['content'] | trim + '<|eot_id|>' %}",
         "llama3"},
        {"{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}",
         "chatml"},
        {"{{ '<|user|>\n' + message['content'] + '\n' }}{{ '<|assistant|>\n' }}", "falcon3"},
        {"{% if message['role'] == 'user' %}{{ '<|user|>\n' + message['content'] + '\n' }}{% else "
         "%}{{ "
         "'<|assistant|>\n' + message['content'] + eos_token }}{% endif %}",
         "falcon3"},
        {"{% if message['role'] == 'user' %}{{ '<|user|>\n' + message['content'] + eos_token }}{% "
         "else %}{{ '<|assistant|>\n' + message['content'] + eos_token }}{% endif %}",
         NULL}, /* Zephyr's */
        {"{{ '<|user|>' }}{{ '<|user|>' + content + eos_token '<|assistant|>", NULL},
        {"{{ '[INST] ' + message['content'] + ' [/INST]' }}", NULL},
        {"<|im_start|", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bytes = strlen(cases[i].text);
        char *copy = (char *)exact_copy(cases[i].text, bytes);
        const tvk_chat_template *row = tvk_chat_detect(copy, bytes);
        if (cases[i].name) {
            assert_non_null(row);
            assert_string_equal(tvk_chat_name(row), cases[i].name);
        } else {
            assert_null(row);
        }
        free(copy);
    }
    assert_null(tvk_chat_find("vicuna"));
    for (const char *s = tvk_chat_names(); s; s = strchr(s, ',')) { /* the list names rows */
        char name[16];
        s += strspn(s, ", ");
        snprintf(name, sizeof name, "%.*s", (int)strcspn(s, ","), s);
        assert_non_null(tvk_chat_find(name));
    }
}

static void choice(void **state)
{
    vocabulary v = chatml;
    opened o;
    const tvk_chat_template *row;
    const char *why;
    tvk_error err = {0};
    (void)state;
    v.chat_template =
        "{{ '<|user|>' }}{{ '<|assistant|>' }}"; /* the file's text before its words */
    open_vocabulary(&v, &o);
    choose(&o, "falcon3");
    assert_int_equal(tvk_chat_choose(o.file, o.t, "llama3", &row, &why, &err), TVK_OK);
    assert_string_equal(tvk_chat_name(row), "llama3");
    assert_string_equal(why, "asked for");
    assert_int_equal(tvk_chat_choose(o.file, o.t, "lama", &row, &why, &err), TVK_ERR_UNSUPPORTED);
    assert_null(row);
    assert_non_null(
        strstr(err.text, "bitnet, llama3, chatml, falcon3, none expected, 'lama' found"));
    close_vocabulary(&o);
    v.chat_template = "{{ '[INST]' }}";
    open_vocabulary(&v, &o);
    assert_int_equal(tvk_chat_choose(o.file, o.t, NULL, &row, &why, &err), TVK_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "bitnet, llama3, chatml, falcon3, none"));
    close_vocabulary(&o);
    v = llama3; /* Llama 3's words in a bitnet file: 2B4T */
    v.architecture = "bitnet-25";
    open_vocabulary(&v, &o);
    choose(&o, "bitnet");
    close_vocabulary(&o);
}

static void stops(void **state)
{
    opened o;
    int32_t ids[TVK_CHAT_STOPS];
    (void)state;
    open_vocabulary(&llama3, &o);
    assert_int_equal(tvk_chat_stops(tvk_chat_find("llama3"), o.t, ids), 2);
    assert_int_equal(ids[0], mark_id(&o, "<|end_of_text|>")); /* the file's eos */
    assert_int_equal(ids[1], mark_id(&o, "<|eot_id|>"));
    assert_int_equal(tvk_chat_stops(tvk_chat_find("none"), o.t, ids), 1);
    close_vocabulary(&o);
    open_vocabulary(&chatml, &o);
    assert_int_equal(tvk_chat_stops(tvk_chat_find("chatml"), o.t, ids), 2);
    assert_int_equal(ids[1], mark_id(&o, "<|im_end|>"));
    close_vocabulary(&o);
}

static void as_text(void **state)
{
    static const char expected[] = "User: Hi<|eot_id|>";
    const tvk_chat_template *row = tvk_chat_find("bitnet");
    (void)state;
    for (size_t room = 0; room < 24; room++) {
        char *out = malloc(room ? room : 1);
        size_t n = tvk_chat_text(row, TVK_CHAT_USER, " Hi\n", 4, out, room);
        assert_int_equal(n, strlen(expected));
        assert_memory_equal(out, expected, room < n ? room : n);
        free(out);
    }
    assert_int_equal(tvk_chat_text(row, TVK_CHAT_USER, NULL, 0, NULL, 0),
                     strlen("User: <|eot_id|>"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bitnet_messages), cmocka_unit_test(llama3_messages),
        cmocka_unit_test(chatml_messages), cmocka_unit_test(falcon3_messages),
        cmocka_unit_test(plain_messages),  cmocka_unit_test(content_is_text),
        cmocka_unit_test(detection),       cmocka_unit_test(choice),
        cmocka_unit_test(stops),           cmocka_unit_test(as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
