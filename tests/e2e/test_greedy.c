/* Greedy texts of another program's forward of the same file: with the true ids before it fed, how
 * often is the largest logit the next id?
 *
 *   test_greedy MODEL.gguf TEXTS.txt        at least 99 % must agree; lines of TEXTS: # a comment,
 * or the number of prompt tokens and then all ids */
#include "support/device.h"

#include "ternvk/loader.h"
#include "ternvk/session.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_IDS 512
#define LEAST_TOKENS 2000
#define LEAST_TEXTS 10

/* Ids of a line; 0: none, or more than fit, or not all numbers. */
static uint32_t parse(char *line, uint32_t *prompt, int32_t *ids)
{
    uint32_t count = 0;
    char *end;
    long value = strtol(line, &end, 10);
    if (end == line || value < 1) return 0;
    *prompt = (uint32_t)value;
    for (line = end;; line = end) {
        value = strtol(line, &end, 10);
        if (end == line) return *end == '\n' && count > *prompt ? count : 0;
        if (count == MAX_IDS || value < 0 || value > INT32_MAX) return 0;
        ids[count++] = (int32_t)value;
    }
}

static int32_t best(const float *logits, uint32_t vocab)
{
    uint32_t b = 0;
    for (uint32_t i = 1; i < vocab; i++)
        if (logits[i] > logits[b]) b = i;
    return (int32_t)b;
}

typedef struct totals {
    uint32_t texts, tokens, agree;
} totals;

static tvk_status score(tvk_model *model, const int32_t *ids, uint32_t prompt, uint32_t count,
                        totals *t, tvk_error *err)
{
    uint32_t vocab = tvk_model_get_info(model)->vocab;
    float *logits = malloc((size_t)(count - 1) * vocab * sizeof *logits);
    tvk_session *session = NULL;
    tvk_status st = tvk_session_create(model, &session, err);
    const tvk_batch_item item = {session, ids, count - 1, logits};
    if (!logits) abort();
    if (st == TVK_OK) st = tvk_eval(model, &item, 1, err);
    for (uint32_t i = prompt; st == TVK_OK && i < count; i++) {
        t->tokens++;
        t->agree += best(logits + (size_t)(i - 1) * vocab, vocab) == ids[i];
    }
    t->texts++;
    tvk_session_destroy(&session);
    free(logits);
    return st;
}

static int score_file(tvk_model *model, FILE *file)
{
    char line[8 * MAX_IDS];
    int32_t ids[MAX_IDS];
    totals t = {0};
    tvk_error err = {0};
    while (fgets(line, sizeof line, file)) {
        uint32_t prompt, count;
        if (line[0] == '#') continue;
        count = parse(line, &prompt, ids);
        if (!count) {
            fprintf(stderr, "FAILED: text %u is not a line of ids\n", t.texts + 1);
            return 1;
        }
        if (score(model, ids, prompt, count, &t, &err) != TVK_OK) {
            fprintf(stderr, "FAILED: %s\n", err.text);
            return 1;
        }
    }
    printf("%u texts, %u of %u tokens agree: %.2f %%\n", t.texts, t.agree, t.tokens,
           100.0 * t.agree / t.tokens);
    return t.texts < LEAST_TEXTS || t.tokens < LEAST_TOKENS || t.agree < 0.99 * t.tokens;
}

int main(int argc, char **argv)
{
    /* the model the texts are of: f32 in the cache, activations as the file says */
    const tvk_model_params params = {
        .kv_k = TVK_KV_F32, .kv_v = TVK_KV_F32, .act = TVK_ACT_A48, .exact = true};
    tvk_device *device = NULL;
    tvk_file *file = NULL;
    tvk_model *model = NULL;
    tvk_error err = {0};
    FILE *texts;
    int failed = 1;
    if (argc != 3) return 2;
    texts = fopen(argv[2], "r");
    if (!texts) {
        fprintf(stderr, "FAILED: %s cannot be read\n", argv[2]);
        return 1;
    }
    device = test_device_create(NULL);
    if (!device) {
        fclose(texts);
        return test_no_device_code();
    }
    if (tvk_file_open(argv[1], &file, &err) == TVK_OK &&
        tvk_model_create(device, tvk_file_source(file), &params, &model, &err) == TVK_OK)
        failed = score_file(model, texts);
    else
        fprintf(stderr, "FAILED: %s\n", err.text);
    tvk_model_destroy(&model);
    tvk_file_close(&file);
    failed |= test_device_messages(device);
    tvk_device_destroy(&device);
    fclose(texts);
    return failed;
}
