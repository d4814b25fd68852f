/* The dispatches of a case, submitted and timed by three clocks. */
#include <stdlib.h>

#include "base/clock.h"
#include "tests/kernels/rotation.h"

#define MAX_STAMPS 257u

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

/* Of this op; TVK_OP_COUNT: all. */
static bool chosen(const tvk_rig *rig, uint32_t i, tvk_op op)
{
    return op == TVK_OP_COUNT || rig->list.items[i].op == op;
}

/* list: the rig's, or a copy of it. */
static tvk_status record(const tvk_rig *rig, const tvk_dispatch_list *list, tvk_op only,
                         tvk_commands *c, tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (uint32_t i = 0; i < list->count; i++) {
        const tvk_dispatch *d = &list->items[i];
        uint32_t groups[3];
        if (!chosen(rig, i, only)) continue;
        for (int axis = 0; axis < 3; axis++)
            groups[axis] = group_count(rig, d->groups.kind[axis], d->groups.value[axis]);
        if (groups[0] && groups[1] && groups[2])
            TVK_TRY(tvk_commands_dispatch(c, d->program, d->bindings, d->params, groups, err));
        tvk_commands_barrier(c, TVK_BARRIER_COMPUTE);
    }
fail:
    return st;
}

/* Room for what is chosen, `runs` times. */
static tvk_status create(const tvk_rig *rig, tvk_op op, uint32_t runs, uint32_t stamps,
                         tvk_commands **c, tvk_error *err)
{
    uint32_t dispatches = 0, bindings = 0;
    for (uint32_t i = 0; i < rig->list.count; i++) {
        if (!chosen(rig, i, op)) continue;
        dispatches++;
        bindings += rig->list.items[i].binding_count;
    }
    return tvk_commands_create(rig->device, runs * dispatches, runs * bindings, stamps, "case", c,
                               err);
}

static tvk_status wait_for(tvk_device *device, tvk_commands *c, double *wait_ns, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint64_t start = tvk_clock_ns();
    uint64_t ticket;
    TVK_TRY(tvk_gpu_submit(device, &c, 1, &ticket, err));
    TVK_TRY(tvk_gpu_wait(device, ticket, err));
    if (wait_ns) *wait_ns = (double)(tvk_clock_ns() - start);
fail:
    return st;
}

tvk_status tvk_rig_run(const tvk_rig *rig, tvk_op op, uint32_t runs, double *wait_ns,
                       tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_commands *c = NULL;
    TVK_TRY(create(rig, op, runs, 0, &c, err));
    TVK_TRY(tvk_commands_begin(c, err));
    for (uint32_t i = 0; i < runs; i++) TVK_TRY(record(rig, &rig->list, op, c, err));
    TVK_TRY(tvk_commands_end(c, err));
    TVK_TRY(wait_for(rig->device, c, wait_ns, err));
fail:
    tvk_commands_destroy(&c);
    return st;
}

/* ---- timing ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static tvk_case_times times_of(double *ns, uint32_t n)
{
    qsort(ns, n, sizeof *ns, by_value);
    return (tvk_case_times){n, (ns[(n - 1) / 2] + ns[n / 2]) / 2, ns[0], ns[n - 1]};
}

/* Time stamps, a difference of two is `inner` runs. */
static tvk_status stamps(const tvk_rig *rig, tvk_op op, const tvk_case_options *options, uint32_t n,
                         tvk_case_times *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t inner = options->inner ? options->inner : 1;
    tvk_commands *c = NULL;
    tvk_rotation rotation = {0};
    double ns[MAX_STAMPS];
    TVK_TRY(tvk_rotation_create(rig, options->rotate_bytes, &rotation, err));
    TVK_TRY(create(rig, op, n * inner, n + 1, &c, err));
    TVK_TRY(tvk_commands_begin(c, err));
    tvk_commands_timestamp(c, 0);
    for (uint32_t s = 1; s <= n; s++) {
        for (uint32_t i = (s - 1) * inner; i < s * inner; i++)
            TVK_TRY(record(rig, &rotation.lists[i % rotation.count], op, c, err));
        tvk_commands_timestamp(c, s);
    }
    TVK_TRY(tvk_commands_end(c, err));
    TVK_TRY(wait_for(rig->device, c, NULL, err));
    TVK_TRY(tvk_commands_times(c, n + 1, ns, err));
    for (uint32_t i = 0; i < n; i++) ns[i] = (ns[i + 1] - ns[i]) / inner;
    *out = times_of(ns, n);
fail:
    tvk_commands_destroy(&c);
    tvk_rotation_free(&rotation);
    return st;
}

/* From submission to fence, recorded once. */
static tvk_status waits(const tvk_rig *rig, tvk_op op, uint32_t n, tvk_case_times *out,
                        tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_commands *c = NULL;
    double ns[MAX_STAMPS];
    TVK_TRY(create(rig, op, 1, 0, &c, err));
    TVK_TRY(tvk_commands_begin(c, err));
    TVK_TRY(record(rig, &rig->list, op, c, err));
    TVK_TRY(tvk_commands_end(c, err));
    for (uint32_t i = 0; i < n; i++) TVK_TRY(wait_for(rig->device, c, &ns[i], err));
    *out = times_of(ns, n);
fail:
    tvk_commands_destroy(&c);
    return st;
}

