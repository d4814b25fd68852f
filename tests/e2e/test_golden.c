/* Whole models against the word of others: logits of HF transformers (PyTorch, fp32) for the
 * folders of shared/data/hf, and llama2.c's own story for stories260K. Each folder is converted,
 * loaded and evaluated as a user would do it. Every tolerance stands beside its reason.
 *
 *   test_golden                                  the tests
 *   test_golden MODEL.gguf EXPECTED.npz [LOGITS]  figures only: members "ids" and LOGITS ("logits")
 *
 * support/device.h says what the environment chooses. Without a device the exit status is 77, or 1
 * when TVK_REQUIRE_DEVICE is set. */
#define _POSIX_C_SOURCE 200809L /* access */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/device.h"
#include "support/llama2c.h"
#include "support/npz.h"
#include "ternvk/device.h"
#include "ternvk/loader.h"
#include "ternvk/model.h"
#include "ternvk/session.h"

#define HF TVK_SHARED_DIR "/data/hf/"
#define TESTDATA TVK_SHARED_DIR "/data/testdata/"
#define STORY_TOKENS 200u

/* What doc/stories260K.md of llama2.c prints for the model at temperature 0. */
static const char story[] =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big, red ball. She wanted to play with it, but it was too high.\n"
    "Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She "
    "said, \"I want to play with your ball, but I can't find it.\"\n"
    "Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to "
    "do.\"\n"
    "Lily didn't want to help her mom, so she said, \"I'm sorry, mom. I didn't know what to do.\" "
    "Her mom said, \"Don't worry, Lily. We can help you.";

/* ---- what the tests share ------------------------------------------------------------------ */

typedef struct fixture {
    tvk_device *device;
    char path[512]; /* of the model converted last; removed at the end */
} fixture;

/* A model with one session. */
typedef struct opened {
    tvk_file *file;
    tvk_model *model;
    tvk_session *session;
} opened;

static void log_line(void *user, tvk_log_level level, const char *text)
{
    (void)user;
    (void)level;
    print_message("  log: %s\n", text);
}

static const tvk_log warnings = {.fn = log_line, .level = TVK_LOG_WARN};

static void ok(tvk_status st, const tvk_error *err)
{
    if (st != TVK_OK)
        fail_msg("%s: %s (%s:%d)", tvk_status_name(st), err->text, err->file, err->line);
}

static void need(const char *path)
{
    if (access(path, R_OK) == 0) return;
    print_message("**** SKIPPED: %s is not there\n", path);
    skip();
}

static npy_array member(const char *path, const char *name)
{
    npy_array array;
    char why[256];
    if (!npz_read(path, name, &array, why, sizeof why)) fail_msg("%s", why);
    return array;
}

static void *room(size_t count, size_t bytes)
{
    void *p = calloc(count ? count : 1, bytes);
    assert_non_null(p);
    return p;
}

/* Token ids of an array of any shape. */
static int32_t *token_ids(const npy_array *array)
{
    int32_t *ids = room((size_t)array->count, sizeof *ids);
    for (uint64_t i = 0; i < array->count; i++) ids[i] = (int32_t)npy_int(array, i);
    return ids;
}

static opened open_with(tvk_device *device, const char *path, const tvk_model_params *params)
{
    opened m = {0};
    tvk_error err = {0};
    ok(tvk_file_open(path, &m.file, &err), &err);
    ok(tvk_model_create(device, tvk_file_source(m.file), params, &m.model, &err), &err);
    ok(tvk_session_create(m.model, &m.session, &err), &err);
    return m;
}

/* f32 KV: an f16 cache alone moves the logits of a BitNet model by 1e-2. exact: the rows of the
 * manifest that docs/numerics.md defines. */
static opened open_model(tvk_device *device, const char *path)
{
    const tvk_model_params params = {.kv_k = TVK_KV_F32, .kv_v = TVK_KV_F32, .exact = true};
    return open_with(device, path, &params);
}

static void close_model(opened *m)
{
    tvk_session_destroy(&m->session);
    tvk_model_destroy(&m->model);
    tvk_file_close(&m->file);
}

