#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "out.h"
#include "passages.h"
#include "progress.h"
#include "prompt.h"
#include "stats.h"

#define CHUNK_TOKENS 512
#define STEP_ROWS 256u
#define MAX_LANES 8u             /* enough short documents to fill a step */
#define LOGITS_BYTES (64u << 20) /* of one round, on the host and again on the device */

/* A session and the passage it is in. */
typedef struct lane {
    tvk_session *session;
    passage *passage; /* NULL: idle */
    uint32_t at;      /* tokens fed */
    uint32_t rows;    /* of this round */
    float *logits;    /* of this round; NULL: not scored */
} lane;

typedef struct scorer {
    engine *e;
    passages *text;
    lane lanes[MAX_LANES];
    uint32_t lane_count, next; /* passage that is begun next */
    uint32_t rows, outputs;    /* what one round takes at most; outputs: rows with logits */
    float *logits;             /* [outputs, vocab] */
    score so_far;
    uint64_t rounds; /* calls of the model */
} scorer;

/* What the lane adds to a round that has room for `rows` rows, `outputs` of them with logits. */
static void plan_lane(lane *l, uint32_t rows, uint32_t outputs, float *logits)
{
    const passage *p = l->passage;
    bool scored = l->at >= p->first;
    uint32_t left = (scored ? p->count - 1 : p->first) - l->at;
    uint32_t room = scored && outputs < rows ? outputs : rows;
    l->rows = left < room ? left : room;
    l->logits = scored ? logits : NULL;
}

static int score_lane(scorer *s, lane *l, uint32_t vocab)
{
    passage *p = l->passage;
    for (uint32_t i = 0; l->logits && i < l->rows; i++) {
        uint32_t token = (uint32_t)p->tokens[l->at + i + 1];
        double nats;
        if (token >= vocab) {
            out_error("perplexity: token %u of the text; the model's vocabulary has %u", token,
                      vocab);
            return 1;
        }
        nats = score_nats(l->logits + (size_t)i * vocab, vocab, token);
        if (!isfinite(nats)) {
            out_error("perplexity: the logits of passage %td, position %u are not finite",
                      p - s->text->list, l->at + i);
            return 1;
        }
        score_add(&p->result, nats);
        score_add(&s->so_far, nats);
    }
    l->at += l->rows;
    if (l->at == p->count - 1) l->passage = NULL;
    return 0;
}

/* One call of the model with rows of as many passages as fit. Returns the exit status; *more: there
 * was something to do. */
static int round_of_lanes(scorer *s, uint32_t vocab, bool *more)
{
    tvk_batch_item items[MAX_LANES];
    uint32_t count = 0, rows = 0, outputs = 0;
    tvk_error err;
    int status = 0;
    for (uint32_t i = 0; i < s->lane_count; i++) {
        lane *l = &s->lanes[i];
        l->rows = 0;
        if (!l->passage && s->next < s->text->count) {
            l->passage = &s->text->list[s->next++];
            l->at = 0;
            if (tvk_session_rollback(l->session, 0, &err) != TVK_OK) return out_failed(&err);
        }
        if (!l->passage) continue;
        plan_lane(l, s->rows - rows, s->outputs - outputs, s->logits + (size_t)outputs * vocab);
        if (l->rows == 0) continue;
        rows += l->rows;
        if (l->logits) outputs += l->rows;
        items[count++] = (tvk_batch_item){.session = l->session,
                                          .tokens = l->passage->tokens + l->at,
                                          .count = l->rows,
                                          .logits = l->logits};
    }
    *more = count > 0;
    while (count > 0 && tvk_eval(s->e->model, items, count, &err) != TVK_OK)
        if (!engine_recovered(s->e, s->rounds, &err)) return out_failed(&err);
    s->rounds++;
    for (uint32_t i = 0; !status && i < s->lane_count; i++)
        if (s->lanes[i].rows > 0) status = score_lane(s, &s->lanes[i], vocab);
    return status;
}

static int score_all(scorer *s)
{
    uint32_t vocab = tvk_model_get_info(s->e->model)->vocab;
    uint64_t total = 0;
    tvk_progress bar = progress_bar();
    bool more = true;
    int status = 0;
    for (uint32_t i = 0; i < s->text->count; i++)
        total += s->text->list[i].count - 1 - s->text->list[i].first;
    while (!status && more) {
        char label[48];
        status = round_of_lanes(s, vocab, &more);
        snprintf(label, sizeof label, "PPL %8.4f", score_perplexity(&s->so_far));
        if (!status && more && !bar.fn(bar.user, label, s->so_far.count, total)) {
            out_error("perplexity: stopped after %" PRIu64 " of %" PRIu64
                      " tokens, so far PPL = %.4f +/- %.5f",
                      s->so_far.count, total, score_perplexity(&s->so_far),
                      score_error(&s->so_far));
            return 1;
        }
    }
    return status;
}

