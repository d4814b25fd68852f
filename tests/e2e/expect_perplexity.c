/* What `ternvk perplexity` must print, computed here in another way: token by token, and with a
 * plain sum of exponentials.
 *
 *   expect_perplexity MODEL.gguf TEXT SPLIT       "PPL bits-per-byte tokens bytes documents"
 *   expect_perplexity MODEL.gguf TEXT "" CHUNK    "PPL error tokens chunks" */
#include "support/device.h"

#include "ternvk/loader.h"
#include "ternvk/session.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct sums {
    tvk_model *model;
    tvk_session *session;
    tvk_tokenizer *tokenizer;
    float *logits;
    uint32_t vocab, context;
    double all[65536]; /* nats of each scored token */
    uint32_t count, passages;
    size_t bytes;
} sums;

static void check(tvk_status st, const tvk_error *err)
{
    if (st == TVK_OK) return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static void passage(sums *s, const int32_t *tokens, uint32_t count, uint32_t first)
{
    tvk_error err = {0};
    check(tvk_session_rollback(s->session, 0, &err), &err);
    for (uint32_t t = 0; t + 1 < count; t++) {
        const tvk_batch_item item = {s->session, tokens + t, 1, t >= first ? s->logits : NULL};
        double sum = 0;
        check(tvk_eval(s->model, &item, 1, &err), &err);
        if (t < first) continue;
        for (uint32_t v = 0; v < s->vocab; v++) sum += exp((double)s->logits[v]);
        if (s->count == sizeof s->all / sizeof *s->all) exit(1);
        s->all[s->count++] = -log(exp((double)s->logits[tokens[t + 1]]) / sum);
    }
    s->passages++;
}

static void document(sums *s, char *text)
{
    tvk_error err = {0};
    int32_t *ids, all[1024];
    uint32_t count, n = 0;
    size_t bytes;
    while (isspace((unsigned char)*text)) text++;
    for (bytes = strlen(text); bytes > 0 && isspace((unsigned char)text[bytes - 1]);) bytes--;
    if (bytes == 0) return;
    check(tvk_tokenize(s->tokenizer, text, bytes, false, true, &ids, &count, &err), &err);
    all[n++] = tvk_tokenizer_bos(s->tokenizer);
    for (uint32_t i = 0; i < count && n < 1000; i++) all[n++] = ids[i];
    all[n++] = tvk_tokenizer_eos(s->tokenizer);
    if (n > s->context + 1) exit(1); /* the test's texts are short: their bytes count as a whole */
    free(ids);
    passage(s, all, n, 0);
    s->bytes += bytes;
}

static void documents(sums *s, char *text, const char *split)
{
    for (char *end; (end = strstr(text, split)) != NULL; text = end + strlen(split)) {
        *end = '\0';
        document(s, text);
    }
    document(s, text);
}

static void chunks(sums *s, const char *text, uint32_t length)
{
    tvk_error err = {0};
    int32_t *ids;
    uint32_t count;
    check(tvk_tokenize(s->tokenizer, text, strlen(text), true, true, &ids, &count, &err), &err);
    for (uint32_t at = 0; at + length <= count; at += length) {
        if (tvk_tokenizer_adds_bos(s->tokenizer)) ids[at] = tvk_tokenizer_bos(s->tokenizer);
        passage(s, ids + at, length, length / 2);
    }
    free(ids);
}

int main(int argc, char **argv)
{
    static sums s;
    static char text[1 << 16];
    tvk_error err = {0};
    const tvk_model_params params = {.kv_k = TVK_KV_F32, .kv_v = TVK_KV_F32, .context = 512};
    tvk_device *device = test_device_create(NULL);
    tvk_file *file;
    FILE *f = argc > 3 ? fopen(argv[2], "rb") : NULL;
    double mean = 0, squares = 0;
    if (!device) return test_no_device_code();
    if (!f) return 2;
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    check(tvk_file_open(argv[1], &file, &err), &err);
    check(tvk_tokenizer_create(file, &s.tokenizer, &err), &err);
    check(tvk_model_create(device, tvk_file_source(file), &params, &s.model, &err), &err);
    check(tvk_session_create(s.model, &s.session, &err), &err);
    s.vocab = tvk_model_get_info(s.model)->vocab;
    s.context = params.context;
    s.logits = malloc(s.vocab * sizeof *s.logits);
    if (*argv[3])
        documents(&s, text, argv[3]);
    else
        chunks(&s, text, (uint32_t)atoi(argv[4]));
    for (uint32_t i = 0; i < s.count; i++) mean += s.all[i] / s.count;
    for (uint32_t i = 0; i < s.count; i++) squares += (s.all[i] - mean) * (s.all[i] - mean);
    if (*argv[3])
        printf("%.6f %.6f %u %zu %u\n", exp(mean), mean * s.count / log(2.0) / (double)s.bytes,
               s.count, s.bytes, s.passages);
    else
        printf("%.6f %.6f %u %u\n", exp(mean),
               exp(mean) * sqrt(squares / s.count / (s.count - 1.0)), s.count, s.passages);
    free(s.logits);
    tvk_session_destroy(&s.session);
    tvk_model_destroy(&s.model);
    tvk_tokenizer_destroy(&s.tokenizer);
    tvk_file_close(&file);
    tvk_device_destroy(&device);
    return 0;
}
