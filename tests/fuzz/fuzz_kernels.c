/* A file of kernel times, as `ternvk kernels FILE.json`, --compare and --report read it. The
 * sources of the program are linked, but for the three functions below. */
#include "target.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels_compare.h"
#include "kernels_data.h"
#include "kernels_report.h"
#include "progress.h"
#include "prompt.h"
#include "texts.h"

static unsigned reasons;

/* Called in place of out_error (CMakeLists.txt). */
void __wrap_out_error(const char *fmt, ...);
void __wrap_out_error(const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    reasons++;
    fuzz_require(fuzz_is_reason(text), "a failure has a reason of one line");
}

/* The report's style and the terminal's bar, which are no part of the matter. */
const char *text_find(const char *name, size_t *bytes)
{
    (void)name;
    *bytes = 0;
    return NULL;
}

void progress_clear(void)
{
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++) n++;
    return n;
}

/* What -o json would write. */
static char *write_json(const kernels_result *r)
{
    json_t *rows = json_array();
    json_t *root = json_pack("{so so}", "setup", kernels_setup_json(&r->setup), "rows", rows);
    char *text;
    fuzz_require(root != NULL, "memory");
    for (size_t i = 0; i < r->count; i++)
        fuzz_require(json_array_append_new(rows, kernels_row_json(&r->setup, &r->rows[i])) == 0,
                     "a row that was read can be written");
    text = json_dumps(root, JSON_COMPACT);
    fuzz_require(text != NULL, "what was read can be written");
    json_decref(root);
    return text;
}

static void write_again(const kernels_result *r)
{
    kernels_result again;
    char *once = write_json(r), *twice;
    fuzz_require(kernels_read(fuzz_file("again.json", once, strlen(once)), &again),
                 "what was written can be read");
    twice = write_json(&again);
    fuzz_require(strcmp(once, twice) == 0, "and is the same");
    kernels_free(&again);
    free(once);
    free(twice);
}

static void report(const kernels_result *r)
{
    const kernels_result both[] = {*r, *r};
    const char *path = fuzz_path("page.html");
    size_t bytes = 0;
    char *page;
    fuzz_path("page.html.part"); /* to be removed if need be */
    fuzz_require(kernels_report(path, both, 2), "a page of any results");
    page = prompt_read_file(path, &bytes);
    fuzz_require(page && strlen(page) == bytes, "a page is text");
    fuzz_require(!strstr(page, "<script"), "the file's text is no markup");
    fuzz_require(count(page, "<svg ") == count(page, "</svg>") && count(page, "</html>") == 1,
                 "what begins ends");
    fuzz_require(!strstr(page, "points=\"inf") && !strstr(page, "points=\"nan"),
                 "points are numbers");
    free(page);
}

static void compare(const kernels_result *r)
{
    const kernels_request all = {.patience = 1};
    FILE *to = fopen(fuzz_path("lines"), "w");
    int status;
    fuzz_require(to != NULL, "a temporary file");
    status = kernels_compare(r, r, &all, 10, to);
    fuzz_require(status == 0 || status == 1, "an exit status");
    fclose(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kernels_result r;
    reasons = 0;
    if (!kernels_read(fuzz_file("in.json", data, size), &r)) {
        fuzz_require(reasons == 1, "a failure has one reason");
        return 0;
    }
    write_again(&r);
    report(&r);
    fuzz_require(reasons == 0, "what can be read can be shown");
    compare(&r);
    kernels_free(&r);
    return 0;
}
