/* What `ternvk chat` and its /commands share. */
#ifndef TVK_CLI_CHAT_H
#define TVK_CLI_CHAT_H

#include "engine.h"
#include "line.h"
#include "talk.h"
#include "ternvk/chat.h"
#include "writer.h"

typedef struct chat {
    engine engine;
    const tvk_chat_template *template;
    char *system; /* NULL: none */
    talk talk;
    writer writer;
    line_reader *lines;
    uint32_t limit; /* tokens of an answer */
    bool failed;    /* something was refused */
    uint32_t answers;
    uint64_t said;  /* tokens of all answers */
    uint64_t timed; /* those of them that speed was measured on */
    double timed_ms;
} chat;

/* Makes BOS and `text` (NULL: none) the beginning of the dialog. False, with a line on stderr: it
 * stays as it was. */
bool chat_set_system(chat *c, const char *text);
/* Asks what was typed; false, with a line on stderr: the dialog stays as it was. */
bool chat_ask(chat *c, const char *text, size_t bytes);
/* Writes an answer to the last question; returns an exit status. */
int chat_answer(chat *c);
void chat_print_statistics(const chat *c);

typedef enum chat_next { CHAT_READ, CHAT_ANSWER, CHAT_LEAVE } chat_next;
/* Does what a line that begins with "/" says; what comes then. */
chat_next chat_command(chat *c, const char *line);

#endif
