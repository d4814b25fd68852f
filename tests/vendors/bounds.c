#define _POSIX_C_SOURCE 200809L
#include "bounds.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_EXCEPTIONS 128u
#define MOST_INSTRUCTIONS 20000.0 /* beyond, no instruction cache holds a loop */
#define MATRIX_CAPS ((uint32_t)TVK_CAP_COOPMAT_I8 | (uint32_t)TVK_CAP_COOPMAT_F16)

typedef struct exception {
    char chip[32], kernel[96], what[16];
    double bound;
} exception;

struct exceptions {
    uint32_t count;
    exception list[MOST_EXCEPTIONS];
};

/* "chip kernel what bound reason": patterns of the shell; a reason is required. */
static bool parse(const char *line, exception *out)
{
    int end = 0;
    if (sscanf(line, "%31s %95s %15s %lf %n", out->chip, out->kernel, out->what, &out->bound,
               &end) != 4 ||
        end == 0 || !line[end] || line[end] == '\n')
        return false;
    return !strcmp(out->what, "spills") || !strcmp(out->what, "scratch") ||
           !strcmp(out->what, "occupancy") || !strcmp(out->what, "instructions");
}

exceptions *exceptions_read(const char *path)
{
    char line[512];
    uint32_t at = 0;
    bool good = true;
    exceptions *e = calloc(1, sizeof *e);
    FILE *f = fopen(path, "r");
    if (!f) fprintf(stderr, "%s: a file expected, none found\n", path);
    while (e && f && good && fgets(line, sizeof line, f)) {
        at++;
        if (line[0] == '#' || line[0] == '\n') continue;
        good = e->count < MOST_EXCEPTIONS && parse(line, &e->list[e->count++]);
        if (!good) fprintf(stderr, "%s:%u: 'chip kernel what bound reason' expected\n", path, at);
    }
    if (f) fclose(f);
    if (!f || !good) exceptions_free(&e);
    return e;
}

void exceptions_free(exceptions **e)
{
    free(*e);
    *e = NULL;
}

/* The bound for this kernel: the first exception that is about it, else the usual one. */
static double bound_of(const exceptions *e, const chip_facts *chip, const kernel_facts *k,
                       const char *what, double usual)
{
    for (uint32_t i = 0; i < e->count; i++) {
        const exception *x = &e->list[i];
        if (!strcmp(x->what, what) && !fnmatch(x->chip, chip->name, 0) &&
            !fnmatch(x->kernel, k->name, 0))
            return x->bound;
    }
    return usual;
}

static uint32_t complain(const chip_facts *chip, const kernel_facts *k, const char *what,
                         double expected, double found)
{
    fprintf(stderr, "%s: %s: %s: %g expected, %g found\n", chip->name, k->name, what, expected,
            found);
    return 1;
}

static uint32_t at_most(const chip_facts *chip, const exceptions *e, const kernel_facts *k,
                        const char *what, double usual, double found)
{
    const double bound = bound_of(e, chip, k, what, usual);
    return found > bound ? complain(chip, k, what, bound, found) : 0;
}

/* Kernels whose work is sums of products of bytes. */
static bool multiplies_bytes(tvk_op op)
{
    const char *name = tvk_op_name(op);
    const char *format = strrchr(name, '_') + 1;
    return (!strncmp(name, "gemv_t", 6) || !strncmp(name, "gemm_t", 6) ||
            !strncmp(name, "norm_gemv_", 10) || !strncmp(name, "up_t2_", 6)) &&
           (!strcmp(format, "i8") || !strcmp(format, "i4") || !strcmp(format, "fp4"));
}

static uint32_t check_instructions(const chip_facts *chip, const kernel_facts *k)
{
    const tvk_shader_info *row = tvk_shader_get(k->row);
    const bool dot = (row->caps & TVK_CAP_DOT) != 0, matrix = (row->caps & MATRIX_CAPS) != 0;
    uint32_t bad = 0;
    if (dot && !chip->dot) bad += complain(chip, k, "asks for dot products", 0, 1);
    if (matrix && !chip->matrix) bad += complain(chip, k, "asks for matrices", 0, 1);
    if (chip->dot && !dot && !matrix && multiplies_bytes(row->op))
        bad += complain(chip, k, "asks for dot products", 1, 0);
    if (chip->dot && dot && k->told && !k->dot)
        bad += complain(chip, k, "dot product instructions", 1, 0);
    if (chip->matrix && matrix && k->told && !k->matrix)
        bad += complain(chip, k, "matrix instructions", 1, 0);
    return bad;
}

/* A driver that renames a statistic would pass unseen. */
static uint32_t check_told(const chip_facts *chip, const compiler *c, const kernel_facts *k)
{
    const struct {
        const char *names;
        double found;
    } all[] = {{c->instructions, k->instructions},
               {c->registers, k->registers},
               {c->occupancy, k->occupancy},
               {c->spills, k->spills},
               {c->scratch, k->scratch}};
    uint32_t bad = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!all[i].names || all[i].found >= 0) continue;
        fprintf(stderr, "%s: %s: statistic %s: expected, none found\n", chip->name, k->name,
                all[i].names);
        bad++;
    }
    return bad;
}

uint32_t bounds_check(const chip_facts *chip, const compiler *c, const exceptions *e,
                      const kernel_facts *k)
{
    const double least = bound_of(e, chip, k, "occupancy", c->least_occupancy);
    uint32_t bad = check_told(chip, c, k);
    bad += at_most(chip, e, k, "spills", 0, k->spills);
    bad += at_most(chip, e, k, "scratch", 0, k->scratch);
    bad += at_most(chip, e, k, "instructions", MOST_INSTRUCTIONS, k->instructions);
    if (k->occupancy >= 0 && k->occupancy < least)
        bad += complain(chip, k, "occupancy", least, k->occupancy);
    return bad + check_instructions(chip, k);
}

uint32_t bounds_check_all(const chip_facts *chip, const kernel_facts *list, uint32_t count)
{
    uint32_t matrices = 0;
    for (uint32_t i = 0; i < count; i++)
        matrices += (tvk_shader_get(list[i].row)->caps & TVK_CAP_COOPMAT_I8) != 0;
    if (!chip->matrix || matrices > 0) return 0;
    fprintf(stderr, "%s: kernels with matrices of bytes: 1 or more expected, none found\n",
            chip->name);
    return 1;
}
