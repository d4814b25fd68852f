/* Planning with invented devices: every number asserted here follows by hand from the facts given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/internal.h"
#include "vk/plan.h"
#include "vk/quirks.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define VERSION(major, minor) ((uint32_t)(major) << 22 | (uint32_t)(minor) << 12)
#define ALL_OPS 0x7fu

static void add_type(tvk_caps *c, uint32_t heap, bool local, bool visible, bool cached)
{
    c->types[c->type_count++] = (tvk_memory_type){.heap = heap,
                                                  .device_local = local,
                                                  .host_visible = visible,
                                                  .host_coherent = visible,
                                                  .host_cached = cached};
}

static void add_heap(tvk_caps *c, uint64_t bytes, bool local)
{
    c->heaps[c->heap_count++] = (tvk_memory_heap){.bytes = bytes, .device_local = local};
}

/* The poorest device that passes: Vulkan 1.1's guaranteed limits, one queue, no feature. */
static tvk_caps poorest(void)
{
    tvk_caps c;
    memset(&c, 0, sizeof c);
    strcpy(c.name, "Invented");
    c.api_version = VERSION(1, 1);
    c.type = TVK_DEVICE_INTEGRATED;
    c.max_invocations = 128;
    c.max_group_size[0] = c.max_group_size[1] = 128;
    c.max_group_size[2] = 64;
    c.max_group_count[0] = c.max_group_count[1] = c.max_group_count[2] = 65535;
    c.max_shared_bytes = 16384;
    c.max_push_bytes = 128;
    c.max_storage_buffers = 4;
    c.max_storage_bytes = 128 * MIB;
    c.storage_align = 256;
    c.max_alloc_bytes = GIB;
    c.max_alloc_count = 4096;
    c.subgroup_size = c.subgroup_min = c.subgroup_max = 1;
    c.family_count = 1;
    c.families[0] = (tvk_queue_family){.count = 1, .compute = true, .graphics = true};
    add_heap(&c, GIB, true);
    add_type(&c, 0, true, true, false);
    return c;
}

/* A discrete device: 16 GiB of its own, a window of 256 MiB into it, 32 GiB of the host's. */
static tvk_caps discrete(void)
{
    tvk_caps c = poorest();
    c.type = TVK_DEVICE_DISCRETE;
    c.heap_count = c.type_count = 0;
    add_heap(&c, 16 * GIB, true);
    add_heap(&c, 32 * GIB, false);
    add_heap(&c, 256 * MIB, true);
    add_type(&c, 0, true, false, false);
    add_type(&c, 1, false, true, false);
    add_type(&c, 2, true, true, false);
    add_type(&c, 1, false, true, true);
    c.max_invocations = 1024;
    c.max_group_size[0] = 1024;
    c.max_storage_bytes = 4 * GIB - 1;
    c.max_alloc_bytes = 4 * GIB;
    c.storage_align = 4;
    c.families[0].timestamp_bits = 64;
    c.timestamp_period_ns = 1.0;
    return c;
}

static void with_subgroup(tvk_caps *c, uint32_t size, uint32_t min, uint32_t max)
{
    c->subgroup_size = size;
    c->subgroup_min = min;
    c->subgroup_max = max;
    c->subgroup_compute = true;
    c->subgroup_ops = ALL_OPS;
}

static tvk_plan plan(const tvk_caps *c)
{
    tvk_plan p;
    tvk_plan_make(c, &p);
    return p;
}

static void poorest_is_usable(void **state)
{
    tvk_caps c = poorest();
    tvk_plan p = plan(&c);
    (void)state;
    assert_true(p.usable);
    assert_string_equal(p.why, "");
    assert_int_equal(p.family, 0);
    assert_int_equal(p.caps, 0);
    assert_int_equal(p.prefer, 0);
    assert_int_equal(p.subgroup_fixed, 0);
    assert_int_equal(p.max_invocations, 128);
    assert_int_equal(p.max_shared_bytes, 16384);
    assert_int_equal(p.max_storage_buffers, 4);
    assert_int_equal(p.max_storage_bytes, 128 * MIB);
    assert_int_equal(p.storage_align, 256);
    assert_true(p.unified);
    assert_int_equal(p.submit_ms, 100); /* the display waits behind them */
    assert_int_equal(p.device_type, 0);
    assert_int_equal(p.upload_type, 0);
    assert_int_equal(p.readback_type, 0);
    assert_int_equal(p.ring_type, 0);
    assert_int_equal(p.block_bytes, 64 * MIB); /* a sixteenth of 1 GiB */
    assert_false(p.timestamps);
    assert_false(p.cpu);
    assert_string_equal(p.quirks, "");
}

