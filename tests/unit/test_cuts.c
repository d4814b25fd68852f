/* Default cuts on an invented device. Of mat-mats by matrices: the first one that is for a step of
 * so many rows and has so many tiles there, as the tables in runtime/kernels/config.c say; the
 * tiles are counted by hand. Of ternary mat-vecs: what runtime/kernels/vec_cut.c makes of the
 * matrix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/internal.h"

#define MATRICES ((uint32_t)TVK_CAP_COOPMAT_I8 | (uint32_t)TVK_CAP_COOPMAT_F16)

typedef struct cut_case {
    uint32_t n, rows;           /* of the step */
    uint32_t group, bm, bn, bk; /* expected */
} cut_case;

/* Subgroups of 32, shapes of 16x16x32 and 16x16x16, shared memory of 48 KiB. */
static tvk_plan device(uint32_t registers)
{
    return (tvk_plan){
        .usable = true,
        .caps = MATRICES | (uint32_t)TVK_CAP_SUBGROUP,
        .subgroup_fixed = 32,
        .coopmat_subgroup = 32,
        .registers = registers,
        .coopmat_i8 = {.m = 16, .n = 16, .k = 32},
        .coopmat_f16 = {.m = 16, .n = 16, .k = 16},
        .max_invocations = 1024,
        .max_shared_bytes = 49152,
        .max_storage_buffers = 4,
    };
}

static const tvk_shader_info *row_of(tvk_op op)
{
    for (uint32_t i = 0; i < tvk_shader_count(); i++) {
        const tvk_shader_info *info = tvk_shader_get(i);
        if (info->op == op && !strcmp(info->variant, "cm")) return info;
    }
    fail_msg("no row by matrices");
    return NULL;
}

static void check(const tvk_plan *plan, tvk_op op, const cut_case *cases, size_t count)
{
    const tvk_shader_info *row = row_of(op);
    for (size_t i = 0; i < count; i++) {
        const cut_case *w = &cases[i];
        const tvk_config *c = tvk_config_get(plan, row, tvk_config_for(plan, row, w->n, w->rows));
        assert_non_null(c);
        if (c->group != w->group || c->tile[0] != w->bm || c->tile[1] != w->bn ||
            c->tile[2] != w->bk)
            fail_msg("N %u, %u rows: {%u, %u, %u, %u} expected, {%u, %u, %u, %u} found", w->n,
                     w->rows, w->group, w->bm, w->bn, w->bk, c->group, c->tile[0], c->tile[1],
                     c->tile[2]);
    }
}

#define CHECK(plan, op, cases) check(plan, op, cases, sizeof(cases) / sizeof *(cases))

static void ternary(void **state)
{
    const tvk_plan plan = device(0);
    const cut_case cases[] = {
        {2560, 16, 256, 16, 32, 256},    {13824, 16, 256, 16, 32, 256},
        {8128, 32, 256, 32, 32, 64},     /* 127 tiles of 64 columns */
        {8129, 32, 256, 32, 64, 256},    /* 128 */
        {2560, 17, 256, 32, 32, 64},     /* more rows than 16 */
        {2560, 33, 128, 64, 64, 128},    /* more than 32; 20 tiles of 128 x 128 */
        {2560, 512, 128, 64, 64, 128},   /* 80 */
        {8064, 512, 128, 64, 64, 128},   /* 63 x 4 = 252 */
        {8065, 512, 128, 128, 128, 128}, /* 64 x 4 = 256 */
        {2560, 2048, 128, 128, 128, 128} /* 20 x 16 = 320 */
    };
    (void)state;
    CHECK(&plan, TVK_OP_gemm_t2_i8, cases);
    CHECK(&plan, TVK_OP_gemm_t2_i4, cases);
}

static void halves(void **state)
{
    const tvk_plan plan = device(0);
    const cut_case cases[] = {
        {65280, 32, 128, 32, 64, 128},  /* 255 tiles of 256 columns */
        {65281, 32, 128, 32, 256, 64},  /* 256 */
        {128256, 32, 128, 32, 256, 64}, /* 501 */
        {2560, 16, 128, 32, 64, 128},   {2560, 33, 128, 64, 128, 64},
        {2560, 512, 128, 64, 128, 64},  {128256, 512, 128, 64, 128, 64},
        {2560, 2048, 128, 64, 128, 64},
    };
    (void)state;
    CHECK(&plan, TVK_OP_gemm_f16, cases);
    CHECK(&plan, TVK_OP_gemm_q8, cases);
}

/* 192 words an invocation hold 3 x (32 x 32 + 32 x 32) of a subgroup, not 3 x (32 x 64 + 32 x 32)
 */
static void halves_with_fewer_registers(void **state)
{
    const tvk_plan plan = device(192);
    const cut_case cases[] = {
        {128256, 32, 256, 32, 256, 64},
        {2560, 32, 128, 32, 64, 128},
        {2560, 512, 256, 64, 128, 64},
    };
    (void)state;
    CHECK(&plan, TVK_OP_gemm_f16, cases);
    CHECK(&plan, TVK_OP_gemm_q8, cases);
}

typedef struct vec_case {
    uint32_t registers, n, units;
    uint32_t lanes, rows, ahead; /* expected */
} vec_case;

/* At most 64 lanes and 8 rows, {128, 64, 2, 2} to begin with; a sixth of the registers hold units
 * of four words in flight: 16 where nothing is known of them. */
static void ternary_vectors(void **state)
{
    static const tvk_config given = {.cpu = false, .group = 128, .tile = {64, 2, 2}};
    static const vec_case cases[] = {
        {0, 2560, 40, 40, 2, 1},  /* all units in one turn */
        {0, 2560, 108, 56, 2, 2}, /* two turns of 54 units, lanes in fours */
        {0, 4095, 64, 64, 2, 1},     {0, 4096, 65, 36, 4, 2},
        {0, 8191, 128, 64, 4, 2},    {0, 8192, 129, 44, 8, 2}, /* three turns of 43 */
        {0, 13824, 40, 40, 8, 1},    {0, 512, 33, 36, 2, 1},
        {0, 512, 32, 32, 2, 1},      {0, 512, 17, 20, 2, 1},
        {0, 512, 8, 8, 2, 1},        {0, 512, 1, 8, 2, 1},        /* 8 lanes at least */
        {64, 13824, 108, 56, 2, 1},                               /* 10 words, two units */
        {128, 13824, 108, 56, 4, 1},                              /* 21 words, five units */
        {128, 2560, 108, 56, 2, 2},  {256, 13824, 108, 56, 8, 1}, /* 42 words, ten units */
        {6, 13824, 108, 56, 2, 1},                                /* no room for one: the least */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const vec_case *w = &cases[i];
        const tvk_plan plan = device(w->registers);
        const tvk_vec_cut c = tvk_vec_cut_of(&plan, given, true, w->units, w->n);
        if (c.constants[3] != w->lanes || c.constants[4] != w->rows || c.constants[5] != w->ahead)
            fail_msg("%u registers, N %u, %u units: {%u, %u, %u} expected, {%u, %u, %u} found",
                     w->registers, w->n, w->units, w->lanes, w->rows, w->ahead, c.constants[3],
                     c.constants[4], c.constants[5]);
        /* whole sets of lanes */
        assert_int_equal(c.constants[0], 128 / w->lanes * w->lanes);
        assert_int_equal(c.rows, 128 / w->lanes * w->rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ternary_vectors),
        cmocka_unit_test(ternary),
        cmocka_unit_test(halves),
        cmocka_unit_test(halves_with_fewer_registers),
    };
    return cmocka_run_group_tests_name("cuts", tests, NULL, NULL);
}