/* ---- chains in one workgroup ---- */

typedef struct chains {
    tvk_rig rig; /* with them on its list */
    tvk_buffer *sums;
} chains;

static void chains_free(chains *c)
{
    tvk_dispatch_list_free(&c->rig.list);
    tvk_buffer_destroy(&c->sums);
}

/* So many dispatches, of so many turns each. */
static tvk_status chains_make(const tvk_rig *of, uint32_t dispatches, uint32_t turns, chains *out,
                              tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t one = tvk_f32_bits(1.0f);
    const struct tvk_peak_params p = {.n = turns, .a = one, .b = one};
    *out = (chains){.rig = {.kernels = of->kernels, .device = of->device}};
    TVK_TRY(tvk_buffer_create(of->device, TVK_PURPOSE_SCRATCH, TVK_MEMORY_DEVICE,
                              4ull * tvk_peak_invocations(of->kernels, TVK_OP_peak_f32, 1),
                              "chains", &out->sums, err));
    for (uint32_t i = 0; i < dispatches; i++)
        TVK_TRY(tvk_op_peak_math(of->kernels, &out->rig.list, TVK_OP_peak_f32,
                                 tvk_buffer_span(out->sums), &p, 1, err));
fail:
    return st;
}

/* Chains of no length, as many dispatches as the op has: what it costs to submit them and to wait.
 */
static tvk_status empty(const tvk_rig *rig, tvk_op op, uint32_t n, tvk_case_times *out,
                        tvk_error *err)
{
    tvk_status st = TVK_OK;
    chains idle;
    uint32_t dispatches = 0;
    for (uint32_t i = 0; i < rig->list.count; i++) dispatches += chosen(rig, i, op);
    TVK_TRY(chains_make(rig, dispatches, 0, &idle, err));
    TVK_TRY(waits(&idle.rig, TVK_OP_COUNT, n, out, err));
fail:
    chains_free(&idle);
    return st;
}

/* ---- the device's clocks ---- */

#define CHAIN_TURNS (1u << 14) /* a tenth of a millisecond, or some of them */
#define AS_FAST 1.05
#define MOST_BUSY_NS 2e9

/* Runs it for at least so long; what one run takes then. */
static tvk_status keep_busy(const tvk_rig *rig, tvk_op op, double enough_ns, double *ns,
                            tvk_error *err)
{
    const uint32_t most_runs = 200;
    tvk_status st = TVK_OK;
    double wait, busy = 0;
    for (uint32_t runs = 1; busy < enough_ns; runs = runs < most_runs ? 2 * runs : runs) {
        TVK_TRY(tvk_rig_run(rig, op, runs, &wait, err));
        busy += wait;
        *ns = wait / runs;
    }
fail:
    return st;
}

/* A device that waited for the CPU reference has lowered its clocks, some for longer than they
 * are busy here: an H200 fell to a sixth of its clock and took a third of a second to be back. */
static tvk_status warm(const tvk_rig *rig, tvk_op op, double *chain_ns, double *ns, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_plan *plan = tvk_gpu_plan(rig->device);
    chains chain = {.sums = NULL};
    tvk_case_times now;
    TVK_TRY(keep_busy(rig, op, plan->cpu ? 10e6 : 200e6, ns, err));
    if (!chain_ns || plan->cpu || !plan->timestamps) return TVK_OK;
    TVK_TRY(chains_make(rig, 1, CHAIN_TURNS, &chain, err));
    for (double busy = 0;; busy += 100e6) {
        const tvk_case_options once = {.inner = 1};
        TVK_TRY(stamps(&chain.rig, TVK_OP_COUNT, &once, 3, &now, err));
        if (*chain_ns == 0 || now.median <= AS_FAST * *chain_ns || busy >= MOST_BUSY_NS) break;
        TVK_TRY(keep_busy(rig, op, 100e6, ns, err));
    }
    /* one that does not come back is not waited for again */
    if (*chain_ns == 0 || now.median < *chain_ns || now.median > AS_FAST * *chain_ns)
        *chain_ns = now.median;
fail:
    chains_free(&chain);
    return st;
}

tvk_status tvk_rig_time(const tvk_rig *rig, tvk_op op, const tvk_case_options *options,
                        tvk_case_result *r, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint32_t n = options->repetitions < MAX_STAMPS ? options->repetitions : MAX_STAMPS - 1;
    double ns;
    if (options->rotate_bytes && !tvk_gpu_plan(rig->device)->timestamps)
        TVK_FAIL(TVK_ERR_UNSUPPORTED, "copies in turn are timed between time stamps, which this "
                                      "device does not have");
    TVK_TRY(warm(rig, op, options->chain_ns, &ns, err));
    if (options->most_ns > 0 && n * ns > options->most_ns) {
        n = (uint32_t)(options->most_ns / ns);
        if (n == 0) n = 1;
    }
    if (options->most_ns > 0 && ns > options->most_ns) {
        r->waits = (tvk_case_times){1, ns, ns, ns}; /* that one was enough */
    } else {
        if (tvk_gpu_plan(rig->device)->timestamps)
            TVK_TRY(stamps(rig, op, options, n, &r->stamps, err));
        TVK_TRY(waits(rig, op, n, &r->waits, err));
    }
    TVK_TRY(empty(rig, op, n, &r->empty, err));
fail:
    return st;
}
