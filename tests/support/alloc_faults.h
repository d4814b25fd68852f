/* Allocations that fail on demand, in programs linked with -Wl,--wrap=malloc,--wrap=calloc,
 * --wrap=realloc,--wrap=free: our code and the static libraries, not drivers or libc. One thread.
 */
#ifndef TVK_TESTS_ALLOC_FAULTS_H
#define TVK_TESTS_ALLOC_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* The n-th allocation from now on fails, and with `all` those after it; 0: none does. */
void alloc_fail_at(uint64_t n, bool all);
/* Whether one has failed since. */
bool alloc_failed(void);
/* Blocks that are allocated now. */
int64_t alloc_live(void);

#endif
