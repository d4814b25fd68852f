/* Which zeros a step of one row leaves out: what a model is expected to have, and what was measured
 * on the device. */
#include "model/config.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* Skipping must promise this much more than the fraction where it breaks even: the expected one is
 * an average, and both paths were timed on a machine that does other things. */
#define MARGIN 0.05f
/* Fewer zeros than this pay on no device that was measured: not worth measuring. */
#define FEW 0.15f

/* Fractions published for C4 in BitNet a4.8 (arXiv 2411.04965, table of sparsity), the smallest
 * over the sizes 700M to 7B: down 80.9 % with ReLU^2, 21.8 % with SiLU; O 50 % by Top-K, 5.8 % in
 * INT8; closed gates from up's 65.9 % with 12 % zero inputs: 1 - (1 - 0.659) / (1 - 0.12) = 61 %.
 */
tvk_status tvk_skip_read(const tvk_weight_source *source, tvk_config *c, tvk_error *err)
{
    static const char *const keys[] = {
        [TVK_SKIP_O] = "attn_output", [TVK_SKIP_UP] = "ffn_gate", [TVK_SKIP_DOWN] = "ffn_down"};
    tvk_status st = TVK_OK;
    bool relu = c->glu == TVK_GLU_RELU2;
    c->zeros[TVK_SKIP_O] = c->act == TVK_ACT_A48 ? 0.5f : c->act == TVK_ACT_INT8 ? 0.06f : 0.0f;
    c->zeros[TVK_SKIP_UP] = relu ? 0.61f : 0.0f;
    c->zeros[TVK_SKIP_DOWN] = relu ? 0.8f : 0.22f;
    if (c->arch->b1) memset(c->zeros, 0, sizeof c->zeros);
    if (tvk_act_transforms(c->act)) /* spreads every value over the row */
        c->zeros[TVK_SKIP_O] = c->zeros[TVK_SKIP_DOWN] = 0;
    for (int i = 0; i < TVK_SKIP_COUNT; i++) {
        tvk_error local = {0};
        char key[128];
        double v;
        snprintf(key, sizeof key, "%s.sparsity.%s", c->arch->id, keys[i]);
        if (source->get_f64(source->user, key, &v, &local)) {
            if (!(v >= 0 && v <= 1))
                TVK_FAIL(TVK_ERR_FORMAT, "%s: %s is %g, a fraction from 0 to 1 expected",
                         source->name, key, v);
            c->zeros[i] = (float)v;
        }
        if (local.status != TVK_OK) TVK_FAIL(local.status, "%s", local.text);
    }
fail:
    return st;
}

/* Where a list can follow: codes of a byte. */
static bool bytes_enter(const tvk_config *c, tvk_skip_at at)
{
    if (at == TVK_SKIP_O && c->act == TVK_ACT_A48_FP4) return false;
    return c->act != TVK_ACT_V2_A4;
}

/* Why no kernel leaves zeros out there; NULL: one does. */
static const char *no_kernel(const tvk_config *c, tvk_skip_at at)
{
    if (c->arch->b1) return "sign weights have no such kernel";
    if (c->act == TVK_ACT_NONE) return "float activations have no such kernel";
    if (at == TVK_SKIP_UP) return c->glu == TVK_GLU_RELU2 ? NULL : "SiLU closes no gate";
    return bytes_enter(c, at) ? NULL : "codes of four bits are not listed";
}

static tvk_tuning_kind up_kind(tvk_act act)
{
    if (act == TVK_ACT_A48_FP4) return TVK_TUNING_UP_FP4;
    return act == TVK_ACT_A48 || act == TVK_ACT_V2_A4 ? TVK_TUNING_UP_I4 : TVK_TUNING_UP_I8;
}

bool tvk_skip_shape(const tvk_config *c, tvk_skip_at at, tvk_tuning_entry *out)
{
    *out = (tvk_tuning_entry){.copies = c->layers};
    if (no_kernel(c, at) || c->zeros[at] < FEW) return false;
    switch (at) {
    case TVK_SKIP_UP:
        out->kind = up_kind(c->act);
        out->n = c->ffn;
        out->k = c->hidden;
        return true;
    case TVK_SKIP_DOWN:
        out->n = c->hidden;
        out->k = c->ffn;
        return true;
    default:
        out->n = c->hidden;
        out->k = c->heads * c->head_size;
        return true;
    }
}

static const tvk_tuning_entry *find(const tvk_tuning *tuning, const tvk_tuning_entry *shape)
{
    for (uint32_t i = 0; tuning && i < tuning->count && i < TVK_TUNING_MAX; i++) {
        const tvk_tuning_entry *e = &tuning->entries[i];
        if (e->kind == shape->kind && e->n == shape->n && e->k == shape->k) return e;
    }
    return NULL;
}

static void choose(const tvk_config *c, tvk_sparse sparse, const tvk_tuning *tuning, tvk_skip_at at,
                   tvk_skip *out)
{
    tvk_tuning_entry shape;
    const tvk_tuning_entry *measured = NULL;
    const char *missing = no_kernel(c, at);
    bool asks = tvk_skip_shape(c, at, &shape);
    if (missing) {
        snprintf(out->why, sizeof out->why, "%s", missing);
    } else if (sparse != TVK_SPARSE_AUTO) {
        out->used = sparse == TVK_SPARSE_ON;
        snprintf(out->why, sizeof out->why, "%s", out->used ? "asked for" : "switched off");
    } else if (!asks) {
        snprintf(out->why, sizeof out->why, "few zeros are expected");
    } else if ((measured = find(tuning, &shape)) == NULL) {
        snprintf(out->why, sizeof out->why, "not measured on this device");
    } else {
        out->break_even = tvk_tuning_break_even(measured);
        out->used = out->zeros >= out->break_even + MARGIN;
        if (out->break_even > 1)
            snprintf(out->why, sizeof out->why, "measured: never faster here");
        else
            snprintf(out->why, sizeof out->why, "measured: faster from %.0f %% on",
                     100 * (double)out->break_even);
    }
}

void tvk_skip_choose(const tvk_config *c, tvk_sparse sparse, const tvk_tuning *tuning,
                     tvk_skip out[TVK_SKIP_COUNT])
{
    for (int i = 0; i < TVK_SKIP_COUNT; i++) {
        out[i] = (tvk_skip){.zeros = c->zeros[i]};
        choose(c, sparse, tuning, (tvk_skip_at)i, &out[i]);
    }
}
