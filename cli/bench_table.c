/* The markdown form, in llama-bench's look: columns padded, numbers at the right. */
#include <stdio.h>
#include <string.h>

#include "bench_report.h"
#include "out.h"

/* What all rows have in common stands first. */
enum { MODEL, SIZE, PARAMS, MEMORY, BACKEND, DEVICE, DRIVER, ACT, CACHE, SPARSE, BUILD, COMMON };
enum { TEST = COMMON, RATE, MEDIAN, RANGE, EACH, CPU, COLUMNS };
typedef char cell[256];

static const struct {
    const char *head;
    int width; /* at least; a wider one where the common cell needs it */
    bool text; /* at the left */
} columns[COLUMNS] = {
    [MODEL] = {"model", 30, true},     [SIZE] = {"size", 10, false},
    [PARAMS] = {"params", 10, false},  [MEMORY] = {"memory", 10, false},
    [BACKEND] = {"backend", 7, true},  [DEVICE] = {"device", 6, true},
    [DRIVER] = {"driver", 6, true},    [ACT] = {"act", 4, true},
    [CACHE] = {"k/v/q", 5, true},      [SPARSE] = {"sparse", 6, true},
    [BUILD] = {"build", 5, true},      [TEST] = {"test", 15, false},
    [RATE] = {"t/s", 20, false},       [MEDIAN] = {"median", 10, false},
    [RANGE] = {"min..max", 21, false}, [EACH] = {"ms/token", 8, false},
    [CPU] = {"cpu", 5, false},
};

static void common_cells(const bench_setup *s, cell *out)
{
    const tvk_model_info *m = s->model;
    char skips[64];
    snprintf(out[MODEL], sizeof *out, "%s %s, %s", m->name, s->type, s->embedding);
    out_bytes(s->bytes, out[SIZE], sizeof *out);
    snprintf(out[PARAMS], sizeof *out, "%.2f M", (double)m->parameters / 1e6);
    out_bytes(bench_memory(s), out[MEMORY], sizeof *out);
    snprintf(out[BACKEND], sizeof *out, "Vulkan");
    snprintf(out[DEVICE], sizeof *out, "%s", s->device->name);
    snprintf(out[DRIVER], sizeof *out, "%s", s->device->driver);
    snprintf(out[ACT], sizeof *out, "%s", m->act_quant);
    snprintf(out[CACHE], sizeof *out, "%s/%s/%s", s->kv_k, s->kv_v, s->q);
    snprintf(out[SPARSE], sizeof *out, "%s: %s", s->sparse, bench_skips(m, skips, sizeof skips));
    bench_build(out[BUILD], sizeof *out);
}

/* Characters, not bytes: a row has "±". */
static int length(const char *text)
{
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static int width_of(int column, cell *common)
{
    int need = column < COMMON ? length(common[column]) : 0;
    return need > columns[column].width ? need : columns[column].width;
}

static void print_cell(int column, int width, const char *text)
{
    int pad = width > length(text) ? width - length(text) : 0;
    bool left = columns[column].text;
    printf(" %*s%s%*s |", left ? 0 : pad, "", text, left ? pad : 0, "");
}

void bench_table_head(const bench_setup *s)
{
    cell common[COMMON];
    common_cells(s, common);
    putchar('|');
    for (int i = 0; i < COLUMNS; i++) print_cell(i, width_of(i, common), columns[i].head);
    fputs("\n|", stdout);
    for (int i = 0; i < COLUMNS; i++) {
        putchar(' ');
        for (int k = columns[i].text ? 0 : 1; k < width_of(i, common); k++) putchar('-');
        fputs(columns[i].text ? " |" : ": |", stdout);
    }
    putchar('\n');
}

void bench_table_row(const bench_setup *s, const bench_row *r, const bench_spread *rate)
{
    cell cells[COLUMNS];
    common_cells(s, cells);
    bench_test_name(&r->test, cells[TEST], sizeof *cells);
    snprintf(cells[RATE], sizeof *cells, "%.2f ± %.2f", rate->mean, rate->deviation);
    snprintf(cells[MEDIAN], sizeof *cells, "%.2f", rate->median);
    snprintf(cells[RANGE], sizeof *cells, "%.2f..%.2f", rate->least, rate->most);
    snprintf(cells[EACH], sizeof *cells, "%.3f", 1e3 / rate->mean);
    snprintf(cells[CPU], sizeof *cells, r->cpu < 0 ? "-" : "%.0f %%", 100 * r->cpu);
    putchar('|');
    for (int i = 0; i < COLUMNS; i++) print_cell(i, width_of(i, cells), cells[i]);
    putchar('\n');
}

const char *bench_skips(const tvk_model_info *m, char *text, size_t bytes)
{
    static const char *const names[TVK_SKIP_COUNT] = {
        [TVK_SKIP_O] = "o", [TVK_SKIP_UP] = "up", [TVK_SKIP_DOWN] = "down"};
    size_t at = 0;
    snprintf(text, bytes, "-");
    for (int i = 0; i < TVK_SKIP_COUNT && at < bytes; i++) {
        if (!m->skip[i].used) continue;
        at += (size_t)snprintf(text + at, bytes - at, "%s%s", at ? ", " : "", names[i]);
    }
    return text;
}

uint64_t bench_memory(const bench_setup *s)
{
    uint64_t sum = 0;
    for (int i = 0; i < TVK_PURPOSE_COUNT; i++) sum += s->memory.by_purpose[i];
    return sum;
}
