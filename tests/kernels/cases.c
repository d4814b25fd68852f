#include "tests/kernels/cases.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernels/rig.h"

#define GUARD_WORDS 64u

static const tvk_family *const families[] = {
    &tvk_family_step_begin, &tvk_family_embed,     &tvk_family_norm,        &tvk_family_layernorm,
    &tvk_family_hadamard,   &tvk_family_matmul_t2, &tvk_family_matmul_f,    &tvk_family_rope,
    &tvk_family_kv_append,  &tvk_family_attention, &tvk_family_glu,         &tvk_family_gather,
    &tvk_family_count,      &tvk_family_sample,    &tvk_family_repack,      &tvk_family_sparse,
    &tvk_family_peak,       &tvk_family_norm_gemv, &tvk_family_norm_gemv_f, &tvk_family_attn_token,
    &tvk_family_rope_append};
#define FAMILIES (sizeof families / sizeof *families)

struct tvk_case_data {
    const tvk_family *family;
    tvk_case info;
    bool fixed; /* tvk_case_fixed */
    tvk_rig rig;
};

uint32_t tvk_cases_count(void)
{
    uint32_t count = 0;
    for (size_t f = 0; f < FAMILIES; f++) count += families[f]->count();
    return count;
}

/* Turns an index of the whole table into one of its family. */
static const tvk_family *find(uint32_t *index)
{
    size_t f = 0;
    while (*index >= families[f]->count()) *index -= families[f++]->count();
    return families[f];
}

void tvk_case_get(uint32_t index, tvk_case *out)
{
    const tvk_family *family = find(&index);
    memset(out, 0, sizeof *out);
    family->describe(index, out);
}

#define FIXED_EACH 8u
#define FIXED_FIRST 4u /* of mat-mats that with pieces whose results are added */

bool tvk_case_fixed(uint32_t index)
{
    const tvk_family *family = find(&index);
    tvk_case own = {0}, other;
    uint32_t before = 0, count = 0;
    family->describe(index, &own);
    if (own.size != TVK_CASE_TINY) return false;
    for (uint32_t i = 0; i < family->count(); i++) {
        memset(&other, 0, sizeof other);
        family->describe(i, &other);
        if (other.op != own.op || other.size != TVK_CASE_TINY) continue;
        before += i < index;
        count++;
    }
    return before % FIXED_EACH == (count > FIXED_FIRST ? FIXED_FIRST : count - 1);
}

void tvk_case_close(tvk_case_data **data)
{
    tvk_case_data *d = *data;
    if (!d) return;
    for (uint32_t i = 0; i < d->rig.array_count; i++) tvk_buffer_destroy(&d->rig.arrays[i].buffer);
    tvk_dispatch_list_free(&d->rig.list);
    tvk_arena_free(&d->rig.arena);
    free(d);
    *data = NULL;
}

static tvk_status upload(const tvk_array *a, tvk_device *device, tvk_error *err)
{
    return tvk_gpu_write(device, tvk_buffer_span(a->buffer), a->words - GUARD_WORDS, err);
}

/* The family of any shape whose op it is. */
static const tvk_family *find_shape(const tvk_rig_shape *shape, tvk_case *info)
{
    for (size_t f = 0; f < FAMILIES; f++) {
        memset(info, 0, sizeof *info);
        info->op = shape->op;
        info->size = TVK_CASE_REAL;
        if (families[f]->describe_shape && families[f]->describe_shape(shape, info))
            return families[f];
    }
    return NULL;
}

bool tvk_case_of_shape(tvk_op op, uint32_t n, uint32_t k, uint32_t t, tvk_case *out)
{
    const tvk_rig_shape shape = {op, n, k, t};
    return find_shape(&shape, out) != NULL;
}

/* index: of the family's table; shape: NULL, or the one that is to be opened in its place. */
static tvk_status open_case(const tvk_family *family, const tvk_case *info, uint32_t index,
                            const tvk_rig_shape *shape, tvk_kernels *kernels, tvk_case_data **out,
                            tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_case_data *d = calloc(1, sizeof *d);
    *out = NULL;
    TVK_TRY_ALLOC(d);
    d->family = family;
    d->info = *info;
    d->rig.kernels = kernels;
    d->rig.device = tvk_kernels_device(kernels);
    d->rig.checked = 1;
    TVK_TRY(shape ? family->setup_shape(&d->rig, shape, err) : family->setup(&d->rig, index, err));
    for (uint32_t i = 0; i < d->rig.array_count; i++)
        TVK_TRY(upload(&d->rig.arrays[i], d->rig.device, err));
    *out = d;
    return TVK_OK;
fail:
    if (d) tvk_case_close(&d);
    return st;
}

tvk_status tvk_case_open(uint32_t index, tvk_kernels *kernels, tvk_case_data **out, tvk_error *err)
{
    const tvk_family *family;
    tvk_case info;
    const bool fixed = tvk_case_fixed(index);
    tvk_status st;
    tvk_case_get(index, &info);
    family = find(&index);
    st = open_case(family, &info, index, NULL, kernels, out, err);
    if (*out) (*out)->fixed = fixed;
    return st;
}

tvk_status tvk_case_open_shape(tvk_op op, uint32_t n, uint32_t k, uint32_t t, tvk_kernels *kernels,
                               tvk_case_data **out, tvk_error *err)
{
    const tvk_rig_shape shape = {op, n, k, t};
    tvk_case info;
    return open_case(find_shape(&shape, &info), &info, 0, &shape, kernels, out, err);
}

/* ---- comparing ---- */

