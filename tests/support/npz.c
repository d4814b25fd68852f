#include "support/npz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

/* Larger than any test's array; keeps a broken size from being allocated. */
#define MAX_MEMBER_BYTES ((uint64_t)1 << 30)

typedef struct text {
    char *out;
    size_t bytes;
} text;

static bool fail(text why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why.out, why.bytes, format, args);
    va_end(args);
    return false;
}

static const struct {
    const char *descr;
    npy_type type;
    size_t bytes;
} types[] = {
    {"<f4", NPY_F4, 4}, {"<f8", NPY_F8, 8}, {"|i1", NPY_I1, 1},
    {"<i1", NPY_I1, 1}, {"<i4", NPY_I4, 4}, {"<i8", NPY_I8, 8},
};

static uint64_t little_endian(const unsigned char *p, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = bytes; i-- > 0;) v = v << 8 | p[i];
    return v;
}

/* The text after "'key':" of the header's dictionary; NULL: no such key. */
static const char *value_of(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *p = strstr(header, quoted);
    if (!p) return NULL;
    p += strlen(quoted);
    p += strspn(p, " ");
    if (*p != ':') return NULL;
    return p + 1 + strspn(p + 1, " ");
}

/* "(1, 48)", "(32,)", "()" */
static bool parse_shape(const char *p, npy_array *out, text why)
{
    out->count = 1;
    if (*p++ != '(') return fail(why, "shape is not a tuple");
    for (;;) {
        p += strspn(p, " ");
        if (*p == ')') return true;
        if (*p < '0' || *p > '9') return fail(why, "a dimension is not a number");
        if (out->dim_count == NPY_MAX_DIMS) return fail(why, "over %d dimensions", NPY_MAX_DIMS);
        uint64_t n = 0;
        for (; *p >= '0' && *p <= '9'; p++) {
            n = n * 10 + (uint64_t)(*p - '0');
            if (n > MAX_MEMBER_BYTES) return fail(why, "a dimension is too large");
        }
        out->dims[out->dim_count++] = n;
        out->count *= n; /* both factors are at most 2^30 */
        if (out->count > MAX_MEMBER_BYTES) return fail(why, "too many elements");
        p += strspn(p, " ");
        if (*p == ',') {
            p++;
        } else if (*p != ')') {
            return fail(why, "shape is not a tuple");
        }
    }
}

static bool parse_header(const char *header, npy_array *out, size_t *elem_bytes, text why)
{
    const char *descr = value_of(header, "descr");
    const char *order = value_of(header, "fortran_order");
    const char *shape = value_of(header, "shape");
    if (!descr || !order || !shape) return fail(why, "header lacks descr, fortran_order or shape");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if ((*descr == '\'' || *descr == '"') && !strncmp(descr + 1, types[i].descr, 3) &&
            descr[4] == *descr) {
            out->type = types[i].type;
            *elem_bytes = types[i].bytes;
        }
    }
    if (!*elem_bytes) return fail(why, "type %.8s is not read here", descr);
    if (!parse_shape(shape, out, why)) return false;
    /* Fewer than two dimensions have one order only. */
    if (strncmp(order, "False", 5) != 0 && out->dim_count > 1)
        return fail(why, "array is in Fortran order");
    return true;
}

