#include "kernels_data.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "out.h"
#include "prompt.h"

#define FORMAT 1        /* of the file; another number: not readable by this program */
#define MOST_ROWS 20000 /* of a file */
#define MOST 1e18       /* any number */
#define LEAST 1e-18     /* any but 0: rates made of such numbers are finite */

/* A member of a structure under its name in JSON. The order is that of the file and of CSV. */
typedef struct field {
    const char *key;
    enum { TEXT, NUMBER, YES_NO } kind;
    size_t offset, bytes;
    enum { OPTIONAL, NEEDED, DERIVED } rule; /* derived: written, not read */
} field;

#define MEMBER(type, kind, key, member, rule)                                                      \
    {                                                                                              \
        key, kind, offsetof(type, member), sizeof((type *)0)->member, rule                         \
    }
#define SETUP(kind, member, rule) MEMBER(kernels_setup, kind, #member, member, rule)
#define ROW(kind, member, rule) MEMBER(kernels_row, kind, #member, member, rule)

static const field setup_fields[] = {
    SETUP(TEXT, device, NEEDED),
    SETUP(TEXT, driver, NEEDED),
    SETUP(TEXT, type, OPTIONAL),
    SETUP(TEXT, version, OPTIONAL),
    SETUP(TEXT, commit, OPTIONAL),
    SETUP(TEXT, time, OPTIONAL),
    SETUP(TEXT, note, OPTIONAL),
    SETUP(TEXT, api, OPTIONAL),
    SETUP(NUMBER, vendor_id, OPTIONAL),
    SETUP(NUMBER, device_id, OPTIONAL),
    SETUP(NUMBER, device_bytes, OPTIONAL),
    SETUP(NUMBER, max_storage_bytes, OPTIONAL),
    SETUP(YES_NO, uma, OPTIONAL),
    SETUP(NUMBER, subgroup_min, OPTIONAL),
    SETUP(NUMBER, subgroup_max, OPTIONAL),
    SETUP(NUMBER, subgroup_fixed, OPTIONAL),
    SETUP(NUMBER, max_invocations, OPTIONAL),
    SETUP(NUMBER, shared_bytes, OPTIONAL),
    SETUP(YES_NO, fp16, OPTIONAL),
    SETUP(YES_NO, int8, OPTIONAL),
    SETUP(YES_NO, storage8, OPTIONAL),
    SETUP(YES_NO, storage16, OPTIONAL),
    SETUP(YES_NO, dot_signed, OPTIONAL),
    SETUP(YES_NO, dot_mixed, OPTIONAL),
    SETUP(YES_NO, matrix_cores, OPTIONAL),
    SETUP(YES_NO, clamped, OPTIONAL),
    SETUP(TEXT, quirks, OPTIONAL),
    SETUP(NUMBER, repetitions, OPTIONAL),
    SETUP(NUMBER, inner, OPTIONAL),
    SETUP(NUMBER, rotate_mib, OPTIONAL),
    SETUP(NUMBER, read_gb_per_s, OPTIONAL),
    SETUP(NUMBER, copy_gb_per_s, OPTIONAL),
    SETUP(NUMBER, int_gop_per_s, OPTIONAL),
    SETUP(NUMBER, float_gop_per_s, OPTIONAL),
    SETUP(NUMBER, matrix_gop_per_s, OPTIONAL),
    SETUP(NUMBER, half_gop_per_s, OPTIONAL),
    SETUP(TEXT, int_row, OPTIONAL),
};

