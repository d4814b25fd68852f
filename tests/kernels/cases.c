#include "tests/kernels/cases.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernels/rig.h"

#define GUARD_WORDS 64u
#define MAX_STAMPS 257u

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

tvk_status tvk_case_open(uint32_t index, tvk_kernels *kernels, tvk_case_data **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_case_data *d = calloc(1, sizeof *d);
    *out = NULL;
    TVK_TRY_ALLOC(d);
    d->family = find(&index);
    d->family->describe(index, &d->info);
    d->rig.kernels = kernels;
    d->rig.device = tvk_kernels_device(kernels);
    TVK_TRY(d->family->setup(&d->rig, index, err));
    for (uint32_t i = 0; i < d->rig.array_count; i++)
        TVK_TRY(upload(&d->rig.arrays[i], d->rig.device, err));
    *out = d;
    return TVK_OK;
fail:
    if (d) tvk_case_close(&d);
    return st;
}

/* ---- running ---- */

static uint32_t group_count(const tvk_rig *rig, uint8_t kind, uint32_t value)
{
    switch (kind) {
    case TVK_AXIS_ROWS:
        return (rig->rows + value - 1) / value;
    case TVK_AXIS_OUTS:
        return (rig->outs + value - 1) / value;
    case TVK_AXIS_CHUNKS:
        return rig->chunks;
    case TVK_AXIS_ONE:
        return rig->outs == 1 ? value : 0;
    case TVK_AXIS_SEVERAL:
        return rig->outs > 1 ? (rig->outs + value - 1) / value : 0;
    case TVK_AXIS_BLOCKS:
        return TVK_BLOCKS(value, rig->rows * rig->chunks);
    default:
        return value;
    }
}

/* only: the dispatches of this op; TVK_OP_COUNT: all. */
static tvk_status record(const tvk_rig *rig, tvk_op only, tvk_commands *c, tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (uint32_t i = 0; i < rig->list.count; i++) {
        const tvk_dispatch *d = &rig->list.items[i];
        uint32_t groups[3];
        if (only != TVK_OP_COUNT && d->op != only) continue;
        for (int axis = 0; axis < 3; axis++)
            groups[axis] = group_count(rig, d->groups.kind[axis], d->groups.value[axis]);
        if (groups[0] && groups[1] && groups[2])
            TVK_TRY(tvk_commands_dispatch(c, d->program, d->bindings, d->push, groups, err));
        tvk_commands_barrier(c, TVK_BARRIER_COMPUTE);
    }
fail:
    return st;
}

