#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "engine.h"
#include "interrupt.h"
#include "out.h"
#include "prompt.h"
#include "stats.h"

#define BUNDLED_TOKENS 256
#define BUNDLED_SEED 1

/* What the token callback works with. */
typedef struct writer {
    const tvk_tokenizer *tokenizer;
    tvk_utf8_stream utf8;
    bool at_start; /* no text before the next token */
    uint32_t tokens;
    double first_ms, last_ms;
} writer;

static void write_bytes(writer *w, const char *bytes, size_t count, bool flush)
{
    /* Control tokens have no bytes, and a token is a few; longer ones go in pieces. */
    char text[3 * (64 + 4)];
    do {
        size_t piece = count < 64 ? count : 64;
        size_t n = tvk_utf8_push(&w->utf8, bytes, piece, flush && piece == count, text);
        fwrite(text, 1, n, stdout);
        bytes += piece;
        count -= piece;
    } while (count > 0);
    fflush(stdout);
}

static bool on_token(void *user, int32_t token)
{
    writer *w = user;
    const char *bytes;
    size_t count;
    w->last_ms = out_now_ms();
    if (w->tokens++ == 0) w->first_ms = w->last_ms;
    tvk_token_bytes(w->tokenizer, token, w->at_start, false, &bytes, &count);
    if (count) {
        write_bytes(w, bytes, count, false);
        w->at_start = false;
    }
    return !interrupted();
}

static void print_statistics(const engine *e, const writer *w, uint32_t prompt_tokens,
                             double prefill_ms, double start_ms)
{
    fprintf(stderr, "\nload %.0f ms | prompt %u tokens", e->load_ms, prompt_tokens);
    if (prefill_ms > 0) fprintf(stderr, ", %.1f tok/s", prompt_tokens / prefill_ms * 1e3);
    fprintf(stderr, " | text %u tokens", w->tokens);
    if (w->tokens > 1 && w->last_ms > w->first_ms)
        fprintf(stderr, ", %.1f tok/s", (w->tokens - 1) / (w->last_ms - w->first_ms) * 1e3);
    if (w->tokens) fprintf(stderr, " | first token after %.0f ms", w->first_ms - start_ms);
    fputc('\n', stderr);
}

/* Text until the tokens are used up; after an end token a new story begins if `more`. */
static int generate(engine *e, writer *w, tvk_sampler_params *sampler, int32_t limit, bool more)
{
    const int32_t bos = tvk_tokenizer_bos(e->tokenizer);
    const tvk_batch_item again = {.session = e->session, .tokens = &bos, .count = 1};
    tvk_stop_reason reason;
    tvk_error err;
    for (;;) {
        uint32_t left = limit < 0 ? UINT32_MAX : (uint32_t)limit - w->tokens;
        uint32_t before = w->tokens;
        if (left == 0) return 0;
        if (tvk_session_generate(e->session, left, on_token, w, &reason, &err) != TVK_OK)
            return out_failed(&err);
        if (interrupted()) return 0;
        if (!more || bos < 0 || reason == TVK_STOP_COUNT || reason == TVK_STOP_CALLBACK) {
            if (reason == TVK_STOP_CONTEXT)
                fprintf(stderr, "\nthe context of %u positions is full\n",
                        tvk_session_position(e->session));
            return 0;
        }
        if (w->tokens == before) return 0; /* nothing comes any more */
        /* The draws depend on seed and position, and positions begin again. */
        sampler->seed++;
        if (tvk_session_rollback(e->session, 0, &err) != TVK_OK ||
            tvk_session_set_sampler(e->session, sampler, &err) != TVK_OK ||
            tvk_eval(e->model, &again, 1, &err) != TVK_OK)
            return out_failed(&err);
        write_bytes(w, "\n\n", 2, true);
        w->at_start = true;
    }
}