static void refusals_say_needed_and_found(void **state)
{
    tvk_caps base = poorest(), c;
    (void)state;
#define REFUSED(change, text)                                                                      \
    do {                                                                                           \
        tvk_plan p;                                                                                \
        c = base;                                                                                  \
        change;                                                                                    \
        p = plan(&c);                                                                              \
        assert_false(p.usable);                                                                    \
        assert_string_equal(p.why, text);                                                          \
        assert_int_equal(tvk_plan_rank(&c, &p), 0);                                                \
    } while (0)
    REFUSED(c.api_version = VERSION(1, 0), "Vulkan: 1.1 needed, 1.0 found");
    REFUSED(c.families[0].compute = false, "compute queue: 1 needed, none found in 1 families");
    REFUSED(c.max_storage_buffers = 3, "storage buffers per stage: 4 needed, 3 found");
    REFUSED(c.max_invocations = 64, "invocations per workgroup: 128 needed, 64 found");
    REFUSED(c.max_group_size[0] = 64, "workgroup width: 128 needed, 64 found");
    REFUSED(c.max_shared_bytes = 8192, "shared memory bytes: 16384 needed, 8192 found");
    REFUSED(c.max_push_bytes = 64, "push constant bytes: 128 needed, 64 found");
    REFUSED(c.type_count = 0,
            "memory: a device-local and a host-visible coherent type needed, none found");
    REFUSED(c.types[0].host_visible = false, "memory: a device-local and a host-visible coherent "
                                             "type needed, no host-visible one found");
    REFUSED(c.types[0].device_local = false, "memory: a device-local and a host-visible coherent "
                                             "type needed, no device-local one found");
#undef REFUSED
}

static void no_int8_leaves_the_rest(void **state)
{
    tvk_caps c = discrete();
    tvk_plan p;
    (void)state;
    c.fp16 = c.storage8 = c.storage16 = c.dot = c.dot_signed = c.dot_mixed = true;
    p = plan(&c);
    assert_int_equal(p.caps, TVK_CAP_FP16 | TVK_CAP_STORAGE8 | TVK_CAP_STORAGE16 | TVK_CAP_DOT);
    assert_int_equal(p.prefer, p.caps);
    c.int8 = true;
    p = plan(&c);
    assert_int_equal(p.caps, TVK_CAP_FP16 | TVK_CAP_STORAGE8 | TVK_CAP_STORAGE16 | TVK_CAP_DOT |
                                 TVK_CAP_INT8);
}

static void fixed_subgroup_sizes(void **state)
{
    const uint32_t sizes[] = {4, 8, 16, 32, 64, 128};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        tvk_caps c = poorest();
        tvk_plan p;
        with_subgroup(&c, sizes[i], sizes[i], sizes[i]);
        p = plan(&c);
        assert_int_equal(p.subgroup_fixed, sizes[i]);
        assert_false(p.subgroup_require);
        assert_int_equal(p.caps, TVK_CAP_SUBGROUP);
    }
}

static void unreliable_subgroups(void **state)
{
    tvk_caps c = poorest();
    (void)state;
#define NONE(change)                                                                               \
    do {                                                                                           \
        tvk_plan p;                                                                                \
        c = poorest();                                                                             \
        with_subgroup(&c, 32, 32, 32);                                                             \
        change;                                                                                    \
        p = plan(&c);                                                                              \
        assert_true(p.usable);                                                                     \
        assert_int_equal(p.subgroup_fixed, 0);                                                     \
        assert_int_equal(p.caps, 0);                                                               \
    } while (0)
    NONE(c.subgroup_compute = false);
    NONE(c.subgroup_ops &= ~(uint32_t)TVK_SUBGROUP_ARITHMETIC);
    NONE(c.subgroup_ops &= ~(uint32_t)TVK_SUBGROUP_SHUFFLE);
    NONE(with_subgroup(&c, 2, 2, 2));
    NONE(with_subgroup(&c, 256, 256, 256));
    NONE(with_subgroup(&c, 16, 32, 32));
    /* Varies, and cannot be asked for. */
    NONE(with_subgroup(&c, 32, 8, 32));
    NONE(with_subgroup(&c, 32, 8, 32); c.subgroup_size_control = c.subgroup_full = true);
    NONE(with_subgroup(&c, 32, 8, 32);
         c.subgroup_size_control = c.subgroup_required_in_compute = true);
#undef NONE
}