static double largest(const tvk_array *a)
{
    double top = 0;
    for (uint64_t i = 0; i < a->count; i++) {
        double v = fabs((double)tvk_f32_from_bits(a->want[i]));
        if (!(a->skip && a->skip[i]) && v > top && v <= (double)FLT_MAX) top = v;
    }
    return top;
}

static void mismatch(const tvk_array *a, int64_t i, uint32_t want, uint32_t found,
                     tvk_case_result *r)
{
    if (r->mismatches++) return;
    snprintf(r->text, sizeof r->text,
             "%s[%lld,%lld]: 0x%08x (%.9g, %d) expected, 0x%08x (%.9g, %d) found", a->name,
             (long long)(i < 0 ? -1 : i / a->row), (long long)(i < 0 ? i : i % a->row), want,
             (double)tvk_f32_from_bits(want), (int32_t)want, found,
             (double)tvk_f32_from_bits(found), (int32_t)found);
}

/* found: the whole buffer, guards included. */
static void compare(const tvk_array *a, const uint32_t *found, bool inexact, tvk_case_result *r)
{
    const double top = inexact && !a->sizes ? largest(a) : 0;
    for (int64_t i = -(int64_t)GUARD_WORDS; i < (int64_t)(a->count + GUARD_WORDS); i++) {
        bool guard = i < 0 || i >= (int64_t)a->count;
        uint32_t want = guard ? TVK_POISON : a->want[i], got = found[i + GUARD_WORDS];
        if (!guard && a->skip && a->skip[i]) continue;
        r->compared += !guard;
        if (got == want) continue;
        if (!guard && inexact &&
            fabs((double)tvk_f32_from_bits(got) - (double)tvk_f32_from_bits(want)) <=
                a->tolerance * (a->sizes ? a->sizes[i] : top))
            continue;
        mismatch(a, i, want, got, r);
    }
}

static tvk_status check(tvk_case_data *d, bool inexact, tvk_case_result *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t *found = NULL;
    for (uint32_t i = 0; i < d->rig.array_count; i++) {
        const tvk_array *a = &d->rig.arrays[i];
        if (!a->want) continue;
        found = malloc((size_t)(a->count + 2 * GUARD_WORDS) * 4);
        TVK_TRY_ALLOC(found);
        TVK_TRY(tvk_gpu_read(d->rig.device, tvk_buffer_span(a->buffer), found, err));
        compare(a, found, inexact, r);
        free(found);
        found = NULL;
    }
fail:
    free(found);
    return st;
}

/* The last one of the op: what stands before it may be of another row. */
static const tvk_dispatch *op_dispatch(const tvk_rig *rig, tvk_op op)
{
    for (uint32_t i = rig->list.count; i-- > 0;)
        if (rig->list.items[i].op == op) return &rig->list.items[i];
    return NULL;
}

/* The family's numbers; which unit computes, as the dispatch has it. */
static tvk_cost cost_of(const tvk_rig *rig, const tvk_dispatch *d)
{
    const tvk_work work = {rig->rows ? rig->rows : 1, rig->outs ? rig->outs : 1, 1, 1, 1};
    tvk_cost c = tvk_dispatch_cost(d, &work);
    const double all = c.int_ops + c.float_ops + c.matrix_ops + c.half_ops;
    const double part = all > 0 ? rig->operations / all : 0;
    return (tvk_cost){rig->bytes, c.int_ops * part, c.float_ops * part, c.matrix_ops * part,
                      c.half_ops * part};
}

/* Are parameters fixed that may be? */
static bool fixes(const tvk_case_data *d, uint32_t row, uint32_t config,
                  const tvk_case_options *options)
{
    const uint32_t *shape = d->info.shape;
    if (options && options->fixed) return true;
    if (!tvk_gpu_plan(d->rig.device)->fixes) return false;
    return (options && options->repetitions) || d->fixed ||
           config == tvk_kernels_config_for(d->rig.kernels, row, shape[0], shape[2]);
}

tvk_status tvk_case_run(tvk_case_data *d, uint32_t shader_index, uint32_t config,
                        const tvk_case_options *options, tvk_case_result *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_rig *rig = &d->rig;
    const tvk_dispatch *op;
    bool inexact = (tvk_shader_get(shader_index)->caps & TVK_CAP_INEXACT) != 0;
    memset(r, 0, sizeof *r);
    TVK_TRY(tvk_kernels_force(rig->kernels, d->info.op, shader_index, config, err));
    tvk_kernels_fix(rig->kernels, fixes(d, shader_index, config, options));
    rig->list.count = 0;
    TVK_TRY(d->family->record(rig, err));
    op = op_dispatch(rig, d->info.op);
    if (!op)
        TVK_FAIL(TVK_ERR_INTERNAL, "%s %s: the op was not dispatched", tvk_op_name(d->info.op),
                 d->info.name);
    snprintf(r->program, sizeof r->program, "%s", op->program_name);
    for (uint32_t i = 0; i < rig->array_count; i++) {
        if (rig->arrays[i].want) TVK_TRY(upload(&rig->arrays[i], rig->device, err));
    }
    TVK_TRY(tvk_rig_run(rig, TVK_OP_COUNT, 1, NULL, err));
    TVK_TRY(check(d, inexact, r, err));
    r->checked = rig->checked;
    r->cost = cost_of(rig, op);
    if (options && options->repetitions && !r->mismatches)
        TVK_TRY(tvk_rig_time(rig, d->info.op, options, r, err));
fail:
    tvk_kernels_fix(rig->kernels, tvk_gpu_plan(rig->device)->fixes);
    if (st == TVK_OK)
        st = tvk_kernels_force(rig->kernels, d->info.op, UINT32_MAX, 0, err);
    else
        tvk_kernels_force(rig->kernels, d->info.op, UINT32_MAX, 0, NULL);
    return st;
}
