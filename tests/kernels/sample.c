/* Drawing tokens: selection of the 256 best with ties, NaN and infinities, every filter, effects on
 * slots, history and result ring. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef enum fill {
    SPREAD, /* all different, mostly */
    STEPS,  /* few values: ties everywhere, also at the 256th */
    EQUAL,
    ODD /* NaN of both signs, infinities at the bottom, -0 and +0 on top */
} fill;

typedef enum draw { GREEDY, HOT, TOP_K, TOP_P, MIN_P, PENALTY, EVERYTHING } draw;

static const char *const fill_names[] = {"spread", "steps", "equal", "odd"};
static const char *const draw_names[] = {"greedy", "hot",     "top-k",     "top-p",
                                         "min-p",  "penalty", "everything"};

typedef struct shape {
    tvk_case_size size;
    uint32_t vocab, rows;
    fill fill;
    draw draw;
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    {TINY, 1, 1, SPREAD, EVERYTHING},
    {TINY, 5, 3, SPREAD, HOT},
    {TINY, 5, 2, EQUAL, HOT},
    {TINY, 5, 2, ODD, HOT},
    {TINY, 255, 2, SPREAD, TOP_K},
    {TINY, 256, 2, STEPS, TOP_P},
    {TINY, 257, 2, SPREAD, HOT},
    {TINY, 257, 2, EQUAL, HOT},
    {TINY, 300, 5, STEPS, EVERYTHING},
    {TINY, 300, 2, ODD, GREEDY},
    {TINY, 300, 2, STEPS, GREEDY},
    {TINY, 300, 3, SPREAD, PENALTY},
    {TINY, 301, 3, ODD, TOP_P},
    {TINY, 1030, 2, SPREAD, EVERYTHING},
    {SMALL, 4096, 16, SPREAD, EVERYTHING},
    {SMALL, 4096, 5, STEPS, MIN_P},
    {SMALL, 4096, 3, SPREAD, GREEDY},
    {SMALL, 4099, 3, ODD, HOT},
    {SMALL, 4096, 2, EQUAL, TOP_P},
    {SMALL, 4096, 16, STEPS, PENALTY},
    {SMALL, 32000, 3, SPREAD, EVERYTHING},
    {SMALL, 32000, 2, STEPS, HOT},
    {SMALL, 32002, 2, STEPS, GREEDY},
    {SMALL, 128256, 1, SPREAD, TOP_K},
    {SMALL, 128256, 2, STEPS, EVERYTHING},
    {SMALL, 128256, 1, EQUAL, GREEDY},
    {REAL, 4096, 1, SPREAD, GREEDY},
    {REAL, 4096, 1, SPREAD, EVERYTHING},
    {REAL, 128256, 1, SPREAD, GREEDY},
    {REAL, 128256, 1, SPREAD, EVERYTHING},
    {REAL, 128256, 16, SPREAD, EVERYTHING},
};

#define MOST_LEADERS (16u * (1024u + 2u)) /* words a row, of any configuration */

typedef struct own {
    struct tvk_sample_params params;
    tvk_array *logits, *results, *leaders;
} own;

static uint32_t count(void)
{
    return (uint32_t)(sizeof shapes / sizeof *shapes);
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index];
    out->op = TVK_OP_sample;
    out->size = s->size;
    out->shape[0] = s->vocab;
    out->shape[2] = s->rows;
    snprintf(out->name, sizeof out->name, "V %u T %u %s %s", s->vocab, s->rows, fill_names[s->fill],
             draw_names[s->draw]);
}

static uint32_t logit_bits(const shape *s, uint32_t row, uint32_t id)
{
    static const uint32_t odd[8] = {0x7fc00000u, 0xffc00001u, 0xff800000u, 0x80000000u,
                                    0x00000000u, 0x7f800001u, 0xbf800000u, 0xc0000000u};
    uint32_t h = tvk_rig_hash(row, id);
    switch (s->fill) {
    case EQUAL:
        return 0x40400000u;
    case STEPS:
        return tvk_f32_bits(0.5f * (float)(h % 23) - 4.0f);
    case ODD:
        return odd[h >> 8 & 7u];
    default:
        return tvk_f32_bits(9.0f * tvk_rig_float(row, id));
    }
}

static void fill_slot(uint32_t *slot, const shape *s, uint32_t row)
{
    bool all = s->draw == EVERYTHING;
    float temperature = s->draw == GREEDY || s->draw == PENALTY ? 0.0f : 0.8f + 0.1f * (float)row;
    float penalty = s->draw == PENALTY ? 1.8f : all ? 1.1f : 1.0f;
    memset(slot, 0, TVK_SLOT_WORDS * sizeof *slot);
    slot[TVK_SLOT_LEFT] = row % 3 == 2 ? 1 : 50; /* some slots draw their last token */
    slot[TVK_SLOT_TEMPERATURE] = tvk_f32_bits(temperature);
    slot[TVK_SLOT_INV_TEMPERATURE] = tvk_f32_bits(temperature > 0.0f ? 1.0f / temperature : 0.0f);
    slot[TVK_SLOT_TOP_K] = s->draw == TOP_K ? 1 + 19 * row : all ? 40 : TVK_CANDIDATES;
    slot[TVK_SLOT_TOP_P] = tvk_f32_bits(s->draw == TOP_P ? 0.6f : all ? 0.95f : 1.0f);
    slot[TVK_SLOT_MIN_P] = tvk_f32_bits(s->draw == MIN_P ? 0.1f : all ? 0.02f : 0.0f);
    slot[TVK_SLOT_PENALTY] = tvk_f32_bits(penalty);
    slot[TVK_SLOT_INV_PENALTY] = tvk_f32_bits(1.0f / penalty);
    slot[TVK_SLOT_LAST_N] = row % 2 ? 64 : 3;
    slot[TVK_SLOT_SEED_LO] = tvk_rig_hash(50, row);
    slot[TVK_SLOT_SEED_HI] = row;
}