/* Model and sessions: as many side by side as the text has use for and the memory is good for. */
static int open_model(scorer *s)
{
    const tvk_weight_source *source = tvk_file_source(s->e->file);
    tvk_model_params params;
    tvk_model_info info;
    tvk_error err;
    uint64_t kv_bytes;
    int status = engine_model_params(&params, TVK_KV_F16);
    if (status) return status;
    params.context = s->text->longest;
    params.batch = s->rows;
    if (tvk_model_describe(source, &params, &info, &err) != TVK_OK) return out_failed(&err);
    s->outputs = LOGITS_BYTES / 4 / info.vocab;
    if (s->outputs > s->rows) s->outputs = s->rows;
    if (s->outputs < MAX_LANES) s->outputs = MAX_LANES;
    params.max_outputs = s->outputs;
    kv_bytes = info.kv_bytes_per_position * params.context;
    s->lane_count = s->text->count < MAX_LANES ? s->text->count : MAX_LANES;
    while (s->lane_count > 1 &&
           s->lane_count * kv_bytes > tvk_device_get_info(s->e->device)->available_bytes / 8)
        s->lane_count--;
    params.sessions = s->lane_count;
    status = engine_open_model(s->e, source, &params);
    if (!status) status = engine_open_sessions(s->e, s->lane_count);
    if (status) return status;
    for (uint32_t i = 0; i < s->lane_count; i++) s->lanes[i].session = s->e->sessions[i];
    s->logits = malloc((size_t)s->outputs * info.vocab * sizeof *s->logits);
    if (!s->logits) {
        out_error("perplexity: no memory for %u x %u logits", s->outputs, info.vocab);
        return 1;
    }
    return 0;
}

/* Sums passage by passage, so that the last digits do not depend on how they shared the device. */
static void print_result(const passages *p, const char *split, uint32_t length)
{
    score all = {0};
    for (uint32_t i = 0; i < p->count; i++) score_merge(&all, &p->list[i].result);
    printf("PPL = %.4f +/- %.5f\n", score_perplexity(&all), score_error(&all));
    if (engine_given.verbose) printf("nats = %.17g\n", all.nats);
    if (split) {
        printf("bits per byte = %.4f\n", score_bits_per_byte(&all, p->scored_bytes));
        printf("%u documents (%u cut to %u tokens), %" PRIu64 " tokens, %" PRIu64 " bytes\n",
               p->count, p->cut, length, all.count, p->scored_bytes);
    } else {
        printf("%u chunks of %u tokens, %" PRIu64 " tokens scored\n", p->count, length, all.count);
    }
}

/* The text's tokens; *length: what -c means for this model. */
static int read_passages(engine *e, passages *out, const prompt_source *text, const char *split,
                         uint32_t *length)
{
    tvk_model_info info;
    tvk_error err;
    *length = engine_given.context;
    if (!e->tokenizer) return out_failed(&e->tokenizer_error);
    if (*length == 0) {
        if (tvk_model_describe(tvk_file_source(e->file), NULL, &info, &err) != TVK_OK)
            return out_failed(&err);
        *length = info.context;
    }
    return split ? passages_documents(out, e->tokenizer, text->data, text->bytes, split, *length)
                 : passages_chunks(out, e->tokenizer, text->data, text->bytes, *length);
}

typedef struct options {
    const char *split; /* NULL: chunks */
    uint32_t chunks;   /* most of them that are scored; 0: all */
    uint32_t rows;     /* of a step */
} options;

static int perplexity(engine *e, const prompt_source *text, const options *o)
{
    passages parts = {.most = o->chunks};
    scorer s = {.e = e, .text = &parts, .rows = o->rows};
    uint32_t length = 0;
    double start;
    int status = engine_open_file(e);
    if (!status) status = read_passages(e, &parts, text, o->split, &length);
    if (!status) status = engine_open_device(e);
    if (!status) {
        engine_banner(tvk_device_get_info(e->device));
        status = open_model(&s);
    }
    start = out_now_ms();
    if (!status) status = score_all(&s);
    if (!status) {
        double ms = out_now_ms() - start;
        print_result(&parts, o->split, length);
        fprintf(stderr, "%.1f s, %.0f tokens/s\n", ms / 1e3,
                (double)s.so_far.count / (ms > 0 ? ms : 1) * 1e3);
        /* bytes: where the longest passage ends */
        if (engine_given.stats) status = stats_print(stdout, e->model, parts.longest - 1);
    }
    if (!status) status = engine_validated(e);
    free(s.logits);
    passages_free(&parts);
    return status;
}

int cmd_perplexity(int argc, char **argv)
{
    const char *none = NULL;
    options o = {.rows = STEP_ROWS};
    prompt_source text = {0};
    const arg_option table[] = {
        {ARG_TEXT, "-f, --file", "TEXT", &text.file, "the text (-: standard input)", 0, 0, NULL},
        {ARG_TEXT, "--split", "STRING", &o.split,
         "score each document between STRINGs by itself, and give bits per byte", 0, 0, NULL},
        {ARG_U32, "--chunks", "N", &o.chunks, "the first N chunks or documents (0: all)", 0,
         INFINITY, NULL},
        {ARG_U32, "-b, --batch-size", "N", &o.rows,
         "positions of one step (256); the result does not depend on it", 1, 65536, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_stats_options, NULL, 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_model_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {
        "perplexity",
        "[-m FILE] -f TEXT [-c 512] [--split STRING] [--chunks N]",
        "how well a model predicts a text: the second half of chunks of -c tokens (512)",
        table,
        &none,
        0,
        0};
    engine e = {0};
    int status;
    engine_given.context = CHUNK_TOKENS;
    status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    if (engine_given.list_devices) return cmd_devices(0, NULL);
    if (!text.file || (o.split && !*o.split)) {
        if (text.file)
            out_error("--split: a string that is not empty expected");
        else
            out_error("usage: ternvk perplexity %s", command.usage);
        return 2;
    }
    status = prompt_read(&text);
    if (!status && text.bytes == 0) {
        out_error("perplexity: %s is empty", text.file);
        status = 1;
    }
    if (!status) status = perplexity(&e, &text, &o);
    prompt_free(&text);
    engine_close(&e);
    return status;
}
