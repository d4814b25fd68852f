/* Step control of the reference, worked by hand: begin, philox, drawing, the sample kernel's
 * effects on slots and result ring; repacking of file blocks against the golden values of the
 * formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/half.h"
#include "ref/ref.h"

/* ---- begin ---- */

enum {
    BATCH = 4,
    MAX_OUTS = 3,
    SLOTS = 3,
    CONTEXT = 300,
    OUTS_WORD = 40,
    SLOTS_WORD = 64,
    HISTORY_WORD = SLOTS_WORD + SLOTS * 64,
    STATE_WORDS = HISTORY_WORD + SLOTS * CONTEXT,
    RING = 2,
    ENTRY = 4 + 4 * BATCH
};

static const struct tvk_begin_params begin_params = {
    .ring_entries = RING,
    .ring_entry_words = ENTRY,
    .batch = BATCH,
    .max_outs = MAX_OUTS,
    .slots_word = SLOTS_WORD,
    .history_word = HISTORY_WORD,
    .outs_word = OUTS_WORD,
    .context = CONTEXT,
    .rule_count = 4,
};

static uint32_t *slot_of(uint32_t *words, uint32_t slot)
{
    return words + SLOTS_WORD + slot * 64;
}

static uint32_t history_of(const uint32_t *words, uint32_t slot, uint32_t position)
{
    return words[HISTORY_WORD + slot * CONTEXT + position];
}

static void test_begin(void **state)
{
    static uint32_t words[STATE_WORDS];
    uint32_t requests[RING * ENTRY] = {0};
    /* second entry: SEQ is 5 */
    static const uint32_t entry[ENTRY] = {
        4, 2,   0,  0,                                          /* rows, outs */
        1, 0,   0,  TVK_REQUEST_FROM_SLOT | TVK_REQUEST_OUTPUT, /* stopped: dropped */
        2, 128, 77, 0,                                          /* prefill */
        2, 129, 78, TVK_REQUEST_OUTPUT,                         /* its last token */
        0, 0,   0,  TVK_REQUEST_FROM_SLOT | TVK_REQUEST_OUTPUT | TVK_REQUEST_SAMPLE};
    uint32_t rules[4 * 8] = {TVK_AXIS_ROWS | TVK_AXIS_CHUNKS << 8 | TVK_AXIS_FIXED << 16,
                             2,
                             9,
                             5,
                             TVK_AXIS_FIXED,
                             7,
                             8,
                             9,
                             TVK_AXIS_OUTS | TVK_AXIS_OUTS << 8 | TVK_AXIS_ROWS << 16,
                             1,
                             4,
                             1,
                             TVK_AXIS_ROWS | TVK_AXIS_ONE << 8 | TVK_AXIS_SEVERAL << 16,
                             4,
                             1,
                             1};
    static const uint32_t want_args[16] = {2, 2, 5, 0xabab, 7, 8, 9, 0xabab,
                                           2, 1, 3, 0xabab, 1, 0, 2, 0xabab};
    static const uint32_t want_rows[12] = {2, 128, 77, TVK_NO_OUTPUT, 2, 129, 78, 0, 0, 6, 42, 1};
    (void)state;
    memset(words, 0x5a, sizeof words);
    words[TVK_STATE_SEQ] = 5;
    slot_of(words, 1)[TVK_SLOT_STOPPED] = 1;
    slot_of(words, 0)[TVK_SLOT_STOPPED] = 0;
    slot_of(words, 0)[TVK_SLOT_TOKEN] = 42;
    slot_of(words, 0)[TVK_SLOT_POSITION] = 6;
    slot_of(words, 2)[TVK_SLOT_STOPPED] = 1; /* rows with their own token are not asked */
    memcpy(requests + ENTRY, entry, sizeof entry);
    for (uint32_t i = 0; i < 4; i++) rules[16 + 4 * i + 3] = 0xabab;
    tvk_ref_begin(requests, words, rules, &begin_params);
    assert_int_equal(words[TVK_STATE_COUNT], 3);
    assert_int_equal(words[TVK_STATE_OUTS], 2);
    assert_int_equal(words[TVK_STATE_CHUNKS], 2); /* position 129 lies in the second chunk */
    assert_int_equal(words[TVK_STATE_SEQ], 6);
    assert_memory_equal(words + TVK_STATE_ROWS, want_rows, sizeof want_rows);
    assert_int_equal(words[OUTS_WORD], 1);
    assert_int_equal(words[OUTS_WORD + 1], TVK_REQUEST_OUTPUT);
    assert_int_equal(words[OUTS_WORD + 2], 2);
    assert_int_equal(words[OUTS_WORD + 3],
                     TVK_REQUEST_FROM_SLOT | TVK_REQUEST_OUTPUT | TVK_REQUEST_SAMPLE);
    assert_int_equal(words[OUTS_WORD + 4], 0x5a5a5a5a);
    assert_int_equal(history_of(words, 2, 128), 77);
    assert_int_equal(history_of(words, 2, 129), 78);
    assert_int_equal(history_of(words, 0, 6), 42);
    assert_int_equal(history_of(words, 1, 0), 0x5a5a5a5a);
    assert_memory_equal(rules + 16, want_args, sizeof want_args);
}