static void variable_subgroups_are_required(void **state)
{
    /* min, max, expected */
    const uint32_t rows[][3] = {
        {8, 32, 32}, {16, 32, 32}, {32, 64, 32}, {64, 128, 64}, {8, 16, 16}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tvk_caps c = discrete();
        tvk_plan p;
        with_subgroup(&c, rows[i][1], rows[i][0], rows[i][1]);
        c.subgroup_size_control = c.subgroup_full = c.subgroup_required_in_compute = true;
        p = plan(&c);
        assert_int_equal(p.subgroup_fixed, rows[i][2]);
        assert_true(p.subgroup_require);
        assert_int_equal(p.caps, TVK_CAP_SUBGROUP);
    }
}

/* Kernels keep what the chip's registers hold whether or not a subgroup's size can be relied on. */
static void registers_need_no_subgroup(void **state)
{
    static const struct {
        uint32_t vendor, min, max, ops, expected;
    } rows[] = {
        {0x13b5, 16, 16, ALL_OPS & ~(uint32_t)TVK_SUBGROUP_ARITHMETIC, 64}, /* Arm */
        {0x14e4, 16, 16, ALL_OPS & ~(uint32_t)TVK_SUBGROUP_SHUFFLE, 64},    /* Broadcom */
        {0x1010, 1, 128, ALL_OPS, 64},          /* Imagination; varies, cannot be asked for */
        {0x5143, 64, 128, ALL_OPS, 128},        /* Qualcomm, likewise */
        {0x8086, 8, 32, ALL_OPS, 128 * 8 / 32}, /* Intel: of the largest */
        {0x8086, 16, 32, ALL_OPS, 128 * 16 / 32},
        {0x8086, 0, 0, 0, 128 * 8 / 8}, /* tells nothing */
        {0x10de, 32, 32, 0, 0},         /* NVIDIA */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tvk_caps c = poorest();
        tvk_plan p;
        c.vendor_id = rows[i].vendor;
        with_subgroup(&c, rows[i].max, rows[i].min, rows[i].max);
        c.subgroup_ops = rows[i].ops;
        p = plan(&c);
        assert_true(p.usable);
        assert_int_equal(p.subgroup_fixed, 0);
        assert_int_equal(p.registers, rows[i].expected);
        for (uint32_t op = 0; op < TVK_OP_COUNT; op++) /* something small enough of every kernel */
            assert_non_null(tvk_config_get(&p, tvk_shader_get(tvk_select_base((tvk_op)op)), 0));
        c.type = TVK_DEVICE_CPU;
        assert_int_equal(plan(&c).registers, 0);
    }
}

static void discrete_memory_avoids_the_window(void **state)
{
    tvk_caps c = discrete();
    tvk_plan p = plan(&c);
    (void)state;
    assert_true(p.usable);
    assert_false(p.unified);
    assert_int_equal(p.device_type, 0);   /* 16 GiB, not the window */
    assert_int_equal(p.upload_type, 1);   /* host, uncached */
    assert_int_equal(p.readback_type, 3); /* host, cached */
    assert_int_equal(p.ring_type, 2);     /* the window */
    assert_int_equal(p.block_bytes, 64 * MIB);
    assert_int_equal(p.max_storage_bytes, 4 * GIB - 1);
    assert_int_equal(p.storage_align, 4);
    assert_true(p.timestamps);
    assert_int_equal(p.submit_ms, 0);
}

/* All of the device's memory is visible: still a discrete device, still staged. */
static void discrete_with_large_window(void **state)
{
    tvk_caps c = discrete();
    tvk_plan p;
    (void)state;
    c.heaps[2].bytes = 16 * GIB;
    p = plan(&c);
    assert_int_equal(p.device_type, 0);
    assert_false(p.unified);
    c.types[0].device_local = false;
    p = plan(&c);
    assert_int_equal(p.device_type, 2);
    assert_false(p.unified);
}

