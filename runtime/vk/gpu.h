/* What the rest of the runtime sees of a device: buffers, programs, recorded commands, submissions.
 * No Vulkan type appears; `vk/` alone knows them.
 *
 * Lifetime: destroying a buffer, program or commands object that a submission still uses is
 * allowed; its release waits until that submission has completed. */
#ifndef TVK_VK_GPU_H
#define TVK_VK_GPU_H

#include "base/error.h"
#include "ternvk/device.h"
#include "vk/plan.h"

const tvk_plan *tvk_gpu_plan(const tvk_device *device);
const tvk_log *tvk_gpu_log(const tvk_device *device);

/* ---- memory ------------------------------------------------------------------------------- */

typedef enum tvk_memory_kind {
    TVK_MEMORY_DEVICE = 0,   /* device-local; mapped only on unified memory                      */
    TVK_MEMORY_UPLOAD = 1,   /* host writes, device reads; mapped, coherent                      */
    TVK_MEMORY_READBACK = 2, /* device writes, host reads; mapped, coherent, cached if possible  */
    TVK_MEMORY_RING = 3      /* a few words that the host writes and kernels read: mapped, coherent,
                              * device-local where the device has room for it, else as UPLOAD */
} tvk_memory_kind;

typedef struct tvk_buffer tvk_buffer;

/* A range of a buffer. `tensor` != 0: a transient of a graph, placed later (graph/graph.h). */
typedef struct tvk_span {
    tvk_buffer *buffer;
    uint64_t offset, bytes;
    uint32_t tensor;
} tvk_span;

/* Storage, transfer and indirect use. bytes > 0; contents undefined.
 * Errors: TVK_ERR_DEVICE_MEMORY with size, purpose and what is left. */
tvk_status tvk_buffer_create(tvk_device *device, tvk_purpose purpose, tvk_memory_kind kind,
                             uint64_t bytes, const char *name, tvk_buffer **out, tvk_error *err);
void tvk_buffer_destroy(tvk_buffer **buffer);
void *tvk_buffer_map(tvk_buffer *buffer); /* NULL when the host cannot see it */
uint64_t tvk_buffer_bytes(const tvk_buffer *buffer);
tvk_span tvk_buffer_span(tvk_buffer *buffer); /* all of it */
/* Part of a span; offset must honour plan.storage_align to be bound. */
tvk_span tvk_span_sub(tvk_span span, uint64_t offset, uint64_t bytes);

/* Would `bytes` more device-local memory fit (budget where the driver tells, else heap)? */
bool tvk_gpu_fits(tvk_device *device, uint64_t bytes, uint64_t *available);

/* Blocking copies between host memory and a span, through the staging ring, or directly on unified
 * memory. They are ordered after every earlier submission and before every later one. */
tvk_status tvk_gpu_write(tvk_device *device, tvk_span dst, const void *src, tvk_error *err);
tvk_status tvk_gpu_read(tvk_device *device, tvk_span src, void *dst, tvk_error *err);
/* As tvk_gpu_write, but for the waiting: nothing submitted so far may touch dst; src is free at
 * once, later submissions see it. */
tvk_status tvk_gpu_send(tvk_device *device, tvk_span dst, const void *src, tvk_error *err);
/* The same word everywhere in a buffer. */
tvk_status tvk_gpu_fill(tvk_device *device, tvk_buffer *dst, uint32_t word, tvk_error *err);

/* A window of the staging ring for data that a kernel reads once (raw file blocks). *host is where
 * to write; *span is what to bind. Waits for the oldest window when the ring is full.
 * bytes <= tvk_gpu_staging_max(). The window is free again when `ticket` given to
 * tvk_staging_release has completed. */
uint64_t tvk_gpu_staging_max(const tvk_device *device);
/* What the ring will take of the memory that tvk_gpu_fits looks at. */
uint64_t tvk_gpu_staging_bytes(const tvk_device *device);
tvk_status tvk_staging_acquire(tvk_device *device, uint64_t bytes, tvk_span *span, void **host,
                               tvk_error *err);
void tvk_staging_release(tvk_device *device, tvk_span span, uint64_t ticket);

/* ---- programs ----------------------------------------------------------------------------- */

#define TVK_MAX_CONSTANTS 16
#define TVK_MAX_FIXED 13
#define TVK_MAX_BINDINGS 8
#define TVK_MAX_PUSH_BYTES 128

typedef struct tvk_program tvk_program;

typedef struct tvk_program_desc {
    const char *name;
    const uint32_t *spirv;
    size_t spirv_bytes;
    uint32_t binding_count; /* storage buffers, set 0, bindings 0 .. n-1 */
    uint32_t push_bytes;
    uint32_t constant_count; /* ids 0 .. n-1; 0-2 are the workgroup size */
    uint32_t constants[TVK_MAX_CONSTANTS];
    uint32_t fixed_count; /* more of them, ids TVK_MAX_CONSTANTS .. */
    uint32_t fixed[TVK_MAX_FIXED];
    uint32_t subgroup; /* size that it needs, with full subgroups; 0: any */
} tvk_program_desc;

tvk_status tvk_program_create(tvk_device *device, const tvk_program_desc *desc, tvk_program **out,
                              tvk_error *err);
