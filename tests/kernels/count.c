/* Counts of zeros in act records and in floats. */
#include <math.h>
#include <stdio.h>

#include "tests/kernels/rig.h"

typedef enum kind { I8, I4, ZEROS, NOT_POSITIVE, KINDS } kind;

static const char *const kind_names[] = {"i8", "i4", "zeros", "not positive"};

typedef struct shape {
    tvk_case_size size;
    uint32_t k, t, capacity;
    uint32_t wide; /* floats a row has beyond the counted ones */
    uint32_t low;  /* low words of the counters before the step: sums that carry */
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL

static const shape shapes[] = {
    {TINY, 1, 1, 1, 0, 0},
    {TINY, 4, 1, 1, 0, 0xffffffffu},
    {TINY, 7, 2, 2, 9, 7},
    {TINY, 127, 3, 8, 127, 0xffffff00u},
    {TINY, 128, 1, 1, 0, 0},
    {TINY, 132, 5, 5, 132, 0xfffffffeu},
    {SMALL, 512, 16, 16, 0, 0xfffff000u},
    {SMALL, 1280, 7, 48, 1280, 1},
    {SMALL, 5460, 3, 4, 5460, 0},
    {SMALL, 6912, 37, 37, 6912, 0xffff0000u},
    {SMALL, 28672, 2, 2, 0, 0},
    {REAL, 2560, 1, 1, 0, 0},
    {REAL, 6912, 256, 256, 6912, 0},
};
#define SHAPES ((uint32_t)(sizeof shapes / sizeof *shapes))

typedef struct own {
    const shape *shape;
    kind kind;
    uint32_t stride; /* words */
    tvk_array *x, *counters;
} own;

#define COUNTER 2u /* of 4 */

static uint32_t count(void)
{
    return SHAPES * KINDS;
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index % SHAPES];
    kind which = (kind)(index / SHAPES);
    out->op = which <= I4 ? TVK_OP_count_codes : TVK_OP_count_floats;
    out->size = s->size;
    out->shape[1] = s->k;
    out->shape[2] = s->t;
    snprintf(out->name, sizeof out->name, "%s K %u T %u of %u from %u", kind_names[which], s->k,
             s->t, s->capacity, s->low);
}

/* Codes of which about `t` in eight are zero; each other value of a byte or half byte occurs. */
static void fill_codes(const own *o, uint32_t t, uint32_t *record)
{
    for (uint32_t w = 0; w < o->stride; w++) record[w] = 0;
    record[0] = tvk_f32_bits(0.5f); /* a header is no code */
    record[1] = 0x01010101u;
    for (uint32_t i = 0; i < o->shape->k; i++) {
        uint32_t h = tvk_rig_hash(t, i), code = h % 8 < t % 8 ? 0 : h >> 8;
        if (o->kind == I8)
            record[TVK_ACT_HEADER_WORDS + i / 4] |= (code & 255u) << 8 * (i % 4);
        else
            record[TVK_ACT_HEADER_WORDS + i / 8] |= (code & 15u) << (8 * (i % 4) + 4 * (i / 4 % 2));
    }
}

static void fill_floats(const own *o, uint32_t t, float *row)
{
    static const float odd[] = {0.0f, -0.0f, 1e-42f, -1e-42f, NAN, -NAN, INFINITY, -INFINITY};
    for (uint32_t i = 0; i < o->stride; i++) {
        uint32_t h = tvk_rig_hash(t, i);
        row[i] = h % 8 < t % 8 ? odd[h >> 8 & 7u] : tvk_rig_float(t, i);
    }
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index % SHAPES];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    tvk_rig_row rows[TVK_RIG_ROWS] = {0};
    tvk_rig_layout layout = {s->capacity, 1, 1, 4, 1, 0, 0, 0, 0, 0};
    uint64_t zeros = s->low, seen = s->low;
    uint32_t *want;
    TVK_TRY_ALLOC(o);
    rig->own = o;
    o->shape = s;
    o->kind = (kind)(index / SHAPES);
    o->stride = o->kind > I4 ? s->k + s->wide
                             : tvk_act_words(o->kind == I8 ? TVK_FORMAT_I8 : TVK_FORMAT_I4, s->k);
    TVK_TRY(tvk_rig_state(rig, &layout, rows, s->t, false, err));
    TVK_TRY(tvk_rig_array(rig, "values", (uint64_t)s->capacity * o->stride, o->stride, false, &o->x,
                          err));
    TVK_TRY(tvk_rig_array(rig, "counters", 4 * TVK_COUNTER_WORDS, TVK_COUNTER_WORDS, true,
                          &o->counters, err));
    for (uint32_t t = 0; t < s->t; t++) {
        uint32_t *row = o->x->words + (uint64_t)t * o->stride;
        if (o->kind <= I4) {
            fill_codes(o, t + 1, row);
            zeros += tvk_ref_count_codes(row, s->k, o->kind == I8 ? 8 : 4);
        } else {
            fill_floats(o, t + 1, tvk_rig_floats(row));
            zeros += tvk_ref_count_floats(tvk_rig_floats(row), s->k, o->kind == NOT_POSITIVE);
        }
        seen++;
    }
    want = o->counters->want + COUNTER * TVK_COUNTER_WORDS;
    for (uint32_t i = 0; i < TVK_COUNTER_WORDS; i++)
        o->counters->words[COUNTER * TVK_COUNTER_WORDS + i] = i % 2 ? 0 : s->low;
    want[0] = (uint32_t)zeros;
    want[1] = (uint32_t)(zeros >> 32);
    want[2] = (uint32_t)seen;
    want[3] = (uint32_t)(seen >> 32);
    rig->bytes = 4.0 * s->t * (o->kind <= I4 ? o->stride : s->k);
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    const shape *s = o->shape;
    if (o->kind <= I4)
        return tvk_op_count_codes(rig->kernels, &rig->list,
                                  o->kind == I8 ? TVK_FORMAT_I8 : TVK_FORMAT_I4, rig->state->span,
                                  o->x->span, o->counters->span, COUNTER, s->k, s->capacity, err);
    return tvk_op_count_floats(rig->kernels, &rig->list, rig->state->span, o->x->span,
                               o->counters->span, COUNTER, s->k, o->stride, o->kind == NOT_POSITIVE,
                               s->capacity, err);
}

const tvk_family tvk_family_count = {count, describe, setup, append, NULL, NULL};
