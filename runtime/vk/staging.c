/* Windows between host and device: a ring in upload memory that kernels and copies read, and two
 * windows in readback memory. Made on first use; unified memory needs them for nothing but
 * tvk_staging_acquire. */
#include <stdlib.h>
#include <string.h>

#include "vk/internal.h"

/* 8 MiB keep a disk and a bus busy; four of them overlap reading, copying and unpacking. */
#define WINDOW_BYTES ((uint64_t)8 << 20)
#define WINDOWS 4u
#define READ_WINDOWS 2u

typedef struct window {
    tvk_commands *commands; /* the copy out of or into it */
    uint64_t ticket;        /* free when this has completed */
    bool held;              /* acquired, not released yet */
} window;

struct tvk_staging {
    tvk_buffer *upload, *readback;
    window up[WINDOWS], down[READ_WINDOWS];
    uint32_t next; /* the oldest window */
};

uint64_t tvk_gpu_staging_max(const tvk_device *device)
{
    uint64_t most = device->plan.max_storage_bytes;
    /* Windows start at multiples of their size, which must honour the binding alignment. */
    most -= most % device->plan.storage_align;
    return most < WINDOW_BYTES ? most : WINDOW_BYTES;
}

uint64_t tvk_gpu_staging_bytes(const tvk_device *device)
{
    const tvk_memory_type *types = device->caps.types;
    const tvk_plan *plan = &device->plan;
    const bool there = device->staging && device->staging->upload;
    if (there || types[plan->upload_type].heap != types[plan->device_type].heap) return 0;
    return WINDOWS * tvk_gpu_staging_max(device);
}

void tvk_staging_destroy(tvk_device *dev)
{
    tvk_staging *s = dev->staging;
    if (!s) return;
    for (uint32_t i = 0; i < WINDOWS; i++) tvk_commands_destroy(&s->up[i].commands);
    for (uint32_t i = 0; i < READ_WINDOWS; i++) tvk_commands_destroy(&s->down[i].commands);
    tvk_buffer_destroy(&s->upload);
    tvk_buffer_destroy(&s->readback);
    free(s);
    dev->staging = NULL;
}

static tvk_status ring(tvk_device *dev, tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (!dev->staging) {
        dev->staging = calloc(1, sizeof *dev->staging);
        TVK_TRY_ALLOC(dev->staging);
    }
    if (!dev->staging->upload)
        TVK_TRY(tvk_buffer_create(dev, TVK_PURPOSE_STAGING, TVK_MEMORY_UPLOAD,
                                  WINDOWS * tvk_gpu_staging_max(dev), "staging ring",
                                  &dev->staging->upload, err));
fail:
    return st;
}

tvk_status tvk_staging_acquire(tvk_device *device, uint64_t bytes, tvk_span *span, void **host,
                               tvk_error *err)
{
    const uint64_t most = tvk_gpu_staging_max(device);
    tvk_status st = TVK_OK;
    tvk_staging *s;
    window *w = NULL;
    uint32_t index = 0;
    memset(span, 0, sizeof *span);
    *host = NULL;
    TVK_TRY(tvk_device_alive(device, err));
    if (bytes == 0 || bytes > most)
        TVK_FAIL(TVK_ERR_ARG, "staging: 1 to %llu bytes expected, %llu found",
                 (unsigned long long)most, (unsigned long long)bytes);
    TVK_TRY(ring(device, err));
    s = device->staging;
    for (uint32_t i = 0; i < WINDOWS && !w; i++) {
        index = (s->next + i) % WINDOWS;
        if (!s->up[index].held) w = &s->up[index];
    }
    if (!w) TVK_FAIL(TVK_ERR_ARG, "staging: all %u windows are held, none was released", WINDOWS);
    TVK_TRY(tvk_gpu_wait(device, w->ticket, err));
    w->held = true;
    s->next = (index + 1) % WINDOWS;
    *span = tvk_span_sub(tvk_buffer_span(s->upload), index * most, bytes);
    *host = (unsigned char *)tvk_buffer_map(s->upload) + span->offset;
fail:
    return st;
}

void tvk_staging_release(tvk_device *device, tvk_span span, uint64_t ticket)
{
    tvk_staging *s = device->staging;
    uint64_t index = span.offset / tvk_gpu_staging_max(device);
    if (!s || span.buffer != s->upload || index >= WINDOWS) return;
    s->up[index].ticket = ticket;
    s->up[index].held = false;
}

/* ---- copies -----------------------------------------------------------------------------------
 */

static tvk_status check_span(const tvk_device *dev, const char *what, const tvk_span *s,
                             tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(tvk_device_alive(dev, err));
    if (!s->buffer || s->buffer->device != dev || s->bytes > s->buffer->bytes ||
        s->offset > s->buffer->bytes - s->bytes)
        TVK_FAIL(TVK_ERR_ARG,
                 "%s: a range inside a buffer of this device needed, %llu at %llu of "
                 "%llu found",
                 what, (unsigned long long)s->bytes, (unsigned long long)s->offset,
                 (unsigned long long)(s->buffer ? s->buffer->bytes : 0));
fail:
    return st;
}

