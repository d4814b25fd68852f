/* The device layer: programs that threads compile. */
#include "gpu_fixture.h"

enum { PROGRAMS = 12, N = 100 };

static void prepare(tvk_device *d, tvk_program *list[PROGRAMS])
{
    tvk_error err = {0};
    for (uint32_t i = 0; i < PROGRAMS; i++) {
        tvk_program_desc desc = axpb_desc(100 + i);
        char name[16];
        snprintf(name, sizeof name, "axpb %u", i);
        desc.name = name;
        ok(tvk_program_prepare(d, &desc, &list[i], &err), &err);
        assert_false(tvk_program_compiled(list[i]));
    }
}

static void destroy(tvk_program *list[PROGRAMS])
{
    for (uint32_t i = 0; i < PROGRAMS; i++) tvk_program_destroy(&list[i]);
}

/* y = 3 x + 100 + i */
static void runs(tvk_device *d, tvk_program *p, uint32_t i)
{
    uint32_t data[N] = {7, 8, 9};
    tvk_buffer *x = buffer(d, sizeof data), *y = buffer(d, sizeof data);
    tvk_commands *c = commands(d, 1, 2, 0);
    tvk_error err = {0};
    write_all(x, d, data);
    ok(tvk_commands_begin(c, &err), &err);
    record_axpb(c, p, tvk_buffer_span(x), tvk_buffer_span(y), N, 3);
    ok(tvk_commands_end(c, &err), &err);
    ok(tvk_gpu_submit(d, &c, 1, NULL, &err), &err);
    read_all(y, d, data);
    if (computes()) assert_int_equal(data[2], 3 * 9 + 100 + i);
    tvk_commands_destroy(&c);
    tvk_buffer_destroy(&x);
    tvk_buffer_destroy(&y);
}

/* Fixed words have the numbers from 16 on, whatever the count of the others; 17 is c. */
void fixed_words(void **state)
{
    tvk_device *d = ((fixture *)*state)->device;
    tvk_program_desc desc = axpb_desc(100);
    tvk_program *p = NULL;
    tvk_error err = {0};
    desc.fixed[0] = 1000;
    desc.fixed[1] = 5;
    for (desc.fixed_count = 1; desc.fixed_count <= 2; desc.fixed_count++) {
        ok(tvk_program_create(d, &desc, &p, &err), &err);
        runs(d, p, desc.fixed_count == 2 ? 5 : 0);
        tvk_program_destroy(&p);
    }
    desc.fixed_count = TVK_MAX_FIXED + 1;
    assert_int_equal(tvk_program_create(d, &desc, &p, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "13 fixed words expected"));
    assert_null(p);
}

void programs_in_parallel(void **state)
{
    tvk_device *d = ((fixture *)*state)->device;
    tvk_program *list[PROGRAMS], *first = axpb(d, 100);
    tvk_compiling *compiling = NULL;
    tvk_error err = {0};
    prepare(d, list);
    ok(tvk_programs_compile(d, list, PROGRAMS, 0, &compiling, &err), &err); /* too late for all */
    ok(tvk_programs_wait(&compiling, &err), &err);
    for (uint32_t i = 0; i < PROGRAMS; i++) assert_false(tvk_program_compiled(list[i]));
    ok(tvk_programs_compile(d, list, PROGRAMS, UINT64_MAX, &compiling, &err), &err);
    runs(d, first, 0); /* meanwhile */
    assert_true(tvk_programs_done_by(compiling, UINT64_MAX));
    ok(tvk_programs_wait(&compiling, &err), &err);
    assert_null(compiling);
    for (uint32_t i = 0; i < PROGRAMS; i++) {
        assert_true(tvk_program_compiled(list[i]));
        runs(d, list[i], i);
    }
    /* nothing is left to do, and none is nothing to do */
    ok(tvk_programs_compile(d, list, PROGRAMS, UINT64_MAX, &compiling, &err), &err);
    ok(tvk_programs_wait(&compiling, &err), &err);
    ok(tvk_programs_wait(&compiling, &err), &err);
    destroy(list);
    tvk_program_destroy(&first);
}

/* The error names the program; the others are made, and so is it at the next try. */
void a_program_that_fails(void **state)
{
    tvk_device *d = ((fixture *)*state)->device;
    for (uint32_t failing = 0; failing < PROGRAMS; failing += 5) {
        tvk_program *list[PROGRAMS];
        tvk_compiling *compiling = NULL;
        tvk_error err = {0};
        char name[32];
        prepare(d, list);
        tvk_gpu_fail_at(d, failing + 1, TVK_ERR_HOST_MEMORY);
        ok(tvk_programs_compile(d, list, PROGRAMS, UINT64_MAX, &compiling, &err), &err);
        assert_int_equal(tvk_programs_wait(&compiling, &err), TVK_ERR_HOST_MEMORY);
        snprintf(name, sizeof name, "program 'axpb %u': vkCreate", failing);
        if (strncmp(err.text, name, strlen(name)) != 0) fail_msg("%s... in: %s", name, err.text);
        for (uint32_t i = 0; i < PROGRAMS; i++)
            assert_int_equal(tvk_program_compiled(list[i]), i != failing);
        ok(tvk_programs_compile(d, list, PROGRAMS, UINT64_MAX, &compiling, &err), &err);
        ok(tvk_programs_wait(&compiling, &err), &err);
        runs(d, list[failing], failing);
        destroy(list);
    }
}

void only_prepared(void **state)
{
    tvk_device *d = ((fixture *)*state)->device;
    const tvk_program_desc desc = axpb_desc(1);
    const uint32_t push[2] = {N, 3}, groups[3] = {1, 1, 1};
    tvk_buffer *x = buffer(d, N * 4);
    const tvk_span spans[2] = {tvk_buffer_span(x), tvk_buffer_span(x)};
    tvk_commands *c = commands(d, 1, 2, 0);
    tvk_program *p = NULL;
    tvk_error err = {0};
    ok(tvk_program_prepare(d, &desc, &p, &err), &err);
    ok(tvk_commands_begin(c, &err), &err);
    assert_int_equal(tvk_commands_dispatch(c, p, spans, push, groups, &err), TVK_ERR_ARG);
    assert_non_null(strstr(err.text, "only prepared"));
    tvk_commands_destroy(&c);
    tvk_program_destroy(&p);
    tvk_buffer_destroy(&x);
}