/* Converts and opens what came of it. type NULL: the default. */
static opened convert(const fixture *f, const char *in, const char *type, const char *tokenizer)
{
    tvk_convert_params params = {
        .type = type, .tokenizer = tokenizer, .overwrite = true, .log = warnings};
    tvk_error err = {0};
    ok(tvk_convert(in, f->path, &params, &err), &err);
    return open_model(f->device, f->path);
}

/* Logits [count, V] of a new sequence; V through *vocab. */
static float *logits_of(const opened *m, const int32_t *ids, uint32_t count, uint32_t *vocab)
{
    tvk_error err = {0};
    *vocab = tvk_model_get_info(m->model)->vocab;
    float *logits = room((size_t)count * *vocab, sizeof *logits);
    tvk_batch_item item = {.session = m->session, .tokens = ids, .count = count, .logits = logits};
    ok(tvk_session_rollback(m->session, 0, &err), &err);
    ok(tvk_eval(m->model, &item, 1, &err), &err);
    return logits;
}

typedef struct token_list {
    int32_t *ids;
    uint32_t count;
} token_list;

static bool take_token(void *user, int32_t token)
{
    token_list *t = user;
    t->ids[t->count++] = token;
    return true;
}

/* Greedy tokens after a prompt, into out [count]. */
static void generate(const opened *m, const int32_t *prompt, uint32_t prompt_count, int32_t *out,
                     uint32_t count)
{
    tvk_sampler_params greedy = {0};
    tvk_batch_item item = {.session = m->session, .tokens = prompt, .count = prompt_count};
    tvk_stop_reason reason;
    tvk_error err = {0};
    token_list got = {out, 0};
    ok(tvk_session_rollback(m->session, 0, &err), &err);
    ok(tvk_session_set_sampler(m->session, &greedy, &err), &err);
    ok(tvk_eval(m->model, &item, 1, &err), &err);
    ok(tvk_session_generate(m->session, count, take_token, &got, &reason, &err), &err);
    assert_int_equal(reason, TVK_STOP_COUNT);
    assert_int_equal(got.count, count);
}

/* ---- figures ------------------------------------------------------------------------------- */

typedef struct figures {
    uint32_t rows;
    double all;   /* relative L2 of the whole array */
    double worst; /* relative L2 of a row: |got - expected| / |expected| */
    uint32_t worst_row;
    uint32_t close_rows; /* rows before the first one above 1e-4 */
    uint32_t same_best;  /* rows whose best token is the expected one */
} figures;

static uint32_t best_float(const float *row, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (row[i] > row[best]) best = i;
    return best;
}

static figures compare(const char *name, const float *got, const double *expected, uint32_t rows,
                       uint32_t vocab)
{
    figures f = {.rows = rows, .close_rows = rows};
    double total_off = 0, total = 0;
    for (uint32_t r = 0; r < rows; r++) {
        const float *g = got + (size_t)r * vocab;
        const double *e = expected + (size_t)r * vocab;
        double off = 0, all = 0;
        for (uint32_t i = 0; i < vocab; i++) {
            double d = (double)g[i] - e[i];
            off += d * d;
            all += e[i] * e[i];
        }
        double relative = sqrt(off / all);
        total_off += off;
        total += all;
        if (!(relative <= f.worst)) { /* also when it is NaN */
            f.worst = relative;
            f.worst_row = r;
        }
        if (!(relative <= 1e-4) && f.close_rows == rows) f.close_rows = r;
        f.same_best += best_float(g, vocab) == (uint32_t)llama2c_best(e, vocab);
    }
    f.all = sqrt(total_off / total);
    print_message("  %s: %u rows, relative L2 %.3g, worst %.3g (row %u), first above 1e-4: ", name,
                  f.rows, f.all, f.worst, f.worst_row);
    if (f.close_rows < rows)
        print_message("%u", f.close_rows);
    else
        print_message("none");
    print_message(", best token equal on %u\n", f.same_best);
    return f;
}

