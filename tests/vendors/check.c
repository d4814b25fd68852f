/* Creates the programs of models of real shapes on a chip's real driver, and checks what its
 * compiler made of them; then runs the whole host path on it.
 *   check [--quick] [--table] [--spoil WHAT] EXCEPTIONS CHIP DOT MATRIX
 * DOT, MATRIX: "yes" or "no", what the chip has. --quick: two models. --table: a line a kernel for
 * docs/vendors.md. --spoil spill, shape, capability, statistic: with a fault that must be found.
 * Exit 0: as expected; 1: not; 2: called wrongly; 3: refused by the planner, one line on stdout. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "cli/shape.h"
#include "model/model.h"
#include "ternvk/session.h"

#define MOST_KERNELS 1024u
#define REFUSED 3

static const uint32_t spill_spirv[] = {
#include "spill.spv.inc"
};

/* Real shapes, each with all of its steps: decode, several sessions, drafts, prefill. The first
 * QUICK_MODELS are those of --quick. */
static const struct model_row {
    const char *shape, *embedding;
    tvk_act act;
    tvk_kv_type kv;
} models[] = {
    {"bitnet-2b4t", "f16", TVK_ACT_AUTO, TVK_KV_F16},
    {"llama-3b", "f16", TVK_ACT_AUTO, TVK_KV_F16},
    {"bitnet-7b", "f16", TVK_ACT_AUTO, TVK_KV_F16},
    {"25m", "f16", TVK_ACT_AUTO, TVK_KV_F16},
    {"bitnet-2b4t", "q8_0", TVK_ACT_AUTO, TVK_KV_F32},
    {"bitnet-2b4t", "q6_k", TVK_ACT_AUTO, TVK_KV_Q8},
    {"bitnet-7b", "f16", TVK_ACT_A48, TVK_KV_Q4},
};
#define QUICK_MODELS 2u
#define MODELS (sizeof models / sizeof *models)

typedef struct run {
    chip_facts chip;
    bool quick, table;
    const char *spoil; /* "" : nothing */
    tvk_device *device;
    const compiler *compiler;
    compiler renamed; /* --spoil statistic: as if the driver called its spills otherwise */
    exceptions *exceptions;
    kernel_facts kernels[MOST_KERNELS + 1]; /* and the spoiled one */
    uint32_t count;
} run;

/* What cli/shape.c says its errors with. */
void out_error(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

static bool spoils(const run *r, const char *what)
{
    return !strcmp(r->spoil, what);
}

static int failed(const run *r, const char *where, const tvk_error *err)
{
    fprintf(stderr, "%s: %s: %s\n", r->chip.name, where, err->text);
    return 1;
}

static int open_device(run *r)
{
    const tvk_device_params params = {.inspect = true,
                                      .clamps = spoils(r, "capability") ? "dot 0\n" : NULL};
    const tvk_device_info *info;
    tvk_error err = {0};
    tvk_status st = tvk_device_create(&params, &r->device, &err);
    if (st == TVK_ERR_UNSUPPORTED) {
        printf("%s: refused: %s\n", r->chip.name, err.text);
        return REFUSED;
    }
    if (st != TVK_OK) return failed(r, "device", &err);
    info = tvk_device_get_info(r->device);
    r->compiler = compiler_find(info->driver);
    if (!r->compiler) {
        fprintf(stderr, "%s: driver '%s': a row of compilers.def expected, none found\n",
                r->chip.name, info->driver);
        return 1;
    }
    if (spoils(r, "statistic")) {
        r->renamed = *r->compiler;
        r->renamed.spills = "Spills of another name";
        r->compiler = &r->renamed;
    }
    printf("chip\t%s\t%s\t%s\tsubgroup %u%s%s%s\n", r->chip.name, info->name, info->driver,
           info->subgroup_fixed, info->dot_signed || info->dot_mixed ? ", dot" : "",
           info->cooperative_matrix ? ", matrices" : "", info->unified_memory ? ", unified" : "");
    return 0;
}

/* Programs of one name differ by what else they are made with; many of them come to the same. */
static bool known(const run *r, const kernel_facts *k)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (kernel_facts_same(&r->kernels[i], k)) return true;
    return false;
}

static int note_programs(run *r, const tvk_kernels *kernels)
{
    tvk_error err = {0};
    const char *name;
    tvk_program *p;
    uint32_t row;
    for (uint32_t i = 0; (p = tvk_kernels_program(kernels, i, &row, &name)); i++) {
        kernel_facts k;
        if (kernel_facts_read(p, name, row, r->compiler, &k, &err) != TVK_OK)
            return failed(r, name, &err);
        if (known(r, &k)) continue;
        if (r->count == MOST_KERNELS) {
            fprintf(stderr, "%s: more than %u programs\n", r->chip.name, MOST_KERNELS);
            return 1;
        }
        r->kernels[r->count++] = k;
    }
    return 0;
}

