/* File blocks -> device packing. Bytes are random, so that every byte value of a format occurs. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/rig.h"

typedef struct shape {
    tvk_case_size size;
    tvk_op op;
    uint32_t n, k;
    uint32_t first, rows; /* output row of the window's first row; rows of the output */
    uint32_t skip;
} shape;

#define TINY TVK_CASE_TINY
#define SMALL TVK_CASE_SMALL
#define REAL TVK_CASE_REAL
#define I2S TVK_OP_repack_i2s
#define TQ1 TVK_OP_repack_tq1
#define TQ2 TVK_OP_repack_tq2
#define Q8 TVK_OP_repack_q8

static const shape shapes[] = {
    {TINY, I2S, 1, 128, 0, 1, 0},
    {TINY, I2S, 2, 64, 0, 2, 0},
    {TINY, I2S, 5, 100, 3, 9, 28},
    {TINY, I2S, 31, 4, 0, 31, 4},
    {TINY, I2S, 7, 132, 1, 8, 124},
    {SMALL, I2S, 33, 192, 0, 33, 64},
    {SMALL, I2S, 64, 2560, 64, 192, 0},
    {SMALL, I2S, 7, 5460, 0, 7, 84},
    {SMALL, I2S, 9, 6912, 5, 14, 0},
    {SMALL, I2S, 3, 8640, 2, 6, 64},
    {REAL, I2S, 13824, 2560, 0, 13824, 0},
    {TINY, TQ1, 1, 256, 0, 1, 0},
    {TINY, TQ1, 3, 512, 2, 6, 0},
    {SMALL, TQ1, 33, 2560, 0, 33, 0},
    {SMALL, TQ1, 5, 6912, 1, 6, 0},
    {REAL, TQ1, 2560, 2560, 0, 2560, 0},
    {TINY, TQ2, 1, 256, 0, 1, 0},
    {TINY, TQ2, 3, 512, 2, 6, 0},
    {SMALL, TQ2, 33, 2560, 0, 33, 0},
    {SMALL, TQ2, 5, 6912, 1, 6, 0},
    {REAL, TQ2, 2560, 2560, 0, 2560, 0},
    {TINY, Q8, 1, 32, 0, 1, 0},
    {TINY, Q8, 3, 96, 2, 6, 0},
    {TINY, Q8, 2, 64, 0, 2, 32},
    {SMALL, Q8, 33, 512, 1, 64, 0},
    {SMALL, Q8, 5, 2560, 0, 5, 0},
    {REAL, Q8, 4096, 512, 0, 4096, 0},
};

typedef struct own {
    const shape *shape;
    struct tvk_repack_params params;
    tvk_array *window, *words, *scales;
} own;

static uint32_t count(void)
{
    return (uint32_t)(sizeof shapes / sizeof *shapes);
}

static void describe(uint32_t index, tvk_case *out)
{
    const shape *s = &shapes[index];
    out->op = s->op;
    out->size = s->size;
    out->shape[0] = s->n;
    out->shape[1] = s->k;
    snprintf(out->name, sizeof out->name, "N %u K %u at row %u skip %u", s->n, s->k, s->first,
             s->skip);
}

static tvk_dtype type_of(const shape *s)
{
    return s->op == I2S ? TVK_I2_S : s->op == TQ1 ? TVK_TQ1_0 : s->op == TQ2 ? TVK_TQ2_0 : TVK_Q8_0;
}

static void block_size(const shape *s, uint32_t *elems, uint32_t *bytes)
{
    *elems = s->op == I2S ? 128 : s->op == Q8 ? 32 : 256;
    *bytes = s->op == I2S ? 32 : s->op == TQ1 ? 54 : s->op == TQ2 ? 66 : 34;
}

static void want(const own *o, const uint8_t *bytes)
{
    const shape *s = o->shape;
    uint32_t *words = o->words->want + (uint64_t)s->first * o->params.row_words;
    if (s->op == I2S)
        tvk_ref_repack_i2s(bytes, s->skip, s->n, s->k, words);
    else if (s->op == TQ1)
        tvk_ref_repack_tq1(bytes, s->n, s->k, words);
    else if (s->op == TQ2)
        tvk_ref_repack_tq2(bytes, s->n, s->k, words);
    else
        tvk_ref_repack_q8(bytes + s->skip / 32 * 34, s->n, s->k, words,
                          tvk_rig_floats(o->scales->want) + o->params.scale_word +
                              (uint64_t)s->first * (s->k / 32));
}

/* Bytes of blocks in memory order, whatever the host's. f16 scales are made finite. */
static void fill_bytes(uint8_t *bytes, uint64_t n, const shape *s, uint32_t block_bytes)
{
    for (uint64_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(tvk_rig_hash(s->n, (uint32_t)i) >> 11);
        if (s->op == Q8 && i % block_bytes == 1) bytes[i] &= 0xbf;
    }
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    uint32_t elems, bytes;
    uint64_t blocks, window;
    TVK_TRY_ALLOC(o);
    o->shape = s;
    rig->own = o;
    block_size(s, &elems, &bytes);
    blocks = (s->skip + (uint64_t)s->n * s->k + elems - 1) / elems;
    window = blocks * bytes;
    o->params.n = s->n;
    o->params.k = s->k;
    o->params.row_words = tvk_layout_row_words(s->op == Q8 ? TVK_LAYOUT_Q8 : TVK_LAYOUT_T2, s->k);
    o->params.first_row = s->first;
    o->params.skip = s->skip;
    o->params.scale_word = s->op == Q8 ? 3 : 0;
    /* a window is a part of a word longer than its last block, and a vector of words at most */
    TVK_TRY(tvk_rig_array(rig, "window", (window + 15) / 16 * 4, 0, false, &o->window, err));
    fill_bytes((uint8_t *)o->window->words, window, s, bytes);
    TVK_TRY(tvk_rig_array(rig, "codes", (uint64_t)s->rows * o->params.row_words,
                          o->params.row_words, true, &o->words, err));
    if (s->op == Q8)
        TVK_TRY(tvk_rig_array(rig, "scales", 3 + (uint64_t)s->rows * (s->k / 32), 0, true,
                              &o->scales, err));
    want(o, (const uint8_t *)o->window->words);
    rig->bytes = (double)window + 4.0 * s->n * o->params.row_words;
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    if (o->shape->op == Q8)
        return tvk_op_repack_q8(rig->kernels, &rig->list, o->window->span, o->words->span,
                                o->scales->span, &o->params, err);
    return tvk_op_repack_t2(rig->kernels, &rig->list, type_of(o->shape), o->window->span,
                            o->words->span, &o->params, err);
}

const tvk_family tvk_family_repack = {count, describe, setup, append};