/* Evaluates the ids of an archive and compares with its logits. */
static figures compare_with(const char *name, const opened *m, const char *path,
                            const char *logits_name)
{
    npy_array ids = member(path, "ids"), expected = member(path, logits_name);
    int32_t *tokens = token_ids(&ids);
    uint32_t vocab, rows = (uint32_t)ids.count;
    float *got = logits_of(m, tokens, rows, &vocab);
    assert_int_equal(expected.count, (uint64_t)rows * vocab);
    double *want = room((size_t)expected.count, sizeof *want);
    for (uint64_t i = 0; i < expected.count; i++) want[i] = npy_float(&expected, i);
    figures f = compare(name, got, want, rows, vocab);
    free(want);
    free(got);
    free(tokens);
    npy_free(&expected);
    npy_free(&ids);
    return f;
}

/* ---- HF folders ---------------------------------------------------------------------------- */

typedef struct hf_case {
    const char *folder, *expected, *logits;
    const char *greedy;  /* prompt and the tokens after it; NULL: not there */
    const char *type;    /* of the conversion */
    uint32_t close_rows; /* of the first rows, each within 1e-4; UINT32_MAX: all */
    double worst;        /* of every row */
    double same_best;    /* share of the rows */
} hf_case;

/* The float LLaMA differs by rounding in f32 only: 1e-4 is far above what three layers collect. */
static const hf_case llama_tiny_case = {.folder = HF "llama-tiny",
                                        .expected = HF "llama-tiny-expected.npz",
                                        .logits = "logits",
                                        .close_rows = UINT32_MAX,
                                        .worst = 1e-4,
                                        .same_best = 1};
/* With INT8 activations a value that lies on a rounding tie, to within the error of f32, may get
 * the other code here than in PyTorch; a float64 reading of the folders gets some of them
 * otherwise, too. One such code moves its row, and through K and V the rows after it, by about
 * 1e-2: 2.5e-2 holds several of them, and a best token by a lesser margin may change: one row
 * in 40. Rows before the first tie agree as floats do. Where it comes is the same on every driver,
 * as the bits are (docs/numerics.md). The ties, found by that float64 reading: */
#define TERNARY_BOUNDS .worst = 2.5e-2, .same_best = 0.97
/* Row 14, layer 2, input of gate and up: 1e-7 of a step off the tie. */
static const hf_case bitnet_packed_case = {.folder = HF "bitnet-tiny-packed",
                                           .expected = HF "bitnet-tiny-expected.npz",
                                           .logits = "packed-offline",
                                           .greedy = "packed-offline-greedy",
                                           .close_rows = 14,
                                           TERNARY_BOUNDS};
/* Row 4, layer 1, input of down: 9.3e-7 of a step off the tie. */
static const hf_case bitnet_bf16_case = {.folder = HF "bitnet-tiny-bf16",
                                         .expected = HF "bitnet-tiny-expected.npz",
                                         .logits = "bf16-online",
                                         .greedy = "bf16-online-greedy",
                                         .close_rows = 4,
                                         TERNARY_BOUNDS};
/* Its scales divide; SiLU, untied head, no sub-norms. Row 5, layer 0, input of QKV: on the tie. */
static const hf_case llama_bitlinear_case = {.folder = HF "llama-bitlinear",
                                             .expected = HF "llama-bitlinear-expected.npz",
                                             .logits = "logits",
                                             .close_rows = 5,
                                             TERNARY_BOUNDS};

/* HF generated from the first tokens of `ids`; those after them are greedy. */
static void same_greedy(const opened *m, const hf_case *c)
{
    npy_array ids = member(c->expected, "ids"), all = member(c->expected, c->greedy);
    int32_t *tokens = token_ids(&all);
    uint32_t prompt = 0, count = (uint32_t)all.count;
    while (prompt < count && prompt < ids.count && npy_int(&ids, prompt) == tokens[prompt])
        prompt++;
    assert_in_range(prompt, 1, count - 1);
    int32_t *got = room(count - prompt, sizeof *got);
    generate(m, tokens, prompt, got, count - prompt);
    assert_memory_equal(got, tokens + prompt, (count - prompt) * sizeof *got);
    free(got);
    free(tokens);
    npy_free(&all);
    npy_free(&ids);
}

static void hf_folder(const fixture *f, const hf_case *c, const char *name)
{
    need(c->folder);
    need(c->expected);
    opened m = convert(f, c->folder, c->type, NULL);
    figures got = compare_with(name, &m, c->expected, c->logits);
    uint32_t close = c->close_rows < got.rows ? c->close_rows : got.rows;
    assert_true(got.close_rows >= close);
    assert_true(got.worst <= c->worst);
    assert_true(got.same_best >= c->same_best * got.rows);
    if (c->greedy) same_greedy(&m, c);
    close_model(&m);
}