bool npy_parse(const void *bytes, size_t count, npy_array *out, char *why_text, size_t why_bytes)
{
    text why = {why_text, why_bytes};
    const unsigned char *p = bytes;
    char *header = NULL;
    memset(out, 0, sizeof *out);
    if (count < 10 || memcmp(p, "\x93NUMPY", 6) != 0) return fail(why, "not an .npy");
    size_t field = p[6] == 1 ? 2 : 4; /* bytes of the header's length */
    if (p[6] < 1 || p[6] > 3) return fail(why, ".npy version %u", (unsigned)p[6]);
    if (count < 8 + field) return fail(why, ".npy ends in its header");
    uint64_t header_bytes = little_endian(p + 8, field);
    size_t left = count - 8 - field, elem_bytes = 0;
    if (header_bytes > left) return fail(why, ".npy ends in its header");
    left -= (size_t)header_bytes;
    if (!(header = malloc((size_t)header_bytes + 1))) return fail(why, "out of memory");
    memcpy(header, p + 8 + field, (size_t)header_bytes);
    header[header_bytes] = 0;
    bool ok = parse_header(header, out, &elem_bytes, why);
    free(header);
    if (ok && out->count * elem_bytes != left) {
        ok = fail(why, "%llu bytes of data expected, %llu found",
                  (unsigned long long)(out->count * elem_bytes), (unsigned long long)left);
    }
    if (ok && !(out->data = malloc(left ? left : 1))) ok = fail(why, "out of memory");
    if (!ok) {
        memset(out, 0, sizeof *out);
        return false;
    }
    memcpy(out->data, p + (count - left), left);
    return true;
}

static bool read_member(zip_t *archive, const char *path, const char *name, npy_array *out,
                        text why)
{
    char member[128];
    zip_stat_t stat;
    zip_file_t *file = NULL;
    unsigned char *bytes = NULL;
    bool ok = false;
    snprintf(member, sizeof member, "%s%s", name, strstr(name, ".npy") ? "" : ".npy");
    zip_stat_init(&stat);
    if (zip_stat(archive, member, 0, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE)) {
        fail(why, "%s: no member %s", path, member);
    } else if (stat.size > MAX_MEMBER_BYTES) {
        fail(why, "%s: %s is too large", path, member);
    } else if (!(file = zip_fopen(archive, member, 0))) {
        fail(why, "%s: %s: %s", path, member, zip_strerror(archive));
    } else if (!(bytes = malloc((size_t)stat.size + 1))) {
        fail(why, "out of memory");
    } else if (zip_fread(file, bytes, stat.size + 1) != (zip_int64_t)stat.size) {
        /* One byte more is asked for: the end is reached and libzip has checked the CRC. */
        fail(why, "%s: %s cannot be read whole", path, member);
    } else {
        char reason[128] = "";
        ok = npy_parse(bytes, (size_t)stat.size, out, reason, sizeof reason);
        if (!ok) fail(why, "%s: %s: %s", path, member, reason);
    }
    if (file) zip_fclose(file);
    free(bytes);
    return ok;
}

bool npz_read(const char *path, const char *name, npy_array *out, char *why_text, size_t why_bytes)
{
    text why = {why_text, why_bytes};
    int code = 0;
    memset(out, 0, sizeof *out);
    zip_t *archive = zip_open(path, ZIP_RDONLY, &code);
    if (!archive) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        fail(why, "%s: %s", path, zip_error_strerror(&error));
        zip_error_fini(&error);
        return false;
    }
    bool ok = read_member(archive, path, name, out, why);
    zip_discard(archive);
    return ok;
}

double npy_float(const npy_array *array, uint64_t i)
{
    float f4;
    double f8;
    switch (array->type) {
    case NPY_F4:
        memcpy(&f4, (const char *)array->data + 4 * i, 4);
        return (double)f4;
    case NPY_F8:
        memcpy(&f8, (const char *)array->data + 8 * i, 8);
        return f8;
    default:
        return (double)npy_int(array, i);
    }
}

int64_t npy_int(const npy_array *array, uint64_t i)
{
    int32_t i4;
    int64_t i8;
    switch (array->type) {
    case NPY_I1:
        return ((const signed char *)array->data)[i];
    case NPY_I4:
        memcpy(&i4, (const char *)array->data + 4 * i, 4);
        return i4;
    case NPY_I8:
        memcpy(&i8, (const char *)array->data + 8 * i, 8);
        return i8;
    default: {
        double v = npy_float(array, i);
        return v >= -9.2e18 && v <= 9.2e18 ? (int64_t)v : 0;
    }
    }
}

void npy_free(npy_array *array)
{
    free(array->data);
    memset(array, 0, sizeof *array);
}
