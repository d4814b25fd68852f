#include "facts.h"

#include <stdio.h>
#include <string.h>

static const compiler compilers[] = {
#define TVK_COMPILER(driver, instructions, registers, occupancy, spills, scratch, least, dot,      \
                     matrix)                                                                       \
    {driver, instructions, registers, occupancy, spills, scratch, least, dot, matrix},
#include "compilers.def"
};

const compiler *compiler_find(const char *driver)
{
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++)
        if (!strncmp(driver, compilers[i].driver, strlen(compilers[i].driver)))
            return &compilers[i];
    return NULL;
}

typedef struct reader {
    const compiler *c;
    kernel_facts *out;
} reader;

/* The i-th of the alternatives; false past the last. */
static bool alternative(const char *list, uint32_t i, char *out, size_t bytes)
{
    while (list && i-- > 0) {
        list = strchr(list, '|');
        if (list) list++;
    }
    if (!list) return false;
    snprintf(out, bytes, "%.*s", (int)strcspn(list, "|"), list);
    return true;
}

static bool is_one_of(const char *name, const char *list)
{
    char one[64];
    for (uint32_t i = 0; alternative(list, i, one, sizeof one); i++)
        if (!strcmp(name, one)) return true;
    return false;
}

static bool has_one_of(const char *text, const char *list)
{
    char one[64];
    for (uint32_t i = 0; alternative(list, i, one, sizeof one); i++)
        if (strstr(text, one)) return true;
    return false;
}

static void add(double *sum, double value)
{
    *sum = (*sum < 0 ? 0 : *sum) + value;
}

static void number(const reader *r, const char *name, double value)
{
    kernel_facts *o = r->out;
    if (is_one_of(name, r->c->instructions)) add(&o->instructions, value);
    if (is_one_of(name, r->c->spills)) add(&o->spills, value);
    if (is_one_of(name, r->c->scratch)) add(&o->scratch, value);
    if (is_one_of(name, r->c->registers) && value > o->registers) o->registers = value;
    if (is_one_of(name, r->c->occupancy) && (o->occupancy < 0 || value < o->occupancy))
        o->occupancy = value;
}

static void fact(void *user, const tvk_program_fact *f)
{
    const reader *r = user;
    r->out->subgroup = f->subgroup;
    if (!f->text) {
        number(r, f->name, f->value);
    } else if (!strstr(f->name, "NIR")) { /* what came before the machine's own instructions */
        r->out->told = true;
        if (has_one_of(f->text, r->c->dot)) r->out->dot = true;
        if (has_one_of(f->text, r->c->matrix)) r->out->matrix = true;
    }
}

tvk_status kernel_facts_read(tvk_program *program, const char *name, uint32_t row,
                             const compiler *c, kernel_facts *out, tvk_error *err)
{
    reader r = {c, out};
    *out = (kernel_facts){.row = row,
                          .instructions = -1,
                          .registers = -1,
                          .occupancy = -1,
                          .spills = -1,
                          .scratch = -1};
    snprintf(out->name, sizeof out->name, "%s", name);
    return tvk_program_inspect(program, fact, &r, err);
}

bool kernel_facts_same(const kernel_facts *a, const kernel_facts *b)
{
    return a->row == b->row && !strcmp(a->name, b->name) && a->instructions == b->instructions &&
           a->registers == b->registers && a->occupancy == b->occupancy && a->spills == b->spills &&
           a->scratch == b->scratch && a->subgroup == b->subgroup && a->told == b->told &&
           a->dot == b->dot && a->matrix == b->matrix;
}
