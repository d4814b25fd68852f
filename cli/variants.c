#include "variants.h"

#include <stdio.h>
#include <string.h>

#include "out.h"
#include "tests/kernels/cases.h"

/* Calls fn for every row of the manifest. */
static void each_row(const tvk_device_params *params,
                     void (*fn)(void *user, const tvk_shader_info *row, bool eligible, bool chosen,
                                const char *why),
                     void *user)
{
    tvk_device *device = NULL;
    tvk_kernels *kernels = NULL;
    tvk_error err;
    if (tvk_device_create(params, &device, &err) != TVK_OK ||
        tvk_kernels_create(device, false, &kernels, &err) != TVK_OK) {
        out_failed(&err);
    } else {
        for (uint32_t i = 0; i < tvk_shader_count(); i++) {
            const tvk_shader_info *row = tvk_shader_get(i);
            const char *why = "";
            bool eligible = tvk_kernels_eligible(kernels, i, &why);
            fn(user, row, eligible, eligible && tvk_kernels_default(kernels, row->op) == i,
               eligible ? "" : why);
        }
    }
    tvk_kernels_destroy(&kernels);
    tvk_device_destroy(&device);
}

static void print_row(void *user, const tvk_shader_info *row, bool eligible, bool chosen,
                      const char *why)
{
    const bool *all = user;
    if (!*all && !strcmp(row->variant, "base")) return;
    printf("   %-20s %-5s %s\n", tvk_op_name(row->op), row->variant,
           chosen     ? "default"
           : eligible ? "can be forced"
                      : why);
}

void variants_print(const tvk_device_params *params, bool all)
{
    each_row(params, print_row, &all);
}

static void add_row(void *user, const tvk_shader_info *row, bool eligible, bool chosen,
                    const char *why)
{
    json_array_append_new(user, json_pack("{ss ss sb sb ss}", "op", tvk_op_name(row->op), "row",
                                          row->name, "eligible", eligible, "default", chosen, "why",
                                          why));
}

json_t *variants_json(const tvk_device_params *params)
{
    json_t *rows = json_array();
    each_row(params, add_row, rows);
    return rows;
}