static void llama_tiny(void **state)
{
    hf_folder(*state, &llama_tiny_case, "llama-tiny");
}

/* F32 weights hold the same values but are summed in another order. */
static void llama_tiny_f32(void **state)
{
    hf_case c = llama_tiny_case;
    c.type = "f32";
    hf_folder(*state, &c, "llama-tiny, f32");
}

static void bitnet_packed(void **state)
{
    hf_folder(*state, &bitnet_packed_case, "bitnet-tiny-packed");
}

static void bitnet_bf16(void **state)
{
    hf_folder(*state, &bitnet_bf16_case, "bitnet-tiny-bf16");
}

static void llama_bitlinear(void **state)
{
    hf_folder(*state, &llama_bitlinear_case, "llama-bitlinear");
}

/* ---- BitNet a4.8 --------------------------------------------------------------------------- */

#define A48 TVK_SHARED_DIR "/data/a48/a48_d384"
#define A48_EXPECTED TVK_SHARED_DIR "/data/a48/a48_d384-expected.npz"
#define ACT_HEADER_WORDS 4u /* docs/numerics.md: the record of a row */

/* Codes of the records that entered a linear of the last step, against the archive's. */
static uint32_t different_codes(const opened *m, uint32_t layer, const char *name,
                                const char *codes_name, uint32_t bits)
{
    char text[32];
    tvk_error err = {0};
    uint32_t different = 0, rows, width, stride;
    snprintf(text, sizeof text, "l%u_%s", layer, codes_name);
    npy_array want = member(A48_EXPECTED, text);
    rows = (uint32_t)want.dims[0];
    width = (uint32_t)want.dims[1];
    stride = ACT_HEADER_WORDS + (width + 127) / 128 * 4 * bits;
    uint32_t *records = room((size_t)rows * stride, 4);
    snprintf(text, sizeof text, "l%u.%s", layer, name);
    ok(tvk_model_read(m->model, text, records, (uint64_t)rows * stride * 4, &err), &err);
    for (uint32_t t = 0; t < rows; t++) {
        const uint32_t *codes = records + (size_t)t * stride + ACT_HEADER_WORDS;
        for (uint32_t k = 0; k < width; k++) {
            int code = bits == 8 ? (int)(codes[k / 4] >> 8 * (k % 4) & 255u)
                                 : (int)(codes[k / 8] >> (8 * (k % 4) + 4 * (k / 4 % 2)) & 15u);
            if (code >> (bits - 1)) code -= 1 << bits;
            different += code != npy_int(&want, t * width + k);
        }
    }
    free(records);
    npy_free(&want);
    return different;
}

/* Share of a layer's codes that differ from the archive's. */
static double different_share(const opened *m, uint32_t layer)
{
    static const struct {
        const char *name, *codes;
        uint32_t bits;
    } linears[] = {{"qkv_in", "qkv_codes", 4},
                   {"o_in", "o_codes", 8},
                   {"gateup_in", "gateup_codes", 4},
                   {"down_in", "down_codes", 8}};
    const tvk_model_info *info = tvk_model_get_info(m->model);
    uint32_t n[4], all = 32 * (2 * info->hidden + info->heads * info->head_size + info->ffn);
    for (int i = 0; i < 4; i++)
        n[i] = different_codes(m, layer, linears[i].name, linears[i].codes, linears[i].bits);
    print_message("  layer %u: %u, %u, %u, %u codes differ\n", layer, n[0], n[1], n[2], n[3]);
    return (double)(n[0] + n[1] + n[2] + n[3]) / all;
}

/* The true tokens are fed: a wrong one does not pull those after it along. */
static void same_next_tokens(const opened *m)
{
    npy_array all = member(A48_EXPECTED, "greedy");
    int32_t *tokens = token_ids(&all);
    uint32_t vocab, count = (uint32_t)all.count;
    float *got = logits_of(m, tokens, count - 1, &vocab);
    for (uint32_t t = 12; t < count; t++)
        assert_int_equal(best_float(got + (size_t)(t - 1) * vocab, vocab), tokens[t]);
    free(got);
    free(tokens);
    npy_free(&all);
}