static tvk_status copy(tvk_device *dev, window *w, tvk_span src, tvk_span dst, bool to_host,
                       tvk_error *err)
{
    tvk_status st = TVK_OK;
    if (!w->commands) TVK_TRY(tvk_commands_create(dev, 0, 0, 0, "staging copy", &w->commands, err));
    TVK_TRY(tvk_commands_begin(w->commands, err));
    tvk_commands_copy(w->commands, src, dst);
    if (to_host) tvk_commands_barrier(w->commands, TVK_BARRIER_HOST);
    TVK_TRY(tvk_commands_end(w->commands, err));
    TVK_TRY(tvk_gpu_submit(dev, &w->commands, 1, &w->ticket, err));
fail:
    return st;
}

tvk_status tvk_gpu_send(tvk_device *device, tvk_span dst, const void *src, tvk_error *err)
{
    const uint64_t most = tvk_gpu_staging_max(device);
    const unsigned char *from = src;
    unsigned char *map;
    tvk_status st = TVK_OK;
    TVK_TRY(check_span(device, "write", &dst, err));
    map = tvk_buffer_map(dst.buffer);
    if (map) {
        memcpy(map + dst.offset, src, (size_t)dst.bytes);
        return TVK_OK;
    }
    for (uint64_t done = 0; done < dst.bytes;) {
        uint64_t n = dst.bytes - done < most ? dst.bytes - done : most, ticket = 0;
        tvk_span part;
        void *host;
        window *w;
        TVK_TRY(tvk_staging_acquire(device, n, &part, &host, err));
        w = &device->staging->up[part.offset / most];
        memcpy(host, from + done, (size_t)n);
        st = copy(device, w, part, tvk_span_sub(dst, done, n), false, err);
        ticket = st == TVK_OK ? w->ticket : device->submitted;
        tvk_staging_release(device, part, ticket);
        TVK_TRY(st);
        done += n;
    }
fail:
    return st;
}

tvk_status tvk_gpu_write(tvk_device *device, tvk_span dst, const void *src, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(check_span(device, "write", &dst, err));
    /* Work in flight may read or write the range; later work sees it through its submission. */
    if (tvk_buffer_map(dst.buffer)) TVK_TRY(tvk_gpu_wait_idle(device, err));
    TVK_TRY(tvk_gpu_send(device, dst, src, err));
    if (!tvk_buffer_map(dst.buffer)) TVK_TRY(tvk_gpu_wait_idle(device, err));
fail:
    return st;
}

tvk_status tvk_gpu_fill(tvk_device *device, tvk_buffer *dst, uint32_t word, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint64_t bytes = tvk_buffer_bytes(dst), part = 1u << 20;
    uint32_t *words = malloc(part);
    TVK_TRY_ALLOC(words);
    for (uint64_t i = 0; i < part / 4; i++) words[i] = word;
    for (uint64_t at = 0; at < bytes; at += part) {
        uint64_t n = bytes - at < part ? bytes - at : part;
        TVK_TRY(tvk_gpu_write(device, tvk_span_sub(tvk_buffer_span(dst), at, n), words, err));
    }
fail:
    free(words);
    return st;
}

static tvk_status read_staged(tvk_device *dev, tvk_span src, unsigned char *to, tvk_error *err)
{
    const uint64_t most = tvk_gpu_staging_max(dev);
    tvk_status st = TVK_OK;
    tvk_staging *s = NULL;
    uint64_t done = 0, sent = 0;
    TVK_TRY(ring(dev, err));
    s = dev->staging;
    if (!s->readback)
        TVK_TRY(tvk_buffer_create(dev, TVK_PURPOSE_STAGING, TVK_MEMORY_READBACK,
                                  READ_WINDOWS * most, "readback windows", &s->readback, err));
    /* One copy runs on the device while the host empties the other window. */
    while (done < src.bytes) {
        uint64_t n;
        while (sent < src.bytes && sent - done < READ_WINDOWS * most) {
            uint64_t index = sent / most % READ_WINDOWS;
            n = src.bytes - sent < most ? src.bytes - sent : most;
            TVK_TRY(copy(dev, &s->down[index], tvk_span_sub(src, sent, n),
                         tvk_span_sub(tvk_buffer_span(s->readback), index * most, n), true, err));
            sent += n;
        }
        n = src.bytes - done < most ? src.bytes - done : most;
        TVK_TRY(tvk_gpu_wait(dev, s->down[done / most % READ_WINDOWS].ticket, err));
        memcpy(to + done,
               (unsigned char *)tvk_buffer_map(s->readback) + done / most % READ_WINDOWS * most,
               (size_t)n);
        done += n;
    }
fail:
    return st;
}

tvk_status tvk_gpu_read(tvk_device *device, tvk_span src, void *dst, tvk_error *err)
{
    tvk_status st = TVK_OK;
    TVK_TRY(check_span(device, "read", &src, err));
    if (!device->plan.unified) return read_staged(device, src, dst, err);
    TVK_TRY(tvk_gpu_wait_idle(device, err));
    memcpy(dst, (unsigned char *)tvk_buffer_map(src.buffer) + src.offset, (size_t)src.bytes);
fail:
    return st;
}
