/* What the device reaches at most: large buffers read and copied, long chains of products. Results
 * are checked before they count. */
#include "tune/tune.h"

#include "base/clock.h"
#include "base/half.h"
#include "kernels/ops.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES_CPU (64ull << 20)
#define MEMORY_BYTES_GPU (1024ull << 20) /* many times the caches */
#define GROUPS_CPU 64u
#define GROUPS_GPU 8192u
#define MOST_TURNS (1u << 15) /* sums stay exact in f32, those of matrices of 32 inputs too */
#define ENOUGH_NS 2e6         /* of one dispatch */
#define ROUNDS 5u

typedef struct lab {
    tvk_device *device;
    tvk_kernels *kernels;
    tvk_dispatch_list list;
    tvk_buffer *x, *y, *sums;
    uint32_t *found; /* [sum_words] */
    uint32_t groups, sum_words, items;
} lab;

/* The list once, in ns by the device's clock, or from submission to fence. */
static tvk_status once(lab *b, tvk_commands *c, double *ns, tvk_error *err)
{
    tvk_status st = TVK_OK;
    uint64_t ticket, start = tvk_clock_ns();
    double stamps[2];
    TVK_TRY(tvk_gpu_submit(b->device, &c, 1, &ticket, err));
    TVK_TRY(tvk_gpu_wait(b->device, ticket, err));
    *ns = (double)(tvk_clock_ns() - start);
    if (tvk_gpu_plan(b->device)->timestamps) {
        TVK_TRY(tvk_commands_times(c, 2, stamps, err));
        *ns = stamps[1] - stamps[0];
    }
fail:
    return st;
}

/* Least time of the list's one dispatch. */
static tvk_status least(lab *b, double *ns, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_dispatch *d = &b->list.items[0];
    tvk_commands *c = NULL;
    double t;
    TVK_TRY(tvk_commands_create(b->device, 1, d->binding_count, 2, "peak", &c, err));
    TVK_TRY(tvk_commands_begin(c, err));
    tvk_commands_timestamp(c, 0);
    TVK_TRY(tvk_commands_dispatch(c, d->program, d->bindings, d->params, d->groups.value, err));
    tvk_commands_timestamp(c, 1);
    TVK_TRY(tvk_commands_end(c, err));
    *ns = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        TVK_TRY(once(b, c, &t, err));
        if (i == 0 || t < *ns) *ns = t;
    }
    if (*ns < 1) *ns = 1;
fail:
    tvk_commands_destroy(&c);
    return st;
}

static tvk_status check_sums(lab *b, const char *what, uint32_t (*want)(const lab *b, uint32_t i),
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_gpu_read(b->device, tvk_span_sub(tvk_buffer_span(b->sums), 0, 4ull * b->sum_words),
                         b->found, err));
    for (uint32_t i = 0; i < b->sum_words; i++) {
        if (b->found[i] != want(b, i))
            TVK_FAIL(TVK_ERR_INTERNAL, "%s: word %u: 0x%08x expected, 0x%08x found", what, i,
                     want(b, i), b->found[i]);
    }
fail:
    return st;
}

/* Items of ones that an invocation adds. */
static uint32_t want_read(const lab *b, uint32_t i)
{
    uint32_t group = b->sum_words / b->groups, part = (b->items + b->groups - 1) / b->groups;
    uint64_t first = (uint64_t)(i / group) * part, end = first + part;
    if (end > b->items) end = b->items;
    first += i % group;
    return first < end ? 4 * (uint32_t)((end - first + group - 1) / group) : 0;
}

static tvk_status make_list(lab *b, bool copy, tvk_buffer *from, tvk_buffer *to, tvk_error *err)
{
    b->list.count = 0;
    return tvk_op_peak_memory(b->kernels, &b->list, copy, tvk_buffer_span(from),
                              tvk_buffer_span(to), b->items, b->groups, err);
}

static tvk_status memory(lab *b, tvk_peaks *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_plan *plan = tvk_gpu_plan(b->device);
    uint64_t bytes = plan->cpu ? MEMORY_BYTES_CPU : MEMORY_BYTES_GPU, available;
    double ns;
    while (bytes > 1 << 20 &&
           (bytes > plan->max_storage_bytes || !tvk_gpu_fits(b->device, 2 * bytes, &available)))
        bytes /= 2;
    b->items = (uint32_t)(bytes / 16);
    TVK_TRY(tvk_buffer_create(b->device, TVK_PURPOSE_SCRATCH, TVK_MEMORY_DEVICE, bytes, "peak x",
                              &b->x, err));
    TVK_TRY(tvk_buffer_create(b->device, TVK_PURPOSE_SCRATCH, TVK_MEMORY_DEVICE, bytes, "peak y",
                              &b->y, err));
    TVK_TRY(tvk_gpu_fill(b->device, b->x, 1, err));
    TVK_TRY(tvk_gpu_fill(b->device, b->y, 0, err));
    TVK_TRY(make_list(b, true, b->x, b->y, err));
    TVK_TRY(least(b, &ns, err));
    out->copy_bytes = 2e9 * (double)bytes / ns;
    TVK_TRY(make_list(b, false, b->y, b->sums, err)); /* what was copied */
    TVK_TRY(least(b, &ns, err));
    TVK_TRY(check_sums(b, "peak_read", want_read, err));
    out->read_bytes = 1e9 * (double)bytes / ns;
fail:
    tvk_buffer_destroy(&b->x);
    tvk_buffer_destroy(&b->y);
    return st;
}