/* PyTorch's codes into every linear, its logits and its greedy tokens. A float64 reading has every
 * code of layers 0 to 2 and then the first on a rounding tie; what follows from it, 2 to 6 % of the
 * codes of the last layer and 1.2e-2 of the logits, differs between any two readings. */
static void bitnet_a48(void **state)
{
    const fixture *f = *state;
    const tvk_convert_params params = {.overwrite = true, .log = warnings};
    const tvk_model_params kept = {.kv_k = TVK_KV_F32,
                                   .kv_v = TVK_KV_F32,
                                   .max_outputs = 64, /* one step, so that all rows can be read */
                                   .exact = true,
                                   .keep_activations = true};
    tvk_error err = {0};
    need(A48);
    need(A48_EXPECTED);
    ok(tvk_convert(A48, f->path, &params, &err), &err);
    opened m = open_with(f->device, f->path, &kept);
    assert_string_equal(tvk_model_get_info(m.model)->act_quant, "a4.8");
    figures got = compare_with("a48_d384", &m, A48_EXPECTED, "logits");
    for (uint32_t layer = 0; layer < tvk_model_get_info(m.model)->layers; layer++) {
        double share = different_share(&m, layer);
        assert_true(layer <= 2 ? share == 0 : share <= 0.06);
    }
    assert_true(got.all <= 2e-2);
    assert_true(got.worst <= 5e-2);
    same_next_tokens(&m);
    close_model(&m);
}

/* Types that hold the same values in the same device packing: not one bit may differ. */
static void same_bits(const fixture *f, const hf_case *c, const char *const *types)
{
    need(c->folder);
    need(c->expected);
    npy_array ids = member(c->expected, "ids");
    int32_t *tokens = token_ids(&ids);
    uint32_t rows = (uint32_t)ids.count, vocab;
    opened m = convert(f, c->folder, NULL, NULL);
    float *base = logits_of(&m, tokens, rows, &vocab);
    close_model(&m);
    for (; *types; types++) {
        m = convert(f, c->folder, *types, NULL);
        float *got = logits_of(&m, tokens, rows, &vocab);
        if (memcmp(got, base, (size_t)rows * vocab * sizeof *got) != 0)
            fail_msg("%s as %s: other bits than the default conversion", c->folder, *types);
        free(got);
        close_model(&m);
    }
    free(base);
    free(tokens);
    npy_free(&ids);
}

static void lossless_types(void **state)
{
    static const char *const ternary[] = {"i2_s", "tq2_0", "tq1_0", NULL};
    static const char *const dense[] = {"f16", NULL}; /* what the folder holds */
    same_bits(*state, &bitnet_packed_case, ternary);
    same_bits(*state, &bitnet_bf16_case, ternary);
    same_bits(*state, &llama_bitlinear_case, ternary);
    same_bits(*state, &llama_tiny_case, dense);
}

/* ---- stories260K --------------------------------------------------------------------------- */

static llama2c *open_story(void)
{
    char why[256];
    need(TESTDATA "stories260K.bin");
    need(TESTDATA "tok512.bin");
    llama2c *m = llama2c_open(TESTDATA "stories260K.bin", TESTDATA "tok512.bin", why, sizeof why);
    if (!m) fail_msg("%s", why);
    return m;
}

/* The text of tokens that follow BOS, malloc'd and terminated. */
static char *story_text(const llama2c *m, const int32_t *ids, uint32_t count)
{
    char *text = room(count + 1, llama2c_max_bytes(m));
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++)
        at += llama2c_bytes(m, i ? ids[i - 1] : 1, ids[i], text + at);
    return text;
}

/* The independent reading is what llama2.c documents, to the end of what is documented. */
static void documented_story(void **state)
{
    (void)state;
    llama2c *m = open_story();
    int32_t ids[256];
    double margin;
    uint32_t count = llama2c_greedy(m, ids, 256, &margin);
    char *text = story_text(m, ids, count);
    print_message("  independent reading: %u tokens, smallest margin %.3g\n", count, margin);
    assert_int_equal(count, 256); /* run.c's default */
    assert_string_equal(text, story);
    /* A closer race could fall out differently in f32, and the comparison would mean nothing. */
    assert_true(margin > 1e-3);
    free(text);
    llama2c_close(m);
}

