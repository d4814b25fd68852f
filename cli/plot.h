/* Charts on logarithmic axes as inline SVG. What a series looks like is its class in report.css. */
#ifndef TVK_CLI_PLOT_H
#define TVK_CLI_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Escaped for HTML, in text and in attributes. */
void html_text(FILE *to, const char *text);
/* "400 GB/s", "1.6 TB/s" into text, which is returned; unit: "B/s" */
const char *html_rate(double giga, const char *unit, char *text, size_t bytes);

/* The least and the largest of some positive numbers; others are left out. */
typedef struct plot_range {
    double least, most; /* 0: no number yet */
} plot_range;
void plot_add(plot_range *range, double v);

typedef struct plot {
    FILE *to;
    plot_range x, y; /* of the data; plot_begin widens them to the ends of the axes */
    const char *x_name, *y_name;
    double height; /* 0: as is usual */
    double radius; /* of points; 0: as is usual */
    bool twos;     /* x: ticks at powers of two, not of ten */
    size_t names;  /* y: this many named lines, from above, in place of an axis */
} plot;

typedef enum plot_mark { PLOT_CIRCLE, PLOT_SQUARE, PLOT_TRIANGLE, PLOT_DIAMOND } plot_mark;
#define PLOT_MARKS 4

/* <figure><figcaption><svg>, axes and grid. Points outside the axes are not drawn. */
void plot_begin(plot *p, const char *title);
/* A line through points in order, broken where y is 0. */
void plot_line(const plot *p, const char *class_name, const double *x, const double *y, size_t n);
void plot_point(const plot *p, const char *class_name, plot_mark mark, double x, double y,
                const char *tip);
/* Text that ends at a point of a line: above or below it, or at its left. */
typedef enum plot_side { PLOT_ABOVE, PLOT_BELOW, PLOT_LEFT } plot_side;
void plot_label(const plot *p, double x, double y, plot_side side, const char *text);
/* Would the texts above two horizontal lines touch? */
bool plot_touch(const plot *p, double y, double other);
/* Of named lines: the name of line i; the y of its points. */
void plot_name(const plot *p, size_t i, const char *text);
double plot_named(const plot *p, size_t i);
void plot_end(const plot *p);

#endif