static void test_begin_all_stopped(void **state)
{
    static uint32_t words[STATE_WORDS];
    uint32_t requests[RING * ENTRY] = {1, 1, 0, 0, 0, 0, 0, 3};
    uint32_t rules[32] = {TVK_AXIS_FIXED | TVK_AXIS_ROWS << 8 | TVK_AXIS_CHUNKS << 16,
                          3,
                          1,
                          1,
                          TVK_AXIS_OUTS,
                          1,
                          1,
                          1};
    struct tvk_begin_params p = begin_params;
    (void)state;
    memset(words, 0, sizeof words);
    p.rule_count = 2;
    words[TVK_STATE_SEQ] = 8;
    slot_of(words, 0)[TVK_SLOT_STOPPED] = 1;
    memset(rules + 8, 0xff, 8 * sizeof *rules);
    tvk_ref_begin(requests, words, rules, &p);
    assert_int_equal(words[TVK_STATE_COUNT], 0);
    assert_int_equal(words[TVK_STATE_OUTS], 0);
    assert_int_equal(words[TVK_STATE_CHUNKS], 0);
    assert_int_equal(words[TVK_STATE_SEQ], 9);
    for (uint32_t axis = 0; axis < 3; axis++) {
        assert_int_equal(rules[8 + axis], 0); /* fixed axes too: nothing is to run */
        assert_int_equal(rules[12 + axis], 0);
    }
}

static void test_begin_past_context(void **state)
{
    static uint32_t words[STATE_WORDS];
    uint32_t requests[RING * ENTRY] = {2, 0, 0, 0, 0, CONTEXT - 1, 11, 0, 0, CONTEXT, 12, 0};
    uint32_t rules[8] = {0};
    struct tvk_begin_params p = begin_params;
    (void)state;
    memset(words, 0, sizeof words);
    p.rule_count = 0;
    tvk_ref_begin(requests, words, rules, &p);
    assert_int_equal(words[TVK_STATE_COUNT], 2);
    assert_int_equal(history_of(words, 0, CONTEXT - 1), 11);
    assert_int_equal(history_of(words, 1, 0), 0); /* not the neighbour's first token */
    assert_int_equal(words[TVK_STATE_CHUNKS], CONTEXT / 128 + 1);
}

/* ---- philox: known answers of Random123 ---- */

static void test_philox(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
        uint32_t out[4];
        tvk_ref_philox(kat[i].counter, kat[i].key, out);
        assert_memory_equal(out, kat[i].want, sizeof out);
    }
}

/* ---- drawing ---- */

/* Slot with everything off: temperature 1, all candidates. */
static void plain_slot(uint32_t *slot)
{
    memset(slot, 0, TVK_SLOT_WORDS * sizeof *slot);
    slot[TVK_SLOT_TEMPERATURE] = slot[TVK_SLOT_INV_TEMPERATURE] = tvk_f32_bits(1.0f);
    slot[TVK_SLOT_TOP_K] = TVK_CANDIDATES;
    slot[TVK_SLOT_TOP_P] = tvk_f32_bits(1.0f);
    slot[TVK_SLOT_PENALTY] = slot[TVK_SLOT_INV_PENALTY] = tvk_f32_bits(1.0f);
    slot[TVK_SLOT_LEFT] = 100;
}

