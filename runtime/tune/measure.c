/* Dense against skipping, on synthetic weights: only shapes and the number of zeros matter. Several
 * copies of a matrix follow each other as the layers of a model do, so that caches help neither way
 * more than they will. */
#include "tune/tune.h"

#include "base/check.h"
#include "base/clock.h"
#include "kernels/ops.h"

#include <stdlib.h>
#include <string.h>

/* several times the last caches: of CPUs some tens of MiB, of large GPUs 50 to 256 */
#define MAX_COPY_BYTES_CPU (48ull << 20)
#define MAX_COPY_BYTES_GPU (384ull << 20)
#define ROUNDS 7u
#define PATHS (1u + TVK_TUNING_POINTS)
#define ONES 0xAAAAAAAAu /* 16 codes of +1 */

static const tvk_format formats[] = {[TVK_TUNING_INPUTS] = TVK_FORMAT_I8,
                                     [TVK_TUNING_UP_I8] = TVK_FORMAT_I8,
                                     [TVK_TUNING_UP_I4] = TVK_FORMAT_I4,
                                     [TVK_TUNING_UP_FP4] = TVK_FORMAT_FP4};
static const float zeros[TVK_TUNING_POINTS] = {0.3f, 0.6f, 0.9f};

typedef struct bench {
    tvk_kernels *kernels;
    tvk_device *device;
    tvk_tuning_entry *entry;
    uint32_t n;    /* the entry's, or a part of it that fits one binding */
    uint32_t rows; /* of the weights: 2 n where gate and up lie in one matrix */
    uint64_t copy_bytes;
    tvk_buffer *weights, *state, *act, *y;
    tvk_buffer *scales[PATHS], *x[PATHS]; /* [1 + i]: with zeros[i] */
    tvk_commands *commands[PATHS];        /* dense, then skipping at each of the zeros */
    tvk_dispatch_list list;
    uint64_t deadline_ns;
} bench;

static tvk_status make(bench *b, uint64_t bytes, const char *name, tvk_buffer **out, tvk_error *err)
{
    return tvk_buffer_create(b->device, TVK_PURPOSE_SCRATCH, TVK_MEMORY_DEVICE, bytes, name, out,
                             err);
}

/* Evenly spread: is item i of those that are not zero? */
static bool taken(uint32_t i, float zero)
{
    return (float)((i * 2654435761u) >> 8) * 0x1p-24f >= zero;
}

/* Inputs of which so many are 0. */
static tvk_status make_inputs(bench *b, float zero, tvk_buffer **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t k = b->entry->k;
    float *x = malloc((size_t)k * sizeof *x);
    TVK_TRY_ALLOC(x);
    for (uint32_t i = 0; i < k; i++) x[i] = taken(i, zero) ? 1.0f + (float)(i % 7) : 0.0f;
    TVK_TRY(make(b, 4ull * k, "tune x", out, err));
    TVK_TRY(tvk_gpu_write(b->device, tvk_buffer_span(*out), x, err));
fail:
    free(x);
    return st;
}

/* Scales of gates of which so many close: weights and inputs are positive, a scale's sign is the
 * gate's. */
static tvk_status make_scales(bench *b, float zero, tvk_buffer **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    float *scales = malloc((size_t)b->rows * sizeof *scales);
    TVK_TRY_ALLOC(scales);
    for (uint32_t i = 0; i < b->rows; i++)
        scales[i] = i >= b->rows / 2 || taken(i, zero) ? 0x1p-16f : -0x1p-16f;
    TVK_TRY(make(b, 4ull * b->rows, "tune scales", out, err));
    TVK_TRY(tvk_gpu_write(b->device, tvk_buffer_span(*out), scales, err));
fail:
    free(scales);
    return st;
}

static tvk_matrix copy_of(const bench *b, uint32_t path, uint32_t copy)
{
    tvk_matrix w = {.layout = TVK_LAYOUT_T2,
                    .n = b->rows,
                    .k = b->entry->k,
                    .row_words = tvk_layout_row_words(TVK_LAYOUT_T2, b->entry->k),
                    .piece_count = 1};
    w.piece[0].words =
        tvk_span_sub(tvk_buffer_span(b->weights), copy * b->copy_bytes, b->copy_bytes);
    w.piece[0].kmajor = w.piece[0].words; /* what the codes are does not matter */
    w.piece[0].scales = tvk_buffer_span(b->scales[path]);
    w.piece[0].rows = b->rows;
    return w;
}

/* Norm and mat-vec, as before O and down. */
static tvk_status list_inputs(bench *b, uint32_t path, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const bool skip = path > 0;
    tvk_span x = tvk_buffer_span(b->x[path]), act = tvk_buffer_span(b->act),
             y = tvk_buffer_span(b->y);
    for (uint32_t i = 0; i < b->entry->copies; i++) {
        const tvk_matrix w = copy_of(b, path, i);
        TVK_TRY(tvk_op_act(b->kernels, &b->list, TVK_FORMAT_I8, skip, tvk_buffer_span(b->state), x,
                           x, act, b->entry->k, 1e-5f, 1, err));
        TVK_TRY(skip ? tvk_op_matmul_sparse(b->kernels, &b->list, &w, act, y, false, err)
                     : tvk_op_matmul_act(b->kernels, &b->list, &w, TVK_FORMAT_I8, act, y, 1, false,
                                         false, err));
    }
fail:
    return st;
}

