/* What is read out of a file before its weights are: activation, quantisation, RoPE pairs, head,
 * norms, for every architecture; and the tensors that a model may and may not have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/dtype.h"
#include "model/config.h"
#include "model/weights.h"

#define HIDDEN 256
#define FFN 512
#define HEADS 4
#define MAX_TENSORS 20

/* ---- a weight source of one layer, without data ---- */

typedef struct fake {
    const char *arch, *activation, *quant, *rope; /* NULL: no key */
    const char *factor_key;                       /* of RoPE; NULL: none */
    double factor;
    tvk_tensor tensors[MAX_TENSORS];
    uint32_t count;
    tvk_weight_source source;
} fake;

static const tvk_tensor *find(void *user, const char *name)
{
    const fake *f = user;
    for (uint32_t i = 0; i < f->count; i++)
        if (strcmp(f->tensors[i].name, name) == 0) return &f->tensors[i];
    return NULL;
}

static uint32_t count(void *user)
{
    return ((const fake *)user)->count;
}

static const tvk_tensor *at(void *user, uint32_t i)
{
    return &((const fake *)user)->tensors[i];
}

static bool is_key(const fake *f, const char *key, const char *suffix)
{
    size_t n = strlen(f->arch);
    return strncmp(key, f->arch, n) == 0 && key[n] == '.' && strcmp(key + n + 1, suffix) == 0;
}

static bool get_u64(void *user, const char *key, uint64_t *out, tvk_error *err)
{
    static const struct {
        const char *key;
        uint64_t value;
    } keys[] = {{"block_count", 1},
                {"embedding_length", HIDDEN},
                {"feed_forward_length", FFN},
                {"attention.head_count", HEADS}};
    (void)err;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!is_key(user, key, keys[i].key)) continue;
        *out = keys[i].value;
        return true;
    }
    return false;
}

static bool get_f64(void *user, const char *key, double *out, tvk_error *err)
{
    const fake *f = user;
    (void)err;
    if (!f->factor_key || !is_key(f, key, f->factor_key)) return false;
    *out = f->factor;
    return true;
}

static bool get_bool(void *user, const char *key, bool *out, tvk_error *err)
{
    (void)user, (void)key, (void)out, (void)err;
    return false;
}

static bool get_str(void *user, const char *key, const char **out, tvk_error *err)
{
    const fake *f = user;
    (void)err;
    *out = strcmp(key, "general.architecture") == 0 ? f->arch
           : is_key(f, key, "hidden_activation")    ? f->activation
           : is_key(f, key, "activation_quant")     ? f->quant
           : is_key(f, key, "rope.scaling.type")    ? f->rope
                                                    : NULL;
    return *out != NULL;
}

static uint64_t array_count(void *user, const char *key)
{
    (void)user, (void)key;
    return 0;
}

static void add(fake *f, const char *name, tvk_dtype type, uint64_t k, uint64_t n)
{
    tvk_tensor *t = &f->tensors[f->count++];
    *t = (tvk_tensor){.name = name, .type = type, .dim_count = n ? 2 : 1, .dims = {k, 1, 1, 1}};
    if (n) t->dims[1] = n;
    assert_true(tvk_dtype_bytes(type, n ? n : 1, k, &t->bytes));
}

static void make(fake *f, const char *arch, uint32_t vocab, tvk_dtype linear, bool sub_norms,
                 bool head)
{
    memset(f, 0, sizeof *f);
    f->arch = arch;
    f->source = (tvk_weight_source){f,       "fake",  find,     count,   at,
                                    get_u64, get_f64, get_bool, get_str, array_count};
    add(f, "token_embd.weight", TVK_F16, HIDDEN, vocab);
    if (head) add(f, "output.weight", TVK_F16, HIDDEN, vocab);
    add(f, "output_norm.weight", TVK_F32, HIDDEN, 0);
    add(f, "blk.0.attn_norm.weight", TVK_F32, HIDDEN, 0);
    add(f, "blk.0.attn_q.weight", linear, HIDDEN, HIDDEN);
    add(f, "blk.0.attn_k.weight", linear, HIDDEN, HIDDEN);
    add(f, "blk.0.attn_v.weight", linear, HIDDEN, HIDDEN);
    add(f, "blk.0.attn_output.weight", linear, HIDDEN, HIDDEN);
    add(f, "blk.0.ffn_norm.weight", TVK_F32, HIDDEN, 0);
    add(f, "blk.0.ffn_gate.weight", linear, HIDDEN, FFN);
    add(f, "blk.0.ffn_up.weight", linear, HIDDEN, FFN);
    add(f, "blk.0.ffn_down.weight", linear, FFN, HIDDEN);
    if (sub_norms) add(f, "blk.0.attn_sub_norm.weight", TVK_F32, HIDDEN, 0);
    if (sub_norms) add(f, "blk.0.ffn_sub_norm.weight", TVK_F32, FFN, 0);
}

