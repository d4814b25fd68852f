/* The bundled model writes one text on every driver: greedy tokens and the bits of all logits equal
 * the CPU reference.
 *
 *   test_text MODEL.gguf [PROMPTS TOKENS [sparse]]     2 prompts of 32 tokens; at most 20 prompts
 *
 * sparse: zeros are skipped wherever there is a kernel for it; the prompt too is fed token by
 * token.
 *
 * Prints one line a prompt with a hash of the logits, so that runs on other machines can be
 * compared. */
#include "support/device.h"
#include "support/ref_model.h"

#include "ternvk/loader.h"
#include "ternvk/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const prompts[] = {
    "Once upon a time",
    "Lily and her dog",
    "The sun was warm and",
    "One day, a little boy named Tim",
    "\"I want to play,\" said",
    "There was a big red ball",
    "Mom and dad went to",
    "The cat sat on the",
    "In a small house in the woods",
    "Ben had a toy car",
    "It was raining, so",
    "The old king had three sons",
    "Sara likes to sing",
    "A bird flew over the",
    "They found a box. Inside the box",
    "The little fish was sad because",
    "Grandma made a cake",
    "On the first day of school",
    "Tom saw a bear",
    "At night the stars",
};
#define PROMPT_COUNT (sizeof prompts / sizeof *prompts)

static uint64_t hash(uint64_t h, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < bytes; i++) h = (h ^ p[i]) * 1099511628211u; /* FNV-1a */
    return h;
}

static int32_t best(const float *logits, uint32_t vocab)
{
    uint32_t b = 0;
    for (uint32_t i = 1; i < vocab; i++) {
        if (logits[i] > logits[b]) b = i;
    }
    return (int32_t)b;
}

typedef struct run {
    tvk_model *model;
    tvk_session *session;
    tvk_tokenizer *tokenizer;
    ref_model *ref;
    uint32_t vocab;
    float *found, *expected;
    bool sparse;
} run;

static bool fail(const char *prompt, uint32_t at, const char *what)
{
    fprintf(stderr, "\"%s\": position %u: %s\n", prompt, at, what);
    return false;
}

/* Feeds ids[0, count) at position `at`; logits must equal the reference's, bit for bit. */
static bool same_logits(run *r, const char *prompt, const int32_t *ids, uint32_t count, uint32_t at,
                        uint64_t *digest)
{
    tvk_error err = {0};
    for (uint32_t i = 0; i < count; i += r->sparse ? 1 : count) {
        const tvk_batch_item item = {r->session, ids + i, r->sparse ? 1 : count,
                                     r->found + (size_t)i * r->vocab};
        if (tvk_eval(r->model, &item, 1, &err) != TVK_OK) return fail(prompt, at, err.text);
    }
    for (uint32_t i = 0; i < count; i++) {
        const float *row = r->found + (size_t)i * r->vocab;
        ref_model_step(r->ref, ids[i], r->expected);
        if (memcmp(row, r->expected, r->vocab * sizeof *row) != 0) {
            return fail(prompt, at + i, "the logits differ from the reference");
        }
        *digest = hash(*digest, row, r->vocab * sizeof *row);
    }
    memmove(r->found, r->found + (size_t)(count - 1) * r->vocab, r->vocab * sizeof *r->found);
    return true;
}

typedef struct told {
    int32_t ids[512];
    uint32_t count;
} told;

static bool collect(void *user, int32_t token)
{
    told *t = user;
    t->ids[t->count++] = token;
    return true;
}