/* Gate, up and their product; the record of their inputs is made once, before. */
static tvk_status list_gates(bench *b, uint32_t path, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const bool skip = path > 0;
    const uint32_t f = b->n;
    const tvk_format format = formats[b->entry->kind];
    tvk_span act = tvk_buffer_span(b->act), y = tvk_buffer_span(b->y),
             f0 = tvk_buffer_span(b->x[0]);
    for (uint32_t i = 0; i < b->entry->copies; i++) {
        const tvk_matrix both = copy_of(b, path, i), gate = tvk_matrix_head(&both, f);
        TVK_TRY(tvk_op_matmul_act(b->kernels, &b->list, skip ? &gate : &both, format, act, y, 1,
                                  false, false, err));
        if (skip) {
            TVK_TRY(tvk_op_relu_list(b->kernels, &b->list, y, f, err));
            TVK_TRY(tvk_op_up(b->kernels, &b->list, &both, f, format, act, y, f, err));
        } else {
            TVK_TRY(tvk_op_glu(b->kernels, &b->list, y, f0, f, true, 1, err));
        }
    }
fail:
    return st;
}

/* The list as commands, between two time stamps where there are any. One row: every count is the
 * host's. */
static tvk_status record(bench *b, tvk_commands **out, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const bool stamps = tvk_gpu_plan(b->device)->timestamps;
    TVK_TRY(tvk_commands_create(b->device, b->list.count, b->list.count * TVK_MAX_BINDINGS,
                                stamps ? 2 : 0, "tune", out, err));
    TVK_TRY(tvk_commands_begin(*out, err));
    if (stamps) tvk_commands_timestamp(*out, 0);
    for (uint32_t i = 0; i < b->list.count; i++) {
        const tvk_dispatch *d = &b->list.items[i];
        uint32_t groups[3];
        for (int axis = 0; axis < 3; axis++)
            groups[axis] = d->groups.kind[axis] == TVK_AXIS_ROWS ? 1 : d->groups.value[axis];
        TVK_TRY(tvk_commands_dispatch(*out, d->program, d->bindings, d->params, groups, err));
        tvk_commands_barrier(*out, TVK_BARRIER_COMPUTE);
    }
    if (stamps) tvk_commands_timestamp(*out, 1);
    TVK_TRY(tvk_commands_end(*out, err));
fail:
    return st;
}

static tvk_status submit(bench *b, tvk_commands *c, double *ns, tvk_error *err)
{
    tvk_status st = TVK_OK;
    double t[2];
    uint64_t ticket, start = tvk_clock_ns();
    TVK_TRY(tvk_gpu_submit(b->device, &c, 1, &ticket, err));
    TVK_TRY(tvk_gpu_wait(b->device, ticket, err));
    t[1] = (double)(tvk_clock_ns() - start);
    if (tvk_gpu_plan(b->device)->timestamps) TVK_TRY(tvk_commands_times(c, 2, t, err));
    *ns = t[1];
fail:
    return st;
}

/* Codes dense or K-major, whichever takes more. */
static uint64_t matrix_bytes(uint32_t rows, uint32_t k)
{
    uint64_t t2 = 4ull * rows * tvk_layout_row_words(TVK_LAYOUT_T2, k);
    uint64_t kmajor = 4ull * k * tvk_kmajor_words(rows);
    return t2 > kmajor ? t2 : kmajor;
}

static bool gated(const bench *b)
{
    return b->entry->kind != TVK_TUNING_INPUTS;
}

/* A path, in place of what was listed. */
static tvk_status list_path(bench *b, uint32_t path, tvk_error *err)
{
    b->list.count = 0;
    return (gated(b) ? list_gates : list_inputs)(b, path, err);
}

/* The record that gate and up read, likewise. */
static tvk_status list_record(bench *b, tvk_error *err)
{
    b->list.count = 0;
    return tvk_op_act(b->kernels, &b->list, formats[b->entry->kind], false,
                      tvk_buffer_span(b->state), tvk_buffer_span(b->x[1]), (tvk_span){0},
                      tvk_buffer_span(b->act), b->entry->k, 0, 1, err);
}

/* What all of these ask for. */
static tvk_status compile(bench *b, bool *all, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_kernels_collect(b->kernels);
    if (gated(b)) TVK_TRY(list_record(b, err));
    for (uint32_t i = 0; i < PATHS; i++) TVK_TRY(list_path(b, i, err));
    TVK_TRY(tvk_kernels_compile_until(b->kernels, b->deadline_ns, all, err));
fail:
    tvk_kernels_forget(b->kernels);
    return st;
}

