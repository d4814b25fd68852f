/* `convert` from end to end. The first byte says what the rest is: config.json ('c') or
 * model.safetensors ('s') of a folder whose other file is good, a llama2.c checkpoint ('b'), or a
 * GGUF file ('g'); the second byte picks the output types. */
#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/hf_folder.h"
#include "ternvk/loader.h"

static const struct {
    const char *type, *embedding;
} outputs[] = {
    {NULL, NULL}, {"i2_s", "f16"}, {"tq2_0", "q8_0"}, {"tq1_0", "as-is"}, {"f32", "f32"}};

static const char *folder_with(char kind, const uint8_t *data, size_t size)
{
    static char folder[300];
    static unsigned char *good;
    static size_t good_bytes;
    const char *config = hf_folder_config();
    const char *path;
    if (!good) good = hf_folder_safetensors(&good_bytes);
    fuzz_require(good != NULL, "memory");
    path = kind == 'c' ? fuzz_file("config.json", data, size)
                       : fuzz_file("config.json", config, strlen(config));
    if (kind == 'c')
        fuzz_file("model.safetensors", good, good_bytes);
    else
        fuzz_file("model.safetensors", data, size);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    return folder;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *in, *out = fuzz_path("out.gguf");
    tvk_convert_params params = {.overwrite = true};
    tvk_error err = {0};
    tvk_file *file = NULL;
    if (size < 2) return 0;
    params.type = outputs[data[1] % (sizeof outputs / sizeof *outputs)].type;
    params.embedding_type = outputs[data[1] % (sizeof outputs / sizeof *outputs)].embedding;
    if (data[0] == 'c' || data[0] == 's')
        in = folder_with((char)data[0], data + 2, size - 2);
    else if (data[0] == 'b' || data[0] == 'g')
        in = fuzz_file("in", data + 2, size - 2);
    else
        return 0;
    if (tvk_convert(in, out, &params, &err) != TVK_OK) {
        fuzz_require(fuzz_is_reason(err.text), "a failure has a reason of one line");
        return 0;
    }
    fuzz_require(tvk_file_open(out, &file, &err) == TVK_OK, "what is written can be read");
    tvk_file_close(&file);
    remove(out);
    return 0;
}
