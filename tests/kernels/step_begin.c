/* Begin of a step: requests -> row table, output rows, history, group counts. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

#define ENTRIES 3u

typedef struct shape {
    uint32_t requests, batch, max_outs, slots, context;
    uint32_t stopped; /* bit i: slot i mod 32 has stopped */
    const char *what;
} shape;

/* 128 rows are one pass of the widest workgroup, 32 and 8 of smaller ones. */
static const shape shapes[] = {
    {0, 4, 4, 1, 16, 0, "no request"},
    {1, 1, 1, 1, 300, 0, "one row"},
    {1, 1, 1, 1, 300, 1, "one row, stopped"},
    {3, 8, 8, 4, 130, 2, "one of three stopped"},
    {7, 8, 8, 8, 129, 0xffffffffu, "all stopped"},
    {8, 8, 8, 8, 500, 0x55, "every second stopped"},
    {9, 16, 9, 3, 257, 4, "nine"},
    {16, 16, 3, 5, 128, 0, "more outputs than room"},
    {31, 32, 31, 4, 500, 8, "a full word less one"},
    {33, 64, 64, 33, 64, 0x80000001u, "a full word and one"},
    {37, 37, 37, 37, 300, 0x12345678u, "mixed"},
    {128, 128, 128, 16, 600, 0x00f0, "a whole pass"},
    {129, 256, 256, 16, 600, 0x0f0f, "a pass and one"},
    {300, 300, 200, 11, 1700, 0x0241, "three passes"},
};

typedef struct own {
    struct tvk_begin_params params;
    tvk_array *requests, *rules;
} own;

static uint32_t count(void)
{
    return (uint32_t)(sizeof shapes / sizeof *shapes);
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index];
    out->op = TVK_OP_step_begin;
    out->size = s->requests <= 33 ? TVK_CASE_TINY : TVK_CASE_SMALL;
    out->shape[2] = s->requests;
    snprintf(out->name, sizeof out->name, "T %u of %u: %s", s->requests, s->batch, s->what);
}

/* Rows of a step name different places of the history: the order of writes to one place is free. */
static void fill_requests(uint32_t *entry, const shape *s, uint32_t number)
{
    entry[0] = s->requests;
    entry[1] = entry[2] = entry[3] = 0;
    for (uint32_t r = 0; r < s->requests; r++) {
        uint32_t *row = entry + TVK_REQUEST_HEADER + r * TVK_REQUEST_ROW;
        uint32_t turn = r / s->slots;
        row[0] = r % s->slots;
        row[1] = turn * 13;               /* several rows of a slot, some beyond the context */
        row[2] = tvk_rig_hash(number, r); /* tells the ring entries apart */
        row[3] = turn == 0 && r % 3 != 1 ? TVK_REQUEST_FROM_SLOT : 0;
        if (r % 4 != 2) row[3] |= TVK_REQUEST_OUTPUT | (r % 2 ? TVK_REQUEST_SAMPLE : 0);
    }
    /* the last one far out: it decides the number of chunks */
    if (s->requests > 2)
        entry[TVK_REQUEST_HEADER + (s->requests - 1) * TVK_REQUEST_ROW + 1] = s->context;
}

static void fill_slots(tvk_rig *rig, const shape *s)
{
    const tvk_rig_layout *l = &rig->layout;
    for (uint32_t i = 0; i < s->slots; i++) {
        uint32_t *slot = rig->state->words + l->slots_word + i * TVK_SLOT_WORDS;
        slot[TVK_SLOT_TOKEN] = 1000 + i;
        slot[TVK_SLOT_POSITION] = 7 + 13 * (i % 9) < s->context ? 7 + 13 * (i % 9) : 5;
        slot[TVK_SLOT_STOPPED] = s->stopped >> i % 32 & 1u;
    }
}

/* Every kind on every axis, values 1, small, large. */
static void fill_rules(uint32_t *rules, uint32_t n)
{
    const uint32_t kinds = TVK_AXIS_COUNT;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t *rule = rules + 4 * i;
        rule[0] = i % kinds | (i / kinds % kinds) << 8 | (i / 5 % kinds) << 16;
        for (uint32_t axis = 0; axis < 3; axis++) rule[1 + axis] = 1 + tvk_rig_hash(axis, i) % 9;
    }
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    tvk_rig_layout layout = {s->batch, s->max_outs, s->slots, s->context, 1, 0, 0, 0, 0, 0};
    struct tvk_begin_params *p;
    TVK_TRY_ALLOC(o);
    rig->own = o;
    p = &o->params;
    TVK_TRY(tvk_rig_state(rig, &layout, NULL, 0, true, err));
    p->ring_entries = ENTRIES;
    p->ring_entry_words = TVK_REQUEST_HEADER + s->batch * TVK_REQUEST_ROW + 4;
    p->batch = s->batch;
    p->max_outs = s->max_outs;
    p->slots_word = rig->layout.slots_word;
    p->history_word = rig->layout.history_word;
    p->outs_word = rig->layout.outs_word;
    p->context = s->context;
    p->rule_count = index == 0 ? 0 : index == 1 ? 1 : 125 + index;
    TVK_TRY(tvk_rig_array(rig, "requests", (uint64_t)ENTRIES * p->ring_entry_words,
                          p->ring_entry_words, false, &o->requests, err));
    /* all of them: a timed case runs again and again, and the ring goes on */
    for (uint32_t e = 0; e < ENTRIES; e++)
        fill_requests(o->requests->words + e * p->ring_entry_words, s, e);
    fill_slots(rig, s);
    memcpy(rig->state->want, rig->state->words, (size_t)rig->state->count * 4);
    TVK_TRY(tvk_rig_array(rig, "rules", 8ull * (p->rule_count ? p->rule_count : 1), 4, true,
                          &o->rules, err));
    fill_rules(o->rules->words, p->rule_count);
    memcpy(o->rules->want, o->rules->words, (size_t)o->rules->count * 4);
    tvk_ref_begin(o->requests->words, rig->state->want, o->rules->want, p);
    /* the fourth word of an argument is nobody's */
    TVK_TRY(tvk_rig_skip_all(rig, o->rules, err));
    tvk_rig_compare(o->rules, 0, 4ull * p->rule_count);
    for (uint32_t i = 0; i < p->rule_count; i++)
        tvk_rig_compare(o->rules, 4ull * (p->rule_count + i), 3);
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    return tvk_op_begin(rig->kernels, &rig->list, o->requests->span, rig->state->span,
                        o->rules->span, &o->params, err);
}

const tvk_family tvk_family_step_begin = {count, describe, setup, append, NULL, NULL};
