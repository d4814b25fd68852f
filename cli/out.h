/* What the program says: results to stdout, everything else to stderr. */
#ifndef TVK_CLI_OUT_H
#define TVK_CLI_OUT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/compiler.h"
#include "ternvk/base.h"

/* One line on stderr: "ternvk: ...". */
void out_error(const char *fmt, ...) TVK_PRINTF(1, 2);
/* The same for a failed call of the library; returns the exit status 1. */
int out_failed(const tvk_error *err);
/* The library's messages to stderr: warnings, with verbose 1 information, with 2 all. */
tvk_log out_log(uint32_t verbose);
/* "1.5 GiB" into text. */
const char *out_bytes(uint64_t bytes, char *text, size_t size);
/* Monotonic milliseconds. */
double out_now_ms(void);

#endif
