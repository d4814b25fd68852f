/* Chat templates. The first byte is the role, the second the template, then comes a file's template
 * text, a zero byte, and what a person types. */
#include "target.h"

#include <stdlib.h>
#include <string.h>

#include "ternvk/chat.h"
#include "utf8.h"

static const char *const marks[] = {
    "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>",   "<|start_header_id|>",
    "<|end_header_id|>", "<|im_start|>",    "<|im_end|>",   "<|endoftext|>",
    "<|system|>",        "<|user|>",        "<|assistant|>"};
#define MARKS (sizeof marks / sizeof *marks)
#define TOKENS (256 + MARKS)

typedef struct writer {
    unsigned char bytes[16384];
    size_t size;
} writer;

static void put(writer *w, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) w->bytes[w->size++] = (unsigned char)(v >> 8 * i & 255);
}

static void put_text(writer *w, const char *s)
{
    put(w, strlen(s), 8);
    while (*s) put(w, (unsigned char)*s++, 1);
}

static void put_array(writer *w, const char *key, uint32_t type, uint64_t count)
{
    put_text(w, key);
    put(w, 9, 4);
    put(w, type, 4);
    put(w, count, 8);
}

static void put_key(writer *w, const char *key, const char *value)
{
    put_text(w, key);
    put(w, 8, 4);
    put_text(w, value);
}

/* A token a byte, then the marks of all templates as control tokens. */
static tvk_tokenizer *make_tokenizer(void)
{
    static writer w;
    tvk_file *file = NULL;
    tvk_tokenizer *t = NULL;
    unsigned next = 0x100;
    memcpy(w.bytes, "GGUF\3", 5);
    w.size = 8;
    put(&w, 0, 8);
    put(&w, 6, 8);
    put_key(&w, "general.architecture", "llama");
    put_key(&w, "tokenizer.ggml.model", "gpt2");
    put_key(&w, "tokenizer.ggml.pre", "llama-bpe");
    put_array(&w, "tokenizer.ggml.tokens", 8, TOKENS);
    for (unsigned byte = 0; byte < 256; byte++) {
        bool printable = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
        char text[5] = "";
        text[tvk_utf8_encode(printable ? byte : next++, text)] = '\0';
        put_text(&w, text);
    }
    for (size_t i = 0; i < MARKS; i++) put_text(&w, marks[i]);
    put_array(&w, "tokenizer.ggml.token_type", 5, TOKENS);
    for (unsigned i = 0; i < TOKENS; i++) put(&w, i < 256 ? 1 : 3, 4);
    put_array(&w, "tokenizer.ggml.merges", 8, 0);
    fuzz_require(tvk_file_open_memory(w.bytes, w.size, "vocabulary", &file, NULL) == TVK_OK &&
                     tvk_tokenizer_create(file, &t, NULL) == TVK_OK,
                 "the target's own vocabulary");
    tvk_file_close(&file);
    return t;
}

static uint32_t control_tokens(const int32_t *ids, uint32_t count)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) n += ids[i] >= 256;
    return n;
}

/* The tokens of a message are its text, and its content makes none of them a control token. */
static void render(const tvk_chat_template *chat, const tvk_tokenizer *t, tvk_chat_role role,
                   const char *content, size_t bytes)
{
    int32_t *ids = NULL, *empty = NULL;
    uint32_t count = 0, empty_count = 0;
    size_t size = tvk_chat_text(chat, role, content, bytes, NULL, 0), at = 0;
    char *text = malloc(size + 1);
    fuzz_require(text != NULL, "memory");
    fuzz_require(tvk_chat_text(chat, role, content, bytes, text, size) == size, "one size");
    fuzz_require(tvk_chat_message(chat, t, role, content, bytes, &ids, &count, NULL) == TVK_OK &&
                     tvk_chat_message(chat, t, role, "", 0, &empty, &empty_count, NULL) == TVK_OK,
                 "any content has tokens");
    fuzz_require(control_tokens(ids, count) == control_tokens(empty, empty_count),
                 "content ends no message");
    for (uint32_t i = 0; i < count; i++) {
        const char *s;
        size_t n;
        tvk_token_bytes(t, ids[i], false, true, &s, &n);
        fuzz_require(n <= size - at && memcmp(text + at, s, n) == 0, "tokens spell the message");
        at += n;
    }
    fuzz_require(at == size, "all of it");
    free(text);
    free(ids);
    free(empty);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"bitnet", "llama3", "chatml", "falcon3", "none"};
    static tvk_tokenizer *t;
    const tvk_chat_template *chat, *found;
    const uint8_t *end;
    size_t template_bytes;
    if (!t) t = make_tokenizer();
    if (size < 2) return 0;
    end = memchr(data + 2, 0, size - 2);
    template_bytes = end ? (size_t)(end - data) - 2 : size - 2;
    found = tvk_chat_detect((const char *)data + 2, template_bytes);
    fuzz_require(!found || tvk_chat_find(tvk_chat_name(found)), "what is found has a name");
    chat = found ? found : tvk_chat_find(names[data[1] % 5]);
    if (end)
        render(chat, t, (tvk_chat_role)(data[0] % 3), (const char *)end + 1,
               size - 3 - template_bytes);
    return 0;
}
