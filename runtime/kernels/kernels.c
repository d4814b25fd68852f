/* Programs of a device, made on first use, and the lists that they are appended to. */
#include "base/clock.h"
#include "kernels/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tvk_status tvk_kernels_create(tvk_device *device, bool exact, tvk_kernels **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_kernels *k;
    *out = NULL;
    k = calloc(1, sizeof *k);
    TVK_TRY_ALLOC(k);
    k->device = device;
    k->exact = exact;
    k->fixes = tvk_gpu_plan(device)->fixes;
    for (uint32_t op = 0; op < TVK_OP_COUNT; op++) {
        k->choices[op].row = tvk_select_row(tvk_gpu_plan(device), (tvk_op)op, exact);
        if (k->choices[op].row == UINT32_MAX)
            TVK_FAIL(TVK_ERR_INTERNAL,
                     "%s: a row of shaders/manifest.def for this device expected, "
                     "none found",
                     tvk_op_name((tvk_op)op));
    }
    *out = k;
    return TVK_OK;
fail:
    tvk_kernels_destroy(&k);
    return st;
}

/* Waits for those being compiled. */
static void drop(tvk_compiling **compiling, tvk_cached_program **programs)
{
    tvk_programs_wait(compiling, NULL);
    for (tvk_cached_program *p; (p = *programs) != NULL;) {
        *programs = p->next;
        tvk_program_destroy(&p->program);
        free(p);
    }
}

void tvk_kernels_destroy(tvk_kernels **kernels)
{
    if (!kernels || !*kernels) return;
    drop(&(*kernels)->compiling, &(*kernels)->programs);
    drop(&(*kernels)->compiling_behind, &(*kernels)->behind);
    free((*kernels)->shapes);
    free(*kernels);
    *kernels = NULL;
}

tvk_device *tvk_kernels_device(const tvk_kernels *kernels)
{
    return kernels->device;
}

void tvk_kernels_substitute(tvk_kernels *kernels, uint32_t shader_index, const char *name,
                            const uint32_t *spirv, size_t spirv_bytes)
{
    kernels->other = (tvk_module){shader_index, name, spirv, spirv_bytes};
}

static tvk_module module_of(const tvk_kernels *k, uint32_t row)
{
    const tvk_shader_info *info = tvk_shader_get(row);
    if (k->other.spirv && k->other.row == row) return k->other;
    return (tvk_module){row, info->name, info->spirv, *info->spirv_bytes};
}

/* "gemv_t2_i8_dp4[128,16,4]": row, workgroup size in x, tile constants */
static void name_program(tvk_cached_program *p, const char *row)
{
    size_t at = (size_t)snprintf(p->name, sizeof p->name, "%s[%u", row, p->constants[0]);
    for (uint32_t i = 3; i < p->constant_count && at < sizeof p->name; i++)
        at += (size_t)snprintf(p->name + at, sizeof p->name - at, ",%u", p->constants[i]);
    if (at < sizeof p->name) snprintf(p->name + at, sizeof p->name - at, "]");
}

tvk_program *tvk_kernels_program(const tvk_kernels *kernels, uint32_t index, uint32_t *row,
                                 const char **name)
{
    const tvk_cached_program *p = kernels->programs;
    while (p && index-- > 0) p = p->next;
    if (!p) return NULL;
    if (row) *row = p->row;
    if (name) *name = p->name;
    return p->program;
}

/* ---- many programs at once ---- */

void tvk_kernels_collect(tvk_kernels *kernels)
{
    kernels->collecting = true;
}

/* Ends collecting and waits for what is being compiled; how many programs are only prepared. */
static tvk_status settle(tvk_kernels *k, uint32_t *pending, tvk_error *err)
{
    tvk_status st = TVK_OK;
    *pending = 0;
    k->collecting = false;
    TVK_TRY(tvk_programs_wait(&k->compiling, err));
    for (tvk_cached_program *p = k->programs; p; p = p->next) {
        p->pending = !tvk_program_compiled(p->program);
        *pending += p->pending;
    }
fail:
    return st;
}

static tvk_status begin(tvk_kernels *kernels, uint64_t deadline_ns, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_program **list = NULL;
    uint32_t count;
    TVK_TRY(settle(kernels, &count, err));
    if (count == 0) return TVK_OK;
    list = calloc(count, sizeof *list);
    TVK_TRY_ALLOC(list);
    count = 0;
    for (const tvk_cached_program *p = kernels->programs; p; p = p->next)
        if (p->pending) list[count++] = p->program;
    TVK_TRY(
        tvk_programs_compile(kernels->device, list, count, deadline_ns, &kernels->compiling, err));
fail:
    free(list);
    return st;
}