static void test_sample_greedy(void **state)
{
    uint32_t slot[TVK_SLOT_WORDS];
    const float ties[6] = {1.0f, 3.0f, 2.0f, 3.0f, -1.0f, 3.0f};
    const float zeros[3] = {-1.0f, -0.0f, 0.0f};
    const float odd[4] = {NAN, -5.0f, -INFINITY, -6.0f};
    const float nothing[3] = {NAN, -INFINITY, NAN};
    const float endless[3] = {1.0f, INFINITY, INFINITY};
    (void)state;
    plain_slot(slot);
    slot[TVK_SLOT_TEMPERATURE] = 0;
    assert_int_equal(tvk_ref_sample(ties, 6, slot, NULL, 0, 0), 1);  /* smallest id of the best */
    assert_int_equal(tvk_ref_sample(zeros, 3, slot, NULL, 0, 0), 1); /* -0 counts as +0 */
    assert_int_equal(tvk_ref_sample(odd, 4, slot, NULL, 0, 0), 1);
    assert_int_equal(tvk_ref_sample(nothing, 3, slot, NULL, 0, 0), 0);
    slot[TVK_SLOT_TEMPERATURE] = tvk_f32_bits(1.0f);
    assert_int_equal(tvk_ref_sample(nothing, 3, slot, NULL, 0, 0), 0);
    assert_int_equal(tvk_ref_sample(endless, 3, slot, NULL, 0, 0), 1);
}

/* With seed 0 and position 0 the number drawn is 0x6627e8d5 >> 8 = 0x6627e8 of 2^24: u = 0.39904.
 */
static void test_sample_draw(void **state)
{
    uint32_t slot[TVK_SLOT_WORDS];
    const float flat[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    const float steep[3] = {0.0f, 10.0f, 9.0f};
    const float even[2] = {5.0f, 5.0f};
    float many[300];
    (void)state;
    plain_slot(slot);
    assert_int_equal(tvk_ref_sample(flat, 4, slot, NULL, 0, 0), 1); /* .25 < u < .5 */
    assert_int_equal(tvk_ref_sample(even, 2, slot, NULL, 0, 0), 0);
    assert_int_equal(tvk_ref_sample(steep, 3, slot, NULL, 0, 0), 1); /* 1/(1+1/e) = 0.731 > u */
    /* temperature 10: weights 1, .905, .368: 1/2.273 = 0.44 > u; temperature 1e6: a third each */
    slot[TVK_SLOT_INV_TEMPERATURE] = tvk_f32_bits(0.1f);
    assert_int_equal(tvk_ref_sample(steep, 3, slot, NULL, 0, 0), 1);
    slot[TVK_SLOT_INV_TEMPERATURE] = tvk_f32_bits(1e-6f);
    assert_int_equal(tvk_ref_sample(steep, 3, slot, NULL, 0, 0), 2);
    slot[TVK_SLOT_INV_TEMPERATURE] = tvk_f32_bits(1.0f);
    for (uint32_t i = 0; i < 300; i++) many[i] = 1.0f;
    /* 256 of 300 equal ones: floor(0.39904 * 256) = 102 */
    assert_int_equal(tvk_ref_sample(many, 300, slot, NULL, 0, 0), 102);
    many[299] =
        2.0f; /* the best now comes first: e / (e + 255) = 0.0105; (u * 257.7 - 2.718) = 100.1 */
    assert_int_equal(tvk_ref_sample(many, 300, slot, NULL, 0, 0), 100);
}

static void test_sample_key(void **state)
{
    /* of 256 equal candidates the top byte of the random word names the one that is drawn */
    uint32_t slot[TVK_SLOT_WORDS];
    float flat[256] = {0};
    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t counter[4] = {3 * i, 0, 0, 0}, key[2] = {i * 2654435761u, ~i}, out[4];
        plain_slot(slot);
        slot[TVK_SLOT_SEED_LO] = key[0];
        slot[TVK_SLOT_SEED_HI] = key[1];
        tvk_ref_philox(counter, key, out);
        assert_int_equal(tvk_ref_sample(flat, 256, slot, NULL, 0, 3 * i), out[0] >> 24);
    }
}

static void test_sample_top_k(void **state)
{
    uint32_t slot[TVK_SLOT_WORDS];
    const float flat[8] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.5f};
    (void)state;
    plain_slot(slot);
    slot[TVK_SLOT_TOP_K] = 1;
    assert_int_equal(tvk_ref_sample(flat, 8, slot, NULL, 0, 0), 7);
    slot[TVK_SLOT_TOP_K] = 2; /* 1 / (1 + e^-.5) = 0.62 > u */
    assert_int_equal(tvk_ref_sample(flat, 8, slot, NULL, 0, 0), 7);
    slot[TVK_SLOT_TOP_K] = 4; /* 1 / 2.82 = .355 < u < 1.607 / 2.82 = .57 */
    assert_int_equal(tvk_ref_sample(flat, 8, slot, NULL, 0, 0), 0);
    slot[TVK_SLOT_TOP_K] = 100; /* more than there are: (u * 5.246 - 1) / 0.6065 = 1.8 */
    assert_int_equal(tvk_ref_sample(flat, 8, slot, NULL, 0, 0), 1);
}

