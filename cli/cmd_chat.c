#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat.h"
#include "commands.h"
#include "drafts.h"
#include "interrupt.h"
#include "out.h"
#include "sampling.h"

static bool refuse(chat *c, const tvk_error *err)
{
    if (err) out_failed(err);
    c->failed = true;
    return false;
}

static char *copy_text(const char *text, size_t bytes)
{
    char *copy = malloc(bytes + 1);
    if (!copy) return NULL;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

/* Appends `more`, which is freed. */
static tvk_status append(int32_t **ids, uint32_t *count, int32_t *more, uint32_t more_count,
                         tvk_error *err)
{
    int32_t *both = realloc(*ids, ((size_t)*count + more_count + 1) * sizeof *both);
    if (both) {
        if (more_count) memcpy(both + *count, more, more_count * sizeof *both);
        *ids = both;
        *count += more_count;
    } else {
        *err = (tvk_error){.status = TVK_ERR_HOST_MEMORY}; /* its name is the message */
    }
    free(more);
    return both ? TVK_OK : TVK_ERR_HOST_MEMORY;
}

/* BOS and the system message. */
static tvk_status head_ids(const chat *c, const char *text, int32_t **ids, uint32_t *count,
                           tvk_error *err)
{
    const tvk_tokenizer *t = c->engine.tokenizer;
    int32_t *message;
    uint32_t message_count;
    tvk_status st = tvk_chat_begin(c->template, t, ids, count, err);
    if (st != TVK_OK || !text) return st;
    st = tvk_chat_message(c->template, t, TVK_CHAT_SYSTEM, text, strlen(text), &message,
                          &message_count, err);
    return st == TVK_OK ? append(ids, count, message, message_count, err) : st;
}

/* The user's message and the beginning of the answer to it. */
static tvk_status question_ids(const chat *c, const char *text, size_t bytes, int32_t **ids,
                               uint32_t *count, tvk_error *err)
{
    const tvk_tokenizer *t = c->engine.tokenizer;
    int32_t *answer;
    uint32_t answer_count;
    tvk_status st = tvk_chat_message(c->template, t, TVK_CHAT_USER, text, bytes, ids, count, err);
    if (st == TVK_OK) st = tvk_chat_answer(c->template, t, &answer, &answer_count, err);
    return st == TVK_OK ? append(ids, count, answer, answer_count, err) : st;
}

bool chat_set_system(chat *c, const char *text)
{
    dialog *d = &c->talk.dialog;
    int32_t *ids = NULL;
    uint32_t count = 0;
    char *copy = NULL;
    tvk_error err = {.status = TVK_ERR_HOST_MEMORY};
    if (head_ids(c, text, &ids, &count, &err) != TVK_OK ||
        (text && !(copy = copy_text(text, strlen(text))))) {
        free(ids);
        return refuse(c, &err);
    }
    if (!dialog_takes(d, count, 0)) {
        free(ids);
        free(copy);
        out_error("the system prompt's %u tokens do not fit: of %u positions (-c) %u are kept for "
                  "the answer",
                  count, d->context, dialog_answer_room(d));
        return refuse(c, NULL);
    }
    dialog_set_head(d, ids, count);
    free(c->system);
    c->system = copy;
    return true;
}

bool chat_ask(chat *c, const char *text, size_t bytes)
{
    dialog *d = &c->talk.dialog;
    int32_t *ids = NULL;
    uint32_t count = 0;
    char *copy = NULL;
    tvk_error err = {.status = TVK_ERR_HOST_MEMORY};
    if (memchr(text, 0, bytes)) {
        out_error("a message without zero bytes expected, one found at byte %zu", strlen(text));
        return refuse(c, NULL);
    }
    if (question_ids(c, text, bytes, &ids, &count, &err) != TVK_OK ||
        !(copy = copy_text(text, bytes))) {
        free(ids);
        return refuse(c, &err);
    }
    if (d->head_count + count > 0 && dialog_takes(d, d->head_count, count))
        return dialog_ask(d, copy, ids, count) || refuse(c, &err);
    free(ids);
    free(copy);
    if (d->head_count + count == 0)
        out_error("the message is empty, and the model has no token that begins a text");
    else
        out_error(
            "the message's %u tokens do not fit: of %u positions (-c) %u belong to the system "
            "prompt and %u are kept for the answer",
            count, d->context, d->head_count, dialog_answer_room(d));
    return refuse(c, NULL);
}

static bool on_token(void *user, int32_t token)
{
    chat *c = user;
    writer_token(&c->writer, token);
    return !interrupted();
}

static void on_drop(void *user, uint32_t turns)
{
    const chat *c = user;
    fprintf(stderr, "%s[the context of %u positions is full: %u oldest turn%s dropped]\n",
            c->writer.tokens ? "\n" : "", c->talk.dialog.context, turns, turns == 1 ? "" : "s");
}

int chat_answer(chat *c)
{
    tvk_stop_reason reason;
    tvk_error err;
    tvk_status st;
    c->writer = (writer){.tokenizer = c->engine.tokenizer, .at_start = true};
    interrupt_catch();
    c->engine.retry = (retry){0};
    do {
        c->talk.model = c->engine.model;
        st = talk_answer(&c->talk, c->limit - c->writer.tokens, &reason, &err);
    } while (st != TVK_OK && engine_recovered(&c->engine, c->writer.tokens, &err));
    writer_put(&c->writer, "\n", 1, true);
    c->answers++;
    c->said += c->writer.tokens;
    if (writer_speed(&c->writer) > 0) {
        c->timed += c->writer.tokens - 1;
        c->timed_ms += c->writer.last_ms - c->writer.first_ms;
    }
    if (st != TVK_OK) return out_failed(&err);
    if (reason == TVK_STOP_CONTEXT) out_error("the context is full: the answer ends here");
    return 0;
}

void chat_print_statistics(const chat *c)
{
    const dialog *d = &c->talk.dialog;
    fprintf(stderr,
            "load %.0f ms | %u of %u positions | %u answers | read %llu tokens | wrote %llu",
            c->engine.load_ms, dialog_tokens(d, NULL), d->context, c->answers,
            (unsigned long long)c->talk.prefilled, (unsigned long long)c->said);
    if (c->timed_ms > 0) fprintf(stderr, ", %.1f tok/s", (double)c->timed / c->timed_ms * 1e3);
    drafts_print(stderr, c->engine.session);
    fputc('\n', stderr);
}

static int open_chat(chat *c, const char *system, const char *template_name)
{
    engine *e = &c->engine;
    talk *t = &c->talk;
    int32_t *end = NULL;
    uint32_t end_count = 0;
    const char *why;
    tvk_error err;
    int status = engine_open_file(e);
    if (status) return status;
    if (!e->tokenizer) return out_failed(&e->tokenizer_error);
    if (tvk_chat_choose(e->file, e->tokenizer, template_name, &c->template, &why, &err) != TVK_OK)
        return out_failed(&err);
    if ((status = engine_open(e, TVK_KV_F16)) != 0) return status;
    if ((status = drafts_apply(e->session)) != 0) return status;
    fprintf(stderr, "chat template %s (%s)\n", tvk_chat_name(c->template), why);
    t->session = e->session;
    t->sampler = sampling_given;
    t->sampler.stop_count = tvk_chat_stops(c->template, e->tokenizer, t->sampler.stops);
    t->user = c;
    t->on_token = on_token;
    t->on_drop = on_drop;
    t->dialog.context = tvk_model_get_info(e->model)->context;
    if (talk_init(t, &err) != TVK_OK ||
        tvk_chat_answer_end(c->template, e->tokenizer, &end, &end_count, &err) != TVK_OK)
        return out_failed(&err);
    dialog_set_end(&t->dialog, end, end_count);
    return chat_set_system(c, system) ? 0 : 1;
}

static chat_next take(chat *c, const char *text, size_t bytes)
{
    if (text[0] == '/' && text[1] != '/') return chat_command(c, text);
    if (strspn(text, " \t\r\n") == bytes) return CHAT_READ; /* nothing was said */
    if (text[0] == '/') {
        text++;
        bytes--;
    }
    return chat_ask(c, text, bytes) ? CHAT_ANSWER : CHAT_READ;
}

/* Messages and commands until the input is over. */
static int talk_on(chat *c)
{
    int status = 0;
    c->lines = line_open();
    if (!c->lines) {
        out_error("out of host memory");
        return 1;
    }
    if (line_interactive(c->lines)) fputs("/help lists commands\n", stderr);
    while (status == 0) {
        size_t bytes = 0;
        chat_next next;
        char *text;
        interrupt_release(); /* at the prompt Ctrl-C leaves */
        text = line_read_message(c->lines, &bytes);
        if (!text) break;
        next = take(c, text, bytes);
        free(text);
        if (next == CHAT_LEAVE) break;
        if (next == CHAT_ANSWER) status = chat_answer(c);
        if (interrupted() && !line_interactive(c->lines)) break;
    }
    return status;
}

int cmd_chat(int argc, char **argv)
{
    const char *text = NULL, *system = NULL, *template_name = NULL;
    int32_t limit = -1;
    const arg_option options[] = {
        {ARG_TEXT, "-p, --prompt", "TEXT", &text, "answer this message and leave", 0, 0, NULL},
        {ARG_TEXT, "--system", "TEXT", &system, "what the model is told first", 0, 0, NULL},
        {ARG_TEXT, "--chat-template", "NAME", &template_name,
         "bitnet, llama3, chatml, falcon3 or none (else as the file says)", 0, 0, NULL},
        {ARG_I32, "-n, --predict", "N", &limit, "tokens of an answer (-1: until it ends)", -1,
         INFINITY, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)sampling_options, NULL, 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)drafts_options, NULL, 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_model_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {"chat",
                                 "-m FILE [-p TEXT] [OPTIONS]",
                                 "talk with a model; messages come from stdin",
                                 options,
                                 NULL,
                                 0,
                                 0};
    chat c = {.engine = {.tune = true}};
    int status;
    sampling_defaults();
    status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    if (engine_given.list_devices) return cmd_devices(0, NULL);
    if (!drafts_check()) return 2;
    if (!engine_given.model) {
        out_error("chat: a model that was trained to chat expected: -m FILE (the bundled one tells "
                  "stories: ternvk run)");
        return 2;
    }
    c.limit = limit < 0 ? UINT32_MAX : (uint32_t)limit;
    status = open_chat(&c, system, template_name);
    if (status == 0 && text)
        status = chat_ask(&c, text, strlen(text)) ? chat_answer(&c) : 1;
    else if (status == 0)
        status = talk_on(&c);
    if (c.answers > 0) chat_print_statistics(&c);
    if (status == 0 && c.failed && !(c.lines && line_interactive(c.lines))) status = 1;
    if (status == 0) status = engine_validated(&c.engine);
    line_close(&c.lines);
    talk_free(&c.talk);
    free(c.system);
    engine_close(&c.engine);
    return status;
}