static const field row_fields[] = {
    ROW(TEXT, op, NEEDED),
    MEMBER(kernels_row, TEXT, "case", name, NEEDED),
    ROW(TEXT, row, NEEDED),
    ROW(TEXT, status, NEEDED),
    ROW(TEXT, why, OPTIONAL),
    ROW(NUMBER, n, OPTIONAL),
    ROW(NUMBER, k, OPTIONAL),
    ROW(NUMBER, t, OPTIONAL),
    ROW(NUMBER, depth, OPTIONAL),
    ROW(TEXT, types, OPTIONAL),
    ROW(NUMBER, compared_words, OPTIONAL),
    ROW(NUMBER, wrong_words, OPTIONAL),
    ROW(NUMBER, checked, OPTIONAL),
    ROW(NUMBER, samples, OPTIONAL),
    ROW(NUMBER, ns_median, OPTIONAL),
    ROW(NUMBER, ns_min, OPTIONAL),
    ROW(NUMBER, ns_max, OPTIONAL),
    ROW(NUMBER, submit_ns, OPTIONAL),
    ROW(NUMBER, submit_ns_min, OPTIONAL),
    ROW(NUMBER, submit_ns_max, OPTIONAL),
    ROW(NUMBER, empty_ns, OPTIONAL),
    ROW(NUMBER, net_ns, DERIVED),
    ROW(NUMBER, bytes, OPTIONAL),
    ROW(NUMBER, int_ops, OPTIONAL),
    ROW(NUMBER, float_ops, OPTIONAL),
    ROW(NUMBER, matrix_ops, OPTIONAL),
    ROW(NUMBER, half_ops, OPTIONAL),
    ROW(NUMBER, gb_per_s, DERIVED),
    ROW(NUMBER, tops, DERIVED),
    ROW(NUMBER, peak_percent, DERIVED),
    ROW(TEXT, bound, DERIVED),
};
#define COUNT(table) (sizeof table / sizeof *table)

/* ---- rates ---- */

/* ns that a peak in units a nanosecond needs; 0: nothing to do, or not measured. */
static double needs(double amount, double peak)
{
    return peak > 0 ? amount / peak : 0;
}

void kernels_derive(const kernels_setup *s, kernels_row *r)
{
    const struct {
        const char *name;
        double ns;
    } bounds[] = {{"memory", needs(r->bytes, s->read_gb_per_s)},
                  {"int", needs(r->int_ops, s->int_gop_per_s)},
                  {"float", needs(r->float_ops, s->float_gop_per_s)},
                  {"matrix", needs(r->matrix_ops, s->matrix_gop_per_s) +
                                 needs(r->half_ops, s->half_gop_per_s)}}; /* one unit */
    const double ops = r->int_ops + r->float_ops + r->matrix_ops + r->half_ops;
    size_t most = 0;
    for (size_t i = 1; i < COUNT(bounds); i++)
        if (bounds[i].ns > bounds[most].ns) most = i;
    r->net_ns = r->submit_ns > r->empty_ns ? r->submit_ns - r->empty_ns : 0;
    r->ns = r->ns_median > 0 ? r->ns_median : r->net_ns;
    r->gb_per_s = r->ns > 0 ? r->bytes / r->ns : 0;
    r->tops = r->ns > 0 ? ops / r->ns / 1e3 : 0;
    r->peak_percent = r->ns > 0 ? 100 * bounds[most].ns / r->ns : 0;
    snprintf(r->bound, sizeof r->bound, "%s", bounds[most].ns > 0 ? bounds[most].name : "");
}

/* ---- memory ---- */

kernels_row *kernels_add(kernels_result *result)
{
    if (result->count == result->capacity) {
        size_t capacity = result->capacity ? 2 * result->capacity : 64;
        kernels_row *rows = realloc(result->rows, capacity * sizeof *rows);
        if (!rows) {
            out_error("kernels: no memory for %zu rows", capacity);
            return NULL;
        }
        result->rows = rows;
        result->capacity = capacity;
    }
    memset(&result->rows[result->count], 0, sizeof *result->rows);
    return &result->rows[result->count++];
}

void kernels_free(kernels_result *result)
{
    free(result->rows);
    memset(result, 0, sizeof *result);
}

/* ---- writing ---- */

static json_t *value_json(const field *f, const void *from)
{
    const char *at = (const char *)from + f->offset;
    double v;
    if (f->kind == TEXT) return json_string(at);
    if (f->kind == YES_NO) return json_boolean(*(const bool *)(const void *)at);
    v = *(const double *)(const void *)at;
    return v == floor(v) && fabs(v) < 1e15 ? json_integer((json_int_t)v) : json_real(v);
}

static json_t *object_json(json_t *o, const field *fields, size_t count, const void *from)
{
    bool failed = o == NULL;
    for (size_t i = 0; !failed && i < count; i++)
        failed = json_object_set_new(o, fields[i].key, value_json(&fields[i], from)) != 0;
    if (!failed) return o;
    json_decref(o);
    return NULL;
}

json_t *kernels_setup_json(const kernels_setup *setup)
{
    return object_json(json_pack("{si}", "ternvk_kernels", FORMAT), setup_fields,
                       COUNT(setup_fields), setup);
}

json_t *kernels_row_json(const kernels_setup *setup, const kernels_row *row)
{
    return object_json(json_pack("{ss ss}", "device", setup->device, "driver", setup->driver),
                       row_fields, COUNT(row_fields), row);
}