static void test_sample_top_p(void **state)
{
    uint32_t slot[TVK_SLOT_WORDS];
    /* ids 2, 0, 3, 1 with probabilities 8/15, 4/15, 2/15, 1/15 */
    const float row[4] = {-0.69314718f, -2.0794415f, 0.0f, -1.3862944f};
    (void)state;
    plain_slot(slot);
    /* which tokens are seen over many draws tells where the cut is */
    for (int cut = 1; cut <= 4; cut++) {
        static const float p[5] = {0.0f, 0.5f, 0.7f, 0.9f, 0.99f};
        static const uint32_t order[4] = {2, 0, 3, 1};
        uint32_t seen[4] = {0};
        slot[TVK_SLOT_TOP_P] = tvk_f32_bits(p[cut]);
        for (uint32_t i = 0; i < 400; i++) seen[tvk_ref_sample(row, 4, slot, NULL, 0, i)]++;
        for (int i = 0; i < 4; i++) assert_int_equal(seen[order[i]] > 0, i < cut);
    }
}

static void test_sample_min_p(void **state)
{
    uint32_t slot[TVK_SLOT_WORDS];
    const float row[4] = {-0.69314718f, -2.0794415f, 0.0f, -1.3862944f}; /* 1/2, 1/8, 1, 1/4 */
    static const float min_p[4] = {0.6f, 0.4f, 0.2f, 0.1f};
    static const uint32_t order[4] = {2, 0, 3, 1};
    (void)state;
    plain_slot(slot);
    for (int kept = 1; kept <= 4; kept++) {
        uint32_t seen[4] = {0};
        slot[TVK_SLOT_MIN_P] = tvk_f32_bits(min_p[kept - 1]);
        /* min-p looks at the probabilities before the temperature */
        slot[TVK_SLOT_INV_TEMPERATURE] = tvk_f32_bits(0.25f);
        for (uint32_t i = 0; i < 400; i++) seen[tvk_ref_sample(row, 4, slot, NULL, 0, i)]++;
        for (int i = 0; i < 4; i++) assert_int_equal(seen[order[i]] > 0, i < kept);
    }
    slot[TVK_SLOT_MIN_P] = tvk_f32_bits(2.0f); /* the first always stays */
    assert_int_equal(tvk_ref_sample(row, 4, slot, NULL, 0, 0), 2);
}

static void test_sample_penalty(void **state)
{
    uint32_t slot[TVK_SLOT_WORDS];
    const float row[4] = {4.0f, 3.0f, -1.0f, -1.5f};
    const float negative[2] = {-1.0f, -1.5f};
    const uint32_t recent[3] = {0, 9, 0}, first[1] = {0};
    (void)state;
    plain_slot(slot);
    slot[TVK_SLOT_TEMPERATURE] = 0;
    slot[TVK_SLOT_PENALTY] = tvk_f32_bits(2.0f);
    slot[TVK_SLOT_INV_PENALTY] = tvk_f32_bits(0.5f);
    assert_int_equal(tvk_ref_sample(row, 4, slot, NULL, 0, 0), 0);
    assert_int_equal(tvk_ref_sample(row, 4, slot, recent, 3, 0), 1);     /* 4 -> 2, once */
    assert_int_equal(tvk_ref_sample(negative, 2, slot, first, 1, 0), 1); /* -1 -> -2 */
    slot[TVK_SLOT_PENALTY] = tvk_f32_bits(4.0f / 3.0f);
    slot[TVK_SLOT_INV_PENALTY] = tvk_f32_bits(0.75f);
    assert_int_equal(tvk_ref_sample(row, 4, slot, recent, 3, 0), 0); /* 3 = 3: the smaller id */
}

/* ---- the sample kernel's effects ---- */

