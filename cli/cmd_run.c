#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "drafts.h"
#include "engine.h"
#include "interrupt.h"
#include "out.h"
#include "prompt.h"
#include "sampling.h"
#include "stats.h"
#include "writer.h"

#define BUNDLED_TOKENS 256
#define BUNDLED_SEED 1

static bool on_token(void *user, int32_t token)
{
    writer_token(user, token);
    return !interrupted();
}

static void print_statistics(const engine *e, const writer *w, uint32_t prompt_tokens,
                             double prefill_ms, double start_ms)
{
    fprintf(stderr, "\nload %.0f ms | prompt %u tokens", e->load_ms, prompt_tokens);
    if (prefill_ms > 0) fprintf(stderr, ", %.1f tok/s", prompt_tokens / prefill_ms * 1e3);
    fprintf(stderr, " | text %u tokens", w->tokens);
    if (writer_speed(w) > 0) fprintf(stderr, ", %.1f tok/s", writer_speed(w));
    if (w->tokens) fprintf(stderr, " | first token after %.0f ms", w->first_ms - start_ms);
    drafts_print(stderr, e->session);
    fputc('\n', stderr);
    engine_print_times(e, w->tokens ? w->first_ms - start_ms : 0);
}

/* done: tokens that were written before; false, with a line on stderr. */
static bool feed(engine *e, const tvk_batch_item *item, uint64_t done)
{
    tvk_error err;
    while (tvk_eval(e->model, item, 1, &err) != TVK_OK)
        if (!engine_recovered(e, done, &err)) return !out_failed(&err);
    return true;
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
        while (tvk_session_generate(e->session, left, on_token, w, &reason, &err) != TVK_OK) {
            if (!engine_recovered(e, w->tokens, &err)) return out_failed(&err);
            left = limit < 0 ? UINT32_MAX : (uint32_t)limit - w->tokens;
        }
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
            tvk_session_set_sampler(e->session, sampler, &err) != TVK_OK)
            return out_failed(&err);
        if (!feed(e, &again, w->tokens)) return 1;
        writer_put(w, "\n\n", 2, true);
        w->at_start = true;
    }
}

int cmd_run(int argc, char **argv)
{
    double start_ms = out_now_ms();
    prompt_source prompt = {0};
    int32_t limit = -1;
    bool ignore_eos = false, no_display = false, limit_given = false;
    const arg_option options[] = {
        {ARG_TEXT, "-p, --prompt", "TEXT", &prompt.text, "the beginning of the text", 0, 0, NULL},
        {ARG_TEXT, "-f, --file", "FILE", &prompt.file, "read the beginning from a file", 0, 0,
         NULL},
        {ARG_I32, "-n, --predict", "N", &limit,
         "tokens to write (-1: until the model ends; bundled model: 256)", -1, INFINITY,
         &limit_given},
        {ARG_INCLUDE, NULL, NULL, (void *)sampling_options, NULL, 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)drafts_options, NULL, 0, 0, NULL},
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
    tvk_sampler_params sampler;
    tvk_error err;
    int status;
    sampling_defaults();
    status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    if (engine_given.list_devices) return cmd_devices(0, NULL);
    if (!drafts_check()) return 2;
    if ((status = prompt_read(&prompt)) != 0) goto done;
    if ((status = engine_open(&e, TVK_KV_F16)) != 0) goto done;
    if ((status = drafts_apply(e.session)) != 0) goto done;
    if (!e.tokenizer) {
        status = out_failed(&e.tokenizer_error);
        goto done;
    }
    if (e.bundled && !limit_given) limit = BUNDLED_TOKENS;
    sampler = sampling_given;
    if (e.bundled && !limit_given && !sampling_seed_given) sampler.seed = BUNDLED_SEED;
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
    if (!no_display && prompt.bytes) writer_put(&w, prompt.data, prompt.bytes, true);
    {
        const tvk_batch_item item = {.session = e.session, .tokens = ids, .count = count};
        double before = out_now_ms();
        if (!feed(&e, &item, 0)) goto done;
        prefill_ms = out_now_ms() - before;
    }
    status = generate(&e, &w, &sampler, limit, e.bundled && !limit_given && !ignore_eos);
    writer_put(&w, "\n", 1, true);
    print_statistics(&e, &w, count, prefill_ms, start_ms);
    if (status == 0 && engine_given.stats)
        status = stats_print(stderr, e.model, tvk_session_position(e.session) - 1);
    if (status == 0) status = engine_validated(&e);
done:
    free(ids);
    prompt_free(&prompt);
    engine_close(&e);
    return status;
}
