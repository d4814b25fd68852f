#include "kernels_report.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels_charts.h"
#include "out.h"
#include "plot.h"
#include "replace.h"
#include "texts.h"

/* ---- facts ---- */

static void bytes_fact(FILE *to, const kernels_setup *s, double bytes)
{
    char text[32];
    (void)s;
    fputs(out_bytes((uint64_t)bytes, text, sizeof text), to);
}

static void heap(FILE *to, const kernels_setup *s)
{
    bytes_fact(to, s, s->device_bytes);
    if (s->uma) fputs(", shared with the host", to);
}

static void binding(FILE *to, const kernels_setup *s)
{
    bytes_fact(to, s, s->max_storage_bytes);
}

static void subgroups(FILE *to, const kernels_setup *s)
{
    fprintf(to, "%.0f to %.0f, kernels rely on %.0f", s->subgroup_min, s->subgroup_max,
            s->subgroup_fixed);
}

static void workgroups(FILE *to, const kernels_setup *s)
{
    fprintf(to, "%.0f invocations, %.0f KiB shared", s->max_invocations, s->shared_bytes / 1024);
}

static void types(FILE *to, const kernels_setup *s)
{
    const struct {
        bool has;
        const char *name;
    } all[] = {{s->fp16, "f16"},
               {s->int8, "int8"},
               {s->storage8, "8-bit storage"},
               {s->storage16, "16-bit storage"},
               {s->dot_signed, "signed dot"},
               {s->dot_mixed, "mixed dot"},
               {s->matrix_cores, "cooperative matrices"}};
    const char *comma = "";
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!all[i].has) continue;
        fprintf(to, "%s%s", comma, all[i].name);
        comma = ", ";
    }
    if (!*comma) fputs("32-bit integers and floats", to);
}

static void driver(FILE *to, const kernels_setup *s)
{
    html_text(to, s->driver);
    fputs("; Vulkan ", to);
    html_text(to, s->api);
}

/* A number of a file as PCI has them. */
static unsigned id_of(double v)
{
    return v <= UINT32_MAX ? (unsigned)v : 0;
}

static void device_type(FILE *to, const kernels_setup *s)
{
    html_text(to, s->type);
    fprintf(to, ", vendor %04x, device %04x%s", id_of(s->vendor_id), id_of(s->device_id),
            s->clamped ? ", limits lowered by --clamps" : "");
}

static void build(FILE *to, const kernels_setup *s)
{
    fputs("ternvk ", to);
    html_text(to, s->version);
    fputs(" (", to);
    html_text(to, s->commit);
    fputs("), ", to);
    html_text(to, s->time);
    fprintf(to, ", median of up to %.0f", s->repetitions);
}

static void note(FILE *to, const kernels_setup *s)
{
    html_text(to, s->quirks);
    if (s->quirks[0] && s->note[0]) fputs("; ", to);
    html_text(to, s->note);
}

static void peak(FILE *to, double giga, const char *unit)
{
    char text[32];
    fputs(giga > 0 ? html_rate(giga, unit, text, sizeof text) : "–", to);
}

static void peak_int(FILE *to, const kernels_setup *s)
{
    peak(to, s->int_gop_per_s, "op/s");
    fputs(" (", to);
    html_text(to, s->int_row);
    fputs(")", to);
}

/* What is written by itself, or (write NULL) a peak in 1e9 units. */
static const struct {
    const char *name;
    void (*write)(FILE *to, const kernels_setup *s);
    size_t peak; /* of kernels_setup, a double */
    const char *unit;
} facts[] = {
    {"type", device_type, 0, NULL},
    {"driver", driver, 0, NULL},
    {"memory", heap, 0, NULL},
    {"largest binding", binding, 0, NULL},
    {"subgroup", subgroups, 0, NULL},
    {"workgroup", workgroups, 0, NULL},
    {"arithmetic", types, 0, NULL},
    {"built and measured", build, 0, NULL},
    {"remarks", note, 0, NULL},
    {"peak: memory read", NULL, offsetof(kernels_setup, read_gb_per_s), "B/s"},
    {"peak: memory copied", NULL, offsetof(kernels_setup, copy_gb_per_s), "B/s, read and written"},
    {"peak: integers, packed dot product where there is one", peak_int, 0, NULL},
    {"peak: f32, each operation rounded", NULL, offsetof(kernels_setup, float_gop_per_s), "op/s"},
    {"peak: cooperative matrices of bytes", NULL, offsetof(kernels_setup, matrix_gop_per_s),
     "op/s"},
    {"peak: cooperative matrices of f16", NULL, offsetof(kernels_setup, half_gop_per_s), "op/s"},
};

