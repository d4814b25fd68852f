#include "dialog.h"

#include <stdlib.h>
#include <string.h>

static void free_turn(dialog_turn *turn)
{
    free(turn->question);
    free(turn->asked);
    free(turn->answer);
}

void dialog_clear(dialog *d)
{
    for (uint32_t i = 0; i < d->count; i++) free_turn(&d->turns[i]);
    d->count = d->first = 0;
}

void dialog_free(dialog *d)
{
    dialog_clear(d);
    free(d->turns);
    free(d->head);
    free(d->end);
    *d = (dialog){0};
}

void dialog_set_head(dialog *d, int32_t *ids, uint32_t count)
{
    free(d->head);
    d->head = ids;
    d->head_count = count;
}

void dialog_set_end(dialog *d, int32_t *ids, uint32_t count)
{
    free(d->end);
    d->end = ids;
    d->end_count = count;
}

bool dialog_ask(dialog *d, char *question, int32_t *ids, uint32_t count)
{
    dialog_turn turn = {.question = question, .asked = ids, .asked_count = count};
    if (d->count == d->room) {
        uint32_t room = d->room ? d->room * 2 : 16;
        dialog_turn *more = realloc(d->turns, room * sizeof *more);
        if (!more) {
            free_turn(&turn);
            return false;
        }
        d->turns = more;
        d->room = room;
    }
    d->turns[d->count++] = turn;
    return true;
}

bool dialog_push(dialog *d, int32_t id)
{
    dialog_turn *turn = &d->turns[d->count - 1];
    if (turn->answer_count == turn->answer_room) {
        uint32_t room = turn->answer_room ? turn->answer_room * 2 : 64;
        int32_t *more = realloc(turn->answer, room * sizeof *more);
        if (!more) return false;
        turn->answer = more;
        turn->answer_room = room;
    }
    turn->answer[turn->answer_count++] = id;
    return true;
}

void dialog_undo(dialog *d)
{
    free_turn(&d->turns[--d->count]);
    if (d->first > 0 && d->first == d->count) d->first--; /* the last turn is never out */
}

void dialog_undo_answer(dialog *d)
{
    d->turns[d->count - 1].answer_count = 0;
}

static uint32_t put(int32_t *out, uint32_t at, const int32_t *ids, uint32_t count)
{
    if (out && count) memcpy(out + at, ids, count * sizeof *ids);
    return at + count;
}

uint32_t dialog_tokens(const dialog *d, int32_t *out)
{
    uint32_t n = put(out, 0, d->head, d->head_count);
    for (uint32_t i = d->first; i < d->count; i++) {
        const dialog_turn *turn = &d->turns[i];
        n = put(out, n, turn->asked, turn->asked_count);
        n = put(out, n, turn->answer, turn->answer_count);
        if (i + 1 < d->count) n = put(out, n, d->end, d->end_count);
    }
    return n;
}

uint32_t dialog_answer_room(const dialog *d)
{
    return d->context / 8 + 1;
}

bool dialog_takes(const dialog *d, uint32_t head_count, uint32_t count)
{
    return (uint64_t)head_count + count + dialog_answer_room(d) <= d->context;
}

uint32_t dialog_make_room(dialog *d, uint32_t need)
{
    uint32_t dropped = 0, used = dialog_tokens(d, NULL);
    if ((uint64_t)used + need <= d->context) return 0;
    if (need < d->context / 4) need = d->context / 4;
    while (d->first + 1 < d->count && (uint64_t)used + need > d->context) {
        const dialog_turn *turn = &d->turns[d->first++];
        used -= turn->asked_count + turn->answer_count + d->end_count;
        dropped++;
    }
    return dropped;
}