/* stamps 0: everything once, without time stamps; else what is of the case's op. */
static tvk_status submit(const tvk_rig *rig, tvk_op op, uint32_t stamps, uint32_t inner, double *ns,
                         tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_commands *c = NULL;
    uint32_t runs = stamps ? (stamps - 1) * inner : 1, bindings = 0;
    uint64_t ticket;
    for (uint32_t i = 0; i < rig->list.count; i++) bindings += rig->list.items[i].binding_count;
    TVK_TRY(tvk_commands_create(rig->device, runs * rig->list.count, runs * bindings, stamps,
                                "case", &c, err));
    TVK_TRY(tvk_commands_begin(c, err));
    if (!stamps) TVK_TRY(record(rig, TVK_OP_COUNT, c, err));
    for (uint32_t s = 0; s < stamps; s++) {
        if (s) {
            for (uint32_t i = 0; i < inner; i++) TVK_TRY(record(rig, op, c, err));
        }
        tvk_commands_timestamp(c, s);
    }
    TVK_TRY(tvk_commands_end(c, err));
    TVK_TRY(tvk_gpu_submit(rig->device, &c, 1, &ticket, err));
    TVK_TRY(tvk_gpu_wait(rig->device, ticket, err));
    if (stamps) TVK_TRY(tvk_commands_times(c, stamps, ns, err));
fail:
    tvk_commands_destroy(&c);
    return st;
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
    double bound = inexact && a->tolerance > 0 ? a->tolerance * largest(a) : 0;
    for (int64_t i = -(int64_t)GUARD_WORDS; i < (int64_t)(a->count + GUARD_WORDS); i++) {
        bool guard = i < 0 || i >= (int64_t)a->count;
        uint32_t want = guard ? TVK_POISON : a->want[i], got = found[i + GUARD_WORDS];
        if (!guard && a->skip && a->skip[i]) continue;
        r->compared += !guard;
        if (got == want) continue;
        if (!guard && bound > 0 &&
            fabs((double)tvk_f32_from_bits(got) - (double)tvk_f32_from_bits(want)) <= bound)
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

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A device that waited for the CPU reference has lowered its clocks: keep it busy for a while. */
static tvk_status warm(const tvk_rig *rig, tvk_op op, tvk_error *err)
{
    const double enough_ns = 200e6;
    const uint32_t most_runs = 200;
    tvk_status st = TVK_OK;
    double ns[2], busy = 0;
    uint32_t runs = 1;
    while (busy < enough_ns) {
        TVK_TRY(submit(rig, op, 2, runs, ns, err));
        if (ns[1] <= ns[0]) break; /* too short for this clock */
        busy += ns[1] - ns[0];
        if (runs < most_runs) runs *= 2;
    }
fail:
    return st;
}

static tvk_status measure(const tvk_rig *rig, tvk_op op, const tvk_case_options *options,
                          tvk_case_result *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    double ns[MAX_STAMPS];
    uint32_t inner = options->inner ? options->inner : 1;
    uint32_t n = options->repetitions < MAX_STAMPS ? options->repetitions : MAX_STAMPS - 1;
    TVK_TRY(warm(rig, op, err));
    TVK_TRY(submit(rig, op, n + 1, inner, ns, err));
    for (uint32_t i = 0; i < n; i++) ns[i] = (ns[i + 1] - ns[i]) / inner;
    qsort(ns, n, sizeof *ns, by_value);
    r->samples = n;
    r->ns_min = ns[0];
    r->ns_max = ns[n - 1];
    r->ns_median = n % 2 ? ns[n / 2] : (ns[n / 2 - 1] + ns[n / 2]) / 2;
fail:
    return st;
}

tvk_status tvk_case_run(tvk_case_data *d, uint32_t shader_index, uint32_t config,
                        const tvk_case_options *options, tvk_case_result *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_rig *rig = &d->rig;
    bool inexact = (tvk_shader_get(shader_index)->caps & TVK_CAP_INEXACT) != 0;
    memset(r, 0, sizeof *r);
    TVK_TRY(tvk_kernels_force(rig->kernels, d->info.op, shader_index, config, err));
    rig->list.count = 0;
    TVK_TRY(d->family->record(rig, err));
    for (uint32_t i = 0; i < rig->list.count; i++) {
        if (rig->list.items[i].op == d->info.op)
            snprintf(r->program, sizeof r->program, "%s", rig->list.items[i].program_name);
    }
    if (!r->program[0])
        TVK_FAIL(TVK_ERR_INTERNAL, "%s %s: the op was not dispatched", tvk_op_name(d->info.op),
                 d->info.name);
    for (uint32_t i = 0; i < rig->array_count; i++) {
        if (rig->arrays[i].want) TVK_TRY(upload(&rig->arrays[i], rig->device, err));
    }
    TVK_TRY(submit(rig, d->info.op, 0, 1, NULL, err));
    TVK_TRY(check(d, inexact, r, err));
    r->bytes = rig->bytes;
    r->operations = rig->operations;
    if (options && options->repetitions && !r->mismatches && tvk_gpu_plan(rig->device)->timestamps)
        TVK_TRY(measure(rig, d->info.op, options, r, err));
fail:
    if (st == TVK_OK)
        st = tvk_kernels_force(rig->kernels, d->info.op, UINT32_MAX, 0, err);
    else
        tvk_kernels_force(rig->kernels, d->info.op, UINT32_MAX, 0, NULL);
    return st;
}
