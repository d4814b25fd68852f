/* Tokenizers of other programs (tokenizer.json, tokenizer.model, llama2.c's tokenizer.bin, told
 * apart by their content) put into a GGUF file by `convert`, and what is read back from there. */
#include "target.h"

#include <stdlib.h>
#include <string.h>

#include "ternvk/loader.h"

#define VOCAB 264 /* all bytes and some more */

/* A GGUF with an embedding of VOCAB rows of one F32, and nothing else: the tokenizer goes there. */
static const char *model(void)
{
    static const char name[] = "token_embd.weight";
    unsigned char bytes[96 + 4 * VOCAB] = "GGUF\3";
    bytes[8] = 1;                /* tensors */
    bytes[24] = sizeof name - 1; /* behind 0 keys */
    memcpy(bytes + 32, name, sizeof name - 1);
    bytes[49] = 2; /* dimensions: 1 and VOCAB; type F32 and offset 0 follow */
    bytes[53] = 1;
    bytes[61] = VOCAB & 255;
    bytes[62] = VOCAB >> 8;
    return fuzz_file("in.gguf", bytes, sizeof bytes);
}

static void use(const char *path)
{
    static const char text[] = "a b  1234 it's <s>\xc3\xa9\xff\n<|eot_id|>";
    tvk_file *file = NULL;
    tvk_tokenizer *t = NULL;
    tvk_error err = {0};
    int32_t *ids = NULL;
    uint32_t count = 0;
    fuzz_require(tvk_file_open(path, &file, &err) == TVK_OK, "what is written can be read");
    if (tvk_tokenizer_create(file, &t, &err) == TVK_OK &&
        tvk_tokenize(t, text, sizeof text - 1, true, true, &ids, &count, &err) == TVK_OK) {
        for (uint32_t i = 0; i < count; i++)
            fuzz_require(ids[i] >= 0 && (uint32_t)ids[i] < tvk_tokenizer_vocab(t),
                         "ids are of the vocabulary");
    }
    free(ids);
    tvk_tokenizer_destroy(&t);
    tvk_file_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *in = model();
    const char *out = fuzz_path("out.gguf");
    const tvk_convert_params params = {.tokenizer = fuzz_file("tokenizer", data, size),
                                       .overwrite = true};
    tvk_error err = {0};
    if (tvk_convert(in, out, &params, &err) == TVK_OK)
        use(out);
    else
        fuzz_require(fuzz_is_reason(err.text), "a failure has a reason of one line");
    return 0;
}