static void write_fact(FILE *to, size_t i, const kernels_setup *s)
{
    if (facts[i].write)
        facts[i].write(to, s);
    else
        peak(to, *(const double *)(const void *)((const char *)s + facts[i].peak), facts[i].unit);
}

static void device_heads(FILE *to, const kernels_view *v, int columns)
{
    for (size_t d = 0; d < v->count; d++) {
        fprintf(to, "<th scope=\"col\" colspan=\"%d\"><span class=\"chip d%zu\">", columns, d);
        html_text(to, v->results[d].setup.device);
        fputs("</span></th>", to);
    }
}

static void write_facts(FILE *to, const kernels_view *v)
{
    fputs("<section><h2>Devices and their peaks</h2>\n<div class=\"wide\"><table class=\"facts\">"
          "<thead><tr><th></th>",
          to);
    device_heads(to, v, 1);
    fputs("</tr></thead><tbody>\n", to);
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        fprintf(to, "<tr><th scope=\"row\">%s</th>", facts[i].name);
        for (size_t d = 0; d < v->count; d++) {
            fputs("<td>", to);
            write_fact(to, i, &v->results[d].setup);
            fputs("</td>", to);
        }
        fputs("</tr>\n", to);
    }
    fputs("</tbody></table></div></section>\n", to);
}

/* ---- charts ---- */

/* marks: each device has one of its own in these charts; else they say what a kernel is. */
static void legend(FILE *to, const kernels_view *v, bool marks)
{
    static const char *const mark_names[] = {"●", "■", "▲", "◆"};
    fputs("<p class=\"legend\">", to);
    for (size_t d = 0; d < v->count; d++) {
        fprintf(to, "<span class=\"key d%zu\">%s</span> ", d, marks ? mark_names[d % 4] : "●");
        html_text(to, v->results[d].setup.device);
        fputs(" &ensp; ", to);
    }
    fputs("</p>\n", to);
}

static void write_charts(FILE *to, const kernels_view *v)
{
    static const struct {
        const char *title, *text;
        bool marks;
        void (*draw)(FILE *to, const kernels_view *v);
    } charts[] = {
        {"Rooflines",
         "Each mark is a case: ● mat-vec, ■ mat-mat, ▲ attention and cache, ◆ others. Lines are "
         "the device's own measured peaks; marks above the memory line are of data that the caches "
         "hold.",
         false, kernels_chart_rooflines},
        {"Mat-mats by rows of activations", "Higher is better.", true, kernels_chart_rows},
        {"Mat-vecs", "Time of one, further left is better.", true, kernels_chart_vectors},
        {"Attention of one token by depth", "Time, lower is better.", true, kernels_chart_depths},
    };
    for (size_t i = 0; i < sizeof charts / sizeof *charts; i++) {
        fprintf(to, "<section><h2>%s</h2>\n<p>%s</p>\n", charts[i].title, charts[i].text);
        if (charts[i].marks) legend(to, v, true);
        fputs("<div class=\"charts\">\n", to);
        charts[i].draw(to, v);
        fputs("</div></section>\n", to);
    }
}

/* ---- tables ---- */

static void write_side(FILE *to, const kernels_side *s, bool best)
{
    const kernels_row *r = s->fastest;
    if (!r && s->other) {
        fputs("<td colspan=\"3\" class=\"not\">", to);
        fprintf(to, "%s: ", s->other->status);
        html_text(to, s->other->why[0] ? s->other->why : "no time");
        fputs("</td>", to);
        return;
    }
    if (!r) {
        fputs("<td colspan=\"3\" class=\"not\">–</td>", to);
        return;
    }
    fputs("<td title=\"", to);
    html_text(to, r->row);
    fprintf(to, ", checked %.3g %%\">%s%.4g%s</td>", 100 * r->checked, best ? "<b>" : "",
            r->ns / 1e3, best ? "</b>" : "");
    if (r->tops > 0)
        fprintf(to, "<td>%.4g GB/s, %.4g TOPS</td>", r->gb_per_s, r->tops);
    else
        fprintf(to, "<td>%.4g GB/s</td>", r->gb_per_s);
    if (r->bound[0])
        fprintf(to, "<td>%.0f %% %s</td>", r->peak_percent, r->bound);
    else
        fputs("<td>–</td>", to);
}