static void no_host_visible_device_memory(void **state)
{
    tvk_caps c = poorest();
    tvk_plan p;
    (void)state;
    c.heap_count = c.type_count = 0;
    add_heap(&c, 512 * MIB, true);
    add_heap(&c, 2 * GIB, false);
    add_type(&c, 0, true, false, false);
    add_type(&c, 1, false, true, true);
    p = plan(&c);
    assert_true(p.usable);
    assert_false(p.unified);
    assert_int_equal(p.device_type, 0);
    assert_int_equal(p.upload_type, 1);
    assert_int_equal(p.readback_type, 1);
    assert_int_equal(p.ring_type, 1);
    assert_int_equal(p.block_bytes, 32 * MIB); /* a sixteenth of 512 MiB */
}

static void unified_prefers_cached(void **state)
{
    tvk_caps c = poorest();
    tvk_plan p;
    (void)state;
    add_type(&c, 0, true, true, true);
    p = plan(&c);
    assert_true(p.unified);
    assert_int_equal(p.device_type, 1);
    assert_int_equal(p.upload_type, 0);
    assert_int_equal(p.readback_type, 1);
    c.hide_unified = true;
    p = plan(&c);
    assert_true(p.usable);
    assert_false(p.unified);
}

static void small_heap_gets_small_blocks(void **state)
{
    tvk_caps c = poorest();
    tvk_plan p;
    (void)state;
    c.heaps[0].bytes = 100 * MIB;
    p = plan(&c);
    assert_int_equal(p.block_bytes, 4 * MIB); /* 100 / 16 is between 4 and 8 */
    c.heaps[0].bytes = 8 * MIB;
    p = plan(&c);
    assert_int_equal(p.block_bytes, 4 * MIB); /* the floor */
    c = discrete();
    c.max_alloc_bytes = 32 * MIB;
    p = plan(&c);
    assert_int_equal(p.block_bytes, 32 * MIB);
    assert_int_equal(p.max_storage_bytes, 32 * MIB);
}

static void queue_families(void **state)
{
    tvk_caps c = discrete();
    tvk_plan p;
    (void)state;
    /* Graphics, copies only, compute alone: the last one. */
    c.family_count = 3;
    c.families[1] = (tvk_queue_family){.count = 2, .transfer = true, .timestamp_bits = 64};
    c.families[2] = (tvk_queue_family){.count = 8, .compute = true, .timestamp_bits = 64};
    p = plan(&c);
    assert_int_equal(p.family, 2);
    /* Without time stamps the graphics one is worth more. */
    c.families[2].timestamp_bits = 0;
    p = plan(&c);
    assert_int_equal(p.family, 0);
    assert_true(p.timestamps);
    c.timestamp_period_ns = 0;
    p = plan(&c);
    assert_false(p.timestamps);
}

static void dot_flags(void **state)
{
    tvk_caps c = discrete();
    tvk_plan p;
    (void)state;
    c.dot = true;
    p = plan(&c);
    assert_int_equal(p.caps, TVK_CAP_DOT);
    assert_int_equal(p.prefer, 0); /* there, but lowered to plain code */
    c.dot_mixed = true;
    p = plan(&c);
    assert_false(p.dot_signed_fast);
    assert_true(p.dot_mixed_fast);
    assert_int_equal(p.prefer, TVK_CAP_DOT);
    c.dot = false;
    p = plan(&c);
    assert_int_equal(p.caps, 0);
    assert_false(p.dot_mixed_fast);
}

#define BOTH (TVK_CAP_COOPMAT_I8 | TVK_CAP_COOPMAT_F16)

static tvk_coopmat_shape shape(uint32_t m, uint32_t n, uint32_t k, uint8_t element, uint8_t sum)
{
    return (tvk_coopmat_shape){.m = m,
                               .n = n,
                               .k = k,
                               .a = element,
                               .b = element,
                               .c = sum,
                               .result = sum,
                               .subgroup_scope = true};
}

