#include "bench_tests.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

typedef struct counts {
    uint32_t list[BENCH_LIST], count;
} counts;

static bool parse_counts(const char *option, const char *text, uint32_t least, uint32_t most,
                         counts *out)
{
    const char *at = text;
    out->count = 0;
    for (;;) {
        char *end;
        unsigned long v = strtoul(at, &end, 10);
        if (end == at || *at < '0' || *at > '9' || v < least || v > most || (*end && *end != ','))
            break;
        if (out->count == BENCH_LIST) {
            out_error("%s: at most %u numbers expected, '%s' found", option, BENCH_LIST, text);
            return false;
        }
        out->list[out->count++] = (uint32_t)v;
        if (!*end) return true;
        at = end + 1;
    }
    out_error("%s: whole numbers from %u to %u like 128,512 expected, '%s' found", option, least,
              most, text);
    return false;
}

/* Positions that a test takes. A generated text begins with a token that is given. */
static uint64_t positions(const bench_test *t)
{
    return (uint64_t)t->n_depth + (t->n_prompt ? t->n_prompt : t->n_gen + 1);
}

static bool add(bench_plan *p, bench_test test)
{
    if (p->count == BENCH_TESTS) {
        out_error("bench: at most %u tests expected", BENCH_TESTS);
        return false;
    }
    p->tests[p->count++] = test;
    if (positions(&test) > p->context) p->context = (uint32_t)positions(&test);
    if (test.n_parallel > p->sessions) p->sessions = test.n_parallel;
    return true;
}

/* All tests of a depth behind each other: prompts, then texts, one session first. */
static bool add_depth(bench_plan *p, const counts *prompt, const counts *gen,
                      const counts *parallel, uint32_t depth)
{
    for (uint32_t i = 0; i < prompt->count; i++) {
        if (prompt->list[i] == 0) continue;
        if (!add(p, (bench_test){.n_prompt = prompt->list[i], .n_depth = depth, .n_parallel = 1}))
            return false;
    }
    for (uint32_t i = 0; i < gen->count; i++) {
        for (uint32_t n = 0; n < parallel->count && gen->list[i]; n++) {
            if (!add(p, (bench_test){.n_gen = gen->list[i],
                                     .n_depth = depth,
                                     .n_parallel = parallel->list[n]}))
                return false;
        }
    }
    return true;
}

int bench_plan_make(const bench_lists *lists, uint32_t context, bench_plan *out)
{
    const uint32_t most = 1u << 20, most_sessions = 1024;
    counts prompt, gen, depth, parallel;
    *out = (bench_plan){0};
    if (!parse_counts("-p", lists->prompt, 0, most, &prompt) ||
        !parse_counts("-n", lists->gen, 0, most, &gen) ||
        !parse_counts("-d", lists->depth, 0, most, &depth) ||
        !parse_counts("-np", lists->parallel, 1, most_sessions, &parallel))
        return 2;
    for (uint32_t d = 0; d < depth.count; d++)
        if (!add_depth(out, &prompt, &gen, &parallel, depth.list[d])) return 2;
    if (out->count == 0) {
        out_error("bench: nothing to measure: -p and -n are both 0");
        return 2;
    }
    for (uint32_t i = 0; context && i < out->count; i++) {
        char name[64];
        if (positions(&out->tests[i]) <= context) continue;
        out_error("bench: %s takes %llu positions, -c gives %u",
                  bench_test_name(&out->tests[i], name, sizeof name),
                  (unsigned long long)positions(&out->tests[i]), context);
        return 2;
    }
    if (context) out->context = context;
    return 0;
}

const char *bench_test_name(const bench_test *t, char *text, size_t bytes)
{
    char depth[24] = "", parallel[24] = "";
    if (t->n_depth) snprintf(depth, sizeof depth, " @ d%u", t->n_depth);
    if (t->n_parallel > 1) snprintf(parallel, sizeof parallel, " x%u", t->n_parallel);
    snprintf(text, bytes, "%s%u%s%s", t->n_prompt ? "pp" : "tg",
             t->n_prompt ? t->n_prompt : t->n_gen, parallel, depth);
    return text;
}

double bench_test_tokens(const bench_test *t)
{
    return t->n_prompt ? t->n_prompt : (double)t->n_gen * t->n_parallel;
}