static void write_case(FILE *to, const kernels_view *v, const kernels_case *c)
{
    double least = 0;
    size_t timed = 0;
    for (size_t d = 0; d < v->count; d++) {
        const kernels_row *r = c->side[d].fastest;
        if (!r) continue;
        timed++;
        if (least <= 0 || r->ns < least) least = r->ns;
    }
    fputs("<tr><th scope=\"row\">", to);
    html_text(to, c->first->op);
    fputs("</th><td class=\"case\">", to);
    html_text(to, c->first->name);
    if (c->first->types[0] && !strstr(c->first->name, c->first->types)) {
        fputs(", ", to);
        html_text(to, c->first->types);
    }
    fputs("</td>", to);
    for (size_t d = 0; d < v->count; d++)
        write_side(to, &c->side[d],
                   timed > 1 && c->side[d].fastest && c->side[d].fastest->ns <= least);
    fputs("</tr>\n", to);
}

static void write_family(FILE *to, const kernels_view *v, kernels_family family)
{
    size_t count = 0;
    for (size_t i = 0; i < v->case_count; i++)
        count += kernels_family_of(v->cases[i].first->op) == family;
    if (count == 0) return;
    fprintf(to,
            "<details><summary>%s <span>%zu cases</span></summary>\n<div class=\"wide\"><table>"
            "<thead><tr><th rowspan=\"2\">kernel</th><th rowspan=\"2\">case</th>",
            kernels_family_name(family), count);
    device_heads(to, v, 3);
    fputs("</tr><tr>", to);
    for (size_t d = 0; d < v->count; d++) fputs("<th>us</th><th>rate</th><th>of the peak</th>", to);
    fputs("</tr></thead><tbody>\n", to);
    for (size_t i = 0; i < v->case_count; i++)
        if (kernels_family_of(v->cases[i].first->op) == family) write_case(to, v, &v->cases[i]);
    fputs("</tbody></table></div></details>\n", to);
}

static void write_tables(FILE *to, const kernels_view *v)
{
    fputs("<section><h2>All cases</h2>\n<p>The fastest row of the manifest that was timed (in the "
          "tip of its time, with the part of the results that was compared with the CPU "
          "reference). Times are medians between time stamps of the device, or from submission to "
          "fence less those of an empty dispatch where it has no such clock.</p>\n",
          to);
    for (int family = 0; family < KERNELS_FAMILIES; family++)
        write_family(to, v, (kernels_family)family);
    fputs("</section>\n", to);
}

/* ---- the page ---- */

static void write_head(FILE *to, const kernels_view *v)
{
    size_t bytes = 0, timed = 0, wrong = 0, skipped = 0;
    const char *css = text_find("report.css", &bytes);
    for (size_t d = 0; d < v->count; d++) {
        for (size_t i = 0; i < v->results[d].count; i++) {
            const char *status = v->results[d].rows[i].status;
            wrong += !strcmp(status, "wrong");
            skipped += !strcmp(status, "skipped");
            timed += !strcmp(status, "ok");
        }
    }
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
          "'unsafe-inline'; img-src data:\">"
          "<meta name=\"color-scheme\" content=\"light dark\">"
          "<title>ternvk kernels</title>\n<style>",
          to);
    if (css) fwrite(css, 1, bytes, to);
    fputs("</style></head><body><main>\n<h1>ternvk kernels</h1>\n<p class=\"lead\">", to);
    fprintf(to,
            "%zu device%s, %zu rows checked against the CPU reference and timed, %zu left out, "
            "<span class=\"%s\">%zu wrong</span></p>\n",
            v->count, v->count == 1 ? "" : "s", timed, skipped, wrong ? "bad" : "good", wrong);
    legend(to, v, false);
}

bool kernels_report(const char *path, const kernels_result *results, size_t count)
{
    kernels_view v = {results, count, NULL, 0};
    kernels_case *cases = kernels_cases(results, count, &v.case_count);
    replace r;
    bool ok = cases != NULL && replace_begin(&r, path);
    if (ok) {
        v.cases = cases;
        write_head(r.file, &v);
        write_facts(r.file, &v);
        write_charts(r.file, &v);
        write_tables(r.file, &v);
        fputs("</main></body></html>\n", r.file);
        ok = replace_end(&r, true);
    }
    free(cases);
    return ok;
}