static void cooperative_matrix(void **state)
{
    tvk_caps c = discrete();
    tvk_plan p;
    (void)state;
    c.cooperative_matrix = c.memory_model = c.int8 = c.fp16 = true;
    with_subgroup(&c, 32, 32, 32);
    p = plan(&c);
    assert_int_equal(p.caps & BOTH, 0); /* no shape */
    c.coopmat_count = 1;
    c.coopmat[0] = shape(16, 16, 32, TVK_COOPMAT_U8, TVK_COOPMAT_U32);
    p = plan(&c);
    assert_int_equal(p.caps & BOTH, 0); /* neither s8 nor f16 */
    c.coopmat[0] = shape(16, 16, 32, TVK_COOPMAT_S8, TVK_COOPMAT_S32);
    p = plan(&c);
    assert_int_equal(p.caps & BOTH, 0); /* no floats of that shape for the scales */
    c.fp16 = false;
    c.coopmat_count = 2;
    c.coopmat[1] = shape(16, 16, 16, TVK_COOPMAT_F16, TVK_COOPMAT_F32);
    p = plan(&c);
    assert_int_equal(p.caps & BOTH, TVK_CAP_COOPMAT_I8);
    assert_int_equal(p.coopmat_i8.k, 32);
    assert_int_equal(p.coopmat_subgroup, 32);
    c.fp16 = true;
    /* sums of f16 are not wanted; of two shapes the larger one is */
    c.coopmat_count = 4;
    c.coopmat[1] = shape(16, 16, 16, TVK_COOPMAT_F16, TVK_COOPMAT_F16);
    c.coopmat[2] = shape(16, 8, 16, TVK_COOPMAT_F16, TVK_COOPMAT_F32);
    c.coopmat[3] = shape(16, 16, 16, TVK_COOPMAT_F16, TVK_COOPMAT_F32);
    p = plan(&c);
    assert_int_equal(p.caps & BOTH, BOTH);
    assert_int_equal(p.coopmat_f16.n, 16);
    c.coopmat[0].saturating = true;
    assert_int_equal(plan(&c).caps & BOTH, TVK_CAP_COOPMAT_F16);
    c.coopmat[0].saturating = c.coopmat[0].subgroup_scope = false;
    assert_int_equal(plan(&c).caps & BOTH, TVK_CAP_COOPMAT_F16);
    c.coopmat[0] = shape(32, 32, 32, TVK_COOPMAT_S8, TVK_COOPMAT_S32);
    assert_int_equal(plan(&c).caps & BOTH, TVK_CAP_COOPMAT_F16); /* no tile has that shape */
    c.fp16 = false;
    assert_int_equal(plan(&c).caps & BOTH, 0);
    c.fp16 = true;
    c.memory_model = false;
    assert_int_equal(plan(&c).caps & BOTH, 0);
}

/* Intel's matrices take as many invocations as they have columns. */
static void cooperative_matrix_intel(void **state)
{
    tvk_caps c = discrete();
    tvk_plan p;
    (void)state;
    c.vendor_id = 0x8086;
    c.cooperative_matrix = c.memory_model = c.int8 = c.fp16 = true;
    c.subgroup_size_control = c.subgroup_full = c.subgroup_required_in_compute = true;
    with_subgroup(&c, 32, 8, 32);
    c.coopmat_count = 2;
    c.coopmat[0] = shape(8, 8, 32, TVK_COOPMAT_S8, TVK_COOPMAT_S32);
    c.coopmat[1] = shape(8, 8, 16, TVK_COOPMAT_F16, TVK_COOPMAT_F32);
    p = plan(&c);
    assert_int_equal(p.caps & BOTH, BOTH);
    assert_int_equal(p.subgroup_fixed, 8); /* the least: registers are a thread's */
    assert_int_equal(p.registers, 128);
    assert_int_equal(p.coopmat_subgroup, 8);
    c.subgroup_min = 16; /* cannot be asked for */
    assert_int_equal(plan(&c).caps & BOTH, 0);
}

