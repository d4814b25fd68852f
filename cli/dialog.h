/* A conversation as tokens, and the part of it that the context holds. Pure: no model, no terminal.
 */
#ifndef TVK_CLI_DIALOG_H
#define TVK_CLI_DIALOG_H

#include <stdbool.h>
#include <stdint.h>

/* A question and its answer. */
typedef struct dialog_turn {
    char *question;  /* as it was typed */
    int32_t *asked;  /* the user's message and the beginning of an answer */
    int32_t *answer; /* without its stop token */
    uint32_t asked_count, answer_count, answer_room;
} dialog_turn;

/* Zeroed but for context: empty. */
typedef struct dialog {
    uint32_t context;    /* positions */
    int32_t *head, *end; /* BOS and system message; what follows an answer */
    uint32_t head_count, end_count;
    dialog_turn *turns; /* [count], oldest first */
    uint32_t count, room;
    uint32_t first; /* turns before this one are out of the context; the last one never is */
} dialog;

void dialog_free(dialog *d);

/* All of these take malloc'd arrays over, also when they fail (false: out of memory). */
void dialog_set_head(dialog *d, int32_t *ids, uint32_t count);
void dialog_set_end(dialog *d, int32_t *ids, uint32_t count);
bool dialog_ask(dialog *d, char *question, int32_t *ids, uint32_t count);
/* A token of the last turn's answer. */
bool dialog_push(dialog *d, int32_t id);
/* The last turn, or its answer only, was not said. There must be one. */
void dialog_undo(dialog *d);
void dialog_undo_answer(dialog *d);
void dialog_clear(dialog *d);

/* What the model is to have seen: head, then the turns from `first` on, each but the last with its
 * end. Returns how many tokens; writes them unless out is NULL. */
uint32_t dialog_tokens(const dialog *d, int32_t *out);

/* Positions that an answer to a new question is given at least. */
uint32_t dialog_answer_room(const dialog *d);
/* Whether a question of `count` tokens fits an otherwise empty context of this head. */
bool dialog_takes(const dialog *d, uint32_t head_count, uint32_t count);
/* When fewer than `need` positions are free: drops the oldest turns until they are, and until a
 * quarter of the context is, so that it does not happen at every token. The last turn stays.
 * Returns how many turns were dropped. */
uint32_t dialog_make_room(dialog *d, uint32_t need);

#endif