/* Programs of all steps of a model, in two of its layers. */
static int plan_model(run *r, const struct model_row *row)
{
    const shape_params wanted = {.name = row->shape,
                                 .layers = 2,
                                 .a48 = row->act == TVK_ACT_A48,
                                 .embedding = row->embedding,
                                 .zeros = true};
    const tvk_model_params params = {
        .sessions = 4, .context = 2048, .act = row->act, .kv_k = row->kv, .kv_v = row->kv};
    tvk_weights_plan weights;
    tvk_model *m = NULL;
    tvk_error err = {0};
    int status = 0;
    shape *s = shape_open(&wanted, &status);
    if (!s) return 1;
    if (tvk_model_plan(r->device, shape_source(s), &params, &weights, &m, &err) != TVK_OK ||
        tvk_kernels_compiled(m->kernels, &err) != TVK_OK)
        status = failed(r, row->shape, &err);
    else
        status = note_programs(r, m->kernels);
    tvk_model_destroy(&m);
    shape_close(&s);
    return status;
}

/* The same path as a kernel's: a module that no register file holds, or more invocations than a
 * workgroup can have. */
static int spoiled_program(run *r)
{
    tvk_program_desc desc = {.name = "spoiled[128]",
                             .spirv = spill_spirv,
                             .spirv_bytes = sizeof spill_spirv,
                             .binding_count = 1};
    tvk_program *p = NULL;
    tvk_error err = {0};
    int status = 0;
    if (spoils(r, "shape")) {
        desc.constant_count = 3;
        desc.constants[0] = 65536;
        desc.constants[1] = desc.constants[2] = 1;
    }
    if (tvk_program_create(r->device, &desc, &p, &err) != TVK_OK ||
        kernel_facts_read(p, desc.name, 0, r->compiler, &r->kernels[r->count++], &err) != TVK_OK)
        status = failed(r, desc.name, &err);
    tvk_program_destroy(&p);
    return status;
}

static bool count_token(void *user, int32_t token)
{
    (void)token;
    ++*(uint32_t *)user;
    return true;
}

/* Weights loaded, steps recorded, a prompt and tokens submitted: what a driver that only compiles
 * can show of the host's part. Nothing can be said about the tokens. */
static int host_path(run *r)
{
    const int32_t prompt[] = {1, 2, 3, 4, 5, 6, 7};
    const shape_params wanted = {.name = "25m", .layers = 2};
    const tvk_model_params params = {.context = 64, .batch = 4};
    tvk_model *m = NULL;
    tvk_session *session = NULL;
    tvk_error err = {0};
    uint32_t tokens = 0;
    int status = 0;
    shape *s = shape_open(&wanted, &status);
    tvk_batch_item item = {.tokens = prompt, .count = sizeof prompt / sizeof *prompt};
    if (!s) return 1;
    if (tvk_model_create(r->device, shape_source(s), &params, &m, &err) != TVK_OK ||
        tvk_session_create(m, &session, &err) != TVK_OK ||
        (item.session = session, tvk_eval(m, &item, 1, &err)) != TVK_OK ||
        tvk_session_generate(session, 8, count_token, &tokens, NULL, &err) != TVK_OK)
        status = failed(r, "host path", &err);
    else if (tokens != 8) {
        fprintf(stderr, "%s: host path: 8 tokens expected, %u found\n", r->chip.name, tokens);
        status = 1;
    }
    tvk_session_destroy(&session);
    tvk_model_destroy(&m);
    shape_close(&s);
    return status;
}

static void print_table(const run *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        const kernel_facts *k = &r->kernels[i];
        const tvk_shader_info *row = tvk_shader_get(k->row);
        printf("kernel\t%s\t%s\t%s\t%s\t%g\t%g\t%g\t%g\t%u\t%s%s\n", r->chip.name,
               tvk_op_name(row->op), row->variant, k->name, k->instructions, k->registers,
               k->occupancy, k->spills, k->subgroup, k->dot ? "dot " : "",
               k->matrix ? "matrix" : "");
    }
}

static int check(run *r)
{
    uint32_t bad = 0;
    int status = open_device(r);
    if (status) return status;
    for (uint32_t i = 0; i < (r->quick ? QUICK_MODELS : MODELS); i++)
        bad += (uint32_t)plan_model(r, &models[i]);
    if (spoils(r, "spill") || spoils(r, "shape")) bad += (uint32_t)spoiled_program(r);
    for (uint32_t i = 0; i < r->count; i++)
        bad += bounds_check(&r->chip, r->compiler, r->exceptions, &r->kernels[i]);
    bad += bounds_check_all(&r->chip, r->kernels, r->count);
    bad += (uint32_t)host_path(r);
    if (r->table) print_table(r);
    printf("%s: %u programs, %u faults\n", r->chip.name, r->count, bad);
    return bad > 0;
}

static int usage(void)
{
    fputs(
        "check [--quick] [--table] [--spoil spill|shape|capability|statistic] EXCEPTIONS CHIP DOT "
        "MATRIX\n",
        stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static run r = {.spoil = ""};
    int i = 1, status;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "--quick"))
            r.quick = true;
        else if (!strcmp(argv[i], "--table"))
            r.table = true;
        else if (!strcmp(argv[i], "--spoil") && i + 1 < argc)
            r.spoil = argv[++i];
        else
            return usage();
    }
    if (argc - i != 4) return usage();
    r.exceptions = exceptions_read(argv[i]);
    if (!r.exceptions) return 2;
    r.chip = (chip_facts){argv[i + 1], !strcmp(argv[i + 2], "yes"), !strcmp(argv[i + 3], "yes")};
    status = check(&r);
    tvk_device_destroy(&r.device);
    exceptions_free(&r.exceptions);
    return status;
}