tvk_status tvk_kernels_compile(tvk_kernels *kernels, tvk_error *err)
{
    return begin(kernels, UINT64_MAX, err);
}

tvk_status tvk_kernels_compiled(tvk_kernels *kernels, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t count;
    TVK_TRY(settle(kernels, &count, err));
    if (count > 0) { /* noted since, or failed before */
        TVK_TRY(tvk_kernels_compile(kernels, err));
        TVK_TRY(settle(kernels, &count, err));
    }
fail:
    return st;
}

/* What is noted, begun or not, is no program of these kernels any more: what was begun goes on, for
 * nothing but the driver's cache of programs, and who wants one of them makes it again. */
static void leave_behind(tvk_kernels *k)
{
    drop(&k->compiling_behind, &k->behind);
    k->compiling_behind = k->compiling;
    k->compiling = NULL;
    for (tvk_cached_program **at = &k->programs, *p; (p = *at) != NULL;) {
        if (!p->pending) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        p->next = k->behind;
        k->behind = p;
    }
}

tvk_status tvk_kernels_compile_until(tvk_kernels *kernels, uint64_t deadline_ns, bool *all,
                                     tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t count = 1;
    TVK_TRY(settle(kernels, &count, err));
    if (count > 0 && tvk_clock_ns() < deadline_ns) {
        TVK_TRY(begin(kernels, deadline_ns, err));
        if (tvk_programs_done_by(kernels->compiling, deadline_ns))
            TVK_TRY(settle(kernels, &count, err));
        else
            leave_behind(kernels);
    }
fail:
    *all = count == 0;
    return st;
}

void tvk_kernels_forget(tvk_kernels *kernels)
{
    kernels->collecting = false;
    tvk_programs_wait(&kernels->compiling, NULL);
    for (tvk_cached_program **at = &kernels->programs, *p; (p = *at) != NULL;) {
        if (tvk_program_compiled(p->program)) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        tvk_program_destroy(&p->program);
        free(p);
    }
}

/* ---- appending ---- */

void tvk_kernels_fix(tvk_kernels *kernels, bool fix)
{
    kernels->fixes = fix;
}

/* Words of an op's parameters that its programs are made with here. */
static uint32_t fixed_words(const tvk_kernels *k, tvk_op op)
{
    return k->fixes ? tvk_op_fixed_words(op) : 0;
}

static const tvk_cached_program *find(const tvk_kernels *k, tvk_op op, uint32_t row,
                                      const uint32_t *constants, uint32_t count, const void *params)
{
    const uint32_t *spirv = module_of(k, row).spirv, fixed = fixed_words(k, op);
    for (const tvk_cached_program *p = k->programs; p; p = p->next)
        if (p->row == row && p->spirv == spirv && p->constant_count == count &&
            p->fixed_count == fixed &&
            !memcmp(p->constants, constants, count * sizeof *constants) &&
            !memcmp(p->fixed, params, fixed * sizeof *p->fixed))
            return p;
    return NULL;
}

static tvk_status add(tvk_kernels *k, tvk_op op, uint32_t row, const uint32_t *constants,
                      uint32_t count, const void *params, const tvk_cached_program **out,
                      tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_module module = module_of(k, row);
    tvk_program_desc desc = {0};
    tvk_cached_program *p = calloc(1, sizeof *p);
    TVK_TRY_ALLOC(p);
    p->row = row;
    p->spirv = module.spirv;
    p->constant_count = count;
    p->pending = k->collecting;
    memcpy(p->constants, constants, count * sizeof *constants);
    p->fixed_count = fixed_words(k, op);
    memcpy(p->fixed, params, p->fixed_count * sizeof *p->fixed);
    name_program(p, module.name);
    desc.name = p->name;
    desc.spirv = module.spirv;
    desc.spirv_bytes = module.bytes;
    desc.binding_count = (uint32_t)strlen(tvk_op_access(op));
    /* of those that are fixed no module reads what was pushed */
    desc.push_bytes = p->fixed_count < tvk_op_param_words(op) ? 4 * tvk_op_param_words(op) : 0;
    desc.constant_count = count;
    memcpy(desc.constants, constants, count * sizeof *constants);
    desc.fixed_count = p->fixed_count;
    memcpy(desc.fixed, p->fixed, sizeof desc.fixed);
    if (p->fixed_count > 0) {
        desc.fixed[TVK_FIXED_WORDS] = true; /* they count */
        desc.fixed_count = TVK_CONSTANTS - TVK_FIXED_ID;
    }
    desc.subgroup = tvk_select_subgroup(tvk_gpu_plan(k->device), tvk_shader_get(row));
    TVK_TRY((p->pending ? tvk_program_prepare : tvk_program_create)(k->device, &desc, &p->program,
                                                                    err));
    p->next = k->programs;
    k->programs = p;
    *out = p;
    return TVK_OK;
fail:
    free(p);
    return st;
}