static tvk_status make_record(bench *b, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_commands *c = NULL;
    double ns;
    TVK_TRY(list_record(b, err));
    TVK_TRY(record(b, &c, err));
    TVK_TRY(submit(b, c, &ns, err));
fail:
    tvk_commands_destroy(&c);
    return st;
}

static tvk_status make_buffers(bench *b, tvk_error *err)
{
    tvk_status st = TVK_OK;
    tvk_tuning_entry *e = b->entry;
    const bool up = gated(b);
    const uint64_t limit = tvk_gpu_plan(b->device)->max_storage_bytes;
    const uint64_t align = tvk_gpu_plan(b->device)->storage_align;
    const uint64_t most = tvk_gpu_plan(b->device)->cpu ? MAX_COPY_BYTES_CPU : MAX_COPY_BYTES_GPU;
    const uint32_t words = tvk_act_words(TVK_FORMAT_I8, e->k) + tvk_list_words(e->k);
    /* a matrix in pieces: one that fits says as much */
    b->n = e->n;
    while (b->n > 64 && matrix_bytes(up ? 2 * b->n : b->n, e->k) > limit) b->n = b->n / 8 * 4;
    b->rows = up ? 2 * b->n : b->n;
    b->copy_bytes = tvk_round_up(matrix_bytes(b->rows, e->k), align > 256 ? align : 256);
    if (e->copies > most / b->copy_bytes) e->copies = (uint32_t)(most / b->copy_bytes);
    if (e->copies == 0) e->copies = 1;
    TVK_TRY(make(b, b->copy_bytes * e->copies, "tune weights", &b->weights, err));
    TVK_TRY(make(b, 4ull * (TVK_STATE_ROWS + TVK_ROW_WORDS), "tune state", &b->state, err));
    TVK_TRY(make(b, 4ull * words, "tune act", &b->act, err));
    TVK_TRY(make(b, 4ull * (up ? tvk_up_words(b->n) : b->n), "tune y", &b->y, err));
    TVK_TRY(tvk_gpu_fill(b->device, b->weights, ONES, err));
    TVK_TRY(tvk_gpu_fill(b->device, b->state, 1, err)); /* one row */
    for (uint32_t i = 0; i < PATHS; i++) {
        /* what is skipped has no say in the dense time */
        const float zero = i > 0 ? zeros[i - 1] : zeros[0];
        TVK_TRY(make_scales(b, up ? zero : 0, &b->scales[i], err));
        TVK_TRY(up && i == 0 ? make(b, 4ull * b->n, "tune f", &b->x[i], err)
                             : make_inputs(b, up ? 0 : zero, &b->x[i], err));
    }
fail:
    return st;
}

static tvk_status record_all(bench *b, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (gated(b)) TVK_TRY(make_record(b, err));
    for (uint32_t i = 0; i < PATHS; i++) {
        TVK_TRY(list_path(b, i, err));
        TVK_TRY(record(b, &b->commands[i], err));
    }
fail:
    return st;
}

/* Least times, after a round that is not counted. The paths take turns, so that what else the
 * machine does meets all of them. */
static tvk_status time_all(bench *b, double ns[PATHS], tvk_error *err)
{
    tvk_status st = TVK_OK;
    for (uint32_t round = 0; round <= ROUNDS; round++) {
        if (round > 1 && tvk_clock_ns() > b->deadline_ns) break;
        for (uint32_t i = 0; i < PATHS; i++) {
            double t;
            TVK_TRY(submit(b, b->commands[i], &t, err));
            if (t < 1) t = 1; /* a clock too coarse for it */
            if (round == 1 || (round > 1 && t < ns[i])) ns[i] = t;
        }
    }
    for (uint32_t i = 0; i < PATHS; i++) ns[i] *= (double)b->entry->n / b->n / b->entry->copies;
fail:
    return st;
}

tvk_status tvk_tune_measure(tvk_kernels *kernels, tvk_tuning_entry *entry, uint64_t deadline_ns,
                            bool *done, tvk_error *err)
{
    tvk_status st = TVK_OK;
    bench b = {.kernels = kernels,
               .device = tvk_kernels_device(kernels),
               .entry = entry,
               .deadline_ns = deadline_ns};
    double ns[PATHS] = {0};
    *done = false;
    TVK_TRY(make_buffers(&b, err));
    TVK_TRY(compile(&b, done, err));
    if (!*done) goto fail;
    TVK_TRY(record_all(&b, err));
    TVK_TRY(time_all(&b, ns, err));
    entry->dense_ns = ns[0];
    memcpy(entry->skip_ns, ns + 1, sizeof entry->skip_ns);
fail:
    tvk_dispatch_list_free(&b.list);
    for (uint32_t i = 0; i < PATHS; i++) {
        tvk_commands_destroy(&b.commands[i]);
        tvk_buffer_destroy(&b.scales[i]);
        tvk_buffer_destroy(&b.x[i]);
    }
    tvk_buffer_destroy(&b.weights);
    tvk_buffer_destroy(&b.state);
    tvk_buffer_destroy(&b.act);
    tvk_buffer_destroy(&b.y);
    return st;
}