static void quirk_rows(void **state)
{
    tvk_caps c = poorest();
    tvk_plan p;
    (void)state;
    /* lavapipe at 16: no cooperative matrix; at 8 it stays. */
    c.type = TVK_DEVICE_CPU;
    c.driver_id = TVK_DRIVER_LLVMPIPE;
    c.cooperative_matrix = c.memory_model = c.int8 = true;
    c.coopmat_count = 2;
    c.coopmat[0] = shape(8, 8, 8, TVK_COOPMAT_S8, TVK_COOPMAT_S32);
    c.coopmat[1] = shape(8, 8, 8, TVK_COOPMAT_F16, TVK_COOPMAT_F32);
    with_subgroup(&c, 16, 16, 16);
    p = plan(&c);
    assert_int_equal(p.caps, TVK_CAP_SUBGROUP | TVK_CAP_INT8);
    assert_non_null(strstr(p.quirks, "no cooperative matrix"));
    with_subgroup(&c, 8, 8, 8);
    p = plan(&c);
    assert_int_equal(p.caps, TVK_CAP_SUBGROUP | TVK_CAP_INT8 | TVK_CAP_COOPMAT_I8);
    assert_int_equal(p.prefer, 0); /* a CPU emulates both */
    assert_true(p.cpu);
    assert_string_equal(p.quirks, "");
    /* Never asks lavapipe for a size, even if it varied one. */
    with_subgroup(&c, 8, 4, 8);
    c.subgroup_size_control = c.subgroup_full = c.subgroup_required_in_compute = true;
    p = plan(&c);
    assert_int_equal(p.subgroup_fixed, 0);
    assert_non_null(strstr(p.quirks, "no required subgroup size"));
    /* GPUs' programs are made with parameters, but for those whose compilers spill then. */
    assert_false(p.fixes);
    c = discrete();
    assert_true(plan(&c).fixes);
    c.driver_id = TVK_DRIVER_INTEL_MESA;
    p = plan(&c);
    assert_false(p.fixes);
    assert_non_null(strstr(p.quirks, "all parameters pushed"));
    /* Two Adrenos understate; their sibling does not. */
    c = discrete();
    c.driver_id = TVK_DRIVER_TURNIP;
    c.dot = true;
    strcpy(c.name, "Turnip Adreno (TM) 830");
    p = plan(&c);
    assert_true(p.dot_signed_fast && p.dot_mixed_fast);
    strcpy(c.name, "Turnip Adreno (TM) 740");
    c.dot_mixed = true;
    p = plan(&c);
    assert_false(p.dot_signed_fast);
    assert_true(p.dot_mixed_fast);
    strcpy(c.name, "Turnip Adreno (TM) 750");
    p = plan(&c);
    assert_true(p.dot_signed_fast && p.dot_mixed_fast);
}

static void rank_is_type_then_memory(void **state)
{
    const tvk_device_type order[] = {TVK_DEVICE_DISCRETE, TVK_DEVICE_INTEGRATED, TVK_DEVICE_VIRTUAL,
                                     TVK_DEVICE_OTHER, TVK_DEVICE_CPU};
    uint64_t last = UINT64_MAX;
    (void)state;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        tvk_caps c = poorest();
        tvk_plan p;
        uint64_t rank;
        c.type = order[i];
        c.heaps[0].bytes = (i + 1) * GIB; /* more memory does not make up for the type */
        p = plan(&c);
        rank = tvk_plan_rank(&c, &p);
        assert_true(rank > 0 && rank < last);
        last = rank;
        c.heaps[0].bytes *= 2;
        assert_true(tvk_plan_rank(&c, &p) > rank);
    }
}

/* A row has configurations where its capabilities are granted and they fit, and none elsewhere. */
static void rows_have_what_fits(void **state)
{
    tvk_caps caps = poorest();
    tvk_plan plan;
    uint32_t base = 0;
    (void)state;
    tvk_plan_make(&caps, &plan);
    assert_true(plan.usable);
    for (uint32_t row = 0; row < tvk_shader_count(); row++) {
        const tvk_shader_info *info = tvk_shader_get(row);
        const tvk_config *c = tvk_config_get(&plan, info, 0);
        if ((info->caps & ~(uint32_t)TVK_CAP_INEXACT) || !strcmp(info->variant, "heads")) {
            assert_null(c);
            continue;
        }
        assert_non_null(c);
        assert_in_range(c->group, 1, 128);
        base += !strcmp(info->variant, "base");
    }
    assert_int_equal(base, TVK_OP_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poorest_is_usable),
        cmocka_unit_test(rows_have_what_fits),
        cmocka_unit_test(refusals_say_needed_and_found),
        cmocka_unit_test(no_int8_leaves_the_rest),
        cmocka_unit_test(fixed_subgroup_sizes),
        cmocka_unit_test(unreliable_subgroups),
        cmocka_unit_test(variable_subgroups_are_required),
        cmocka_unit_test(registers_need_no_subgroup),
        cmocka_unit_test(discrete_memory_avoids_the_window),
        cmocka_unit_test(discrete_with_large_window),
        cmocka_unit_test(no_host_visible_device_memory),
        cmocka_unit_test(unified_prefers_cached),
        cmocka_unit_test(small_heap_gets_small_blocks),
        cmocka_unit_test(queue_families),
        cmocka_unit_test(dot_flags),
        cmocka_unit_test(cooperative_matrix),
        cmocka_unit_test(cooperative_matrix_intel),
        cmocka_unit_test(quirk_rows),
        cmocka_unit_test(rank_is_type_then_memory),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
