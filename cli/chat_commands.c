/* The /commands of chat. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/disk.h"
#include "chat.h"
#include "out.h"

static chat_next on_help(chat *c, const char *arg);

static chat_next on_exit(chat *c, const char *arg)
{
    (void)c;
    (void)arg;
    return CHAT_LEAVE;
}

static chat_next on_clear(chat *c, const char *arg)
{
    (void)arg;
    dialog_clear(&c->talk.dialog);
    fputs("the conversation begins anew\n", stderr);
    return CHAT_READ;
}

static chat_next on_system(chat *c, const char *arg)
{
    if (chat_set_system(c, *arg ? arg : NULL))
        fputs(*arg ? "system prompt set\n" : "no system prompt\n", stderr);
    return CHAT_READ;
}

static bool has_turn(chat *c)
{
    if (c->talk.dialog.count > 0) return true;
    out_error("nothing was asked yet");
    c->failed = true;
    return false;
}

static chat_next on_regen(chat *c, const char *arg)
{
    (void)arg;
    if (!has_turn(c)) return CHAT_READ;
    dialog_undo_answer(&c->talk.dialog);
    talk_reseed(&c->talk);
    return CHAT_ANSWER;
}

static chat_next on_undo(chat *c, const char *arg)
{
    (void)arg;
    if (!has_turn(c)) return CHAT_READ;
    dialog_undo(&c->talk.dialog);
    fputs("the last question and its answer are taken back\n", stderr);
    return CHAT_READ;
}

static chat_next on_stats(chat *c, const char *arg)
{
    (void)arg;
    chat_print_statistics(c);
    return CHAT_READ;
}

static void save_answer(const chat *c, const dialog_turn *turn, FILE *f)
{
    for (uint32_t i = 0; i < turn->answer_count; i++) {
        const char *bytes;
        size_t count;
        tvk_token_bytes(c->engine.tokenizer, turn->answer[i], i == 0, false, &bytes, &count);
        fwrite(bytes, 1, count, f);
    }
}

static chat_next on_save(chat *c, const char *arg)
{
    const dialog *d = &c->talk.dialog;
    FILE *f = NULL;
    bool failed;
    if (!*arg)
        out_error("/save FILE expected");
    else if (!(f = tvk_disk_open(arg, TVK_DISK_NEW))) /* nothing is overwritten */
        out_error("%s: %s", arg, strerror(errno));
    if (!f) {
        c->failed = true;
        return CHAT_READ;
    }
    if (c->system) fprintf(f, "System: %s\n\n", c->system);
    for (uint32_t i = 0; i < d->count; i++) {
        fprintf(f, "User: %s\n\nAssistant: ", d->turns[i].question);
        save_answer(c, &d->turns[i], f);
        fputs("\n\n", f);
    }
    failed = ferror(f) != 0;
    failed = fclose(f) != 0 || failed;
    if (failed)
        out_error("%s: not all of it could be written: %s", arg, strerror(errno));
    else
        fprintf(stderr, "saved: %s\n", arg);
    c->failed = c->failed || failed;
    return CHAT_READ;
}

static const struct {
    const char *name, *arg, *help;
    chat_next (*run)(chat *c, const char *arg);
} commands[] = {
    {"/help", "", "this text", on_help},
    {"/exit", "", "leave (also /quit, Ctrl-D, Ctrl-C)", on_exit},
    {"/quit", "", NULL, on_exit},
    {"/clear", "", "forget the conversation, keep the system prompt", on_clear},
    {"/system", "TEXT", "another system prompt; without TEXT none", on_system},
    {"/regen", "", "answer the last question anew", on_regen},
    {"/undo", "", "take the last question and its answer back", on_undo},
    {"/stats", "", "positions in use, tokens, speed", on_stats},
    {"/save", "FILE", "write the conversation to a new file", on_save},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static chat_next on_help(chat *c, const char *arg)
{
    (void)c;
    (void)arg;
    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i].help)
            fprintf(stderr, "%-8s %-6s %s\n", commands[i].name, commands[i].arg, commands[i].help);
    fputs(
        "a line that ends in \\ goes on; \"\"\" begins and ends several lines; // begins a message "
        "with /\nCtrl-C stops an answer\n",
        stderr);
    return CHAT_READ;
}

chat_next chat_command(chat *c, const char *line)
{
    size_t name = strcspn(line, " \t");
    const char *arg = line + name + strspn(line + name, " \t");
    for (size_t i = 0; i < COMMANDS; i++)
        if (strlen(commands[i].name) == name && memcmp(commands[i].name, line, name) == 0)
            return commands[i].run(c, arg);
    out_error("no command %.*s (/help)", name < 60 ? (int)name : 60, line);
    c->failed = true;
    return CHAT_READ;
}