static void story_tokens(const opened *m, const int32_t *ids)
{
    const int32_t bos = 1;
    int32_t got[STORY_TOKENS];
    generate(m, &bos, 1, got, STORY_TOKENS);
    for (uint32_t i = 0; i < STORY_TOKENS; i++)
        if (got[i] != ids[i]) fail_msg("token %u is %d, not %d", i, (int)got[i], (int)ids[i]);
}

/* Through the tokenizer that was converted from tok512.bin, in both directions. */
static void story_through_tokenizer(const opened *m, llama2c *reading, const int32_t *ids)
{
    tvk_tokenizer *t = NULL;
    tvk_error err = {0};
    char *want = story_text(reading, ids, STORY_TOKENS), *got = room(strlen(want) + 1, 1);
    size_t at = 0, left = strlen(want);
    ok(tvk_tokenizer_create(m->file, &t, &err), &err);
    assert_int_equal(tvk_tokenizer_vocab(t), llama2c_get_config(reading)->vocab);
    assert_int_equal(tvk_tokenizer_bos(t), 1);
    for (uint32_t i = 0; i < STORY_TOKENS; i++) {
        const char *bytes;
        size_t count;
        tvk_token_bytes(t, ids[i], i == 0, false, &bytes, &count);
        assert_true(count <= left - at);
        memcpy(got + at, bytes, count);
        at += count;
    }
    assert_string_equal(got, want);
    assert_int_equal(strncmp(got, story, at), 0);

    /* The model writes its text in the tokens that the encoder would have chosen. */
    int32_t *encoded = NULL;
    uint32_t count = 0;
    ok(tvk_tokenize(t, got, at, true, false, &encoded, &count, &err), &err);
    assert_int_equal(count, STORY_TOKENS + 1);
    assert_int_equal(encoded[0], 1);
    assert_memory_equal(encoded + 1, ids, STORY_TOKENS * sizeof *ids);
    free(encoded);
    free(got);
    free(want);
    tvk_tokenizer_destroy(&t);
}

/* f32 against double: sums of at most 172 products in five layers. */
static void story_logits(const opened *m, llama2c *reading, const int32_t *ids)
{
    int32_t fed[STORY_TOKENS] = {1};
    uint32_t vocab;
    memcpy(fed + 1, ids, (STORY_TOKENS - 1) * sizeof *ids);
    float *got = logits_of(m, fed, STORY_TOKENS, &vocab);
    assert_int_equal(vocab, llama2c_get_config(reading)->vocab);
    double *want = room((size_t)STORY_TOKENS * vocab, sizeof *want);
    for (uint32_t i = 0; i < STORY_TOKENS; i++)
        llama2c_forward(reading, fed[i], i, want + (size_t)i * vocab);
    figures f = compare("stories260K", got, want, STORY_TOKENS, vocab);
    assert_true(f.worst <= 1e-5);
    assert_int_equal(f.same_best, STORY_TOKENS);
    free(want);
    free(got);
}

static void stories260k(void **state)
{
    llama2c *reading = open_story();
    int32_t ids[STORY_TOKENS];
    assert_int_equal(llama2c_greedy(reading, ids, STORY_TOKENS, NULL), STORY_TOKENS);
    opened m = convert(*state, TESTDATA "stories260K.bin", NULL, TESTDATA "tok512.bin");
    story_logits(&m, reading, ids);
    story_tokens(&m, ids);
    story_through_tokenizer(&m, reading, ids);
    close_model(&m);
    llama2c_close(reading);
}

/* ---- the reader of arrays ------------------------------------------------------------------ */

/* An .npy of version 1 with a header and some zero bytes of data; false: refused. */
static bool parses(const char *header, size_t data_bytes, npy_array *out)
{
    unsigned char bytes[256] = "\x93NUMPY\x01";
    char why[128] = "";
    size_t n = strlen(header);
    bytes[8] = (unsigned char)n;
    memcpy(bytes + 10, header, n);
    bool good = npy_parse(bytes, 10 + n + data_bytes, out, why, sizeof why);
    assert_int_equal(good, why[0] == 0);
    for (size_t i = 0; good && i < 10 + n + data_bytes; i++) {
        npy_array cut;
        assert_false(npy_parse(bytes, i, &cut, why, sizeof why));
    }
    return good;
}