int cmd_run(int argc, char **argv)
{
    double start_ms = out_now_ms();
    prompt_source prompt = {0};
    tvk_sampler_params sampler = {.temperature = 0.8f,
                                  .top_k = 40,
                                  .top_p = 0.95f,
                                  .min_p = 0.05f,
                                  .repeat_penalty = 1.0f,
                                  .seed = (uint64_t)time(NULL)};
    int32_t limit = -1;
    bool ignore_eos = false, no_display = false, limit_given = false, seed_given = false;
    const arg_option options[] = {
        {ARG_TEXT, "-p, --prompt", "TEXT", &prompt.text, "the beginning of the text", 0, 0, NULL},
        {ARG_TEXT, "-f, --file", "FILE", &prompt.file, "read the beginning from a file", 0, 0,
         NULL},
        {ARG_I32, "-n, --predict", "N", &limit,
         "tokens to write (-1: until the model ends; bundled model: 256)", -1, INFINITY,
         &limit_given},
        {ARG_F32, "--temp", "T", &sampler.temperature,
         "temperature, 0: always the best token (0.8)", 0, 1e6, NULL},
        {ARG_U32, "--top-k", "K", &sampler.top_k, "draw from the best K, 0: off (40)", 0, INFINITY,
         NULL},
        {ARG_F32, "--top-p", "P", &sampler.top_p, "draw from the best with this much in sum (0.95)",
         0, 1, NULL},
        {ARG_F32, "--min-p", "P", &sampler.min_p,
         "drop what is less likely than P of the best (0.05)", 0, 1, NULL},
        {ARG_F32, "--repeat-penalty", "R", &sampler.repeat_penalty,
         "of the last 64 tokens, 1: off (1)", 0.01, 100, NULL},
        {ARG_U64, "-s, --seed", "SEED", &sampler.seed, "the same seed, the same text", 0, 0,
         &seed_given},
        {ARG_FLAG, "--ignore-eos", NULL, &ignore_eos, "go on after an end token", 0, 0, NULL},
        {ARG_FLAG, "--no-display-prompt", NULL, &no_display, "do not repeat the prompt", 0, 0,
         NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_stats_options, NULL, 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_model_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {"run",
                                 "[-m FILE] [TEXT | -p TEXT | -f FILE] [OPTIONS]",
                                 "write text that continues a prompt",
                                 options,
                                 &prompt.word,
                                 0,
                                 1};
    engine e = {.tune = true};
    writer w = {0};
    int32_t *ids = NULL;
    uint32_t count = 0;
    double prefill_ms = 0;
    tvk_error err;
    int status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    if (engine_given.list_devices) return cmd_devices(0, NULL);
    if ((status = prompt_read(&prompt)) != 0) goto done;
    if ((status = engine_open(&e, TVK_KV_F16)) != 0) goto done;
    if (!e.tokenizer) {
        status = out_failed(&e.tokenizer_error);
        goto done;
    }
    if (e.bundled && !limit_given) limit = BUNDLED_TOKENS;
    if (e.bundled && !limit_given && !seed_given) sampler.seed = BUNDLED_SEED;
    if (!ignore_eos) sampler.stop_count = tvk_tokenizer_stops(e.tokenizer, sampler.stops);
    status = 1;
    if (tvk_tokenize(e.tokenizer, prompt.data, prompt.bytes, true, true, &ids, &count, &err) !=
            TVK_OK ||
        tvk_session_set_sampler(e.session, &sampler, &err) != TVK_OK) {
        out_failed(&err);
        goto done;
    }
    if (count == 0) {
        out_error("run: the prompt is empty, and the model has no token that begins a text");
        status = 2;
        goto done;
    }
    if (count > tvk_model_get_info(e.model)->context) {
        out_error("the prompt's %u tokens do not fit: the context holds %u positions (-c)", count,
                  tvk_model_get_info(e.model)->context);
        goto done;
    }
    w.tokenizer = e.tokenizer;
    w.at_start = prompt.bytes == 0;
    if (!no_display && prompt.bytes) write_bytes(&w, prompt.data, prompt.bytes, true);
    {
        const tvk_batch_item item = {.session = e.session, .tokens = ids, .count = count};
        double before = out_now_ms();
        if (tvk_eval(e.model, &item, 1, &err) != TVK_OK) {
            out_failed(&err);
            goto done;
        }
        prefill_ms = out_now_ms() - before;
    }
    status = generate(&e, &w, &sampler, limit, e.bundled && !limit_given && !ignore_eos);
    write_bytes(&w, "\n", 1, true);
    print_statistics(&e, &w, count, prefill_ms, start_ms);
    if (status == 0 && engine_given.stats)
        status = stats_print(stderr, e.model, tvk_session_position(e.session) - 1);
    if (status == 0 && tvk_device_validation_messages(e.device) > 0) {
        out_error("%u messages of the validation layer", tvk_device_validation_messages(e.device));
        status = 1;
    }
done:
    free(ids);
    prompt_free(&prompt);
    engine_close(&e);
    return status;
}
