/* A device as results name it. */
#include <stdio.h>
#include <time.h>

#include "engine.h"
#include "kernels_run.h"
#include "out.h"
#include "ternvk/tuning.h"

#ifndef TVK_BUILD_COMMIT
#define TVK_BUILD_COMMIT "unknown"
#endif

#define PEAK_ROUNDS 3
#define COPY(to, from) snprintf(to, sizeof to, "%s", from)

static void add_device(kernels_setup *s, const tvk_device_info *d)
{
    COPY(s->device, d->name);
    COPY(s->driver, d->driver);
    COPY(s->type, engine_type_name(d->type));
    COPY(s->quirks, d->quirks);
    snprintf(s->api, sizeof s->api, "%u.%u", d->api_version >> 22 & 127,
             d->api_version >> 12 & 1023);
    s->vendor_id = d->vendor_id;
    s->device_id = d->device_id;
    s->device_bytes = (double)d->device_bytes;
    s->max_storage_bytes = (double)d->max_storage_bytes;
    s->subgroup_min = d->subgroup_min;
    s->subgroup_max = d->subgroup_max;
    s->subgroup_fixed = d->subgroup_fixed;
    s->max_invocations = d->max_invocations;
    s->shared_bytes = d->max_shared_bytes;
    s->uma = d->unified_memory;
    s->fp16 = d->fp16;
    s->int8 = d->int8;
    s->storage8 = d->storage8;
    s->storage16 = d->storage16;
    s->dot_signed = d->dot_signed;
    s->dot_mixed = d->dot_mixed;
    s->matrix_cores = d->cooperative_matrix;
    s->clamped = d->clamps != 0;
}

static void at_least(double *v, double a_second)
{
    if (a_second / 1e9 > *v) *v = a_second / 1e9;
}

/* What is a peak is the most that was seen: other work on the machine only lowers it. */
static int add_peaks(kernels_setup *s, tvk_device *device)
{
    for (int i = 0; i < PEAK_ROUNDS; i++) {
        tvk_peaks peaks;
        tvk_error err;
        if (tvk_device_peaks(device, &peaks, &err) != TVK_OK) return out_failed(&err);
        COPY(s->int_row, peaks.int_row);
        at_least(&s->read_gb_per_s, peaks.read_bytes);
        at_least(&s->copy_gb_per_s, peaks.copy_bytes);
        at_least(&s->int_gop_per_s, peaks.int_ops);
        at_least(&s->float_gop_per_s, peaks.float_ops);
        at_least(&s->matrix_gop_per_s, peaks.matrix_ops);
        at_least(&s->half_gop_per_s, peaks.half_ops);
    }
    return 0;
}

int kernels_setup_of(tvk_device *device, const kernels_request *request, kernels_setup *out)
{
    const time_t now = time(NULL);
    const struct tm *utc = gmtime(&now);
    *out = (kernels_setup){.repetitions = request->repetitions,
                           .inner = request->inner ? request->inner : 1,
                           .rotate_mib = request->rotate_mib};
    COPY(out->version, tvk_version());
    COPY(out->commit, TVK_BUILD_COMMIT);
    if (request->note) COPY(out->note, request->note);
    if (utc) strftime(out->time, sizeof out->time, "%Y-%m-%dT%H:%M:%SZ", utc);
    add_device(out, tvk_device_get_info(device));
    return add_peaks(out, device);
}