static tvk_status grow(tvk_dispatch_list *list, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t capacity = list->capacity ? 2 * list->capacity : 64;
    tvk_dispatch *items;
    if (list->count < list->capacity) return TVK_OK;
    items = realloc(list->items, (size_t)capacity * sizeof *items);
    TVK_TRY_ALLOC(items);
    list->items = items;
    list->capacity = capacity;
fail:
    return st;
}

tvk_status tvk_kernels_append(tvk_kernels *kernels, tvk_dispatch_list *list, tvk_op op,
                              const uint32_t *constants, uint32_t constant_count,
                              const tvk_span *bindings, const void *params,
                              const tvk_groups *groups, tvk_error *err)
{
    return tvk_kernels_append_choice(kernels, list, op, kernels->choices[op], constants,
                                     constant_count, bindings, params, groups, err);
}

tvk_status tvk_kernels_append_choice(tvk_kernels *kernels, tvk_dispatch_list *list, tvk_op op,
                                     tvk_choice choice, const uint32_t *constants,
                                     uint32_t constant_count, const tvk_span *bindings,
                                     const void *params, const tvk_groups *groups, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_cached_program *program = NULL;
    tvk_dispatch *d;
    if (constant_count < 3 || constant_count > TVK_MAX_CONSTANTS)
        TVK_FAIL(TVK_ERR_INTERNAL, "%s: 3 to %d constants expected, %u found", tvk_op_name(op),
                 TVK_MAX_CONSTANTS, constant_count);
    program = find(kernels, op, choice.row, constants, constant_count, params);
    if (!program)
        TVK_TRY(add(kernels, op, choice.row, constants, constant_count, params, &program, err));
    if (program->pending && !kernels->collecting) TVK_TRY(tvk_kernels_compiled(kernels, err));
    TVK_TRY(grow(list, err));
    d = &list->items[list->count];
    memset(d, 0, sizeof *d);
    d->op = op;
    d->label = list->label;
    d->shape = choice.shape;
    d->program = program->program;
    d->program_name = program->name;
    d->caps = tvk_shader_get(choice.row)->caps;
    d->binding_count = (uint32_t)strlen(tvk_op_access(op));
    memcpy(d->bindings, bindings, d->binding_count * sizeof *bindings);
    memcpy(d->params, params, 4 * tvk_op_param_words(op));
    d->groups = *groups;
    for (int axis = 0; list->outs && axis < 3; axis++)
        if (d->groups.kind[axis] == TVK_AXIS_ROWS) d->groups.kind[axis] = TVK_AXIS_OUTS;
    list->count++;
fail:
    return st;
}

void tvk_dispatch_list_free(tvk_dispatch_list *list)
{
    free(list->items);
    memset(list, 0, sizeof *list);
}

tvk_status tvk_check_span(const tvk_kernels *kernels, tvk_op op, const char *what, tvk_span span,
                          uint64_t bytes, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_plan *plan = tvk_gpu_plan(kernels->device);
    uint64_t align = plan->storage_align > 16 ? plan->storage_align : 16;
    if (!span.buffer && !span.tensor)
        TVK_FAIL(TVK_ERR_ARG, "%s: %s: a buffer expected, none found", tvk_op_name(op), what);
    if (span.bytes < bytes)
        TVK_FAIL(TVK_ERR_ARG, "%s: %s: at least %llu bytes expected, %llu found", tvk_op_name(op),
                 what, (unsigned long long)bytes, (unsigned long long)span.bytes);
    if (span.bytes > plan->max_storage_bytes)
        TVK_FAIL(TVK_ERR_UNSUPPORTED,
                 "%s: %s: at most %llu bytes (device limit) expected, %llu found", tvk_op_name(op),
                 what, (unsigned long long)plan->max_storage_bytes, (unsigned long long)span.bytes);
    if (span.offset % align)
        TVK_FAIL(TVK_ERR_ARG, "%s: %s: an offset that is a multiple of %llu expected, %llu found",
                 tvk_op_name(op), what, (unsigned long long)align, (unsigned long long)span.offset);
fail:
    return st;
}

tvk_status tvk_check_value(tvk_op op, bool good, const char *expected, uint64_t found,
                           tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (!good)
        TVK_FAIL(TVK_ERR_ARG, "%s: %s expected, %llu found", tvk_op_name(op), expected,
                 (unsigned long long)found);
fail:
    return st;
}

tvk_groups tvk_groups_rows(uint32_t items, uint32_t group, uint32_t kind)
{
    tvk_groups g = {{TVK_AXIS_FIXED, (uint8_t)kind, TVK_AXIS_FIXED},
                    {tvk_div_up(items, group), 1, 1}};
    return g;
}
