/* What the program says: results to stdout, everything else to stderr. */
#ifndef TVK_CLI_OUT_H
#define TVK_CLI_OUT_H

#include <stdbool.h>
#include <stdio.h>

#include "ternvk/base.h"

#if defined(__GNUC__)
#define OUT_PRINTF(fmt_index, first) __attribute__((format(printf, fmt_index, first)))
#else
#define OUT_PRINTF(fmt_index, first)
#endif

/* One line on stderr: "ternvk: ...". */
void out_error(const char *fmt, ...) OUT_PRINTF(1, 2);
/* The same for a failed call of the library; returns the exit status 1. */
int out_failed(const tvk_error *err);
/* The library's messages to stderr: warnings, with verbose 1 information, with 2 all. */
tvk_log out_log(uint32_t verbose);
/* "1.5 GiB" into text. */
const char *out_bytes(uint64_t bytes, char *text, size_t size);
/* Whether a person sees what is written to it, or types what is read from it. */
bool out_is_terminal(FILE *f);
/* Monotonic milliseconds. */
double out_now_ms(void);
/* CPU time of the process in milliseconds, all threads; < 0 where it is not known. */
double out_cpu_ms(void);

#endif
