/* Memory plan, hazards and group rules of graphs: no device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/graph.h"

/* Appends a node that touches the given transients. */
static void node(tvk_graph *g, tvk_span a, tvk_span b)
{
    tvk_error err = {0};
    a.bytes = b.bytes = 1; /* sizes of copies must agree; the plan looks at the tensors */
    assert_int_equal(tvk_graph_copy(g, a, b, &err), TVK_OK);
}

static tvk_span tensor(tvk_graph *g, const char *name, uint64_t bytes)
{
    tvk_span s;
    tvk_error err = {0};
    assert_int_equal(tvk_graph_tensor(g, bytes, &s, &err, "%s", name), TVK_OK);
    return s;
}

/* a -> b -> c -> d: a and c never live together, nor b and d. */
static void chain(tvk_graph *g, bool keep)
{
    tvk_span a, b, c, d;
    tvk_graph_init(g, keep);
    a = tensor(g, "a", 100);
    b = tensor(g, "b", 200);
    c = tensor(g, "c", 90);
    d = tensor(g, "d", 50);
    tensor(g, "unused", 1000000);
    node(g, a, b);
    node(g, b, c);
    node(g, c, d);
}

static void memory_is_shared(void **state)
{
    tvk_graph g;
    tvk_error err = {0};
    (void)state;
    chain(&g, false);
    assert_int_equal(tvk_graph_plan(&g, 64, &err), TVK_OK);
    /* a at 0; b behind it at 128 (100 rounded up to 64s); c fits where a was; d must miss c
     * [0, 90) only, so it stands at 128, where b was */
    assert_int_equal(tvk_graph_find(&g, "a")->offset, 0);
    assert_int_equal(tvk_graph_find(&g, "b")->offset, 128);
    assert_int_equal(tvk_graph_find(&g, "c")->offset, 0);
    assert_int_equal(tvk_graph_find(&g, "d")->offset, 128);
    assert_int_equal(g.scratch_bytes, 328);
    assert_null(tvk_graph_find(&g, "e"));
    tvk_graph_free(&g);
}

static void kept_tensors_share_nothing(void **state)
{
    tvk_graph g;
    tvk_error err = {0};
    (void)state;
    chain(&g, true);
    assert_int_equal(tvk_graph_plan(&g, 64, &err), TVK_OK);
    /* 0..100, 128..328, 384..474, 512..562 */
    assert_int_equal(tvk_graph_find(&g, "c")->offset, 384);
    assert_int_equal(tvk_graph_find(&g, "d")->offset, 512);
    assert_int_equal(g.scratch_bytes, 562);
    tvk_graph_free(&g);
}

static void hazards(void **state)
{
    tvk_buffer *x = (tvk_buffer *)(uintptr_t)16, *y = (tvk_buffer *)(uintptr_t)32;
    const tvk_span low = {x, 0, 64, 0}, high = {x, 64, 64, 0}, over = {x, 60, 8, 0};
    const tvk_span other = {y, 0, 64, 0};
    tvk_hazards h = {0};
    (void)state;
    assert_true(tvk_hazards_add(&h, &low, true));
    assert_true(tvk_hazards_conflict(&h, &low, false));  /* read after write  */
    assert_true(tvk_hazards_conflict(&h, &low, true));   /* write after write */
    assert_true(tvk_hazards_conflict(&h, &over, false)); /* a part of it      */
    assert_false(tvk_hazards_conflict(&h, &high, true)); /* the bytes behind  */
    assert_false(tvk_hazards_conflict(&h, &other, true));
    assert_true(tvk_hazards_add(&h, &high, false));
    assert_false(tvk_hazards_conflict(&h, &high, false)); /* read after read  */
    assert_true(tvk_hazards_conflict(&h, &high, true));   /* write after read */
    tvk_hazards_clear(&h);
    assert_false(tvk_hazards_conflict(&h, &low, true));
    tvk_hazards_free(&h);
}

/* Nodes with equal rules share one; what only depends on a row count of 1 needs none. */
static void rules(void **state)
{
    static const tvk_groups groups[] = {
        {{TVK_AXIS_FIXED, TVK_AXIS_FIXED, TVK_AXIS_FIXED}, {7, 1, 1}},
        {{TVK_AXIS_FIXED, TVK_AXIS_ROWS, TVK_AXIS_FIXED}, {3, 4, 1}},
        {{TVK_AXIS_CHUNKS, TVK_AXIS_FIXED, TVK_AXIS_ROWS}, {1, 8, 1}},
        {{TVK_AXIS_FIXED, TVK_AXIS_ROWS, TVK_AXIS_FIXED}, {3, 4, 1}},
        {{TVK_AXIS_FIXED, TVK_AXIS_OUTS, TVK_AXIS_FIXED}, {3, 4, 1}},
    };
    const uint32_t many[] = {UINT32_MAX, 0, 1, 0, 2};
    const uint32_t one[] = {UINT32_MAX, UINT32_MAX, 0, UINT32_MAX, 1};
    tvk_program *some = (tvk_program *)(uintptr_t)8;
    tvk_graph g;
    tvk_rules r;
    tvk_error err = {0};
    tvk_span a;
    (void)state;
    tvk_graph_init(&g, false);
    a = tensor(&g, "a", 4);
    for (size_t i = 0; i < 5; i++) {
        node(&g, a, a);
        g.list.items[i].program = some;
        g.list.items[i].groups = groups[i];
    }
    assert_int_equal(tvk_graph_rules(&g, 64, &r, &err), TVK_OK);
    assert_int_equal(r.count, 3);
    assert_memory_equal(r.of_node, many, sizeof many);
    /* rule 0 as the device reads it: kinds in bytes, then the three values */
    assert_int_equal(r.words[0], TVK_AXIS_FIXED | TVK_AXIS_ROWS << 8);
    assert_int_equal(r.words[1], 3);
    assert_int_equal(r.words[2], 4);
    assert_int_equal(r.words[3], 1);
    assert_int_equal(tvk_graph_rules(&g, 1, &r, &err), TVK_OK);
    assert_int_equal(r.count, 2);
    assert_memory_equal(r.of_node, one, sizeof one);
    tvk_graph_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_shared),
        cmocka_unit_test(kept_tensors_share_nothing),
        cmocka_unit_test(hazards),
        cmocka_unit_test(rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
