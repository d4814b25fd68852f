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
#define Q6 TVK_OP_repack_q6
#define Q4 TVK_OP_repack_q4

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
    {TINY, Q6, 1, 256, 0, 1, 0},
    {TINY, Q6, 3, 512, 2, 6, 0},
    {TINY, Q6, 2, 256, 0, 2, 256},
    {SMALL, Q6, 5, 2560, 1, 6, 0},
    {REAL, Q6, 4096, 2560, 0, 4096, 0},
    {TINY, Q4, 1, 32, 0, 1, 0},
    {TINY, Q4, 3, 288, 2, 6, 0},
    {TINY, Q4, 2, 64, 0, 2, 32},
    {SMALL, Q4, 5, 3200, 1, 6, 0},
    {REAL, Q4, 2560, 2560, 0, 2560, 0},
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

/* scale: byte of a block after which an f16 scale ends; 0: none is read */
static const struct {
    tvk_op op;
    tvk_dtype type;
    tvk_layout layout;
    uint32_t elems, bytes, scale;
} types[] = {
    {I2S, TVK_I2_S, TVK_LAYOUT_T2, 128, 32, 0},   {TQ1, TVK_TQ1_0, TVK_LAYOUT_T2, 256, 54, 0},
    {TQ2, TVK_TQ2_0, TVK_LAYOUT_T2, 256, 66, 0},  {Q8, TVK_Q8_0, TVK_LAYOUT_Q8, 32, 34, 1},
    {Q6, TVK_Q6_K, TVK_LAYOUT_Q6, 256, 210, 209}, {Q4, TVK_Q4_0, TVK_LAYOUT_Q4, 32, 18, 1},
};

static size_t type_of(const shape *s)
{
    size_t i = 0;
    while (types[i].op != s->op) i++;
    return i;
}

static void want(const own *o, const uint8_t *bytes)
{
    const shape *s = o->shape;
    const size_t type = type_of(s);
    uint32_t *words = o->words->want + (uint64_t)s->first * o->params.row_words, *scales = NULL;
    if (s->op == I2S)
        tvk_ref_repack_i2s(bytes, s->skip, s->n, s->k, words);
    else if (s->op == TQ1)
        tvk_ref_repack_tq1(bytes, s->n, s->k, words);
    else if (s->op == TQ2)
        tvk_ref_repack_tq2(bytes, s->n, s->k, words);
    if (!o->scales) return;
    scales = o->scales->want + o->params.scale_word +
             (uint64_t)s->first * tvk_layout_row_scales(types[type].layout, s->k);
    bytes += s->skip / types[type].elems * types[type].bytes;
    if (s->op == Q8)
        tvk_ref_repack_q8(bytes, s->n, s->k, words, tvk_rig_floats(scales));
    else if (s->op == Q6)
        tvk_ref_repack_q6(bytes, s->n, s->k, words, scales);
    else
        tvk_ref_repack_q4(bytes, s->n, s->k, words, tvk_rig_floats(scales));
}

/* Bytes of blocks in memory order, whatever the host's. f16 scales are made finite. */
static void fill_bytes(uint8_t *bytes, uint64_t n, const shape *s)
{
    const size_t type = type_of(s);
    for (uint64_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(tvk_rig_hash(s->n, (uint32_t)i) >> 11);
        if (types[type].scale && i % types[type].bytes == types[type].scale) bytes[i] &= 0xbf;
    }
}

static tvk_status setup(tvk_rig *rig, uint32_t index, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const shape *s = &shapes[index];
    own *o = tvk_arena_alloc(&rig->arena, 1, sizeof *o);
    const size_t type = type_of(s);
    const uint32_t row_scales = tvk_layout_row_scales(types[type].layout, s->k);
    uint64_t blocks, window;
    TVK_TRY_ALLOC(o);
    o->shape = s;
    rig->own = o;
    blocks = (s->skip + (uint64_t)s->n * s->k + types[type].elems - 1) / types[type].elems;
    window = blocks * types[type].bytes;
    o->params.n = s->n;
    o->params.k = s->k;
    o->params.row_words = tvk_layout_row_words(types[type].layout, s->k);
    o->params.first_row = s->first;
    o->params.skip = s->skip;
    o->params.scale_word = types[type].scale ? 3 : 0;
    /* a window is a part of a word longer than its last block, and a vector of words at most */
    TVK_TRY(tvk_rig_array(rig, "window", (window + 15) / 16 * 4, 0, false, &o->window, err));
    fill_bytes((uint8_t *)o->window->words, window, s);
    TVK_TRY(tvk_rig_array(rig, "codes", (uint64_t)s->rows * o->params.row_words,
                          o->params.row_words, true, &o->words, err));
    if (types[type].scale)
        TVK_TRY(tvk_rig_array(rig, "scales", 3 + (uint64_t)s->rows * row_scales, 0, true,
                              &o->scales, err));
    want(o, (const uint8_t *)o->window->words);
    rig->bytes = (double)window + 4.0 * s->n * o->params.row_words;
fail:
    return st;
}

static tvk_status append(tvk_rig *rig, tvk_error *err)
{
    const own *o = rig->own;
    const tvk_dtype type = types[type_of(o->shape)].type;
    if (o->scales)
        return tvk_op_repack_q(rig->kernels, &rig->list, type, o->window->span, o->words->span,
                               o->scales->span, &o->params, err);
    return tvk_op_repack_t2(rig->kernels, &rig->list, type, o->window->span, o->words->span,
                            &o->params, err);
}

const tvk_family tvk_family_repack = {count, describe, setup, append, NULL, NULL};