static void test_sample_rows(void **state)
{
    static uint32_t words[STATE_WORDS];
    uint32_t results[RING * (4 + MAX_OUTS)];
    /* three output rows over a vocabulary of 3, stride 4; best: 2, 1, 0 */
    const float logits[12] = {0, 1, 2, 0, 0, 9, 0, 0, 5, 0, 0, 0};
    static const uint32_t rows[16] = {0, 6,   42, 0, 1, 7, 43, TVK_NO_OUTPUT,
                                      1, 299, 44, 1, 2, 0, 45, 2};
    static const uint32_t outs[6] = {0, 6, 2, 7, 3, 2};
    struct tvk_sample_params p = {.vocab = 3,
                                  .logits_stride = 4,
                                  .outs_word = OUTS_WORD,
                                  .slots_word = SLOTS_WORD,
                                  .history_word = HISTORY_WORD,
                                  .context = CONTEXT,
                                  .ring_entries = RING,
                                  .ring_entry_words = 4 + MAX_OUTS};
    (void)state;
    memset(words, 0, sizeof words);
    memset(results, 0xee, sizeof results);
    words[TVK_STATE_COUNT] = 4;
    words[TVK_STATE_OUTS] = 3;
    words[TVK_STATE_SEQ] = 4;
    memcpy(words + TVK_STATE_ROWS, rows, sizeof rows);
    memcpy(words + OUTS_WORD, outs, sizeof outs);
    for (uint32_t s = 0; s < SLOTS; s++) {
        plain_slot(slot_of(words, s));
        slot_of(words, s)[TVK_SLOT_TEMPERATURE] = 0;
    }
    /* slot 0: token 2 was recent and is punished below 1; then token 1 stops it */
    slot_of(words, 0)[TVK_SLOT_LAST_N] = 64;
    slot_of(words, 0)[TVK_SLOT_PENALTY] = tvk_f32_bits(4.0f);
    slot_of(words, 0)[TVK_SLOT_INV_PENALTY] = tvk_f32_bits(0.25f);
    for (uint32_t i = 0; i < 7; i++) words[HISTORY_WORD + i] = 2;
    slot_of(words, 0)[TVK_SLOT_STOP_COUNT] = 2;
    slot_of(words, 0)[TVK_SLOT_STOPS + 1] = 1;
    tvk_ref_sample_rows(logits, words, results, &p);
    assert_int_equal(results[7], 4); /* entry (4 - 1) % 2 */
    assert_int_equal(results[8], 3);
    assert_int_equal(results[9] | results[10], 0);
    assert_int_equal(results[11], 1);
    assert_int_equal(results[12], 1);
    assert_int_equal(results[13], TVK_NO_TOKEN);
    assert_int_equal(results[0], 0xeeeeeeee);
    assert_int_equal(slot_of(words, 0)[TVK_SLOT_TOKEN], 1);
    assert_int_equal(slot_of(words, 0)[TVK_SLOT_POSITION], 7);
    assert_int_equal(slot_of(words, 0)[TVK_SLOT_LEFT], 99);
    assert_int_equal(slot_of(words, 0)[TVK_SLOT_STOPPED], 1); /* a stop token */
    assert_int_equal(history_of(words, 0, 7), 1);
    assert_int_equal(slot_of(words, 1)[TVK_SLOT_POSITION], CONTEXT);
    assert_int_equal(slot_of(words, 1)[TVK_SLOT_STOPPED], 1); /* the context is full */
    assert_int_equal(history_of(words, 2, 0), 0);
    assert_int_equal(slot_of(words, 2)[TVK_SLOT_LEFT], 100); /* output without sampling */
    slot_of(words, 0)[TVK_SLOT_STOPPED] = 0;
    slot_of(words, 0)[TVK_SLOT_STOP_COUNT] = 1;
    tvk_ref_sample_rows(logits, words, results, &p);
    assert_int_equal(slot_of(words, 0)[TVK_SLOT_STOPPED], 0);
    slot_of(words, 0)[TVK_SLOT_LEFT] = 1;
    tvk_ref_sample_rows(logits, words, results, &p);
    assert_int_equal(slot_of(words, 0)[TVK_SLOT_STOPPED], 1); /* none left */
}

/* ---- repacking ---- */

static int pattern(uint32_t i)
{
    return (int)((7 * i + 3) % 11 % 3) - 1;
}

static void from_hex(const char *hex, uint8_t *bytes)
{
    for (size_t i = 0; hex[2 * i]; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        bytes[i] = (uint8_t)byte;
    }
}

static int t2_value(const uint32_t *row, uint32_t k)
{
    return (int)(row[k / 16] >> (8 * (k % 4) + 2 * (k % 16 / 4)) & 3u) - 1;
}

static const char i2s_hex[] = "1144118421886298661946114411842188629866194611441184218862986619";
static const char tq2_hex[] = "4411441248228926996491441144124822892699649144114412482289269964"
                              "2699649144114412482289269964914411441248228926996491441144124822"
                              "003c";