/* Tokens of the history that are good candidates, so that the penalty moves something; the rest of
 * the history stays poison. */
static void fill_history(tvk_rig *rig, const own *o, const shape *s, const tvk_rig_row *r,
                         uint32_t row)
{
    uint32_t *history =
        rig->state->words + rig->layout.history_word + r->slot * rig->layout.context;
    for (uint32_t p = 0; p <= r->position; p++) {
        const float *logits =
            tvk_rig_floats(o->logits->words) + (uint64_t)row * o->params.logits_stride;
        uint32_t best = 0, from = tvk_rig_hash(row, p) % s->vocab;
        for (uint32_t i = 0; i < 50 && i < s->vocab; i++) {
            uint32_t id = (from + i * 31) % s->vocab;
            if (logits[id] > logits[best]) best = id;
        }
        history[p] = best;
    }
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    /* a row in front of and between the output rows; two rows of the table are unused */
    uint32_t batch = 2 * s->rows + 2;
    tvk_rig_layout layout = {batch, s->rows + 1, s->rows + 1, 100, 1, 0, 0, 0, 0, 0};
    tvk_rig_row rows[2 * TVK_RIG_ROWS] = {0};
    struct tvk_sample_params *p;
    uint32_t *state;
    TVK_TRY_ALLOC(o);
    rig->own = o;
    p = &o->params;
    for (uint32_t i = 0; i < 2 * s->rows; i++) {
        rows[i].slot = s->rows - i / 2;
        rows[i].position = i % 2 ? 20 + i / 2 * 3 : 5;
        if (i == 3) rows[i].position = layout.context - 1; /* its token finds no place */
        if (i % 2) rows[i].flags = TVK_REQUEST_OUTPUT | (i % 8 == 5 ? 0 : TVK_REQUEST_SAMPLE);
        if (i % 8 == 7) rows[i].flags |= TVK_REQUEST_DRAFT;
    }
    TVK_TRY(tvk_rig_state(rig, &layout, rows, 2 * s->rows, true, err));
    state = rig->state->words;
    p->vocab = s->vocab;
    p->logits_stride = (s->vocab + 3) / 4 * 4;
    p->outs_word = rig->layout.outs_word;
    p->slots_word = rig->layout.slots_word;
    p->history_word = rig->layout.history_word;
    p->context = rig->layout.context;
    p->arrived_word = rig->layout.history_word; /* of slot 0, which no row has */
    for (uint32_t i = 0; i < s->rows; i++) state[p->arrived_word + i] = 0;
    p->ring_entries = 2;
    p->ring_entry_words = TVK_RESULT_HEADER + s->rows + 1;
    TVK_TRY(tvk_rig_array(rig, "logits", (uint64_t)s->rows * p->logits_stride, p->logits_stride,
                          false, &o->logits, err));
    TVK_TRY(tvk_rig_array(rig, "results", 2ull * p->ring_entry_words, p->ring_entry_words, true,
                          &o->results, err));
    TVK_TRY(tvk_rig_array(rig, "leaders", (uint64_t)s->rows * MOST_LEADERS, MOST_LEADERS, true,
                          &o->leaders, err));
    TVK_TRY(tvk_rig_skip_all(rig, o->leaders, err));
    for (uint32_t i = 0; i < s->rows; i++) {
        uint32_t *row = o->logits->words + (uint64_t)i * p->logits_stride;
        const tvk_rig_row *r = &rows[2 * i + 1];
        for (uint32_t id = 0; id < s->vocab; id++) row[id] = logit_bits(s, i, id);
        for (uint32_t id = s->vocab; id < p->logits_stride; id++) row[id] = 0x7f800000u;
        fill_slot(state + p->slots_word + r->slot * TVK_SLOT_WORDS, s, i);
        fill_history(rig, o, s, r, i);
    }
    /* the first row's slot stops at what it will draw: found by a trial */
    memcpy(rig->state->want, state, (size_t)rig->state->count * 4);
    tvk_ref_sample_rows(tvk_rig_floats(o->logits->words), rig->state->want, o->results->want, p);
    state[p->slots_word + rows[1].slot * TVK_SLOT_WORDS + TVK_SLOT_STOP_COUNT] = 3;
    state[p->slots_word + rows[1].slot * TVK_SLOT_WORDS + TVK_SLOT_STOPS + 2] =
        rig->state->want[p->slots_word + rows[1].slot * TVK_SLOT_WORDS + TVK_SLOT_TOKEN];
    memcpy(rig->state->want, state, (size_t)rig->state->count * 4);
    tvk_ref_sample_rows(tvk_rig_floats(o->logits->words), rig->state->want, o->results->want, p);
    rig->bytes = 4.0 * s->rows * s->vocab;
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    return tvk_op_sample(rig->kernels, &rig->list, o->logits->span, rig->state->span,
                         o->results->span, o->leaders->span, &o->params, err);
}

const tvk_family tvk_family_sample = {count, describe, setup, append, NULL, NULL};