static bool one_prompt(run *r, const char *prompt, uint32_t tokens)
{
    tvk_error err = {0};
    int32_t *ids = NULL;
    uint32_t count = 0;
    uint64_t digest = 14695981039346656037u;
    told expected = {.count = 0}, generated = {.count = 0};
    bool ok;
    ref_model_reset(r->ref);
    if (tvk_session_rollback(r->session, 0, &err) != TVK_OK ||
        tvk_tokenize(r->tokenizer, prompt, strlen(prompt), true, false, &ids, &count, &err) !=
            TVK_OK) {
        return fail(prompt, 0, err.text);
    }
    ok = same_logits(r, prompt, ids, count, 0, &digest);
    for (uint32_t t = 0; ok && t < tokens; t++) {
        int32_t next = best(r->found, r->vocab);
        expected.ids[expected.count++] = next;
        if (t + 1 < tokens) ok = same_logits(r, prompt, &next, 1, count + t, &digest);
    }
    /* the same text when the device feeds itself */
    if (ok &&
        (tvk_session_rollback(r->session, count, &err) != TVK_OK ||
         tvk_session_generate(r->session, tokens, collect, &generated, NULL, &err) != TVK_OK)) {
        ok = fail(prompt, count, err.text);
    }
    if (ok && (generated.count != tokens ||
               memcmp(generated.ids, expected.ids, tokens * sizeof *expected.ids) != 0)) {
        ok = fail(prompt, count, "generated tokens differ from the reference");
    }
    if (ok) {
        printf("%016llx %u tokens: %s", (unsigned long long)digest, count + tokens - 1, prompt);
        for (uint32_t t = 0; t < tokens; t++) {
            const char *bytes;
            size_t n;
            tvk_token_bytes(r->tokenizer, expected.ids[t], false, false, &bytes, &n);
            for (size_t i = 0; i < n; i++) putchar(bytes[i] == '\n' ? ' ' : bytes[i]);
        }
        putchar('\n');
    }
    free(ids);
    return ok;
}

static bool run_all(tvk_device *device, const char *path, size_t count, uint32_t tokens,
                    bool sparse)
{
    const tvk_model_params params = {.exact = true,
                                     .context = 512,
                                     .sparse = sparse ? TVK_SPARSE_ON : TVK_SPARSE_OFF,
                                     .fresh_scratch = true};
    tvk_file *file = NULL;
    tvk_error err = {0};
    run r = {.sparse = sparse};
    bool ok = tvk_file_open(path, &file, &err) == TVK_OK &&
              tvk_model_create(device, tvk_file_source(file), &params, &r.model, &err) == TVK_OK &&
              tvk_session_create(r.model, &r.session, &err) == TVK_OK &&
              tvk_tokenizer_create(file, &r.tokenizer, &err) == TVK_OK;
    if (!ok) {
        fprintf(stderr, "%s: %s\n", path, err.text);
    } else {
        r.vocab = tvk_model_get_info(r.model)->vocab;
        r.ref = ref_model_open(tvk_file_source(file), tvk_model_get_info(r.model));
        r.found = malloc((size_t)r.vocab * 64 * sizeof *r.found);
        r.expected = malloc((size_t)r.vocab * sizeof *r.expected);
        ok = r.ref && r.found && r.expected;
    }
    for (size_t i = 0; ok && i < count; i++) ok = one_prompt(&r, prompts[i], tokens);
    free(r.found);
    free(r.expected);
    ref_model_close(r.ref);
    tvk_tokenizer_destroy(&r.tokenizer);
    tvk_session_destroy(&r.session);
    tvk_model_destroy(&r.model);
    tvk_file_close(&file);
    return ok;
}

int main(int argc, char **argv)
{
    size_t count = argc > 2 ? (size_t)atoi(argv[2]) : 2;
    uint32_t tokens = argc > 3 ? (uint32_t)atoi(argv[3]) : 32;
    tvk_device *device;
    bool ok;
    bool sparse = argc > 4 && strcmp(argv[4], "sparse") == 0;
    if (argc < 2 || argc > (sparse ? 5 : 4) || count < 1 || count > PROMPT_COUNT || tokens < 1 ||
        tokens > 400) {
        fprintf(stderr, "usage: test_text MODEL.gguf [PROMPTS TOKENS [sparse]]\n");
        return 2;
    }
    device = test_device_create(NULL);
    if (!device) return test_no_device_code();
    fprintf(stderr, "device: %s, %s\n", tvk_device_get_info(device)->name,
            tvk_device_get_info(device)->driver);
    ok = run_all(device, argv[1], count, tokens, sparse);
    if (test_device_messages(device)) ok = false;
    tvk_device_destroy(&device);
    return !ok;
}
