/* What `bench` measures: lists of numbers -> tests, in llama-bench's order. */
#ifndef TVK_CLI_BENCH_TESTS_H
#define TVK_CLI_BENCH_TESTS_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_LIST 16u
#define BENCH_TESTS (2 * BENCH_LIST * BENCH_LIST)

/* A prompt, or a text that is generated, behind n_depth tokens. */
typedef struct bench_test {
    uint32_t n_prompt, n_gen, n_depth; /* one of the first two is 0 */
    uint32_t n_parallel;               /* sessions that generate side by side */
} bench_test;

/* Options as they were given: "512,1024". */
typedef struct bench_lists {
    const char *prompt, *gen, *depth, *parallel;
} bench_lists;

typedef struct bench_plan {
    bench_test tests[BENCH_TESTS];
    uint32_t count;
    uint32_t context;  /* positions that the longest test takes */
    uint32_t sessions; /* that the widest one takes */
} bench_plan;

/* context: positions asked for, 0: as many as the tests take. Returns an exit status; 2 after a
 * line that says what was expected. */
int bench_plan_make(const bench_lists *lists, uint32_t context, bench_plan *out);

/* "pp512", "tg128 @ d1024", "tg128 x8" */
const char *bench_test_name(const bench_test *test, char *text, size_t bytes);

/* Tokens that one run of it feeds or draws, of all sessions. */
double bench_test_tokens(const bench_test *test);

#endif
