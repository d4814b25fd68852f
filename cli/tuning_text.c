/* A tuning record as JSON and back. What comes back is checked as anything from outside. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tuning.h"

static const char *const kinds[] = {[TVK_TUNING_INPUTS] = "inputs",
                                    [TVK_TUNING_UP_I8] = "up i8",
                                    [TVK_TUNING_UP_I4] = "up i4",
                                    [TVK_TUNING_UP_FP4] = "up fp4"};
#define KINDS (sizeof kinds / sizeof *kinds)

static void hex(char *text, const uint8_t *bytes, int count)
{
    for (int i = 0; i < count; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* What the record holds for; key -> value. */
static json_t *key_of(const tvk_device_info *device, uint64_t version)
{
    char uuid[33], kernels[17], clamps[17];
    hex(uuid, device->driver_uuid, 16);
    snprintf(kernels, sizeof kernels, "%016" PRIx64, version);
    snprintf(clamps, sizeof clamps, "%016" PRIx64, device->clamps);
    return json_pack("{ss ss% ss% ss ss}", "driver_uuid", uuid, "device", device->name,
                     strlen(device->name), "driver", device->driver, strlen(device->driver),
                     "kernels", kernels, "clamps", clamps);
}

json_t *tuning_choices(const tvk_tuning *tuning)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < tuning->choice_count; i++) {
        const tvk_tuning_choice *c = &tuning->choices[i];
        char name[128];
        json_array_append_new(list, json_pack("{ss sI sI sI sI sI sb sf sf}", "name",
                                              tvk_tuning_choice_text(c, name, sizeof name), "row",
                                              (json_int_t)c->row, "config", (json_int_t)c->config,
                                              "n", (json_int_t)c->n, "k", (json_int_t)c->k, "rows",
                                              (json_int_t)c->rows, "exact", c->exact, "default_ns",
                                              c->default_ns, "chosen_ns", c->chosen_ns));
    }
    return list;
}

char *tuning_text(const tvk_device_info *device, uint64_t version, const tvk_tuning *tuning)
{
    json_t *o = json_pack("{so so so}", "for", key_of(device, version), "entries", json_array(),
                          "choices", tuning_choices(tuning));
    json_t *entries = json_object_get(o, "entries");
    char *text = NULL;
    for (uint32_t i = 0; o && i < tuning->count; i++) {
        const tvk_tuning_entry *e = &tuning->entries[i];
        json_array_append_new(entries,
                              json_pack("{ss sI sI sI sf s[fff]}", "kind", kinds[e->kind], "n",
                                        (json_int_t)e->n, "k", (json_int_t)e->k, "copies",
                                        (json_int_t)e->copies, "dense_ns", e->dense_ns, "skip_ns",
                                        e->skip_ns[0], e->skip_ns[1], e->skip_ns[2]));
    }
    if (o) text = json_dumps(o, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    json_decref(o);
    return text;
}

static bool to_u32(const json_t *o, const char *name, uint32_t *out)
{
    const json_t *v = json_object_get(o, name);
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < 0 || n > UINT32_MAX) return false;
    *out = (uint32_t)n;
    return true;
}

static bool to_entry(const json_t *o, tvk_tuning_entry *out)
{
    const char *kind = json_string_value(json_object_get(o, "kind"));
    const json_t *skip = json_object_get(o, "skip_ns");
    size_t k = 0;
    *out = (tvk_tuning_entry){.dense_ns = json_number_value(json_object_get(o, "dense_ns"))};
    while (kind && k < KINDS && strcmp(kind, kinds[k]) != 0) k++;
    if (!kind || k == KINDS || json_array_size(skip) != TVK_TUNING_POINTS) return false;
    out->kind = (tvk_tuning_kind)k;
    for (size_t i = 0; i < TVK_TUNING_POINTS; i++)
        out->skip_ns[i] = json_number_value(json_array_get(skip, i));
    return to_u32(o, "n", &out->n) && to_u32(o, "k", &out->k) &&
           to_u32(o, "copies", &out->copies) && tvk_tuning_valid(out);
}

static bool to_choice(const json_t *o, tvk_tuning_choice *out)
{
    const json_t *exact = json_object_get(o, "exact");
    *out = (tvk_tuning_choice){.exact = json_is_true(exact),
                               .default_ns = json_number_value(json_object_get(o, "default_ns")),
                               .chosen_ns = json_number_value(json_object_get(o, "chosen_ns"))};
    return json_is_boolean(exact) && to_u32(o, "row", &out->row) &&
           to_u32(o, "config", &out->config) && to_u32(o, "n", &out->n) &&
           to_u32(o, "k", &out->k) && to_u32(o, "rows", &out->rows) && tvk_tuning_choice_valid(out);
}

bool tuning_parse(const char *text, size_t bytes, const tvk_device_info *device, uint64_t version,
                  tvk_tuning *out, char *why, size_t why_bytes)
{
    json_error_t error;
    json_t *o = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    json_t *want = key_of(device, version);
    const json_t *entries = json_object_get(o, "entries"), *choices = json_object_get(o, "choices");
    bool good = false;
    out->count = out->choice_count = 0;
    if (!o) {
        tvk_text_clean(error.text); /* it quotes the file */
        snprintf(why, why_bytes, "line %d: %s", error.line, error.text);
    } else if (!want || !json_equal(json_object_get(o, "for"), want)) {
        snprintf(why, why_bytes,
                 "it holds for another device, driver, clamps or version of the kernels");
    } else if (!json_is_array(entries) || json_array_size(entries) > TVK_TUNING_MAX ||
               !json_is_array(choices) || json_array_size(choices) > TVK_TUNING_MAX) {
        snprintf(why, why_bytes, "lists of at most %u entries and choices expected",
                 TVK_TUNING_MAX);
    } else {
        good = true;
        for (size_t i = 0; good && i < json_array_size(entries); i++)
            good = to_entry(json_array_get(entries, i), &out->entries[out->count++]);
        if (!good) snprintf(why, why_bytes, "entry %u is not one", out->count);
        for (size_t i = 0; good && i < json_array_size(choices); i++) {
            good = to_choice(json_array_get(choices, i), &out->choices[out->choice_count++]);
            if (!good) snprintf(why, why_bytes, "choice %u is not one", out->choice_count);
        }
    }
    if (!good) out->count = out->choice_count = 0;
    json_decref(want);
    json_decref(o);
    return good;
}