/* ---- rules of the reference, 4.6 and 6 ---- */

static void choices(void **state)
{
    static const struct {
        const char *arch;
        uint32_t vocab;
        tvk_dtype linear;
        bool sub_norms, head;
        const char *activation, *quant;
        tvk_glu glu;
        tvk_act act;
        bool interleaved;
        const char *odd;
    } cases[] = {
        /* the official 2B4T file and those of its converters */
        {"bitnet-b1.58", 128256, TVK_I2_S, true, false, NULL, NULL, TVK_GLU_RELU2, TVK_ACT_INT8,
         false, ""},
        {"bitnet-25", 128256, TVK_I2_S, true, false, NULL, NULL, TVK_GLU_RELU2, TVK_ACT_INT8, false,
         ""},
        /* 1bitLLM under the same name, and as llama.cpp writes it */
        {"bitnet-b1.58", 32002, TVK_I2_S, true, true, NULL, NULL, TVK_GLU_SILU, TVK_ACT_INT8, false,
         ""},
        {"bitnet", 32002, TVK_TQ2_0, true, true, NULL, NULL, TVK_GLU_SILU, TVK_ACT_INT8, false, ""},
        {"bitnet", 128256, TVK_I2_S, true, false, NULL, NULL, TVK_GLU_SILU, TVK_ACT_INT8, false,
         "ReLU^2"},
        /* a key goes before all */
        {"bitnet", 128256, TVK_TQ1_0, true, false, "relu2", NULL, TVK_GLU_RELU2, TVK_ACT_INT8,
         false, ""},
        {"bitnet-25", 128256, TVK_I2_S, true, false, "silu", NULL, TVK_GLU_SILU, TVK_ACT_INT8,
         false, ""},
        {"bitnet", 32002, TVK_F16, true, false, NULL, "a4.8", TVK_GLU_SILU, TVK_ACT_A48, false, ""},
        /* Falcon3-1.58, Llama3-8B-1.58; TriLM; LLaMA */
        {"llama", 131072, TVK_I2_S, false, true, NULL, NULL, TVK_GLU_SILU, TVK_ACT_INT8, true, ""},
        {"llama", 128256, TVK_I2_S, false, true, NULL, NULL, TVK_GLU_SILU, TVK_ACT_INT8, true, ""},
        {"llama", 50688, TVK_TQ2_0, false, true, NULL, "none", TVK_GLU_SILU, TVK_ACT_NONE, true,
         ""},
        {"llama", 32000, TVK_F16, false, true, NULL, NULL, TVK_GLU_SILU, TVK_ACT_NONE, true, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake f;
        tvk_config c;
        tvk_error err = {0};
        make(&f, cases[i].arch, cases[i].vocab, cases[i].linear, cases[i].sub_norms, cases[i].head);
        f.activation = cases[i].activation;
        f.quant = cases[i].quant;
        if (tvk_config_read(&f.source, TVK_ACT_AUTO, &c, &err) != TVK_OK)
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(c.glu, cases[i].glu);
        assert_int_equal(c.act, cases[i].act);
        assert_int_equal(c.rope_interleaved, cases[i].interleaved);
        assert_int_equal(c.sub_norms, cases[i].sub_norms);
        assert_int_equal(c.tied_head, !cases[i].head);
        assert_int_equal(c.vocab, cases[i].vocab);
        if (*cases[i].odd)
            assert_non_null(strstr(c.odd, cases[i].odd));
        else
            assert_string_equal(c.odd, "");
    }
}

static void rope_scaling(void **state)
{
    static const struct {
        const char *type, *key;
        double factor;
        const char *part; /* "": not scaled */
    } cases[] = {
        {NULL, NULL, 0, ""},
        {"none", "rope.scaling.factor", 4, ""},
        {"linear", "rope.scaling.factor", 1, ""}, /* llama.cpp's converter for bitnet */
        {"linear", "rope.scaling.factor", 4, "rope.scaling.type linear with factor 4"},
        {NULL, "rope.scaling.factor", 4, "rope.scaling.type linear with factor 4"},
        {NULL, "rope.scale_linear", 2, "rope.scaling.type linear with factor 2"}, /* older files */
        {"yarn", NULL, 0, "rope.scaling.type yarn with factor 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake f;
        tvk_config c;
        tvk_error err = {0};
        make(&f, "llama", 12, TVK_F16, false, true);
        f.rope = cases[i].type;
        f.factor_key = cases[i].key;
        f.factor = cases[i].factor;
        assert_int_equal(tvk_config_read(&f.source, TVK_ACT_AUTO, &c, &err),
                         *cases[i].part ? TVK_ERR_UNSUPPORTED : TVK_OK);
        assert_non_null(strstr(err.text, cases[i].part));
    }
}

static void assumed_activations(void **state)
{
    static const struct {
        const char *arch, *quant;
        tvk_dtype linear;
        tvk_act act;
        bool noted;
    } cases[] = {
        {"llama", NULL, TVK_TQ2_0, TVK_ACT_AUTO, true},
        {"llama", NULL, TVK_TQ2_0, TVK_ACT_NONE, false},
        {"llama", "int8", TVK_TQ2_0, TVK_ACT_AUTO, false},
        {"llama", NULL, TVK_F16, TVK_ACT_AUTO, false},
        {"bitnet", NULL, TVK_TQ2_0, TVK_ACT_AUTO, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const tvk_skip skip[TVK_SKIP_COUNT] = {{0}};
        fake f;
        tvk_config c;
        tvk_arena arena = {0};
        tvk_weights_plan plan;
        tvk_error err = {0};
        make(&f, cases[i].arch, 12, cases[i].linear, false, true);
        f.quant = cases[i].quant;
        assert_int_equal(tvk_config_read(&f.source, cases[i].act, &c, &err), TVK_OK);
        assert_int_equal(tvk_weights_plan_make(&f.source, &c, skip, &arena, &plan, &err), TVK_OK);
        assert_int_equal(tvk_oddities_note(&f.source, &plan, &c, &arena, &err), TVK_OK);
        assert_int_equal(strstr(c.odd, "int8 assumed (--act none for models trained without)") !=
                             NULL,
                         cases[i].noted);
        tvk_arena_free(&arena);
    }
}

/* ---- tensors ---- */

static void expect_plan(fake *f, tvk_status wanted, const char *part)
{
    const tvk_skip skip[TVK_SKIP_COUNT] = {{0}};
    tvk_arena arena = {0};
    tvk_weights_plan plan;
    tvk_config c;
    tvk_error err = {0};
    tvk_status st;
    assert_int_equal(tvk_config_read(&f->source, TVK_ACT_AUTO, &c, &err), TVK_OK);
    st = tvk_weights_plan_make(&f->source, &c, skip, &arena, &plan, &err);
    if (st != wanted || !strstr(err.text, part))
        fail_msg("%s '%s' expected, %s '%s' found", tvk_status_name(wanted), part,
                 tvk_status_name(st), err.text);
    tvk_arena_free(&arena);
}

static void tensors(void **state)
{
    static const struct {
        const char *name, *part;
        uint64_t k, n;
    } more[] = {
        {"blk.0.attn_q.scale", "", 1, 0}, /* a multiplier that is known */
        {"blk.0.attn_q.weight_scale", "blk.0.attn_q.weight_scale: a scale of bitnet.cpp's", 1, 0},
        {"blk.0.attn_q_norm.weight", "a norm that the architecture does not have", 64, 0},
        {"blk.0.attn_q_norm_in.weight", "a norm that the architecture does not have", HIDDEN, 0},
        {"token_embd.scale", "token_embd.scale: scales of linears only are supported", 1, 0},
        {"blk.0.ffn_up.bias", "biases are not supported", FFN, 0},
    };
    fake f;
    (void)state;
    make(&f, "bitnet", 12, TVK_I2_S, true, true);
    expect_plan(&f, TVK_OK, "");
    make(&f, "bitnet-b1.58", 12, TVK_I2_S, false, false);
    expect_plan(&f, TVK_OK, "");
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        make(&f, "bitnet", 12, TVK_I2_S, true, false);
        add(&f, more[i].name, TVK_F32, more[i].k, more[i].n);
        expect_plan(&f, *more[i].part ? TVK_ERR_UNSUPPORTED : TVK_OK, more[i].part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices),
        cmocka_unit_test(rope_scaling),
        cmocka_unit_test(assumed_activations),
        cmocka_unit_test(tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
