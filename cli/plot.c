#include "plot.h"

#include <math.h>
#include <string.h>

/* what an axis shows: files may hold anything */
#define SMALLEST 1e-30
#define LARGEST 1e30
#define WIDTH 460.0
#define HEIGHT 300.0
#define TOP 12.0
#define BOTTOM 42.0
#define RIGHT 14.0
#define LEFT 52.0
#define LEFT_NAMES 176.0

void html_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '>')
            fputs("&gt;", to);
        else if (*text == '&')
            fputs("&amp;", to);
        else if (*text == '"')
            fputs("&quot;", to);
        else
            putc(*text, to);
    }
}

void plot_add(plot_range *r, double v)
{
    if (!(v > SMALLEST && v < LARGEST)) return;
    if (r->least <= 0 || v < r->least) r->least = v;
    if (v > r->most) r->most = v;
}

const char *html_rate(double giga, const char *unit, char *text, size_t bytes)
{
    snprintf(text, bytes, "%.4g %s%s", giga < 1000 ? giga : giga / 1000, giga < 1000 ? "G" : "T",
             unit);
    return text;
}

/* ---- where things stand ---- */

static double height(const plot *p)
{
    return p->height > 0 ? p->height : HEIGHT;
}

static double left(const plot *p)
{
    return p->names ? LEFT_NAMES : LEFT;
}

static double part(const plot_range *r, double v)
{
    return (log(v) - log(r->least)) / (log(r->most) - log(r->least));
}

static double at_x(const plot *p, double x)
{
    return left(p) + part(&p->x, x) * (WIDTH - left(p) - RIGHT);
}

static double at_y(const plot *p, double y)
{
    const double room = height(p) - TOP - BOTTOM;
    if (p->names) return TOP + room * y; /* plot_named */
    return TOP + room * (1 - part(&p->y, y));
}

static bool inside(const plot *p, double x, double y)
{
    if (!(x >= p->x.least && x <= p->x.most)) return false;
    return p->names || (y >= p->y.least && y <= p->y.most);
}

double plot_named(const plot *p, size_t i)
{
    return ((double)i + 0.5) / (double)p->names;
}

/* To whole decades, a bit beyond the data; powers of two end where the data does. */
static void widen(plot_range *r, bool twos)
{
    if (r->least <= 0) *r = (plot_range){1, 10};
    if (twos) {
        r->least /= 1.15;
        r->most *= 1.15;
        return;
    }
    r->least = pow(10, floor(log10(r->least * 0.9)));
    r->most = pow(10, ceil(log10(r->most * 1.1)));
}

/* ---- axes ---- */

/* 1000 as 1k */
static void tick_text(double v, char *text, size_t bytes)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    size_t unit = 0;
    while (v >= 1000 && unit < 4) {
        v /= 1000;
        unit++;
    }
    snprintf(text, bytes, "%g%s", v, units[unit]);
}

static void x_axis(const plot *p)
{
    const double bottom = height(p) - BOTTOM, step = p->twos ? 2 : 10;
    const double first = p->twos ? pow(2, ceil(log2(p->x.least))) : p->x.least;
    for (double v = first; v <= p->x.most * 1.0001; v *= step) {
        char text[32];
        if (p->twos)
            snprintf(text, sizeof text, "%g", v);
        else
            tick_text(v, text, sizeof text);
        fprintf(p->to,
                "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
                at_x(p, v), at_x(p, v), TOP, bottom, at_x(p, v), bottom + 16, text);
    }
    fprintf(p->to,
            "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
            "<text class=\"name\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
            left(p), WIDTH - RIGHT, bottom, bottom, (left(p) + WIDTH - RIGHT) / 2, bottom + 34);
    html_text(p->to, p->x_name);
    fputs("</text>\n", p->to);
}

static void y_axis(const plot *p)
{
    if (p->names) return;
    static const double between[] = {1, 2, 5};
    const bool few = p->y.most / p->y.least < 150; /* two decades at most: ticks between them */
    for (int i = 0;; i++) {
        const double v = p->y.least * pow(10, few ? i / 3 : i) * between[few ? i % 3 : 0];
        char text[32];
        if (v > p->y.most * 1.0001) break;
        tick_text(v, text, sizeof text);
        fprintf(p->to,
                "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                LEFT, WIDTH - RIGHT, at_y(p, v), at_y(p, v), LEFT - 6, at_y(p, v) + 4, text);
    }
    fprintf(p->to,
            "<text class=\"name\" transform=\"translate(12 %.1f) rotate(-90)\" "
            "text-anchor=\"middle\">",
            TOP + (height(p) - TOP - BOTTOM) / 2);
    html_text(p->to, p->y_name);
    fputs("</text>\n", p->to);
}

void plot_begin(plot *p, const char *title)
{
    widen(&p->x, p->twos);
    if (!p->names) widen(&p->y, false);
    fputs("<figure><figcaption>", p->to);
    html_text(p->to, title);
    fprintf(p->to, "</figcaption>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"",
            WIDTH, height(p));
    html_text(p->to, title);
    fputs("\">\n", p->to);
    x_axis(p);
    y_axis(p);
}

void plot_end(const plot *p)
{
    fputs("</svg></figure>\n", p->to);
}

/* ---- contents ---- */

void plot_line(const plot *p, const char *class_name, const double *x, const double *y, size_t n)
{
    bool open = false;
    for (size_t i = 0; i < n; i++) {
        const bool drawn = y[i] > 0 && inside(p, x[i], y[i]);
        if (drawn && !open) fprintf(p->to, "<polyline class=\"%s\" points=\"", class_name);
        if (drawn) fprintf(p->to, "%.1f,%.1f ", at_x(p, x[i]), at_y(p, y[i]));
        if (!drawn && open) fputs("\"/>\n", p->to);
        open = drawn;
    }
    if (open) fputs("\"/>\n", p->to);
}

void plot_point(const plot *p, const char *class_name, plot_mark mark, double x, double y,
                const char *tip)
{
    /* around the point, in units of a radius of one */
    static const char *const shapes[PLOT_MARKS] = {"M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0z",
                                                   "M-.9-.9h1.8v1.8h-1.8z", "M0-1.2L1.1.8H-1.1z",
                                                   "M0-1.3L1.1 0 0 1.3-1.1 0z"};
    if (!(y > 0) || !inside(p, x, y)) return;
    fprintf(p->to,
            "<path class=\"%s\" d=\"%s\" transform=\"translate(%.1f %.1f) scale(%.1f)\"><title>",
            class_name, shapes[mark], at_x(p, x), at_y(p, y), p->radius > 0 ? p->radius : 4.2);
    html_text(p->to, tip);
    fputs("</title></path>\n", p->to);
}

bool plot_touch(const plot *p, double y, double other)
{
    return fabs(at_y(p, y) - at_y(p, other)) < 14;
}

void plot_label(const plot *p, double x, double y, plot_side side, const char *text)
{
    static const double down[] = {[PLOT_ABOVE] = -5, [PLOT_BELOW] = 13, [PLOT_LEFT] = 0};
    if (!inside(p, x, y)) return;
    fprintf(p->to, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">",
            at_x(p, x) - (side == PLOT_LEFT ? 9 : 0), at_y(p, y) + down[side]);
    html_text(p->to, text);
    fputs("</text>\n", p->to);
}

void plot_name(const plot *p, size_t i, const char *text)
{
    const double y = at_y(p, plot_named(p, i));
    fprintf(p->to,
            "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
            "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">",
            left(p), WIDTH - RIGHT, y, y, left(p) - 8, y + 4);
    html_text(p->to, text);
    fputs("</text>\n", p->to);
}
