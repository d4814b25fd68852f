#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "out.h"
#include "tuning.h"
#include "variants.h"

/* One object a line; "usable" stands before "type" (./dev looks for the two). */
static bool print_json(const tvk_device_info *d, bool last, json_t *variants, json_t *tuned)
{
    char uuid[33];
    char *line;
    json_t *o;
    for (int i = 0; i < 16; i++) snprintf(uuid + 2 * i, 3, "%02x", d->driver_uuid[i]);
    o = json_pack(
        "{si ss* ss* sb ss* ss si si ss si si sb sI sI sI si si si si si si sb sb sb sb sb sb sb "
        "sf ss* so so}",
        "index", (int)d->index, "name", d->name, "driver", d->driver, "usable", d->usable, "why",
        d->why, "type", engine_type_name(d->type), "vendor", (int)d->vendor_id, "device",
        (int)d->device_id, "driver_uuid", uuid, "api_major", (int)(d->api_version >> 22 & 127),
        "api_minor", (int)(d->api_version >> 12 & 1023), "uma", d->unified_memory, "device_bytes",
        (json_int_t)d->device_bytes, "available_bytes", (json_int_t)d->available_bytes,
        "max_storage_bytes", (json_int_t)d->max_storage_bytes, "subgroup", (int)d->subgroup_size,
        "subgroup_min", (int)d->subgroup_min, "subgroup_max", (int)d->subgroup_max,
        "subgroup_fixed", (int)d->subgroup_fixed, "max_invocations", (int)d->max_invocations,
        "shared_bytes", (int)d->max_shared_bytes, "fp16", d->fp16, "int8", d->int8, "storage8",
        d->storage8, "storage16", d->storage16, "dot_signed", d->dot_signed, "dot_mixed",
        d->dot_mixed, "matrix_cores", d->cooperative_matrix, "timestamp_period_ns",
        d->timestamp_period_ns, "quirks", d->quirks, "variants", variants, "tuned", tuned);
    line = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (line) printf("%s%s\n", line, last ? "" : ",");
    free(line);
    json_decref(o);
    return line != NULL;
}

static void print_device(const tvk_device_info *d)
{
    char heap[32], available[32], range[32];
    printf("%u  %s (%s), %s\n", d->index, d->name, engine_type_name(d->type), d->driver);
    if (!d->usable) {
        printf("   not usable: %s\n", d->why);
        return;
    }
    printf("   Vulkan %u.%u, memory %s (%s free%s), one binding up to %s\n",
           d->api_version >> 22 & 127, d->api_version >> 12 & 1023,
           out_bytes(d->device_bytes, heap, sizeof heap),
           out_bytes(d->available_bytes, available, sizeof available),
           d->unified_memory ? ", shared with the host" : "",
           out_bytes(d->max_storage_bytes, range, sizeof range));
    printf("   subgroup %u (%u to %u, kernels rely on %u), %u invocations, %u KiB shared\n",
           d->subgroup_size, d->subgroup_min, d->subgroup_max, d->subgroup_fixed,
           d->max_invocations, d->max_shared_bytes / 1024);
    printf("   fp16 %s, int8 %s, 8-bit storage %s, 16-bit storage %s, int dot %s, matrix cores "
           "%s\n",
           d->fp16 ? "yes" : "no", d->int8 ? "yes" : "no", d->storage8 ? "yes" : "no",
           d->storage16 ? "yes" : "no", engine_dot_text(d), d->cooperative_matrix ? "yes" : "no");
    if (d->quirks[0]) printf("   quirks: %s\n", d->quirks);
}

int cmd_devices(int argc, char **argv)
{
    const char *format = "text", *none = NULL;
    const arg_option options[] = {
        {ARG_TEXT, "-o, --output", "text|json", &format, "form of the list", 0, 0, NULL},
        {ARG_INCLUDE, NULL, NULL, (void *)engine_device_options, NULL, 0, 0, NULL},
        {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};
    const arg_command command = {
        "devices",
        "[-o json] [-v]",
        "what is there, what it can do, which kernel variants it gets (-v: all "
        "rows, with the reason)",
        options,
        &none,
        0,
        0};
    engine e = {0};
    tvk_device_params params;
    tvk_device_info *devices = NULL;
    uint32_t count = 0;
    tvk_error err;
    bool json;
    int status = args_parse(&command, argc, argv);
    if (status >= 0) return status;
    json = !strcmp(format, "json");
    if (!json && strcmp(format, "text") != 0) {
        out_error("-o: text or json expected, '%s' found", format);
        return 2;
    }
    status = engine_device_params(&e, &params);
    if (!status && tvk_device_list(&params, &devices, &count, &err) != TVK_OK)
        status = out_failed(&err);
    if (!status && json) puts("[");
    for (uint32_t i = 0; !status && i < count; i++) {
        char select[16];
        snprintf(select, sizeof select, "%u", devices[i].index);
        params.select = select;
        if (json) {
            json_t *rows =
                engine_given.verbose && devices[i].usable ? variants_json(&params) : json_array();
            if (!print_json(&devices[i], i + 1 == count, rows, tuning_json(&devices[i])))
                status = 1;
        } else {
            print_device(&devices[i]);
            if (devices[i].usable) variants_print(&params, engine_given.verbose > 0);
            if (devices[i].usable && engine_given.verbose) tuning_print(&devices[i]);
        }
    }
    if (!status && json) puts("]");
    free(devices);
    engine_close(&e);
    return status;
}