/* As tvk_program_create, but for the compilation, without which it cannot be recorded. */
tvk_status tvk_program_prepare(tvk_device *device, const tvk_program_desc *desc, tvk_program **out,
                               tvk_error *err);
bool tvk_program_compiled(const tvk_program *program);

/* One thing that a driver says of a compiled program: a number (text NULL), or a text such as the
 * disassembly. Names are the driver's own; some drivers make several executables of a program. */
typedef struct tvk_program_fact {
    uint32_t executable;
    uint32_t subgroup; /* that the executable runs with */
    const char *name;
    double value;
    const char *text;
} tvk_program_fact;

/* Calls fn for each; what it gets is borrowed for the call. Nothing is said of programs of a device
 * that was made without `inspect` or whose driver does not tell. */
tvk_status tvk_program_inspect(tvk_program *program,
                               void (*fn)(void *user, const tvk_program_fact *fact), void *user,
                               tvk_error *err);
void tvk_program_destroy(tvk_program **program);

/* Prepared programs that threads compile while the caller goes on; the caller may do anything with
 * the device but destroy them. What was not begun before the deadline (tvk_clock_ns(); UINT64_MAX:
 * none) stays prepared. */
typedef struct tvk_compiling tvk_compiling;
tvk_status tvk_programs_compile(tvk_device *device, tvk_program *const *list, uint32_t count,
                                uint64_t deadline_ns, tvk_compiling **out, tvk_error *err);
/* Waits until they are compiled, false: or until it is so late (tvk_clock_ns()), and those that
 * were begun go on. */
bool tvk_programs_done_by(tvk_compiling *compiling, uint64_t until_ns);
/* Waits and frees. The error is the first program's that could not be compiled, with its name;
 * those are prepared as before. NULL-safe. */
tvk_status tvk_programs_wait(tvk_compiling **compiling, tvk_error *err);

/* ---- commands ----------------------------------------------------------------------------- */

/* Recorded once, submitted any number of times, also while an earlier submission runs. */
typedef struct tvk_commands tvk_commands;

/* max_dispatches, max_bindings: what the descriptor pool must hold (sum over dispatches). */
tvk_status tvk_commands_create(tvk_device *device, uint32_t max_dispatches, uint32_t max_bindings,
                               uint32_t max_timestamps, const char *name, tvk_commands **out,
                               tvk_error *err);
void tvk_commands_destroy(tvk_commands **commands);

/* begin records a full barrier first, so that submissions in flight follow each other. */
tvk_status tvk_commands_begin(tvk_commands *c, tvk_error *err);
tvk_status tvk_commands_end(tvk_commands *c, tvk_error *err);
tvk_status tvk_commands_dispatch(tvk_commands *c, tvk_program *program, const tvk_span *bindings,
                                 const void *push, const uint32_t groups[3], tvk_error *err);
/* args: span of three uint32 (x, y, z), offset a multiple of 4. */
tvk_status tvk_commands_dispatch_indirect(tvk_commands *c, tvk_program *program,
                                          const tvk_span *bindings, const void *push, tvk_span args,
                                          tvk_error *err);
typedef enum tvk_barrier {
    TVK_BARRIER_COMPUTE = 0,  /* storage writes -> storage reads and writes of kernels            */
    TVK_BARRIER_INDIRECT = 1, /* as above, and indirect arguments written by a kernel are read;
                               * needed again before a kernel rewrites them                       */
    TVK_BARRIER_TRANSFER = 2, /* kernels and copies -> copies and kernels                         */
    TVK_BARRIER_HOST = 3      /* kernels and copies -> host reads after the fence                 */
} tvk_barrier;
void tvk_commands_barrier(tvk_commands *c, tvk_barrier kind);
void tvk_commands_copy(tvk_commands *c, tvk_span src, tvk_span dst);
/* Time stamp `index` after all earlier work; read with tvk_commands_times after completion. */
void tvk_commands_timestamp(tvk_commands *c, uint32_t index);
/* Nanoseconds of stamps 0 .. count-1 of the last submission, relative to stamp 0. */
tvk_status tvk_commands_times(tvk_commands *c, uint32_t count, double *ns, tvk_error *err);

/* Submits in order, each list by itself; *ticket (may be NULL) counts calls for the device from 1:
 * it is done when the last list is. */
tvk_status tvk_gpu_submit(tvk_device *device, tvk_commands *const *list, uint32_t count,
                          uint64_t *ticket, tvk_error *err);
tvk_status tvk_gpu_wait(tvk_device *device, uint64_t ticket, tvk_error *err);
tvk_status tvk_gpu_wait_idle(tvk_device *device, tvk_error *err);

/* For tests: the n-th fallible call of the driver from now on (1: the next) is not made and fails:
 * TVK_ERR_DEVICE_MEMORY, TVK_ERR_HOST_MEMORY or TVK_ERR_DEVICE_LOST. n = 0: none fails, and a
 * device that was lost on demand is as before. False: the call that was to fail until now has not
 * been made. */
bool tvk_gpu_fail_at(tvk_device *device, uint32_t n, tvk_status status);
/* `calls` calls of that kind are made from now on, all others fail: faults.def. */
void tvk_gpu_fail_after(tvk_device *device, tvk_fault fault, uint32_t calls);

#endif
