#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "npy.h"
#include "out.h"
#include "prompt.h"

/* "1,5,9" -> ids; prints what is wrong. */
static bool parse_tokens(const char *text, int32_t **out, uint32_t *count)
{
    size_t room = strlen(text) / 2 + 1;
    int32_t *ids = calloc(room, sizeof *ids);
    const char *at = text;
    uint32_t n = 0;
    while (ids && n < room) {
        char *end;
        long v = strtol(at, &end, 10);
        if (end == at || v < 0 || v > INT32_MAX || (*end != ',' && *end != '\0')) break;
        ids[n++] = (int32_t)v;
        if (*end == '\0') {
            *out = ids;
            *count = n;
            return true;
        }
        at = end + 1;
    }
    out_error("--tokens: ids like 1,5,9 expected, '%s' found", text);
    free(ids);
    return false;
}

/* Logits of all tokens, into out [count, vocab]. */
static int evaluate(engine *e, const int32_t *ids, uint32_t count, const char *path)
{
    size_t vocab = tvk_model_get_info(e->model)->vocab;
    float *logits =
        count <= SIZE_MAX / sizeof(float) / vocab ? malloc(count * vocab * sizeof(float)) : NULL;
    const tvk_batch_item item = {
        .session = e->session, .tokens = ids, .count = count, .logits = logits};
    tvk_error err;
    int status = 0;
    if (!logits) {
        out_error("logits: no memory for %u x %zu floats", count, vocab);
        return 1;
    }
    while (!status && tvk_eval(e->model, &item, 1, &err) != TVK_OK)
        if (!engine_recovered(e, 0, &err)) status = out_failed(&err);
    if (!status && !npy_write_f32(path, logits, count, vocab)) status = 1;
    if (!status) fprintf(stderr, "%s: float32 [%u, %zu]\n", path, count, vocab);
    free(logits);
    return status;
}

int cmd_logits(int argc, char **argv)
{
    const char *tokens = NULL, *path = NULL, *none = NULL;
    prompt_source prompt = {0};
    const arg_option options[] = {
        {ARG_TEXT, "--tokens", "IDS", &tokens, "token ids: 1,5,9", 0, 0, NULL},
        {ARG_TEXT, "-p, --prompt", "TEXT", &prompt.text, "or a text", 0, 0, NULL},
        {ARG_TEXT, "-o, --output", "OUT.npy", &path, "NumPy file to write", 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_model_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {
        "logits",
        "[-m FILE] --tokens IDS -o OUT.npy",
        "logits of given tokens, float32 [T, V] (KV cache f32 if not said)",
        options,
        &none,
        0,
        0};
    engine e = {0};
    int32_t *ids = NULL;
    uint32_t count = 0;
    tvk_error err;
    int status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    if (engine_given.list_devices) return cmd_devices(0, NULL);
    if (!path || !tokens == !prompt.text) {
        out_error("usage: ternvk logits %s", command.usage);
        return 2;
    }
    if (tokens && !parse_tokens(tokens, &ids, &count)) return 2;
    status = engine_open(&e, TVK_KV_F32);
    if (!status && !tokens) {
        if (!e.tokenizer)
            status = out_failed(&e.tokenizer_error);
        else if (tvk_tokenize(e.tokenizer, prompt.text, strlen(prompt.text), true, true, &ids,
                              &count, &err) != TVK_OK)
            status = out_failed(&err);
    }
    if (!status) {
        status = evaluate(&e, ids, count, path);
        engine_print_times(&e, 0);
    }
    free(ids);
    engine_close(&e);
    return status;
}
