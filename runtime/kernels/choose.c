/* Which row of the manifest and which configuration an op runs with: a default, a choice for a
 * shape, a forced one. */
#include "kernels/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tvk_kernels_eligible(const tvk_kernels *kernels, uint32_t shader_index, const char **why)
{
    const tvk_shader_info *row = tvk_shader_get(shader_index);
    const char *reason = "no such row";
    if (row) reason = tvk_select_reason(tvk_gpu_plan(kernels->device), row, kernels->exact);
    if (why) *why = reason;
    return reason == NULL;
}

uint32_t tvk_kernels_default(const tvk_kernels *kernels, tvk_op op)
{
    return tvk_select_row(tvk_gpu_plan(kernels->device), op, kernels->exact);
}

uint32_t tvk_kernels_config_count(const tvk_kernels *kernels, uint32_t shader_index)
{
    uint32_t n = 0;
    while (tvk_config_get(tvk_gpu_plan(kernels->device), tvk_shader_get(shader_index), n)) n++;
    return n;
}

uint32_t tvk_kernels_own_configs(const tvk_kernels *kernels, uint32_t shader_index)
{
    const tvk_plan *plan = tvk_gpu_plan(kernels->device);
    const tvk_config *c;
    uint32_t n = 0;
    while ((c = tvk_config_get(plan, tvk_shader_get(shader_index), n)) && c->cpu == plan->cpu) n++;
    return n;
}

bool tvk_kernels_adapts(const tvk_kernels *kernels, tvk_choice choice)
{
    return choice.config == 0 || choice.config == tvk_kernels_own_configs(kernels, choice.row);
}

static tvk_status check(const tvk_kernels *k, tvk_op op, tvk_choice choice, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const char *why;
    if (choice.row >= tvk_shader_count() || tvk_shader_get(choice.row)->op != op)
        TVK_FAIL(TVK_ERR_ARG, "%s: a row of this kernel expected, row %u found", tvk_op_name(op),
                 choice.row);
    if (!tvk_kernels_eligible(k, choice.row, &why))
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "%s: this device cannot run it: %s",
                 tvk_shader_get(choice.row)->name, why);
    if (choice.config >= tvk_kernels_config_count(k, choice.row))
        TVK_FAIL(TVK_ERR_ARG, "%s: a configuration below %u expected, %u found", tvk_op_name(op),
                 tvk_kernels_config_count(k, choice.row), choice.config);
fail:
    return st;
}

tvk_status tvk_kernels_force(tvk_kernels *kernels, tvk_op op, uint32_t shader_index,
                             uint32_t config, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_choice choice = {shader_index, config, 0};
    const bool back = shader_index == UINT32_MAX;
    if (back) choice.row = tvk_kernels_default(kernels, op);
    TVK_TRY(check(kernels, op, choice, err));
    kernels->choices[op] = choice;
    kernels->forced[op] = !back || config > 0;
fail:
    return st;
}

/* ---- shapes ---- */

static bool same(const tvk_shape *a, const tvk_shape *b)
{
    return a->op == b->op && a->n == b->n && a->k == b->k && a->rows == b->rows &&
           a->exact == b->exact;
}

/* The shape as it is remembered: not asked to be exact where its op is anyway. */
static tvk_shape known(const tvk_kernels *k, const tvk_shape *shape)
{
    tvk_shape s = *shape;
    s.exact &= (tvk_shader_get(k->choices[s.op].row)->caps & TVK_CAP_INEXACT) != 0;
    return s;
}

uint32_t tvk_kernels_config_for(const tvk_kernels *kernels, uint32_t shader_index, uint32_t n,
                                uint32_t rows)
{
    return tvk_config_for(tvk_gpu_plan(kernels->device), tvk_shader_get(shader_index), n, rows);
}

/* What a shape runs with where nothing was measured. */
static tvk_choice untuned(const tvk_kernels *k, const tvk_shape *shape)
{
    const tvk_plan *plan = tvk_gpu_plan(k->device);
    const uint32_t row = tvk_select_row(plan, shape->op, k->exact || shape->exact);
    return (tvk_choice){row, tvk_kernels_config_for(k, row, shape->n, shape->rows), 0};
}

/* The shape's entry, a new one with the default where there is none; NULL: no memory. */
static tvk_shape_choice *entry(tvk_kernels *k, const tvk_shape *shape)
{
    for (uint32_t i = 0; i < k->shape_count; i++)
        if (same(&k->shapes[i].shape, shape)) return &k->shapes[i];
    if (k->shape_count == k->shape_capacity) {
        uint32_t capacity = k->shape_capacity ? 2 * k->shape_capacity : 16;
        tvk_shape_choice *shapes = realloc(k->shapes, capacity * sizeof *shapes);
        if (!shapes) return NULL;
        k->shapes = shapes;
        k->shape_capacity = capacity;
    }
    k->shapes[k->shape_count] = (tvk_shape_choice){.shape = *shape, .choice = untuned(k, shape)};
    return &k->shapes[k->shape_count++];
}

tvk_choice tvk_kernels_choose(tvk_kernels *kernels, const tvk_shape *shape)
{
    const tvk_shape s = known(kernels, shape);
    const tvk_shape_choice *e = entry(kernels, &s);
    const bool forced = kernels->forced[s.op] && !s.exact;
    tvk_choice c = forced ? kernels->choices[s.op] : e ? e->choice : untuned(kernels, &s);
    if (e) c.shape = 1 + (uint32_t)(e - kernels->shapes);
    return c;
}