/* ---- reading ---- */

static const char *type_name(const json_t *v)
{
    static const char *const names[] = {"an object", "an array", "a string", "a number",
                                        "a number",  "true",     "false",    "null"};
    return v ? names[json_typeof(v)] : "none";
}

static bool read_value(const field *f, const json_t *v, void *to, const char *where)
{
    char *at = (char *)to + f->offset;
    if (!v && f->rule != NEEDED) return true;
    if (f->kind == TEXT) {
        if (json_is_string(v) && json_string_length(v) < f->bytes &&
            !tvk_text_has_control(json_string_value(v), json_string_length(v))) {
            memcpy(at, json_string_value(v), json_string_length(v) + 1);
            return true;
        }
        out_error("%s: %s: a string of less than %zu bytes without control characters expected, "
                  "%s found",
                  where, f->key, f->bytes, json_is_string(v) ? "another" : type_name(v));
    } else if (f->kind == NUMBER) {
        double number = json_number_value(v);
        if (json_is_number(v) && (number == 0 || (number >= LEAST && number <= MOST))) {
            *(double *)(void *)at = number;
            return true;
        }
        out_error("%s: %s: 0 or a number from %g to %g expected, %s found", where, f->key, LEAST,
                  MOST, json_is_number(v) ? "another" : type_name(v));
    } else {
        if (json_is_boolean(v)) {
            *(bool *)(void *)at = json_is_true(v);
            return true;
        }
        out_error("%s: %s: true or false expected, %s found", where, f->key, type_name(v));
    }
    return false;
}

/* Keys that are not known are another version's. */
static bool read_object(const field *fields, size_t count, const json_t *o, void *to,
                        const char *where)
{
    if (!json_is_object(o)) {
        out_error("%s: an object expected, %s found", where, type_name(o));
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (fields[i].rule != DERIVED &&
            !read_value(&fields[i], json_object_get(o, fields[i].key), to, where))
            return false;
    return true;
}

static bool read_row(const json_t *o, const char *path, size_t index, kernels_result *out)
{
    char where[320];
    kernels_row *row = kernels_add(out);
    if (!row) return false;
    snprintf(where, sizeof where, "%s: rows[%zu]", path, index);
    if (!read_object(row_fields, COUNT(row_fields), o, row, where)) return false;
    if (strcmp(row->status, "ok") != 0 && strcmp(row->status, "wrong") != 0 &&
        strcmp(row->status, "skipped") != 0) {
        out_error("%s: status: ok, wrong or skipped expected, '%s' found", where, row->status);
        return false;
    }
    kernels_derive(&out->setup, row);
    return true;
}

static bool read_root(const json_t *root, const char *path, kernels_result *out)
{
    const json_t *setup = json_object_get(root, "setup"), *rows = json_object_get(root, "rows");
    const json_t *format = json_object_get(setup, "ternvk_kernels");
    char where[300];
    snprintf(where, sizeof where, "%s: setup", path);
    if (json_integer_value(format) != FORMAT) {
        out_error("%s: not a result of 'ternvk kernels -o json' (format %d)", path, FORMAT);
        return false;
    }
    if (!read_object(setup_fields, COUNT(setup_fields), setup, &out->setup, where)) return false;
    if (!json_is_array(rows) || json_array_size(rows) > MOST_ROWS) {
        out_error("%s: rows: an array of at most %d expected, %s found", path, MOST_ROWS,
                  json_is_array(rows) ? "a larger one" : type_name(rows));
        return false;
    }
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (!read_row(json_array_get(rows, i), path, i, out)) return false;
    return true;
}

bool kernels_read(const char *path, kernels_result *out)
{
    size_t bytes = 0;
    char *text = prompt_read_file(path, &bytes);
    json_error_t error = {.line = 0};
    json_t *root = text ? json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error) : NULL;
    bool ok = text != NULL;
    free(text);
    memset(out, 0, sizeof *out);
    snprintf(out->path, sizeof out->path, "%s", path);
    if (!ok) {
        out_error("%s cannot be read", path);
        return false;
    }
    if (!root) {
        tvk_text_clean(error.text); /* it quotes the file */
        out_error("%s: line %d: %s", path, error.line, error.text);
        return false;
    }
    ok = read_root(root, path, out);
    json_decref(root);
    if (!ok) kernels_free(out);
    return ok;
}