static const char tq1_hex[] = "226020b63dbf95dd9f3567226020b63dbf95dd9f3567226020b63dbf95dd9f35"
                              "6cd36d455d437a46cf17ca6cd36d455d0da20d8f003c";

static void test_repack_golden(void **state)
{
    uint8_t block[66];
    uint32_t words[16];
    (void)state;
    from_hex(i2s_hex, block);
    tvk_ref_repack_i2s(block, 0, 1, 128, words);
    /* the published word 0x5fe95ea5 of these 16 values has codes w + 2; ours are w + 1 */
    assert_int_equal(words[0], 0x5fe95ea5u - 0x55555555u);
    for (uint32_t i = 0; i < 128; i++) assert_int_equal(t2_value(words, i), pattern(i));
    from_hex(tq2_hex, block);
    tvk_ref_repack_tq2(block, 1, 256, words);
    for (uint32_t i = 0; i < 256; i++) assert_int_equal(t2_value(words, i), pattern(i));
    from_hex(tq1_hex, block);
    tvk_ref_repack_tq1(block, 1, 256, words);
    for (uint32_t i = 0; i < 256; i++) assert_int_equal(t2_value(words, i), pattern(i));
}

static void test_repack_rows(void **state)
{
    /* rows of 100 values run over block ends; the window begins 28 values before the first row */
    uint8_t blocks[96] = {0};
    uint32_t words[16];
    (void)state;
    for (uint32_t i = 0; i < 384; i++)
        blocks[i / 128 * 32 + i % 32] |=
            (uint8_t)((unsigned)(pattern(i) + 1) << (6 - 2 * (i % 128 / 32)));
    tvk_ref_repack_i2s(blocks, 28, 2, 100, words);
    for (uint32_t r = 0; r < 2; r++) {
        for (uint32_t k = 0; k < 128; k++)
            assert_int_equal(t2_value(words + 8 * r, k), k < 100 ? pattern(28 + 100 * r + k) : 0);
    }
}

static void test_repack_invalid_code(void **state)
{
    uint8_t block[66];
    uint32_t words[16];
    (void)state;
    memset(block, 0xff, sizeof block);
    tvk_ref_repack_i2s(block, 0, 1, 128, words);
    for (uint32_t w = 0; w < 8; w++) assert_int_equal(words[w], 0x55555555u);
    tvk_ref_repack_tq2(block, 1, 256, words);
    for (uint32_t w = 0; w < 16; w++) assert_int_equal(words[w], 0x55555555u);
    tvk_ref_repack_tq1(block, 1, 256, words); /* any byte is ternary; 255 is five times +1 */
    for (uint32_t w = 0; w < 16; w++) assert_int_equal(words[w], 0xaaaaaaaau);
}

static void test_repack_q8(void **state)
{
    uint8_t blocks[4 * 34];
    uint32_t words[32];
    float scales[4];
    static const uint16_t half[4] = {0x3c00, 0xb800, 0x0001, 0x7bff};
    static const float want[4] = {1.0f, -0.5f, 0x1p-24f, 65504.0f};
    (void)state;
    for (uint32_t b = 0; b < 4; b++) {
        blocks[34 * b] = (uint8_t)half[b];
        blocks[34 * b + 1] = (uint8_t)(half[b] >> 8);
        for (uint32_t i = 0; i < 32; i++) blocks[34 * b + 2 + i] = (uint8_t)(32 * b + i);
    }
    tvk_ref_repack_q8(blocks, 2, 64, words, scales);
    assert_memory_equal(scales, want, sizeof want);
    assert_int_equal(words[0], 0x03020100u);
    for (uint32_t i = 0; i < 128; i++) assert_int_equal(words[i / 4] >> 8 * (i % 4) & 255u, i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin),
        cmocka_unit_test(test_begin_all_stopped),
        cmocka_unit_test(test_begin_past_context),
        cmocka_unit_test(test_philox),
        cmocka_unit_test(test_sample_greedy),
        cmocka_unit_test(test_sample_draw),
        cmocka_unit_test(test_sample_key),
        cmocka_unit_test(test_sample_top_k),
        cmocka_unit_test(test_sample_top_p),
        cmocka_unit_test(test_sample_min_p),
        cmocka_unit_test(test_sample_penalty),
        cmocka_unit_test(test_sample_rows),
        cmocka_unit_test(test_repack_golden),
        cmocka_unit_test(test_repack_rows),
        cmocka_unit_test(test_repack_invalid_code),
        cmocka_unit_test(test_repack_q8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