/* Chains that grow by one each turn: k + n; of bytes with their wrap. */
static uint32_t want_float(const lab *b, uint32_t i)
{
    uint32_t k = TVK_PEAK_CHAINS, n = b->items;
    (void)i;
    return tvk_f32_bits((float)(k * (k - 1) / 2 + k * n));
}

static uint32_t want_int(const lab *b, uint32_t i)
{
    uint32_t k = TVK_PEAK_CHAINS, n = b->items;
    (void)i;
    return k * (k - 1) / 2 + k * n;
}

static uint32_t want_dot(const lab *b, uint32_t i)
{
    uint32_t sum = 0;
    (void)i;
    for (uint32_t k = 0; k < TVK_PEAK_CHAINS; k++)
        sum += (uint32_t)(int32_t)(int8_t)(k + b->items - 1) + 1u;
    return sum;
}

static uint32_t want_matrix(const lab *b, uint32_t i)
{
    uint32_t k = TVK_PEAK_CHAINS, n = b->items * tvk_gpu_plan(b->device)->coopmat_i8.k;
    (void)i;
    return k * (k - 1) / 2 + k * n;
}

static uint32_t want_half(const lab *b, uint32_t i)
{
    uint32_t k = TVK_PEAK_CHAINS, n = b->items * tvk_gpu_plan(b->device)->coopmat_f16.k;
    (void)i;
    return tvk_f32_bits((float)(k * (k - 1) / 2 + k * n));
}

static tvk_status math(lab *b, tvk_op op, double *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const bool floats = op == TVK_OP_peak_f32 || op == TVK_OP_peak_half;
    const uint32_t caps = tvk_peak_row(b->kernels, op)->caps;
    const uint32_t one = floats ? tvk_f32_bits(1.0f) : 1;
    struct tvk_peak_params p = {.n = 256, .a = one, .b = one};
    double ns;
    b->sum_words = tvk_peak_invocations(b->kernels, op, b->groups);
    for (;; p.n *= 2) {
        b->list.count = 0;
        TVK_TRY(tvk_op_peak_math(b->kernels, &b->list, op, tvk_buffer_span(b->sums), &p, b->groups,
                                 err));
        TVK_TRY(least(b, &ns, err));
        if (ns >= ENOUGH_NS || p.n == MOST_TURNS) break;
    }
    b->items = p.n;
    TVK_TRY(check_sums(b, tvk_op_name(op),
                       caps & TVK_CAP_COOPMAT_F16  ? want_half
                       : caps & TVK_CAP_COOPMAT_I8 ? want_matrix
                       : caps & TVK_CAP_DOT        ? want_dot
                       : floats                    ? want_float
                                                   : want_int,
                       err));
    *out = 1e9 * (double)b->sum_words * p.n * tvk_peak_ops(b->kernels, op) / ns;
fail:
    return st;
}

/* The op of most invocations. */
static uint32_t most_sums(const lab *b)
{
    static const tvk_op ops[] = {TVK_OP_peak_read, TVK_OP_peak_int, TVK_OP_peak_matrix,
                                 TVK_OP_peak_half, TVK_OP_peak_f32};
    uint32_t most = 0;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        uint32_t n = tvk_peak_invocations(b->kernels, ops[i], b->groups);
        if (n > most) most = n;
    }
    return most;
}

tvk_status tvk_device_peaks(tvk_device *device, tvk_peaks *out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    lab b = {.device = device};
    uint32_t sums;
    memset(out, 0, sizeof *out);
    b.groups = tvk_gpu_plan(device)->cpu ? GROUPS_CPU : GROUPS_GPU;
    TVK_TRY(tvk_kernels_create(device, false, &b.kernels, err));
    sums = most_sums(&b);
    b.found = malloc((size_t)sums * sizeof *b.found);
    TVK_TRY_ALLOC(b.found);
    TVK_TRY(tvk_buffer_create(device, TVK_PURPOSE_SCRATCH, TVK_MEMORY_DEVICE, 4ull * sums,
                              "peak sums", &b.sums, err));
    TVK_TRY(math(&b, TVK_OP_peak_int, &out->int_ops, err));
    TVK_TRY(math(&b, TVK_OP_peak_f32, &out->float_ops, err));
    if (tvk_peak_row(b.kernels, TVK_OP_peak_matrix)->caps & TVK_CAP_COOPMAT_I8)
        TVK_TRY(math(&b, TVK_OP_peak_matrix, &out->matrix_ops, err));
    if (tvk_peak_row(b.kernels, TVK_OP_peak_half)->caps & TVK_CAP_COOPMAT_F16)
        TVK_TRY(math(&b, TVK_OP_peak_half, &out->half_ops, err));
    b.sum_words = tvk_peak_invocations(b.kernels, TVK_OP_peak_read, b.groups);
    TVK_TRY(memory(&b, out, err));
    out->int_row = tvk_peak_row(b.kernels, TVK_OP_peak_int)->name;
fail:
    tvk_buffer_destroy(&b.sums);
    tvk_dispatch_list_free(&b.list);
    tvk_kernels_destroy(&b.kernels);
    free(b.found);
    return st;
}
