#include "vk/plan.h"

#include <stdio.h>
#include <string.h>

#include "vk/quirks.h"

#define MIB ((uint64_t)1 << 20)
#define VERSION_MAJOR(v) (((v) >> 22) & 0x7fu)
#define VERSION_MINOR(v) (((v) >> 12) & 0x3ffu)

/* What the base row of every kernel needs; the numbers are Vulkan's own guaranteed limits, so that
 * a conforming 1.1 device always passes. */
#define NEED_INVOCATIONS 128u
#define NEED_SHARED_BYTES 16384u
#define NEED_PUSH_BYTES 128u
#define NEED_STORAGE_BUFFERS 4u

/* What a person sees as a hitch of the display; watchdogs wait for seconds. */
#define SUBMIT_MS 100u

#define NO_TYPE UINT32_MAX
#define VENDOR_INTEL 0x8086u
#define VENDOR_AMD 0x1002u
#define VENDOR_APPLE 0x106bu
#define VENDOR_QUALCOMM 0x5143u
#define VENDOR_ARM 0x13b5u
#define VENDOR_IMAGINATION 0x1010u
#define VENDOR_BROADCOM 0x14e4u

/* A family with timestamps first, then one without graphics: the driver's own desktop work then
 * runs beside ours. */
static uint32_t pick_family(const tvk_caps *caps)
{
    uint32_t best = UINT32_MAX, best_score = 0;
    for (uint32_t i = 0; i < caps->family_count; i++) {
        const tvk_queue_family *f = &caps->families[i];
        uint32_t score;
        if (!f->compute || f->count == 0) continue;
        score = 1u + (f->timestamp_bits > 0 ? 2u : 0u) + (f->graphics ? 0u : 1u);
        if (score > best_score) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

static bool type_unified(const tvk_memory_type *t)
{
    return t->device_local && t->host_visible && t->host_coherent;
}

static bool may_be_unified(const tvk_caps *caps)
{
    if (caps->hide_unified) return false;
    if (caps->type == TVK_DEVICE_INTEGRATED || caps->type == TVK_DEVICE_CPU) return true;
    /* Virtual and other devices do not tell; with one heap there is nothing to stage from. */
    return caps->type != TVK_DEVICE_DISCRETE && caps->heap_count == 1;
}

/* Best type by score, larger heaps break ties, lower indices after that (drivers list by speed). */
static uint32_t pick_type(const tvk_caps *caps, int (*score)(const tvk_memory_type *, bool),
                          bool flag)
{
    uint32_t best = NO_TYPE;
    int best_score = -1;
    uint64_t best_bytes = 0;
    for (uint32_t i = 0; i < caps->type_count; i++) {
        const tvk_memory_type *t = &caps->types[i];
        int s = score(t, flag);
        uint64_t bytes;
        if (s < 0 || t->heap >= caps->heap_count) continue;
        bytes = caps->heaps[t->heap].bytes;
        if (s > best_score || (s == best_score && bytes > best_bytes)) {
            best = i;
            best_score = s;
            best_bytes = bytes;
        }
    }
    return best;
}

static int score_device(const tvk_memory_type *t, bool unified)
{
    if (!t->device_local) return -1;
    /* Cached, since the host reads results from it; not a small window into a discrete device. */
    if (unified) return type_unified(t) ? 2 + t->host_cached : -1;
    return t->host_visible ? 0 : 1;
}

static int score_upload(const tvk_memory_type *t, bool unified)
{
    if (!t->host_visible || !t->host_coherent) return -1;
    /* Uncached is write-combined: the device need not snoop host caches to read it. */
    return (t->device_local == unified ? 2 : 0) + (t->host_cached ? 0 : 1);
}

static int score_readback(const tvk_memory_type *t, bool unified)
{
    if (!t->host_visible || !t->host_coherent) return -1;
    return (t->host_cached ? 2 : 0) + (t->device_local == unified ? 1 : 0);
}

/* The device's own memory, where the host can write it: else each read crosses the bus. */
static int score_ring(const tvk_memory_type *t, bool unified)
{
    (void)unified;
    return type_unified(t) ? 1 + !t->host_cached : -1;
}

static bool pick_memory(const tvk_caps *caps, tvk_plan *p)
{
    uint64_t heap, block = 64 * MIB;
    p->unified = false;
    p->device_type = NO_TYPE;
    if (may_be_unified(caps)) {
        p->device_type = pick_type(caps, score_device, true);
        p->unified = p->device_type != NO_TYPE;
    }
    if (!p->unified) p->device_type = pick_type(caps, score_device, false);
    p->upload_type = pick_type(caps, score_upload, p->unified);
    p->readback_type = pick_type(caps, score_readback, p->unified);
    if (p->device_type == NO_TYPE || p->upload_type == NO_TYPE) return false;
    p->ring_type = pick_type(caps, score_ring, p->unified);
    if (p->ring_type == NO_TYPE || p->unified) p->ring_type = p->upload_type;
    /* Small heaps get small blocks: at most a sixteenth is wasted on a block's unused end. */
    heap = caps->heaps[caps->types[p->device_type].heap].bytes;
    while (block > 4 * MIB && block > heap / 16) block /= 2;
    if (block > caps->max_alloc_bytes && caps->max_alloc_bytes > 0) block = caps->max_alloc_bytes;
    p->block_bytes = block;
    return true;
}

/* Words of registers that an invocation has when a compute unit holds a workgroup, where a
 * subgroup has at most so many; 0: kernels may keep what they keep on NVIDIA, whose own compiler
 * they were tuned with. Intel: a thread, which is a subgroup of 8 at least, has 128 registers of
 * 8 words, of 16 since Xe2, whose least subgroup is 16 (Programmer's Reference Manuals, "EU
 * Overview"). AMD: 256 a lane, for a workgroup of 512 fewer on most chips (instruction set
 * documents, "VGPR allocation"). Apple: 256 halves (Asahi's documentation). Qualcomm: 96 of 4
 * words that the waves share. Mesa's compiler for NVIDIA: 128 in a workgroup of 512. Arm,
 * Broadcom, Imagination: 64, as their Mesa compilers allocate them. */
static uint32_t registers_of(const tvk_caps *caps, uint32_t subgroup)
{
    if (caps->type == TVK_DEVICE_CPU) return 0;
    if (caps->vendor_id == VENDOR_INTEL)
        return 128 * (caps->subgroup_min >= 16 ? 16 : 8) / (subgroup > 8 ? subgroup : 8);
    if (caps->vendor_id == VENDOR_AMD) return 192;
    if (caps->driver_id == TVK_DRIVER_NVK) return 128;
    /* Mesa's driver gives Mesa's number as the vendor */
    if (caps->vendor_id == VENDOR_APPLE || caps->driver_id == TVK_DRIVER_HONEYKRISP) return 128;
    if (caps->vendor_id == VENDOR_QUALCOMM) return 128;
    if (caps->vendor_id == VENDOR_ARM || caps->vendor_id == VENDOR_BROADCOM ||
        caps->vendor_id == VENDOR_IMAGINATION)
        return 64;
    return 0;
}

/* Kernels that use a subgroup are compiled for one size. A device that varies it must let us ask
 * for one: 32 where it is in range (RDNA's 32 shares the kernels tuned on NVIDIA), 8 on Intel,
 * whose registers are a thread's, else the end of the range that is nearest to it (64 on Adreno,
 * whose 128 halves the registers; 16 on Intel since Xe2). */
static void pick_subgroup(const tvk_caps *caps, tvk_plan *p)
{
    const uint32_t ops = TVK_SUBGROUP_BASIC | TVK_SUBGROUP_ARITHMETIC | TVK_SUBGROUP_SHUFFLE;
    uint32_t size;
    bool require = false;
    if (!caps->subgroup_compute || (caps->subgroup_ops & ops) != ops) return;
    if (caps->subgroup_min == caps->subgroup_max) {
        size = caps->subgroup_size;
        if (size != caps->subgroup_min) return; /* contradicts itself: rely on nothing */
    } else {
        if (!caps->subgroup_size_control || !caps->subgroup_full ||
            !caps->subgroup_required_in_compute)
            return;
        const uint32_t wish = caps->vendor_id == VENDOR_INTEL ? 8 : 32;
        size = caps->subgroup_min > wish ? caps->subgroup_min
                                         : (caps->subgroup_max < wish ? caps->subgroup_max : wish);
        require = true;
    }
    if (size < 4 || size > 128 || (size & (size - 1)) != 0) return;
    p->subgroup_fixed = size;
    p->subgroup_require = require;
    p->caps |= TVK_CAP_SUBGROUP;
}

/* Kernels are cut into tiles of 16 rows and columns and 32 inputs. */
static bool fits_tiles(const tvk_coopmat_shape *s)
{
    return (s->m == 8 || s->m == 16) && (s->n == 8 || s->n == 16) &&
           (s->k == 8 || s->k == 16 || s->k == 32);
}

/* The largest listed shape for this element type and this type of the sums; m == 0: none. */
static tvk_coopmat_shape pick_shape(const tvk_caps *caps, uint8_t element, uint8_t sum)
{
    tvk_coopmat_shape best = {0};
    for (uint32_t i = 0; i < caps->coopmat_count && i < TVK_MAX_COOPMAT; i++) {
        const tvk_coopmat_shape *s = &caps->coopmat[i];
        if (!s->subgroup_scope || s->saturating || !fits_tiles(s)) continue;
        if (s->a != element || s->b != element || s->c != sum || s->result != sum) continue;
        if (s->m * s->n * s->k > best.m * best.n * best.k) best = *s;
    }
    return best;
}

/* Is there a matrix of floats with the place of a sum of bytes, for their scales? */
static bool scales_fit(const tvk_caps *caps, const tvk_coopmat_shape *bytes)
{
    for (uint32_t i = 0; i < caps->coopmat_count && i < TVK_MAX_COOPMAT; i++) {
        const tvk_coopmat_shape *s = &caps->coopmat[i];
        if (s->subgroup_scope && s->result == TVK_COOPMAT_F32 && s->m == bytes->m &&
            s->n == bytes->n)
            return true;
    }
    return false;
}

/* Modules with cooperative matrices are written for the Vulkan memory model. Intel's matrices take
 * as many invocations as a shape has columns (Mesa, src/intel/compiler); all others work with the
 * size that the other kernels have. */
static void pick_coopmat(const tvk_caps *caps, tvk_plan *p)
{
    tvk_coopmat_shape i8 = {0}, f16 = {0};
    uint32_t size = p->subgroup_fixed;
    if (!caps->cooperative_matrix || !caps->memory_model || size == 0) return;
    if (caps->int8) i8 = pick_shape(caps, TVK_COOPMAT_S8, TVK_COOPMAT_S32);
    if (i8.m && !scales_fit(caps, &i8)) i8 = (tvk_coopmat_shape){0};
    if (caps->fp16) f16 = pick_shape(caps, TVK_COOPMAT_F16, TVK_COOPMAT_F32);
    if (caps->vendor_id == VENDOR_INTEL && p->subgroup_require) {
        size = i8.m ? i8.n : f16.n;
        if (i8.m && f16.m && i8.n != f16.n) return;
        if (size < caps->subgroup_min || size > caps->subgroup_max) return;
    }
    p->coopmat_i8 = i8;
    p->coopmat_f16 = f16;
    p->coopmat_subgroup = size;
    if (i8.m) p->caps |= TVK_CAP_COOPMAT_I8;
    if (f16.m) p->caps |= TVK_CAP_COOPMAT_F16;
}

static void pick_caps(const tvk_caps *caps, tvk_plan *p)
{
    if (caps->dot) {
        p->caps |= TVK_CAP_DOT;
        p->dot_signed_fast = caps->dot_signed;
        p->dot_mixed_fast = caps->dot_mixed;
    }
    if (caps->fp16) p->caps |= TVK_CAP_FP16;
    if (caps->int8) p->caps |= TVK_CAP_INT8;
    if (caps->storage16) p->caps |= TVK_CAP_STORAGE16;
    if (caps->storage8) p->caps |= TVK_CAP_STORAGE8;
    pick_coopmat(caps, p);
    /* A CPU driver emulates all of them with plain vector code. */
    p->prefer = p->cpu ? 0u : p->caps;
    if (!p->dot_signed_fast && !p->dot_mixed_fast) p->prefer &= ~(uint32_t)TVK_CAP_DOT;
}

static bool refuse(tvk_plan *p, const char *what, uint64_t needed, uint64_t found)
{
    snprintf(p->why, sizeof p->why, "%s: %llu needed, %llu found", what, (unsigned long long)needed,
             (unsigned long long)found);
    return false;
}

static bool check_required(const tvk_caps *caps, tvk_plan *p)
{
    uint32_t major = VERSION_MAJOR(caps->api_version), minor = VERSION_MINOR(caps->api_version);
    if (major < 1 || (major == 1 && minor < 1)) {
        snprintf(p->why, sizeof p->why, "Vulkan: 1.1 needed, %u.%u found", major, minor);
        return false;
    }
    if (p->family == UINT32_MAX) {
        snprintf(p->why, sizeof p->why, "compute queue: 1 needed, none found in %u families",
                 caps->family_count);
        return false;
    }
    if (caps->max_storage_buffers < NEED_STORAGE_BUFFERS)
        return refuse(p, "storage buffers per stage", NEED_STORAGE_BUFFERS,
                      caps->max_storage_buffers);
    if (caps->max_invocations < NEED_INVOCATIONS)
        return refuse(p, "invocations per workgroup", NEED_INVOCATIONS, caps->max_invocations);
    if (caps->max_group_size[0] < NEED_INVOCATIONS)
        return refuse(p, "workgroup width", NEED_INVOCATIONS, caps->max_group_size[0]);
    if (caps->max_shared_bytes < NEED_SHARED_BYTES)
        return refuse(p, "shared memory bytes", NEED_SHARED_BYTES, caps->max_shared_bytes);
    if (caps->max_push_bytes < NEED_PUSH_BYTES)
        return refuse(p, "push constant bytes", NEED_PUSH_BYTES, caps->max_push_bytes);
    return true;
}

void tvk_plan_make(const tvk_caps *caps, tvk_plan *out)
{
    tvk_caps c = *caps;
    memset(out, 0, sizeof *out);
    tvk_quirks_apply(&c, out->quirks, sizeof out->quirks);
    out->family = pick_family(&c);
    if (!check_required(&c, out)) return;
    if (!pick_memory(&c, out)) {
        snprintf(out->why, sizeof out->why,
                 "memory: a device-local and a host-visible coherent type needed, %s found",
                 out->device_type != NO_TYPE   ? "no host-visible one"
                 : out->upload_type != NO_TYPE ? "no device-local one"
                                               : "none");
        return;
    }
    out->usable = true;
    out->cpu = c.type == TVK_DEVICE_CPU;
    out->fixes = !out->cpu && !c.push_all;
    out->max_invocations = c.max_invocations;
    out->max_shared_bytes = c.max_shared_bytes;
    out->max_storage_buffers = c.max_storage_buffers;
    out->max_storage_bytes = c.max_storage_bytes;
    if (c.max_alloc_bytes > 0 && c.max_alloc_bytes < out->max_storage_bytes)
        out->max_storage_bytes = c.max_alloc_bytes;
    /* 4: the smallest offset that a 32-bit word can be bound at. */
    out->storage_align = c.storage_align > 4 ? c.storage_align : 4;
    out->timestamps = c.families[out->family].timestamp_bits > 0 && c.timestamp_period_ns > 0;
    /* Integrated devices share the display's queue and its watchdog: keep submissions short. */
    out->submit_ms = c.type == TVK_DEVICE_DISCRETE || out->cpu ? 0 : SUBMIT_MS;
    pick_subgroup(&c, out);
    out->registers = registers_of(&c, out->subgroup_fixed ? out->subgroup_fixed : c.subgroup_max);
    pick_caps(&c, out);
}

uint64_t tvk_plan_rank(const tvk_caps *caps, const tvk_plan *plan)
{
    static const uint64_t by_type[] = {
        [TVK_DEVICE_OTHER] = 2,   [TVK_DEVICE_INTEGRATED] = 4, [TVK_DEVICE_DISCRETE] = 5,
        [TVK_DEVICE_VIRTUAL] = 3, [TVK_DEVICE_CPU] = 1,
    };
    const uint64_t most = ((uint64_t)1 << 56) - 1;
    uint64_t bytes, type;
    if (!plan->usable) return 0;
    type = (size_t)caps->type < sizeof by_type / sizeof *by_type ? by_type[caps->type] : 1;
    bytes = caps->heaps[caps->types[plan->device_type].heap].bytes;
    return type << 56 | (bytes < most ? bytes : most);
}