static void arrays(void **state)
{
    static const char *const refused[] = {
        "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", /* big-endian */
        "{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", /* 12 bytes */
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", /* 4 bytes */
        "{'descr': '<f4', 'fortran_order': False, 'shape': 2, }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
        "{'descr': '<f4', 'fortran_order': False}",
        "",
    };
    npy_array a;
    (void)state;
    assert_true(parses("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n", 8, &a));
    assert_int_equal(a.type, NPY_F4);
    assert_int_equal(a.dim_count, 2);
    assert_int_equal(a.dims[1], 2);
    assert_int_equal(a.count, 2);
    npy_free(&a);
    assert_true(parses("{'shape': (), 'descr': '<i8', 'fortran_order': False}", 8, &a));
    assert_int_equal(a.count, 1);
    npy_free(&a);
    assert_true(parses("{'descr': '|i1', 'fortran_order': True, 'shape': (8,)}", 8, &a));
    npy_free(&a);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(parses(refused[i], 8, &a));

    const float f4[] = {-1.5f, 3};
    const int32_t i4[] = {-7, 1 << 30};
    a = (npy_array){.type = NPY_F4, .count = 2, .data = (void *)(uintptr_t)f4};
    assert_true(npy_float(&a, 0) == -1.5 && npy_int(&a, 1) == 3);
    a = (npy_array){.type = NPY_I4, .count = 2, .data = (void *)(uintptr_t)i4};
    assert_true(npy_int(&a, 0) == -7 && npy_float(&a, 1) == 1073741824.0);
}

/* ---- device and main ----------------------------------------------------------------------- */

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    *state = f;
    test_temp_path(f->path, sizeof f->path, "golden.gguf");
    f->device = test_device_create(NULL);
    return f->device ? 0 : -1;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    if (!f) return -1;
    tvk_device_destroy(&f->device);
    remove(f->path);
    free(f);
    return 0;
}

/* The last one: what the validation layer said about those before it. */
static void validation_is_silent(void **state)
{
    const fixture *f = *state;
    assert_int_equal(test_device_messages(f->device), 0);
}

/* 0: there is one; else the exit status. */
static int no_device(void)
{
    tvk_device *d = test_device_create(NULL);
    if (!d) return test_no_device_code();
    const tvk_device_info *info = tvk_device_get_info(d);
    print_message("device: %s (%s)\n", info->name, info->driver);
    tvk_device_destroy(&d);
    return 0;
}

/* state: the command line */
static void by_hand(void **state)
{
    char **argv = *state;
    tvk_device *device = test_device_create(NULL);
    assert_non_null(device);
    opened m = open_model(device, argv[1]);
    compare_with(argv[1], &m, argv[2], argv[3] ? argv[3] : "logits");
    close_model(&m);
    tvk_device_destroy(&device);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest hand[] = {cmocka_unit_test_prestate(by_hand, argv)};
    const struct CMUnitTest host[] = {
        cmocka_unit_test(arrays),
        cmocka_unit_test(documented_story),
    };
    const struct CMUnitTest device[] = {
        cmocka_unit_test(llama_tiny),           cmocka_unit_test(llama_tiny_f32),
        cmocka_unit_test(bitnet_packed),        cmocka_unit_test(bitnet_bf16),
        cmocka_unit_test(llama_bitlinear),      cmocka_unit_test(lossless_types),
        cmocka_unit_test(bitnet_a48),           cmocka_unit_test(stories260k),
        cmocka_unit_test(validation_is_silent),
    };
    if (argc > 2) return cmocka_run_group_tests_name("by hand", hand, NULL, NULL) > 0;
    int failed = cmocka_run_group_tests_name("host", host, NULL, NULL);
    int missing = no_device();
    if (missing) return failed ? 1 : missing;
    failed += cmocka_run_group_tests_name("golden", device, set_up, tear_down);
    return failed > 0;
}