tvk_status tvk_kernels_prefer(tvk_kernels *kernels, const tvk_shape *shape, tvk_choice choice,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_shape s = known(kernels, shape);
    tvk_shape_choice *e;
    TVK_TRY(check(kernels, s.op, choice, err));
    e = entry(kernels, &s);
    TVK_TRY_ALLOC(e);
    e->preferred = true;
    e->choice = choice;
fail:
    return st;
}

/* Matrix kernels are: those that go through rows of weights in one go fall back to the others. */
static bool spreads(tvk_op op)
{
    static const char *const params[] = {
#define TVK_KERNEL(op, access, params, fixed) #params,
#include "kernels/kernels.def"
#undef TVK_KERNEL
    };
    return strcmp(params[op], "matmul") == 0 || strcmp(params[op], "norm_gemv") == 0;
}

bool tvk_kernels_spread(tvk_kernels *kernels, uint32_t shape, uint32_t parts)
{
    if (shape == 0 || shape > kernels->shape_count || !spreads(kernels->shapes[shape - 1].shape.op))
        return false;
    kernels->shapes[shape - 1].parts = parts;
    return true;
}

uint32_t tvk_kernels_parts(const tvk_kernels *kernels, const tvk_shape *shape)
{
    const tvk_shape s = known(kernels, shape);
    for (uint32_t i = 0; i < kernels->shape_count; i++)
        if (same(&kernels->shapes[i].shape, &s) && kernels->shapes[i].parts > 0)
            return kernels->shapes[i].parts;
    return 1;
}

const tvk_shape_choice *tvk_kernels_shape(const tvk_kernels *kernels, uint32_t index)
{
    return index < kernels->shape_count ? &kernels->shapes[index] : NULL;
}

const tvk_config *tvk_kernels_config_of(const tvk_kernels *kernels, tvk_choice choice)
{
    return tvk_config_get(tvk_gpu_plan(kernels->device), tvk_shader_get(choice.row), choice.config);
}

const tvk_config *tvk_kernels_active(const tvk_kernels *kernels, tvk_op op)
{
    return tvk_kernels_config_of(kernels, kernels->choices[op]);
}

/* ---- for a tuner ---- */

/* The base row asks nothing of a device; where an exact row asks for more and gets it, it has been
 * slower on every one that was measured. */
static bool outdone(const tvk_plan *plan, const tvk_shader_info *base)
{
    if (strcmp(base->variant, "base") != 0) return false;
    for (uint32_t row = 0; row < tvk_shader_count(); row++) {
        const tvk_shader_info *other = tvk_shader_get(row);
        if (other->op == base->op && other != base && tvk_select_worth(plan, other, true))
            return true;
    }
    return false;
}

uint32_t tvk_kernels_candidates(const tvk_kernels *kernels, const tvk_shape *shape, tvk_choice *out,
                                uint32_t most)
{
    const tvk_plan *plan = tvk_gpu_plan(kernels->device);
    const bool exact = kernels->exact || shape->exact;
    uint32_t count = 0;
    for (uint32_t row = 0; row < tvk_shader_count(); row++) {
        const tvk_shader_info *info = tvk_shader_get(row);
        const tvk_config *c;
        if (info->op != shape->op || !tvk_select_worth(plan, info, exact)) continue;
        if (outdone(plan, info)) continue;
        for (uint32_t i = 0; (c = tvk_config_get(plan, info, i)) && c->cpu == plan->cpu; i++)
            if (count < most) out[count++] = (tvk_choice){row, i, 0};
    }
    return count;
}

tvk_choice tvk_kernels_reference(const tvk_kernels *kernels, tvk_op op)
{
    return (tvk_choice){tvk_select_row(tvk_gpu_plan(kernels->device), op, true), 0, 0};
}

uint32_t tvk_kernels_table_index(const tvk_kernels *kernels, tvk_choice choice)
{
    uint32_t count;
    return (uint32_t)(tvk_kernels_config_of(kernels, choice) -
                      tvk_config_table(tvk_shader_get(choice.row), &count));
}

bool tvk_kernels_from_table(const tvk_kernels *kernels, uint32_t row, uint32_t table_index,
                            tvk_choice *out)
{
    const uint32_t count = tvk_shader_get(row) ? tvk_kernels_config_count(kernels, row) : 0;
    for (uint32_t i = 0; i < count; i++) {
        *out = (tvk_choice){row, i, 0};
        if (tvk_kernels_table_index(kernels, *out) == table_index) return true;
    }
    return false;
}

bool tvk_kernels_table_text(uint32_t row, uint32_t table_index, char *text, size_t bytes)
{
    const tvk_shader_info *info = tvk_shader_get(row);
    uint32_t count = 0;
    const tvk_config *c = info ? tvk_config_table(info, &count) : NULL;
    size_t at;
    if (table_index >= count) return false;
    c += table_index;
    at = (size_t)snprintf(text, bytes, "%s[%u", info->name, c->group);
    for (uint32_t i = 0; i < TVK_TILE_CONSTANTS && c->tile[i] && at < bytes; i++)
        at += (size_t)snprintf(text + at, bytes - at, ",%u", c->tile[i]);
    if (at < bytes) snprintf(text + at, bytes - at, "]");
    return true;
}
