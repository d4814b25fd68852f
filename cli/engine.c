#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundled.h"
#include "cache.h"
#include "interrupt.h"
#include "out.h"
#include "progress.h"
#include "prompt.h"
#include "tuning.h"

/* No number that can be given: the device decides. */
#define SUBMIT_AS_DEVICE UINT32_MAX

engine_options engine_given = {.submit_ms = SUBMIT_AS_DEVICE};

const arg_option engine_device_options[] = {
    {ARG_TEXT, "--device", "N|NAME", &engine_given.device,
     "device by number or part of its name (also TERNVK_DEVICE)", 0, 0, NULL},
    {ARG_TEXT, "--clamps", "FILE", &engine_given.clamps,
     "lower the device's limits as the file says, to play a poorer one", 0, 0, NULL},
    {ARG_U32, "--submit-ms", "N", &engine_given.submit_ms,
     "cut the model's work so that no submission takes longer; 0: no matter (100 on devices that "
     "may share the display's queue, else 0)",
     0, 10000, NULL},
    {ARG_FLAG, "--validate", NULL, &engine_given.validate,
     "turn on the Vulkan validation layer; its messages make the command fail", 0, 0, NULL},
    {ARG_FLAG, "--validate-gpu", NULL, &engine_given.validate_gpu,
     "the same, but the layer checks each access of kernels on the device: slow", 0, 0, NULL},
    {ARG_COUNT, "-v, --verbose", NULL, &engine_given.verbose, "say more; twice: all", 0, 0, NULL},
    {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};

const arg_option engine_file_options[] = {{ARG_TEXT, "-m, --model", "FILE", &engine_given.model,
                                           "GGUF file (else the bundled model)", 0, 0, NULL},
                                          {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};

const arg_option engine_model_options[] = {
    {ARG_INCLUDE, NULL, NULL, (void *)engine_file_options, NULL, 0, 0, NULL},
    {ARG_U32, "-c, --ctx-size", "N", &engine_given.context, "positions (0: the model's own)", 0,
     1 << 24, NULL},
    {ARG_TEXT, "-ctk, --cache-type-k", "TYPE", &engine_given.kv_k,
     "keys in the KV cache: f32, f16, q8, q4 or q3", 0, 0, NULL},
    {ARG_TEXT, "-ctv, --cache-type-v", "TYPE", &engine_given.kv_v, "values, likewise", 0, 0, NULL},
    {ARG_TEXT, "-ctq, --query-type", "TYPE", &engine_given.q,
     "queries in the scores: f32, q8 or q4", 0, 0, NULL},
    {ARG_TEXT, "--act", "TYPE", &engine_given.act,
     "activations of ternary matrices: auto, none, int8, a4.8, a4.8-fp4, v2-a8, v2-a4", 0, 0, NULL},
    {ARG_TEXT, "--sparse", "auto|on|off", &engine_given.sparse,
     "leave out zero activations: where it is faster, everywhere, nowhere", 0, 0, NULL},
    {ARG_FLAG, "--no-tune", NULL, &engine_given.no_tune,
     "neither measure the device nor read what was measured", 0, 0, NULL},
    {ARG_FLAG, "--exact", NULL, &engine_given.exact,
     "only kernels whose bits are the same on every driver", 0, 0, NULL},
    {ARG_FLAG, "--list-devices", NULL, &engine_given.list_devices, "list the devices and stop", 0,
     0, NULL},
    {ARG_INCLUDE, NULL, NULL, (void *)engine_device_options, NULL, 0, 0, NULL},
    {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};

const arg_option engine_stats_options[] = {
    {ARG_FLAG, "--stats", NULL, &engine_given.stats,
     "zeros per linear, active parameters, bytes a decoded token reads", 0, 0, NULL},
    {ARG_END, NULL, NULL, NULL, NULL, 0, 0, NULL}};

/* As the options say; the text of clamps is there. */
static void device_params(const engine *e, tvk_device_params *out)
{
    *out = (tvk_device_params){.select = engine_given.device,
                               .log = out_log(engine_given.verbose),
                               .validate = engine_given.validate || engine_given.validate_gpu,
                               .validate_device = engine_given.validate_gpu,
                               .clamps = e->clamps,
                               .clamps_name = engine_given.clamps};
    if (engine_given.submit_ms != SUBMIT_AS_DEVICE)
        out->submit_ms = engine_given.submit_ms ? engine_given.submit_ms : TVK_SUBMIT_ANY;
    if (!out->select) out->select = args_environment()->device;
}

int engine_device_params(engine *e, tvk_device_params *out)
{
    size_t bytes;
    if (engine_given.clamps) {
        free(e->clamps);
        e->clamps = prompt_read_file(engine_given.clamps, &bytes);
        if (!e->clamps) {
            out_error("--clamps: %s cannot be read", engine_given.clamps);
            return 1;
        }
    }
    device_params(e, out);
    return 0;
}

int engine_open_file(engine *e)
{
    char path[4096];
    const char *model = engine_given.model;
    double start = out_now_ms();
    tvk_error err;
    interrupt_catch();
    if (!model) {
        if (!bundled_model(path, sizeof path)) {
            out_error("no model: give one with -m FILE (the bundled one is not at %s)", path);
            return 2;
        }
        model = path;
        e->bundled = true;
    }
    if (tvk_file_open(model, &e->file, &err) != TVK_OK) return out_failed(&err);
    /* Without a tokenizer some commands still work; those that need it say e->tokenizer_error. */
    tvk_tokenizer_create(e->file, &e->tokenizer, &e->tokenizer_error);
    e->file_ms = out_now_ms() - start;
    return 0;
}

tvk_status engine_make_device(engine *e, tvk_error *err)
{
    double start = out_now_ms();
    tvk_device_params params;
    tvk_status st;
    device_params(e, &params);
    st = tvk_device_create(&params, &e->device, err);
    e->device_ms = out_now_ms() - start;
    return st;
}

int engine_open_device(engine *e)
{
    tvk_device_params params;
    tvk_error err;
    int failed = engine_device_params(e, &params);
    if (failed) return failed;
    return engine_make_device(e, &err) == TVK_OK ? 0 : out_failed(&err);
}

static const struct {
    const char *name, *other; /* other: llama.cpp's name */
    tvk_kv_type type;
} kv_types[] = {{"f32", "f32", TVK_KV_F32},
                {"f16", "f16", TVK_KV_F16},
                {"q8", "q8_0", TVK_KV_Q8},
                {"q4", "q4_0", TVK_KV_Q4},
                {"q3", "q3", TVK_KV_Q3}};
#define KV_TYPES (sizeof kv_types / sizeof *kv_types)

const char *engine_kv_name(tvk_kv_type type)
{
    for (size_t i = 0; i < KV_TYPES; i++)
        if (kv_types[i].type == type) return kv_types[i].name;
    return "?";
}

static const struct {
    const char *name, *other;
    tvk_q_type type;
} q_types[] = {{"f32", "f32", TVK_Q_F32}, {"q8", "q8_0", TVK_Q_Q8}, {"q4", "q4_0", TVK_Q_Q4}};
#define Q_TYPES (sizeof q_types / sizeof *q_types)

const char *engine_q_name(tvk_q_type type)
{
    for (size_t i = 0; i < Q_TYPES; i++)
        if (q_types[i].type == type) return q_types[i].name;
    return "?";
}

static bool q_type(const char *text, tvk_q_type *out)
{
    if (!text) return true;
    for (size_t i = 0; i < Q_TYPES; i++) {
        if (strcmp(text, q_types[i].name) && strcmp(text, q_types[i].other)) continue;
        *out = q_types[i].type;
        return true;
    }
    out_error("-ctq: f32, q8 or q4 expected, '%s' found", text);
    return false;
}

/* Leaves *out as it is when the option was not given. */
static bool kv_type(const char *option, const char *text, tvk_kv_type *out)
{
    if (!text) return true;
    for (size_t i = 0; i < KV_TYPES; i++) {
        if (strcmp(text, kv_types[i].name) && strcmp(text, kv_types[i].other)) continue;
        *out = kv_types[i].type;
        return true;
    }
    out_error("%s: f32, f16, q8, q4 or q3 expected, '%s' found", option, text);
    return false;
}

int engine_model_params(tvk_model_params *out, tvk_kv_type kv)
{
    *out = (tvk_model_params){.context = engine_given.context,
                              .kv_k = kv,
                              .kv_v = kv,
                              .exact = engine_given.exact,
                              .stats = engine_given.stats,
                              .progress = progress_bar()};
    if (!kv_type("-ctk", engine_given.kv_k, &out->kv_k) ||
        !kv_type("-ctv", engine_given.kv_v, &out->kv_v) || !q_type(engine_given.q, &out->q))
        return 2;
    if (!engine_given.act || !strcmp(engine_given.act, "auto"))
        out->act = TVK_ACT_AUTO;
    else if (!strcmp(engine_given.act, "none"))
        out->act = TVK_ACT_NONE;
    else if (!strcmp(engine_given.act, "int8"))
        out->act = TVK_ACT_INT8;
    else if (!strcmp(engine_given.act, "a4.8"))
        out->act = TVK_ACT_A48;
    else if (!strcmp(engine_given.act, "a4.8-fp4"))
        out->act = TVK_ACT_A48_FP4;
    else if (!strcmp(engine_given.act, "v2-a8"))
        out->act = TVK_ACT_V2_A8;
    else if (!strcmp(engine_given.act, "v2-a4"))
        out->act = TVK_ACT_V2_A4;
    else {
        out_error("--act: auto, none, int8, a4.8, a4.8-fp4, v2-a8 or v2-a4 expected, '%s' found",
                  engine_given.act);
        return 2;
    }
    if (!engine_given.sparse || !strcmp(engine_given.sparse, "auto"))
        out->sparse = TVK_SPARSE_AUTO;
    else if (!strcmp(engine_given.sparse, "on"))
        out->sparse = TVK_SPARSE_ON;
    else if (!strcmp(engine_given.sparse, "off"))
        out->sparse = TVK_SPARSE_OFF;
    else {
        out_error("--sparse: auto, on or off expected, '%s' found", engine_given.sparse);
        return 2;
    }
    return 0;
}

static void kv_banner(const tvk_model_info *info)
{
    char text[32];
    fprintf(stderr, "KV cache k %s, v %s | %" PRIu64 " bytes a position | %s for %u | queries %s\n",
            engine_kv_name(info->kv_k), engine_kv_name(info->kv_v), info->kv_bytes_per_position,
            out_bytes(info->kv_bytes_per_position * info->context, text, sizeof text),
            info->context, engine_q_name(info->q));
}

tvk_status engine_make_model(engine *e, tvk_error *err)
{
    static tvk_tuning tuning; /* large for a stack; the model does not keep it */
    const bool tune = e->tune && !engine_given.no_tune;
    /* never on a device after a lost one: what was measured may have been the reason */
    const bool measure = tune && !e->measured;
    double before_model;
    tvk_model_params with = e->params;
    tvk_status st;
    if (!e->programs) cache_programs_load(e->device);
    e->programs = true;
    e->measured = true;
    e->tune_ms = -out_now_ms();
    if (measure) tuning_prepare(e->device, e->source, &e->params, &tuning);
    if (tune) with.tuning = &tuning;
    before_model = out_now_ms();
    st = tvk_model_create(e->device, e->source, &with, &e->model, err);
    e->tune_ms += before_model - out_now_ms(); /* without the model */
    if (st == TVK_OK && measure) tuning_finish(e->device, e->model, e->thorough, &tuning);
    e->tune_ms += out_now_ms();
    return st;
}

/* What to do about memory is the program's to say: the library knows no options. */
static int model_failed(const tvk_error *err)
{
    if (err->status != TVK_ERR_DEVICE_MEMORY) return out_failed(err);
    out_error("%s (-c sets the context, -ctk and -ctv what a position takes)", err->text);
    return 1;
}

int engine_open_model(engine *e, const tvk_weight_source *source, const tvk_model_params *params)
{
    double start = out_now_ms();
    tvk_error err;
    e->source = source;
    e->params = *params;
    e->measured = false;
    if (engine_make_model(e, &err) != TVK_OK && !engine_recovered(e, ENGINE_LOADING, &err))
        return model_failed(&err);
    e->load_ms = out_now_ms() - start;
    kv_banner(tvk_model_get_info(e->model));
    tuning_banner(tvk_model_get_info(e->model));
    return 0;
}

int engine_open(engine *e, tvk_kv_type kv)
{
    double start = out_now_ms();
    tvk_model_params params;
    int failed = engine_model_params(&params, kv);
    if (!failed && !e->file) failed = engine_open_file(e);
    if (!failed) failed = engine_open_device(e);
    if (failed) return failed;
    engine_banner(tvk_device_get_info(e->device));
    failed = engine_open_model(e, tvk_file_source(e->file), &params);
    if (failed) return failed;
    failed = engine_open_sessions(e, 1);
    if (failed) return failed;
    fprintf(stderr, "%s | activations %s\n", tvk_model_get_info(e->model)->name,
            tvk_model_get_info(e->model)->act_quant);
    e->load_ms = out_now_ms() - start;
    return 0;
}

void engine_print_times(const engine *e, double first_ms)
{
    tvk_load_times t;
    if (!engine_given.verbose || !e->model) return;
    tvk_model_get_load_times(e->model, &t);
    fprintf(stderr,
            "start-up: file %.0f ms | device %.0f | tuning %.0f | memory and graphs %.0f | "
            "weights %.0f | compiling after them %.0f | recording %.0f",
            e->file_ms, e->device_ms, e->tune_ms, t.graphs_ms, t.weights_ms, t.kernels_ms,
            t.record_ms);
    if (first_ms > 0) fprintf(stderr, " | first token after %.0f", first_ms);
    fputc('\n', stderr);
}

int engine_validated(const engine *e)
{
    uint32_t messages = e->messages + (e->device ? tvk_device_validation_messages(e->device) : 0);
    if (messages == 0) return 0;
    out_error("%u messages of the validation layer", messages);
    return 1;
}

void engine_close(engine *e)
{
    for (uint32_t i = 0; i < e->session_count; i++) tvk_session_destroy(&e->sessions[i]);
    free(e->sessions);
    tvk_model_destroy(&e->model);
    if (e->programs) cache_programs_save(e->device);
    tvk_device_destroy(&e->device);
    tvk_tokenizer_destroy(&e->tokenizer);
    tvk_file_close(&e->file);
    free(e->clamps);
    e->clamps = NULL;
}

const char *engine_dot_text(const tvk_device_info *info)
{
    if (info->dot_signed) return info->dot_mixed ? "yes" : "signed";
    return info->dot_mixed ? "mixed" : "no";
}

const char *engine_type_name(tvk_device_type type)
{
    static const char *const names[] = {"other", "integrated", "discrete", "virtual", "cpu"};
    return (unsigned)type < sizeof names / sizeof *names ? names[type] : "other";
}

void engine_banner(const tvk_device_info *info)
{
    fprintf(
        stderr,
        "%s | %s\numa %s | fp16 %s | int dot %s | matrix cores %s | subgroup %u | shared memory "
        "%u KiB\n",
        info->name, info->driver, info->unified_memory ? "yes" : "no", info->fp16 ? "yes" : "no",
        engine_dot_text(info), info->cooperative_matrix ? "yes" : "no", info->subgroup_size,
        info->max_shared_bytes / 1024);
}
