/* A fuzz target: one function over untrusted bytes, which must return without a crash, a leak, a
 * hang or a report of the sanitizers. Linked with libFuzzer (preset `fuzz`) or with replay.c. */
#ifndef TVK_FUZZ_TARGET_H
#define TVK_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stops the process when a promise of the library does not hold: fuzzers see it as a crash. */
void fuzz_require(int holds, const char *what);

/* A message: not empty, no control characters, in UTF-8 or not. */
int fuzz_is_reason(const char *text);

/* Writes `bytes` to a file in a folder in memory where there is one; the path belongs to the
 * process and to `name`. Static storage, overwritten by the next call with the same name. */
const char *fuzz_file(const char *name, const void *data, size_t bytes);
/* The path alone. */
const char *fuzz_path(const char *name);

#endif
